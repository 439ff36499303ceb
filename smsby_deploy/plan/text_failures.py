"""How a text differs from what a test of its mailing expects, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from unicodedata import normalize

from smsby_deploy.config.mailing_tests import TextExpectation
from smsby_deploy.texts.parts import TextTooLong, measure_batch, measure_text
from smsby_deploy.texts.pattern_search import PatternTooSlow, is_found
from smsby_deploy.wording import sentence

_THE_TEXT = sentence("the text")


def find_failures(expected: TextExpectation, text: str, parts: int, shown: str) -> list[str]:
    """Return how `text`, billed as `parts`, is not as expected; sentences quote it as `shown`."""
    composed = normalize("NFC", text)
    failures: list[str] = []
    if expected.text is not None and expected.text != composed:
        failures.append(sentence("expected “{expected}”, got “{text}”", expected=expected.text, text=shown))
    quoted = _THE_TEXT if failures else sentence("“{text}”", text=shown)
    failures += _lacks(expected, composed, quoted)
    return [*failures, *_part_failures(expected, parts)]


def count_failures(expected: TextExpectation, rows: Sequence[tuple[str, int]]) -> tuple[int, int | None, str]:
    """Return how many of the texts fail, with the line of the first and why it does.

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
    """Yield what `text`, called `quoted`, lacks."""
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
