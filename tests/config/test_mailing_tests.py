"""Entries of `tests`: what is accepted, and why others are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.mailing_tests import ClockSubject, RowSubject
from tests.config.one_campaign import CAMPAIGN, load_one


def _problem(folder: Path, entry: str) -> tuple[str, str]:
    campaign = f"{CAMPAIGN}    tests:\n      - {entry}\n"
    (problem,) = load_one(folder, campaign=campaign).problems
    return problem.code, problem.message.removeprefix("mailings.0.tests.0: ")


_SUBJECT = "expected exactly one of row, line, all, audience and at"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{parts: 1}", _SUBJECT),
        ("{row: {}, line: 2, parts: 1}", _SUBJECT),
        ("{row: {}}", "expected at least one of text, parts, max_parts, contains, matches and error"),
        ("{all: true}", "expected at least one of parts, max_parts, contains and matches"),
        ("{all: false, parts: 1}", "mailings.0.tests.0.all: expected true"),
        ("{at: 2026-12-01T10:00}", "expected action, reason_code or both"),
        ("{row: {}, text: a, error: TEMPLATE}", "error cannot be combined with what is expected of a text"),
    ],
)
def test_entry_says_what_it_is_about_and_expects(tmp_path: Path, entry: str, message: str) -> None:
    """Each entry has one subject and at least one expectation."""
    assert _problem(tmp_path, entry) == ("SCHEMA", message)


def test_expectation_of_another_subject_is_refused(tmp_path: Path) -> None:
    """An expectation that does not match the subject is an error, since it would check nothing."""
    code, message = _problem(tmp_path, "{audience: {min: 1}, parts: 1}")
    assert (code, message.partition(": ")[2] or message) == ("SCHEMA", "with audience, only name is allowed")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("'(a'", "missing ), unterminated subpattern at position 0"), ("'(a+)+'", "it nests unlimited repeats")],
)
def test_pattern_is_checked_like_those_of_guardrails(tmp_path: Path, pattern: str, message: str) -> None:
    """A pattern that does not compile, or may take forever, is an error with its place."""
    code, said = _problem(tmp_path, f"{{all: true, matches: {pattern}}}")
    assert code == "TEST"
    assert f"matches: not a valid regular expression: {message}" in said


def test_times_are_read_in_the_zone_of_the_mailing(tmp_path: Path) -> None:
    """Times are in the mailing's zone or have an offset, and a time that does not exist is an error."""
    tests = "    tests: [{at: 2026-12-01T10:00, action: create}, {at: 2026-12-01T10:00Z, action: create}]\n"
    (mailing,) = load_one(tmp_path, campaign=CAMPAIGN + tests).project.mailings
    found = [str(one.subject.at) for one in mailing.tests if isinstance(one.subject, ClockSubject)]
    assert found == ["2026-12-01 10:00:00+03:00", "2026-12-01 13:00:00+03:00"]
    assert _problem(tmp_path, "{at: 2026-02-30T10:00, action: create}")[0] == "TIME"


def test_titles_name_the_subject(tmp_path: Path) -> None:
    """A title is the subject, with a long row truncated and values as written, or the test's name."""
    row = "{row: {phone: +375291234567, time: 10:30, no: NO}, parts: 1}"
    entries = f"[{row}, {{name: my test, line: 3, parts: 1}}, {{row: {{a: {'x' * 90}}}, parts: 1}}]"
    (mailing,) = load_one(tmp_path, campaign=f"{CAMPAIGN}    tests: {entries}\n").project.mailings
    first, second, third = mailing.tests
    assert isinstance(first.subject, RowSubject)
    assert first.subject.values == {"phone": "+375291234567", "time": "10:30", "no": "NO"}
    assert first.title == "row {phone: +375291234567, time: 10:30, no: NO}"
    assert second.title == "my test"
    assert third.title == f"row {{a: {'x' * 56}…}}"
