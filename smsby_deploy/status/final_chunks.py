"""The counts of chunks that can no longer change, so `status` need not query them.

They are kept in a cache of the folder `.smsby` next to the lock: counts and status words, but no phones.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter
from pathlib import Path

from smsby_deploy.lock.counts import Deliveries
from smsby_deploy.lock.places import private_file
from smsby_deploy.lock.records import ChunkRecord, ChunkState
from smsby_deploy.plan.sealed_cache import SealedCache
from smsby_deploy.privacy import mask_phones
from smsby_deploy.smsby.deliveries import DeliveryStatus
from smsby_deploy.status.delivery_counts import DeliveryCounts

_FORMAT = "smsby-status 1"
_MINUTE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII)


class FinalChunks:
    """Counts by chunk: its fingerprint and its ids at sms.by."""

    def __init__(self, cache: SealedCache | None = None) -> None:
        self._cache = cache
        # As JSON: thousands of counters take a tenth of the memory.
        self.known = {} if cache is None else cache.read(str)
        self.has_changed = False

    def find(self, chunk: ChunkRecord, *, is_overdue: bool, needs_phones: bool) -> DeliveryCounts | None:
        """Return the counts of a chunk; None if it must be queried.

        It must be if its counts were only final because the chunk was overdue, and it no longer is, or if `needs_phones` and
        some recipients got nothing.
        """
        text = self.known.get(_key(chunk))
        if text is None:
            return None
        counts = _read_counts(text)
        if (counts.overdue and not is_overdue) or (needs_phones and not counts.is_delivered):
            return None
        return counts

    def deliveries(self, chunk: ChunkRecord, *, is_overdue: bool) -> Deliveries | None:
        """Return how many recipients of a chunk got it; None if unknown or not final."""
        counts = self.find(chunk, is_overdue=is_overdue, needs_phones=False)
        if counts is None:
            return None
        documented, _ = counts.by_status()
        return Deliveries(documented[DeliveryStatus.DELIVERED], documented[DeliveryStatus.UNDELIVERED])

    def add(self, chunk: ChunkRecord, counts: DeliveryCounts, *, is_overdue: bool) -> None:
        """Store `counts` if no report of sms.by could change them."""
        is_whole = chunk.recipients is not None and counts.total >= chunk.recipients
        if chunk.state is not ChunkState.ACCEPTED or not counts.total or not (is_whole or is_overdue):
            return
        if not counts.is_final or any(mask_phones(word) != word for word in counts.words):
            return
        text = _write_counts(counts)
        if self.known.get(_key(chunk)) != text:
            self.known[_key(chunk)] = text
            self.has_changed = True

    def save(self) -> None:
        """Write the cache if something has changed.

        If that fails, the next run only has to query again.
        """
        if self.has_changed and self._cache is not None:
            self.has_changed = not self._cache.write(self.known, str)


def read_final(lock: Path, token: str) -> FinalChunks:
    """Return what the cache of `lock` has; nothing if it was written with another token."""
    key = hashlib.sha256(f"{_FORMAT} {token}".encode()).digest()
    seal = hmac.new(key, digestmod=hashlib.sha256)
    return FinalChunks(SealedCache(private_file(lock, "status"), _FORMAT, seal))


def _key(chunk: ChunkRecord) -> str:
    ids = json.dumps([chunk.fingerprint, chunk.uuid, chunk.message_id, chunk.recipients])
    return hashlib.sha256(ids.encode()).hexdigest()[:32]


def _write_counts(counts: DeliveryCounts) -> str:
    timeline = {minute: n for minute, n in counts.timeline.items() if _MINUTE.fullmatch(minute)}
    tables = (counts.words, counts.failed, timeline, counts.seen, counts.delivered, counts.undelivered)
    return json.dumps((*tables, counts.overdue), separators=(",", ":"))


def _read_counts(text: str) -> DeliveryCounts:
    words, failed, timeline, seen, delivered, undelivered, overdue = json.loads(text)
    return DeliveryCounts(
        words=Counter(words),
        failed=Counter(failed),
        timeline=Counter(timeline),
        seen=Counter(seen),
        delivered=Counter(delivered),
        undelivered=Counter(undelivered),
        overdue=overdue,
    )
