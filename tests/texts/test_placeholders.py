"""Placeholders of other tools: which are found, and where."""

from __future__ import annotations

import pytest

from smsby_deploy.texts.placeholders import find_placeholder, find_placeholders, rows_with_placeholders


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hi *|FNAME:friend|*", ["*|FNAME:friend|*"]),
        ("${ user.name } and [[ name ]]", ["${ user.name }", "[[ name ]]"]),
        ("*|A:{b}|* {c}", ["*|A:{b}|*", "{c}"]),
        ("%NAME% 10%или20% {a b}", ["%NAME%"]),
        ("{% if x %} 10 % [a] $x", []),
    ],
)
def test_find_placeholders_finds_each_once(text: str, found: list[str]) -> None:
    """Placeholders are found from left to right; one inside of another is not found again."""
    assert [match.group() for match in find_placeholders(text)] == found


def test_find_placeholder_finds_tags_in_rendered_texts() -> None:
    """A Jinja2 tag in a rendered text is a placeholder; in a template it is not."""
    assert find_placeholder("Hi {{ name + 1 }}") is None
    found = find_placeholder("{name} {{ x }}", rendered=True)
    assert found is not None
    assert found.group() == "{name}"


def test_rows_with_placeholders_names_the_rows() -> None:
    """Only texts with a placeholder are named, and never two neighbors for one that spans them."""
    assert list(rows_with_placeholders(["a", "{name}", "50%", "{% x %}"])) == [1, 3]
    assert list(rows_with_placeholders(["[[a", "b]]", "*|A", "B|*"])) == []
