"""Mailings with `via: single`: one createSmsMessage for each text, one sendSMS for each phone, never twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, OFFLINE, PHONES, PROJECT, Reply, Shop, error, ok
from tests.apply.single_mailing import THREE, Inbox, called, states, to


def test_single_sends_each_phone_once(single: Shop, inbox: Inbox) -> None:
    """One message is made, and sent to each phone once."""
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.DONE, MailingOutcome.SENT)
    assert (inbox, states(single)) == (Counter(THREE), "a:3")
    (made,) = single.sms_by.named("createSmsMessage")
    assert (made["message"], made["alphaname_id"]) == ("Closed", 7)
    assert single.lines[-1] == "sale/staff: 3 of 3 recipients accepted"
    assert not any(": line " in line for line in single.lines)
    single.apply()
    assert called(single) == THREE


def test_single_makes_one_message_for_each_text(single: Shop, inbox: Inbox) -> None:
    """A recipient with another text gets another message; the others share one."""
    to(single, PHONES[0], f"{{phone: '{PHONES[1]}', text: Own}}", PHONES[2])
    single.sms_by.script("createSmsMessage", ok({"message_id": 50}), ok({"message_id": 51}))
    assert single.apply()[0].exit_code == ExitCode.DONE
    sent = {params["phone"]: params["message_id"] for params in single.sms_by.named("sendSMS")}
    assert sorted(sent) == THREE
    assert sent[PHONES[0]] == sent[PHONES[2]] != sent[PHONES[1]]


def test_single_skips_opt_outs(single: Shop) -> None:
    """A recipient who opted out gets nothing, and the mailing is complete without them."""
    single.configure(suppress="[out.csv]")
    single.write("out.csv", f"phone\n{PHONES[1]}\n")
    result, mailing = single.apply()
    assert (result.exit_code, mailing.recipients) == (ExitCode.DONE, 2)
    assert (called(single), states(single)) == ([PHONES[0], PHONES[2]], "a:1 s:1 a:1")


def _watch_opt_outs(single: Shop) -> None:
    """Set `suppress`, and let each phone wait for the answer about the last one."""
    settings = PROJECT.replace("{reconcile", "{concurrency: 1, reconcile")
    single.write("smsby.yaml", f"{settings}suppress: [out.csv]\n")
    single.write("out.csv", f"phone\n{PHONES[6]}\n")


def test_single_honors_opt_outs_between_phones(single: Shop, inbox: Inbox) -> None:
    """A recipient who opts out during the mailing gets nothing, and it is complete without them."""
    _watch_opt_outs(single)

    def opt_out(params: Mapping[str, Any]) -> Answer:
        single.write("out.csv", f"phone\n{PHONES[6]}\n{PHONES[1]}\n")
        return inbox.take(params)

    single.sms_by.script("sendSMS", opt_out, inbox.take)
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome, mailing.recipients) == (ExitCode.DONE, MailingOutcome.SENT, 2)
    assert (called(single), states(single)) == ([PHONES[0], PHONES[2]], "a:1 s:1 a:1")
    assert (single.chunk().state, single.chunk().recipients) == (ChunkState.ACCEPTED, 2)


def test_single_stops_without_its_opt_outs_between_phones(single: Shop, inbox: Inbox) -> None:
    """Once the opt-outs can no longer be read, no phone gets the mailing; the next apply sends the rest."""
    _watch_opt_outs(single)

    def remove(params: Mapping[str, Any]) -> Answer:
        (single.root / "out.csv").unlink()
        return inbox.take(params)

    single.sms_by.script("sendSMS", remove, inbox.take)
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.PLAN_REFUSED, MailingOutcome.PARTIAL)
    assert (called(single), states(single)) == ([PHONES[0]], "a:1 p:2")
    single.write("out.csv", f"phone\n{PHONES[1]}\n")
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert (called(single), states(single)) == ([PHONES[0], PHONES[2]], "a:1 s:1 a:1")


def test_single_makes_no_message_for_opt_outs(single: Shop) -> None:
    """If all recipients opted out, the mailing is complete without a request."""
    single.configure(suppress="[out.csv]")
    single.write("out.csv", "phone\n" + "".join(f"{phone}\n" for phone in THREE))
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert (single.sms_by.changes(), states(single)) == ([], "s:3")


def test_single_keeps_what_it_sent_to_late_opt_outs(single: Shop, inbox: Inbox) -> None:
    """A recipient who opts out after getting the mailing stays accepted; one who opts out before the rest gets nothing."""
    single.configure(suppress="[out.csv]")
    single.write("out.csv", f"phone\n{PHONES[6]}\n")
    single.sms_by.script("sendSMS", inbox.take, error("limit exceeded"), inbox.take)
    single.apply()
    single.write("out.csv", f"phone\n{PHONES[0]}\n{PHONES[2]}\n")
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert (states(single), inbox) == ("a:2 s:1", Counter(THREE[:2]))
    assert single.lines[-1] == "sale/staff: 2 of 2 recipients accepted"


@pytest.mark.parametrize("text", ["Closed", "Is your phone number correct"])
def test_wrong_phone_stops_no_other(single: Shop, inbox: Inbox, text: str) -> None:
    """A phone that sms.by rejects is reported by line, without its number, and the others get the mailing.

    That its text has words of the error, which are hidden as a quote, changes nothing.
    """
    single.write("recipients.csv", "phone\n" + "".join(f"{phone}\n" for phone in THREE))
    single.mailing(f"via: single, recipients: {{file: recipients.csv}}, text: {text}")
    single.sms_by.script("sendSMS", inbox.take, error("incorrect phone number"), inbox.take)
    result, mailing = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 r:1 a:1")
    shown = "incorrect phone number" if text == "Closed" else "incorrect<hidden>"
    assert any(f"line 3: {shown}" in line for line in single.lines)
    assert not any(PHONES[1] in line for line in [*single.lines, mailing.error or ""])
    assert (mailing.error or "").endswith(
        "sms.by rejected 1 phone; add it to `suppress` to complete the mailing"
    )


@pytest.mark.parametrize("text", ["access denied", "limit exceeded", "something new"])
def test_other_rejection_stops_the_single_mailing(single: Shop, text: str) -> None:
    """A rejection that is not about the phone stops the mailing, since it would hit the next phone as well."""
    single.sms_by.script("sendSMS", error(text))
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    assert (len(called(single)), states(single)) == (1, "r:1 p:2")


def test_lost_send_is_found_by_its_delivery(single: Shop, inbox: Inbox) -> None:
    """A lost sendSMS is accepted if the message has one delivery more for that phone."""
    single.sms_by.script("sendSMS", inbox.take, inbox.take_and_lose, inbox.take)
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert (inbox, states(single)) == (Counter(THREE), "a:3")
    asked = {params["message_id"] for params in single.sms_by.named("getSmsDeliveryList")}
    assert asked == {50}


@pytest.mark.parametrize("is_read_later", [True, False])
@pytest.mark.parametrize("answer", [OFFLINE, error("access denied")], ids=["offline", "refused"])
def test_lost_send_is_looked_for_again(
    single: Shop, inbox: Inbox, answer: Reply, is_read_later: bool
) -> None:
    """If the deliveries cannot be read, the search continues for reconcile_seconds."""
    single.sms_by.script("sendSMS", inbox.take_and_lose, inbox.take)
    single.sms_by.script("getSmsDeliveryList", answer, inbox.read if is_read_later else answer)
    code = single.apply()[0].exit_code
    if is_read_later:
        assert (code, inbox, states(single)) == (ExitCode.DONE, Counter(THREE), "a:3")
    else:
        assert (code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "u:1 p:2")
        assert any("looking for the lost request: " in line for line in single.lines)


def test_lost_send_without_delivery_is_unknown(single: Shop, inbox: Inbox) -> None:
    """Without a delivery within reconcile_seconds a lost send is unknown, and nothing more is sent."""
    single.sms_by.script("sendSMS", inbox.take, LOST, inbox.take)
    result, mailing = single.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.OUTCOME_UNKNOWN, MailingOutcome.UNKNOWN)
    assert states(single) == "a:1 u:1 p:1"
    assert single.clock.monotonic() >= 2
    single.apply()
    assert called(single) == THREE[:2]


SCHEDULED = ", schedule_time: '2026-11-02T11:00:00+00:00'"
TIME = 1_793_610_000 + 7200  # of SCHEDULED


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ({}, ""),
        ({"parts": 1, "alphaname": "MyShop", "time": TIME}, ""),
        ({"time": "2026-11-02 14:00"}, ""),
        ({"parts": 2}, "parts: intended 1, sms.by reports 2"),
        ({"alphaname": "Kvetka"}, "alphaname: intended MyShop, sms.by reports Kvetka"),
        ({"alphaname": "system"}, "alphaname: intended MyShop, sms.by reports system"),
        ({"time": 0}, "sms.by reports none"),
        ({"time": TIME + 3 * 3600}, "sms.by reports 2026-11-02T17:00:00+03:00"),
        ({"time": "2026-11-02 11:00"}, "sms.by reports 2026-11-02T11:00:00+03:00"),
    ],
)
def test_new_message_is_compared_before_the_first_send(
    single: Shop, made: dict[str, object], text: str
) -> None:
    """If a new message has another time, more parts or another sender, nothing is sent, and it is not recorded."""
    to(single, *THREE, more=SCHEDULED)
    single.sms_by.script("createSmsMessage", ok({"message_id": 50, **made}))
    result, mailing = single.apply()
    assert result.exit_code == (ExitCode.REFUSED if text else ExitCode.DONE)
    assert text in (mailing.error or "")
    assert called(single) == ([] if text else THREE)
    assert single.chunk().message_id == (None if text else 50)


def test_second_text_that_differs_stops_the_first(single: Shop) -> None:
    """All messages of a mailing are compared before any of it is sent."""
    to(single, PHONES[0], f"{{phone: '{PHONES[1]}', text: Own}}")
    single.sms_by.script("createSmsMessage", ok({"message_id": 50}), ok({"message_id": 51, "parts": 2}))
    assert single.apply()[0].exit_code == ExitCode.REFUSED
    assert called(single) == []


@pytest.mark.parametrize(
    ("status", "row", "text"),
    [
        ({"parts": 2}, {}, "parts: intended 1, sms.by reports 2"),
        ({"alphaname": "Kvetka"}, {}, "alphaname: intended MyShop, sms.by reports Kvetka"),
        ({}, {"alphaname": "Kvetka"}, "alphaname: intended MyShop, sms.by reports Kvetka"),
        ({}, {"d_schedule": TIME + 60}, "sms.by reports 2026-11-02T14:01:00+03:00"),
        ({}, {"d_schedule": TIME, "count_phones": 2, "parts": "2"}, ""),
    ],
)
def test_single_is_compared_again_on_resume(
    single: Shop, inbox: Inbox, status: dict[str, object], row: dict[str, object], text: str
) -> None:
    """On resume the message is compared with its status and the list, except the list's count and parts, which add up."""
    to(single, *THREE, more=SCHEDULED)
    single.sms_by.script("sendSMS", inbox.take, error("limit exceeded"), inbox.take)
    single.apply()
    single.sms_by.script("checkSMSMessageStatus", ok({"status": "moderated", **status}))
    listed = {"id": 50, "name": "sale/staff", "status": "NEW", **row}
    single.sms_by.script("getSMSMessages", ok({"status": "success", "data": [listed]}))
    result, mailing = single.apply()
    assert result.exit_code == (ExitCode.OUTCOME_UNKNOWN if text else ExitCode.DONE)  # partly sent
    assert text in (mailing.error or "")
    assert len(called(single)) == (2 if text else 4)


def test_system_sender_has_many_names(single: Shop) -> None:
    """The system sender is not compared, since it has several documented names."""
    single.write("sale.yaml", (single.root / "sale.yaml").read_text().replace("MyShop", "0"))
    single.sms_by.script("createSmsMessage", ok({"message_id": 50, "alphaname": "system"}))
    single.sms_by.script("checkSMSMessageStatus", ok({"status": "moderated", "alphaname": "SMS.by"}))
    assert single.apply()[0].exit_code == ExitCode.DONE
