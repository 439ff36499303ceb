"""What a reviewer is shown: the worst texts of a mailing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import (
    ApiSettings,
    ContactList,
    Guardrails,
    InlineRecipient,
    InlineRecipients,
    Mailing,
    Price,
    Project,
    TextSource,
)
from smsby_deploy.errors import UsageError
from smsby_deploy.problems import Location
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.texts.samples import Preview, sample_mailing

_AT = Location("sale.yaml", 1, 1)
_PROJECT = Project(
    Path(), "shop", ApiSettings(), Guardrails(), Price("BYN", Decimal("0.026")), (), Path("lock"), ()
)


def _mailing(text: str, *rows: Mapping[str, str]) -> Mailing:
    people = tuple(InlineRecipient(f"37529111111{i}", row, None, _AT) for i, row in enumerate(rows))
    return Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", InlineRecipients(people, _AT), TextSource(text, _AT), "0", _AT,
        None, None, "Europe/Minsk", 1, "fail",
    )  # fmt: skip


def _preview(
    mailing: Mailing, *, limit: int | None = 3, rows: tuple[int, ...] = (), out: str = ""
) -> Preview:
    suppressed = PhoneSet()
    if out:
        suppressed.add_all(number_phones([out]))
    return sample_mailing(_PROJECT, mailing, suppressed, limit=limit, rows=rows)


_PERSONAL = _mailing("Hi {{ n }}", {"n": "a"}, {"n": "b"}, {"n": "я" * 80}, {"n": "c" * 120}, {"n": "d"})


def test_first_most_expensive_and_longest_are_shown() -> None:
    """In the order of the rows, each with what it was chosen for."""
    shown = _preview(_PERSONAL).samples
    assert [(sample.row, sample.why) for sample in shown] == [
        (1, ("first",)),
        (3, ("most expensive",)),
        (4, ("longest",)),
    ]
    assert shown[1].cost == Decimal("0.052")


def test_a_limit_is_kept_and_filled() -> None:
    """Never more than asked for; what is left is filled from the top."""
    assert [sample.row for sample in _preview(_PERSONAL, limit=1).samples] == [1]
    assert [sample.row for sample in _preview(_PERSONAL, limit=4).samples] == [1, 2, 3, 4]
    assert len(_preview(_PERSONAL, limit=99).samples) == 5


def test_without_a_limit_only_what_has_a_reason() -> None:
    """And how many people's texts have 1, 2, and 3 or more parts."""
    shown = _preview(_PERSONAL, limit=None)
    assert [sample.row for sample in shown.samples] == [1, 3, 4]
    assert shown.split == (4, 1, 0)


def test_each_default_that_is_applied_is_shown_once() -> None:
    """By the first who gets it; a default that nobody gets is not there to be shown."""
    text = "{{ a | default('x', true) }} {{ b|d('y', true) }} {{ c | default('z', true) }}"
    rows = ({"a": "1", "b": "1", "c": "1"}, {"a": "", "b": "", "c": "1"}, {"a": "1", "b": " ", "c": "1"})
    shown = _preview(_mailing(text, *rows), limit=None, out="375291111111")
    assert [(sample.row, sample.why) for sample in shown.samples] == [
        (1, ("first", "most expensive", "longest")),
        (3, ("default of b",)),
    ]


def test_rows_by_number() -> None:
    """Only these; one that is not there is wrong usage."""
    assert [sample.row for sample in _preview(_PERSONAL, rows=(5, 2)).samples] == [2, 5]
    with pytest.raises(UsageError, match="no row 6"):
        _preview(_PERSONAL, rows=(6,))


def test_who_opted_out_reads_nothing() -> None:
    """Not counted and not chosen, but to be seen by number."""
    shown = _preview(_PERSONAL, out="375291111110")
    assert shown.recipients == 4
    assert shown.samples[0].row == 2
    assert _preview(_PERSONAL, rows=(1,), out="375291111110").samples[0].is_suppressed


def test_a_bulk_text_is_shown_once() -> None:
    """Everybody reads the same."""
    assert len(_preview(_mailing("Hi", {}, {}, {})).samples) == 1


def test_a_contact_list_has_one_text_and_no_count() -> None:
    """Only sms.by knows who is on it."""
    mailing = _mailing("Hi", {})
    listed = Mailing(
        "sale", "vip", "sale.yaml", _AT, "list", ContactList("News", _AT), mailing.text, "0", _AT, None, None,
        "Europe/Minsk", 1, "fail",
    )  # fmt: skip
    shown = _preview(listed)
    assert shown.recipients is None
    assert [(sample.text, sample.phone) for sample in shown.samples] == [("Hi", None)]


def test_a_text_that_fails_is_a_problem_and_not_shown() -> None:
    """The others are."""
    shown = _preview(_mailing("Hi {{ n }}", {"n": "a"}, {"n": ""}, {"n": "я" * 700}))
    assert [sample.row for sample in shown.samples] == [1]
    assert shown.recipients == 3
    assert sorted(problem.code for problem in shown.problems) == ["TEMPLATE", "TOO_LONG"]


def test_of_very_many_texts_that_fail_the_rest_is_counted() -> None:
    """A thousand are kept: a million would fill the memory. That there are more is told first."""
    rows = tuple(InlineRecipient(f"37529{i:07}", {}, None, _AT) for i in range(1200))
    preview = _preview(_PERSONAL._replace(audience=InlineRecipients(rows, _AT)))
    assert len(preview.problems) == 1001
    assert preview.problems[0].message.startswith("200 more texts")
    assert preview.recipients == 1200
