"""Examination: what an answer proves, and what it only suggests."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.doctor.examination import Examination, gap_of, is_refusal
from smsby_deploy.errors import TokenRefused
from smsby_deploy.smsby.facts import FactName, FactState, Gap
from smsby_deploy.smsby.parameters import CallStyle
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import error, ok
from tests.doctor.examples import UsualTransport

_NOON = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC


def test_get_with_a_refused_token_ends_it(look: Examination, transport: UsualTransport) -> None:
    """A GET with a refused token ends the examination; a POST does not, as it may read the token elsewhere."""
    transport.script("statusBulkSms", error("token is invalid", 403))
    assert look.call("statusBulkSms", {"uuid": "u"}).error
    transport.script("getLimit", error("token is invalid", 403))
    with pytest.raises(TokenRefused, match="token is invalid"):
        look.call("getLimit")


@pytest.mark.parametrize(
    ("local", "slack", "offset"),
    [
        ("2026-05-28 23:26:40", 0, 180),
        ("2026-05-28 20:26:40", 0, 0),
        ("2026-05-29 02:11:40", 0, 345),  # Nepal
        ("2026-05-28 23:29:40", 0, None),
        ("2026-05-28 23:29:40", 300, 180),
        ("2026-05-28 23:34:09", 420, Gap.UNDECIDED),  # between two offsets
        ("2026-05-29 14:26:40", 0, None),  # beyond every zone
        ("2026-05-28T23:26:40+03:00", 0, Gap.NO_VALUE),
        ("yesterday", 0, Gap.NO_VALUE),
    ],
)
def test_know_clock_is_sure_or_silent(
    local: str, slack: int, offset: int | Gap | None, look: Examination
) -> None:
    """A date with its own offset, or one that fits no zone, proves nothing about the account's clock."""
    look.know_clock(FactName.CLOCK_OUT, local, _NOON, "m", slack=slack)
    fact = look.facts[FactName.CLOCK_OUT]
    if isinstance(offset, int):
        assert fact.value == {"offset": offset, "at": "2026-05-28T20:26:40+00:00"}
    else:
        assert (fact.state, fact.gap) == (FactState.NOT_LEARNABLE, offset or Gap.UNDECIDED)


def test_know_clock_of_an_impossible_moment(look: Examination) -> None:
    look.know_clock(FactName.CLOCK_OUT, "2026-05-28 23:26:40", 1e30, "m")
    assert look.facts[FactName.CLOCK_OUT].gap is Gap.NO_VALUE


def test_what_is_known_is_not_missed_later(look: Examination) -> None:
    """A fact that is known stays known if a second way shows nothing."""
    look.miss(FactName.CURRENCY, Gap.NO_VALUE, "a")
    look.know(FactName.SENDERS, 2, "b")
    look.know(FactName.CURRENCY, "BYN", "c")
    look.miss(FactName.CURRENCY, Gap.NO_VALUE, "d")
    assert list(look.facts) == [FactName.SENDERS, FactName.CURRENCY]
    assert look.is_known(FactName.CURRENCY)
    assert look.facts[FactName.CURRENCY].method == "c"


@pytest.mark.parametrize(
    ("answers", "value"),
    [
        ([error("limit exceeded", 500)], True),
        ([error("limit exceeded", 500), error("limit exceeded", 400)], True),
        (
            [error("limit exceeded", 400), error("something odd", 500)],
            False,
        ),  # 500 with an unknown text is none
        ([error("something odd", 500)], None),
        ([ok({})], None),
    ],
)
def test_refusals_are_judged_by_known_texts(
    answers: list[Answer], value: bool | None, look: Examination
) -> None:
    """A refusal counts only with a known text, which alone makes it certain that nothing was done."""
    for answer in answers:
        look.note_error(answer)
    look.judge_refusals()
    assert look.facts[FactName.REFUSAL_AT_500].value is value


def test_token_that_is_refused_is_no_refusal() -> None:
    """A refused token says nothing about how the service reports errors."""
    assert not is_refusal(error("token is invalid", 403))
    assert is_refusal(error("limit exceeded", 400))


@pytest.mark.parametrize(
    ("answer", "gap"),
    [
        (error("no"), Gap.REFUSED),
        (ok({}), Gap.NO_VALUE),
        (Answer(502), Gap.NO_ANSWER),
    ],
)
def test_gap_of_an_answer(answer: Answer, gap: Gap) -> None:
    assert gap_of(answer) is gap


@pytest.mark.parametrize(
    ("data", "count"),
    [({"result": [{"a": 1}, {"b": 2}]}, 1), ({"result": [{"a": 1}, 3]}, 0), ("odd", 0), (None, 0)],
)
def test_rows_are_those_with_all_keys(data: Any, count: int, look: Examination) -> None:
    """An answer without the expected keys has no rows."""
    assert len(look.rows(ok(data), "a")) == count


def test_call_uses_the_style_that_was_found(look: Examination, transport: UsualTransport) -> None:
    """A call uses its own style if it has one, and otherwise the style that was found."""
    seen = []
    transport.ask = lambda method, params, keep=None: [seen.append(method), ok([])][1]  # type: ignore[method-assign, func-returns-value, assignment]
    look.call_styles["statusBulkSms"] = CallStyle.GET
    look.call("statusBulkSms", {"uuid": "u"})
    look.call("statusBulkSms", {"uuid": "u"}, CallStyle.POST_FORM)
    assert [method.verb for method in seen] == ["GET", "POST"]
