"""How a text differs from what is expected of it, in English and in Russian."""

from __future__ import annotations

import pytest

from smsby_deploy.config.mailing_tests import TextExpectation
from smsby_deploy.output.translation import translator
from smsby_deploy.plan.text_failures import count_failures, find_failures


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
    """One sentence for each difference; there is none if all is as expected."""
    (failure,) = find_failures(expected, "Анна", 1, "Анна")
    assert failure == english
    assert translator("ru").sentence(failure) == russian
    assert find_failures(TextExpectation(text="Анна", parts=1), "Анна", 1, "Анна") == []


def test_count_failures_keeps_the_first() -> None:
    """With its line; it quotes no text, which may have values of a recipient."""
    rows = [("Анна, привет", 2), ("Олег", 3), ("Пётр", 4)]
    assert count_failures(TextExpectation(contains=("привет",)), rows) == (
        2,
        3,
        "“привет” is not in the text",
    )
    assert count_failures(TextExpectation(max_parts=1), rows) == (0, None, "")
