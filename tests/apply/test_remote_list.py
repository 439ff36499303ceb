"""remote_list: how long a list is used, and what it proves about mailings that an outdated lock has as waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from smsby_deploy.apply.apply_result import MailingResult
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.remote_list import RecentList
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import EntryState
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_dispatch import VirtualClock
from tests.apply.fake_smsby import EMPTY_LIST, OFFLINE, PHONES, Shop, ok

_HOUR = 3600.0  # the clock begins at 10:00 in Minsk; the window opens an hour later
_RECIPIENTS = ", ".join(f"'{phone}'" for phone in PHONES[:3])
_HEAD = "version: 1\ncampaign: sale\nschedule_time: 2026-12-01T12:00:00\n"


@pytest.fixture
def older(tmp_path: Path) -> Shop:
    """A shop with a lock from before its mailing was handed over, in two chunks."""
    shop = Shop(tmp_path, clock=VirtualClock())
    shop.write(
        "smsby.yaml",
        "version: 1\nproject: shop\napi: {reconcile_seconds: 2, recipients_per_request: 2}\n"
        "release: {before: 1h, at_latest: 30m}\n",
    )
    shop.sms_by.script("sendBulkSms", ok({"uuid": "cc9c8043", "success": "OK"}))
    _write(shop)
    assert apply_plan(shop.request()).exit_code is ExitCode.DONE
    before = shop.store.path.read_bytes()
    shop.clock.sleep(_HOUR)
    assert hand_over(shop.request()).mailings[0].outcome == "sent"
    shop.store.path.write_bytes(before)
    assert _state(shop) is EntryState.WAITING
    return shop


def _write(shop: Shop, text: str = "Hello", more: str = "") -> None:
    mailing = f"  - {{name: vip, text: {text}, recipients: [{_RECIPIENTS}]{more}}}\n"
    shop.write("sale.yaml", f"{_HEAD}mailings:\n{mailing}")


def _state(shop: Shop) -> EntryState:
    return shop.lock().mailings["sale/vip"].state


def _names(shop: Shop) -> list[str]:
    """Return the names under which its chunks were sent."""
    return [one["name"] for call in shop.sms_by.named("sendBulkSms") for one in json.loads(call["messages"])]


def _list(*names: str) -> Answer:
    return ok([{"id": number, "name": name, "status": "NEW"} for number, name in enumerate(names, 1)])


def _due(shop: Shop, code: ExitCode) -> MailingResult:
    result = hand_over(shop.request())
    assert result.exit_code is code, result.mailings
    (mailing,) = result.mailings
    assert len(shop.sms_by.changes()) == 2  # two chunks, sent once
    return mailing


def test_list_is_kept_while_it_is_recent(older: Shop) -> None:
    """A list is kept for half of `reconcile_seconds` (2), or as long as a caller allows."""
    request = older.request()
    recent = RecentList(request.load().project, older.clock)
    assert (recent.kept(), recent.asked_at) == (None, None)
    remote = recent.ask(request.connect(), older.lock())
    older.clock.sleep(0.9)
    assert recent.kept() is remote
    older.clock.sleep(0.2)
    assert (recent.kept(), recent.kept(least=10)) == (None, remote)
    recent.forget()
    assert recent.kept(least=10) is None


_CHANGES: dict[str, Callable[[Shop], object]] = {
    "removed": lambda shop: (shop.root / "sale.yaml").unlink(),
    "cancelled": lambda shop: _write(shop, more=", cancelled: wrong"),
    "changed": lambda shop: _write(shop, text="Other"),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_what_was_sent_is_not_recorded_as_withdrawn(older: Shop, change: str) -> None:
    """A mailing that an outdated lock has as waiting, and that was removed or changed, is recorded as sms.by has it."""
    older.sms_by.script("getSMSMessages", _list(*_names(older)))
    _CHANGES[change](older)
    found = _due(older, ExitCode.REFUSED if change == "changed" else ExitCode.DONE)
    assert (found.outcome, found.is_recorded) == ("adopted", False)
    assert "lock withdraw sale/vip" in (found.error or "")
    assert _state(older) is EntryState.COMPLETE
    assert hand_over(older.request()).mailings == ()


@pytest.mark.parametrize("change", _CHANGES)
def test_what_is_listed_in_part_is_unknown(older: Shop, change: str) -> None:
    """If a mailing is listed in part, its other chunk is unknown, and a user must look."""
    older.sms_by.script("getSMSMessages", _list(_names(older)[0]))
    _CHANGES[change](older)
    found = _due(older, ExitCode.OUTCOME_UNKNOWN)
    assert found.outcome == "unknown"
    assert "lock resolve sale/vip --sent` or `--not-sent" in (found.error or "")
    assert _state(older) is EntryState.UNKNOWN


def test_truncated_name_makes_it_unknown(older: Shop) -> None:
    """A listed name without a fingerprint makes the mailing unknown, since it could be its name."""
    older.sms_by.script("getSMSMessages", _list("sale/vip [1/2] shop#1"))
    _CHANGES["removed"](older)
    assert _due(older, ExitCode.OUTCOME_UNKNOWN).outcome == "unknown"
    assert [chunk.state for chunk in older.lock().mailings["sale/vip"].chunks] == ["unknown"] * 2


@pytest.mark.parametrize("change", ["removed", "cancelled"])
def test_approval_does_not_lapse_without_the_list(older: Shop, change: str) -> None:
    """Without the list an approval does not lapse, and the next run tries again."""
    _CHANGES[change](older)
    older.sms_by.script("getSMSMessages", OFFLINE)
    assert _due(older, ExitCode.UNREACHABLE).outcome == "skipped"
    assert _state(older) is EntryState.WAITING
    older.sms_by.script("getSMSMessages", EMPTY_LIST)
    assert _due(older, ExitCode.DONE).is_recorded
    assert _state(older) is EntryState.WITHDRAWN


def test_list_that_shows_nothing_is_not_believed(older: Shop) -> None:
    """A list that shows nothing recorded is not believed: it may be incomplete, or another account's."""
    other = f"  - {{name: staff, text: Closed, recipients: ['{PHONES[4]}']}}\n"
    older.write("now.yaml", f"version: 1\ncampaign: now\nmailings:\n{other}")
    assert apply_plan(older.request()).exit_code is ExitCode.DONE
    older.clock.sleep(60)
    _CHANGES["removed"](older)
    result = hand_over(older.request())
    assert (result.exit_code, _state(older)) == (ExitCode.REFUSED, EntryState.WAITING)
    assert "shows 0 of them" in (result.mailings[0].error or "")


@pytest.mark.parametrize("time", ["2026-12-01T18:00:00", "2026-12-01T12:40:00"], ids=["held", "sent"])
def test_replaced_revision_that_was_sent_is_not_withdrawn(older: Shop, time: str) -> None:
    """A replaced revision that was sent is recorded as sent, and the raised one is approved or sent."""
    older.sms_by.script("getSMSMessages", _list(*_names(older)))
    older.clock.sleep(1.1 * _HOUR)
    release = ", release: {before: 1h, at_latest: 5m}"
    _write(older, text="Better", more=f", revision: 2, schedule_time: {time}{release}")
    assert apply_plan(older.request()).exit_code is ExitCode.DONE
    entry = older.lock().mailings["sale/vip"]
    assert (entry.revision, [one.state for one in entry.earlier]) == (2, [EntryState.COMPLETE])


@pytest.mark.parametrize("time", ["2026-12-01T18:00:00", "2026-12-01T12:40:00"], ids=["held", "sent"])
def test_revision_replaces_nothing_that_is_unknown(older: Shop, time: str) -> None:
    """A revision that was listed in part after the plan is unknown, so the next one is neither approved nor sent."""
    older.clock.sleep(1.1 * _HOUR)
    release = ", release: {before: 1h, at_latest: 5m}"
    _write(older, text="Better", more=f", revision: 2, schedule_time: {time}{release}")
    older.sms_by.script("getSMSMessages", EMPTY_LIST, _list(_names(older)[0]))
    assert apply_plan(older.request()).exit_code is ExitCode.OUTCOME_UNKNOWN
    entry = older.lock().mailings["sale/vip"]
    assert (entry.revision, entry.state) == (1, EntryState.UNKNOWN)
    assert len(older.sms_by.changes()) == 2
