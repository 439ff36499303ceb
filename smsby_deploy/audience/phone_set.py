"""A set of phone numbers that stays small: a bit for each Belarusian number, a set for the rest."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

_FIRST = 375 * 10**9
_BELARUSIAN = 10**9  # nine digits follow 375


class PhoneSet:
    """Exact. The bits lie in anonymous memory of which only touched pages cost anything: about 5 MB a million."""

    def __init__(self) -> None:
        self._bits = mmap.mmap(-1, _BELARUSIAN // 8)
        self._others: set[str] = set()
        self._count = 0

    def add(self, phone: str) -> bool:
        """Put `phone` in; True if it was not there."""
        return not self.add_all([phone])

    def add_all(self, phones: Sequence[str]) -> list[int]:
        """Put all `phones` in; the positions of those that were there, or stood before in `phones`."""
        bits, repeated = self._bits, []
        numbers = _numbers(phones)
        if numbers is not None:
            for position, number in enumerate(numbers):
                offset = number - _FIRST
                index, mask = offset >> 3, 1 << (offset & 7)
                byte = bits[index]
                if byte & mask:
                    repeated.append(position)
                else:
                    bits[index] = byte | mask
        else:
            for position, phone in enumerate(phones):
                if _is_belarusian(phone):
                    if self.add_all([phone]):
                        repeated.append(position)
                elif phone in self._others:
                    repeated.append(position)
                else:
                    self._others.add(phone)
                    self._count += 1
            return repeated
        self._count += len(phones) - len(repeated)
        return repeated

    def find_all(self, phones: Sequence[str]) -> list[int]:
        """The positions in `phones` of those that are in the set."""
        if not self._count:
            return []
        bits = self._bits
        numbers = _numbers(phones)
        if numbers is None:
            return [position for position, phone in enumerate(phones) if phone in self]
        return [
            position
            for position, number in enumerate(numbers)
            if bits[(number - _FIRST) >> 3] & (1 << (number & 7))  # 375 * 10**9 is a multiple of 8
        ]

    def __contains__(self, phone: str) -> bool:
        if not _is_belarusian(phone):
            return phone in self._others
        index, bit = divmod(int(phone) - _FIRST, 8)
        return bool(self._bits[index] & (1 << bit))

    def __len__(self) -> int:
        return self._count


def _is_belarusian(phone: str) -> bool:
    return len(phone) == 12 and phone.startswith("375")


def _numbers(phones: Sequence[str]) -> list[int] | None:
    """`phones` as numbers if all are Belarusian, which they nearly always are."""
    if set(map(len, phones)) != {12}:
        return None
    numbers = list(map(int, phones))
    return numbers if min(numbers) >= _FIRST and max(numbers) < _FIRST + _BELARUSIAN else None
