from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.model import Applied, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.status.collect import collect_status
from smsby_deploy.status.model import StatusReport


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 12, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None: ...


class FakeClient:
    """Answers from tables and counts the questions."""

    def __init__(self, bulk: dict[str, list[Any]]) -> None:
        self.bulk = bulk
        self.asked: list[str] = []

    def get_sms_messages(self) -> tuple[Any, ...]:
        return ()

    def status_bulk_sms(self, uuid: str) -> list[Any]:
        self.asked.append(uuid)
        return self.bulk[uuid]


def entry(*chunks: ChunkRecord, schedule_time: str | None = None) -> Entry:
    people = sum(chunk.recipients or 0 for chunk in chunks)
    applied = Applied("2026-11-24T00:00:00+00:00", "p1", None, "0.1.0")
    return Entry(1, "c", "a", "bulk", "MyShop", 1363, schedule_time, people, people, "1", chunks, applied)


def answer(address: str, mark: str, *statuses: str) -> Any:
    deliveries = tuple(SimpleNamespace(status=status) for status in statuses)
    return SimpleNamespace(message_id=1, name=f"{address} shop#{mark}", deliveries=deliveries)


def collect(lock: Lock, client: Any, *select: str) -> StatusReport:
    return collect_status(lock, client, select=select, clock=FixedClock())


A, B = "a" * 10, "b" * 10


def accepted(mark: str, people: int) -> ChunkRecord:
    return ChunkRecord(mark, people, "d", ChunkState.ACCEPTED, uuid="u1")


def test_counts_add_up_and_a_uuid_is_asked_once() -> None:
    """Two mailings of one request are told apart by fingerprint, asked about once, and every person is counted."""
    lock = Lock("shop", mailings={"c/x": entry(accepted(A, 4)), "c/y": entry(accepted(B, 1))})
    client = FakeClient({"u1": [answer("c/x", A, "DELIVERED", "Sent", "Odd"), answer("c/y", B, "delivered")]})
    x, y = collect(lock, client).mailings
    assert (x.delivered, x.sent, x.pending, x.other, x.recipients) == (1, 1, 1, {"Odd": 1}, 4)
    assert (x.state, y.state, y.recipients) == ("sending", "final", 1)
    assert client.asked == ["u1"]


@pytest.mark.parametrize(
    ("chunks", "state", "other"),
    [
        ([ChunkState.UNKNOWN], "unknown", {"unknown": 3}),
        ([ChunkState.REJECTED], "rejected", {"rejected": 3}),
        ([ChunkState.DRAFT], "draft", {}),
    ],
)
def test_what_did_not_go_out_is_never_pretended(
    chunks: list[ChunkState], state: str, other: dict[str, int]
) -> None:
    """A chunk that surely or perhaps did not go out gives its state, and its people stay counted."""
    lock = Lock("shop", mailings={"c/x": entry(*(ChunkRecord(A, 3, "d", one) for one in chunks))})
    report = collect(lock, FakeClient({}))
    assert (report.mailings[0].state, report.mailings[0].other) == (state, other)
    assert report.mailings[0].recipients == 3


def test_a_selection_that_fits_nothing_is_wrong_usage() -> None:
    """A mistyped address must not look like an empty status."""
    with pytest.raises(UsageError):
        collect(Lock("shop"), FakeClient({}), "c/z")
