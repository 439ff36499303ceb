"""Edits YAML files: replaces texts or adds a value, and changes nothing else.

An edit is kept only if the file then parses as before, apart from that value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from smsby_deploy.config.yaml_nodes import Mark, YamlList, YamlMap, key_marks, parse_yaml
from smsby_deploy.config.yaml_places import line_starts, skip_properties
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.files import write_file

_OTHERS = 0o077  # who may read the file besides its owner
_Path = tuple[str | int, ...]
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def rewrite_texts(path: Path, name: str, texts: Mapping[Mark, str]) -> list[Mark]:
    """Replace texts in the campaign file at `path`; `texts` has the new ones by place.

    Return the places that cannot be rewritten, such as an alias, whose text is elsewhere.

    Raises:
        FilesInvalid: the file is no longer valid YAML.
        OSError: it cannot be read or written.
    """
    content, write = _open(path)
    refused = []
    for mark in sorted(texts, reverse=True):  # from the end, so that no edit moves the next place
        changed = _replace(content, name, mark, texts[mark])
        if changed is None:
            refused.append(mark)
        else:
            content = changed
    if len(refused) < len(texts):
        write(content)
    return refused[::-1]


def add_value(path: Path, name: str, after: Mark, key: str, value: str) -> bool:
    """Insert `key: value` into a campaign file, after the entry whose value is at `after`.

    `path` is the file, `name` its name in messages. Return whether that was possible; an alias, for example, has its
    entries elsewhere.

    Raises: as `rewrite_texts`.
    """
    content, write = _open(path)
    before = list(_leaves(parse_yaml(content, name)))
    added = {(*path[:-1], key): value for path, at, _ in before if at == after}
    wanted = {path: one for path, _, one in before} | added
    span, column = _find_scalar(content, after), key_marks(content).get(after, after)[1]
    if span is None:
        return False
    line_end = content.find("\n", span[1])
    line_end = len(content) if line_end < 0 else line_end
    for end, new in ((line_end, f"\n{' ' * (column - 1)}{key}: {value}"), (span[1], f", {key}: {value}")):
        changed = content[:end] + new + content[end:]
        try:
            is_added = _values(changed, name) == wanted
        except FilesInvalid:
            continue
        if is_added:
            write(changed)
            return True
    return False


def _leaves(node: Any, mark: Mark = (1, 1), path: _Path = ()) -> Iterator[tuple[_Path, Mark, Any]]:
    """Yield the path, the place and the value of each scalar, empty mapping and empty list."""
    if node and isinstance(node, YamlMap):
        for key, value in node.items():
            yield from _leaves(value, node.values_at[key], (*path, key))
    elif node and isinstance(node, YamlList):
        for index, (item, at) in enumerate(zip(node, node.items_at, strict=True)):
            yield from _leaves(item, at, (*path, index))
    else:
        yield path, mark, node


def _values(content: str, name: str) -> dict[_Path, Any]:
    return {path: value for path, _, value in _leaves(parse_yaml(content, name))}


def _open(path: Path) -> tuple[str, Callable[[str], None]]:
    """Return the content of a file, and a function that writes new content in the same format."""
    written = path.read_bytes().decode("utf-8")
    start = "\ufeff" if written.startswith("\ufeff") else ""
    line_end = "\r\n" if "\r\n" in written else "\n"

    def write(content: str) -> None:
        target = path.resolve()
        is_private = not target.stat().st_mode & _OTHERS
        write_file(target, start + content.replace("\n", line_end), is_private=is_private)

    return written.removeprefix(start).replace("\r\n", "\n"), write


def _replace(content: str, name: str, mark: Mark, text: str) -> str | None:
    before = list(_leaves(parse_yaml(content, name)))
    replaced = {path for path, at, _ in before if at == mark}
    for new in _candidates(content, mark, text):
        try:
            after = _values(new, name)
        except FilesInvalid:
            continue
        for path in replaced & after.keys():
            after[path] = after[path].strip() if isinstance(after[path], str) else None
        if after == {path: text if path in replaced else value for path, _, value in before}:
            return new
    return None


def _candidates(content: str, mark: Mark, text: str) -> Iterator[str]:
    """Yield `content` with `text` in place of the scalar at `mark`, first in the same style."""
    span = _find_scalar(content, mark)
    if span is None:
        return
    start, end, style = span
    if style in ("|", ">"):
        header, _, body = content[start:end].partition("\n")
        filled = body.rstrip()
        rest = body[len(filled) :] if filled else body
        first = next((line for line in filled.split("\n") if line.strip()), "")
        indent = first[: len(first) - len(first.lstrip(" "))]
        lines = "\n".join(indent + line if line else "" for line in text.split("\n"))
        yield f"{content[:start]}{header.replace('>', '|', 1)}\n{lines}{rest}{content[end:]}"
        end = start + len(header) + 1 + len(filled)
    elif style == "'" and "\n" not in text:
        quoted = text.replace("'", "''")
        yield f"{content[:start]}'{quoted}'{content[end:]}"
    elif not style and "\n" not in text:
        yield f"{content[:start]}{text}{content[end:]}"
    quoted = "".join(map(_escape, text))
    yield f'{content[:start]}"{quoted}"{content[end:]}'


def _find_scalar(content: str, mark: Mark) -> tuple[int, int, str] | None:
    """Return the start of the scalar at `mark`, after its anchor, and its end and style."""
    starts = line_starts(content)
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)
    while (event := loader.get_event()).__class__ is not yaml.StreamEndEvent:
        place = event.start_mark
        if (place.line + 1, place.column + 1) == mark and event.__class__ is yaml.ScalarEvent:
            last: Any = event.end_mark
            start = skip_properties(content, starts[place.line] + place.column)
            return start, starts[last.line] + last.column, event.style or ""
    return None


def _escape(character: str) -> str:
    if character in _ESCAPES or character.isprintable():
        return _ESCAPES.get(character, character)
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
