"""The unpacked size of a Parquet file, taken from its page headers.

The metadata at the end of a file can claim any size, but pyarrow allocates and unpacks what each page header says. So
the headers are read first, in Thrift's compact protocol, at the offsets where pyarrow reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from smsby_deploy.wording import sentence

_COMMON_RATIO = 100  # of unpacked to packed bytes; more is suspicious above _SMALL
_SMALL = 64 << 20
_LARGEST_CHUNK = 1 << 30  # unpacked bytes of a column in a row group
_MOST_ROWS = 1000  # per byte of a file; a phone in each row takes more than that
_LARGEST_DELTAS = 1 << 20  # of DELTA_BYTE_ARRAY, where each value can repeat all of the previous one
_MOST_VALUES = 1 << 24  # per page; some encodings unpack all lengths at once
_MOST_PAGES = 200_000
_PADDING = 100  # old writers left the header of the dictionary out of a chunk's size, so pyarrow reads on
_TRAILER = 8  # bytes at the end of a file: the length of its metadata, and PAR1
_SIGNATURE = 28  # bytes after the metadata of a file with encrypted columns
_DELTA_BYTE_ARRAY = 7
_DICTIONARY_PAGE = 2
# The field of each kind of page with its own header, and the field of the encoding within it.
_OWN_HEADERS = ((0, (5, 2)), (_DICTIONARY_PAGE, (7, 2)), (3, (8, 4)))
# Types of the compact protocol in page headers: i16, i32 and i64; and with their widths, true, false, byte and double.
_INTEGERS, _BINARY, _STRUCT = (4, 5, 6), 8, 12
_WIDTHS = {1: 0, 2: 0, 3: 1, 7: 8}
_LAST_FIELD = 100  # highest field number of any struct; pyarrow would truncate larger ones
_DEEPEST = 8  # structs within structs; a page header has three


class OversizedFile(Exception):
    """A Parquet file whose unpacked size exceeds the limit or cannot be determined."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ColumnPages(NamedTuple):
    """The pages of one column in one row group: unpacked bytes, and how they are encoded."""

    column: str
    unpacked: int
    has_dictionary: bool
    has_deltas: bool


class _Header(NamedTuple):
    """The fields of a page header that determine its unpacked size."""

    kind: int
    unpacked: int
    packed: int
    values: int
    encoding: int


def check_pages(metadata: Any, path: Path, names: Sequence[str]) -> frozenset[str]:
    """Check that the columns `names` unpack to a reasonable size.

    Returns those with a dictionary.

    Raises:
        OversizedFile: the file would unpack to far more than its size, or its pages cannot be found.
    """
    size = path.stat().st_size
    if _is_encrypted(metadata, path):
        raise OversizedFile(sentence("its columns are encrypted; write the file without encryption"))
    if metadata.num_rows > max(1_000_000, _MOST_ROWS * size):
        raise OversizedFile(
            sentence("{count:,} rows are too many for a file of this size", count=metadata.num_rows)
        )
    largest = max(_LARGEST_CHUNK, _COMMON_RATIO * size)
    coded, unpacked = set(), 0
    with path.open("rb") as file:
        pages = _PageReader(file, size)
        for chunk in _chunks(metadata, names):
            found = pages.read_chunk(chunk)
            _check_chunk(found, chunk)
            unpacked += found.unpacked
            if unpacked > largest:
                raise OversizedFile(
                    sentence(
                        "the file unpacks to more than {size:,} MB, which is too much; leave columns out",
                        size=largest >> 20,
                    )
                )
            if found.has_dictionary:
                coded.add(found.column)
    return frozenset(coded)


def _is_encrypted(metadata: Any, path: Path) -> bool:
    """Whether columns are encrypted (there is a signature), which would crash pyarrow."""
    with path.open("rb") as file:
        file.seek(-_TRAILER, SEEK_END)
        length = int.from_bytes(file.read(4), "little")
    return bool(length - metadata.serialized_size == _SIGNATURE)


def _chunks(metadata: Any, names: Sequence[str]) -> Iterator[Any]:
    """Yield the metadata of each chunk of the columns `names`."""
    wanted = set(names)
    for group in range(metadata.num_row_groups):
        chunks = metadata.row_group(group)
        for index in range(chunks.num_columns):
            chunk = chunks.column(index)
            if chunk.path_in_schema in wanted:
                yield chunk


def _check_chunk(found: ColumnPages, chunk: Any) -> None:
    unpacked = max(found.unpacked, chunk.total_uncompressed_size)
    if unpacked > _LARGEST_CHUNK or unpacked > max(_SMALL, _COMMON_RATIO * chunk.total_compressed_size):
        raise OversizedFile(
            sentence(
                "the column {column} unpacks to {size:,} MB, which is too much; write smaller row groups, or leave the "
                "column out",
                column=found.column,
                size=unpacked >> 20,
            )
        )
    if found.has_deltas and unpacked > _LARGEST_DELTAS:
        raise OversizedFile(
            sentence(
                "the column {column} is encoded as DELTA_BYTE_ARRAY, which may unpack to any size; write the file with the "
                "default encoding",
                column=found.column,
            )
        )


class _PageReader:
    """Reads the headers of pages, and skips what they describe."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._count = 0

    def read_chunk(self, chunk: Any) -> ColumnPages:
        """Return what the pages of `chunk` unpack to.

        Raises:
            OversizedFile: a header cannot be read, or a page has too many values.
        """
        column, place = chunk.path_in_schema, chunk.data_page_offset
        if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < place:
            place = chunk.dictionary_page_offset
        end = min(place + chunk.total_compressed_size + _PADDING, self._size)
        values = unpacked = 0
        has_dictionary = has_deltas = False
        while values < chunk.num_values and place < end:
            header = self._read_header(place, column)
            place = self._file.tell() + header.packed
            unpacked += header.unpacked
            if header.kind == _DICTIONARY_PAGE:
                has_dictionary = True
                continue
            has_deltas |= header.encoding == _DELTA_BYTE_ARRAY
            values += header.values
        return ColumnPages(column, unpacked, has_dictionary, has_deltas)

    def _read_header(self, place: int, column: str) -> _Header:
        self._count += 1
        if self._count > _MOST_PAGES:
            raise OversizedFile(
                sentence("more than {count:,} pages; write the file with larger ones", count=_MOST_PAGES)
            )
        if place < 0:
            raise OversizedFile(sentence("a page is outside the file"))
        self._file.seek(place)
        header = _header_of(self._struct())
        if header is None or header.packed > self._size:
            raise OversizedFile(sentence("a page of the column {column} has no valid header", column=column))
        limit = header.unpacked if header.kind == _DICTIONARY_PAGE else _MOST_VALUES
        if header.values > limit:
            raise OversizedFile(
                sentence(
                    "a page of the column {column} has {count:,} values, which is too many",
                    column=column,
                    count=header.values,
                )
            )
        return header

    def _struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the fields of a struct by their numbers; text is skipped."""
        if depth > _DEEPEST:
            raise OversizedFile(sentence("a page header has structs within structs"))
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            if not 0 < number <= _LAST_FIELD:
                raise OversizedFile(sentence("a page header has unknown fields"))
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind == _STRUCT:
            return self._struct(depth + 1)
        if kind in _WIDTHS:
            return self._skip(_WIDTHS[kind])
        if kind == _BINARY:
            return self._skip(self._varint())
        raise OversizedFile(sentence("a page header has fields of an unknown type"))

    def _skip(self, length: int) -> None:
        if length > self._size:
            raise OversizedFile(sentence("a page header is longer than the file"))
        self._file.seek(length, 1)

    def _byte(self) -> int:
        found = self._file.read(1)
        if not found:
            raise OversizedFile(sentence("a page is outside the file"))
        return found[0]

    def _varint(self) -> int:
        number = 0
        for shift in range(0, 70, 7):
            part = self._byte()
            number |= (part & 127) << shift
            if part < 128:
                return number
        raise OversizedFile(sentence("a page header has a number that is too long"))

    def _integer(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)


def _header_of(fields: dict[int, Any]) -> _Header | None:
    """Build the header from the fields of a PageHeader; None if they are not valid."""
    kind = fields.get(1)
    own_field, encoding_field = next((place for known, place in _OWN_HEADERS if known == kind), (0, 0))
    own = fields.get(own_field, {})
    if not isinstance(own, dict):
        return None
    header: tuple[Any, ...] = (kind, fields.get(2), fields.get(3), own.get(1, 0), own.get(encoding_field, 0))
    if all(isinstance(number, int) and number >= 0 for number in header):
        return _Header(*header)
    return None
