"""The results of mailings' tests as text, JSON and JUnit, and for a comment or page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, TextIO

from smsby_deploy.output.console import make_console, write_sentence
from smsby_deploy.output.markdown import details_section, escape
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.plan.mailing_test_results import MailingTestResult, TestOutcome, count_outcomes, in_one_line
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Problem, problem_document

if TYPE_CHECKING:
    from smsby_deploy.output.ci_reports import Case  # which a plan does not load

_WORDS = {TestOutcome.PASSED: "passed", TestOutcome.FAILED: "FAILED", TestOutcome.SKIPPED: "skipped"}
_ICONS = {TestOutcome.PASSED: "✅", TestOutcome.FAILED: "❌", TestOutcome.SKIPPED: "⏭️"}
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
    console.print(result_counts(results, ENGLISH) or "no tests", soft_wrap=True)


def _line(result: MailingTestResult) -> str:
    test = result.test
    return f"  {_WORDS[result.outcome]:7}  test {test.number}: {safe_line(test.title)} ({test.location})"


def _details(result: MailingTestResult) -> Iterator[str]:
    if result.skipped is not None:
        yield result.skipped
    failures = result.failures
    if result.expected is not None and result.actual is not None:
        yield f"expected: {in_one_line(result.expected)}"
        yield f"got:      {in_one_line(result.actual)}"
        failures = failures[1:]
    yield from map(in_one_line, failures)


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
    from smsby_deploy.output.ci_reports import junit_text

    return junit_text([_case(result) for result in results])


def _case(result: MailingTestResult) -> Case:
    from smsby_deploy.output.ci_reports import Case, Failure

    test = result.test
    failures = tuple(
        Failure("TEST", safe_line(in_one_line(failure)), str(test.location)) for failure in result.failures
    )
    return Case(f"{result.address} {test.number} {safe_line(test.title)}", failures, result.skipped)


def results_section(results: Sequence[MailingTestResult], t: Translator) -> str:
    """A line per test; why one failed is among the errors of the comment."""
    lines = (
        f"- {sign} **{escape(address)}** {escape(what)}\n" for sign, address, what in result_rows(results, t)
    )
    return details_section(t.gettext("Tests ({counts})", counts=result_counts(results, t)), "".join(lines))


def result_rows(results: Sequence[MailingTestResult], t: Translator) -> list[tuple[str, str, str]]:
    """A sign, the address, and the test with its number."""
    rows = []
    for result in results:
        skipped = f": {t.sentence(result.skipped)}" if result.skipped else ""
        what = t.gettext("test {number}: {title}", number=result.test.number, title=result.test.title)
        rows.append((_ICONS[result.outcome], result.address, f"{what}{skipped}"))
    return rows


def result_counts(results: Sequence[MailingTestResult], t: Translator) -> str:
    """`3 passed, 1 failed`."""
    counts = count_outcomes(results)
    named = (
        (t.gettext("{count:,} passed", count=counts[TestOutcome.PASSED]), counts[TestOutcome.PASSED]),
        (t.gettext("{count:,} failed", count=counts[TestOutcome.FAILED]), counts[TestOutcome.FAILED]),
        (t.gettext("{count:,} skipped", count=counts[TestOutcome.SKIPPED]), counts[TestOutcome.SKIPPED]),
    )
    return ", ".join(text for text, count in named if count)
