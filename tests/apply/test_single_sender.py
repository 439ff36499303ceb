"""Mailings with `via: single`: one createSmsMessage for each text, one sendSMS for each phone, never twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.apply.result import MailingOutcome
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, PHONES, Reply, Shop, busy, error, ok

THREE = PHONES[:3]


class Inbox(Counter[str]):
    """The deliveries of every message, by phone."""

    def take(self, params: Mapping[str, Any]) -> Answer:
        self[params["phone"]] += 1
        return ok({"sms_id": 1000 + sum(self.values()), "status": "NEW"})

    def take_and_lose(self, params: Mapping[str, Any]) -> Answer:
        self.take(params)
        raise LOST

    def read(self, params: Mapping[str, Any]) -> Answer:
        if params["limit_offset"]:
            return Answer(406, is_empty=True)
        rows = [{"phone": f"+{phone}", "status": "Delivered"} for phone in self.elements()]
        return ok({"result": rows}) if rows else Answer(406, is_empty=True)


@pytest.fixture
def inbox() -> Inbox:
    """What reached whom."""
    return Inbox()


@pytest.fixture
def staff(shop: Shop, inbox: Inbox) -> Shop:
    """A mailing to three phones, and an sms.by that takes it."""
    to(shop, *THREE)
    shop.sms_by.script("createSmsMessage", ok({"status": "new", "message_id": 50}))
    shop.sms_by.script("sendSMS", inbox.take)
    shop.sms_by.script("getSmsDeliveryList", inbox.read)
    return shop


def to(shop: Shop, *recipients: str, more: str = "") -> None:
    shop.mailing(f"via: single, recipients: [{', '.join(recipients)}], text: Closed{more}")


def states(shop: Shop) -> str:
    return str(shop.chunk().phones)


def called(shop: Shop) -> list[str]:
    """The phones of every sendSMS, in order."""
    return [params["phone"] for params in shop.sms_by.named("sendSMS")]


def test_single_sends_each_phone_once(staff: Shop, inbox: Inbox) -> None:
    """One message is made, and sent to each phone once."""
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.SENT)
    assert (inbox, states(staff)) == (Counter(THREE), "a:3")
    (made,) = staff.sms_by.named("createSmsMessage")
    assert (made["message"], made["alphaname_id"]) == ("Closed", 7)
    staff.apply()
    assert called(staff) == THREE


def test_single_makes_one_message_for_each_text(staff: Shop, inbox: Inbox) -> None:
    """A recipient with a text of their own gets a message of their own; the others share one."""
    to(staff, PHONES[0], f"{{phone: '{PHONES[1]}', text: Own}}", PHONES[2])
    staff.sms_by.script("createSmsMessage", ok({"message_id": 50}), ok({"message_id": 51}))
    assert staff.apply()[0].exit_code == ExitCode.DONE
    sent = {params["phone"]: params["message_id"] for params in staff.sms_by.named("sendSMS")}
    assert sorted(sent) == THREE
    assert sent[PHONES[0]] == sent[PHONES[2]] != sent[PHONES[1]]


def test_single_skips_opt_outs(staff: Shop) -> None:
    """A recipient who opted out is not sent to, and the mailing is complete without them."""
    staff.configure(suppress="[out.csv]")
    staff.write("out.csv", f"phone\n{PHONES[1]}\n")
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.recipients) == (ExitCode.DONE, 2)
    assert (called(staff), states(staff)) == ([PHONES[0], PHONES[2]], "a:1 s:1 a:1")


def test_wrong_phone_stops_no_other(staff: Shop, inbox: Inbox) -> None:
    """A phone that sms.by rejects is reported by its line without its number; the others are sent to."""
    staff.write("people.csv", "phone\n" + "".join(f"{phone}\n" for phone in THREE))
    staff.mailing("via: single, recipients: {file: people.csv}, text: Closed")
    staff.sms_by.script("sendSMS", inbox.take, error("incorrect phone number"), inbox.take)
    result, mailing = staff.apply()
    assert (result.exit_code, states(staff)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 r:1 a:1")
    assert any("line 3: incorrect phone number" in line for line in staff.lines)
    assert not any(PHONES[1] in line for line in [*staff.lines, mailing.error or ""])


@pytest.mark.parametrize("text", ["access denied", "limit exceeded", "something new"])
def test_other_rejection_stops_the_single_mailing(staff: Shop, text: str) -> None:
    """Any rejection that is not about the phone would hit the next one as well, so nothing more is sent."""
    staff.sms_by.script("sendSMS", error(text))
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    assert (len(called(staff)), states(staff)) == (1, "r:1 p:2")


def test_lost_send_is_found_by_its_delivery(staff: Shop, inbox: Inbox) -> None:
    """A lost answer is accepted if the message has one delivery more for that phone."""
    staff.sms_by.script("sendSMS", inbox.take, inbox.take_and_lose, inbox.take)
    assert staff.apply()[0].exit_code == ExitCode.DONE
    assert (inbox, states(staff)) == (Counter(THREE), "a:3")


def test_lost_send_without_delivery_is_unknown(staff: Shop, inbox: Inbox) -> None:
    """If no delivery proves a lost send within reconcile_seconds, it is unknown, and nothing more is sent."""
    staff.sms_by.script("sendSMS", inbox.take, LOST, inbox.take)
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert states(staff) == "a:1 u:1 p:1"
    assert staff.clock.monotonic() >= 2
    staff.apply()
    assert called(staff) == THREE[:2]


def test_older_lock_leaves_unsent_phones_unknown(staff: Shop, inbox: Inbox) -> None:
    """If deliveries show a phone that the lock calls unsent, the lock's other unsent phones are unknown."""
    staff.sms_by.script("sendSMS", error("limit exceeded"))
    staff.apply()
    inbox[PHONES[0]] += 1
    result, _ = staff.apply()
    assert (result.exit_code, states(staff)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 u:2")
    assert len(called(staff)) == 1


def test_lost_lock_adopts_what_was_delivered(staff: Shop, inbox: Inbox) -> None:
    """Without a lock, phones with a delivery are accepted and the others unknown; nothing is sent."""
    staff.sms_by.script("sendSMS", inbox.take, error("limit exceeded"))
    staff.apply()
    name = staff.sms_by.named("createSmsMessage")[0]["name"]
    (staff.root / "lock.json").unlink()
    listed = ok({"status": "success", "data": [{"id": 50, "name": name, "status": "SENT"}]})
    staff.sms_by.script("getSMSMessages", listed)
    result, _ = staff.apply()
    assert (result.exit_code, states(staff)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 u:2")
    assert len(called(staff)) == 2


def test_single_mailing_waits_for_moderation(staff: Shop) -> None:
    """Nothing is sent while sms.by says `new`; the next apply uses the same message."""
    staff.sms_by.script("checkSMSMessageStatus", ok({"status": "new"}))
    result, mailing = staff.apply()
    assert (result.exit_code, called(staff), states(staff)) == (ExitCode.FAILED, [], "p:3")
    assert mailing.error is not None
    assert "message 50" in mailing.error
    assert staff.clock.monotonic() >= 2
    staff.sms_by.script("checkSMSMessageStatus", ok({"status": "moderated"}))
    assert staff.apply()[0].exit_code == ExitCode.DONE
    assert len(staff.sms_by.named("createSmsMessage")) == 1


def test_files_changed_before_single_send(staff: Shop) -> None:
    """Recipients that are not the planned ones end the mailing with exit code 5 before its first request."""
    staff.write("people.csv", "phone\n" + "".join(f"{phone}\n" for phone in THREE))
    staff.mailing("via: single, recipients: {file: people.csv}, text: Closed")

    def change(params: Mapping[str, Any]) -> Answer:
        staff.write("people.csv", f"phone\n{PHONES[6]}\n")
        return Answer(406, is_empty=True)

    staff.sms_by.script("getSMSMessages", Answer(406, is_empty=True), change)
    assert staff.apply()[0].exit_code == ExitCode.PLAN_REFUSED
    assert called(staff) == []


def test_unreadable_opt_outs_stop_a_single_mailing(staff: Shop) -> None:
    """If the suppression file cannot be read any more, no phone is sent to: exit code 5."""
    staff.configure(suppress="[out.csv]")
    staff.write("out.csv", f"phone\n{PHONES[1]}\n")

    def remove(params: Mapping[str, Any]) -> Answer:
        (staff.root / "out.csv").unlink(missing_ok=True)
        return Answer(406, is_empty=True)

    staff.sms_by.script("getSMSMessages", Answer(406, is_empty=True), remove)
    result, mailing = staff.apply()
    assert (result.exit_code, staff.sms_by.changes()) == (ExitCode.PLAN_REFUSED, [])
    assert mailing.error is not None
    assert "out.csv" in mailing.error


@pytest.mark.parametrize(
    ("answer", "calls", "code"),
    [
        (busy(3600), 1, ExitCode.UNREACHABLE),
        (busy(), 5, ExitCode.UNREACHABLE),
        (LOST, 5, ExitCode.UNREACHABLE),
        (error("token is invalid", 403), 1, ExitCode.UNREACHABLE),
        (error("incorrect arguments", 400), 1, ExitCode.FAILED),
        (error("undefined error", 500), 1, ExitCode.FAILED),
    ],
)
def test_message_is_made_again_until_it_answers(
    staff: Shop, answer: Reply, calls: int, code: ExitCode
) -> None:
    """createSmsMessage is retried until it answers, but not after a Retry-After of more than a minute."""
    staff.sms_by.script("createSmsMessage", answer)
    result, _ = staff.apply()
    assert result.exit_code == code
    assert len(staff.sms_by.named("createSmsMessage")) == calls
    assert called(staff) == []


def test_retry_of_a_message_waits_as_asked(staff: Shop) -> None:
    """A Retry-After of up to a minute is honored, and the mailing is sent."""
    staff.sms_by.script("createSmsMessage", busy(40), ok({"message_id": 50}))
    assert staff.apply()[0].exit_code == ExitCode.DONE
    assert staff.clock.monotonic() >= 40
