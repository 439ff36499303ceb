"""The sizes of Parquet pages by their own headers, whatever the metadata says."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow.parquet import ParquetFile, write_table

from smsby_deploy.recipients import parquet_pages
from smsby_deploy.recipients.parquet_pages import OversizedFile, check_pages
from tests.recipients.parquet_files import lying_about

ROWS = 500
TABLE = pa.table(
    {
        "phone": [str(375291234500 + row) for row in range(ROWS)],
        "city": ["Minsk", None] * (ROWS // 2),
        "amount": list(range(ROWS)),
    }
)


def _check(path: Path, names: tuple[str, ...] = ("phone", "city", "amount")) -> frozenset[str]:
    with ParquetFile(path) as file:
        return check_pages(file.metadata, path, names)


@pytest.mark.parametrize(
    ("codec", "version", "is_coded"), list(product(["none", "snappy", "zstd"], ["1.0", "2.0"], [True, False]))
)
def test_check_pages_accepts_whatever_pyarrow_writes(
    tmp_path: Path, codec: str, version: str, is_coded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that pyarrow writes are accepted, whose metadata also counts the headers."""
    path = tmp_path / "vip.parquet"
    options: dict[str, Any] = {"compression": codec, "data_page_version": version, "use_dictionary": is_coded}
    write_table(TABLE, path, row_group_size=200, data_page_size=256, write_batch_size=16, **options)
    found: list[tuple[int, int]] = []
    check = parquet_pages._check_chunk
    monkeypatch.setattr(
        parquet_pages,
        "_check_chunk",
        lambda pages, chunk: (
            found.append((pages.unpacked, chunk.total_uncompressed_size)),
            check(pages, chunk),
        ),
    )
    assert _check(path) == (frozenset(TABLE.column_names) if is_coded else frozenset())
    assert len(found) == 9
    assert all(said * 0.3 < unpacked < said for unpacked, said in found)


def test_check_pages_believes_no_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of 4 MB is refused even if the metadata says 1 kB."""
    monkeypatch.setattr(parquet_pages, "_SMALL", 1 << 20)
    path = tmp_path / "vip.parquet"
    table = pa.table({"about": ["x" * (4 << 20)]})
    write_table(table, path, use_dictionary=False, compression="zstd", write_statistics=False)
    size = ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size
    path.write_bytes(lying_about(path.read_bytes(), size, 1000))
    assert ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size == 1000
    with pytest.raises(OversizedFile, match="the column about unpacks to 4 MB"):
        _check(path, ("about",))


def test_check_pages_adds_up_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes of all row groups are added up, since a file of kilobytes can have any number of small ones."""
    path = tmp_path / "vip.parquet"
    write_table(pa.table({"about": ["x" * 10_000] * 100}), path, row_group_size=1, use_dictionary=False)
    monkeypatch.setattr(parquet_pages, "_LARGEST_CHUNK", 500_000)
    monkeypatch.setattr(parquet_pages, "_COMMON_RATIO", 1)
    with pytest.raises(OversizedFile, match="the file unpacks to more than"):
        _check(path, ("about",))


def test_check_pages_sees_deltas_that_the_metadata_hides(tmp_path: Path) -> None:
    """Delta encoding is refused even if the metadata hides it: by repeats, 2 MB could become any size."""
    path = tmp_path / "vip.parquet"
    table = pa.table({"about": [f"{row}{'x' * (1 << 20)}" for row in range(2)]})
    write_table(table, path, use_dictionary=False, column_encoding={"about": "DELTA_BYTE_ARRAY"})
    content = path.read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    encodings = b"\x0e"  # 7, zigzag
    assert encodings in content[start:]
    path.write_bytes(content[:start] + content[start:].replace(encodings, b"\x00"))
    assert "DELTA_BYTE_ARRAY" not in ParquetFile(path).metadata.row_group(0).column(0).encodings
    with pytest.raises(OversizedFile, match="DELTA_BYTE_ARRAY"):
        _check(path, ("about",))


def test_check_pages_limits_pages_and_their_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "vip.parquet"
    write_table(TABLE, path, use_dictionary=False, data_page_size=64, write_batch_size=1)
    monkeypatch.setattr(parquet_pages, "_MOST_PAGES", 20)
    with pytest.raises(OversizedFile, match="more than 20 pages"):
        _check(path)
    monkeypatch.undo()
    monkeypatch.setattr(parquet_pages, "_MOST_VALUES", 0)
    with pytest.raises(OversizedFile, match="values, which is too many"):
        _check(path)


def test_check_pages_survives_any_damage(tmp_path: Path) -> None:
    """A header with any bytes is read or refused, and only its known fields count."""
    path = tmp_path / "vip.parquet"
    write_table(TABLE.slice(0, 20), path)
    content = path.read_bytes()
    with ParquetFile(path) as file:
        metadata = file.metadata
    chance = random.Random(7)
    refused = 0
    for _ in range(800):
        damaged = bytearray(content)
        chunk = metadata.row_group(0).column(chance.randrange(3))
        damaged[chunk.dictionary_page_offset + chance.randrange(60)] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            check_pages(metadata, path, TABLE.column_names)
        except OversizedFile:
            refused += 1
    assert 100 < refused < 800
