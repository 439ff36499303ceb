"""Counts in words."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 part`, `27,631 parts`; `many` where it is not `one` with an s: `1 person`, `2 people`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
