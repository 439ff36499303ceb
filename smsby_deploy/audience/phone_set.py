"""A set of phone numbers that stays small: a bit for each Belarusian number, a set for the rest."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence

_FIRST = 375 * 10**9
_BELARUSIAN = 10**9  # nine digits follow 375


def number_phones(phones: Iterable[str]) -> list[int]:
    """`phones`, each of ASCII digits, as the numbers that a PhoneSet holds: how far each is from 375000000000."""
    return [int(phone) - _FIRST for phone in phones]


class PhoneSet:
    """Exact. The bits lie in anonymous memory of which only touched pages cost anything: about 5 MB a million."""

    def __init__(self) -> None:
        self._bits: mmap.mmap | None = None  # mapped with the first number
        self._others: set[int] = set()
        self._count = 0

    def add_all(self, numbers: Sequence[int], other: PhoneSet | None = None) -> tuple[list[int], list[int]]:
        """Put all `numbers` in: the positions of those that were there, or stood before in `numbers`; and of the rest
        the positions of those that `other` has. Both at one go: a long list takes most of its time here."""
        if self._bits is None:
            self._bits = mmap.mmap(-1, _BELARUSIAN // 8)
        bits = self._bits
        wanted = other._bits if other is not None else None
        repeated: list[int] = []
        found: list[int] = []
        for position, number in enumerate(numbers):
            if 0 <= number < _BELARUSIAN:
                index, mask = number >> 3, 1 << (number & 7)
                byte = bits[index]
                if byte & mask:
                    repeated.append(position)
                    continue
                bits[index] = byte | mask
                if wanted is not None and wanted[index] & mask:
                    found.append(position)
            elif number in self._others:
                repeated.append(position)
            else:
                self._others.add(number)
                if other is not None and number in other._others:
                    found.append(position)
        self._count += len(numbers) - len(repeated)
        return repeated, found

    def __contains__(self, phone: str) -> bool:
        number = int(phone) - _FIRST
        if 0 <= number < _BELARUSIAN:
            return self._bits is not None and bool(self._bits[number >> 3] & (1 << (number & 7)))
        return number in self._others

    def __len__(self) -> int:
        return self._count
