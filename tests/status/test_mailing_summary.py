"""The status of one mailing, from its lock entry and the reports of sms.by."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import InlineRecipients
from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Lock
from smsby_deploy.lock.store import RunningApply
from smsby_deploy.plan.drift import Difference, DriftField
from smsby_deploy.problems import Location
from smsby_deploy.smsby.deliveries import Delivery
from smsby_deploy.status.collect import StatusOptions, collect_status
from smsby_deploy.status.mailing_details import Missed
from tests.status.examples import (
    A,
    B,
    FixedClock,
    TableClient,
    answer,
    chunk,
    collect,
    deliveries,
    entry,
    listed,
    total,
)


def test_summary_counts_two_mailings_of_one_request() -> None:
    """Two mailings of one request are distinguished by fingerprint and asked about once, and every recipient is counted."""
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
def test_summary_state_of_chunks_that_were_not_sent(
    states: list[str], state: str, other: dict[str, int], pending: int
) -> None:
    """A chunk that was not or perhaps not sent determines the state, and its recipients stay counted."""
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
        (("DELIVERED", "Expired"), None, "sending"),
    ],
)
def test_summary_state_of_accepted_mailings(words: tuple[str, ...], time: str | None, state: str) -> None:
    """A mailing is scheduled until its time or its first message, and final when no message is pending."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 2), schedule_time=time)})
    assert collect(lock, TableClient({"u1": [answer("c/x", A, *words)]})).mailings[0].state == state


def test_summary_uses_the_delivery_list_without_uuid() -> None:
    """Without a uuid, as after an adoption, getSmsDeliveryList is used, which has statuses in lower case."""
    found = ChunkRecord(A, 3, "d", ChunkState.ACCEPTED, message_id=7)
    client = TableClient(lists={7: list(deliveries("delivered", "sent", "undelivered"))})
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(found)}), client).mailings
    assert (mailing.delivered, mailing.sent, mailing.undelivered, mailing.recipients) == (1, 1, 1, 3)
    assert client.asked == ["getSMSMessages", 7]


def test_summary_uses_the_list_if_the_request_is_silent() -> None:
    """If statusBulkSms is still empty, a mailing listed under our fingerprint is asked about by its id."""
    client = TableClient(lists={7: list(deliveries("delivered"))}, listed=[listed("c/x", A, 1)])
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(chunk(A, 1))}), client).mailings
    assert (mailing.delivered, mailing.state) == (1, "final")


def test_summary_does_not_wait_for_late_opt_outs() -> None:
    """A recipient whom sms.by does not count is reported as not taken, not as pending forever."""
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED", "DELIVERED")]}, listed=[listed("c/x", A, 2)])
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(chunk(A, 3))}), client).mailings
    assert (mailing.delivered, mailing.pending, mailing.other) == (2, 0, {"not taken": 1})
    assert (mailing.state, mailing.recipients) == ("final", 3)
    assert Difference(DriftField.RECIPIENTS, "3", "2") in mailing.details.differences


def test_summary_of_a_silent_list_is_not_final() -> None:
    """While sms.by has not reported the size of a list, zero pending messages do not make it final."""
    record = ChunkRecord(A, None, "d", ChunkState.ACCEPTED, message_id=7)
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(record, via="list")}), TableClient()).mailings
    assert (mailing.state, mailing.recipients) == ("sending", 0)


def test_summary_lists_differences() -> None:
    """A schedule in another time zone and a different cost are listed with both values."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 1), schedule_time="2026-12-02T10:00:00+03:00")})
    when = int(datetime(2026, 12, 2, 10, tzinfo=UTC).timestamp())
    client = TableClient(listed=[listed("c/x", A, 1, cost="2.50000", when=when)])
    (mailing,) = collect(lock, client).mailings
    assert mailing.details.differences == (
        Difference(DriftField.TIME, "2026-12-02T10:00:00+03:00", "2026-12-02T13:00:00+03:00"),
        Difference(DriftField.COST, "1.00", "2.50"),
    )
    assert mailing.cost == Decimal("2.5")
    assert mailing.details.planned_cost == 1


@pytest.mark.parametrize(
    ("late", "reported"),
    [(20, None), (40, "2026-12-02T10:40:00+03:00"), (-180, "2026-12-02T07:00:00+03:00")],
)
def test_summary_differences_honor_max_late(late: int, reported: str | None) -> None:
    """A send time up to `max_late` after the planned one is no difference."""
    planned = datetime.fromisoformat("2026-12-02T10:00:00+03:00")
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 1), schedule_time=planned.isoformat())})
    sent = int((planned + timedelta(minutes=late)).timestamp())
    at = Location("c.yaml", 1, 1)
    mailing = Mailing(
        "c", "x", "c.yaml", at, "bulk", InlineRecipients((), at), None, "MyShop", at, planned, at, "Europe/Minsk", 1,
        "fail", max_late=timedelta(minutes=30),
    )  # fmt: skip
    client = TableClient(listed=[listed("c/x", A, 1, when=sent)])
    options = StatusOptions(mailings={mailing.address: mailing})
    report = collect_status(lock, client, select=(), clock=FixedClock(), options=options)
    expected = [Difference(DriftField.TIME, planned.isoformat(), reported)] if reported else []
    assert list(report.mailings[0].details.differences) == expected
    (unexcused,) = collect(lock, client).mailings
    assert unexcused.details.differences[0].field == "d_schedule"


@pytest.mark.parametrize("state", ["rejected", "unknown", "draft", "pending"])
def test_summary_of_an_unsent_mailing_has_no_cost(state: str) -> None:
    """The planned cost of an unsent mailing is not reported as its cost."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 3, ChunkState(state)))})
    (mailing,) = collect(lock, TableClient()).mailings
    assert (mailing.parts, mailing.cost) == (None, None)
    assert mailing.details.planned_cost == 1


def test_summary_details_and_missed_recipients() -> None:
    """Deliveries are counted by minute, prefix and status word, and recipients are listed only on request."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 3))})
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED", "DELIVERED", "Odd")]})
    details = collect(lock, client).mailings[0].details
    assert details.timeline == {"2026-12-01 10:00": 2}
    assert details.prefixes == {"375 29": (2, 0, 3)}
    assert details.words == {"DELIVERED": 2, "Odd": 1}
    assert list(details.missed) == []
    report = collect_status(
        lock, client, select=(), clock=FixedClock(), options=StatusOptions(list_missed=True)
    )
    assert list(report.mailings[0].details.missed) == [Missed("375290000002", "Odd", "2026-12-01 10:00:42.5")]


@pytest.mark.parametrize(
    ("phones", "statuses", "counts", "other"),
    [
        ("a:2", ("DELIVERED",), (1, 1), {}),
        ("a:1 u:1", ("DELIVERED", "SENT"), (1, 0), {}),
        ("a:1 u:1", ("DELIVERED",), (1, 0), {"unknown": 1}),
        ("a:1 r:1 p:1 n:1", ("DELIVERED",), (1, 0), {"rejected": 1, "not sent": 2}),
        ("a:2", ("DELIVERED",) * 3, (0, 0), {"not told apart": 2}),
    ],
)
def test_summary_of_single_sends(
    phones: str, statuses: tuple[str, ...], counts: tuple[int, int], other: dict[str, int]
) -> None:
    """A phone counts by its state in the lock, and a delivery settles an unknown one unless there are too many."""
    states = PhoneStates.parse(phones)
    record = ChunkRecord(A, len(states), "d", ChunkState.ACCEPTED, message_id=7, phones=states)
    client = TableClient(lists={7: list(deliveries(*statuses))})
    (mailing,) = collect(Lock("shop", mailings={"c/x": entry(record, via="single")}), client).mailings
    assert ((mailing.delivered, mailing.pending), mailing.other) == (counts, other)
    assert mailing.recipients == total(mailing) == len(states)


def test_summary_does_not_split_a_shared_message() -> None:
    """The deliveries of a message that two mailings share are not split between them."""
    record = ChunkRecord(A, 1, "d", ChunkState.ACCEPTED, message_id=7, phones=PhoneStates.parse("a:1"))
    other = replace(record, fingerprint=B)
    lock = Lock("shop", mailings={"c/x": entry(record), "c/y": entry(other)})
    client = TableClient(lists={7: list(deliveries("DELIVERED", "DELIVERED"))})
    shown = [(mailing.delivered, mailing.other) for mailing in collect(lock, client).mailings]
    assert shown == [(0, {"not told apart": 1})] * 2


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
def test_summary_counts_every_recipient_once(
    chunks: list[tuple[ChunkState, int, list[str], int | None]],
) -> None:
    """Whatever sms.by reports, the counts add up, no recipient is lost, and status words stay verbatim."""
    records = [chunk(f"{i:010}", recipients, state) for i, (state, recipients, _, _) in enumerate(chunks)]
    answers = [answer("c/x", f"{i:010}", *words) for i, (_, _, words, _) in enumerate(chunks)]
    remote = [listed("c/x", f"{i:010}", count) for i, (_, _, _, count) in enumerate(chunks)]
    lock = Lock("shop", mailings={"c/x": entry(*records)})
    (mailing,) = collect(lock, TableClient({"u1": answers}, listed=remote)).mailings
    assert mailing.recipients == total(mailing)
    least = sum(recipients for state, recipients, _, _ in chunks if state is not ChunkState.SUPPRESSED)
    assert mailing.recipients >= least
    odd = Counter(
        word
        for state, _, words, _ in chunks
        if state is ChunkState.ACCEPTED
        for word in words
        if word == "Odd"
    )
    assert mailing.other.get("Odd", 0) == odd["Odd"]


def _at(hours: float) -> FixedClock:
    """Return a clock that many hours after the apply of `entry`."""

    class Later(FixedClock):
        def now(self) -> datetime:
            return datetime(2026, 11, 29, tzinfo=UTC) + timedelta(hours=hours)

    return Later()


@pytest.mark.parametrize(("hours", "time", "is_over"), [
    (71.9, None, False),
    (72, None, True),
    (80, "2026-11-30T00:00:00+00:00", False),
    (97, "2026-11-30T00:00:00+00:00", True),
])  # fmt: skip
def test_summary_settles_after_a_while(hours: float, time: str | None, is_over: bool) -> None:
    """Whatever is not final 72 h after its time counts as undelivered, even if sms.by does not mention it."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 5), schedule_time=time)})
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED", "SENT", "NEW", "Odd")]})
    (mailing,) = collect_status(lock, client, select=(), clock=_at(hours)).mailings
    assert (mailing.state == "final", mailing.undelivered, mailing.details.overdue) == (
        (True, 4, 4) if is_over else (False, 0, 0)
    )
    assert total(mailing) == 5
    assert any("4 recipients without a final status" in note for note in mailing.notes) is is_over


def test_summary_settles_a_silent_list() -> None:
    """A list whose size sms.by never reports settles, so that --watch ends."""
    record = ChunkRecord(A, None, "d", ChunkState.ACCEPTED, message_id=7)
    lock = Lock("shop", mailings={"c/x": entry(record, via="list")})
    assert collect_status(lock, TableClient(), select=(), clock=_at(73)).mailings[0].state == "final"


def test_summary_of_failures_is_final() -> None:
    """Recipients listed as failures are final under their words, and undelivered."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 2))})
    failed = tuple(Delivery(f"37529000000{n}", "blocked", None, has_failed=True) for n in (1, 2))
    client = TableClient({"u1": [replace(answer("c/x", A), deliveries=failed)]})
    (mailing,) = collect(lock, client).mailings
    assert (mailing.state, mailing.other, mailing.delivered) == ("final", {"blocked": 2}, 0)


def test_summary_says_why_requests_failed() -> None:
    """Each reason for a failed request is given once, except for accepted chunks and those that another run is sending."""
    failed = [
        replace(chunk(mark, 1, ChunkState(state)), error=error)
        for mark, state, error in (
            (A, "unknown", "the connection broke"), (B, "rejected", "limit exceeded"),
            ("c" * 10, "rejected", "limit exceeded"), ("d" * 10, "accepted", "late"),
            ("e" * 10, "pending", "HTTP 429"),
        )
    ]  # fmt: skip
    lock = Lock("shop", mailings={"c/x": entry(*failed)})
    (mailing,) = collect(lock, TableClient()).mailings
    assert mailing.notes == (
        "the outcome of a request is unknown: the connection broke",
        "a request was not accepted: limit exceeded",
        "a request was not accepted: HTTP 429",
    )
    options = StatusOptions(running=RunningApply("apply, process 7 on host", frozenset({"c/x"})))
    report = collect_status(lock, TableClient(), select=(), clock=FixedClock(), options=options)
    assert report.mailings[0].notes == ()


def test_summary_of_a_running_apply_is_sending() -> None:
    """The chunks that a running apply has begun are in progress, and the others keep their state."""
    unsent = [chunk(A, 3, ChunkState.UNKNOWN), chunk(B, 2, ChunkState.PENDING)]
    lock = Lock("shop", mailings={"c/x": entry(*unsent), "c/y": entry(*unsent)})
    options = StatusOptions(running=RunningApply("apply, process 7 on host", frozenset({"c/x"})))
    report = collect_status(lock, TableClient(), select=(), clock=FixedClock(), options=options)
    x, y = report.mailings
    assert (x.state, x.pending, x.other) == ("sending", 5, {})
    assert (y.state, y.other) == ("unknown", {"unknown": 3, "not sent": 2})
    assert report.running == "apply, process 7 on host"


_LATER = "2026-12-02T10:00:00+03:00"


def test_summary_counts_a_withdrawn_mailing() -> None:
    """A withdrawn mailing has no recipients or cost, but what sms.by still lists is counted and noted."""
    ending = Ending(EndingKind.WITHDRAWN, "2026-11-30T10:00:00+00:00", "anna", "typo")
    withdrawn = replace(entry(chunk(A, 4), schedule_time=_LATER), ending=ending)
    lock = Lock("shop", mailings={"c/x": withdrawn})
    report = collect(lock, TableClient())
    (mailing,) = report.mailings
    assert (mailing.state, mailing.other, mailing.recipients) == ("withdrawn", {"withdrawn": 4}, 4)
    assert (mailing.parts, mailing.cost, mailing.requests) == (0, Decimal(0), ("u1",))
    assert mailing.notes == ("withdrawn by anna on 2026-11-30 10:00 UTC (typo)",)
    assert mailing.details.differences == ()
    assert report.is_settled
    assert (report.totals.due, report.totals.ahead, report.totals.withdrawn) == (0, 0, 4)
    assert report.exit_code() == 0
    report = collect(lock, TableClient(listed=[listed("c/x", A, 4)]))
    (still,) = report.mailings
    assert (report.totals.due, report.totals.ahead, report.totals.withdrawn) == (0, 4, 0)
    assert (still.state, still.pending, still.other) == ("withdrawn", 4, {})
    assert Difference(DriftField.LISTED, "0", "1") in still.details.differences


def test_summary_counts_an_abandoned_mailing() -> None:
    """An abandoned mailing is no error, but is not settled while its sent part is in transit."""
    ending = Ending(EndingKind.ABANDONED, "2026-11-30T10:00:00+00:00", "anna", "")
    lock = Lock(
        "shop", mailings={"c/x": replace(entry(chunk(A, 2), chunk(B, 3, ChunkState.PENDING)), ending=ending)}
    )
    report = collect(lock, TableClient())
    (mailing,) = report.mailings
    assert (mailing.state, mailing.pending, mailing.other) == ("abandoned", 2, {"not sent": 3})
    assert mailing.notes == ("abandoned by anna on 2026-11-30 10:00 UTC",)
    assert not report.is_settled
    assert report.exit_code() == 0
    done = collect(lock, TableClient({"u1": [answer("c/x", A, "DELIVERED", "DELIVERED")]}))
    assert done.is_settled
    assert done.next_step is None
