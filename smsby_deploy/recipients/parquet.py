"""Recipients in Parquet files, read batch by batch in the order of their names.

Requires the extra `parquet`. Rows are numbered from 1 across all files; `ParquetRows` finds the file of a row.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from smsby_deploy.config.project_files import why_missing
from smsby_deploy.config.sources import RecipientsParquet
from smsby_deploy.problems import Location
from smsby_deploy.recipients.cell_values import UnsupportedValue, shorten_floats, text_columns
from smsby_deploy.recipients.parquet_pages import OversizedFile, check_pages
from smsby_deploy.recipients.rows import (
    BLOCK_ROWS,
    LONGEST_VALUE,
    Block,
    RecipientsError,
    repeated_names,
    say_repeated,
    short_name,
)
from smsby_deploy.wording import sentence

# The system's allocator frees memory at once; arrow's own pool keeps 30 MB after a million rows. Arrow reads this
# environment variable when it is imported.
_POOL = "ARROW_DEFAULT_MEMORY_POOL"
_BUFFER = 1 << 16  # bytes of a column chunk in memory, so that memory does not grow with the row groups


def read_parquet(source: RecipientsParquet) -> Iterator[Block]:
    """Yield the rows of all files, BLOCK_ROWS at a time, without lists, maps and bytes.

    Raises:
        RecipientsError: pyarrow is missing, or a file cannot be read.
    """
    arrow = _arrow()
    first = 1
    for path, _ in source.files:
        try:
            with _open(path) as file:
                schema = file.schema_arrow
                if twice := repeated_names(schema.names):
                    raise RecipientsError(say_repeated(twice), first)
                names = _plain_columns(schema)
                if not names:
                    raise RecipientsError(sentence("no columns of text, numbers, dates or booleans"), first)
                dictionaries = _dictionaries(file, path, check_pages(file.metadata, path, names))
            with _open(path, dictionaries) as file:
                for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=names, use_threads=False):
                    # By name, because for a column `a.b` pyarrow also returns the field `b` of a column `a`.
                    values = text_columns(_values(arrow, batch.column(name)) for name in names)
                    rows = range(first, first + len(values[0]))
                    yield Block(tuple(names), rows, values, header_line=first, is_typed=True)
                    first = rows.stop
        except OversizedFile as error:
            raise RecipientsError(error.message, first) from error
        except UnsupportedValue as error:
            message = sentence(
                "unsupported type of value ({kind}) in {column}; correct it",
                kind=str(error),
                column=short_name(names, error.column),
            )
            raise RecipientsError(message, first + error.row) from error
        except (arrow.ArrowException, OSError, OverflowError, ValueError) as error:
            message = sentence("cannot read the file as Parquet: {why}", why=_reason(error))
            raise RecipientsError(message, first) from error


class ParquetRows:
    """Finds the file of a row that is counted across all files."""

    def __init__(self, source: RecipientsParquet) -> None:
        self._source = source

    def find(self, row: int) -> Location:
        name = self._source.name
        for (_, name), count in zip(self._source.files, self._counts, strict=False):
            if row <= count:
                return Location(name, row)
            row -= count
        return Location(name, row)

    @cached_property
    def _counts(self) -> list[int]:
        """The number of rows of each file, 1 for an unreadable one.

        The only problem of an unreadable file is at its first row.
        """
        counts = []
        for path, _ in self._source.files:
            try:
                with _open(path) as file:
                    counts.append(file.metadata.num_rows)
            except (_arrow().ArrowException, OSError):
                counts.append(1)
        return counts


def _arrow() -> Any:
    asked = os.environ.get(_POOL)
    os.environ.setdefault(_POOL, "system")
    try:
        import pyarrow as arrow

        arrow.default_memory_pool()  # no effect if arrow was imported before
    except ModuleNotFoundError:
        message = sentence(
            "reading Parquet requires pyarrow, which is not installed: pip install 'smsby-deploy[parquet]'"
        )
        raise RecipientsError(message, code="EXTRA") from None
    finally:
        if asked is None:
            del os.environ[_POOL]
    return arrow


def _open(path: Path, dictionaries: Sequence[str] = ()) -> Any:
    from pyarrow.parquet import ParquetFile

    if not path.is_file():  # a pipe may never end
        raise OSError(why_missing(path, path.name))
    return ParquetFile(
        path, memory_map=False, pre_buffer=False, buffer_size=_BUFFER, read_dictionary=list(dictionaries)
    )


def _dictionaries(file: Any, path: Path, names: Collection[str]) -> list[str]:
    """Return the text columns among `names` whose dictionaries hold long values.

    Reading these as dictionaries keeps pyarrow from copying a long value into every row that refers to it. For other
    columns, that would be slower.
    """
    schema = file.schema_arrow
    coded = [name for name in schema.names if name in names and _is_text(schema.field(name).type)]
    long: set[str] = set()
    with _open(path, coded) as dictionaries:
        for group in range(file.metadata.num_row_groups if coded else 0):
            # The first row comes with the whole dictionary.
            rows = dictionaries.iter_batches(
                batch_size=1, row_groups=[group], columns=coded, use_threads=False
            )
            for row in islice(rows, 1):
                long.update(name for name in coded if _is_long(row.column(name).dictionary))
    return sorted(long)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _plain_columns(schema: Any) -> list[str]:
    from pyarrow import types

    def is_plain(kind: Any) -> bool:
        if types.is_dictionary(kind):
            kind = kind.value_type
        return not (
            types.is_nested(kind)
            or types.is_binary(kind)
            or types.is_large_binary(kind)
            or types.is_fixed_size_binary(kind)
            or types.is_binary_view(kind)
            or types.is_duration(kind)
            or types.is_interval(kind)
        )

    return [field.name for field in schema if field.name and is_plain(field.type)]


def _values(arrow: Any, column: Any) -> list[Any]:
    if arrow.types.is_dictionary(column.type):
        column = arrow.DictionaryArray.from_arrays(
            column.indices, _cut(column.dictionary)
        ).dictionary_decode()
    column = _cut(column)
    if arrow.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python's times have microseconds.
        column = column.cast(arrow.timestamp("us", column.type.tz), safe=False)
    elif arrow.types.is_time64(column.type) and column.type.unit == "ns":
        column = column.cast(arrow.time64("us"), safe=False)
    values: list[Any] = column.to_pylist()
    if arrow.types.is_float32(column.type) or arrow.types.is_float16(column.type):
        return shorten_floats(values, "f" if arrow.types.is_float32(column.type) else "e")
    return values


def _cut(column: Any) -> Any:
    """Truncate texts to one character more than the longest allowed value."""
    from pyarrow import compute

    return compute.utf8_slice_codeunits(column, 0, LONGEST_VALUE + 1) if _is_long(column) else column


def _is_long(column: Any) -> bool:
    """Whether a text in `column` may be too long, judged by bytes, not characters."""
    from pyarrow import compute

    if not _is_text(column.type):
        return False
    return bool((compute.max(compute.binary_length(column)).as_py() or 0) > LONGEST_VALUE)


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
