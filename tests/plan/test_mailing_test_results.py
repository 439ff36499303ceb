"""The results of tests: differences of a text, also in Russian, and which actual texts can be accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.mailing_tests import TextExpectation
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.output.translation import translator
from smsby_deploy.plan.mailing_test_results import (
    TestOutcome,
    accept_texts,
    count_failures,
    count_outcomes,
    find_failures,
)
from smsby_deploy.plan.validation import run_mailing_tests
from tests.plan.tested_mailing import run_tests


def test_outcomes_are_counted(tmp_path: Path) -> None:
    """Each outcome is in the count, even if it is 0."""
    results = run_tests(tmp_path, "{line: 2, parts: 1}\n{line: 3, parts: 2}\n{line: 4, parts: 2}")
    assert count_outcomes(results) == {TestOutcome.PASSED: 1, TestOutcome.FAILED: 2, TestOutcome.SKIPPED: 0}


def test_accept_writes_only_whole_texts(tmp_path: Path) -> None:
    """A test with other expected parts still fails after its text is accepted, as the author asked for those parts."""
    tests = "{row: {name: Анна, city: ''}, text: x, parts: 2}  # why\n{line: 2, text: x}\n{line: 2, parts: 2}"
    results = run_tests(tmp_path, tests)
    accepted, refused = accept_texts(tmp_path, results)
    assert ([one.number for one in accepted], refused) == ([1, 2], [])
    assert "text: 'Анна" not in (tmp_path / "sale.yaml").read_text("utf-8")
    assert "{row: {name: Анна, city: ''}, text: \"Анна, привет\", parts: 2}  # why" in (
        tmp_path / "sale.yaml"
    ).read_text("utf-8")
    loaded = load_project(tmp_path)
    again = run_mailing_tests(loaded, loaded.project.mailings)[0]
    assert [one.failures for one in again] == [("expected 2 parts, got 1",), (), ("expected 2 parts, got 1",)]


def test_accept_refuses_a_text_that_tests_share(tmp_path: Path) -> None:
    """A text that several tests share is not accepted, as it may be right for one and wrong for another."""
    tests = "&one {row: {name: Анна, city: ''}, text: x}\n*one"
    accepted, refused = accept_texts(tmp_path, run_tests(tmp_path, tests))
    assert (accepted, [one.number for one in refused]) == ([], [1, 2])


@pytest.mark.parametrize(
    ("expected", "english", "russian"),
    [
        (TextExpectation(parts=2), "expected 2 parts, got 1", "ожидается 2 части, а получается 1"),
        (
            TextExpectation(max_parts=0),
            "expected at most 0 parts, got 1",
            "ожидается не больше 0 частей, а получается 1",
        ),
        (TextExpectation(contains=("Олег",)), "“Олег” is not in “Анна”", "«Олег» нет в «Анна»"),
        (
            TextExpectation(text="Олег"),
            "expected “Олег”, got “Анна”",
            "ожидается «Олег», а получается «Анна»",
        ),
    ],
)
def test_find_failures_says_what_differs(expected: TextExpectation, english: str, russian: str) -> None:
    """There is one sentence for each difference, and none if all is as expected."""
    (failure,) = find_failures(expected, "Анна", 1, "Анна")
    assert failure == english
    assert translator("ru").sentence(failure) == russian
    assert find_failures(TextExpectation(text="Анна", parts=1), "Анна", 1, "Анна") == []


def test_count_failures_keeps_the_first() -> None:
    """The first failure is shown with its line and without its text, which may have values of a recipient."""
    rows = [("Анна, привет", 2), ("Олег", 3), ("Пётр", 4)]
    assert count_failures(TextExpectation(contains=("привет",)), rows) == (
        2,
        3,
        "“привет” is not in the text",
    )
    assert count_failures(TextExpectation(max_parts=1), rows) == (0, None, "")
