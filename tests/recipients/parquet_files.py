"""Parquet files with false metadata."""

from __future__ import annotations


def lying_about(content: bytes, number: int, lie: int) -> bytes:
    """Return a file whose metadata has `lie` in place of `number`, with the same length."""
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    footer = content[start:-8]
    written = _varint(2 * number)
    assert written in footer
    return content[:start] + footer.replace(written, _varint(2 * lie, len(written))) + content[-8:]


def _varint(number: int, length: int = 0) -> bytes:
    """Return a number in Thrift's compact protocol, padded to `length` bytes."""
    parts = []
    while number > 127 or len(parts) + 1 < length:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])
