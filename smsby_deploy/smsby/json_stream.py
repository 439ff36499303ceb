"""Reads a JSON document as it arrives, and keeps some rows of a list that may be very long.

The json module reads each value, so it means the same as in any other answer.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from smsby_deploy.smsby.answer_limits import TooLarge
from smsby_deploy.smsby.response import LIST_KEYS, Rows

KeepRow = Callable[[Any], bool]  # whether a row of the list is needed

_ENCODING_SHOWS = 4  # bytes
_AFTER_VALUE = frozenset(" \t\n\r,:]}")
_skip_white = re.compile(r"[ \t\n\r]*").match
_decode = json.JSONDecoder().raw_decode


class JsonStream:
    """Reads a document from pieces of its bytes.

    A list under `data` or `result` of the outermost object becomes Rows. Everything else, and the kept rows, may have
    `limit` characters.
    """

    def __init__(self, pieces: Iterable[bytes], keep: KeepRow, limit: int) -> None:
        self._pieces = _decoded(pieces)
        self._keep = keep
        self._limit = self._left = limit
        self._text = ""
        self._at = 0  # where the unread text begins
        self.is_empty = False

    def read(self) -> Any:
        """Return the document; None if there is none, and `is_empty` is then set.

        Raises:
            ValueError, RecursionError: it is not JSON.
            TooLarge: it exceeds the limit.
        """
        first = self._peek()
        if not first:
            self.is_empty = True
            return None
        document = self._read_object() if first == "{" else self._read_value()
        if self._peek():
            raise ValueError("text after the document")
        return document

    def _read_object(self) -> dict[str, Any]:
        document: dict[str, Any] = {}
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            return document
        is_open = True
        while is_open:
            key = self._read_value()
            if self._peek() != ":" or not isinstance(key, str):
                raise ValueError("expected a key and a value")
            self._at += 1
            is_list = key in LIST_KEYS and self._peek() == "["
            document[key] = self._read_rows() if is_list else self._read_value()
            is_open = self._goes_on("}")
        return document

    def _read_rows(self) -> Rows:
        rows = Rows()
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return rows
        is_open = True
        while is_open:
            before = self._left
            row = self._read_value()
            rows.count += 1
            if self._keep(row):
                rows.kept.append(row)
            else:
                self._left = before
            is_open = self._goes_on("]")
        return rows

    def _goes_on(self, end: str) -> bool:
        """Read a comma, or the `end` of a list or object; return whether it was a comma."""
        found = self._peek()
        if found not in (",", end):
            raise ValueError(f'expected "," or "{end}"')
        self._at += 1
        return found == ","

    def _read_value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except ValueError:
                if not self._fill():
                    raise
                continue
            length = end - self._at  # `_fill` may drop the text before the value
            # A number may continue in the next piece: "1" as "1.5", "1e" as "1e5".
            if self._text[end : end + 1] in _AFTER_VALUE or not self._fill():
                self._hold(length)
                self._at += length
                return value

    def _peek(self) -> str:
        """Return the next character that is not white space; empty at the end."""
        while True:
            found = _skip_white(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def _fill(self) -> bool:
        """Drop what was read, and get at least as much as remains; False at the end.

        This way, no value is read many times.
        """
        parts = [self._text[self._at :]]
        missing = max(1, len(parts[0]))
        if missing > self._limit:
            raise TooLarge(self._limit)
        while missing > 0 and (piece := next(self._pieces, "")):
            parts.append(piece)
            missing -= len(piece)
        self._text, self._at = "".join(parts), 0
        return len(parts) > 1

    def _hold(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise TooLarge(self._limit)


def _decoded(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the text of `pieces` in non-empty parts, decoded as the json module does."""
    head = b""
    decoder: codecs.IncrementalDecoder | None = None
    for piece in pieces:
        head += piece
        if decoder is None:
            if len(head) < _ENCODING_SHOWS:
                continue
            decoder = codecs.getincrementaldecoder(json.detect_encoding(head))("surrogatepass")
        if text := decoder.decode(head):
            yield text
        head = b""
    decoder = decoder or codecs.getincrementaldecoder(json.detect_encoding(head))("surrogatepass")
    if text := decoder.decode(head, final=True):
        yield text
