"""apply_plan: the order in which mailings are sent, and how a run ends."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.errors import OutcomeUnknown, SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock import journal
from smsby_deploy.lock.entry_json import read_entry
from smsby_deploy.lock.records import ChunkState, Entry, Lock
from smsby_deploy.lock.serialization import write_lock
from smsby_deploy.output.apply_report import summary_line
from smsby_deploy.output.json_documents import apply_document, json_parts
from smsby_deploy.plan.chunk_cache import ChunkCache
from smsby_deploy.plan.model import Plan
from tests.apply.fake_dispatch import VirtualClock
from tests.apply.fake_smsby import EMPTY_LIST, OFFLINE, PHONES, Shop, error, ok
from tests.apply.uploaded_mailing import counted
from tests.lock.examples import entry

ACCEPTED = ok({"uuid": "cc9c8043", "success": "OK"})


def _campaign(shop: Shop, *mailings: str) -> None:
    lines = "".join(f"  - {{{mailing}}}\n" for mailing in mailings)
    shop.write("sale.yaml", f"version: 1\ncampaign: sale\nmailings:\n{lines}")


def _bulk(name: str, *phones: str) -> str:
    return f"name: {name}, text: Hello {name}, recipients: [{', '.join(map(repr, phones))}]"


def test_apply_plan_sends_mailings_of_a_campaign_together(shop: Shop) -> None:
    """Bulk mailings of a campaign share a request, and are sent before mailings with another transport."""
    _campaign(
        shop,
        f"name: one, via: single, text: Hi, recipients: ['{PHONES[2]}']",
        _bulk("a", PHONES[0]),
        _bulk("b", PHONES[1]),
    )
    shop.sms_by.script("sendBulkSms", ACCEPTED)
    shop.sms_by.script("createSmsMessage", ok({"message_id": 7}))
    shop.sms_by.script("sendSMS", ok({"sms_id": 9}))
    result = apply_plan(shop.request())
    assert shop.sms_by.changes() == ["sendBulkSms", "createSmsMessage", "sendSMS"]
    (sent,) = shop.sms_by.named("sendBulkSms")
    names = [message["name"].split(" ")[0] for message in json.loads(sent["messages"])]
    assert names == ["sale/a", "sale/b"]
    assert {mailing.outcome for mailing in result.mailings} == {MailingOutcome.SENT}
    assert result.exit_code is ExitCode.DONE


def test_apply_plan_goes_on_after_a_rejection(shop: Shop) -> None:
    """After a rejected campaign the next campaign is still sent."""
    _campaign(shop, _bulk("a", PHONES[0]))
    shop.write("west.yaml", f"version: 1\ncampaign: west\nmailings:\n  - {{{_bulk('b', PHONES[1])}}}\n")
    shop.sms_by.script("sendBulkSms", error("No such alphaname", 400), ACCEPTED)
    result = apply_plan(shop.request())
    assert [mailing.outcome for mailing in result.mailings] == [MailingOutcome.REJECTED, MailingOutcome.SENT]
    assert result.mailings[0].error == "No such alphaname"
    assert result.exit_code is ExitCode.FAILED


def test_apply_plan_stops_if_sms_by_cannot_be_reached(tmp_path: Path) -> None:
    """If sms.by cannot be reached for the first mailing, no other is tried: exit code 7, certainly not sent."""
    shop = Shop(tmp_path, clock=VirtualClock())
    _campaign(shop, _bulk("a", PHONES[0]))
    shop.write("west.yaml", f"version: 1\ncampaign: west\nmailings:\n  - {{{_bulk('b', PHONES[1])}}}\n")
    shop.sms_by.script("sendBulkSms", OFFLINE)
    result = apply_plan(shop.request())
    assert {mailing.error for mailing in result.mailings} == {"not sent: cannot connect"}
    assert result.exit_code is ExitCode.UNREACHABLE
    assert [chunk.state for chunk in shop.lock().mailings["sale/a"].chunks] == [ChunkState.PENDING]
    assert "west/b" not in shop.lock().mailings


def test_apply_plan_records_the_run_of_a_reviewed_plan(shop: Shop) -> None:
    """The run of a reviewed plan is recorded even if sms.by refused all of it."""
    _campaign(shop, _bulk("a", PHONES[0]))
    shop.sms_by.script("sendBulkSms", error("No such alphaname", 400))
    apply_plan(shop.request(shop.plan()))
    assert shop.lock().runs_of("reviewed")


def test_apply_plan_reports_drift_of_what_it_sent(shop: Shop) -> None:
    """A value that sms.by reports differently from the intended one is a warning of the result."""
    _campaign(shop, _bulk("a", PHONES[0], PHONES[1]))
    mark = shop.plan().actions[0].chunks[0].fingerprint
    listed = {"id": 7, "name": f"sale/a shop#{mark}", "status": "NEW", "count_phones": 1, "type": "API"}
    shop.sms_by.script("sendBulkSms", ACCEPTED)
    shop.sms_by.script("getSMSMessages", EMPTY_LIST, EMPTY_LIST, ok([listed]))
    result = apply_plan(shop.request())
    assert [(problem.code, problem.address) for problem in result.differences] == [
        ("REMOTE_DIFFERS", "sale/a")
    ]


def test_apply_plan_compares_a_sender_written_as_an_id(shop: Shop) -> None:
    """A sender written as an id is compared by the name that the account has for it."""
    _campaign(shop, _bulk("a", PHONES[0]) + ", alphaname: 7")
    mark = shop.plan().actions[0].chunks[0].fingerprint
    listed = {"id": 7, "name": f"sale/a shop#{mark}", "status": "NEW", "alphaname": "Kvetka"}
    shop.sms_by.script("sendBulkSms", ACCEPTED)
    shop.sms_by.script("getSMSMessages", EMPTY_LIST, EMPTY_LIST, ok([listed]))
    (problem,) = apply_plan(shop.request()).differences
    assert problem.message == "alphaname: intended MyShop, sms.by reports Kvetka"


def test_apply_plan_says_so_if_the_journal_cannot_be_started(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk does not accept the first line of the journal, nothing is sent and nothing is lost."""
    _campaign(shop, _bulk("a", PHONES[0]))

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    failing = SimpleNamespace(**{**vars(os), "fsync": fail})
    monkeypatch.setattr(journal, "os", failing)
    with pytest.raises(SmsbyDeployError, match="cannot write the journal next to the lock") as caught:
        apply_plan(shop.request())
    assert not isinstance(caught.value, OutcomeUnknown)
    assert shop.sms_by.changes() == []


def test_apply_decodes_no_recorded_mailing_that_is_gone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone mailings in the lock are not decoded, and written back as they were."""
    old = {f"old/m{number:03}": entry(ChunkState.ACCEPTED) for number in range(1000)}
    shop.store.path.write_bytes(write_lock(Lock("shop", 1, "line", old)).encode())
    decoded = []

    def count(document: dict[str, Any]) -> Entry:
        decoded.append(document)
        return read_entry(document)

    monkeypatch.setattr("smsby_deploy.lock.stored_mailings.read_entry", count)
    _campaign(shop, _bulk("a", PHONES[0]))
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "price: {currency: BYN, per_part: 1}\n")
    shop.sms_by.script("sendBulkSms", ACCEPTED)
    result = apply_plan(shop.request())
    document = json.loads("".join(json_parts(apply_document(result))))
    assert summary_line(result) == "1 sent, 1,000 skipped; 1 recipient, 1.00 BYN"
    assert len(decoded) == 1  # a sent mailing is read back before it is recorded
    assert result.exit_code is ExitCode.DONE
    assert (document["summary"]["sent"], document["summary"]["skipped"]) == (1, 1000)
    assert {one["recipients"] for one in document["mailings"][1:]} == {old["old/m000"].recipients}
    after = shop.lock().mailings
    assert [after[address] for address in old] == list(old.values())
    assert after["sale/a"].is_complete


@pytest.mark.parametrize("more", ["", "via: single, ", "upload: true, "], ids=["bulk", "single", "upload"])
def test_apply_plan_keeps_out_who_had_opted_out(
    uploaded: Shop, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opt-outs that are exchanged while the user is asked add no recipient, even if the files are read again."""
    monkeypatch.setattr(ChunkCache, "keep", lambda cache, address, chunk: None)
    settings = (uploaded.root / "smsby.yaml").read_text()
    uploaded.write("smsby.yaml", settings + "suppress: [stop.csv]\n")
    uploaded.write("stop.csv", f"phone\n{PHONES[1]}\n{PHONES[4]}\n")
    uploaded.mailing(f"{more}recipients: {{file: recipients.csv}}, text: Closed")
    uploaded.sms_by.script("sendBulkSms", ACCEPTED)
    uploaded.sms_by.script("createSmsMessage", ok({"message_id": 7}))
    uploaded.sms_by.script("sendSMS", ok({"sms_id": 9}))
    counted(uploaded, 2)

    def approve(plan: Plan) -> bool:
        uploaded.write("stop.csv", f"phone\n{PHONES[0]}\n{PHONES[4]}\n")
        return True

    result = apply_plan(replace(uploaded.request(), approve=approve))
    assert result.exit_code is ExitCode.DONE
    sent = str(uploaded.sms_by.named("sendBulkSms", "sendSMS", "importContacts"))
    assert [phone in sent for phone in PHONES[:5]] == [False, False, True, True, False]


@pytest.mark.parametrize("more", ["list: News", "upload: true, recipients: {file: recipients.csv}"])
def test_apply_plan_drafts_the_planned_text(uploaded: Shop, more: str) -> None:
    """If an included file changes while the user is asked, its text is not drafted."""
    (uploaded.root / "templates").mkdir()
    uploaded.write("templates/offer.j2", "Reviewed")
    uploaded.mailing(f"{more}, text: '{{% include \"offer.j2\" %}}'")
    uploaded.sms_by.script("getSubscriberLists", ok({"result": [{"list_id": 7, "name": "News"}]}))

    def approve(plan: Plan) -> bool:
        uploaded.write("templates/offer.j2", "Other")
        return True

    result = apply_plan(replace(uploaded.request(), approve=approve))
    assert result.exit_code is ExitCode.PLAN_REFUSED
    assert (result.mailings[0].error or "").startswith("its files changed while it was being sent")
    assert uploaded.sms_by.changes() == []
