"""A set of phone numbers that stays small: a set for a few, and for many a bit for each Belarusian number."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence

_FIRST = 375 * 10**9
_BELARUSIAN = 10**9  # nine digits follow 375
_FEW = 4000  # that many in a set take less than the pages that they would touch, and no system calls


def number_phones(phones: Iterable[str]) -> list[int]:
    """`phones`, each of ASCII digits, as the numbers that a PhoneSet holds: how far each is from 375000000000."""
    return [int(phone) - _FIRST for phone in phones]


class PhoneSet:
    """Exact. The bits lie in anonymous memory of which only touched pages cost anything: about 5 MB a million."""

    def __init__(self) -> None:
        self._bits: mmap.mmap | None = None  # none while there are few
        self._others: set[int] = set()  # all that have no bit
        self._count = 0

    def add_all(self, numbers: Sequence[int]) -> list[int]:
        """Put all `numbers` in; the positions of those that were there, or stood before in `numbers`."""
        repeated: list[int] = []
        if self._bits is None and self._count + len(numbers) > _FEW:
            self._make_bits()
        if self._bits is None or not _are_belarusian(numbers):
            return self._add_any(numbers)
        bits = self._bits
        for position, number in enumerate(numbers):
            index, mask = number >> 3, 1 << (number & 7)
            byte = bits[index]
            if byte & mask:
                repeated.append(position)
            else:
                bits[index] = byte | mask
        self._count += len(numbers) - len(repeated)
        return repeated

    def find_all(self, numbers: Sequence[int]) -> list[int]:
        """The positions in `numbers` of those that are in the set."""
        if not self._count:
            return []
        bits = self._bits
        if bits is None or not _are_belarusian(numbers):
            return [position for position, number in enumerate(numbers) if self._has(number)]
        return [
            position for position, number in enumerate(numbers) if bits[number >> 3] & (1 << (number & 7))
        ]

    def _make_bits(self) -> None:
        few, self._others, self._count = self._others, set(), 0
        self._bits = mmap.mmap(-1, _BELARUSIAN // 8)
        self._add_any(few)

    def _add_any(self, numbers: Iterable[int]) -> list[int]:
        repeated = []
        for position, number in enumerate(numbers):
            if self._bits is not None and _is_belarusian(number):
                repeated += [position] * len(self.add_all([number]))
            elif number in self._others:
                repeated.append(position)
            else:
                self._others.add(number)
                self._count += 1
        return repeated

    def _has(self, number: int) -> bool:
        if self._bits is not None and _is_belarusian(number):
            return bool(self._bits[number >> 3] & (1 << (number & 7)))
        return number in self._others

    def __contains__(self, phone: str) -> bool:
        return self._has(int(phone) - _FIRST)

    def __len__(self) -> int:
        return self._count


def _is_belarusian(number: int) -> bool:
    return 0 <= number < _BELARUSIAN


def _are_belarusian(numbers: Sequence[int]) -> bool:
    """Whether all are, as they nearly always are."""
    return not numbers or (min(numbers) >= 0 and max(numbers) < _BELARUSIAN)
