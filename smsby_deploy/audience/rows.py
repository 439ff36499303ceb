"""Recipients files as rows: CSV and JSONL, also as Excel writes them. A stream; each row knows its physical line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smsby_deploy.project.declarations import RecipientsFile

_SAMPLE = 1 << 16


class BadRows(Exception):  # it says what it is
    """The file can't be read as rows; `line` is where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its physical line, and its values by column name. `error` tells why it is none."""

    line: int
    values: dict[str, str]
    error: str | None = None


def read_rows(source: RecipientsFile) -> Iterator[Row]:
    """The rows of `source`, blank ones left out.

    Raises:
        BadRows: it is not text, or has no header.
    """
    encoding = source.encoding or detect_encoding(source.path)
    try:
        with source.path.open(encoding=encoding, newline="") as file:
            if source.path.suffix.lower() == ".jsonl":
                yield from _json_rows(file)
            else:
                sample = file.read(_SAMPLE)
                file.seek(0)
                yield from _csv_rows(file, source.delimiter or detect_delimiter(sample))
    except UnicodeDecodeError as error:
        raise BadRows(f"it is not {encoding}; say `encoding:` in the campaign file", 1) from error
    except LookupError as error:
        raise BadRows(f"no such encoding: {encoding}", 1) from error


def detect_encoding(path: Path) -> str:
    """utf-8 (with or without BOM) if the whole file is, else cp1251, which Excel writes in a Russian locale."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp1251"
    return "utf-8-sig"


def detect_delimiter(sample: str) -> str:
    """The delimiter that the header holds most of."""
    header = sample.split("\n", 1)[0]
    return max(",;\t|", key=header.count)


def _csv_rows(lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    before = 0
    while True:
        try:
            record = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise BadRows(f"it is not CSV: {error}", before + 1) from error
        line, before = before + 1, reader.line_num
        if not any(cell.strip() for cell in record):
            continue
        if header is None:
            header = [name.strip() for name in record]
            continue
        if len(record) != len(header):
            yield Row(line, {}, f"it has {len(record)} cells, the header has {len(header)}")
        else:
            yield Row(line, dict(zip(header, (cell.strip() for cell in record), strict=True)))
    if header is None:
        raise BadRows("it is empty: a header and rows are wanted", 1)


def _json_rows(lines: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            yield Row(number, {}, "it is not JSON")
            continue
        if not isinstance(value, dict) or any(isinstance(item, dict | list) for item in value.values()):
            yield Row(number, {}, "an object of plain values is wanted")
            continue
        yield Row(number, {key: _plain(item) for key, item in value.items()})


def _plain(value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)
