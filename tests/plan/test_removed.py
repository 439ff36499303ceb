"""removed: mailings without a file that had waves left, or were sent though the lock has them as waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.records import Entry, EntryState, Lock
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.removed import find_removed, find_unknown, warn_of_scheduled
from tests.plan.situations import NOW, A, P, U, make_entry, make_list

_APPROVAL = Approval(
    "2026-11-23T10:00:00+00:00", "p", None, "2026-12-01T08:00:00+00:00", "2026-12-01T09:00:00+00:00"
)
_WAITING = make_entry(P, P, approval=_APPROVAL)
_ADDRESS = "sale/vip"


def _found(entry: Entry, remote: RemoteView | None, *addresses: str) -> list[str]:
    lock = Lock("shop", mailings={_ADDRESS: entry})
    return [one.message for one in find_removed(lock, addresses or (_ADDRESS,), remote, NOW)]


@pytest.mark.parametrize(
    ("entry", "remote"),
    [
        (_WAITING, None),
        (_WAITING, make_list()),
        (make_entry(A, A), make_list(0, 1)),
        (make_entry(P, P), make_list(0)),
    ],
    ids=["waits, offline", "waits, not listed", "was sent", "does not wait"],
)
def test_removed_mailing_is_no_problem(entry: Entry, remote: RemoteView | None) -> None:
    """Removing a waiting mailing is no problem: its user does not want it sent."""
    assert _found(entry, remote) == []


def test_removed_mailing_that_is_listed_was_handed_over() -> None:
    """A removed mailing that is listed was handed over, so the lock is older; one with a file has an action instead."""
    (message,) = _found(_WAITING, make_list(0))
    assert "removed from the files" in message
    assert "sale/vip" in message
    assert _found(_WAITING, make_list(0), "sale/other") == []


def test_removed_mailing_with_waves_is_not_finished() -> None:
    """A removed mailing whose first wave was sent is reported, since its other waves never will be."""
    chunks = [replace(one, wave=number) for number, one in enumerate(make_entry(A, P).chunks, 1)]
    begun = replace(_WAITING, chunks=tuple(chunks))
    (message,) = _found(begun, None)
    assert "wave 2 of 2 waited, so 2 recipients do not get it" in message
    ended = Ending(EndingKind.ABANDONED, "2026-11-23T10:00:00Z", "anna", "")
    assert _found(replace(begun, ending=ended), None) == []
    unknown = replace(begun, chunks=(chunks[0], replace(chunks[1], state=U)))
    assert _found(unknown, None) != [message]


def test_each_removed_mailing_is_looked_at() -> None:
    """A removed mailing without a problem hides no other, and each unknown one has an action."""
    entries = {"a/new": make_entry(P, P), "a/vip": _WAITING, "b/vip": make_entry(A, U), "c/vip": _WAITING}
    lock = Lock("shop", mailings=entries)
    found = find_removed(lock, entries, make_list(0), NOW)
    assert [one.address for one in found] == ["a/vip", "c/vip"]
    assert [(one.address, one.action) for one in find_unknown(lock, entries)] == [("b/vip", "orphan")]
    assert not list(find_unknown(lock, ["a/vip"]))


@pytest.mark.parametrize("entry", [make_entry(A, A), make_entry(A, P)], ids=["complete", "partial"])
@pytest.mark.parametrize(
    "time", ["2026-11-20T10:00:00+03:00", "2026-12-20T10:00:00+03:00"], ids=["gone", "ahead"]
)
def test_removed_mailing_that_sms_by_will_send(entry: Entry, time: str) -> None:
    """A scheduled mailing is sent though its file is removed: the warning has its name at sms.by, and its time."""
    entry = replace(entry, schedule_time=time)
    found = list(warn_of_scheduled(_ADDRESS, entry, make_list(0, 1), NOW))
    is_ahead = datetime.fromisoformat(time) > NOW
    assert len(found) == (is_ahead and entry.state is EntryState.COMPLETE)
    for problem in found:
        assert "2026-12-20 10:00 +03" in problem.message
        assert "lock withdraw sale/vip" in problem.message
