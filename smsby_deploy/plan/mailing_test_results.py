"""The results of the mailings' own tests: how a text differs from the expected one.

`test --accept` writes the actual texts into the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from unicodedata import normalize

from smsby_deploy.config.mailing_tests import MailingTest, TextExpectation
from smsby_deploy.config.yaml_edit import rewrite_texts
from smsby_deploy.config.yaml_nodes import Mark
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.texts.parts import TextTooLong, measure_batch, measure_text
from smsby_deploy.texts.pattern_search import PatternTooSlow, is_found
from smsby_deploy.wording import Sentence, join_sentences, sentence

_THE_TEXT = sentence("the text")


class TestOutcome(StrEnum):
    """The outcome of a test; a skipped test needs something that is missing here."""

    __test__ = False  # pytest would take the class for a test

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class MailingTestResult:
    """The outcome of one test.

    `failures` are sentences, in which a recipient's text is masked by the origin of its values. `expected` and `actual` are
    set if the whole text differs; `rendered` is then the text to accept. If it `is_echo`, another problem explains the
    failure.
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
        test = self.test
        message = sentence(
            "test {number} ({title}): {failures}",
            number=test.number,
            title=test.title,
            failures=join_sentences([in_one_line(failure) for failure in self.failures]),
        )
        return Problem(Severity.ERROR, "TEST", message, self.address, test.location)


def in_one_line(text: str) -> str:
    """Return `text` with its line breaks visible, even in values that a sentence quotes."""
    if isinstance(text, Sentence):
        return text.map_values(lambda value: in_one_line(value) if isinstance(value, str) else value)
    return text.replace("\n", "⏎")


def count_outcomes(results: Sequence[MailingTestResult]) -> dict[TestOutcome, int]:
    """Return how many tests have each outcome."""
    outcomes = [result.outcome for result in results]
    return {outcome: outcomes.count(outcome) for outcome in TestOutcome}


def accept_texts(
    root: Path, results: Sequence[MailingTestResult]
) -> tuple[list[MailingTest], list[MailingTest]]:
    """Write the actual texts into the tests that expect others, in the project at `root`.

    Return the rewritten tests, and those that cannot be rewritten because their text is an alias or shared with other tests.
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


def find_failures(expected: TextExpectation, text: str, parts: int, shown: str) -> list[str]:
    """Return how `text`, which is billed as `parts`, differs from what is expected.

    `shown` is the text as the sentences quote it.
    """
    composed = normalize("NFC", text)
    failures: list[str] = []
    if expected.text is not None and expected.text != composed:
        failures.append(sentence("expected “{expected}”, got “{text}”", expected=expected.text, text=shown))
    quoted = _THE_TEXT if failures else sentence("“{text}”", text=shown)
    failures += _lacks(expected, composed, quoted)
    return [*failures, *_part_failures(expected, parts)]


def count_failures(expected: TextExpectation, rows: Sequence[tuple[str, int]]) -> tuple[int, int | None, str]:
    """Return how many texts fail, and the line and the reason of the first failure.

    `rows` are texts with their lines; an empty text could not be rendered.
    """
    if not (expected.contains or expected.matches or expected.parts) and expected.max_parts is not None:
        size = measure_batch([text for text, _ in rows]) if rows else None
        if size is not None and size.longest <= expected.max_parts and all(text for text, _ in rows):
            return 0, None, ""  # much faster than one by one
    count, first_line, first = 0, None, ""
    for text, line in rows:
        why = next(_explain(expected, text), None)
        if why is not None:
            count += 1
            if first_line is None:
                first_line, first = line, why
    return count, first_line, first


def _explain(expected: TextExpectation, text: str) -> Iterator[str]:
    if not text:
        yield sentence("the text cannot be rendered")
        return
    try:
        parts = measure_text(text).parts
    except TextTooLong as error:
        yield error.message
        return
    yield from _part_failures(expected, parts)
    yield from _lacks(expected, normalize("NFC", text), _THE_TEXT)


def _part_failures(expected: TextExpectation, parts: int) -> Iterator[str]:
    if expected.parts is not None and parts != expected.parts:
        yield sentence("expected {limit:part|parts}, got {count}", limit=expected.parts, count=parts)
    if expected.max_parts is not None and parts > expected.max_parts:
        yield sentence(
            "expected at most {limit:part|parts}, got {count}", limit=expected.max_parts, count=parts
        )


def _lacks(expected: TextExpectation, text: str, quoted: str) -> Iterator[str]:
    """Yield what `text` lacks; the sentences call it `quoted`."""
    for part in expected.contains:
        if part not in text:
            yield sentence("“{part}” is not in {text}", part=part, text=quoted)
    if expected.matches is not None:
        try:
            if not is_found(expected.matches, text):
                yield sentence("{pattern} is not found in {text}", pattern=expected.matches, text=quoted)
        except PatternTooSlow as error:
            yield sentence(
                "{pattern} {why}: {text}", pattern=expected.matches, why=error.message, text=quoted
            )
