"""Limits, times, countries and suppression files as the project's files say them."""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import Blackout, Expected, Guardrails, QuietHours
from smsby_deploy.config.project_loader import LoadedProject, load_project

HEAD = "version: 1\nproject: shop\n"
CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: ["375291234567"]
    text: Hello
"""


def _load(folder: Path, project: str = "", campaign: str = CAMPAIGN) -> LoadedProject:
    (folder / "smsby.yaml").write_text(HEAD + project, encoding="utf-8")
    (folder / "sale.yaml").write_text(campaign, encoding="utf-8")
    return load_project(folder)


def test_every_guardrail_arrives_typed(tmp_path: Path) -> None:
    """Money as Decimal, times and dates as such, names as text whether they are quoted or not."""
    loaded = _load(
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
def test_a_guardrail_that_makes_no_sense_is_told_at_its_place(
    rails: str, code: str, column: int, tmp_path: Path
) -> None:
    """Never taken as off: it is an error of smsby.yaml."""
    (problem,) = _load(tmp_path, f"guardrails: {rails}\n").problems
    assert (problem.code, problem.location) == (code, ("smsby.yaml", 3, column))


def test_lateness_and_expectation_are_inherited(tmp_path: Path) -> None:
    """max_late comes from the mailing, else the campaign, else the defaults; expect_recipients is the mailing's own."""
    campaign = CAMPAIGN.replace(
        "text: Hello", "text: Hello\n    max_late: 2h\n    expect_recipients: {max: 5}"
    )
    campaign += "  - {name: staff, recipients: ['375291234567'], text: Hello}\n"
    first, second = _load(tmp_path, "defaults: {max_late: 1d}\n", campaign).project.mailings
    assert (first.max_late, first.expect_recipients) == (timedelta(hours=2), Expected(None, 5))
    assert (second.max_late, second.expect_recipients) == (timedelta(days=1), None)
    campaign = campaign.replace("mailings:", "max_late: 30m\nmailings:")
    assert _load(tmp_path, campaign=campaign).project.mailings[1].max_late == timedelta(minutes=30)


def test_countries_are_inherited_and_checked(tmp_path: Path) -> None:
    """Of the mailing, else the campaign, else smsby.yaml, else Belarus; in capitals; NO is Norway."""
    assert _load(tmp_path).project.mailings[0].countries == ("BY",)
    assert _load(tmp_path, "countries: [BY, pl, NO, BY]\n").project.mailings[0].countries == (
        "BY",
        "PL",
        "NO",
    )
    campaign = CAMPAIGN.replace("mailings:", "countries: [RU]\nmailings:")
    assert _load(tmp_path, "countries: [BY, PL]\n", campaign).project.mailings[0].countries == ("RU",)
    (problem,) = _load(tmp_path, "countries: [UK]\n").problems
    assert (problem.code, problem.location.line) == ("COUNTRY", 3)
    assert "GB" in problem.message


def test_suppression_files_may_have_settings(tmp_path: Path) -> None:
    """A path, or how to read the file there; one that is not there is an error at its place."""
    for name in ("a.csv", "b.txt"):
        (tmp_path / name).write_text("phone\n")
    text = "suppress: [a.csv, {file: b.txt, phone: tel, encoding: cp1251, delimiter: ';'}]\n"
    loaded = _load(tmp_path, text)
    assert not loaded.problems
    first, second = loaded.project.suppress
    assert (first.name, first.phone, first.encoding, first.delimiter) == ("a.csv", "phone", None, None)
    assert (second.name, second.phone, second.encoding, second.delimiter) == ("b.txt", "tel", "cp1251", ";")
    (problem,) = _load(tmp_path, "suppress: [{file: c.csv}]\n").problems
    assert (problem.code, problem.location.line, problem.location.column) == ("FILE_MISSING", 3, 12)


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
def test_a_time_exists_once(when: str, zone: str, code: str | None, tmp_path: Path) -> None:
    """What the clock skips, has twice, or never shows is an error at the time; an offset makes it plain."""
    campaign = CAMPAIGN.replace("mailings:", f"schedule_time: {when}\ntimezone: {zone}\nmailings:")
    problems = _load(tmp_path, campaign=campaign).problems
    assert [(p.code, p.location.line, p.location.column) for p in problems] == (
        [(code, 3, 16)] if code else []
    )


@pytest.mark.parametrize("when", ["2026-10-25T03:30:00", "2026-10-25T04:30:00"])
def test_a_time_exists_once_in_the_account_s_clock(when: str, tmp_path: Path) -> None:
    """sms.by is told dates as text: one that the account's clock shows twice could mean two hours."""
    campaign = CAMPAIGN.replace("mailings:", f"schedule_time: {when}\nmailings:")
    problems = _load(tmp_path, "api: {account_timezone: Europe/Warsaw}\n", campaign).problems
    assert [(p.code, p.location.line) for p in problems] == [("DST", 3)]
    assert not _load(tmp_path, "api: {account_timezone: Europe/Minsk}\n", campaign).problems


@pytest.mark.parametrize("when", ["2026-03-29T02:30:00", "2026-10-25T02:30:00"])
def test_a_time_that_is_none_is_told_once(when: str, tmp_path: Path) -> None:
    """Not for the account's clock again, and not for each mailing that takes it from the campaign."""
    campaign = CAMPAIGN.replace("mailings:", f"schedule_time: {when}\ntimezone: Europe/Warsaw\nmailings:")
    campaign += campaign[campaign.index("  - name") :].replace("vip", "staff")
    (problem,) = _load(tmp_path, "api: {account_timezone: Europe/Warsaw}\n", campaign).problems
    assert "Europe/Warsaw" in problem.message


@pytest.mark.parametrize(("way", "code"), [("single", "WHOLE_MINUTES"), ("bulk", "")])
def test_one_by_one_takes_whole_minutes(way: str, code: str, tmp_path: Path) -> None:
    """Its method is told hours and minutes only: seconds would be lost without a word."""
    changed = f"text: Hello\n    via: {way}\n    schedule_time: 2030-01-01T10:00:30"
    problems = _load(tmp_path, campaign=CAMPAIGN.replace("text: Hello", changed)).problems
    assert [problem.code for problem in problems] == ([code] if code else [])


@pytest.mark.parametrize("written", ["30", "30 min", "-5m", "1.5h", "99999m", "m"])
def test_a_duration_is_a_number_and_a_unit(written: str, tmp_path: Path) -> None:
    """Anything else is an error that shows how."""
    (problem,) = _load(tmp_path, campaign=CAMPAIGN + f"max_late: '{written}'\n").problems
    assert problem.code == "SCHEMA"
    assert "30m" in problem.message
