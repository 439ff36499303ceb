"""The remote list is checked against what the lock recorded as accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.decisions import EVERY_MAILING, Ending, EndingKind, Resolution
from smsby_deploy.lock.records import ChunkState, Entry, Lock
from smsby_deploy.lock.serialization import read_lock, write_lock
from smsby_deploy.plan.remote_list_check import ListCheck, check_list, find_missing, is_forgotten, shows_any
from smsby_deploy.smsby.parsers import RemoteMailing, read_mailings
from tests.lock.examples import entry
from tests.plan.situations import view_of
from tests.smsby.conftest import keep_all

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


def _accepted(mark: str, ago: timedelta, **changes: object) -> Entry:
    at = (NOW - ago).isoformat(timespec="seconds")
    made = entry(ChunkState.ACCEPTED)
    (chunk,) = made.chunks
    return replace(made, chunks=(replace(chunk, fingerprint=mark, accepted_at=at),), **changes)  # type: ignore[arg-type]


def _listed(*names: str) -> list[RemoteMailing]:
    rows = [{"id": number, "name": name, "status": "NEW"} for number, name in enumerate(names, 1)]
    return list(read_mailings({"data": rows}, keep_all))


def _check(lock: Lock, *names: str) -> ListCheck:
    """Return the check of a lock, which is the same for one that was read from a file."""
    remote, read = view_of("shop", _listed(*names)), read_lock(write_lock(lock), "lock")
    check, again = (check_list(one, remote, now=NOW, reconcile_seconds=30) for one in (lock, read))
    assert check == again
    assert shows_any(lock, remote) is shows_any(read, remote)
    return check


@pytest.mark.parametrize(
    ("ago", "is_expected"),
    [
        (timedelta(seconds=29), False),
        (timedelta(seconds=31), True),
        (timedelta(days=29), True),
        (timedelta(days=31), False),
    ],
)
def test_check_list_expects_recent_chunks(ago: timedelta, is_expected: bool) -> None:
    """Chunks accepted between 30 days and reconcile_seconds ago are expected in the list."""
    lock = Lock("shop", mailings={"sale/vip": _accepted("0" * 10, ago)})
    assert _check(lock).is_disproved is is_expected
    assert _check(lock, "another mailing").is_disproved is is_expected


def test_check_list_counts_what_an_empty_lock_lacks() -> None:
    """A lock that never recorded anything may be lost; one whose mailings were removed, or that was bound, is not."""
    names = (
        "sale/a [1/2] shop#0000000000",
        "sale/a [2/2] shop#0000000001",
        "sale/b shop2#0000000000",
        "Sale",
    )
    assert _check(Lock("shop"), *names).unrecorded == 1
    assert _check(Lock("shop", lineage="line"), *names).unrecorded == 0


def test_check_list_sets_aside_what_was_withdrawn() -> None:
    """A withdrawn mailing was deleted in the account, so its absence proves nothing."""
    ending = Ending(EndingKind.WITHDRAWN, NOW.isoformat(), "anna", "")
    entry = _accepted("0" * 10, timedelta(hours=1), schedule_time="2026-12-02T10:00:00+03:00")
    assert _check(Lock("shop", mailings={"sale/vip": entry})).missing
    check = _check(Lock("shop", mailings={"sale/vip": replace(entry, ending=ending)}))
    assert not check.missing
    assert not check.is_disproved


@pytest.mark.parametrize(
    "name", ["sale/vip shop#0000000000", "a-long-campaign/vip sho"], ids=["fingerprint", "truncated"]
)
def test_check_list_believes_a_list_with_one_of_ours(name: str) -> None:
    """One listed fingerprint, or truncated name, of ours proves the list; other missing mailings are only a warning."""
    hour = timedelta(hours=1)
    address = name.split()[0]
    lock = Lock(
        "shop", mailings={address: _accepted("0" * 10, hour), "sale/staff": _accepted("1" * 10, hour)}
    )
    check = _check(lock, name)
    assert (check.expected, check.shown, check.is_disproved) == (2, 1, False)
    assert [check.find_deleted(one) for one in (address, "sale/staff")] == [set(), {"1" * 10}]
    (problem,) = find_missing(check, [address, "sale/staff"], {}, NOW)
    assert (problem.code, problem.severity, problem.address) == ("REMOTE_MISSING", "warning", "sale/staff")
    assert not list(find_missing(check, [address], {}, NOW))


def test_find_missing_shows_scheduled_mailings_first() -> None:
    """A scheduled mailing that is missing was probably deleted, so it is named first."""
    hour = timedelta(hours=1)
    lock = Lock(
        "shop",
        mailings={
            "sale/a": _accepted("0" * 10, hour, schedule_time=(NOW - hour).isoformat()),
            "sale/b": _accepted("1" * 10, hour, schedule_time=(NOW + hour).isoformat()),
            "sale/c": _accepted("2" * 10, hour),
        },
    )
    found = list(find_missing(_check(lock, "sale/c shop#2222222222"), lock.mailings, {}, NOW))
    assert [problem.address for problem in found] == ["sale/b", "sale/a"]
    assert "smsby-deploy lock withdraw sale/b" in found[0].message


def test_find_missing_counts_the_chunks_of_the_last_revision() -> None:
    """Only the last revision's chunks can be missing, and if some are listed, each of the others counts once."""
    one = _accepted("0" * 10, timedelta(hours=1))
    chunks = tuple(replace(one.chunks[0], fingerprint=str(number) * 10) for number in range(3))
    earlier = _accepted("9" * 10, timedelta(hours=1))
    lock = Lock("shop", mailings={"sale/a": replace(one, revision=2, chunks=chunks, earlier=(earlier,))})
    check = _check(lock, "sale/a r2 [1/3] shop#0000000000")
    assert (check.expected, check.shown, [(len(m.missing), m.expected) for m in check.missing]) == (
        4,
        1,
        [(2, 3)],
    )
    (problem,) = find_missing(check, ["sale/a"], {}, NOW)
    assert problem.message.startswith("sms.by does not list 2 of its 3 chunks, although it was accepted")


def test_find_missing_of_a_list_that_is_not_believed() -> None:
    """If the list is not believed, or the lock may be lost, scheduled mailings and what to check are named."""
    hour = timedelta(hours=1)
    mailings = {
        "sale/a": _accepted("0" * 10, hour, schedule_time=(NOW + hour).isoformat()),
        "sale/b": _accepted("1" * 10, hour),
        "sale/c": _accepted("2" * 10, hour, schedule_time=(NOW + hour).isoformat()),
    }
    check = _check(Lock("shop", mailings=mailings))
    found = list(find_missing(check, mailings, {}, NOW))
    assert [one.address for one in found] == ["sale/a", "sale/c", None]
    assert found[-1].message == check.doubt
    assert not any(map(check.find_deleted, mailings))
    (lost,) = find_missing(_check(Lock("shop"), "sale/a shop#0000000000"), ["sale/a"], {}, NOW)
    assert (lost.severity, lost.code) == ("warning", "LOCK_EMPTY")


_HERE = Binding("sandbox", "http://localhost:8025", None)


@pytest.mark.parametrize(
    ("recorded", "name", "is_it"),
    [
        ({}, "", False),
        ({"service": "http://localhost:8026"}, "", False),
        (
            {"mailing": ChunkState.ACCEPTED, "service": "http://localhost:8026"},
            "sale/a shop#0000000000",
            True,
        ),
        ({"mailing": ChunkState.ACCEPTED, "service": _HERE.service}, "sale/a shop#0000000000", False),
        ({"mailing": ChunkState.ACCEPTED}, "sale/a shop#0000000000", False),
        ({"mailing": ChunkState.ACCEPTED}, "", True),
        ({"mailing": ChunkState.PENDING}, "", False),
    ],
)
def test_sandbox_has_forgotten(recorded: dict[str, Any], name: str, is_it: bool) -> None:
    """Another sandbox, or one that shows nothing it accepted, has forgotten the lock, unless that has no mailings."""
    mailings = {"sale/a": entry(recorded["mailing"])} if "mailing" in recorded else {}
    lock = Lock("shop", mailings=mailings, service=recorded.get("service"))
    remote = view_of("shop", _listed(*filter(None, [name])))
    assert is_forgotten(lock, remote, _HERE) is is_it
    assert is_forgotten(replace(lock, service=None), remote, None) is (is_it and not name)


@pytest.mark.parametrize(("minutes", "advice"), [(-1, "count as undelivered"), (1, "lock withdraw sale/a")])
def test_find_missing_advises_on_a_spread_mailing(minutes: int, advice: str) -> None:
    """Once the first chunk of a spread mailing is gone, `lock withdraw` is not suggested."""
    one = _accepted("0" * 10, timedelta(hours=1))
    times = [(NOW + timedelta(minutes=count)).isoformat() for count in (minutes, 60)]
    chunks = tuple(
        replace(one.chunks[0], fingerprint=str(number) * 10, schedule_time=time)
        for number, time in enumerate(times)
    )
    lock = Lock("shop", mailings={"sale/a": replace(one, schedule_time=times[0], chunks=chunks)})
    (problem,) = find_missing(_check(lock, "sale/a shop#0000000000"), ["sale/a"], {}, NOW)
    assert advice in problem.message


def test_check_list_leaves_out_what_a_user_settled() -> None:
    """A chunk settled by `lock resolve` may never have been listed, and `lock bind` confirms the list up to then."""
    one = _accepted("0" * 10, timedelta(hours=1))
    at = one.chunks[0].accepted_at or ""
    lock = Lock("shop", mailings={"sale/vip": one})
    settled = Resolution("sale/vip", "resolved as sent", at, "anna", "")
    bound = Resolution(EVERY_MAILING, "bound", NOW.isoformat(), "anna", "")
    assert _check(lock).is_disproved
    for resolution in (settled, bound):
        assert _check(replace(lock, resolutions=(resolution,))).expected == 0
    other = Resolution("sale/other", "resolved as sent", NOW.isoformat(), "anna", "")
    assert _check(replace(lock, resolutions=(other,))).expected == 1


@pytest.mark.parametrize("change", [{"declared": True}, {"accepted_at": None}])
def test_check_list_leaves_out_declared_chunks(change: dict[str, Any]) -> None:
    """A settled chunk is left out whatever its address, even if an old lock does not know when it was settled."""
    one = _accepted("0" * 10, timedelta(hours=1))
    declared = replace(one, chunks=(replace(one.chunks[0], **change),))
    assert _check(Lock("shop", mailings={"sale/new-name": declared})).expected == 0


@pytest.mark.parametrize(("is_listed", "is_disproved"), [(True, False), (False, True)])
def test_single_messages_count_where_listed(is_listed: bool, is_disproved: bool) -> None:
    """A listed single message proves the account; an unlisted one proves nothing, since listing is undocumented."""
    hour = timedelta(hours=1)
    single = _accepted("0" * 10, hour, transport="single")
    lock = Lock("shop", mailings={"sale/single": single, "sale/bulk": _accepted("1" * 10, hour)})
    check = _check(lock, *(["sale/single shop#0000000000"] if is_listed else ["another mailing"]))
    assert (check.expected, check.shown) == ((2, 1) if is_listed else (1, 0))
    assert check.is_disproved is is_disproved
    assert [one.address for one in check.missing] == ["sale/bulk"]
    assert not _check(Lock("shop", mailings={"sale/single": single})).is_disproved


def test_list_check_doubt_names_both_counts() -> None:
    """The doubt has the number of recorded chunks and of listed mailings."""
    lock = Lock("shop", mailings={"sale/vip": _accepted("0" * 10, timedelta(hours=1))})
    doubt = _check(lock, "x", "y").doubt
    assert "1 chunk " in doubt and "2 mailings shows 0" in doubt and "lock bind" in doubt


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [
        ("sale/vip shop#0000000000", True),
        ("old/name shop#0000000000", True),
        ("sale/vip shop#1111111111", False),
        ("a-long-campaign/vip sho", False),
        ("a-longer-campaign/one", True),
    ],
)
def test_shows_any_by_fingerprint_or_truncated_name(name: str, is_shown: bool) -> None:
    """A lock is recognized by any fingerprint or truncated name, in any mailing and revision."""
    hour = timedelta(hours=1)
    old = replace(_accepted("2" * 10, hour), revision=2, earlier=(_accepted("0" * 10, hour),))
    others = {f"sale/m{number}": _accepted(f"{number:x}".zfill(10), hour) for number in range(2, 300)}
    mailings = {"a-longer-campaign/one": _accepted("3" * 10, hour), **others, "sale/vip": old}
    lock = Lock("shop", mailings=dict(sorted(mailings.items())))
    _check(lock, name)
    assert shows_any(lock, view_of("shop", _listed(name))) is is_shown
