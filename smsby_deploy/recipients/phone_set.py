"""Sets of phone numbers: one bit per Belarusian number, a Python set for the others."""

from __future__ import annotations

import hashlib
import mmap
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, pairwise, repeat
from operator import itemgetter
from typing import TYPE_CHECKING

import orjson

from smsby_deploy.numbering_plan import OPERATORS

if TYPE_CHECKING:
    from smsby_deploy.recipients.rows import DataAge

FIRST_NUMBER = 375 * 10**9
_BELARUSIAN = 10**9  # numbers of nine digits after 375
_MOBILE_BYTES = [(code * 10**7 // 8, (code + 1) * 10**7 // 8) for code in map(int, OPERATORS)]  # of the map
_LANDLINE_BYTES = [
    (before[1], after[0]) for before, after in pairwise([(0, 0), *_MOBILE_BYTES, (_BELARUSIAN // 8, 0)])
]
_PAGE = 4096
_LISTED = 20_000  # up to this size, the digest covers the sorted numbers; at least _FEW
_FEW = 20_000  # up to this size, a set is faster than touching the pages of a map


def number_phones(phones: Iterable[str]) -> list[int]:
    """Return normalized phones as PhoneSet numbers: their distances from 375000000000."""
    # Parsing them as one JSON array takes half the time.
    return [number - FIRST_NUMBER for number in orjson.loads(f"[{','.join(phones)}]")]


class PhoneSet:
    """An exact set of phone numbers.

    Its bits are in anonymous memory, of which only touched pages count: about 5 MB per million numbers.
    """

    def __init__(self) -> None:
        self._bits: mmap.mmap | None = None  # None for a small set
        self._others: set[int] = set()  # numbers without a bit
        self._count = 0
        self.only: PhoneSet | None = None  # of suppressed phones: if set, every phone outside it is held out
        self.ages: list[DataAge] = []  # of suppressed phones: the queries that must be fresh

    def add_all(self, numbers: Sequence[int], other: PhoneSet | None = None) -> tuple[list[int], list[int]]:
        """Add `numbers`; return the positions of repeats, and of numbers in `other`.

        A repeat was in the set before, or occurs earlier in `numbers`. Both lists come from one pass: reading a long list of
        recipients spends most of its time here.
        """
        if not numbers:  # a block without a valid phone
            return [], []
        if self._bits is None and self._count + len(numbers) > _FEW:
            few, self._others, self._count = list(self._others), set(), 0
            self._bits = mmap.mmap(-1, _BELARUSIAN // 8)
            self.add_all(few)
        if other is not None and not other._count:
            other = None
        bits = self._bits
        if bits is None or not _are_belarusian(numbers) or (other is not None and other._bits is None):
            return self._add_any(numbers, other)
        indexes = [number >> 3 for number in numbers]
        # Fetching all bytes in one call overlaps the waits for memory; our own bytes are fetched only for that effect.
        fetch = itemgetter(*indexes, 0)
        fetch(bits)
        theirs: Iterable[int] = fetch(other._bits) if other is not None and other._bits else repeat(0)
        repeated: list[int] = []
        found: list[int] = []
        for position, number, index, their_byte in zip(count(), numbers, indexes, theirs, strict=False):
            byte, mask = bits[index], 1 << (number & 7)
            if byte & mask:
                repeated.append(position)
                continue
            bits[index] = byte | mask
            if their_byte & mask:
                found.append(position)
        self._count += len(numbers) - len(repeated)
        return repeated, found

    def _add_any(self, numbers: Sequence[int], other: PhoneSet | None) -> tuple[list[int], list[int]]:
        """Do `add_all` for numbers that may have no bit in one of the sets."""
        bits = self._bits
        if bits is None:
            return self._add_few(numbers, other)
        repeated: list[int] = []
        found: list[int] = []
        for position, number in enumerate(numbers):
            if self._has(number):
                repeated.append(position)
                continue
            if _is_belarusian(number):
                bits[number >> 3] |= 1 << (number & 7)
            else:
                self._others.add(number)
            if other is not None and other._has(number):
                found.append(position)
        self._count += len(numbers) - len(repeated)
        return repeated, found

    def _add_few(self, numbers: Sequence[int], other: PhoneSet | None) -> tuple[list[int], list[int]]:
        """Do `add_all` while all numbers are in one Python set."""
        seen = self._others
        repeated: list[int] = []
        for position, number in enumerate(numbers):
            if number in seen:
                repeated.append(position)
            else:
                seen.add(number)
        self._count = len(seen)
        found = [position for position, number in enumerate(numbers) if other._has(number)] if other else []
        if repeated and found:
            found = sorted(set(found).difference(repeated))
        return repeated, found

    def union(self, other: PhoneSet) -> PhoneSet:
        """Return a new set of the numbers in this set or in `other`; its `only` is that of `other`."""
        both = PhoneSet()
        for one in (self, other):
            both.add_all(list(one.numbers()))
        both.only, both.ages = other.only, other.ages
        return both

    def numbers(self) -> Iterator[int]:
        """Yield every number of the set, in no particular order."""
        yield from self._others
        yield from self._mapped()

    def has_number(self, number: int) -> bool:
        """Whether the set contains a number or holds it out; `in` does the same for a phone."""
        return self._has(number) or (self.only is not None and not self.only._has(number))

    def mark_others(self, numbers: Sequence[int]) -> bytearray:
        """Return 1 for each of `numbers` that is not in the set, otherwise 0."""
        marks = bytearray(b"\1") * len(numbers)
        bits = self._bits
        if bits is not None and _are_belarusian(numbers):
            found = [i for i, number in enumerate(numbers) if bits[number >> 3] & (1 << (number & 7))]
        else:
            found = [i for i, number in enumerate(numbers) if self._count and self._has(number)]
        for position in found:
            marks[position] = 0
        return marks

    def digest(self) -> str:
        """Return the sha256 of the set; it depends on the numbers only."""
        digest = hashlib.sha256(b"%d\n" % self._count)
        numbers = array("q", sorted(self._others))
        if self._bits is not None and self._count <= _LISTED:
            # A set of the same numbers may have no map, so the digest must not depend on it.
            numbers = array("q", sorted((*self._others, *self._mapped())))
        elif self._bits is not None:
            for offset, bits, _ in self._pages():
                digest.update(b"%d\n%b" % (offset, bits))
        if sys.byteorder == "big":
            numbers.byteswap()
        digest.update(numbers.tobytes())
        return digest.hexdigest()

    def count_common(self, other: PhoneSet, without: PhoneSet) -> int:
        """Return how many numbers are in this set and in `other`, but not in `without`."""
        few, many = sorted((self, other), key=lambda one: (one._bits is not None, one._count))
        single = few._others & many._others if many._bits is None else set(filter(many._has, few._others))
        common = sum(not without._has(number) for number in single) if without._count else len(single)
        if few._bits is None:
            return common
        assert many._bits is not None
        for offset, bits, page in few._pages():
            place = slice(offset, offset + len(bits))
            both = page & int.from_bytes(many._bits[place], "little")
            if without._bits is not None:
                both &= ~int.from_bytes(without._bits[place], "little")
            common += both.bit_count()
        if without._bits is None:
            dropped = (number for number in without._others if _is_belarusian(number))
            common -= sum(few._has(number) and many._has(number) for number in dropped)
        return common

    def _mapped(self) -> Iterator[int]:
        """Yield the numbers that have a bit."""
        for offset, bits, _ in self._pages():
            for index, byte in enumerate(bits, start=offset):
                yield from (index * 8 + bit for bit in range(8) if byte >> bit & 1)

    def _pages(self) -> Iterator[tuple[int, bytes, int]]:
        """Yield the non-empty pages of the map in a fixed order: offset, bytes, bytes as a number."""
        left = self._count - len(self._others)
        # Nearly all numbers are mobile. The rest of the map is long, so it is read only if it holds any.
        for start, end in (*_MOBILE_BYTES, *_LANDLINE_BYTES):
            for offset in range(start, end, _PAGE):
                if self._bits is None or not left:
                    return
                bits = self._bits[offset : min(end, offset + _PAGE)]
                if bits != bytes(len(bits)):
                    page = int.from_bytes(bits, "little")
                    left -= page.bit_count()
                    yield offset, bits, page

    def _has(self, number: int) -> bool:
        if self._bits is not None and _is_belarusian(number):
            return bool(self._bits[number >> 3] & (1 << (number & 7)))
        return number in self._others

    def __contains__(self, phone: str) -> bool:
        return self.has_number(int(phone) - FIRST_NUMBER)

    def __len__(self) -> int:
        return self._count


def numbers_in_two(sets: Sequence[PhoneSet]) -> PhoneSet:
    """Return the numbers that at least two of `sets` contain."""
    found, once, once_mapped = set[int](), set[int](), dict[int, int]()
    common, pages = PhoneSet(), dict[int, int]()
    for one in sets if len(sets) > 1 else ():
        found |= once & one._others
        once |= one._others
        for offset, _, page in one._pages():
            before = once_mapped.get(offset, 0)
            if again := page & before:
                pages[offset] = pages.get(offset, 0) | again
            once_mapped[offset] = page | before
    mapped = [one for one in sets if one._bits is not None]
    if mapped:  # a number in a small set may have its bit in another
        few = filter(_is_belarusian, once)
        found |= {number for number in few if any(one._has(number) for one in mapped)}
    if sum(page.bit_count() for page in pages.values()) + len(found) <= _FEW:
        for offset, page in pages.items():
            found.update(offset * 8 + bit for bit in _bits_of(page))
    elif pages:
        common._bits = mmap.mmap(-1, _BELARUSIAN // 8)
        for offset, page in pages.items():
            size = (page.bit_length() + 7) // 8
            common._bits[offset : offset + size] = page.to_bytes(size, "little")
            common._count += page.bit_count()
    common.add_all(list(found))
    return common


def _bits_of(page: int) -> Iterator[int]:
    while page:
        lowest = page & -page
        yield lowest.bit_length() - 1
        page ^= lowest


def _is_belarusian(number: int) -> bool:
    return 0 <= number < _BELARUSIAN


def _are_belarusian(numbers: Sequence[int]) -> bool:
    """Whether all numbers are Belarusian, which is the usual case."""
    return not numbers or (min(numbers) >= 0 and max(numbers) < _BELARUSIAN)
