"""hand_over: what was approved is handed over in its window, and what goes wrong with one stops no other."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from smsby_deploy.apply.context import ApplyRequest
from smsby_deploy.apply.due_watch import watch_due
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.result import ApplyResult
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.errors import LockHeld, SmsbyDeployError, UsageError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock import journal
from smsby_deploy.lock.records import EntryState
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_dispatch import VirtualClock
from tests.apply.fake_smsby import EMPTY_LIST, LOST, OFFLINE, PHONES, Shop, error, ok
from tests.apply.test_preflight import _plan, _request

_ACCEPTED = ok({"uuid": "cc9c8043", "success": "OK"})
_HOUR = 3600.0  # the clock begins at 10:00 in Minsk; windows open an hour later, and close half an hour after that


@pytest.fixture
def waiting(tmp_path: Path) -> Shop:
    """A shop whose mailings are to be sent at 12:00."""
    shop = Shop(tmp_path, clock=VirtualClock())
    shop.configure(price="{currency: BYN, per_part: 1}", release="{before: 1h, at_latest: 30m}")
    shop.sms_by.script("sendBulkSms", _ACCEPTED)
    return shop


def _write(shop: Shop, **mailings: str) -> None:
    head = "version: 1\ncampaign: sale\nschedule_time: 2026-12-01T12:00:00\nmailings:\n"
    rows = (f"  - {{name: {name}, {text}}}\n" for name, text in mailings.items())
    shop.write("sale.yaml", head + "".join(rows))


def _to(*phones: str, text: str = "Hello", more: str = "") -> str:
    return f"text: {text}, recipients: [{', '.join(map(repr, phones))}]{more}"


def _approve(shop: Shop, **mailings: str) -> None:
    _write(shop, **mailings)
    result = apply_plan(_request(shop))
    assert result.exit_code is ExitCode.DONE
    assert shop.sms_by.changes() == []


def _pass(shop: Shop, seconds: float) -> None:
    shop.clock.sleep(seconds)


def _outcomes(result: ApplyResult) -> dict[str, str]:
    return {one.address.removeprefix("sale/"): one.outcome.value for one in result.mailings}


def _state(shop: Shop, name: str) -> EntryState:
    return shop.lock().mailings[f"sale/{name}"].state


def test_hand_over_does_what_was_approved(waiting: Shop) -> None:
    """Nothing before the window; in it one request for all; the approval stays in the lock."""
    _approve(waiting, a=_to(PHONES[0]), b=_to(PHONES[1]))
    approved = {address: entry.approval for address, entry in waiting.lock().mailings.items()}
    early = hand_over(_request(waiting))
    assert (early.mailings, early.exit_code) == ((), ExitCode.DONE)
    assert early.next_opening is not None and early.next_opening.isoformat() == "2026-12-01T11:00:00+03:00"
    _pass(waiting, _HOUR)
    done = hand_over(_request(waiting))
    assert _outcomes(done) == {"a": "sent", "b": "sent"}
    assert (done.exit_code, done.next_opening) == (ExitCode.DONE, None)
    assert waiting.sms_by.changes() == ["sendBulkSms"]
    assert {address: entry.approval for address, entry in waiting.lock().mailings.items()} == approved
    assert [run.plan for run in waiting.lock().applies][1:] == [done.plan.id]
    calls = len(waiting.sms_by.calls)
    assert hand_over(_request(waiting)).mailings == ()
    assert len(waiting.sms_by.calls) == calls


def test_hand_over_selects(waiting: Shop) -> None:
    """Only what SELECT matches; a pattern that matches nothing is a mistake."""
    _approve(waiting, a=_to(PHONES[0]), b=_to(PHONES[1]))
    _pass(waiting, _HOUR)
    request = replace(_request(waiting), select=("sale/b",))
    assert _outcomes(hand_over(request)) == {"b": "sent"}
    with pytest.raises(UsageError):
        hand_over(replace(_request(waiting), select=("sale/c",)))


def test_hand_over_of_each_plan_is_judged_by_itself(waiting: Shop) -> None:
    """Together they may cost more than `max_cost` allows one apply."""
    waiting.configure(
        price="{currency: BYN, per_part: 1}",
        release="{before: 1h, at_latest: 30m}",
        guardrails="{max_cost: 1}",
    )
    _approve(waiting, a=_to(PHONES[0]))
    _approve(waiting, a=_to(PHONES[0]), b=_to(PHONES[1]))
    _pass(waiting, _HOUR)
    assert _outcomes(hand_over(_request(waiting))) == {"a": "sent", "b": "sent"}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda shop: shop.sms_by.script("getBalance", ok({"balance": "0.5", "currency": "BYN"})), "REFUSED"),
        (lambda shop: shop.sms_by.script("getSMSMessages", OFFLINE), "UNREACHABLE"),
        (lambda shop: shop.sms_by.script("sendBulkSms", OFFLINE), "UNREACHABLE"),
        (lambda shop: shop.sms_by.script("sendBulkSms", error("No such alphaname", 400)), "FAILED"),
    ],
    ids=["balance", "list", "send", "rejected"],
)
def test_hand_over_is_tried_again(spoil: Callable[[Shop], None], code: str, waiting: Shop) -> None:
    """What failed and was certainly not sent is handed over by a later run, as long as the window is open."""
    _approve(waiting, a=_to(PHONES[0]))
    _pass(waiting, _HOUR)
    spoil(waiting)
    failed = hand_over(_request(waiting))
    assert failed.exit_code is ExitCode[code]
    assert failed.mailings[0].error
    assert failed.next_opening is not None
    for method, answer in (
        ("getBalance", ok({"balance": "9", "currency": "BYN"})),
        ("getSMSMessages", EMPTY_LIST),
    ):
        waiting.sms_by.script(method, answer)
    waiting.sms_by.script("sendBulkSms", _ACCEPTED)
    assert _outcomes(hand_over(_request(waiting))) == {"a": "sent"}


def test_hand_over_without_the_files_of_another(waiting: Shop) -> None:
    """Of two mailings of one approved plan, the one whose sender is gone waits; the other is handed over."""
    waiting.sms_by.script("getAlphanames", ok({"7": "MyShop", "8": "Other"}))
    _approve(
        waiting, a=_to(PHONES[0], more=", alphaname: Other"), b=_to(PHONES[1], more=", alphaname: MyShop")
    )
    waiting.sms_by.script("getAlphanames", ok({"7": "MyShop"}))
    _pass(waiting, _HOUR)
    result = hand_over(_request(waiting))
    assert _outcomes(result) == {"a": "skipped", "b": "sent"}
    assert result.exit_code is ExitCode.FILES_INVALID
    assert _state(waiting, "a") is EntryState.WAITING


def test_lost_answer_of_a_hand_over_is_never_repeated(waiting: Shop) -> None:
    """Later runs look for it, and send nothing."""
    _approve(waiting, a=_to(PHONES[0]))
    mark = waiting.lock().mailings["sale/a"].chunks[0].fingerprint
    _pass(waiting, _HOUR)
    waiting.sms_by.script("sendBulkSms", LOST)
    lost = hand_over(_request(waiting))
    assert (_outcomes(lost), lost.exit_code) == ({"a": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
    again = hand_over(_request(waiting))
    assert (_outcomes(again), again.exit_code) == ({"a": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
    waiting.sms_by.script("getSMSMessages", ok([{"id": 7, "name": f"sale/a shop#{mark}", "status": "NEW"}]))
    found = hand_over(_request(waiting))
    assert (_outcomes(found), found.exit_code) == ({"a": "adopted"}, ExitCode.DONE)
    assert waiting.sms_by.changes() == ["sendBulkSms"]


def test_older_lock_hands_nothing_over_twice(waiting: Shop) -> None:
    """A lock from before the hand-over still says that it waits; the list of sms.by says that it was sent."""
    _approve(waiting, a=_to(PHONES[0]))
    older = waiting.store.path.read_bytes()
    mark = waiting.lock().mailings["sale/a"].chunks[0].fingerprint
    _pass(waiting, _HOUR)
    hand_over(_request(waiting))
    waiting.store.path.write_bytes(older)
    waiting.sms_by.script("getSMSMessages", ok([{"id": 7, "name": f"sale/a shop#{mark}", "status": "NEW"}]))
    assert _outcomes(hand_over(_request(waiting))) == {"a": "adopted"}
    assert waiting.sms_by.changes() == ["sendBulkSms"]
    assert _state(waiting, "a") is EntryState.COMPLETE


def test_raised_revision_replaces_what_waits(waiting: Shop) -> None:
    """The older revision is recorded as withdrawn, and only the new one is handed over."""
    _approve(waiting, a=_to(PHONES[0]))
    _approve(waiting, a=_to(PHONES[0], text="Better", more=", revision: 2"))
    (older,) = waiting.lock().mailings["sale/a"].earlier
    assert older.state is EntryState.WITHDRAWN
    _pass(waiting, _HOUR)
    assert _outcomes(hand_over(_request(waiting))) == {"a": "sent"}
    (sent,) = waiting.sms_by.named("sendBulkSms")
    assert b"Better" in sent["messages"] and b" r2 " in sent["messages"]


def test_revision_that_is_taken_back_lapses(waiting: Shop) -> None:
    """If the files go back to an older revision, the newer one is not handed over."""
    _approve(waiting, a=_to(PHONES[0], more=", revision: 2"))
    _write(waiting, a=_to(PHONES[0]))
    _pass(waiting, _HOUR)
    result = hand_over(_request(waiting))
    assert (_outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.REFUSED)
    assert _state(waiting, "a") is EntryState.WITHDRAWN


@pytest.mark.parametrize("text", ["text: Better", "text: Hello, revision: 2"])
def test_changed_mailing_lapses_before_its_window(text: str, waiting: Shop) -> None:
    """What is its own needs no recipients to be read; sms.by is only asked what it lists."""
    _approve(waiting, a=_to(PHONES[0]))
    _write(waiting, a=_to(PHONES[0]).replace("text: Hello", text))
    calls = len(waiting.sms_by.calls)
    result = hand_over(_request(waiting))
    assert (_outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.REFUSED)
    assert _state(waiting, "a") is EntryState.WITHDRAWN
    assert hand_over(_request(waiting)).exit_code is ExitCode.DONE
    assert [name for name, _ in waiting.sms_by.calls[calls:]] == ["getSMSMessages"]


def test_setting_that_moved_changes_nothing(waiting: Shop) -> None:
    """The mailing says for itself what its campaign said before: it is still the approved one."""
    _approve(waiting, a=_to(PHONES[0]))
    _write(waiting, a=_to(PHONES[0], more=", schedule_time: 2026-12-01T12:00:00"))
    assert hand_over(_request(waiting)).mailings == ()
    assert _state(waiting, "a") is EntryState.WAITING


def test_lapsed_approval_makes_no_plan_stale(waiting: Shop) -> None:
    """A run of cron between the merge of a change and its apply does not spoil the reviewed plan."""
    _approve(waiting, a=_to(PHONES[0]))
    _write(waiting, a=_to(PHONES[0], text="Better"))
    reviewed = _plan(waiting)
    assert _outcomes(hand_over(_request(waiting))) == {"a": "skipped"}
    assert _outcomes(apply_plan(_request(waiting, reviewed))) == {"a": "held"}
    _pass(waiting, _HOUR)
    assert _outcomes(hand_over(_request(waiting))) == {"a": "sent"}


def test_frozen_project_hands_nothing_over(waiting: Shop) -> None:
    """`freeze` stops what was approved before; it waits on."""
    _approve(waiting, a=_to(PHONES[0]))
    waiting.configure(freeze="'wrong price'", release="{before: 1h, at_latest: 30m}")
    _pass(waiting, _HOUR)
    result = hand_over(_request(waiting))
    assert (_outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.REFUSED)
    assert "wrong price" in (result.mailings[0].error or "")
    assert _state(waiting, "a") is EntryState.WAITING


def test_full_disk_stops_before_anything_is_sent(waiting: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has changed cannot be recorded as withdrawn: an error, and the next run does it."""
    _approve(waiting, a=_to(PHONES[0]), b=_to(PHONES[1]))
    _write(waiting, a=_to(PHONES[0], text="Changed"), b=_to(PHONES[1]))
    _pass(waiting, _HOUR)

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(journal, "os", SimpleNamespace(**{**vars(os), "fsync": fail}))
        with pytest.raises(SmsbyDeployError, match="cannot write the journal beside the lock"):
            hand_over(_request(waiting))
    assert waiting.sms_by.changes() == []
    assert _outcomes(hand_over(_request(waiting))) == {"a": "skipped", "b": "sent"}
    assert _state(waiting, "a") is EntryState.WITHDRAWN


def test_hand_over_by_an_older_lock_records_what_is_listed(waiting: Shop) -> None:
    """It is not sent and not called expired; what sms.by does not list was missed."""
    waiting.sms_by.script("getSMSMessages", lambda params: _listed(waiting))
    more = ", release: {before: 1h, at_latest: 58m}"
    _approve(waiting, a=_to(PHONES[0], more=more), b=_to(PHONES[1]))
    older = waiting.store.path.read_bytes()
    _pass(waiting, _HOUR)
    assert _outcomes(hand_over(replace(_request(waiting), select=("sale/a",)))) == {"a": "sent"}
    waiting.store.path.write_bytes(older)
    _pass(waiting, _HOUR)
    again = hand_over(_request(waiting))
    assert (_outcomes(again), again.exit_code) == ({"a": "adopted", "b": "skipped"}, ExitCode.REFUSED)
    assert _state(waiting, "a") is EntryState.COMPLETE
    assert waiting.sms_by.changes() == ["sendBulkSms"]
    waiting.sms_by.script("getSMSMessages", OFFLINE)
    assert _outcomes(hand_over(_request(waiting))) == {"b": "skipped"}


# --- watch ---


def _at(shop: Shop, seconds: float, what: Callable[[], object]) -> None:
    assert isinstance(shop.clock, VirtualClock)
    shop.clock.at(seconds, lambda: [what(), None][1])


def _listed(shop: Shop) -> Answer:
    """What sms.by lists of everything that was sent."""
    sent = [m for call in shop.sms_by.named("sendBulkSms") for m in json.loads(call["messages"])]
    rows = [{"id": n, "name": one["name"], "status": "NEW"} for n, one in enumerate(sent, 1)]
    return ok(rows) if rows else EMPTY_LIST


def test_watch_waits_for_every_window(waiting: Shop) -> None:
    """It hands over what is due now and later, also what is approved meanwhile, and ends when nothing waits."""
    waiting.sms_by.script("getSMSMessages", lambda params: _listed(waiting))
    first, second = _to(PHONES[0]), _to(PHONES[1], more=", release: {before: 40m, at_latest: 30m}")
    _approve(waiting, a=first, b=second)
    _at(waiting, 600, lambda: _approve(waiting, a=first, b=second, c=_to(PHONES[2])))
    result = watch_due(_request(waiting))
    assert _outcomes(result) == {"a": "sent", "c": "sent", "b": "sent"}
    assert result.exit_code is ExitCode.DONE
    assert {action.address for action in result.plan.actions} == {"sale/a", "sale/b", "sale/c"}
    assert _HOUR <= waiting.clock.monotonic() - 1200 < _HOUR + 60


def test_watch_ends_by_a_signal(waiting: Shop) -> None:
    """Cleanly: what was done is the result, and what waits is left to the next run."""
    _approve(waiting, a=_to(PHONES[0]))
    _at(waiting, 600, lambda: os.kill(os.getpid(), signal.SIGTERM))
    result = watch_due(_request(waiting))
    assert (result.mailings, result.exit_code) == ((), ExitCode.DONE)
    assert waiting.clock.monotonic() < 601
    assert _state(waiting, "a") is EntryState.WAITING


@pytest.mark.parametrize("method", ["getSMSMessages", "sendBulkSms"])
def test_watch_tries_again_until_the_window_is_over(method: str, waiting: Shop) -> None:
    """An outage of a few minutes does no harm; of a mailing the last result counts."""
    _approve(waiting, a=_to(PHONES[0]))
    good = EMPTY_LIST if method == "getSMSMessages" else _ACCEPTED
    waiting.sms_by.script(method, OFFLINE)
    _at(waiting, _HOUR + 300, lambda: waiting.sms_by.script(method, good))
    result = watch_due(_request(waiting))
    assert (_outcomes(result), result.exit_code) == ({"a": "sent"}, ExitCode.DONE)
    assert _HOUR + 300 <= waiting.clock.monotonic() < _HOUR + 400
    assert sum("trying again until" in line for line in waiting.lines) == 1


def test_watch_ends_with_what_it_missed(waiting: Shop) -> None:
    """An outage that lasts as long as the window."""
    _approve(waiting, a=_to(PHONES[0]))
    waiting.sms_by.script("getSMSMessages", OFFLINE)
    result = watch_due(_request(waiting))
    assert (_outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.REFUSED)
    assert (result.mailings[0].error or "").startswith("expired: ")
    assert waiting.sms_by.changes() == []


def test_watch_waits_for_another_run(waiting: Shop) -> None:
    """A lock that is held is tried again; without anything that waits it would be an error."""
    _approve(waiting, a=_to(PHONES[0]))
    other = waiting.store.held()
    _at(waiting, 60, other.__enter__)
    _at(waiting, _HOUR + 300, lambda: other.__exit__(None, None, None))
    result = watch_due(_request(waiting))
    assert (_outcomes(result), result.exit_code) == ({"a": "sent"}, ExitCode.DONE)
    assert any("another run holds the lock" in line for line in waiting.lines)
    with pytest.raises(LockHeld), waiting.store.held():
        _approve_again(waiting)


def _approve_again(shop: Shop) -> None:
    request: ApplyRequest = _request(shop)
    apply_plan(request)
