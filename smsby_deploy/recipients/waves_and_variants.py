"""Which recipients are in which variant and which wave of a mailing.

A keyed hash of the phone decides, so the choice depends neither on the order of the rows nor on what the variants say;
the choice of a variant does not depend on other recipients either.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappush, heappushpop
from itertools import accumulate, count
from typing import NamedTuple

from smsby_deploy.config.declarations import Waves
from smsby_deploy.config.sources import TextsByVariant

_BITS = 64


def assign_variants(texts: TextsByVariant, phones: Iterable[str]) -> list[str]:
    names = [one.name for one in texts.variants for _ in range(one.share)]  # one for each percent
    keyed = blake2b(digest_size=_BITS // 8, key=texts.key)
    return [names[_hash(keyed, phone) * len(names) >> _BITS] for phone in phones]


def _hash(keyed: blake2b, phone: str) -> int:
    own = keyed.copy()
    own.update(phone.encode())
    return int.from_bytes(own.digest(), "big")


class Recipient(NamedTuple):
    """One recipient; `text` is None if all share one, `line` if lines are not needed."""

    phone: str
    is_kept: int  # 0: opted out
    text: str | None
    line: int | None
    variant: str | None


class _Candidate(NamedTuple):
    """A recipient in a wave with a size, unless recipients that come earlier displace it.

    `rank` is negative: in a heap, the last one is on top. `arrival` breaks ties. `later` is the wave to which a displaced
    recipient moves.
    """

    rank: int
    arrival: int
    later: int
    recipient: Recipient


@dataclass(slots=True)
class WaveSorter:
    """Sorts recipients into waves, numbered from 1.

    A wave with a `size` takes the recipients that come first by their hash, so these are known only after all have been
    placed. A wave with a `share` takes those whose second hash falls into its part, so its size is about that share.
    """

    waves: Waves
    _arrivals: Iterator[int] = field(default_factory=count)
    _first: dict[int, list[_Candidate]] = field(init=False)
    _shares: list[int] = field(init=False)
    _waves_of_shares: list[int] = field(init=False)

    def __post_init__(self) -> None:
        steps = self.waves.steps
        self._first = {number: [] for number, one in enumerate(steps, 1) if one.size is not None}
        shares = [(number, one.share) for number, one in enumerate(steps, 1) if one.share is not None]
        self._shares = [(share << _BITS) // 100 for share in accumulate(share for _, share in shares)]
        self._waves_of_shares = [*(number for number, _ in shares), len(steps)]

    def place(self, recipient: Recipient) -> tuple[int, Recipient] | None:
        """Place `recipient`; return a wave and a recipient who is now certain to be in it.

        That may be an earlier recipient. None if no further one is certain yet.
        """
        digest = blake2b(recipient.phone.encode(), key=self.waves.key, digest_size=2 * _BITS // 8).digest()
        rank, chance = (int.from_bytes(part, "big") for part in (digest[: _BITS // 8], digest[_BITS // 8 :]))
        later = self._waves_of_shares[bisect_right(self._shares, chance)]
        last = _Candidate(-rank, next(self._arrivals), later, recipient)
        for number, first in self._first.items():
            if number > last.later:
                continue
            if len(first) < (self.waves.steps[number - 1].size or 0):
                heappush(first, last)
                return None
            last = heappushpop(first, last)
        return last.later, last.recipient

    def rest(self) -> Iterator[tuple[int, Recipient]]:
        """Yield the recipients of the waves with a size, in the order of their hashes."""
        for number, first in self._first.items():
            for candidate in sorted(first, reverse=True):
                yield number, candidate.recipient
