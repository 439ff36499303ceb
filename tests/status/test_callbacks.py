"""The callback file: what is appended, and what is read from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.lock.records import Lock
from smsby_deploy.status.callbacks import CallbackLog, callbacks_path, read_callbacks
from smsby_deploy.status.collect import collect_status
from smsby_deploy.status.report import State
from tests.status.examples import A, FixedClock, TableClient, answer, chunk, entry


def _rows(**statuses: str) -> list[dict[str, Any]]:
    rows = [{"phone": phone[1:], "status": status} for phone, status in statuses.items()]
    return [{"message_id": 1, "name": f"c/x shop#{A}", "success": rows}]


def _store(path: Path, *bodies: object) -> None:
    log = CallbackLog(path, FixedClock())
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        log.append("POST", "/", {}, raw)


def test_read_callbacks_keeps_the_latest_status_of_a_phone(tmp_path: Path) -> None:
    """Callbacks of one request are merged; those of other requests are ignored."""
    path = tmp_path / "c.jsonl"
    _store(
        path,
        {"uuid": "u1", "result": _rows(p1="SENT", p2="SENT")},
        {"uuid": "u2", "result": _rows(p3="DELIVERED")},
        {"uuid": "u1", "data": _rows(p1="DELIVERED")},
    )
    (mailing,) = read_callbacks(path, "u1")
    assert {one.phone: one.status for one in mailing.deliveries} == {"1": "DELIVERED", "2": "SENT"}
    assert read_callbacks(path, "u9") == ()


def test_read_callbacks_skips_unreadable_lines(tmp_path: Path) -> None:
    """Bodies without JSON, other shapes and truncated lines do not hide the callbacks around them."""
    path = tmp_path / "c.jsonl"
    assert read_callbacks(path, "u1") == ()
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
    assert read_callbacks(path, "u1") == ()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"body": "{\\"uuid\\": \\"u1\\"')
    _store(path, {"uuid": "u1", "result": _rows(p1="DELIVERED")})
    assert len(read_callbacks(path, "u1")) == 1


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
        read_callbacks=lambda uuid: read_callbacks(path, uuid),
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
