"""yaml_nodes: places of keys and values, and scalars without a type yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.schema import locate
from smsby_deploy.config.yaml_nodes import YamlMap, key_marks, read_yaml
from smsby_deploy.errors import FilesInvalid

_CONTENT = """\
a: &anchor {b: 1, "c": {d: '2'}}
list:
  - e: x
    f:
  - {g: [1, "2", {h: 3}], i: *anchor}
empty:
last: |
  text
"""


def _read(folder: Path, content: str) -> YamlMap:
    path = folder / "x.yaml"
    path.write_text(content, encoding="utf-8", newline="")
    return read_yaml(path, "x.yaml")


@pytest.mark.parametrize("is_windows", [False, True])
def test_key_marks(is_windows: bool, tmp_path: Path) -> None:
    """Every key of block, flow and nested mappings has the place of its value."""
    content = _CONTENT.replace("\n", "\r\n") if is_windows else _CONTENT
    root = _read(tmp_path, content)
    lines = _CONTENT.split("\n")
    found = []

    def check(node: object) -> None:
        if isinstance(node, YamlMap):
            for key, value in node.items():
                line, column = key_marks(root.content)[node.values_at[key]]
                assert lines[line - 1][column - 1 :].lstrip('"').startswith(key)
                found.append(key)
                check(value)
        elif isinstance(node, list):
            for item in node:
                check(item)

    check(root)
    assert found == [*"abcd", "list", *"efg", "h", *"ibcd", "empty", "last"]


@pytest.mark.parametrize(
    ("entries", "column"),
    [
        ("sum: 1,234", 13), ("city: Мінск, Цэнтр", 19), ('a: "😀", 5', 14), ("a: 1, 'b' , c: 2", 12),
        ("a: , 'b' : , \"c\":, d: ~, ключ:   , e : , f: {g: }, h: {}", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("start", ["", "\ufeff", "é: 😀\r\n"])
def test_entry_without_a_colon_is_an_error(
    start: str, entries: str, column: int | None, tmp_path: Path
) -> None:
    """An entry without a colon is an error, as in `{sum: 1,234}`, which would be 1; a key with a colon alone is null."""
    content = f"{start}x: {{ {entries} }}\n"
    if column is None:
        assert _read(tmp_path, content)["x"]["a"] is None
        return
    with pytest.raises(FilesInvalid) as caught:
        _read(tmp_path, content)
    (problem,) = caught.value.problems
    assert problem.message.startswith("an entry without a colon; commas separate entries")
    assert problem.location is not None
    assert (problem.location.line, problem.location.column) == (1 + start.count("\n"), column)


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ("a: 1\na: 2\nb: {c: 1, d: 2, c: {e: 3, e: 4}}\na: 3\n", [(2, 1), (3, 17), (3, 27), (4, 1)]),
        ("a: 1\na: [1, {b: 2, b: 3}]\nc: !x 1\nc: 2\n", [(2, 1), (2, 15), (3, 4)]),
        ("a: 1\na: 2\nb: [\n", [(2, 1), (4, 1)]),
    ],
)
def test_every_duplicate_key_is_reported(content: str, places: list[tuple[int, int]], tmp_path: Path) -> None:
    """Each duplicate key is reported at its place, together with an error that stops the reading."""
    with pytest.raises(FilesInvalid) as caught:
        _read(tmp_path, content)
    found = [problem.location for problem in caught.value.problems]
    assert [(place.line, place.column) for place in found if place is not None] == places


def test_duplicate_keys_are_bounded(tmp_path: Path) -> None:
    """The reported duplicate keys of a hostile file are limited."""
    with pytest.raises(FilesInvalid) as caught:
        _read(tmp_path, "a: 1\n" * 10_000)
    assert len(caught.value.problems) == 101


def test_untyped_scalars(tmp_path: Path) -> None:
    """Only scalars without quotes, even through aliases, are to be typed, not block texts or nulls."""
    root = _read(tmp_path, "a: &x 1\nb: '1'\nc: *x\nd: |\n  1\ne: [1, '2', ~]\nf:\ng: &y '1'\nh: *y\n")
    assert root.untyped == ["a", "c", "e"]
    assert root["e"].untyped == [0]
    assert (root["f"], root["e"][2]) == (None, None)


def _rows(count: int) -> str:
    rows = "".join(f"  - recipients:\n{_recipients(count)}" for _ in range(2))
    return f"mailings:\n{rows}"


def _recipients(count: int) -> str:
    return "".join(f'    - {{phone: "{i}", name: A, more: {{of: it}}}}\n' for i in range(count))


def test_values_at_of_rows_of_a_long_list(tmp_path: Path) -> None:
    """Rows far down a long list keep no places, and get the right ones on request."""
    root = _read(tmp_path, _rows(150))
    lines = _rows(150).split("\n")
    for mailing in root["mailings"]:
        for row in (mailing["recipients"][0], mailing["recipients"][149]):
            for key, value in row.items():
                line, column = row.values_at[key]
                assert lines[line - 1][column - 1 :].startswith(("{of", '"', "A"))
                assert lines[line - 1][: column - 1].endswith(f"{key}: ")
                assert isinstance(value, str) or value.values_at["of"] == (line, column + 5)
    assert root["mailings"][1]["recipients"][149].mark == (303, 7)
    assert locate(root, ["mailings", 1, "recipients", 149, "more", "of"]) == (303, 42)
