"""A Situation: a mailing of two chunks as the files, the lock and the remote list have it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.remote_state import ListFilter, RemoteView, view_remote
from smsby_deploy.plan.situation import Situation
from smsby_deploy.smsby.parsers import MailingList, RemoteMailing

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARKS = ("aaaaaaaaaa", "bbbbbbbbbb")
A, D, P, R, S, U = (
    ChunkState.ACCEPTED, ChunkState.DRAFT, ChunkState.PENDING, ChunkState.REJECTED, ChunkState.SUPPRESSED, ChunkState.UNKNOWN
)  # fmt: skip


def make_desired(**changes: Any) -> Desired:
    base = Desired(
        address="sale/vip", revision=1, via="bulk", content_digest="content", audience_digest="audience",
        chunks=tuple(ChunkPlan(mark, 2, mark) for mark in MARKS), audience=AudienceCounts(4, 0, 0, 0, 4), parts=4, gsm7=4,
        ucs2=0, longest=1, schedule_time=None,
    )  # fmt: skip
    return base._replace(**changes)


def make_entry(*states: ChunkState, **changes: Any) -> Entry:
    chunks = tuple(ChunkRecord(mark, 2, mark, state) for mark, state in zip(MARKS, states, strict=True))
    applied = AppliedBy("t", "p", None, "x")
    return replace(
        Entry(1, "content", "audience", "bulk", "0", 0, None, 4, 4, None, chunks, applied), **changes
    )


def make_list(*indexes: int, status: str = "NEW", count: int | None = None) -> RemoteView:
    """Return the remote list with the chunks at `indexes`."""
    return view_of(
        "shop",
        [
            RemoteMailing(
                id=index + 1, name=f"sale/vip [{index + 1}/2] shop#{MARKS[index]}", d_create=None, d_schedule=None,
                parts=None, count_phones=count, status=status, cost=None, alphaname=None,
            )
            for index in indexes
        ],
    )  # fmt: skip


def view_of(scope: str, mailings: Iterable[RemoteMailing]) -> RemoteView:
    """Return the remote list if it has these mailings, all of which are needed."""
    kept = tuple(mailings)
    wanted = ListFilter(scope, [], [one.id for one in kept])
    assert all(wanted(one.id, one.name) for one in kept)
    return view_remote(scope, MailingList(kept, len(kept)), wanted)


def make_situation(
    entry: Entry | None = None, remote: RemoteView | None = None, desired: Desired | None = None
) -> Situation:
    return Situation("shop", desired or make_desired(), entry, remote, NOW)
