"""Lists in text files: CSV (including that of Excel), JSONL, and one phone per line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import lru_cache
from io import StringIO
from itertools import chain, islice
from typing import Any

from smsby_deploy.config.sources import FalseText, RecipientsFile
from smsby_deploy.recipients.csv_dialect import CERTAIN_ENCODINGS, Dialect, Lines, open_recipients
from smsby_deploy.recipients.rows import (
    BLOCK_ROWS,
    LONGEST_VALUE,
    Block,
    EmptyFile,
    RecipientsError,
    SourceFacts,
    block_of_rows,
    group_rows,
    has_short_lines,
    is_header,
    limit_values,
    name_columns,
    repeated_names,
    say_repeated,
)
from smsby_deploy.wording import sentence

# Typical length of a row. Blocks of a CSV sized by it fit into the CPU cache.
_ROW_CHARACTERS = 40
_HEADER_LINES = 2000  # including blank lines before the header
_LARGEST_BLOCK = 100_000_000  # characters of quoted rows held at a time
_ROW_END = "\x7f"  # marks the end of a row; in Cyrillic text, searching for it is faster than for a NUL
# Reasons why a line of JSON cannot be read: shared objects, as there may be millions of lines.
_NO_JSON = sentence("not valid JSON")
_TWICE = sentence("a key occurs twice (also in another case); keep one of them")
_NO_OBJECT = sentence("expected a JSON object without nested values")
_NUL = sentence("contains a NUL character; remove it")
_SURROGATE = sentence("contains half a character (a lone surrogate)")


def read_list_file(source: RecipientsFile, facts: SourceFacts) -> Iterator[Block]:
    """Yield the non-blank rows of `source`, about BLOCK_ROWS per block.

    Raises:
        RecipientsError: it is not text, has no header, or has duplicate column names.
    """
    with open_recipients(source) as (dialect, lines):
        if source.encoding is None and dialect.encoding not in CERTAIN_ENCODINGS:
            facts.guessed_encoding = dialect.encoding
        if dialect.kind == "jsonl":
            yield from _json_blocks(lines)
        elif dialect.kind == "txt":
            yield from _txt_blocks(lines, source.phone)
        else:
            yield from _csv_blocks(lines, dialect, source)


def _csv_blocks(lines: Lines, dialect: Dialect, source: RecipientsFile) -> Iterator[Block]:
    delimiter = dialect.delimiter or ","
    if delimiter in '"\r\n\0 ':
        raise RecipientsError(
            sentence("{delimiter} cannot separate columns; correct `delimiter:`", delimiter=repr(delimiter)),
            1,
        )
    columns: tuple[str, ...] = (source.phone,)
    header_line, line = None, dialect.first_line
    if dialect.has_header:
        columns, header_line, line = _read_header(lines, delimiter, dialect.first_line)
        if source.is_opt_outs:  # a first line that is not a header is an opt-out, even without rows below
            yield block_of_rows(columns, (), [], header_line=header_line)
    first_row = line
    while text := lines.read_block(BLOCK_ROWS * _ROW_CHARACTERS):
        values = _split(text, delimiter, len(columns))
        if values is None:
            pieces = _Pieces(text, lines)
            line = yield from _parsed_blocks(pieces, delimiter, columns, line, header_line)
            continue
        places = range(line, line + len(values[0]))
        if "'" in text:
            values = [_unwrap_all(column) for column in values]
        block = Block(columns, places, values, header_line=header_line)
        yield block if has_short_lines(text) else limit_values(block)
        line = places.stop
    if header_line is not None and line == first_row and not source.is_opt_outs:  # its names are checked
        yield block_of_rows(columns, (), [], header_line=header_line)


def _read_header(lines: Lines, delimiter: str, first_line: int) -> tuple[tuple[str, ...], int, int]:
    """Return the column names, their line, and the line after them."""
    reader = csv.reader(islice(lines, _HEADER_LINES), delimiter=delimiter, strict=True)
    line = first_line
    while True:
        try:
            record = next(reader)
        except StopIteration:
            raise EmptyFile(sentence("the file is empty; expected a header and rows"), 1) from None
        except csv.Error as error:
            raise RecipientsError(sentence("not valid CSV: {why}", why=_why_not_csv(error)), line) from error
        if any(cell.strip() for cell in record):
            break
        line = first_line + reader.line_num
    header = [name.strip() for name in record]
    while not header[-1]:
        header.pop()
    _check_header(header, line)
    return tuple(header), line, first_line + reader.line_num


def _split(text: str, delimiter: str, width: int) -> list[list[str]] | None:
    """Split lines without quotes into columns, several times faster than csv.reader.

    None if only csv.reader can decide: a quote, a row with a different number of cells, a blank row, or a cell that may
    exceed the limit.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if '"' in text or "\r" in text or _ROW_END in text or len(text) > csv.field_size_limit():
        return None
    if not text.endswith("\n"):
        text += "\n"
    # All rows have `width` cells if and only if an end mark follows every `width` cells.
    marked = text.replace("\n", f"{delimiter}{_ROW_END}{delimiter}")
    rows = (len(marked) - len(text)) // 2  # two extra characters per row
    cells = marked.split(delimiter)
    step = width + 1
    if len(cells) != rows * step + 1 or cells[width::step].count(_ROW_END) != rows:
        return None
    columns = [cells[column:-1:step] for column in range(width)]
    if not columns or not all(columns[0]) or any(map(str.isspace, columns[0])):
        return None
    return columns


def _parsed_blocks(
    pieces: _Pieces, delimiter: str, columns: tuple[str, ...], line: int, header_line: int | None
) -> Generator[Block, None, int]:
    """Yield the rows of `pieces`, which begin at `line`, and return the line after the last.

    Raises:
        RecipientsError: they are not valid CSV.
    """
    reader = csv.reader(chain.from_iterable(pieces), delimiter=delimiter, strict=True)
    while left := pieces.count - reader.line_num:
        records: list[list[str]] = []
        failed: csv.Error | None = None
        before = reader.line_num
        pieces.begin_block(line)
        try:
            # Records read before an error are kept.
            records.extend(islice(reader, min(left, BLOCK_ROWS)))
        except csv.Error as error:
            failed = error
        # With as many lines as records, every record is on one line.
        plain = failed is None and reader.line_num - before == len(records)
        places = range(line, line + len(records)) if plain else _places(records, line)
        yield _csv_block(columns, places, records, header_line)
        line = places.stop
        if failed is not None:
            raise RecipientsError(sentence("not valid CSV: {why}", why=_why_not_csv(failed)), line)
    return line


def _why_not_csv(error: csv.Error) -> str:
    why = str(error)
    if why == "unexpected end of data":
        return sentence("the quotes of a cell are never closed; close them")
    if "field limit" in why:
        limit = csv.field_size_limit()
        return sentence(
            "a cell has more than {limit:,} characters; close its quotes, or shorten it", limit=limit
        )
    if "expected after" in why:
        return sentence("a quote within a quoted cell; double it")
    return why


class _Pieces:
    """The lines of a text, and of the file after it as far as a row leads beyond the text.

    `count` is the number of lines so far. Their size is limited: unclosed quotes could swallow a large file.
    """

    def __init__(self, text: str, rest: Lines) -> None:
        self._text = text
        self._rest = rest
        self._line = 1
        self._read = 0
        self.count = _count_lines(text)

    def begin_block(self, line: int) -> None:
        self._line, self._read = line, 0

    def __iter__(self) -> Iterator[Iterable[str]]:
        """Raises RecipientsError if a block gets too large."""
        while self._text:
            yield StringIO(self._text, newline="")
            self._text = self._rest.read_block(BLOCK_ROWS * _ROW_CHARACTERS)
            self._read += len(self._text)
            if self._read > _LARGEST_BLOCK:
                message = sentence(
                    "the rows from this line on have more than {limit:,} characters; close the quotes",
                    limit=_LARGEST_BLOCK,
                )
                raise RecipientsError(message, self._line)
            self.count += _count_lines(self._text)


def _count_lines(text: str) -> int:
    return _count_breaks(text) + (text[-1:] not in ("", "\n", "\r"))


def _count_breaks(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


class _Places(list[int]):
    """The physical lines of records; `stop` is the line after the last, as in a range."""

    stop: int = 0


def _places(records: list[list[str]], line: int) -> _Places:
    places = _Places()
    for record in records:
        places.append(line)
        line += 1
        for cell in record:
            if "\n" in cell or "\r" in cell:
                line += _count_breaks(cell)
    places.stop = line
    return places


_FORMULA = re.compile(r'="((?:[^"]|"")*)"')  # a quote in the text is doubled


def _unwrap(cell: str) -> str:
    """Return the text of a cell that a spreadsheet marks as text: `="007"` or `'007`."""
    written = cell.strip()
    if written[:1] == "'" and len(written) > 1 and written[-1] != "'":
        return written[1:]
    formula = _FORMULA.fullmatch(written)
    return formula[1].replace('""', '"') if formula else cell


def _unwrap_all(cells: Sequence[str]) -> list[str]:
    return [_unwrap(cell) if "'" in cell or "=" in cell else cell for cell in cells]


def _csv_block(
    columns: tuple[str, ...], places: Sequence[int], records: list[list[str]], header_line: int | None
) -> Block:
    width = len(columns)
    joined = "\n".join(chain.from_iterable(records))
    # The lines of `joined` are the cells only if no cell spans several lines.
    is_short = has_short_lines(joined) and joined.count("\n") < sum(map(len, records))
    if "'" in joined or '="' in joined:
        records = [_unwrap_all(record) for record in records]
    if "\r" in joined:  # as in a checkout with CRLF: the same commit must give the same texts
        records = [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in record] for record in records]
    if all(map(width.__eq__, map(len, records))) and all(map(str.strip, map("".join, records))):
        block = block_of_rows(columns, places, records, header_line=header_line)
        return block if is_short else limit_values(block)
    lines: list[int] = []
    cells: list[list[str]] = []
    errors: list[tuple[int, str]] = []
    for line, record in zip(places, records, strict=True):
        if not any(cell.strip() for cell in record):
            continue
        while len(record) > width and not record[-1].strip():
            record.pop()  # Excel pads rows with empty cells
        if len(record) == width:
            lines.append(line)
            cells.append(record)
        else:
            errors.append((line, _wrong_width(len(record), width)))
    block = block_of_rows(columns, lines, cells, errors, header_line)
    return block if is_short else limit_values(block)


@lru_cache(maxsize=64)
def _wrong_width(count: int, width: int) -> str:
    """Say why a row is wrong: one cached object, as there may be millions of such rows."""
    return sentence("{count:cell|cells}, but the header has {width}", count=count, width=width)


def _check_header(header: Sequence[str], line: int) -> None:
    if any(len(name) > LONGEST_VALUE for name in header):
        message = sentence(
            "a column name is longer than {limit:,} characters; shorten it", limit=LONGEST_VALUE
        )
        raise RecipientsError(message, line)
    if twice := repeated_names(header):
        raise RecipientsError(say_repeated(twice) if is_header(twice) else name_columns(twice), line)


def _json_blocks(lines: Iterator[str]) -> Iterator[Block]:
    # Numbers stay as written: 1.50 does not become 1.5.
    decoder = json.JSONDecoder(
        parse_float=_number_text,
        parse_int=_number_text,
        parse_constant=_no_constant,
        object_pairs_hook=_json_object,
    )
    numbered = enumerate(lines, 1)
    while batch := list(islice(numbered, BLOCK_ROWS)):
        rows: list[tuple[int, dict[str, str]]] = []
        errors: list[tuple[int, str]] = []
        for number, line in batch:
            if not line.strip():
                continue
            values = _json_row(decoder, line)
            if isinstance(values, str):
                errors.append((number, values))
            else:
                rows.append((number, values))
        if errors:
            yield Block((), (), [], errors)
        is_short = max(len(line) for _, line in batch) <= LONGEST_VALUE
        yield from group_rows(rows) if is_short else map(limit_values, group_rows(rows))


def _json_row(decoder: json.JSONDecoder, line: str) -> dict[str, str] | str:
    """Return the values of a line, or the reason why it cannot be read."""
    try:
        value = decoder.decode(line)
    except (ValueError, RecursionError):
        return _NO_JSON
    except _RepeatedKey:
        return _TWICE
    if not isinstance(value, dict):
        return _NO_OBJECT
    row = {}
    for key, item in value.items():
        if isinstance(item, str):
            row[key] = item
        elif item is None:
            row[key] = ""
        elif isinstance(item, bool):
            row[key] = "true" if item else FalseText("false")
        else:
            return _NO_OBJECT
    if "\\u0000" in line and any("\0" in part for pair in row.items() for part in pair):
        return _NUL
    if "\\u" in line and any(not _is_text(part) for pair in row.items() for part in pair):
        return _SURROGATE
    return row


def _number_text(written: str) -> str:
    """A number as written; zero is false."""
    return written if float(written) else FalseText(written)


def _is_text(part: str) -> bool:
    try:
        part.encode()
    except UnicodeEncodeError:
        return False
    return True


class _RepeatedKey(Exception):
    """A key occurs twice, perhaps in another case: either value could be the intended one."""


def _json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len({key.casefold() for key in found}) < len(pairs):
        raise _RepeatedKey
    return found


def _no_constant(name: str) -> str:
    raise ValueError(name)


def _txt_blocks(lines: Iterator[str], phone: str) -> Iterator[Block]:
    numbered = enumerate(lines, 1)
    while batch := list(islice(numbered, BLOCK_ROWS)):
        filled = [(number, line.strip()) for number, line in batch if line.strip()]
        yield limit_values(Block((phone,), [number for number, _ in filled], [[line for _, line in filled]]))
