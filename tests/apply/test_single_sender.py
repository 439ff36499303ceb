"""Mailings with `via: single`: one createSmsMessage for each text, one sendSMS for each phone, never twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.apply.result import MailingOutcome
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, PHONES, Shop, error, ok
from tests.apply.single_mailing import THREE, Inbox, called, states, to


def test_single_sends_each_phone_once(single: Shop, inbox: Inbox) -> None:
    """One message is made, and sent to each phone once."""
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.SENT)
    assert (inbox, states(single)) == (Counter(THREE), "a:3")
    (made,) = single.sms_by.named("createSmsMessage")
    assert (made["message"], made["alphaname_id"]) == ("Closed", 7)
    single.apply()
    assert called(single) == THREE


def test_single_makes_one_message_for_each_text(single: Shop, inbox: Inbox) -> None:
    """A recipient with a text of their own gets a message of their own; the others share one."""
    to(single, PHONES[0], f"{{phone: '{PHONES[1]}', text: Own}}", PHONES[2])
    single.sms_by.script("createSmsMessage", ok({"message_id": 50}), ok({"message_id": 51}))
    assert single.apply()[0].exit_code == ExitCode.DONE
    sent = {params["phone"]: params["message_id"] for params in single.sms_by.named("sendSMS")}
    assert sorted(sent) == THREE
    assert sent[PHONES[0]] == sent[PHONES[2]] != sent[PHONES[1]]


def test_single_skips_opt_outs(single: Shop) -> None:
    """A recipient who opted out is not sent to, and the mailing is complete without them."""
    single.configure(suppress="[out.csv]")
    single.write("out.csv", f"phone\n{PHONES[1]}\n")
    result, mailing = single.apply()
    assert (result.exit_code, mailing.recipients) == (ExitCode.DONE, 2)
    assert (called(single), states(single)) == ([PHONES[0], PHONES[2]], "a:1 s:1 a:1")


def test_wrong_phone_stops_no_other(single: Shop, inbox: Inbox) -> None:
    """A phone that sms.by rejects is reported by its line without its number; the others are sent to."""
    single.write("recipients.csv", "phone\n" + "".join(f"{phone}\n" for phone in THREE))
    single.mailing("via: single, recipients: {file: recipients.csv}, text: Closed")
    single.sms_by.script("sendSMS", inbox.take, error("incorrect phone number"), inbox.take)
    result, mailing = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 r:1 a:1")
    assert any("line 3: incorrect phone number" in line for line in single.lines)
    assert not any(PHONES[1] in line for line in [*single.lines, mailing.error or ""])


@pytest.mark.parametrize("text", ["access denied", "limit exceeded", "something new"])
def test_other_rejection_stops_the_single_mailing(single: Shop, text: str) -> None:
    """Any rejection that is not about the phone would hit the next one as well, so nothing more is sent."""
    single.sms_by.script("sendSMS", error(text))
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    assert (len(called(single)), states(single)) == (1, "r:1 p:2")


def test_lost_send_is_found_by_its_delivery(single: Shop, inbox: Inbox) -> None:
    """A lost answer is accepted if the message has one delivery more for that phone."""
    single.sms_by.script("sendSMS", inbox.take, inbox.take_and_lose, inbox.take)
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert (inbox, states(single)) == (Counter(THREE), "a:3")


def test_lost_send_without_delivery_is_unknown(single: Shop, inbox: Inbox) -> None:
    """If no delivery proves a lost send within reconcile_seconds, it is unknown, and nothing more is sent."""
    single.sms_by.script("sendSMS", inbox.take, LOST, inbox.take)
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert states(single) == "a:1 u:1 p:1"
    assert single.clock.monotonic() >= 2
    single.apply()
    assert called(single) == THREE[:2]


def test_files_changed_before_single_send(single: Shop) -> None:
    """Recipients that are not the planned ones end the mailing with exit code 5 before its first request."""
    single.write("recipients.csv", "phone\n" + "".join(f"{phone}\n" for phone in THREE))
    single.mailing("via: single, recipients: {file: recipients.csv}, text: Closed")

    def change(params: Mapping[str, Any]) -> Answer:
        single.write("recipients.csv", f"phone\n{PHONES[6]}\n")
        return Answer(406, is_empty=True)

    single.sms_by.script("getSMSMessages", Answer(406, is_empty=True), change)
    assert single.apply()[0].exit_code == ExitCode.PLAN_REFUSED
    assert called(single) == []


def test_unreadable_opt_outs_stop_a_single_mailing(single: Shop) -> None:
    """If the suppression file cannot be read any more, no phone is sent to: exit code 5."""
    single.configure(suppress="[out.csv]")
    single.write("out.csv", f"phone\n{PHONES[1]}\n")

    def remove(params: Mapping[str, Any]) -> Answer:
        (single.root / "out.csv").unlink(missing_ok=True)
        return Answer(406, is_empty=True)

    single.sms_by.script("getSMSMessages", Answer(406, is_empty=True), remove)
    result, mailing = single.apply()
    assert (result.exit_code, single.sms_by.changes()) == (ExitCode.PLAN_REFUSED, [])
    assert mailing.error is not None
    assert "out.csv" in mailing.error
