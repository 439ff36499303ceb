"""Batches built from each recipient's variables instead of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smsby_deploy.recipients.audience import Batch


def make_batch(
    rows: Sequence[Mapping[str, str]], own: str | None = None, phone: str = "375291234567"
) -> Batch:
    """A batch of `rows`, which have the same names, starting at line 3."""
    names = tuple(name for name in rows[0] if name != "phone")
    values = [[row[name] for row in rows] for name in names]
    not_suppressed = bytearray(b"\1") * len(rows)
    return Batch(
        [phone] * len(rows), names, values, [own] * len(rows), range(3, 3 + len(rows)), not_suppressed
    )
