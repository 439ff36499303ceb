"""Analysis of texts: which need no template engine, and where offsets are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from smsby_deploy.config.sources import TextSource
from smsby_deploy.problems import Location
from smsby_deploy.texts.analysis import (
    IncludedText,
    analyze_literal,
    find_placeholders,
    has_markup,
    has_placeholder,
    locate_in_text,
    rows_with_placeholders,
)

_AT = Location("sale.yaml", 6, 11)


@given(st.text(st.sampled_from("{}%#\r\n -a'|$"), max_size=12) | st.text())
def test_has_markup_is_true_where_jinja2_changes_a_text(text: str) -> None:
    """A text without markup is exactly what Jinja2 renders, so that it needs no Jinja2."""
    if not has_markup(text):
        assert Environment(keep_trailing_newline=True).from_string(text).render() == text  # noqa: S701 - no HTML


def test_analyze_literal_finds_placeholders() -> None:
    """A text without markup has no variables, but can have placeholders."""
    analysis = analyze_literal("Hi {name}")
    assert (analysis.variables, analysis.literals[0].text) == (frozenset(), "Hi {name}")
    assert [(fault.code, fault.offset) for fault in analysis.faults] == [("PLACEHOLDER", 3)]


def test_locate_counts_lines_and_columns_of_a_file() -> None:
    """A text in a separate file starts at line 1, and an included template is located in its own file."""
    source = TextSource("ab\ncd", _AT, file="text.j2")
    included = {"footer.j2": IncludedText("x\n\nyz", "templates/footer.j2")}
    assert locate_in_text(source, included, None, 0) == ("text.j2", 1, 1)
    assert locate_in_text(source, included, None, 4) == ("text.j2", 2, 2)
    assert locate_in_text(source, included, "footer.j2", 4) == ("templates/footer.j2", 3, 2)


def test_locate_falls_back_to_the_start_of_the_text() -> None:
    """Without the campaign file's content, only the place of the text is known, not the offset in it."""
    assert locate_in_text(TextSource("abc", _AT), {}, None, 2) == _AT


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
    """Placeholders are found from left to right, and one inside another is not found again."""
    assert [match.group() for match in find_placeholders(text)] == found


def test_has_placeholder_finds_tags_in_rendered_texts() -> None:
    """A Jinja2 tag is a placeholder in a rendered text, but not in a template."""
    text = "Hi {{ name + 1 }}"
    assert has_placeholder(text)
    assert list(find_placeholders(text)) == []


def test_rows_with_placeholders_names_the_rows() -> None:
    """Only texts with a placeholder are named, and no two neighbors for one that spans them."""
    assert list(rows_with_placeholders(["a", "{name}", "50%", "{% x %}"])) == [1, 3]
    assert list(rows_with_placeholders(["[[a", "b]]", "*|A", "B|*"])) == []
