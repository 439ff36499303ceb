"""Recipients without a delivery so far, kept compressed: a status report may have a million."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from smsby_deploy.smsby.deliveries import DeliveryStatus, read_delivery_status

_BLOCK_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Missed:
    """A recipient without a delivery so far; `status` and `at` are verbatim.

    `has_failed`: final, whatever the text of `status`. `is_overdue`: counted as undelivered because no final status came.
    """

    phone: str
    status: str
    at: str | None
    has_failed: bool = False
    is_overdue: bool = False

    @property
    def counted_as(self) -> str:
        """The count that includes this recipient: a documented status, or a key of `other`."""
        if self.is_overdue:
            return DeliveryStatus.UNDELIVERED
        return self.status if self.has_failed else read_delivery_status(self.status) or self.status


_MISSED_FIELDS = attrgetter("phone", "status", "at", "has_failed", "is_overdue")


class MissedRows(Collection[Missed]):
    """Recipients without a delivery, compressed: 900,000 of them take 10 MB instead of 400."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, rows: Iterable[Missed] = ()) -> None:
        self._blocks: list[tuple[int, bytes]] = []  # each with its number of rows
        rows = iter(rows)
        while block := list(islice(rows, _BLOCK_ROWS)):
            self._blocks.append(
                (len(block), zlib.compress(json.dumps([*map(_MISSED_FIELDS, block)]).encode(), 1))
            )

    def extend(self, other: MissedRows) -> None:
        """Add the rows of `other`."""
        self._blocks += other._blocks

    def __len__(self) -> int:
        return sum(count for count, _ in self._blocks)

    def __iter__(self) -> Iterator[Missed]:
        for _, block in self._blocks:
            for row in json.loads(zlib.decompress(block)):
                yield Missed(*row)

    def __contains__(self, row: object) -> bool:
        return any(row == one for one in self)

    def __eq__(self, other: object) -> bool:
        return self._blocks == other._blocks if isinstance(other, MissedRows) else NotImplemented

    def __repr__(self) -> str:
        return f"<{len(self)} rows>"  # no phones
