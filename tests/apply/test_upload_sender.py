"""Uploaded mailings: make the list, fill it, check it, then send to it like any list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.privacy import mask_phones
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, OFFLINE, PHONES, Shop, busy, error, ok
from tests.apply.uploaded_mailing import RECIPIENTS, ListOf, counted, invalid, taken


def test_invalid_contacts_reject_the_mailing(uploaded: Shop) -> None:
    """With `on_invalid: fail` each invalid contact is reported by line, which can be masked, and nothing is drafted."""
    uploaded.sms_by.script("importContacts", taken, invalid((1, f"bad phone {RECIPIENTS[3]}")), taken)
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    assert any("line 5: " in line for line in uploaded.lines)
    assert not any(RECIPIENTS[3] in mask_phones(line) for line in uploaded.lines)
    assert "sendSmsList" not in uploaded.sms_by.changes()


@pytest.mark.parametrize(("text", "revision", "lists"), [("Changed", 1, 1), ("Closed", 2, 2)])
def test_interrupted_upload_is_continued(
    uploaded: Shop, known: ListOf, text: str, revision: int, lists: int
) -> None:
    """An interrupted upload is continued even with another text, and another revision gets its own list."""
    uploaded.sms_by.script("importContacts", taken, OFFLINE)
    assert uploaded.apply()[0].exit_code == ExitCode.UNREACHABLE
    uploaded.sms_by.script("importContacts", taken)
    begun = len(uploaded.sms_by.named("importContacts"))
    more = f"revision: {revision}, recipients: {{file: recipients.csv}}, text: {text}"
    uploaded.mailing(f"upload: true, {more}")
    assert uploaded.apply()[0].exit_code == ExitCode.DONE
    batches = uploaded.sms_by.named("importContacts")[begun:]
    assert [row[0] for batch in batches for row in batch["data"]] == RECIPIENTS[2 if lists == 1 else 0 :]
    assert len(known) == lists


def test_invalid_contacts_can_be_dropped(uploaded: Shop) -> None:
    """With `on_invalid: drop` the valid contacts get the mailing, and the count is checked without the others."""
    uploaded.mailing("upload: true, on_invalid: drop, recipients: {file: recipients.csv}, text: Closed")
    uploaded.sms_by.script("importContacts", taken, invalid((1, "bad phone")), taken)
    counted(uploaded, 4)
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.outcome, mailing.recipients) == (ExitCode.DONE, MailingOutcome.SENT, 4)


def test_rejected_contacts_reject_the_mailing(uploaded: Shop) -> None:
    """An error of importContacts rejects the mailing, and the next apply fills a list again."""
    uploaded.sms_by.script("importContacts", error("incorrect arguments", 400))
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.FAILED, MailingOutcome.REJECTED)
    upload = uploaded.chunk().upload
    assert upload is not None
    assert (uploaded.chunk().state, upload.list_id) == (ChunkState.REJECTED, None)
    uploaded.sms_by.script("importContacts", taken)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.DONE


@pytest.mark.parametrize("recipients", [4, 6])
def test_upload_with_another_count_is_not_confirmed(uploaded: Shop, recipients: int) -> None:
    """If sms.by counts another number of contacts than reviewed, the draft stays unconfirmed."""
    counted(uploaded, recipients)
    result, mailing = uploaded.apply()
    assert result.exit_code == ExitCode.REFUSED
    assert mailing.error is not None
    assert f"sms.by counts {recipients}" in mailing.error
    assert "confirm=1" not in uploaded.sms_by.changes()
    assert uploaded.chunk().state is ChunkState.DRAFT


@pytest.mark.parametrize("is_found", [False, True])
def test_uncounted_upload_needs_a_list_of_its_own(uploaded: Shop, known: ListOf, is_found: bool) -> None:
    """Without a count from sms.by, only a list that this run made is sure to have no other contacts."""
    counted(uploaded, None)
    if is_found:

        def make_and_lose(params: Mapping[str, Any]) -> Answer:
            known.create(params)
            raise LOST

        uploaded.sms_by.script("createSubscriberList", make_and_lose)
    result, _ = uploaded.apply()
    assert result.exit_code == (ExitCode.REFUSED if is_found else ExitCode.DONE)
    assert ("confirm=1" in uploaded.sms_by.changes()) is not is_found


def test_opt_out_during_the_upload_makes_another_list(uploaded: Shop, known: ListOf) -> None:
    """A recipient who opts out while the list is filled gets nothing: a new list is made."""
    uploaded.write("out.csv", "phone\n")
    uploaded.write("smsby.yaml", (uploaded.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")
    counted(uploaded, 4)

    def opt_out(params: Mapping[str, Any]) -> Answer:
        uploaded.write("out.csv", f"phone\n{RECIPIENTS[0]}\n")
        return taken(params)

    uploaded.sms_by.script("importContacts", opt_out)
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.recipients) == (ExitCode.DONE, 4)
    assert len(known) == 2
    assert uploaded.sms_by.named("sendSmsList")[0]["list_id"] == 71
    last = uploaded.sms_by.named("importContacts")[3:]
    assert [row[0] for batch in last for row in batch["data"]] == RECIPIENTS[1:]


def _suppress(shop: Shop) -> None:
    """Write out.csv without opt-outs, and allow one request in flight."""
    shop.write("out.csv", "phone\n")
    settings = "api: {reconcile_seconds: 2, recipients_per_request: 2, concurrency: 1}"
    shop.write("smsby.yaml", f"version: 1\nproject: shop\n{settings}\nsuppress: [out.csv]\n")


def test_contact_that_opts_out_is_not_uploaded(uploaded: Shop, known: ListOf) -> None:
    """After an opt-out no more contacts go to that list, even by a repeated call."""
    _suppress(uploaded)
    counted(uploaded, 4)

    def opt_out(params: Mapping[str, Any]) -> Answer:
        uploaded.write("out.csv", f"phone\n{RECIPIENTS[2]}\n")
        return busy(0.1)

    uploaded.sms_by.script("importContacts", taken, opt_out, taken)
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.recipients, len(known)) == (ExitCode.DONE, 4, 2)
    calls = [[row[0] for row in batch["data"]] for batch in uploaded.sms_by.named("importContacts")]
    first, second, third, fourth, fifth = RECIPIENTS
    assert calls == [[first, second], [third, fourth], [first, second], [fourth, fifth]]
    assert uploaded.sms_by.named("sendSmsList")[0]["list_id"] == 71


def test_opt_out_during_the_upload_is_not_forgotten(uploaded: Shop, known: ListOf) -> None:
    """An opt-out during the upload is kept, even if its file is truncated when it is read again."""
    _suppress(uploaded)
    counted(uploaded, 4)
    files = iter((f"phone\n{RECIPIENTS[4]}\n", "phone\n"))

    def write(params: Mapping[str, Any]) -> Answer:
        uploaded.write("out.csv", next(files, "phone\n"))
        return taken(params)

    uploaded.sms_by.script("importContacts", write)
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.recipients) == (ExitCode.DONE, 4)
    assert uploaded.sms_by.named("sendSmsList")[0]["list_id"] == max(known)
    calls = uploaded.sms_by.named("importContacts")
    assert RECIPIENTS[4] not in [row[0] for batch in calls for row in batch["data"]]


def test_opt_outs_that_keep_changing_end_the_upload(uploaded: Shop, known: ListOf) -> None:
    """After three lists with new opt-outs the mailing is left to the next apply: exit code 1, and nothing is drafted."""
    uploaded.write("out.csv", "phone\n")
    uploaded.write("smsby.yaml", (uploaded.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")

    def opt_out(params: Mapping[str, Any]) -> Answer:
        uploaded.write("out.csv", "phone\n" + "".join(f"{phone}\n" for phone in RECIPIENTS[: len(known)]))
        return taken(params)

    uploaded.sms_by.script("importContacts", opt_out)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.FAILED
    assert len(known) == 3
    assert "sendSmsList" not in uploaded.sms_by.changes()


@pytest.mark.parametrize(("reported", "recorded"), [("0.25", "0.25"), (None, "0.13")])
def test_upload_costs_what_sms_by_reports(uploaded: Shop, reported: str | None, recorded: str) -> None:
    """If sms.by reports neither cost nor count, the lock keeps the planned ones."""
    project = (uploaded.root / "smsby.yaml").read_text()
    uploaded.write("smsby.yaml", project + "price: {currency: BYN, per_part: 0.026}\n")

    def reply(params: Mapping[str, Any]) -> Answer:
        if params["confirm"] == 1:
            return ok({"status": "OK"})
        return ok({"result": {"cost": reported, "status": "DRAFT"}})

    uploaded.sms_by.script("confirmSendMessageByList", reply)
    assert uploaded.apply()[0].exit_code == ExitCode.DONE
    assert uploaded.lock().mailings["sale/staff"].cost == recorded


@pytest.mark.parametrize("opts_out", [False, True])
def test_opt_out_during_a_pause_stops_the_confirmation(uploaded: Shop, opts_out: bool) -> None:
    """A postponed confirmation is repeated only if no recipient of the list has opted out meanwhile."""
    uploaded.write("out.csv", "phone\n")
    uploaded.write("smsby.yaml", (uploaded.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")
    started: list[int] = []

    def reply(params: Mapping[str, Any]) -> Answer:
        if params["confirm"] == 0:
            return ok({"result": {"count": 5, "status": "DRAFT"}})
        started.append(1)
        if opts_out:
            uploaded.write("out.csv", f"phone\n{RECIPIENTS[0]}\n")
        return busy(1) if len(started) == 1 else ok({"status": "OK"})

    uploaded.sms_by.script("confirmSendMessageByList", reply)
    result, mailing = uploaded.apply()
    assert result.exit_code == (ExitCode.REFUSED if opts_out else ExitCode.DONE)
    assert len(started) == (1 if opts_out else 2)
    assert uploaded.chunk().state is (ChunkState.DRAFT if opts_out else ChunkState.ACCEPTED)
    assert ("opt-outs changed since" in (mailing.error or "")) is opts_out


def test_upload_is_not_drafted_after_its_time(uploaded: Shop) -> None:
    """If filling the list takes longer than the schedule allows, nothing is drafted: exit code 4."""
    uploaded.mailing(
        "upload: true, recipients: {file: recipients.csv}, text: Closed, schedule_time: '2026-11-02T09:30:00+00:00'"
    )

    def take_long(params: Mapping[str, Any]) -> Answer:
        uploaded.clock.sleep(3600)
        return taken(params)

    uploaded.sms_by.script("importContacts", take_long)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.REFUSED
    assert "sendSmsList" not in uploaded.sms_by.changes()


def test_files_changed_during_the_upload_send_nothing(uploaded: Shop) -> None:
    """If the recipients change during the upload, the mailing ends with exit code 5."""

    def change(params: Mapping[str, Any]) -> Answer:
        uploaded.write("recipients.csv", f"phone,name\n{PHONES[6]},Eve\n")
        return taken(params)

    uploaded.sms_by.script("importContacts", change)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.PLAN_REFUSED
    assert "sendSmsList" not in uploaded.sms_by.changes()


@pytest.mark.parametrize(
    ("other", "is_known", "count", "is_confirmed"),
    [
        (None, True, 5, True),
        (None, True, None, True),
        (None, False, 5, True),
        (None, False, None, False),  # it could have other contacts
        ("Newsletter", False, 5, True),
        ("sale/other shop#0123456789", False, 5, True),
        ("sale/staff shop#0123456789", True, 5, False),
        ("sale/staff shop#0123456789", False, 5, False),
    ],
)
def test_found_draft_needs_the_only_list(
    uploaded: Shop, known: ListOf, other: str | None, is_known: bool, count: int | None, is_confirmed: bool
) -> None:
    """A draft found at sms.by is confirmed only if the mailing has one list there, with the present recipients."""
    uploaded.sms_by.script("sendSmsList", LOST)
    uploaded.apply()
    name = uploaded.sms_by.named("sendSmsList")[0]["name"]
    row = {"id": 90, "name": name, "status": "DRAFT"}
    uploaded.sms_by.script("getSMSMessages", ok({"status": "success", "data": [row]}))
    assert known[70].startswith("sale/staff ")
    if other is not None:
        known[99] = other
    if not is_known:
        (uploaded.root / "lock.json").unlink()
    counted(uploaded, count)
    result, mailing = uploaded.apply()
    assert result.exit_code == (ExitCode.DONE if is_confirmed else ExitCode.REFUSED)
    assert ("confirm=1" in uploaded.sms_by.changes()) is is_confirmed
    assert (mailing.error is None) is is_confirmed


@pytest.mark.parametrize("is_same", [True, False])
def test_upload_is_not_drafted_if_it_is_listed_meanwhile(uploaded: Shop, is_same: bool) -> None:
    """A mailing, or another in its place, that is listed while its list is filled is not drafted again."""
    mark = uploaded.plan().actions[0].chunks[0].fingerprint if is_same else "0123456789"
    rows = [{"id": 90, "name": f"sale/staff shop#{mark}", "status": "DRAFT"}]

    def take_long(params: Mapping[str, Any]) -> Answer:
        uploaded.sms_by.script("getSMSMessages", ok({"status": "success", "data": rows}))
        uploaded.clock.sleep(60)
        return taken(params)

    uploaded.sms_by.script("importContacts", take_long)
    result, mailing = uploaded.apply()
    assert result.exit_code == ExitCode.REFUSED
    assert ("sms.by now lists it" if is_same else "collision: ") in (mailing.error or "")
    assert "sendSmsList" not in uploaded.sms_by.changes()


def test_upload_of_late_opt_outs_only_makes_no_draft(uploaded: Shop) -> None:
    """If all recipients opt out while the list is filled, the mailing is complete without a draft."""
    uploaded.write("out.csv", "phone\n")
    uploaded.write("smsby.yaml", (uploaded.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")

    def opt_out(params: Mapping[str, Any]) -> Answer:
        uploaded.write("out.csv", "phone\n" + "".join(f"{phone}\n" for phone in RECIPIENTS))
        return taken(params)

    uploaded.sms_by.script("importContacts", opt_out)
    assert uploaded.apply()[0].exit_code == ExitCode.DONE
    assert "sendSmsList" not in uploaded.sms_by.changes()
    assert (uploaded.chunk().state, uploaded.chunk().recipients) == (ChunkState.SUPPRESSED, 0)


def test_upload_without_a_valid_contact_is_rejected(uploaded: Shop) -> None:
    """A list without any valid contact is not drafted, even with `on_invalid: drop`."""
    uploaded.mailing("upload: true, on_invalid: drop, recipients: {file: recipients.csv}, text: Closed")
    everyone = [invalid((0, "bad phone"), (1, "bad phone"))] * 2
    uploaded.sms_by.script("importContacts", *everyone, invalid((0, "bad phone")))
    assert uploaded.apply()[0].exit_code == ExitCode.FAILED
    assert "sendSmsList" not in uploaded.sms_by.changes()


def test_upload_looks_for_its_list_after_a_rejected_draft(uploaded: Shop, known: ListOf) -> None:
    """After a rejected draft the list is found by its name and its contacts counted; another revision gets its own."""
    uploaded.sms_by.script("sendSmsList", error("incorrect arguments", 400))
    uploaded.apply()
    uploaded.sms_by.script("sendSmsList", ok({"result": {"message_id": 90}}))
    assert uploaded.apply()[0].exit_code == ExitCode.DONE
    upload = uploaded.chunk().upload
    assert upload is not None
    assert (upload.list_id, upload.found) == (70, True)
    uploaded.mailing("upload: true, revision: 2, recipients: {file: recipients.csv}, text: Closed")
    assert uploaded.apply()[0].exit_code == ExitCode.DONE
    assert [params["list_id"] for params in uploaded.sms_by.named("sendSmsList")] == [70, 70, 71]
    assert len(known) == 2


def test_upload_makes_fills_and_sends_to_its_list(uploaded: Shop, known: ListOf) -> None:
    """The list is made, filled in batches, drafted by its id and confirmed."""
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.outcome, mailing.recipients) == (ExitCode.DONE, MailingOutcome.SENT, 5)
    assert uploaded.sms_by.changes() == [
        "createSubscriberList",
        *["importContacts"] * 3,
        "sendSmsList",
        "confirm=0",
        "confirm=1",
    ]
    batches = uploaded.sms_by.named("importContacts")
    assert [row[0] for batch in batches for row in batch["data"]] == RECIPIENTS
    assert batches[0]["field_names"] == ["phone", "name"]
    assert uploaded.sms_by.named("sendSmsList")[0]["list_id"] == 70
    upload = uploaded.chunk().upload
    assert upload is not None
    assert (upload.list_id, upload.uploaded, upload.invalid, upload.found) == (70, 5, 0, False)
