"""The callback file: what is appended to it, and what is read from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.records import Lock
from smsby_deploy.status import callbacks
from smsby_deploy.status.callbacks import (
    CallbackLog,
    Callbacks,
    Quota,
    QuotaExceeded,
    callbacks_end,
    callbacks_path,
    uuids_of,
    was_called_back,
)
from smsby_deploy.status.collect import collect_status
from smsby_deploy.status.status_report import State
from tests.status.examples import A, B, FixedClock, TableClient, answer, chunk, entry

body_of = callbacks._body_of


def _rows(**statuses: str) -> list[dict[str, Any]]:
    rows = [{"phone": phone[1:], "status": status} for phone, status in statuses.items()]
    return [{"message_id": 1, "name": f"c/x shop#{A}", "success": rows}]


def _store(path: Path, *bodies: object) -> None:
    log = CallbackLog(path, FixedClock(), read_uuids=frozenset)
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        log.append("POST", "/", {}, raw)


def test_read_callbacks_keeps_the_latest_status_of_a_phone(tmp_path: Path) -> None:
    """The callbacks of one request are merged, and those of other requests are ignored."""
    path = tmp_path / "c.jsonl"
    _store(
        path,
        {"uuid": "u1", "result": _rows(p1="SENT", p2="SENT")},
        {"uuid": "u2", "result": _rows(p3="DELIVERED")},
        {"uuid": "u1", "data": _rows(p1="DELIVERED")},
    )
    (mailing,) = Callbacks(path).read("u1")
    assert {one.phone: one.status for one in mailing.deliveries} == {"1": "DELIVERED", "2": "SENT"}
    assert Callbacks(path).read("u9") == ()


def test_read_callbacks_skips_unreadable_lines(tmp_path: Path) -> None:
    """Bodies without JSON, of other shapes or truncated do not hide the callbacks around them."""
    path = tmp_path / "c.jsonl"
    assert Callbacks(path).read("u1") == ()
    odd: list[object] = [
        b"uuid=u1&status=ok",
        b"\xff u1",
        ["u1"],
        {"uuid": "u1"},
        {"uuid": "u1", "result": "ok"},
    ]
    odd += [
        {"uuid": "u1", "result": [{"success": 5}]},
        {"uuid": "u1", "result": [{"success": [{"phone": "1"}]}]},
    ]
    _store(path, *odd)
    assert Callbacks(path).read("u1") == ()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"body": "{\\"uuid\\": \\"u1\\"')
    _store(path, {"uuid": "u1", "result": _rows(p1="DELIVERED")})
    assert len(Callbacks(path).read("u1")) == 1


@pytest.mark.parametrize(
    ("answered", "delivered", "state"),
    [([], 2, State.FINAL), ([answer("c/x", A, "SENT", "SENT")], 0, State.SENDING)],
)
def test_callbacks_are_used_where_sms_by_reports_nothing(
    tmp_path: Path, answered: list[Any], delivered: int, state: State
) -> None:
    """An answer of statusBulkSms takes precedence over callbacks."""
    path = tmp_path / "c.jsonl"
    _store(path, {"uuid": "u1", "result": _rows(p1="DELIVERED", p2="DELIVERED")})
    report = collect_status(
        Lock("shop", mailings={"c/x": entry(chunk(A, 2))}),
        TableClient({"u1": answered}),
        select=(),
        clock=FixedClock(),
        read_callbacks=Callbacks(path).read,
    )
    assert (report.mailings[0].delivered, report.mailings[0].state) == (delivered, state)


def test_callback_log_starts_a_new_line_after_a_torn_one(tmp_path: Path) -> None:
    """A line that a crash truncated is not continued by the next callback."""
    path = callbacks_path(tmp_path / "smsby.lock.json")
    path.write_text('{"torn', encoding="utf-8")
    _store(path, {"uuid": "u1"})
    torn, line = path.read_text(encoding="utf-8").splitlines()
    assert torn == '{"torn'
    assert json.loads(line)["method"] == "POST"


def test_callbacks_read_the_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read once for all requests, then only its new part; a shorter file is read as a new one."""
    path = tmp_path / "c.jsonl"
    _store(path, *({"uuid": f"u{number}", "result": _rows(p1="SENT")} for number in range(50)))
    read: list[int] = []
    monkeypatch.setattr(callbacks, "_body_of", lambda line: read.append(len(line)) or body_of(line))
    reader = Callbacks(path)
    assert all(reader.read(f"u{number}") for number in range(50))
    assert len(read) == 100  # to index it, and for the request
    assert reader.read("u99") == ()
    _store(path, {"uuid": "u1", "result": _rows(p1="DELIVERED")})
    read.clear()
    assert [one.status for one in reader.read("u1")[0].deliveries] == ["DELIVERED"]
    assert len(read) == 3  # the new line to index it, and the two of the request
    path.unlink()
    _store(path, {"uuid": "u1", "result": _rows(p1="SENT", p2="SENT")})
    assert len(reader.read("u1")[0].deliveries) == 2
    assert reader.read("u2") == ()


def test_callbacks_read_a_torn_line_once_it_is_complete(tmp_path: Path) -> None:
    """A torn line, which `listen` may be writing, is read when it is complete."""
    path = tmp_path / "c.jsonl"
    _store(path, {"uuid": "u1", "result": _rows(p1="SENT")})
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    reader = Callbacks(path)
    assert reader.read("u1") == ()
    path.write_bytes(whole)
    assert len(reader.read("u1")) == 1


class _Seconds(FixedClock):
    """A clock whose seconds a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def _append(log: CallbackLog, body: object) -> None:
    log.append("POST", "/", {}, json.dumps(body).encode())


def test_callback_log_limits_requests_that_are_not_in_the_lock(tmp_path: Path) -> None:
    """Callbacks of requests outside the lock are limited by lines and bytes, over all runs; those of the lock are not."""
    path = tmp_path / "c.jsonl"
    quota = Quota(other_lines=3, other_bytes=2000)
    for _ in range(2):
        log = CallbackLog(path, FixedClock(), read_uuids=lambda: {"u1"}, quota=quota)
        for _ in range(5):
            _append(log, {"uuid": "u1"})
        for body in ({"uuid": "u2"}, ["no uuid"], {"uuid": 5}):
            if path.read_bytes().count(b"\n") < 8:
                _append(log, body)
        with pytest.raises(QuotaExceeded, match="requests that are not in the lock"):
            _append(log, {"uuid": "u3"})
    assert path.read_bytes().count(b"\n") == 13
    other = tmp_path / "d.jsonl"
    log = CallbackLog(other, FixedClock(), read_uuids=frozenset, quota=quota)
    with pytest.raises(QuotaExceeded):
        _append(log, {"uuid": "x" * 2000})
    assert other.read_bytes() == b""


def test_callback_log_limits_the_whole_file(tmp_path: Path) -> None:
    """A full file accepts callbacks again after a user empties it."""
    path = tmp_path / "c.jsonl"
    log = CallbackLog(path, FixedClock(), read_uuids=lambda: {"u1"}, quota=Quota(file_bytes=1000))
    with pytest.raises(QuotaExceeded, match="holds"):
        for _ in range(100):
            _append(log, {"uuid": "u1"})
    assert 800 < path.stat().st_size <= 1000
    path.write_bytes(b"")
    _append(log, {"uuid": "u1"})


def test_callback_log_asks_for_the_requests_of_the_lock_again(tmp_path: Path) -> None:
    """The lock is read at most once a second for new requests, since a callback may come before its request is recorded."""
    clock, asked = _Seconds(), []
    known: set[str] = set()

    def read_uuids() -> set[str]:
        asked.append(clock.seconds)
        if len(asked) == 2:
            raise LockDamaged("for now")
        return set(known)

    log = CallbackLog(tmp_path / "c.jsonl", clock, read_uuids=read_uuids, quota=Quota(other_lines=1))
    _append(log, {"uuid": "u1"})
    known.add("u2")
    for clock.seconds in (0.5, 1.0):
        with pytest.raises(QuotaExceeded):
            _append(log, {"uuid": "u2"})
    clock.seconds = 2.0
    _append(log, {"uuid": "u2"})
    assert asked == [0.0, 1.0, 2.0]


def test_uuids_of_a_lock_are_those_of_all_revisions() -> None:
    """The requests of a lock are those of all revisions, without chunks that have none."""
    earlier = entry(replace(chunk(A, 2), uuid="u0"))
    later = replace(entry(chunk(A, 2), replace(chunk(B, 1), uuid=None)), earlier=[earlier])
    lock = Lock("shop", mailings={"c/x": later})
    assert uuids_of(lock) == {"u0", "u1"}


def test_was_called_back_reads_only_what_is_new(tmp_path: Path) -> None:
    """Only the new part of a large file is searched for the request, and a callback of any form counts."""
    path = tmp_path / "c.jsonl"
    assert callbacks_end(path) == 0
    assert not was_called_back(path, "u1", 0)
    _store(path, {"uuid": "u1", "result": _rows(p1="SENT")}, b"plain text about u1")
    start = callbacks_end(path)
    assert was_called_back(path, "u1", 0)
    assert not was_called_back(path, "u1", start)
    assert Callbacks(path, start).read("u1") == ()
    _store(path, {"uuid": "u2", "result": _rows(p2="SENT")}, b"plain text about u1")
    assert was_called_back(path, "u1", start)
    (mailing,) = Callbacks(path, start).read("u2")
    assert [one.phone for one in mailing.deliveries] == ["2"]
