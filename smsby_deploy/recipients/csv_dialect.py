"""Format, encoding and delimiter of a recipients file: as declared, or detected."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO

from smsby_deploy.config.sources import RecipientsFile
from smsby_deploy.recipients.file_content import DecryptedFile, find_content
from smsby_deploy.recipients.rows import LIKE_A_PHONE, LONGEST_LINE, RecipientsError
from smsby_deploy.wording import sentence

Content = Path | DecryptedFile
_SAMPLE = 1 << 16
_MAX_BYTES_PER_ZERO = 50  # UTF-16 has a zero byte in every digit, delimiter and line end
_LEAST_ZEROS = 6
_ALIGNED = 0.9  # a few characters, such as U+0400, have their zero in the other half
_BLOCK = 1 << 20
_MOST_BLANK = 1000  # lines before the header
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"?')
_EXCEL_HINT = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's own first line: sep=;
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
CERTAIN_ENCODINGS = frozenset({"utf-8", "utf-8-sig", "utf-16"})  # proven by the content or a byte order mark
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_JSON_LINES = frozenset({".jsonl", ".ndjson"})


class Dialect(NamedTuple):
    """How a recipients file is written.

    `kind` is csv, jsonl or txt (one phone per line); only csv has a delimiter. `first_line` is the line of the header or
    the first row: 2 below Excel's `sep=;`, otherwise 1. Without `has_header`, the only column is the phone.
    """

    kind: str
    encoding: str
    delimiter: str | None = None
    first_line: int = 1
    has_header: bool = True

    def __str__(self) -> str:
        """Return for example `csv, cp1251, delimiter ';'`."""
        delimiter = f", delimiter {self.delimiter!r}" if self.delimiter else ""
        return f"{self.kind}, {self.encoding}{delimiter}"


class _LongLine(Exception):
    """A line that is longer than LONGEST_LINE."""


class _ZeroByte(Exception):
    """A line with a NUL character, which text cannot contain."""


class _TextLines(Protocol):
    """The methods of a text file that are used here."""

    def read(self, characters: int, /) -> str: ...
    def readline(self, characters: int, /) -> str: ...


def _read_line(file: _TextLines) -> str:
    """Return the next line, "" at the end.

    Raises:
        _LongLine: it is too long; the rest, possibly gigabytes, is not read.
    """
    line = file.readline(LONGEST_LINE + 1)
    if _is_too_long(line):
        raise _LongLine
    return line


def _is_too_long(line: str) -> bool:
    return len(line) > LONGEST_LINE


class _Uncommented:
    """A text file whose comment lines (#) are blanked out.

    Line numbers do not change. A line within a quoted cell is never a comment, nor is one with an unpaired quote.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._is_quoted = False

    def read(self, characters: int) -> str:
        # Whole lines: a comment is recognized only at the start of a line.
        return self._without_comments(self._file.read(characters) + _read_line(self._file))

    def readline(self, characters: int) -> str:
        line = self._file.readline(characters)
        return line if len(line) == characters else self._without_comments(line)

    def _without_comments(self, text: str) -> str:
        if "#" not in text:
            self._is_quoted ^= text.count('"') % 2 == 1
            return text
        return "".join(map(self._blank_comment, StringIO(text, newline="")))

    def _blank_comment(self, line: str) -> str:
        is_paired = line.count('"') % 2 == 0
        if not self._is_quoted and is_paired and line.lstrip("\ufeff \t").startswith("#"):
            return line[len(line.rstrip("\r\n")) :]
        self._is_quoted ^= not is_paired
        return line


class Lines:
    """The rest of a text file, line by line or in blocks of whole lines; line breaks are kept."""

    def __init__(self, file: _TextLines, again: Sequence[str] = ()) -> None:
        """Start with `again`, lines that were already read."""
        self._file = file
        self._again = list(again)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop(0) if self._again else _read_line(self._file)
        if not line:
            raise StopIteration
        return _without_zero_byte(line)

    def read_block(self, characters: int) -> str:
        """Return whole lines, about `characters` in total; "" at the end."""
        if self._again:
            return next(self)
        return _without_zero_byte(self._file.read(characters) + _read_line(self._file))


def _without_zero_byte(text: str) -> str:
    if "\0" in text:
        raise _ZeroByte
    return text


@contextmanager
def open_recipients(source: RecipientsFile) -> Iterator[tuple[Dialect, Lines]]:
    """Open `source` and yield its dialect and its lines, from `first_line` on.

    Raises:
        RecipientsError: it cannot be read, is not text, is not in the declared encoding, or has an overlong line.
    """
    path: Content = source.path
    encoding = source.encoding
    try:
        path = find_content(source)
        encoding = encoding or detect_encoding(path)
        with path.open(encoding=encoding, newline="") as file:
            yield _detect_dialect(source, encoding, _Uncommented(file) if source.is_opt_outs else file)
    except UnicodeError as error:
        line = _undecodable_line(path, encoding or "utf-8")
        message = sentence(
            "this line is not {encoding}; correct `encoding:`"
            if source.encoding
            else "this line is not {encoding}; save the file as UTF-8, or set `encoding:`",
            encoding=encoding,
        )
        raise RecipientsError(message, line) from error
    except _LongLine:
        message = sentence(
            "this line has more than {limit:,} characters; write one recipient per line", limit=LONGEST_LINE
        )
        raise RecipientsError(message, _find_line(path, encoding or "utf-8", _is_too_long)) from None
    except _ZeroByte:
        message = sentence("not a text file: this line contains a zero byte")
        raise RecipientsError(
            message, _find_line(path, encoding or "utf-8", lambda line: "\0" in line)
        ) from None
    except LookupError as error:
        raise RecipientsError(
            sentence(
                "unknown encoding {encoding}; use for example utf-8, cp1251 or utf-16", encoding=encoding
            ),
            1,
        ) from error
    except OSError as error:
        raise RecipientsError(sentence("cannot read the file: {why}", why=error.strerror), 1) from error


def detect_dialect(source: RecipientsFile) -> Dialect:
    """Detect how `source` is written; project settings take precedence.

    Raises:
        RecipientsError: it cannot be read, or is not text.
    """
    with open_recipients(source) as (dialect, _):
        return dialect


def detect_encoding(path: Content) -> str:
    """Return the encoding of the file at `path`.

    A byte order mark decides; otherwise it is UTF-8 if the file can be decoded as such, otherwise cp1251, which Excel
    writes in a Russian locale.

    Raises:
        RecipientsError: a workbook, binary data, or UTF-8 in some lines only, which cp1251 would turn into nonsense.
    """
    with path.open("rb") as binary:
        sample = binary.read(_SAMPLE)
    if sample.startswith(_WORKBOOKS):
        raise RecipientsError(sentence("an Excel workbook; save it as CSV"), 1)
    for mark, encoding in _BOMS:
        if sample.startswith(mark) and encoding != "utf-8-sig":
            return encoding
    if b"\0" in sample:
        if not _is_utf16(sample):
            line = sample.count(b"\n", 0, sample.index(b"\0")) + 1
            raise RecipientsError(sentence("not a text file: this line contains a zero byte"), line)
        return "utf-16-be" if sample[:1] == b"\0" else "utf-16-le"
    marked = "utf-8-sig" if sample.startswith(_BOMS[0][0]) else "utf-8"
    try:
        decoder = getincrementaldecoder("utf-8")()
        if not decoder.decode(sample.removeprefix(_BOMS[0][0])).isascii():
            return marked  # other encodings hardly ever produce valid UTF-8
        decoder.reset()
        with path.open("rb") as binary:
            while block := binary.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        if _is_partly_utf8(path):
            line = _undecodable_line(path, "utf-8")
            message = sentence(
                "this line is not UTF-8, but others are; save the file as UTF-8, or set `encoding:`"
            )
            raise RecipientsError(message, line) from None
        return "cp1251"
    return marked


def _is_utf16(sample: bytes) -> bool:
    """Whether the zero bytes of `sample` are halves of UTF-16 characters.

    A single phone has a dozen, all at even or all at odd offsets.
    """
    zeros, even = sample.count(0), sample[::2].count(0)
    is_aligned = max(even, zeros - even) >= zeros * _ALIGNED
    return is_aligned and zeros >= _LEAST_ZEROS and zeros * _MAX_BYTES_PER_ZERO >= len(sample)


def detect_delimiter(header: str) -> str:
    """Return the delimiter that occurs most often in the header line, outside quotes."""
    return max(_DELIMITERS, key=_QUOTED.sub("", header).count)


def _detect_dialect(source: RecipientsFile, encoding: str, file: _TextLines) -> tuple[Dialect, Lines]:
    suffix = source.suffix
    first = _read_line(file).removeprefix("\ufeff")
    lines = Lines(file, [first] if first else ())
    if suffix in _JSON_LINES:
        return Dialect("jsonl", encoding), lines
    hint = _EXCEL_HINT.fullmatch(first)
    if hint and suffix != ".txt":
        return Dialect("csv", encoding, source.delimiter or hint[1], 2), Lines(file)
    blank = []
    while first and not first.strip():
        blank.append(first)
        if len(blank) > _MOST_BLANK:
            raise RecipientsError(
                sentence(
                    "the file begins with more than {count:,} blank lines; remove them", count=_MOST_BLANK
                ),
                1,
            )
        first = _read_line(file)
    lines = Lines(file, [*blank, first] if first else blank)
    if suffix == ".txt" and not _is_header(first, source.phone):
        return Dialect("txt", encoding), lines
    delimiter = source.delimiter or detect_delimiter(first)
    has_header = not (source.is_opt_outs and _is_only_a_phone(first, delimiter, source.phone))
    return Dialect("csv", encoding, delimiter, has_header=has_header), lines


def _is_only_a_phone(line: str, delimiter: str, phone: str) -> bool:
    """Whether the first line of a list is a phone, not the header `phone`."""
    cells = [cell.strip(' \t\r\n"') for cell in line.split(delimiter)]
    filled = [cell for cell in cells if cell]
    return filled == cells[:1] and filled != [phone] and LIKE_A_PHONE.search(cells[0]) is not None


def _is_header(line: str, phone: str) -> bool:
    """Whether the first line of a .txt is a header, as in a table saved as text by Excel."""
    names = re.split(f"[{_DELIMITERS}]", line)
    return phone.casefold() in [name.strip(' \t\r\n"').casefold() for name in names]


def _is_partly_utf8(path: Content) -> bool:
    """Whether some line, or most characters, are non-ASCII UTF-8; cp1251 never is."""
    valid = damaged = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        while text := file.read(_BLOCK) + file.readline(LONGEST_LINE):
            if any("\ufffd" not in line and not line.isascii() for line in text.split("\n")):
                return True
            broken = text.count("\ufffd")
            damaged += broken
            valid += len(text) - len(text.encode("ascii", "ignore")) - broken
    return valid > damaged


def _undecodable_line(path: Content, encoding: str) -> int:
    """Return the first line that `encoding` cannot decode, or 1 if unknown."""
    if encoding.lower().replace("_", "-").startswith("utf-16"):
        return 1
    number = 1
    decoder = getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
                number += block.count(b"\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return number + error.object.count(b"\n", 0, error.start)
        except UnicodeError:
            return 1
    return 1


def _find_line(path: Content, encoding: str, is_wrong: Callable[[str], bool]) -> int:
    """Return the first line that `is_wrong`; no more than LONGEST_LINE is read at a time."""
    with path.open(encoding=encoding, newline="") as file:
        pieces = iter(partial(file.readline, LONGEST_LINE + 1), "")
        return next(number for number, piece in enumerate(pieces, 1) if is_wrong(piece))
