"""Which mailings `lock archive` archives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Lock
from smsby_deploy.status.archivable import find_archivable
from smsby_deploy.status.collect import StatusOptions
from tests.status.examples import A, B, FixedClock, TableClient, answer, chunk, entry


def test_find_archivable_takes_final_mailings() -> None:
    """Mailings with only final revisions are archived; open, unknown, partly sent or recent ones stay, with the reason."""
    withdrawn = Ending(EndingKind.WITHDRAWN, "2026-12-01T10:00:00Z", "anna", "")
    final = chunk(A, 1)
    lock = Lock(
        "shop",
        mailings={
            "c/final": entry(final),
            "c/open": entry(replace(chunk(B, 1), uuid="u2")),
            "c/unknown": entry(replace(final, state=ChunkState.UNKNOWN)),
            "c/part": entry(final, ChunkRecord(B, 1, "d")),
            "c/withdrawn": replace(entry(ChunkRecord(B, 1, "d")), ending=withdrawn),
            "c/new": entry(final, schedule_time="2026-12-09T10:00:00+03:00"),
        },
    )
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED")], "u2": [answer("c/x", B, "SENT")]})
    found = find_archivable(
        lock,
        lambda: client,
        select=(),
        sent_before=datetime(2026, 12, 9, tzinfo=UTC),
        clock=FixedClock(),
        options=StatusOptions(),
    )
    assert found.addresses == ("c/final", "c/withdrawn")
    assert found.left == (("c/open", "sending"), ("c/part", "partial"), ("c/unknown", "unknown"))
    assert found.recent == 1


def test_find_archivable_asks_nothing_if_nothing_may_be_final() -> None:
    """If no mailing can be final, nothing is asked, and no client is opened."""
    lock = Lock("shop", mailings={"c/part": entry(chunk(A, 1), ChunkRecord(B, 1, "d"))})
    options = StatusOptions()
    found = find_archivable(
        lock,
        lambda: 1 / 0,  # type: ignore[arg-type,return-value]
        select=(),
        sent_before=None,
        clock=FixedClock(),
        options=options,
    )
    assert (found.addresses, found.left) == ((), (("c/part", "partial"),))
