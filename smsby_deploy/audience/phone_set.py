"""A set of phone numbers that stays small: a bit for each Belarusian number, a set for the rest."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

_BELARUSIAN = 10**9  # nine digits follow 375


class PhoneSet:
    """Exact. The bits lie in anonymous memory of which only touched pages cost anything: about 5 MB a million."""

    def __init__(self) -> None:
        self._bits: mmap.mmap | None = None
        self._others: set[str] = set()
        self._count = 0

    def add(self, phone: str) -> bool:
        """Put `phone` in; True if it was not there."""
        if not (len(phone) == 12 and phone.startswith("375")):
            if phone in self._others:
                return False
            self._others.add(phone)
            self._count += 1
            return True
        if self._bits is None:
            self._bits = mmap.mmap(-1, _BELARUSIAN // 8)
        index, bit = divmod(int(phone[3:]), 8)
        byte, mask = self._bits[index], 1 << bit
        if byte & mask:
            return False
        self._bits[index] = byte | mask
        self._count += 1
        return True

    def add_all(self, phones: Sequence[str]) -> list[int]:
        """Put all `phones` in; the positions of those that were there, or stood before in `phones`."""
        if self._bits is None:
            self._bits = mmap.mmap(-1, _BELARUSIAN // 8)
        bits = self._bits
        repeated = []
        for position, phone in enumerate(phones):
            if len(phone) == 12 and phone.startswith("375"):
                number = int(phone[3:])
                index, mask = number >> 3, 1 << (number & 7)
                byte = bits[index]
                if byte & mask:
                    repeated.append(position)
                else:
                    bits[index] = byte | mask
                    self._count += 1
            elif not self.add(phone):
                repeated.append(position)
        return repeated

    def find_all(self, phones: Sequence[str]) -> list[int]:
        """The positions in `phones` of those that are in the set."""
        if not self._count:
            return []
        bits, others = self._bits, self._others
        found = []
        for position, phone in enumerate(phones):
            if len(phone) == 12 and phone.startswith("375"):
                if bits is not None:
                    number = int(phone[3:])
                    if bits[number >> 3] & (1 << (number & 7)):
                        found.append(position)
            elif phone in others:
                found.append(position)
        return found

    def __contains__(self, phone: str) -> bool:
        if not (len(phone) == 12 and phone.startswith("375")):
            return phone in self._others
        if self._bits is None:
            return False
        index, bit = divmod(int(phone[3:]), 8)
        return bool(self._bits[index] & (1 << bit))

    def __len__(self) -> int:
        return self._count
