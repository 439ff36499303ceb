"""Collecting and watching status reports: what is asked, what is not, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.status.collect import (
    CollectProgress,
    StatusOptions,
    collect_status,
    read_since,
    select_addresses,
    watch_status,
)
from smsby_deploy.status.final_chunks import FinalChunks
from smsby_deploy.status.status_report import State, StatusReport
from tests.output import examples
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


class CountingClock:
    """A clock that records sleeps instead of sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 12, 8, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def _report(pending: int) -> StatusReport:
    state = State.SENDING if pending else State.FINAL
    return StatusReport((examples.mailing("c/x", state, (9 - pending, 0, 0, pending)),))


def test_collect_reports_progress_in_recipients() -> None:
    """`begin` gets all recipients, and `advance` those of each chunk, even of one that was not sent."""
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 2), ChunkRecord(B, 1, "d"))})
    client = TableClient({"u1": [answer("c/x", A, "DELIVERED")]})
    heard: list[int] = []
    progress = CollectProgress(heard.append, heard.append)
    collect_status(lock, client, select=(), clock=FixedClock(), progress=progress)
    assert heard == [3, 2, 1]


def test_collect_does_not_ask_about_settled_mailings() -> None:
    """Only mailings that can still change are asked about, and if none can, no request is made."""
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


def test_collect_since_leaves_older_mailings_out() -> None:
    """`since` compares the schedule, or the time of the apply if there is none."""
    lock = Lock("shop", mailings={"c/x": entry(), "c/y": entry(schedule_time="2026-12-02T10:00:00+03:00")})
    report = collect_status(
        lock,
        TableClient(),
        select=(),
        clock=FixedClock(),
        options=StatusOptions(since=datetime(2026, 12, 1, tzinfo=UTC)),
    )
    assert [mailing.address for mailing in report.mailings] == ["c/y"]


def test_collect_of_an_unknown_address_is_wrong_usage() -> None:
    """An unknown address is wrong usage, not an empty status."""
    with pytest.raises(UsageError, match="no recorded mailing matches c/z"):
        collect(Lock("shop"), TableClient(), "c/z")


def test_watch_pauses_longer_while_nothing_changes() -> None:
    """Pauses grow to a minute and restart on a change; every report is shown and the last one returned."""
    reports = iter([*[_report(9)] * 12, _report(4), _report(4), _report(0)])
    clock = CountingClock()
    shown: list[StatusReport] = []
    last = watch_status(lambda previous: next(reports), shown.append, clock)
    assert last == _report(0)
    assert len(shown) == 15
    assert clock.slept[:3] == [3.0, 4.5, 6.75]
    assert clock.slept[10:13] == [60.0, 60.0, 3.0]


def test_watch_collects_with_the_previous_report() -> None:
    """`collect` gets the previous report, so that it asks only about what can have changed."""
    reports = iter([_report(5), _report(0)])
    given: list[StatusReport | None] = []

    def collect_next(previous: StatusReport | None) -> StatusReport:
        given.append(previous)
        return next(reports)

    watch_status(collect_next, lambda report: None, CountingClock())
    assert given == [None, _report(5)]


NOW = datetime(2026, 12, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), ["a/x", "a/y", "b/x"]),
        (("a/*",), ["a/x", "a/y"]),
        (("b/x", "a/y"), ["a/y", "b/x"]),
    ],
)
def test_select_addresses_by_pattern(patterns: tuple[str, ...], expected: list[str]) -> None:
    """An address is selected if any pattern matches, or if there is no pattern; the result is sorted."""
    lock = Lock("shop", mailings={address: entry() for address in ("b/x", "a/y", "a/x")})
    assert select_addresses(lock, patterns, None) == expected


def test_select_addresses_refuses_a_pattern_without_match() -> None:
    """One pattern without a match among several is an error, not an incomplete report."""
    lock = Lock("shop", mailings={"sale/vip": entry()})
    with pytest.raises(UsageError, match=r"no recorded mailing matches b/\*") as unlike:
        select_addresses(lock, ("sale/vip", "b/*"), None)
    assert "lock list" in unlike.value.hint
    with pytest.raises(UsageError) as alike:
        select_addresses(lock, ("sale/vop",), None)
    assert alike.value.hint == "did you mean sale/vip?"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", "2026-12-01T12:00:00+00:00"),
        ("90m", "2026-12-08T10:30:00+00:00"),
        ("90min", "2026-12-08T10:30:00+00:00"),  # as in earlier versions
        ("2w", "2026-11-24T12:00:00+00:00"),
        ("2026-12-01", "2026-12-01T00:00:00+03:00"),
        ("2026-12-01T10:00+01:00", "2026-12-01T10:00:00+01:00"),
    ],
)
def test_read_since_accepts_dates_times_and_durations(text: str, moment: str) -> None:
    """A date or time without an offset is in the time zone of the account."""
    assert read_since(text, now=NOW, zone="Europe/Minsk") == datetime.fromisoformat(moment)


@pytest.mark.parametrize("text", ["yesterday", "7", "2026-13-01", ""])
def test_read_since_refuses_anything_else(text: str) -> None:
    """Anything but a date, time or duration is refused, not guessed."""
    with pytest.raises(UsageError, match="expected a date, a time or a duration"):
        read_since(text, now=NOW, zone="Europe/Minsk")


def test_collect_asks_only_about_open_chunks() -> None:
    """While a mailing is watched, a chunk whose messages are all final is not asked about again."""
    open_chunk = ChunkRecord(B, 2, "d", ChunkState.ACCEPTED, "u2")
    lock = Lock("shop", mailings={"c/x": entry(chunk(A, 1), open_chunk)})
    client = TableClient(
        {"u1": [answer("c/x", A, "DELIVERED")], "u2": [answer("c/x", B, "SENT", "DELIVERED")]}
    )
    options = StatusOptions(final=FinalChunks())
    first = collect_status(lock, client, select=(), clock=FixedClock(), options=options)
    assert client.asked == ["getSMSMessages", "u1", "u2"]
    client.asked.clear()
    client.bulk["u2"] = [answer("c/x", B, "DELIVERED", "DELIVERED")]
    second = collect_status(lock, client, select=(), clock=FixedClock(), options=options, previous=first)
    assert client.asked == ["getSMSMessages", "u2"]
    assert (second.mailings[0].delivered, second.mailings[0].state) == (3, "final")


@pytest.mark.parametrize("list_missed", [False, True])
def test_collect_never_asks_about_what_is_final(list_missed: bool) -> None:
    """After 100 final mailings the next report asks nothing; with phones, only about those with missed recipients."""
    lock, client = Lock("shop"), TableClient()
    for number in range(100):
        address, fingerprint, uuid = f"c/x{number}", f"{number:010}", f"u{number}"
        record = ChunkRecord(fingerprint, 2, "d", ChunkState.ACCEPTED, uuid if number % 2 else None, number)
        lock = lock.with_entry(address, entry(record))
        statuses = ("DELIVERED", "UNDELIVERED" if number < 3 else "DELIVERED")
        client.bulk[uuid] = [answer(address, fingerprint, *statuses)]
        client.lists[number] = list(deliveries(*statuses))
    options = StatusOptions(final=FinalChunks(), list_missed=list_missed)
    first = collect_status(lock, client, select=(), clock=FixedClock(), options=options)
    assert len(client.asked) == 101
    client.asked.clear()
    second = collect_status(lock, client, select=(), clock=FixedClock(), options=options)
    assert client.asked == ["getSMSMessages", *([0, "u1", 2] if list_missed else [])]
    assert second == first


def test_collect_asks_about_the_one_that_is_not_final() -> None:
    """If one of 100 mailings is not final, one request is made, and none once it is final as well."""
    lock, client, options = Lock("shop"), TableClient(), StatusOptions(final=FinalChunks())
    for number in range(100):
        record = ChunkRecord(f"{number:010}", 1, "d", ChunkState.ACCEPTED, f"u{number}")
        lock = lock.with_entry(f"c/x{number}", entry(record))
        client.bulk[f"u{number}"] = [answer("c/x", f"{number:010}", "SENT" if number == 50 else "DELIVERED")]
    counts = []
    for last in ("SENT", "DELIVERED", "DELIVERED"):
        collect_status(lock, client, select=(), clock=FixedClock(), options=options)
        counts.append(len(client.asked) - 1)
        client.asked.clear()
        client.bulk["u50"] = [answer("c/x", f"{50:010}", last)]
    assert counts == [100, 1, 1]
    collect_status(lock, client, select=(), clock=FixedClock(), options=options)
    assert client.asked == ["getSMSMessages"]


_LATER = "2026-12-05T10:00:00+03:00"
_GONE_LONG_AGO = ChunkRecord(
    A, 1, "d", ChunkState.ACCEPTED, uuid="u1", accepted_at="2026-10-01T00:00:00+00:00"
)
_WITHDRAWN = Ending(EndingKind.WITHDRAWN, "2026-11-30T00:00:00+00:00", "anna", "")


def _revised(earlier: Entry) -> Lock:
    """Return a lock with a final second revision, and `earlier` before it."""
    last = replace(
        entry(ChunkRecord(B, 1, "d", ChunkState.ACCEPTED, uuid="u2")), revision=2, earlier=(earlier,)
    )
    return Lock("shop", mailings={"c/x": last})


@pytest.mark.parametrize(
    ("earlier", "status", "shown"),
    [
        (entry(chunk(A, 1), schedule_time=_LATER), "NEW", State.SCHEDULED),
        (entry(chunk(A, 1)), "SENT", State.SENDING),
        (entry(chunk(A, 1), chunk("c" * 10, 1, ChunkState.REJECTED)), "SENT", State.PARTIAL),
        (entry(chunk(A, 1, ChunkState.UNKNOWN)), "", State.UNKNOWN),
        (entry(chunk(A, 1)), "DELIVERED", None),
        (entry(chunk(A, 1), chunk("c" * 10, 1, ChunkState.REJECTED)), "DELIVERED", None),
        (entry(chunk(A, 1, ChunkState.REJECTED)), "", None),
        (replace(entry(chunk(A, 1), schedule_time=_LATER), ending=_WITHDRAWN), "NEW", None),
    ],
    ids=[
        "scheduled",
        "sending",
        "sent-in-part",
        "unknown",
        "final",
        "final-in-part",
        "rejected",
        "withdrawn",
    ],
)
def test_collect_lists_every_revision_that_is_not_final(
    earlier: Entry, status: str, shown: State | None
) -> None:
    """An earlier revision that is not final is listed before the last one, which is always listed."""
    client = TableClient(
        {"u1": [answer("c/x", A, status)], "u2": [answer("c/x r2", B, "DELIVERED", message_id=2)]}
    )
    report = collect(_revised(earlier), client)
    *before, last = report.mailings
    assert (last.name, last.revision, last.state) == ("c/x", 2, State.FINAL)
    assert [(one.name, one.revision, one.state) for one in before] == (
        [("c/x r1", 1, shown)] if shown else []
    )


def test_collect_asks_nothing_about_long_gone_revisions() -> None:
    """After status.settle_after earlier revisions are settled, so no request is made for them."""
    client = TableClient({"u2": [answer("c/x r2", B, "DELIVERED", message_id=2)]})
    assert [one.revision for one in collect(_revised(entry(_GONE_LONG_AGO)), client).mailings] == [2]
    assert client.asked == ["getSMSMessages", "u2"]


def test_collect_keeps_a_revision_that_it_has_shown() -> None:
    """A revision that becomes final during a watch stays in the report."""
    lock = _revised(entry(chunk(A, 1)))
    client = TableClient(
        {"u1": [answer("c/x", A, "SENT")], "u2": [answer("c/x r2", B, "DELIVERED", message_id=2)]}
    )
    first = collect(lock, client)
    client.bulk["u1"] = [answer("c/x", A, "DELIVERED")]
    client.asked.clear()
    second = collect_status(lock, client, select=(), clock=FixedClock(), previous=first)
    assert [(one.name, one.state) for one in second.mailings] == [("c/x r1", "final"), ("c/x", "final")]
    assert client.asked == ["getSMSMessages", "u1"]
    client.asked.clear()
    third = collect_status(lock, client, select=(), clock=FixedClock(), previous=second)
    assert third.mailings == second.mailings
    assert client.asked == []


_ASKED = ["getSMSMessages"]
_DUE, _OVER = ("2026-11-29T22:00", "2026-12-01T09:40"), ("2026-11-29T22:00", "2026-11-30T09:40")
_OWN, _OTHER = "sale/vip shop#" + A, "sale/vip shop#" + "f" * 10
_LISTED = "sms.by lists it although the lock records it as waiting"


@pytest.mark.parametrize(
    ("window", "names", "asked", "note"),
    [
        (("2026-12-01T09:00", "2026-12-01T09:40"), [], [], "approved; `apply --due` hands it over"),
        (_DUE, [], _ASKED, "approved; `apply --due` hands it over"),
        (_DUE, [_OWN], _ASKED, _LISTED),
        (_OVER, [], _ASKED, "its window for the hand-over closed at 2026-11-30 09:40 +03, so it is not sent"),
        (_OVER, [_OWN], _ASKED, _LISTED),
        (_OVER, [_OTHER], _ASKED, _LISTED),
    ],
)
def test_collect_asks_once_about_what_may_have_been_handed_over(
    window: tuple[str, str], names: list[str], asked: list[str], note: str
) -> None:
    """After its window a waiting mailing may have been handed over by another run, so sms.by is asked once."""
    opens, closes = window
    approval = Approval("2026-11-29T00:00:00+00:00", "p1", "anna", f"{opens}:00+03:00", f"{closes}:00+03:00")
    held = replace(
        entry(chunk(A, 3, ChunkState.PENDING), schedule_time="2026-12-01T10:00:00+03:00"), approval=approval
    )
    client = TableClient(listed=[replace(listed("sale/vip", A, 3), name=name) for name in names])
    (waiting,) = collect(Lock("shop", mailings={"sale/vip": held}), client).mailings
    assert client.asked == asked
    assert (waiting.state, waiting.recipients, waiting.pending, total(waiting)) == ("waiting", 3, 3, 3)
    assert waiting.details.window == approval.window
    assert any(note in one for one in waiting.notes)
    client.asked.clear()
    both = Lock("shop", mailings={"sale/vip": held, "sale/staff": entry(chunk(B, 2))})
    report = collect(both, client)
    assert [one.state for one in report.mailings] == ["sending", "waiting"]
    assert client.asked == ["getSMSMessages", "u1"]
