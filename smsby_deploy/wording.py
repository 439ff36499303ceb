"""Counts with a noun that agrees with them."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return `1 part` or `27,631 parts`.

    `many` is the plural of `one` if it is not `one` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
