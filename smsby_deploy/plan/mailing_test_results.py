"""The results of the mailings' own tests, and the actual texts that `test --accept` writes into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from smsby_deploy.config.mailing_tests import MailingTest
from smsby_deploy.config.yaml_edit import rewrite_texts
from smsby_deploy.config.yaml_nodes import Mark
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.wording import Sentence, join_sentences, sentence


class TestOutcome(StrEnum):
    """What became of a test; a skipped one needs something that is missing here."""

    __test__ = False  # pytest would take the class for a test

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class MailingTestResult:
    """The outcome of one test.

    `failures` are sentences; those of a recipient's text are masked by origin. `expected` and `actual` are set where the
    whole text differs, `rendered` is then the text to accept. If it `is_echo`, another problem says why it failed.
    """

    address: str
    test: MailingTest
    failures: tuple[str, ...] = ()
    skipped: str | None = None
    expected: str | None = None
    actual: str | None = None
    rendered: str | None = None
    is_echo: bool = False

    @property
    def outcome(self) -> TestOutcome:
        if self.skipped is not None:
            return TestOutcome.SKIPPED
        return TestOutcome.FAILED if self.failures else TestOutcome.PASSED

    @property
    def problem(self) -> Problem:
        """The problem of a failed test."""
        test = self.test
        message = sentence(
            "test {number} ({title}): {failures}",
            number=test.number,
            title=test.title,
            failures=join_sentences([in_one_line(failure) for failure in self.failures]),
        )
        return Problem(Severity.ERROR, "TEST", message, self.address, test.location)


def in_one_line(text: str) -> str:
    """Return `text` with its line breaks visible, also in what a sentence quotes."""
    if not isinstance(text, Sentence) or not text.template:
        return text.replace("\n", "⏎")
    return text.with_values(
        {name: in_one_line(one) if isinstance(one, str) else one for name, one in text.values.items()}
    )


def count_outcomes(results: Sequence[MailingTestResult]) -> dict[TestOutcome, int]:
    """Return how many tests have each outcome."""
    outcomes = [result.outcome for result in results]
    return {outcome: outcomes.count(outcome) for outcome in TestOutcome}


def accept_texts(
    root: Path, results: Sequence[MailingTestResult]
) -> tuple[list[MailingTest], list[MailingTest]]:
    """Write the actual texts into the tests that expect others.

    They are in campaign files below `root`.
    Return the tests that were rewritten, and those that cannot be: their text is an alias, or other tests share it.
    """
    files: dict[str, dict[Mark, list[MailingTestResult]]] = {}
    for result in results:
        place = result.test.text_location
        if result.rendered is not None and place is not None and place.line and place.column:
            files.setdefault(place.file, {}).setdefault((place.line, place.column), []).append(result)
    accepted: list[MailingTest] = []
    refused: list[MailingTest] = []
    for file, places in files.items():
        texts = {mark: some[0].rendered or "" for mark, some in places.items() if len(some) == 1}
        left = set(rewrite_texts(root / file, file, texts)) | (places.keys() - texts.keys())
        for mark, some in sorted(places.items()):
            (refused if mark in left else accepted).extend(result.test for result in some)
    return accepted, refused
