"""The mailings of a lock file as they were read, with an index that needs no decoding.

They are kept in batches, as in the file and in their canonical form, and outside memory if the lock is long: an apply needs
few of them before it writes them all again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from sys import intern
from typing import Any, NamedTuple

import orjson

from smsby_deploy.files import UnnamedFile
from smsby_deploy.lock.json_text import canonical

_END = b"\n    }"  # of a mailing; no line inside one begins like this
_SHORT = 1 << 18  # bytes that are kept in memory
_DAY = 10  # characters of a time
_NO_ID = -1


class StoredBatch(NamedTuple):
    """Where successive mailings are kept: as in the file, then in canonical form.

    `size` and `encoded` are the lengths of these in bytes.
    """

    first: str  # address
    place: int
    size: int
    encoded: int


class MailingFile:
    """The mailings of a lock file, in order of address."""

    def __init__(self) -> None:
        self._spool = _Spool()
        self._batches: list[StoredBatch] = []
        self._numbers: dict[str, int] = {}  # of the batch of each address
        self._lookup = _Lookup()
        self._recent: tuple[int, bytes] = -1, b""  # the number and the text of the batch read last

    def append(self, text: bytes, mailings: dict[str, Any]) -> bytes:
        """Add the next mailings; `text` is how the file writes them.

        Return them in their canonical form, without the braces around them.
        ValueError if their addresses do not ascend.
        """
        encoded = canonical(mailings)[1:-1]
        last, number = next(reversed(self._numbers), ""), len(self._batches)
        for address in mailings:
            if address <= last:
                raise ValueError("the addresses do not ascend")
            self._numbers[address] = number
            last = address
        self._lookup.add(mailings.values())
        place = self._spool.append(text + encoded)
        self._batches.append(StoredBatch(next(iter(mailings)), place, len(text), len(encoded)))
        return encoded

    def __contains__(self, address: object) -> bool:
        return address in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def batches(self) -> list[StoredBatch]:
        return self._batches

    def batch_of(self, address: str) -> StoredBatch:
        """Return the batch that has `address`, or that it would be added to."""
        number = bisect_right(self._batches, address, key=lambda batch: batch.first)
        return self._batches[max(0, number - 1)]

    def batches_of(self, addresses: Iterable[str]) -> list[StoredBatch]:
        """Return the batches that have any of `addresses`, in order."""
        numbers = {self._numbers[address] for address in addresses if address in self._numbers}
        return [self._batches[number] for number in sorted(numbers)]

    def text(self, batch: StoredBatch) -> bytes:
        """Return the mailings of a batch as in the file."""
        return self._spool.read(batch.place, batch.size)

    def encoded(self, batch: StoredBatch) -> bytes:
        """Return the mailings of a batch in their canonical form."""
        return self._spool.read(batch.place + batch.size, batch.encoded)

    def documents(self, batch: StoredBatch) -> dict[str, Any]:
        """Return the mailings of a batch as JSON."""
        documents: dict[str, Any] = orjson.loads(b"{%b}" % self.text(batch))
        return documents

    def document(self, address: str) -> Any:
        """Return one mailing as JSON; KeyError if the file does not have it."""
        number = self._numbers[address]
        if self._recent[0] != number:
            self._recent = number, self.text(self._batches[number])
        text = self._recent[1]
        key = b'    "%b": {\n' % address.encode()
        begin = 0 if text.startswith(key) else text.index(b"\n" + key) + 1
        end = text.index(_END, begin) + len(_END)
        return orjson.loads(b"{%b}" % text[begin:end])[address]

    # --- Without decoding ---------------------------------------------------------------------------------------------

    def message_ids(self) -> Iterator[int]:
        """Yield the ids of all messages at sms.by."""
        return (number for number in self._lookup.ids if number != _NO_ID)

    def recipients(self) -> Iterator[tuple[str, int | None]]:
        """Yield how many recipients each mailing has; None if not recorded."""
        counts = [None if count < 0 else count for count in self._lookup.recipients]
        return zip(self._numbers, counts, strict=True)

    def with_digest(self, digests: Set[str]) -> Iterator[str]:
        """Yield the mailings that may have one of these digests, in any of their revisions."""
        return self._named(self._lookup.with_digest(digests))

    def with_chunk(self, fingerprints: Iterable[str], ids: Set[int]) -> Iterator[str]:
        """Yield the mailings that may have a chunk with one of these fingerprints or ids."""
        return self._named(self._lookup.with_chunk(fingerprints, ids))

    def known(self, fingerprints: Iterable[str]) -> set[str]:
        """Return those of `fingerprints` that a chunk may have."""
        return self._lookup.known(fingerprints)

    def accepted_since(self, day: str) -> Iterator[str]:
        """Yield the mailings with a chunk that was accepted on `day` or later."""
        return self._named(n for n, last in enumerate(self._lookup.days) if last >= day)

    def unfinished(self) -> Iterator[str]:
        """Yield the mailings of which a revision is not complete."""
        return self._named(self._lookup.unfinished)

    def _named(self, numbers: Iterable[int]) -> Iterator[str]:
        addresses = list(self._numbers)
        return (addresses[number] for number in numbers)


class _Lookup:
    """An index of all mailings, by their numbers.

    Digests are kept as hashes, which take a tenth of the memory. A lookup returns every mailing that has the digest, and in
    very rare cases another one.
    """

    def __init__(self) -> None:
        self.days: list[str] = []  # the last one on which a chunk was accepted; "" if none was
        self.recipients = array("q")  # -1: not recorded
        self.unfinished = array("q")
        self.ids = array("q")  # of each chunk
        self._marks = array("q")
        self._chunks = array("l")  # the mailing of each chunk
        self._digests = array("q")  # four of each revision
        self._revisions = array("l")

    def add(self, documents: Iterable[dict[str, Any]]) -> None:
        """Add the next mailings, already checked against the schema."""
        digests: list[str | None] = []
        marks: list[str] = []
        for number, document in enumerate(documents, len(self.days)):
            count, last, earlier = document["recipients"], "", document["earlier"]
            self.recipients.append(-1 if count is None else count)
            revisions = (document, *earlier) if earlier else (document,)
            if any(one["state"] != "complete" for one in revisions):
                self.unfinished.append(number)
            for one in revisions:
                digests += one["content_digest"], one["audience_digest"], one.get("text_digest")
                digests.append(one.get("recipients_digest"))
                self._revisions.append(number)
                for chunk in one["chunks"]:
                    marks.append(chunk["fingerprint"])
                    self.ids.append(_NO_ID if (known := chunk["message_id"]) is None else known)
                    self._chunks.append(number)
                    if (at := chunk["accepted_at"]) is not None and at > last:
                        last = at
            self.days.append(intern(last[:_DAY]))
        self._digests.extend(map(hash, digests))
        self._marks.extend(map(hash, marks))

    def with_digest(self, digests: Set[str]) -> list[int]:
        wanted = set(map(hash, digests))
        found = (self._revisions[place // 4] for place, one in enumerate(self._digests) if one in wanted)
        return list(dict.fromkeys(found)) if wanted else []

    def with_chunk(self, fingerprints: Iterable[str], ids: Set[int]) -> list[int]:
        wanted = set(map(hash, fingerprints))
        found = (
            [self._chunks[place] for place, one in enumerate(self._marks) if one in wanted] if wanted else []
        )
        if ids:
            found += [self._chunks[place] for place, one in enumerate(self.ids) if one in ids]
        return sorted(set(found))

    def known(self, fingerprints: Iterable[str]) -> set[str]:
        marks = set(self._marks)
        return {one for one in fingerprints if hash(one) in marks}


class _Spool:
    """Bytes to be read again; if there are many, in a file, if the disk has room for it."""

    def __init__(self) -> None:
        self._memory = bytearray()  # everything, unless there is a file
        self._file: UnnamedFile | None = None

    def append(self, content: bytes) -> int:
        """Store `content`, and return its place."""
        if self._file is None and len(self._memory) <= _SHORT < len(self._memory) + len(content):
            self._leave_memory()
        if self._file is not None:
            try:
                return self._file.append(content)
            except OSError:
                self._memory += self._file.read(0, self._file.size)
                self._file = None
        self._memory += content
        return len(self._memory) - len(content)

    def read(self, place: int, size: int) -> bytes:
        if self._file is None:
            return bytes(self._memory[place : place + size])
        return self._file.read(place, size)

    def _leave_memory(self) -> None:
        with suppress(OSError):
            file = UnnamedFile()
            file.append(bytes(self._memory))
            self._file, self._memory = file, bytearray()
