"""The mailings of a lock file, of which most runs change few.

Each is decoded when it is asked for, and is written as it was read unless it has changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import NamedTuple

import orjson

from smsby_deploy.lock.entry_json import entry_document, read_entry
from smsby_deploy.lock.json_text import canonical, indent_mailings
from smsby_deploy.lock.records import Entry

_END, _BETWEEN = b"\n    },\n", b",\n"  # nothing inside of a mailing is a line like the first


class Run(NamedTuple):
    """Successive mailings as a lock file has them, and each in its canonical form."""

    text: bytes | memoryview
    encoded: Iterable[tuple[str, bytes]]


class StoredMailings(Mapping[str, Entry]):
    """The mailings of a lock file by address, with what was changed since.

    They ascend as in the file; new ones follow.
    """

    __slots__ = ("_all", "_decoded", "_encoded", "_file", "_gone", "_new")

    def __init__(self, content: bytes, first: int, end: int, encoded: dict[str, bytes]) -> None:
        """The file `content` has them from `first` to `end`; `encoded` has their canonical forms."""
        self._file = content, first, end
        self._encoded = encoded
        self._decoded: dict[str, Entry] = {}  # as read, as far as asked for
        self._new: dict[str, Entry] = {}  # or changed
        self._gone: frozenset[str] = frozenset()  # of those in the file
        self._all: dict[str, Entry] | None = None  # once they were asked for

    def __getitem__(self, address: str) -> Entry:
        entry = self._new.get(address) or self._decoded.get(address)
        if address in self._gone:
            raise KeyError(address)
        if entry is None:
            stored = self._encoded[address]
            entry = self._decoded[address] = read_entry(orjson.loads(stored))
            object.__setattr__(entry, "stored", stored)  # only of this object, never of a changed copy
        return entry

    def __contains__(self, address: object) -> bool:
        return address in self._new or (address in self._encoded and address not in self._gone)

    def __iter__(self) -> Iterator[str]:
        yield from (address for address in self._encoded if address not in self._gone)
        yield from (address for address in self._new if address not in self._encoded)

    def __len__(self) -> int:
        return len(self._encoded) - len(self._gone) + len(self._new.keys() - self._encoded.keys())

    def items(self) -> ItemsView[str, Entry]:
        return self._decode_all().items()

    def values(self) -> ValuesView[Entry]:
        return self._decode_all().values()

    def _decode_all(self) -> dict[str, Entry]:
        if self._all is None:
            self._all = {address: self[address] for address in self}
        return self._all

    def __or__(self, new: Mapping[str, Entry]) -> StoredMailings:
        """Return these with `new` ones, which replace those at their addresses."""
        return self._changed({**self._new, **new}, self._gone - new.keys())

    def without(self, addresses: Collection[str]) -> StoredMailings:
        """Return these without those at `addresses`."""
        new = {address: entry for address, entry in self._new.items() if address not in addresses}
        return self._changed(new, self._gone | (self._encoded.keys() & set(addresses)))

    def _changed(self, new: dict[str, Entry], gone: frozenset[str]) -> StoredMailings:
        changed = StoredMailings(*self._file, self._encoded)
        changed._decoded, changed._new, changed._gone = self._decoded, new, gone
        return changed

    @property
    def new(self) -> Mapping[str, Entry]:
        """Those that are not in the file, or are otherwise there."""
        return self._new

    def runs(self) -> Iterator[Run]:
        """Yield all as a lock file has them, by ascending addresses; encode only new ones."""
        addresses, places = list(self._encoded), list(split_mailings(*self._file))
        text = memoryview(self._file[0])

        def unchanged(first: int, end: int) -> Iterator[Run]:
            if first < end:
                encoded = ((address, self._encoded[address]) for address in addresses[first:end])
                yield Run(text[places[first][0] : places[end - 1][1]], encoded)

        first = 0
        for address in sorted(self._new.keys() | self._gone):
            place = bisect_left(addresses, address)
            yield from unchanged(first, place)
            if (entry := self._new.get(address)) is not None:
                yield _encode(address, entry)
            first = place + (address in self._encoded)
        yield from unchanged(first, len(addresses))


Mailings = dict[str, Entry] | StoredMailings


def split_mailings(content: bytes, first: int, end: int, least: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where each mailing of a lock file begins and ends, or several in `least` bytes."""
    while (last := content.find(_END, first + least, end)) >= 0:
        first, begin = last + len(_END), first
        yield begin, first - len(_BETWEEN)
    yield first, end


def _encode(address: str, entry: Entry) -> Run:
    """Return one mailing as a lock file has it."""
    document = entry_document(entry)
    return Run(indent_mailings({address: document}), [(address, canonical(document))])


def new_mailings(mailings: Mailings) -> Mapping[str, Entry]:
    """Return those that are not in the file they were read from, or are otherwise there."""
    return mailings.new if isinstance(mailings, StoredMailings) else mailings


def without(mailings: Mailings, addresses: Collection[str]) -> Mailings:
    """Return `mailings` without those at `addresses`."""
    if isinstance(mailings, StoredMailings):
        return mailings.without(addresses)
    return {address: entry for address, entry in mailings.items() if address not in addresses}


def runs(mailings: Mailings) -> Iterator[Run]:
    """Yield `mailings` as a lock file has them, by ascending addresses."""
    if isinstance(mailings, StoredMailings):
        return mailings.runs()
    return (_encode(address, entry) for address, entry in sorted(mailings.items()))
