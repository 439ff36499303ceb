"""Results of the mailings' own tests as text, JSON and JUnit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, TextIO

from smsby_deploy.output.ci_reports import Case, Failure, junit_text
from smsby_deploy.output.console import make_console, write_sentence
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.plan.mailing_test_results import MailingTestResult, TestOutcome, count_outcomes
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Problem, problem_document

_WORDS = {TestOutcome.PASSED: "passed", TestOutcome.FAILED: "FAILED", TestOutcome.SKIPPED: "skipped"}
_COLORS = {TestOutcome.PASSED: "green", TestOutcome.FAILED: "bold red", TestOutcome.SKIPPED: "yellow"}


def write_tests(results: Sequence[MailingTestResult], stream: TextIO, *, color: bool) -> None:
    """Write a line per test under the address of its mailing, why each failed, and the counts."""
    console = make_console(stream, color=color)
    for address, some in groupby(results, key=lambda result: result.address):
        console.print(address, style="bold", soft_wrap=True)
        for result in some:
            write_sentence(console, _line(result), _COLORS[result.outcome])
            for detail in _details(result):
                write_sentence(console, f"           {safe_line(detail)}", "")
    console.print(outcome_line(results), soft_wrap=True)


def outcome_line(results: Sequence[MailingTestResult]) -> str:
    """`3 passed, 1 failed`, or that there are none."""
    counts = ((count, outcome.value) for outcome, count in count_outcomes(results).items() if count)
    return ", ".join(f"{count:,} {word}" for count, word in counts) or "no tests"


def _line(result: MailingTestResult) -> str:
    test = result.test
    return f"  {_WORDS[result.outcome]:7}  {test.number} {safe_line(test.title)} ({test.location})"


def _details(result: MailingTestResult) -> Iterator[str]:
    if result.skipped is not None:
        yield result.skipped
    failures = result.failures
    if result.expected is not None and result.actual is not None:
        yield f"expected: {_on_one_line(result.expected)}"
        yield f"got:      {_on_one_line(result.actual)}"
        failures = failures[1:]
    yield from map(_on_one_line, failures)


def _on_one_line(text: str) -> str:
    return text.replace("\n", "⏎")


def results_document(results: Sequence[MailingTestResult], problems: Sequence[Problem]) -> dict[str, Any]:
    """The document of `test`."""
    return {
        "summary": {outcome.value: count for outcome, count in count_outcomes(results).items()},
        "tests": [_document(result) for result in results],
        "problems": [problem_document(problem) for problem in problems],
    }


def _document(result: MailingTestResult) -> dict[str, Any]:
    test, mask = result.test, mask_phones
    return {
        "address": result.address,
        "test": test.number,
        "name": mask(test.title),
        "outcome": result.outcome.value,
        "file": test.location.file,
        "line": test.location.line,
        "column": test.location.column,
        "failures": [mask(failure) for failure in result.failures],
        "skipped": result.skipped,
        "expected": result.expected and mask(result.expected),
        "actual": result.actual and mask(result.actual),
    }


def results_junit(results: Sequence[MailingTestResult]) -> str:
    """One case per test."""
    return junit_text([_case(result) for result in results])


def _case(result: MailingTestResult) -> Case:
    test = result.test
    failures = tuple(
        Failure("TEST", safe_line(_on_one_line(failure)), str(test.location)) for failure in result.failures
    )
    return Case(f"{result.address} {test.number} {safe_line(test.title)}", failures, result.skipped)
