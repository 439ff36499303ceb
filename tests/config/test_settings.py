"""settings: guardrails as typed values, and errors at their places."""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import Blackout, Expected, Guardrails, QuietHours
from smsby_deploy.config.project_loader import ProjectFlawed
from tests.config.one_campaign import CAMPAIGN, load_one


def test_guardrails_are_typed(tmp_path: Path) -> None:
    """Money is Decimal, times and dates have their types, and names are text with or without quotes."""
    loaded = load_one(
        tmp_path,
        """\
price: {currency: BYN, per_part: 0.026}
guardrails:
  max_recipients: 50000
  expect_recipients: {min: 1, max: 9}
  max_parts: 3
  max_cost: 500.10
  budget: 2000
  quiet_hours: {from: 21:00, to: "09:00"}
  blackout: [2026-12-25, {from: 2026-12-31, to: "2027-01-02"}]
  min_lead_minutes: 10
  allowed_alphanames: [MyShop, 77]
  required_words: [stop]
  forbidden_words: ['\\btest\\b', NO]
""",
    )
    assert not loaded.problems
    assert loaded.project.guardrails == Guardrails(
        max_recipients=50000,
        max_parts=3,
        max_cost=Decimal("500.1"),
        quiet_hours=QuietHours(time(21), time(9)),
        min_lead=timedelta(minutes=10),
        expect_recipients=Expected(1, 9),
        budget=Decimal(2000),
        blackout=(
            Blackout(date(2026, 12, 25), date(2026, 12, 25)),
            Blackout(date(2026, 12, 31), date(2027, 1, 2)),
        ),
        allowed_alphanames=("MyShop", "77"),
        required_words=("stop",),
        forbidden_words=(r"\btest\b", "NO"),
    )


@pytest.mark.parametrize(
    ("rails", "code", "column"),
    [
        ("{budget: 1}", "GUARDRAIL_PRICE", 22),
        ("{max_cost: 1}", "GUARDRAIL_PRICE", 24),
        ("{forbidden_words: [ok, '(']}", "GUARDRAIL", 36),
        ("{required_words: ['[z-a]']}", "GUARDRAIL", 31),
        ("{expect_recipients: {min: 2, max: 1}}", "GUARDRAIL", 33),
        ("{blackout: [{from: 2027-01-02, to: 2027-01-01}]}", "GUARDRAIL", 25),
        ("{blackout: [2026-02-30]}", "TIME", 25),
        ("{quiet_hours: {from: '09:00', to: '09:00'}}", "GUARDRAIL", 27),
    ],
)
def test_invalid_guardrail_is_an_error(rails: str, code: str, column: int, tmp_path: Path) -> None:
    """An invalid guardrail is an error at its place, and never taken as off."""
    (problem,) = load_one(tmp_path, f"guardrails: {rails}\n").problems
    assert (problem.code, problem.location) == (code, ("smsby.yaml", 3, column))


@pytest.mark.parametrize(
    ("place", "is_one"),
    [
        ("git: origin, ref: refs/heads/locks/x", True),
        ("git: origin, ref: refs/heads/x", True),
        ("git: origin, ref: refs/heads/", False),
        ("git: origin, ref: x", False),
        ("s3: s3://locks/sms/.x", True),
        ("s3: s3://locks/../sms", False),
        ("s3: s3://locks/sms/.", False),
    ],
)
def test_place_of_a_lock_has_its_full_name(place: str, is_one: bool, tmp_path: Path) -> None:
    """The place of a lock is the full name of a branch or objects, which no library shortens or refuses."""
    project = f"lock: {{{place}}}\n"
    if is_one:
        assert not load_one(tmp_path, project).problems
        return
    with pytest.raises(ProjectFlawed):
        load_one(tmp_path, project)


def test_pressure_within_no_time_is_an_error(tmp_path: Path) -> None:
    """`pressure` within no time is an error, as it would limit nothing."""
    with pytest.raises(ProjectFlawed) as caught:
        load_one(tmp_path, "guardrails: {pressure: {messages: 1, within: 0d}}\n")
    assert "more than 0" in caught.value.problems[0].message


@pytest.mark.parametrize("written", ["30", "30 min", "-5m", "1.5h", "99999m", "m"])
def test_duration_is_a_number_and_a_unit(written: str, tmp_path: Path) -> None:
    """A duration is a number and a unit, and anything else is an error that shows the form."""
    (problem,) = load_one(tmp_path, campaign=CAMPAIGN + f"max_late: '{written}'\n").problems
    assert problem.code == "SCHEMA"
    assert "30m" in problem.message
