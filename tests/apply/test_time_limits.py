"""Mailings whose time passes while the run waits, after the plan was made, are not sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from smsby_deploy.apply.apply_result import ApplyResult
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.model import Plan
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_dispatch import VirtualClock
from tests.apply.fake_smsby import PHONES, Shop, busy, ok
from tests.apply.waiting_mailings import ACCEPTED, HOUR, approve, state, to

_ONE, _TWO = PHONES[:2]
_LISTS = ok({"result": [{"list_id": 7, "name": "News"}]})
_DRAFT = ok({"status": "OK", "result": {"message_id": 9, "status": "DRAFT", "count": 2}})


@pytest.fixture
def early(tmp_path: Path) -> Shop:
    """A shop at 10:00 in Minsk, and an sms.by that accepts everything."""
    shop = Shop(tmp_path, clock=VirtualClock())
    shop.sms_by.script("sendBulkSms", ACCEPTED)
    shop.sms_by.script("createSmsMessage", ok({"status": "new", "message_id": 50}))
    shop.sms_by.script("sendSMS", ok({"sms_id": 1, "status": "NEW"}))
    shop.sms_by.script("getSubscriberLists", _LISTS)
    shop.sms_by.script("sendSmsList", ok({"message_id": 9}))
    shop.sms_by.script("confirmSendMessageByList", _DRAFT, ok({"status": "OK"}))
    return shop


def apply_after(shop: Shop, seconds: float) -> ApplyResult:
    """Apply, with a user who takes so long to say yes."""

    def approve_late(plan: Plan) -> bool:
        shop.clock.sleep(seconds)
        return True

    return apply_plan(replace(shop.request(), approve=approve_late))


def test_time_limits_send_nothing_after_its_time(early: Shop) -> None:
    """A mailing for 11:00 that is confirmed at noon is expired and not sent."""
    early.mailing(f"schedule_time: 2026-12-01T11:00:00, {to(_ONE, _TWO)}")
    result = apply_after(early, 2 * HOUR)
    (mailing,) = result.mailings
    assert (result.exit_code, early.sms_by.changes()) == (ExitCode.REFUSED, [])
    assert (mailing.error or "").startswith("expired: its schedule_time 2026-12-01 11:00")
    assert apply_after(early, 0).mailings[0].error == mailing.error


def test_time_limits_allow_max_late(early: Shop) -> None:
    early.mailing(f"schedule_time: 2026-12-01T11:00:00, max_late: 3h, {to(_ONE, _TWO)}")
    assert apply_after(early, 2 * HOUR).exit_code is ExitCode.DONE
    assert b"schedule_time" not in early.sms_by.named("sendBulkSms")[0]["messages"]


@pytest.mark.parametrize("more", ["", "schedule_time: 2026-12-01T11:00:00, max_late: 3h, "])
def test_time_limits_keep_quiet_hours(early: Shop, more: str) -> None:
    """A mailing without a time is not sent in quiet hours that began since the plan; a scheduled one is."""
    early.configure(guardrails='{quiet_hours: {from: "12:00", to: "13:00"}}')
    early.mailing(f"{more}{to(_ONE, _TWO)}")
    result = apply_after(early, 2 * HOUR)
    assert (result.exit_code, early.sms_by.changes()) == (ExitCode.REFUSED, [])
    assert (result.mailings[0].error or "").startswith("guardrail: quiet_hours: ")
    early.clock.sleep(HOUR)
    early.mailing(f"schedule_time: 2026-12-01T15:00:00, {to(_ONE, _TWO)}")
    early.configure(guardrails='{quiet_hours: {from: "14:00", to: "14:30"}}')
    assert apply_after(early, 1.2 * HOUR).exit_code is ExitCode.DONE


def test_time_limits_keep_the_window_of_a_hand_over(waiting: Shop) -> None:
    """If the window closes during a hand-over, nothing is handed over."""
    approve(waiting, vip=to(_ONE))
    waiting.clock.sleep(1.1 * HOUR)

    def wait(plan: Plan) -> bool:
        waiting.clock.sleep(0.5 * HOUR)
        return True

    result = hand_over(replace(waiting.request(), approve=wait))
    assert (result.exit_code, waiting.sms_by.changes()) == (ExitCode.REFUSED, [])
    assert (result.mailings[0].error or "").startswith("expired: its window for the hand-over closed at ")
    assert state(waiting, "vip") == "waiting"


def test_time_limits_let_the_rest_of_a_hand_over_go(waiting: Shop) -> None:
    """The rest of a hand-over that has begun is sent after the window, until the mailing's own time."""
    waiting.write(
        "smsby.yaml",
        (waiting.root / "smsby.yaml").read_text().replace("{", "{recipients_per_request: 1, ", 1),
    )
    approve(waiting, vip=to(_ONE, _TWO))
    waiting.clock.sleep(HOUR)
    waiting.sms_by.script("sendBulkSms", ACCEPTED, busy(3600))
    assert hand_over(waiting.request()).exit_code is ExitCode.OUTCOME_UNKNOWN  # partly sent
    mark = waiting.lock().mailings["sale/vip"].chunks[0].fingerprint
    accepted = [{"id": 1, "name": f"sale/vip [1/2] shop#{mark}", "status": "NEW"}]
    waiting.clock.sleep(0.6 * HOUR)
    waiting.sms_by.script("sendBulkSms", ACCEPTED)
    waiting.sms_by.script("getSMSMessages", lambda params: ok(accepted))
    assert apply_plan(waiting.request()).exit_code is ExitCode.DONE
    assert state(waiting, "vip") == "complete"


def test_time_limits_hold_for_a_first_wave(early: Shop) -> None:
    """A first wave has the time limits of its mailing."""
    waves = "waves: [{people: 1, after: 1h, delivered: 90}, rest]"
    early.configure(price="{currency: BYN, per_part: 1}")
    early.mailing(f"schedule_time: 2026-12-01T11:00:00, {to(_ONE, _TWO)}, {waves}")
    result = apply_after(early, 2 * HOUR)
    assert (result.exit_code, early.sms_by.changes()) == (ExitCode.REFUSED, [])
    assert (result.mailings[0].error or "").startswith("expired: ")


@pytest.mark.parametrize(
    ("method", "mailing"),
    [
        ("sendBulkSms", f"text: Hello, recipients: [{_ONE}, {_TWO}]"),
        ("sendSMS", f"text: Hello, via: single, recipients: [{_ONE}, {_TWO}]"),
        ("sendSmsList", "text: Hello, list: News"),
    ],
)
def test_time_limits_hold_after_a_pause(early: Shop, method: str, mailing: str) -> None:
    """If the time of the mailing passes during the pauses after a 429, it is not sent."""
    answers: list[Answer] = [busy(59), busy(59)]
    early.sms_by.script(method, *answers, ok({"uuid": "u", "success": "OK", "sms_id": 1, "message_id": 9}))
    early.mailing(f"schedule_time: 2026-12-01T10:01:00, {mailing}")
    result = apply_after(early, 0)
    assert early.sms_by.changes().count(method) == len(answers)
    assert (result.mailings[0].error or "").startswith("expired: its schedule_time 2026-12-01 10:01")
    assert result.exit_code is ExitCode.REFUSED
    assert not early.lock().mailings["sale/staff"].was_sent_in_part
