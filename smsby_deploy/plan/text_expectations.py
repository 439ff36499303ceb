"""What a test expects of a text, compared with the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from unicodedata import normalize

from smsby_deploy.config.mailing_tests import TextExpectation
from smsby_deploy.texts.parts import TextTooLong, measure_batch, measure_text
from smsby_deploy.wording import counted


def find_failures(expected: TextExpectation, text: str, parts: int, shown: str) -> list[str]:
    """Return how `text`, which is billed as `parts`, differs from what is expected.

    `shown` is how the sentences quote it.
    """
    composed = normalize("NFC", text)
    failures = []
    if expected.text is not None and expected.text != composed:
        failures.append(f"expected “{expected.text}”, got “{shown}”")
    quoted = "the text" if failures else f"“{shown}”"
    failures += [f"{why} {quoted}" for why in _lacks(expected, composed)]
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
        yield "the text cannot be rendered"
        return
    try:
        parts = measure_text(text).parts
    except TextTooLong as error:
        yield error.message
        return
    yield from _part_failures(expected, parts)
    for why in _lacks(expected, normalize("NFC", text)):
        yield f"{why} the text"


def _part_failures(expected: TextExpectation, parts: int) -> Iterator[str]:
    if expected.parts is not None and parts != expected.parts:
        yield f"expected {counted(expected.parts, 'part')}, got {parts}"
    if expected.max_parts is not None and parts > expected.max_parts:
        yield f"expected at most {counted(expected.max_parts, 'part')}, got {parts}"


def _lacks(expected: TextExpectation, text: str) -> Iterator[str]:
    for part in expected.contains:
        if part not in text:
            yield f"“{part}” is not in"
    if expected.matches is not None and re.search(expected.matches, text) is None:
        yield f"{expected.matches} is not found in"
