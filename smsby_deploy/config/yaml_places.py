"""The place of each character inside a block, folded, quoted or plain YAML scalar.

Only problems need it, so it is imported when there is one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache

from smsby_deploy.config.sources import TextSource
from smsby_deploy.config.yaml_nodes import Mark

# (offset, line, column): from this offset of the text up to the next run, characters are consecutive from this place.
Run = tuple[int, int, int]

_PROPERTIES = re.compile(r"(?:[&!]\S*[ \t]+)*")
_BLOCK = re.compile(r"[|>]([+-]?)([1-9]?)([+-]?)[ \t]*(?:#.*)?$", re.MULTILINE)
_COMMENT = re.compile(r"([ \t]+)#")
_MOST_LINES = 20  # of a plain scalar that are searched for a comment after it
_BLANK = re.compile(r"[ \t\n]+")
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


def place_in_text(source: TextSource, offset: int) -> Mark | None:
    """Return the line and column of the character at `offset` of a text in a campaign file.

    None if unknown, as for an alias, whose text is elsewhere.
    """
    at = source.location
    if source.content is None or at.line is None or at.column is None:
        return None
    return place_in_runs(text_runs(source.content, (at.line, at.column), source.text), offset)


@lru_cache(maxsize=8)  # one text may have a thousand problems
def text_runs(content: str, mark: Mark, text: str) -> tuple[Run, ...]:
    """Return the runs of the scalar `text` at `mark` in the file `content`; none for an alias."""
    starts = line_starts(content)
    position = starts[mark[0] - 1] + mark[1] - 1
    if content.startswith("*", position):
        return ()
    position = skip_properties(content, position)
    block = _BLOCK.match(content, position)
    if block:
        line = bisect_right(starts, position)  # the first one below the header
        if line == len(starts):
            return ()
        lines = content[starts[line] :].split("\n")
        return tuple(_block_runs(lines, line + 1, block[2], text))
    pairs = _flow_runs(content, position, text)
    runs = []
    for offset, place in pairs:
        line = bisect_right(starts, place)
        runs.append((offset, line, place - starts[line - 1] + 1))
    return tuple(runs)


def find_comment(content: str, mark: Mark, text: str) -> Mark | None:
    """Return the place of the comment right after the scalar `text` that begins at `mark`.

    None if there is none, or if the scalar is not plain: only in a plain one can ` #` cut off text.
    """
    runs = text_runs(content, mark, text)
    if not runs:
        return None
    starts = line_starts(content)
    begin = skip_properties(content, starts[mark[0] - 1] + mark[1] - 1)
    offset, line, column = runs[-1]
    column += len(text) - offset
    comment = _COMMENT.match(content, starts[line - 1] + column - 1)
    if comment is None or content[begin : begin + 1] in ('"', "'", "|", ">"):
        return None
    return line, column + len(comment[1])


@lru_cache(maxsize=1)
def lines_near_comments(content: str) -> frozenset[int]:
    """Return the lines of comments, and up to twenty above each, where its scalar may begin."""
    commented = (bisect_right(line_starts(content), found.start()) for found in _COMMENT.finditer(content))
    return frozenset(line - above for line in commented for above in range(_MOST_LINES))


@lru_cache(maxsize=1)  # the texts of one file are located one after the other
def line_starts(content: str) -> tuple[int, ...]:
    """Return the offset at which each line begins."""
    return (0, *(found.end() for found in re.finditer("\n", content)))


def skip_properties(content: str, offset: int) -> int:
    """Return where the scalar at `offset` begins, after its anchor and tag, if any."""
    found = _PROPERTIES.match(content, offset)
    return found.end() if found else offset


def _block_runs(lines: list[str], first: int, indicator: str, text: str) -> list[Run]:
    """Return a run per line of a block scalar: its text without the indentation."""
    filled = next((line for line in lines if line.strip()), "")
    indent = len(filled) - len(filled.lstrip(" "))
    if indicator:  # the indentation is given relative to the parent, so that the text may begin with spaces
        lead = text.lstrip("\n")
        indent -= len(lead) - len(lead.lstrip(" "))
    runs: list[Run] = []
    cursor = 0
    for number, line in enumerate(lines, first):
        body = line[indent:]
        if not body.strip():
            continue
        offset = text.find(body, cursor)
        if offset < 0 or line[:indent].strip():
            break
        runs.append((offset, number, indent + 1))
        cursor = offset + len(body)
    return runs


def _flow_runs(content: str, position: int, text: str) -> list[tuple[int, int]]:
    """Return (offset in the text, offset in the file) of the runs of a quoted or plain scalar."""
    quote = content[position] if content[position : position + 1] in ('"', "'") else ""
    raw = position + len(quote)
    runs = [(0, raw)]
    offset, skipped = 0, False
    while offset < len(text) and raw < len(content):
        character = content[raw]
        if quote == '"' and character == "\\":
            if content[raw + 1 : raw + 2] == "\n":
                raw += 2
                raw += len(content[raw:]) - len(content[raw:].lstrip(" \t")) if raw < len(content) else 0
            else:
                runs.append((offset, raw))
                raw += _ESCAPE_LENGTHS.get(content[raw + 1 : raw + 2], 2)
                offset += 1
            skipped = True
        elif quote == "'" and character == "'":
            runs.append((offset, raw))
            raw, offset, skipped = raw + 2, offset + 1, True
        elif (breaks := _BLANK.match(content, raw)) and (count := breaks.group().count("\n")):
            # Folding turns one line break into a space, and several into one fewer.
            raw, offset, skipped = breaks.end(), offset + max(1, count - 1), True
        elif character == text[offset]:
            if skipped:
                runs.append((offset, raw))
                skipped = False
            raw, offset = raw + 1, offset + 1
        else:
            break
    return runs


def place_in_runs(runs: tuple[Run, ...], offset: int) -> Mark | None:
    """Return the line and column of the character at `offset`; None without runs."""
    index = bisect_right(runs, offset, key=lambda run: run[0]) - 1
    if index < 0:
        return None
    start, line, column = runs[index]
    return line, column + offset - start
