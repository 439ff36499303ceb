"""Replacing texts in a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.yaml_edit import rewrite_texts
from smsby_deploy.config.yaml_nodes import Mark, read_yaml


def rewrite(path: Path, content: str, text: str) -> tuple[str, list[Mark]]:
    """Replace the value of `text`, and return the file and what was refused."""
    path.write_bytes(content.encode())
    mark = read_yaml(path, "a.yaml").values_at["text"]
    refused = rewrite_texts(path, "a.yaml", {mark: text})
    return path.read_bytes().decode(), refused


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        ("text: old  # why\nb: 1\n", "new one", "text: new one  # why\nb: 1\n"),
        ("text: old\n", "Итого: 5", 'text: "Итого: 5"\n'),
        ("text: old\n", "null", 'text: "null"\n'),
        ("text: 'old' # c\n", "it's", "text: 'it''s' # c\n"),
        ("text: 'old'\n", "a\nb", 'text: "a\\nb"\n'),
        ('{text: "old", b: [1, 2]}\n', 'a "b", {c}', '{text: "a \\"b\\", {c}", b: [1, 2]}\n'),
        ("{text: old, b: 1}\n", "a, b", '{text: "a, b", b: 1}\n'),
        ("text: old\n  more\nb: 1\n", "new", "text: new\nb: 1\n"),
        ("text: |  # c\n  old\n\n  more\n\n# d\nb: 1\n", "new\n\nlines", "text: |  # c\n  new\n\n  lines\n\n# d\nb: 1\n"),
        ("text: >-\n  old\n  more\nb: 1\n", "new\nline", "text: |-\n  new\n  line\nb: 1\n"),
        ("text: &here old\nb: 1\n", "new", "text: &here new\nb: 1\n"),
        ("text: old\r\nb: 1\r\n", "new", "text: new\r\nb: 1\r\n"),
        ("\ufefftext: old\n", "new", "\ufefftext: new\n"),
        ("text: |2\n    old\n", "new", "text: |2\n    new\n"),
    ],
)  # fmt: skip
def test_text_is_replaced_and_nothing_else(tmp_path: Path, before: str, text: str, after: str) -> None:
    """Comments, quotes and blank lines stay, and the style changes only if the text requires it."""
    if "|2" in before:  # an indentation that is part of the text cannot be kept
        assert rewrite(tmp_path / "a.yaml", before, text)[1] == []
    else:
        assert rewrite(tmp_path / "a.yaml", before, text) == (after, [])


@pytest.mark.parametrize("content", ["b: &x old\ntext: *x\n", "text: &x old\nb: *x\n"])
def test_shared_text_is_refused(tmp_path: Path, content: str) -> None:
    """A text that several places share is not replaced."""
    assert rewrite(tmp_path / "a.yaml", content, "new")[0] == content
    assert len(rewrite(tmp_path / "a.yaml", content, "new")[1]) == 1


_STYLES = ("{}", "'{}'", '"{}"', "|-\n    {}", ">\n    {}\n")


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1)
    .map(str.strip)
    .filter(bool),
    st.sampled_from(_STYLES),
)
def test_any_text_is_read_as_written(text: str, style: str) -> None:
    """Whatever the text and its style before, the file then reads the same except for the new text."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        content = f"# top\na: [1, 2]\nb:\n  text: {style.format('old')}\n  c: 'd'  # end\n"
        path.write_text(content, "utf-8")
        mark = read_yaml(path, "a.yaml")["b"].values_at["text"]
        assert rewrite_texts(path, "a.yaml", {mark: text}) == []
        after: Any = read_yaml(path, "a.yaml")
        assert (after["a"], after["b"]["c"]) == (["1", "2"], "d")
        assert after["b"]["text"].strip() == text
        lines = path.read_text("utf-8").split("\n")
        assert (lines[0], lines[-2]) == ("# top", "  c: 'd'  # end")
