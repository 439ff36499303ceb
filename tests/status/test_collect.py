from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.parsers import BulkMailingStatus, Delivery, RemoteMailing
from smsby_deploy.status.collect import collect_status
from smsby_deploy.status.delivery_counts import prefix_of
from smsby_deploy.status.report import Difference, MailingStatus, Missed, StatusReport


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 12, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None: ...


class TableClient(ReadClient):
    """Answers from tables and counts the questions; it has no wire."""

    def __init__(
        self,
        bulk: dict[str, list[BulkMailingStatus]] | None = None,
        lists: dict[int, list[Delivery]] | None = None,
        listed: list[RemoteMailing] | None = None,
    ) -> None:
        self.bulk, self.lists, self.listed = bulk or {}, lists or {}, listed or []
        self.asked: list[str | int] = []

    def get_sms_messages(self, kind: str | None = None) -> tuple[RemoteMailing, ...]:
        self.asked.append("getSMSMessages")
        return tuple(self.listed)

    def status_bulk_sms(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        self.asked.append(uuid)
        return tuple(self.bulk.get(uuid, ()))

    def get_sms_delivery_list(self, message_id: int) -> Iterator[Delivery]:
        self.asked.append(message_id)
        return iter(self.lists.get(message_id, ()))


def entry(*chunks: ChunkRecord, schedule_time: str | None = None, via: str = "bulk") -> Entry:
    people = sum(chunk.recipients or 0 for chunk in chunks) if via == "bulk" else None
    applied = AppliedBy("2026-11-24T00:00:00+00:00", "p1", None, "0.1.0")
    return Entry(1, "c", "a", via, "MyShop", 1363, schedule_time, people, people, "1", chunks, applied)


def deliveries(*statuses: str) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(f"37529{index:07}", status, "2026-12-01 10:00:42.5") for index, status in enumerate(statuses)
    )


def answer(address: str, mark: str, *statuses: str, message_id: int = 1) -> BulkMailingStatus:
    return BulkMailingStatus(message_id, f"{address} shop#{mark}", 1363, deliveries(*statuses), None)


def listed(address: str, mark: str, count: int | None, *, cost: str = "1", when: int = 0) -> RemoteMailing:
    return RemoteMailing(
        7,
        f"{address} shop#{mark}",
        0,
        when,
        "API",
        count,
        count,
        "NEW",
        None,
        Decimal(cost),
        "MyShop",
        None,
    )


def collect(lock: Lock, client: ReadClient, *select: str) -> StatusReport:
    return collect_status(lock, client, select=select, clock=FixedClock())


def total(mailing: MailingStatus) -> int:
    known = mailing.delivered + mailing.undelivered + mailing.sent + mailing.pending
    return known + sum(mailing.other.values())


A, B = "a" * 10, "b" * 10


def chunk(mark: str, people: int | None, state: ChunkState = ChunkState.ACCEPTED) -> ChunkRecord:
    return ChunkRecord(mark, people, "d", state, uuid="u1" if state is ChunkState.ACCEPTED else None)


def test_counts_add_up_and_a_uuid_is_asked_once() -> None:
    """Two mailings of one request are told apart by fingerprint, asked about once, and every person is counted."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 4)), "c/y": entry(chunk(B, 1))})
    client = TableClient(
        {"u1": [answer("c/x", A, "DELIVERED", "Sent", "Odd"), answer("c/y", B, "delivered")]}
    )
    x, y = collect(lock, client).mailings
    assert (x.delivered, x.sent, x.pending, x.other, x.recipients) == (1, 1, 1, {"Odd": 1}, 4)
    assert (x.state, y.state, y.recipients) == ("sending", "final", 1)
    assert client.asked == ["getSMSMessages", "u1"]


@pytest.mark.parametrize(
    ("states", "state", "other", "pending"),
    [
        (["unknown"], "unknown", {"unknown": 3}, 0),
        (["rejected"], "rejected", {"rejected": 3}, 0),
        (["rejected", "pending"], "rejected", {"rejected": 3, "not sent": 3}, 0),
        (["draft"], "draft", {}, 3),
        (["pending"], "draft", {"not sent": 3}, 0),
        (["suppressed"], "final", {}, 0),
        (["accepted", "pending"], "partial", {"not sent": 3}, 3),
        (["accepted", "rejected"], "partial", {"rejected": 3}, 3),
        (["accepted", "unknown", "rejected"], "unknown", {"unknown": 3, "rejected": 3}, 3),
        (["accepted", "suppressed"], "sending", {}, 3),
    ],
)
def test_what_did_not_go_out_is_never_pretended(
    states: list[str], state: str, other: dict[str, int], pending: int
) -> None:
    """A chunk that surely or perhaps did not go out gives its state, and its people stay counted."""
    chunks = [
        chunk(f"{i:010}", 0 if one == "suppressed" else 3, ChunkState(one)) for i, one in enumerate(states)
    ]
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(*chunks)}), TableClient()).mailings
    assert (mailing.state, mailing.other, mailing.pending) == (state, other, pending)
    assert mailing.recipients == total(mailing)


@pytest.mark.parametrize(
    ("words", "time", "state"),
    [
        ((), "2026-12-02T10:00:00+03:00", "scheduled"),
        (("NEW", "NEW"), "2026-12-02T10:00:00+03:00", "scheduled"),
        (("SENT", "NEW"), "2026-12-02T10:00:00+03:00", "sending"),
        ((), "2026-11-30T10:00:00+03:00", "sending"),
        (("SENT", "DELIVERED"), None, "sending"),
        (("DELIVERED", "UNDELIVERED"), None, "final"),
        (("DELIVERED", "Expired"), None, "final"),
    ],
)
def test_the_state_of_what_went_out(words: tuple[str, ...], time: str | None, state: str) -> None:
    """Scheduled until its time or its first message, final when nobody waits any more."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 2), schedule_time=time)})
    assert collect(lock, TableClient({"u1": [answer("c/x", A, *words)]})).mailings[0].state == state


def test_a_mailing_known_by_its_message_id_is_read_from_the_delivery_list() -> None:
    """Adopted mailings and lists have no uuid: their statuses come in small letters from getSmsDeliveryList."""
    found = ChunkRecord(A, 3, "d", ChunkState.ACCEPTED, message_id=7)
    client = TableClient(lists={7: list(deliveries("delivered", "sent", "undelivered"))})
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(found)}), client).mailings
    assert (mailing.delivered, mailing.sent, mailing.undelivered, mailing.recipients) == (1, 1, 1, 3)
    assert client.asked == ["getSMSMessages", 7]


def test_an_empty_answer_by_uuid_falls_back_to_the_list_of_mailings() -> None:
    """statusBulkSms may be empty for a while; what is listed under our fingerprint is asked by its id."""
    client = TableClient(lists={7: list(deliveries("delivered"))}, listed=[listed("c/x", A, 1)])
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(chunk(A, 1))}), client).mailings
    assert (mailing.delivered, mailing.state) == (1, "final")


def test_an_opt_out_between_two_runs_is_not_waited_for() -> None:
    """Whom sms.by does not count in a chunk is told apart, not pending forever."""
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED", "DELIVERED")]}, listed=[listed("c/x", A, 2)])
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(chunk(A, 3))}), client).mailings
    assert (mailing.delivered, mailing.pending, mailing.other) == (2, 0, {"not taken": 1})
    assert (mailing.state, mailing.recipients) == ("final", 3)
    assert Difference("count_phones", "3", "2") in mailing.details.differences


def test_a_list_of_which_nothing_is_known_is_not_final() -> None:
    """Nobody knows how many people a list has until sms.by tells: zero of unknown is not done."""
    record = ChunkRecord(A, None, "d", ChunkState.ACCEPTED, message_id=7)
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(record, via="list")}), TableClient()).mailings
    assert (mailing.state, mailing.recipients) == ("sending", 0)


def test_what_sms_by_reports_otherwise_is_told() -> None:
    """A time read in another zone, and another bill, are differences with both values."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 1), schedule_time="2026-12-02T10:00:00+03:00")})
    when = int(datetime(2026, 12, 2, 10, tzinfo=UTC).timestamp())
    client = TableClient(listed=[listed("c/x", A, 1, cost="2.5", when=when)])
    (mailing,) = collect(lock, client).mailings
    assert mailing.details.differences == (
        Difference("d_schedule", "2026-12-02T10:00:00+03:00", "2026-12-02T13:00:00+03:00"),
        Difference("cost", "1", "2.5"),
    )
    assert mailing.cost == Decimal("2.5")
    assert mailing.details.planned_cost == 1


@pytest.mark.parametrize("state", ["rejected", "unknown", "draft", "pending"])
def test_what_did_not_go_out_has_no_bill(state: str) -> None:
    """The planned cost of a mailing that was not sent is no cost of it."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 3, ChunkState(state)))})
    (mailing,) = collect(lock, TableClient()).mailings
    assert (mailing.parts, mailing.cost) == (None, None)
    assert mailing.details.planned_cost == 1


def test_details_are_counted_on_the_way() -> None:
    """By minute, by the number's first digits, by sms.by's own words; people one by one only if asked for."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 3))})
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED", "DELIVERED", "Odd")]})
    details = collect(lock, client).mailings[0].details
    assert details.timeline == {"2026-12-01 10:00": 2}
    assert details.prefixes == {"375 29": (2, 0, 3)}
    assert details.words == {"DELIVERED": 2, "Odd": 1}
    assert details.missed == ()
    report = collect_status(lock, client, select=(), clock=FixedClock(), keep_missed=True)
    assert report.mailings[0].details.missed == (Missed("375290000002", "Odd", "2026-12-01 10:00:42.5"),)
    assert (prefix_of("375441234567"), prefix_of("79161234567")) == ("375 44", "other")


def test_how_far_the_asking_is_is_heard() -> None:
    """All people first, then those of each chunk once its request was answered, also of one that did not leave."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 2), ChunkRecord(B, 1, "d"))})
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED")]})
    heard: list[int] = []
    collect_status(lock, client, select=(), clock=FixedClock(), begin=heard.append, advance=heard.append)
    assert heard == [3, 2, 1]


def test_what_is_settled_is_not_asked_again() -> None:
    """Watching asks only about mailings that can still change, and not at all when none can."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 1)), "c/y": entry(ChunkRecord(B, 1, "d", uuid="u2"))})
    lock = lock.with_entry(
        "c/y", lock.mailings["c/y"].put_chunk(0, ChunkRecord(B, 1, "d", ChunkState.ACCEPTED, "u2"))
    )
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED")]})
    first = collect(lock, client)
    assert not first.is_settled
    client.asked.clear()
    client.bulk["u2"] = [answer("c/y", B, "UNDELIVERED")]
    second = collect_status(lock, client, select=(), clock=FixedClock(), previous=first)
    assert client.asked == ["getSMSMessages", "u2"]
    assert second.is_settled
    client.asked.clear()
    third = collect_status(lock, client, select=(), clock=FixedClock(), previous=second)
    assert (client.asked, third.mailings) == ([], second.mailings)


def test_since_leaves_older_mailings_out() -> None:
    """A mailing counts by when it goes out, or by when it was applied if it went out at once."""
    lock = Lock("shop", mailings={"c/x": entry(), "c/y": entry(schedule_time="2026-12-02T10:00:00+03:00")})
    report = collect_status(
        lock, TableClient(), select=(), clock=FixedClock(), since=datetime(2026, 12, 1, tzinfo=UTC)
    )
    assert [mailing.address for mailing in report.mailings] == ["c/y"]


def test_a_selection_that_fits_nothing_is_wrong_usage() -> None:
    """A mistyped address must not look like an empty status."""
    with pytest.raises(UsageError):
        collect(Lock("shop"), TableClient(), "c/z")


_words = st.lists(st.sampled_from(["DELIVERED", "sent", "New", "UNDELIVERED", "Odd", ""]), max_size=6)
_chunks = st.lists(
    st.tuples(
        st.sampled_from([s for s in ChunkState if s is not ChunkState.PARTIAL]),
        st.integers(0, 5),
        _words,
        st.one_of(st.none(), st.integers(0, 7)),
    ),
    min_size=1,
    max_size=5,
)


@given(_chunks)
def test_nobody_is_lost_or_counted_twice(
    chunks: list[tuple[ChunkState, int, list[str], int | None]],
) -> None:
    """Whatever sms.by reports, the counts add up; nobody recorded is lost, and a word is kept as it was written."""
    records = [chunk(f"{i:010}", people, state) for i, (state, people, _, _) in enumerate(chunks)]
    answers = [answer("c/x", f"{i:010}", *words) for i, (_, _, words, _) in enumerate(chunks)]
    remote = [listed("c/x", f"{i:010}", count) for i, (_, _, _, count) in enumerate(chunks)]
    lock = Lock("shop", mailings={"c/x": entry(*records)})
    (mailing,) = collect(lock, TableClient({"u1": answers}, listed=remote)).mailings
    assert mailing.recipients == total(mailing)
    least = sum(people for state, people, _, _ in chunks if state is not ChunkState.SUPPRESSED)
    assert mailing.recipients >= least
    odd = Counter(
        word
        for state, _, words, _ in chunks
        if state is ChunkState.ACCEPTED
        for word in words
        if word == "Odd"
    )
    assert mailing.other.get("Odd", 0) == odd["Odd"]
