"""Recipients files as rows: CSV and JSONL, also as Excel writes them. A stream of blocks; each row knows its physical
line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from io import StringIO
from itertools import chain, groupby, islice
from typing import NamedTuple

from smsby_deploy.config.declarations import InlineRecipients, RecipientsFile
from smsby_deploy.recipients.csv_dialect import FileShape, Lines, RecipientsError, open_shaped
from smsby_deploy.wording import counted

_BLOCK_ROWS = 1000
_ROW_CHARACTERS = 64  # of a usual row: a block of a CSV is that many times as long
_ROW_END = "\x7f"  # a character that no row holds; in Cyrillic text it is searched for faster than a NUL
_LIKE_A_PHONE = re.compile(r"(?:\d\W*){6}")


class Block(NamedTuple):
    """Consecutive rows of the same columns: `values[c][i]` is the cell of column `c` at the physical line `lines[i]`.
    `errors` are the rows among them that are none: (line, why)."""

    columns: tuple[str, ...]
    lines: Sequence[int]
    values: Sequence[Sequence[str]]
    errors: Sequence[tuple[int, str]] = ()
    header_line: int | None = None  # of a CSV
    texts: Sequence[str | None] | None = None  # own texts of inline recipients
    columns_at: Sequence[int] = ()  # the columns at which inline recipients begin in the campaign file

    @property
    def cells(self) -> list[list[str]]:
        """The values row by row."""
        return list(map(list, zip(*self.values, strict=True)))


def read_blocks(source: RecipientsFile, size: int = _BLOCK_ROWS) -> Iterator[Block]:
    """The rows of `source`, blank ones left out, about `size` a block.

    Raises:
        RecipientsError: it is no text, has no header, or one whose names can't be told apart.
    """
    with open_shaped(source) as (shape, lines):
        if shape.kind == "jsonl":
            yield from _json_blocks(lines, size)
        elif shape.kind == "txt":
            yield from _txt_blocks(lines, source.phone, size)
        else:
            yield from _csv_blocks(lines, shape, size)


def find_column(columns: Sequence[str], wanted: str) -> int | None:
    """The position of the column `wanted`: as written, else in any case."""
    if wanted in columns:
        return columns.index(wanted)
    folded = wanted.casefold()
    return next((index for index, name in enumerate(columns) if name.casefold() == folded), None)


def name_columns(columns: Sequence[str]) -> str:
    """Return `columns: …` for a message; a first line that contains a phone is a recipient and is not shown."""
    if any(_LIKE_A_PHONE.search(name) for name in columns):
        return "the first line is not a header; insert a line with the column names above it"
    return f"columns: {', '.join(columns)}"


def inline_blocks(audience: InlineRecipients, size: int) -> Iterator[Block]:
    """The recipients written in a campaign file, at most `size` a block; the phone is the last column."""
    recipients = iter(audience.rows)
    while some := list(islice(recipients, size)):
        for columns, alike in groupby(some, lambda one: tuple(one.variables)):
            members = list(alike)
            # Column by column: a tuple per row would make the garbage collector run.
            values = [[one.variables[name] for one in members] for name in columns]
            yield Block(
                (*columns, "phone"),
                [one.location.line or 1 for one in members],
                [*values, [one.phone for one in members]],
                texts=[one.text for one in members],
                columns_at=[one.location.column or 1 for one in members],
            )


def group_rows(rows: Sequence[tuple[int, Mapping[str, str]]]) -> Iterator[Block]:
    """Rows as blocks of the same columns, in order: mostly it is one."""
    start = 0
    for columns, alike in groupby([tuple(row) for _, row in rows]):
        members = rows[start : start + len(list(alike))]
        start += len(members)
        yield block_of_rows(columns, [line for line, _ in members], [row.values() for _, row in members])


def block_of_rows(
    columns: tuple[str, ...],
    lines: Sequence[int],
    rows: Sequence[Collection[str]],
    errors: Sequence[tuple[int, str]] = (),
    header_line: int | None = None,
) -> Block:
    """`rows` column by column."""
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return Block(columns, lines, values, list(errors), header_line)


def _csv_blocks(lines: Lines, shape: FileShape, size: int) -> Iterator[Block]:
    delimiter = shape.delimiter or ","
    if delimiter in '"\r\n\0 ':
        raise RecipientsError(f"rows can't be split at {delimiter!r}; mend `delimiter:`", 1)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = shape.first  # of the next record
    header: list[str] = []
    header_line = 0
    while not header_line:
        try:
            record = next(reader)
        except StopIteration:
            raise RecipientsError("it is empty: a header and rows are wanted", 1) from None
        except csv.Error as error:
            raise RecipientsError(f"it is not CSV: {error}", line) from error
        if any(cell.strip() for cell in record):
            header, header_line = [name.strip() for name in record], line
        line = shape.first + reader.line_num
    while header and not header[-1]:
        header.pop()
    _check_header(header, header_line)
    columns = tuple(header)
    some: list[str] = []
    while text := lines.read_block(size * _ROW_CHARACTERS):
        values = _split(text, delimiter, len(columns))
        if values is not None:
            places = range(line, line + len(values[0]))
            yield Block(columns, places, values, header_line=header_line)
        else:
            some = list(StringIO(text, newline=""))
            records = _unquoted(some, delimiter)
            if records is None:  # from the first quote on a row may stand on several lines
                break
            places = range(line, line + len(some))
            yield _csv_block(columns, places, records, header_line)
            some = []
        line = places.stop
    yield from _quoted_blocks(chain(some, lines), delimiter, columns, line, header_line, size)


def _split(text: str, delimiter: str, width: int) -> list[list[str]] | None:
    """The columns of lines that hold no quotes, several times as fast as csv.reader. None if it takes one to tell: a
    quote, a row of another width, a blank row, a cell that may be too long for it."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if '"' in text or "\r" in text or _ROW_END in text or len(text) > csv.field_size_limit():
        return None
    if not text.endswith("\n"):
        text += "\n"
    rows = text.count("\n")
    # If a mark behind each row stands behind each `width` cells, every row has as many.
    cells = text.replace("\n", f"{delimiter}{_ROW_END}{delimiter}").split(delimiter)
    step = width + 1
    if len(cells) != rows * step + 1 or cells[width::step].count(_ROW_END) != rows:
        return None
    columns = [cells[column:-1:step] for column in range(width)]
    if not columns or not all(columns[0]) or any(map(str.isspace, columns[0])):
        return None
    return columns


def _unquoted(lines: list[str], delimiter: str) -> list[list[str]] | None:
    """The records of lines that hold no quotes, a line each; None if it takes the lines after them to tell."""
    if '"' in "".join(lines):
        return None
    try:
        records = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records if len(records) == len(lines) else None


def _quoted_blocks(
    lines: Iterator[str], delimiter: str, columns: tuple[str, ...], line: int, header_line: int, size: int
) -> Iterator[Block]:
    """The rows from `line` on."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    first = line
    failed: csv.Error | None = None
    while failed is None:
        records: list[list[str]] = []
        before = reader.line_num
        try:
            # What was read before an error stays in `records`.
            records.extend(islice(reader, size))
        except csv.Error as error:
            failed = error
        if not records and failed is None:
            return
        # As many lines as records: each stands on one of its own, and the slow way to tell lines is not needed.
        plain = failed is None and reader.line_num - before == len(records)
        places = range(line, line + len(records)) if plain else _places(records, line)
        after = first + reader.line_num if failed is None else places.stop
        yield _csv_block(columns, places, records, header_line)
        line = after
    raise RecipientsError(f"it is not CSV: {failed}", line)


class _Places(list[int]):
    """Physical lines of records, and the line after the last."""

    stop: int = 0


def _places(records: list[list[str]], line: int) -> _Places:
    places = _Places()
    for record in records:
        places.append(line)
        line += 1
        for cell in record:
            if "\n" in cell or "\r" in cell:
                line += cell.count("\n") + cell.count("\r") - cell.count("\r\n")
    places.stop = line
    return places


def _csv_block(
    columns: tuple[str, ...], places: Sequence[int], records: list[list[str]], header_line: int
) -> Block:
    width = len(columns)
    if all(map(width.__eq__, map(len, records))) and all(map(str.strip, map("".join, records))):
        return block_of_rows(columns, places, records, header_line=header_line)
    lines: list[int] = []
    cells: list[list[str]] = []
    errors: list[tuple[int, str]] = []
    for line, record in zip(places, records, strict=True):
        if not any(cell.strip() for cell in record):
            continue
        while len(record) > width and not record[-1].strip():
            record.pop()  # Excel ends rows in empty cells
        if len(record) == width:
            lines.append(line)
            cells.append(record)
        else:
            errors.append((line, f"it has {counted(len(record), 'cell')}, the header has {width}"))
    return block_of_rows(columns, lines, cells, errors, header_line)


def _check_header(header: Sequence[str], line: int) -> None:
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise RecipientsError(f"its header names a column twice; {name_columns(sorted(twice))}", line)


def _json_blocks(lines: Iterator[str], size: int) -> Iterator[Block]:
    # Numbers stay as they were written: 1.50 is not 1.5.
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)
    numbered = enumerate(lines, 1)
    while batch := list(islice(numbered, size)):
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
        yield from group_rows(rows)


def _json_row(decoder: json.JSONDecoder, line: str) -> dict[str, str] | str:
    """The values of a line, or why it has none."""
    try:
        value = decoder.decode(line)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(value, dict):
        return "an object of plain values is wanted"
    row = {}
    for key, item in value.items():
        if isinstance(item, str):
            row[key] = item
        elif item is None:
            row[key] = ""
        elif isinstance(item, bool):
            row[key] = "true" if item else "false"
        else:
            return "an object of plain values is wanted"
    if "\\u" in line and any(not _is_text(part) for pair in row.items() for part in pair):
        return "it holds half a character (a lone surrogate)"
    return row


def _is_text(part: str) -> bool:
    try:
        part.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_constant(name: str) -> str:
    raise ValueError(name)


def _txt_blocks(lines: Iterator[str], phone: str, size: int) -> Iterator[Block]:
    numbered = enumerate(lines, 1)
    while batch := list(islice(numbered, size)):
        filled = [(number, line.strip()) for number, line in batch if line.strip()]
        yield Block((phone,), [number for number, _ in filled], [[line for _, line in filled]])
