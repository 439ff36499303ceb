"""How a file of recipients is written: its encoding and its delimiter, detected unless the project says them."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TextIO

from smsby_deploy.config.declarations import RecipientsFile
from smsby_deploy.problems import Location

_SAMPLE = 1 << 16
_SELDOM = 50  # in UTF-16 every digit, delimiter and line end has a zero byte: more than one byte in fifty
_BLOCK = 1 << 20
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"?')
_EXCEL_HINT = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's own first line: sep=;
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_JSON_LINES = frozenset({".jsonl", ".ndjson"})


class RecipientsError(Exception):  # it says what it is
    """They can't be read as rows; `line` is where, unless `location` tells it; `code` is the problem's."""

    def __init__(
        self, message: str, line: int, code: str = "RECIPIENTS", location: Location | None = None
    ) -> None:
        super().__init__(message)
        self.line = line
        self.code = code
        self.location = location


class FileShape(NamedTuple):
    """`kind` is csv, jsonl or txt (a phone a line); only a csv has a delimiter. `first` is the line its rows begin
    at, counted from 1: 2 below Excel's `sep=;`."""

    kind: str
    encoding: str
    delimiter: str | None = None
    first: int = 1

    def __str__(self) -> str:
        """`csv, cp1251, delimiter ';'`."""
        delimiter = f", delimiter {self.delimiter!r}" if self.delimiter else ""
        return f"{self.kind}, {self.encoding}{delimiter}"


class Lines:
    """What is left of a text file: a line at a time, or many whole lines in one string. Line breaks are kept."""

    def __init__(self, file: TextIO, again: Sequence[str] = ()) -> None:
        """`again` are lines that were read already and come first."""
        self._file = file
        self._again = list(again)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return self._again.pop(0) if self._again else next(self._file)

    def read_block(self, characters: int) -> str:
        """Whole lines of about as many characters; "" at the end."""
        if self._again:
            return next(self)
        return self._file.read(characters) + self._file.readline()


@contextmanager
def open_shaped(source: RecipientsFile) -> Iterator[tuple[FileShape, Lines]]:
    """The shape of `source` and its lines, from line `first` on.

    Raises:
        RecipientsError: it can't be read, is no text, or not in the encoding that the project names.
    """
    path = source.path
    encoding = source.encoding
    try:
        encoding = encoding or _detect_once(path, *_version(path))
        with path.open(encoding=encoding, newline="") as file:
            shape, lines = _shape(source, encoding, file)
            yield shape, lines
    except UnicodeError as error:
        line = _undecodable_line(path, encoding or "utf-8")
        way = "mend `encoding:`" if source.encoding else "save it as UTF-8, or say `encoding:`"
        raise RecipientsError(f"this line is not {encoding}; {way}", line) from error
    except LookupError as error:
        raise RecipientsError(
            f"there is no encoding {encoding}; known are utf-8, cp1251, utf-16 …", 1
        ) from error
    except OSError as error:
        raise RecipientsError(f"it can't be read: {error.strerror}", 1) from error


def detect_shape(source: RecipientsFile) -> FileShape:
    """What `source` is taken for; the project's word wins.

    Raises:
        RecipientsError: it can't be read, or is no text.
    """
    with open_shaped(source) as (shape, _):
        return shape


def _version(path: Path) -> tuple[int, int, int]:
    """What differs once a file is written anew."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)  # the whole file is looked at, and an apply reads it up to four times
def _detect_once(path: Path, inode: int, size: int, changed: int) -> str:
    return detect_encoding(path)


def detect_encoding(path: Path) -> str:
    """What a byte order mark says; utf-8 if its beginning holds letters of it, or the whole file is; else cp1251, which
    Excel writes in a Russian locale.

    Raises:
        RecipientsError: it is a workbook, or UTF-8 with damaged places (read as cp1251 every letter would be a wrong one).
    """
    with path.open("rb") as binary:
        sample = binary.read(_SAMPLE)
    if sample.startswith(_WORKBOOKS):
        raise RecipientsError("it is an Excel workbook: save it as CSV", 1)
    for mark, encoding in _BOMS:
        if sample.startswith(mark) and encoding != "utf-8-sig":
            return encoding
    if b"\0" in sample:
        if sample.count(b"\0") * _SELDOM < len(sample):
            line = sample.count(b"\n", 0, sample.index(b"\0")) + 1
            raise RecipientsError("it is no text: this line holds a zero byte", line)
        return "utf-16-be" if sample[:1] == b"\0" else "utf-16-le"
    marked = "utf-8-sig" if sample.startswith(_BOMS[0][0]) else "utf-8"
    try:
        decoder = getincrementaldecoder("utf-8")()
        if not decoder.decode(sample.removeprefix(_BOMS[0][0])).isascii():
            return marked  # no text of another encoding looks like that
        decoder.reset()
        with path.open("rb") as binary:
            while block := binary.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        if _is_damaged_utf8(path):
            line = _undecodable_line(path, "utf-8")
            raise RecipientsError(
                "this line is not UTF-8 while others are; save the file as UTF-8", line
            ) from None
        return "cp1251"
    return marked


def detect_delimiter(header: str) -> str:
    """The delimiter that the header line holds most of, quoted names aside."""
    return max(_DELIMITERS, key=_QUOTED.sub("", header).count)


def _shape(source: RecipientsFile, encoding: str, file: TextIO) -> tuple[FileShape, Lines]:
    suffix = source.path.suffix.lower()
    first = next(file, "").removeprefix("\ufeff")
    lines = Lines(file, [first] if first else ())
    if suffix in _JSON_LINES:
        return FileShape("jsonl", encoding), lines
    if suffix == ".txt" and not _is_header(first, source.phone):
        return FileShape("txt", encoding), lines
    hint = _EXCEL_HINT.fullmatch(first)
    if hint:
        return FileShape("csv", encoding, source.delimiter or hint[1], 2), Lines(file)
    blank = []
    while first and not first.strip():
        blank.append(first)
        first = next(file, "")
    delimiter = source.delimiter or detect_delimiter(first)
    return FileShape("csv", encoding, delimiter), Lines(file, [*blank, first] if first else blank)


def _is_header(line: str, phone: str) -> bool:
    """Whether a .txt begins as a table that Excel saved as text, not as a list of phones."""
    names = re.split(f"[{_DELIMITERS}]", line)
    return phone.casefold() in [name.strip(' \t\r\n"').casefold() for name in names]


def _is_damaged_utf8(path: Path) -> bool:
    """Whether more of its letters beyond ASCII are valid UTF-8 than not; of cp1251 text hardly any is."""
    valid = damaged = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        while text := file.read(_BLOCK):
            broken = text.count("\ufffd")
            damaged += broken
            valid += len(text) - len(text.encode("ascii", "ignore")) - broken
    return valid > damaged


def _undecodable_line(path: Path, encoding: str) -> int:
    """The first line that `encoding` can't read; 1 if it can't be told."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                return 1 if encoding.lower().replace("_", "-").startswith("utf-16") else number
            except UnicodeError:
                return 1
    return 1
