"""The mailings of a lock file, few of which change in a run.

Each is decoded when it is asked for, and is written as it was read unless it has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, Mapping, Set, ValuesView
from itertools import chain, islice
from typing import Any, NamedTuple

from smsby_deploy.lock.entry_json import entry_document, read_entry
from smsby_deploy.lock.json_text import canonical, indent_mailings
from smsby_deploy.lock.mailing_file import MailingFile
from smsby_deploy.lock.records import Entry, RecordedMailings

_RUN = 64  # mailings that are encoded at once


class Run(NamedTuple):
    """Successive mailings as in a lock file, and in their canonical form."""

    text: bytes
    encoded: bytes


class StoredMailings(RecordedMailings):
    """The mailings of a lock file by address, with the changes since it was read.

    They are in the order of the file; new ones follow.
    """

    def __init__(self, file: MailingFile) -> None:
        self._file = file
        self._decoded: dict[str, Entry] = {}  # entries of the file that were asked for
        self._new: dict[str, Entry] = {}  # or changed
        self._gone: frozenset[str] = frozenset()  # addresses in the file that were removed
        self._all: dict[str, Entry] | None = None  # once asked for

    def __getitem__(self, address: str) -> Entry:
        entry = self._new.get(address) or self._decoded.get(address)
        if address in self._gone:
            raise KeyError(address)
        if entry is None:
            entry = self._decoded[address] = read_entry(self._file.document(address))
        return entry

    def __contains__(self, address: object) -> bool:
        return address in self._new or (address in self._file and address not in self._gone)

    def __iter__(self) -> Iterator[str]:
        gone = self._gone
        there = (address for address in self._file if address not in gone) if gone else self._file
        return chain(there, (address for address in self._new if address not in self._file))

    def __len__(self) -> int:
        return len(self._file) - len(self._gone) + sum(address not in self._file for address in self._new)

    def items(self) -> ItemsView[str, Entry]:
        return self._decode_all().items()

    def values(self) -> ValuesView[Entry]:
        return self._decode_all().values()

    def _decode_all(self) -> dict[str, Entry]:
        if self._all is None:
            for address, document in self.documents(self.keys()):
                if address not in self._decoded:
                    self._decoded[address] = read_entry(document)
            self._all = {address: self[address] for address in self}
        return self._all

    def is_as_read(self, address: str) -> bool:
        """Whether a mailing of the file was neither changed nor removed."""
        return address not in self._new and address not in self._gone

    def documents(self, addresses: Set[str]) -> Iterator[tuple[str, Any]]:
        """Yield, as JSON, the mailings at `addresses` that are unchanged since the file was read."""
        for batch in self._file.batches_of(addresses):
            for address, document in self._file.documents(batch).items():
                if address in addresses and self.is_as_read(address):
                    yield address, document

    def read(self, addresses: Set[str]) -> Iterator[tuple[str, Entry]]:
        """Yield the mailings at `addresses`, one after the other; none is kept."""
        for address, document in self.documents(addresses):
            yield address, self._decoded.get(address) or read_entry(document)
        yield from ((address, entry) for address, entry in self._new.items() if address in addresses)

    def __or__(self, new: Mapping[str, Entry]) -> StoredMailings:
        """Return a copy with `new` mailings, which replace those at their addresses."""
        return self._changed({**self._new, **new}, self._gone - new.keys())

    def without(self, addresses: Collection[str]) -> StoredMailings:
        """Return a copy without the mailings at `addresses`."""
        new = {address: entry for address, entry in self._new.items() if address not in addresses}
        return self._changed(new, self._gone | {address for address in addresses if address in self._file})

    def _changed(self, new: dict[str, Entry], gone: frozenset[str]) -> StoredMailings:
        changed = StoredMailings(self._file)
        changed._decoded, changed._new, changed._gone = self._decoded, new, gone
        return changed

    @property
    def file(self) -> MailingFile:
        """The mailings of the file, whatever has changed since."""
        return self._file

    @property
    def new(self) -> Mapping[str, Entry]:
        """The mailings that are not in the file, or that have changed."""
        return self._new

    def runs(self) -> Iterator[Run]:
        """Yield all mailings as in a lock file, in order of address.

        Only new ones are encoded, with those around them.
        """
        if not self._file.batches:
            yield from _encode({address: entry_document(self._new[address]) for address in sorted(self._new)})
            return
        changes: dict[str, list[str]] = {}
        for address in sorted(self._new.keys() | self._gone):
            changes.setdefault(self._file.batch_of(address).first, []).append(address)
        for batch in self._file.batches:
            if batch.first not in changes:
                yield Run(self._file.text(batch), self._file.encoded(batch))
                continue
            documents = self._file.documents(batch)
            for address in changes[batch.first]:
                documents.pop(address, None)
                if (entry := self._new.get(address)) is not None:
                    documents[address] = entry_document(entry)
            yield from _encode(dict(sorted(documents.items())))


Mailings = dict[str, Entry] | RecordedMailings


def _encode(documents: dict[str, Any]) -> Iterator[Run]:
    """Yield mailings as in a lock file."""
    rest = iter(documents.items())
    while some := dict(islice(rest, _RUN)):
        yield Run(indent_mailings(some), canonical(some)[1:-1])


def new_mailings(mailings: Mailings) -> Mapping[str, Entry]:
    """Return the mailings that are not in the file they were read from, or that have changed."""
    return mailings.new if isinstance(mailings, StoredMailings) else mailings


def without(mailings: Mailings, addresses: Collection[str]) -> Mailings:
    """Return `mailings` without those at `addresses`."""
    if isinstance(mailings, StoredMailings):
        return mailings.without(addresses)
    return {address: entry for address, entry in mailings.items() if address not in addresses}


def runs(mailings: Mailings) -> Iterator[Run]:
    """Yield `mailings` as in a lock file, in order of address."""
    if isinstance(mailings, StoredMailings):
        return mailings.runs()
    return _encode({address: entry_document(entry) for address, entry in sorted(mailings.items())})


def find(mailings: Mailings, search: Callable[[MailingFile], Iterable[str]]) -> list[str]:
    """Return the addresses that `search` finds in the file, and all that changed since.

    Nothing is decoded. The result may include too many mailings, never too few; check their entries to be sure.
    """
    if not isinstance(mailings, StoredMailings):
        return list(mailings)
    return [*filter(mailings.is_as_read, search(mailings.file)), *mailings.new]


def read_some(mailings: Mailings, addresses: Set[str]) -> Iterator[tuple[str, Entry]]:
    """Yield the mailings at `addresses`, one after the other; none is kept."""
    if isinstance(mailings, StoredMailings):
        return mailings.read(addresses)
    return ((address, entry) for address, entry in mailings.items() if address in addresses)


def encoded(mailings: Mailings, addresses: Set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the canonical form of the mailings at `addresses` that are unchanged since read."""
    documents = mailings.documents(addresses) if isinstance(mailings, StoredMailings) else ()
    return ((address, canonical(document)) for address, document in documents)


def message_ids(mailings: Mailings) -> Iterator[int]:
    """Yield the ids of all messages at sms.by, perhaps twice, and perhaps of removed ones, too."""
    if isinstance(mailings, StoredMailings):
        yield from mailings.file.message_ids()
    revisions = (one for entry in new_mailings(mailings).values() for one in entry.revisions)
    yield from (n for one in revisions for chunk in one.chunks if (n := chunk.message_id) is not None)


def known_fingerprints(mailings: Mailings, fingerprints: Set[str]) -> set[str]:
    """Return those of `fingerprints` that a chunk may have, perhaps one of a removed mailing."""
    revisions = (one for entry in new_mailings(mailings).values() for one in entry.revisions)
    known = {mark for one in revisions for mark in one.fingerprints} & fingerprints
    return known | mailings.file.known(fingerprints) if isinstance(mailings, StoredMailings) else known


def recipients_of(mailings: Mailings, addresses: Iterable[str]) -> dict[str, int | None]:
    """Return how many recipients these mailings have; None if not recorded."""
    counts: dict[str, int | None] = dict.fromkeys(addresses)
    if isinstance(mailings, StoredMailings):
        counts.update(one for one in mailings.file.recipients() if one[0] in counts)
    new = new_mailings(mailings)
    counts.update((address, new[address].recipients) for address in new.keys() & counts.keys())
    return counts
