"""scalars: times as typed values, and errors at their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.one_campaign import CAMPAIGN, load_one


@pytest.mark.parametrize(
    ("when", "zone", "code"),
    [
        ("2026-03-29T02:30:00", "Europe/Warsaw", "DST"),
        ("2026-10-25T02:30", "Europe/Warsaw", "DST"),
        ("2026-10-25T02:30:00+01:00", "Europe/Warsaw", None),
        ("2026-10-25T02:30:00+02:00", "Europe/Warsaw", None),
        ("2026-10-25T02:30:00", "Europe/Minsk", None),
        ("2026-02-30T10:00:00", "Europe/Minsk", "TIME"),
        ("2026-12-01T24:00:01", "Europe/Minsk", "TIME"),
        ("9999-12-31T23:59:59", "America/Los_Angeles", "TIME"),
        ("0001-01-01T00:00:00", "Europe/Minsk", "TIME"),
        ("0001-01-01T00:00:00+03:00", "Europe/Minsk", "TIME"),
    ],
)
def test_schedule_time_exists_once(when: str, zone: str, code: str | None, tmp_path: Path) -> None:
    """A time that the clocks skip or repeat is an error at its place, unless it has a UTC offset."""
    campaign = CAMPAIGN.replace("mailings:", f"schedule_time: {when}\ntimezone: {zone}\nmailings:")
    problems = load_one(tmp_path, campaign=campaign).problems
    assert [(p.code, p.location.line, p.location.column) for p in problems] == (
        [(code, 3, 16)] if code else []
    )


@pytest.mark.parametrize("when", ["2026-10-25T03:30:00", "2026-10-25T04:30:00"])
def test_schedule_time_in_the_account_zone(when: str, tmp_path: Path) -> None:
    """A time that is ambiguous in the account's zone is an error, as sms.by gets it as text without an offset."""
    campaign = CAMPAIGN.replace("mailings:", f"schedule_time: {when}\nmailings:")
    problems = load_one(tmp_path, "api: {account_timezone: Europe/Warsaw}\n", campaign).problems
    assert [(p.code, p.location.line) for p in problems] == [("DST", 3)]
    assert not load_one(tmp_path, "api: {account_timezone: Europe/Minsk}\n", campaign).problems


@pytest.mark.parametrize("when", ["2026-03-29T02:30:00", "2026-10-25T02:30:00"])
def test_invalid_schedule_time_is_reported_once(when: str, tmp_path: Path) -> None:
    """An invalid time is reported once, not again for the account's zone or each mailing that inherits it."""
    campaign = CAMPAIGN.replace("mailings:", f"schedule_time: {when}\ntimezone: Europe/Warsaw\nmailings:")
    campaign += campaign[campaign.index("  - name") :].replace("vip", "staff")
    (problem,) = load_one(tmp_path, "api: {account_timezone: Europe/Warsaw}\n", campaign).problems
    assert "Europe/Warsaw" in problem.message
