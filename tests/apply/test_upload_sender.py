"""Uploaded mailings: make the list, fill it, check it, then send to it as to any list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.apply.result import MailingOutcome
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.privacy import mask_phones
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, OFFLINE, PHONES, Reply, Shop, busy, error, ok

PEOPLE = PHONES[:5]
MADE = ok({"status": "OK", "result": {"list_id": 70}})


def taken(params: Mapping[str, Any]) -> Answer:
    """The answer of importContacts: every contact was inserted."""
    return ok({"result": {"inserted": len(params["data"]), "updated": 0, "invalid": 0}})


def invalid(*errors: tuple[int, str], count: int | None = None) -> Reply:
    """The answer of importContacts that calls some contacts invalid."""
    log = [{"index": index, "error_message": text} for index, text in errors]
    return ok({"result": {"inserted": 0, "updated": 0, "invalid": count or len(log), "log": log}})


def lists(*named: tuple[int, str]) -> Answer:
    return ok({"result": [{"list_id": number, "name": name} for number, name in named]})


class ListOf(dict[int, str]):
    """The lists at sms.by by id; createSubscriberList adds one."""

    def create(self, params: Mapping[str, Any]) -> Answer:
        self[70 + len(self)] = params["name"]
        return ok({"result": {"list_id": max(self)}})

    def read(self, params: Mapping[str, Any]) -> Answer:
        return lists(*self.items())


@pytest.fixture
def known() -> ListOf:
    """The contact lists at sms.by."""
    return ListOf()


@pytest.fixture
def staff(shop: Shop, known: ListOf) -> Shop:
    """An uploaded mailing to five recipients, two in each importContacts, and an sms.by that takes it."""
    shop.write(
        "smsby.yaml", "version: 1\nproject: shop\napi: {reconcile_seconds: 2, recipients_per_request: 2}\n"
    )
    shop.write("people.csv", "phone,name\n" + "".join(f"{phone},Anna\n" for phone in PEOPLE))
    shop.mailing("upload: true, recipients: {file: people.csv}, text: Closed")
    shop.sms_by.script("getSubscriberLists", known.read)
    shop.sms_by.script("createSubscriberList", known.create)
    shop.sms_by.script("importContacts", taken)
    shop.sms_by.script("sendSmsList", ok({"result": {"message_id": 90}}))
    counted(shop, 5)
    return shop


def counted(shop: Shop, recipients: int | None) -> None:
    """Let confirm=0 report that many recipients, and confirm=1 succeed."""

    def reply(params: Mapping[str, Any]) -> Answer:
        if params["confirm"] == 1:
            return ok({"status": "OK"})
        return ok({"result": {"count": recipients, "status": "DRAFT"}})

    shop.sms_by.script("confirmSendMessageByList", reply)


def test_upload_makes_fills_and_sends_to_its_list(staff: Shop, known: ListOf) -> None:
    """The list is made, filled in batches, drafted by its id and confirmed."""
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.outcome, mailing.recipients) == (ExitCode.DONE, MailingOutcome.SENT, 5)
    assert staff.sms_by.changes() == [
        "createSubscriberList",
        *["importContacts"] * 3,
        "sendSmsList",
        "confirm=0",
        "confirm=1",
    ]
    batches = staff.sms_by.named("importContacts")
    assert [row[0] for batch in batches for row in batch["data"]] == PEOPLE
    assert batches[0]["field_names"] == ["phone", "name"]
    assert staff.sms_by.named("sendSmsList")[0]["list_id"] == 70
    upload = staff.chunk().upload
    assert upload is not None
    assert (upload.list_id, upload.uploaded, upload.invalid, upload.found) == (70, 5, 0, False)


def test_upload_uses_the_list_of_its_name(staff: Shop, known: ListOf) -> None:
    """A list whose answer was lost is found by its name, and no second one is made."""

    def make_and_lose(params: Mapping[str, Any]) -> Answer:
        known.create(params)
        raise LOST

    staff.sms_by.script("createSubscriberList", make_and_lose)
    result, _ = staff.apply()
    assert result.exit_code == ExitCode.DONE
    assert len(known) == 1
    upload = staff.chunk().upload
    assert upload is not None
    assert upload.found


def test_lost_batch_is_uploaded_again(staff: Shop) -> None:
    """importContacts reaches no recipient, so a lost answer is asked for again."""
    staff.sms_by.script("importContacts", taken, LOST, OFFLINE, taken)
    result, _ = staff.apply()
    assert result.exit_code == ExitCode.DONE
    assert [len(batch["data"]) for batch in staff.sms_by.named("importContacts")] == [2, 2, 2, 2, 1]


@pytest.mark.parametrize(("answer", "calls"), [(LOST, 5), (busy(3600), 1), (busy(60), 5)])
def test_upload_gives_up_after_its_retries(staff: Shop, answer: Reply, calls: int) -> None:
    """Five tries, but a Retry-After longer than a minute ends them at once: exit code 7, nothing is drafted."""
    staff.sms_by.script("importContacts", answer)
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.UNREACHABLE, MailingOutcome.SKIPPED)
    assert len(staff.sms_by.named("importContacts")) == calls
    assert "sendSmsList" not in staff.sms_by.changes()


def test_upload_continues_where_it_stopped(staff: Shop) -> None:
    """The next apply uploads only the contacts that are not in the list yet."""
    staff.sms_by.script("importContacts", taken, LOST)
    staff.apply()
    staff.sms_by.script("importContacts", taken)
    before = len(staff.sms_by.named("importContacts"))
    result, _ = staff.apply()
    assert result.exit_code == ExitCode.DONE
    rest = staff.sms_by.named("importContacts")[before:]
    assert [row[0] for batch in rest for row in batch["data"]] == PEOPLE[2:]
    assert staff.sms_by.changes().count("createSubscriberList") == 1


def test_invalid_contacts_reject_the_mailing(staff: Shop) -> None:
    """With `on_invalid: fail` each invalid contact is reported by line, which the writers can mask; nothing is drafted."""
    staff.sms_by.script("importContacts", taken, invalid((1, f"bad phone {PEOPLE[3]}")), taken)
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    assert any("line 5: " in line for line in staff.lines)
    assert not any(PEOPLE[3] in mask_phones(line) for line in staff.lines)
    assert "sendSmsList" not in staff.sms_by.changes()


def test_invalid_contacts_can_be_dropped(staff: Shop) -> None:
    """With `on_invalid: drop` the mailing goes to the others, and the count is checked without them."""
    staff.mailing("upload: true, on_invalid: drop, recipients: {file: people.csv}, text: Closed")
    staff.sms_by.script("importContacts", taken, invalid((1, "bad phone")), taken)
    counted(staff, 4)
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.outcome, mailing.recipients) == (ExitCode.DONE, MailingOutcome.SENT, 4)


def test_invalid_contacts_without_a_line_are_counted(staff: Shop) -> None:
    """If sms.by does not say which contacts are invalid, the lines of the batch are named."""
    staff.sms_by.script("importContacts", taken, invalid(count=2), taken)
    staff.apply()
    assert any("lines 4 to 5" in line and "2" in line for line in staff.lines)


def test_rejected_contacts_reject_the_mailing(staff: Shop) -> None:
    """An error of importContacts is recorded as the mailing's; the next apply fills a list again."""
    staff.sms_by.script("importContacts", error("incorrect arguments", 400))
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    upload = staff.chunk().upload
    assert upload is not None
    assert (staff.chunk().state, upload.list_id) == (ChunkState.REJECTED, None)
    staff.sms_by.script("importContacts", taken)
    result, _ = staff.apply()
    assert result.exit_code == ExitCode.DONE


@pytest.mark.parametrize("recipients", [4, 6])
def test_upload_with_another_count_is_not_confirmed(staff: Shop, recipients: int) -> None:
    """If sms.by counts other recipients in the list than were reviewed, the draft stays unconfirmed."""
    counted(staff, recipients)
    result, mailing = staff.apply()
    assert result.exit_code == ExitCode.REFUSED
    assert mailing.error is not None
    assert f"sms.by counts {recipients}" in mailing.error
    assert "confirm=1" not in staff.sms_by.changes()
    assert staff.chunk().state is ChunkState.DRAFT


@pytest.mark.parametrize("is_found", [False, True])
def test_uncounted_upload_needs_a_list_of_its_own(staff: Shop, known: ListOf, is_found: bool) -> None:
    """Without a count from sms.by, only a list that this run made is sure to hold no other contacts."""
    counted(staff, None)
    if is_found:

        def make_and_lose(params: Mapping[str, Any]) -> Answer:
            known.create(params)
            raise LOST

        staff.sms_by.script("createSubscriberList", make_and_lose)
    result, _ = staff.apply()
    assert result.exit_code == (ExitCode.REFUSED if is_found else ExitCode.DONE)
    assert ("confirm=1" in staff.sms_by.changes()) is not is_found


def test_opt_out_during_the_upload_makes_another_list(staff: Shop, known: ListOf) -> None:
    """An opt-out that arrives while the list is filled gets nothing: a new list is made without it."""
    staff.write("out.csv", "phone\n")
    staff.write("smsby.yaml", (staff.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")
    counted(staff, 4)

    def opt_out(params: Mapping[str, Any]) -> Answer:
        staff.write("out.csv", f"phone\n{PEOPLE[0]}\n")
        return taken(params)

    staff.sms_by.script("importContacts", opt_out)
    result, mailing = staff.apply()
    assert (result.exit_code, mailing.recipients) == (ExitCode.DONE, 4)
    assert len(known) == 2
    assert staff.sms_by.named("sendSmsList")[0]["list_id"] == 71
    last = staff.sms_by.named("importContacts")[3:]
    assert [row[0] for batch in last for row in batch["data"]] == PEOPLE[1:]


def test_opt_outs_that_keep_changing_end_the_upload(staff: Shop, known: ListOf) -> None:
    """After three lists the mailing waits for the next apply: exit code 1, nothing is drafted."""
    staff.write("out.csv", "phone\n")
    staff.write("smsby.yaml", (staff.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")

    def opt_out(params: Mapping[str, Any]) -> Answer:
        staff.write("out.csv", "phone\n" + "".join(f"{phone}\n" for phone in PEOPLE[: len(known)]))
        return taken(params)

    staff.sms_by.script("importContacts", opt_out)
    result, _ = staff.apply()
    assert result.exit_code == ExitCode.FAILED
    assert len(known) == 3
    assert "sendSmsList" not in staff.sms_by.changes()


def test_upload_is_not_drafted_after_its_time(staff: Shop) -> None:
    """Filling the list may take longer than the schedule allows: exit code 4, nothing is drafted."""
    staff.mailing(
        "upload: true, recipients: {file: people.csv}, text: Closed, schedule_time: '2026-11-02T09:30:00+00:00'"
    )

    def take_long(params: Mapping[str, Any]) -> Answer:
        staff.clock.sleep(3600)
        return taken(params)

    staff.sms_by.script("importContacts", take_long)
    result, _ = staff.apply()
    assert result.exit_code == ExitCode.REFUSED
    assert "sendSmsList" not in staff.sms_by.changes()


def test_files_changed_during_the_upload_send_nothing(staff: Shop) -> None:
    """Recipients that are not the planned ones end the mailing with exit code 5."""

    def change(params: Mapping[str, Any]) -> Answer:
        staff.write("people.csv", f"phone,name\n{PHONES[6]},Eve\n")
        return taken(params)

    staff.sms_by.script("importContacts", change)
    result, _ = staff.apply()
    assert result.exit_code == ExitCode.PLAN_REFUSED
    assert "sendSmsList" not in staff.sms_by.changes()


@pytest.mark.parametrize("has_other_list", [False, True])
def test_found_draft_needs_the_only_list(staff: Shop, known: ListOf, has_other_list: bool) -> None:
    """A draft found at sms.by is confirmed only if this mailing's only list there has the present recipients."""
    staff.sms_by.script("sendSmsList", LOST)
    staff.apply()
    name = staff.sms_by.named("sendSmsList")[0]["name"]
    row = {"id": 90, "name": name, "status": "DRAFT", "count_phones": 5}
    staff.sms_by.script("getSMSMessages", ok({"status": "success", "data": [row]}))
    if has_other_list:
        known[99] = known[70].partition("#")[0] + "#0123456789"
    result, mailing = staff.apply()
    assert result.exit_code == (ExitCode.REFUSED if has_other_list else ExitCode.DONE)
    assert ("confirm=1" in staff.sms_by.changes()) is not has_other_list
    assert (mailing.error is not None) is has_other_list
