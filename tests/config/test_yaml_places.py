"""yaml_places: the line and column of any character of a text in a campaign file."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from smsby_deploy.config.yaml_nodes import read_yaml
from smsby_deploy.config.yaml_places import find_comment, lines_near_comments, place_in_runs, text_runs
from smsby_deploy.errors import FilesInvalid

_MARK = "@@HERE@@"
_words = st.sampled_from(
    ["Привет", "a", "b c", "  x", "😀", "it's", '"q"', "x: y", "# no", "\\n", "\\u0416", "-", "", "{% if a %}", "\t"]
)  # fmt: skip
_line = st.lists(_words, max_size=4).map(" ".join)
_style = st.sampled_from(["|", ">", "|-", ">-", "|+", ">+", "|  # why", '"', "'", ""])


def _written(style: str, lines: list[str]) -> str:
    """Return the text as the value of a key that is indented by four."""
    if style[:1] in ("|", ">") and style:
        return f"{style}\n" + textwrap.indent("\n".join(lines), " " * 6)
    joined = f"\n{' ' * 8}".join(lines)
    escaped = {'"': joined.replace('"', '\\"'), "'": joined.replace("'", "''")}.get(style, joined)
    return f"{style}{escaped}{style}"


@example('"', ["a"], "\\n x", "b", [], False)  # a folded line break, followed by an escaped one
@example("", [""], "Привет", "x: y", [], False)
@given(_style, st.lists(_line, max_size=4), _line, _line, st.lists(_line, max_size=3), st.booleans())
def test_text_positions_of_any_character(
    tmp_path_factory: pytest.TempPathFactory,
    style: str,
    above: list[str],
    before: str,
    after: str,
    below: list[str],
    crlf: bool,
) -> None:
    """Each character is located in block, folded, quoted and plain texts with escapes, blank or indented lines and emoji."""
    lines = [*above, f"{before} {_MARK} {after}", *below]
    content = f"a:\n  - name: one\n    text: {_written(style, lines)}\n    last: 1\n"
    path = tmp_path_factory.getbasetemp() / "text-places.yaml"
    path.write_bytes(content.replace("\n", "\r\n" if crlf else "\n").encode())
    try:
        node = read_yaml(path, "x.yaml")["a"][0]
    except FilesInvalid:
        assume(False)
    text = node.get("text")
    assume(isinstance(text, str) and _MARK in text)  # `x: y` alone on a line is a mapping
    offset = content.index(_MARK)
    expected = content.count("\n", 0, offset) + 1, offset - content.rfind("\n", 0, offset)
    assert place_in_runs(text_runs(content, node.values_at["text"], text), text.index(_MARK)) == expected


@given(_style, st.lists(_line, max_size=3), st.sampled_from(["", " ", "   ", "\t"]), st.booleans())
def test_find_comment_behind_any_scalar(
    tmp_path_factory: pytest.TempPathFactory, style: str, lines: list[str], blanks: str, in_row: bool
) -> None:
    """A comment is found only after a plain scalar, where its text and the blanks after it end."""
    assume(style or not lines or lines[-1].strip())  # otherwise the comment is alone on a line
    written = _written(style, lines)
    assume(style or not written.lstrip().startswith(("'", '"')))  # otherwise it is a quoted scalar
    content = f"a: 1\nb:\n{'  - {t: ' if in_row else '  t: '}{written}{blanks}#c\n{'    }' if in_row else ''}\nc: 1\n"
    path = tmp_path_factory.getbasetemp() / "comment.yaml"
    path.write_text(content, encoding="utf-8")
    try:
        document = read_yaml(path, "comment.yaml")
    except FilesInvalid:
        assume(False)
    node = document["b"][0] if in_row else document["b"]
    assume(isinstance(node["t"], str))
    mark, text = node.values_at["t"], node["t"]
    found = find_comment(document.content, mark, text)
    if found is None:
        assert style or not blanks or text.endswith("#c") or "#" in written
        return
    assert not style
    line, column = found
    assert document.content.split("\n")[line - 1][column - 1] == "#"
    assert mark[0] in lines_near_comments(document.content)
    assert "#" not in text.split()[-1:]
