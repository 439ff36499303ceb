"""Filling a list: found by its name, uploaded in batches, repeated until sms.by answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.apply.context import FilesChanged
from smsby_deploy.apply.list_filler import ContactReader, batch_size
from smsby_deploy.apply.result import MailingOutcome
from smsby_deploy.config.declarations import ApiSettings, Mailing
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.model import Action
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, OFFLINE, PHONES, Reply, Shop, busy
from tests.apply.uploaded_mailing import RECIPIENTS, ListOf, invalid, taken


def test_upload_uses_the_list_of_its_name(uploaded: Shop, known: ListOf) -> None:
    """A list whose answer was lost is found by its name, and no second one is made."""

    def make_and_lose(params: Mapping[str, Any]) -> Answer:
        known.create(params)
        raise LOST

    uploaded.sms_by.script("createSubscriberList", make_and_lose)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.DONE
    assert len(known) == 1
    upload = uploaded.chunk().upload
    assert upload is not None
    assert upload.found


def test_lost_batch_is_uploaded_again(uploaded: Shop) -> None:
    """importContacts reaches no recipient, so a lost answer is asked for again."""
    uploaded.sms_by.script("importContacts", taken, LOST, OFFLINE, taken)
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.DONE
    assert [len(batch["data"]) for batch in uploaded.sms_by.named("importContacts")] == [2, 2, 2, 2, 1]


@pytest.mark.parametrize(("answer", "calls"), [(LOST, 5), (busy(3600), 1), (busy(60), 5)])
def test_upload_gives_up_after_its_retries(uploaded: Shop, answer: Reply, calls: int) -> None:
    """Five tries, but a Retry-After longer than a minute ends them at once: exit code 7, nothing is drafted."""
    uploaded.sms_by.script("importContacts", answer)
    result, mailing = uploaded.apply()
    assert (result.exit_code, mailing.outcome) == (ExitCode.UNREACHABLE, MailingOutcome.SKIPPED)
    assert len(uploaded.sms_by.named("importContacts")) == calls
    assert "sendSmsList" not in uploaded.sms_by.changes()


def test_upload_continues_where_it_stopped(uploaded: Shop) -> None:
    """The next apply uploads only the contacts that are not in the list yet."""
    uploaded.sms_by.script("importContacts", taken, LOST)
    uploaded.apply()
    uploaded.sms_by.script("importContacts", taken)
    before = len(uploaded.sms_by.named("importContacts"))
    result, _ = uploaded.apply()
    assert result.exit_code == ExitCode.DONE
    rest = uploaded.sms_by.named("importContacts")[before:]
    assert [row[0] for batch in rest for row in batch["data"]] == RECIPIENTS[2:]
    assert uploaded.sms_by.changes().count("createSubscriberList") == 1


def test_invalid_contacts_without_a_line_are_counted(uploaded: Shop) -> None:
    """If sms.by does not say which contacts are invalid, the lines of the batch are named."""
    uploaded.sms_by.script("importContacts", taken, invalid(count=2), taken)
    uploaded.apply()
    assert any("lines 4 to 5" in line and "2" in line for line in uploaded.lines)


FIVE_PHONES = PHONES[:5]


@pytest.mark.parametrize(
    ("api", "fields", "size"),
    [
        (ApiSettings(), 3, 500),
        (ApiSettings(recipients_per_request=200), 3, 200),
        (ApiSettings(body="form"), 0, 500),
        (ApiSettings(body="form"), 1, 480),
        (ApiSettings(body="form"), 3, 240),
        (ApiSettings(body="form", recipients_per_request=100), 3, 100),
    ],
)
def test_batch_size_respects_every_limit(api: ApiSettings, fields: int, size: int) -> None:
    """A batch has 500 contacts, or fewer by the project's setting and by what PHP reads of a form."""
    assert batch_size(api, fields) == size


@pytest.fixture
def staff(shop: Shop) -> Shop:
    """An uploaded mailing to five recipients of whom the second opted out, two contacts in each batch."""
    shop.write(
        "smsby.yaml", "version: 1\nproject: shop\napi: {recipients_per_request: 2}\nsuppress: [out.csv]\n"
    )
    shop.write("out.csv", f"phone\n{FIVE_PHONES[1]}\n")
    write_recipients(shop, FIVE_PHONES)
    shop.mailing("upload: true, recipients: {file: recipients.csv}, text: Closed")
    return shop


def write_recipients(shop: Shop, phones: list[str]) -> None:
    shop.write("recipients.csv", "phone,name\n" + "".join(f"{phone},Anna\n" for phone in phones))


def planned(shop: Shop) -> tuple[ContactReader, Mailing, Action]:
    loaded = shop.load()
    plan = make_plan(
        loaded, select=(), client=None, account=None, lock=shop.lock(), clock=shop.clock, new_id="p"
    )
    return ContactReader(loaded.project, plan.inputs), loaded.project.mailings[0], plan.actions[0]


def test_contact_batches_leave_out_opt_outs(staff: Shop) -> None:
    """The batches have everyone but the opt-out, in order, with the lines of the file."""
    reader, mailing, action = planned(staff)
    contacts = reader.measure(mailing, action)
    batches = list(reader.batches(mailing, contacts, 0))
    assert contacts.count == 4
    assert [row for batch in batches for row in batch.rows] == [
        [phone, "Anna"] for phone in FIVE_PHONES if phone != FIVE_PHONES[1]
    ]
    assert [(batch.first, batch.end, batch.lines) for batch in batches] == [(0, 2, [2, 4]), (2, 4, [5, 6])]


def test_contact_batches_skip_what_is_uploaded(staff: Shop) -> None:
    """After an interruption the batches begin behind the contacts that are already in the list."""
    reader, mailing, action = planned(staff)
    (batch,) = reader.batches(mailing, reader.measure(mailing, action), 3)
    assert (batch.first, [row[0] for row in batch.rows]) == (3, [FIVE_PHONES[4]])


def test_contact_batches_refuse_changed_files(staff: Shop) -> None:
    """Recipients other than the planned or measured ones are never yielded."""
    reader, mailing, action = planned(staff)
    contacts = reader.measure(mailing, action)
    write_recipients(staff, [PHONES[6], *FIVE_PHONES[1:]])
    with pytest.raises(FilesChanged, match="while it was being sent"):
        reader.measure(mailing, action)
    with pytest.raises(FilesChanged, match="while its list was uploaded"):
        next(reader.batches(mailing, contacts, 0))


def test_list_name_differs_for_every_audience(staff: Shop) -> None:
    """An opt-out changes the name of the list, so a list with other contacts is never used."""
    reader, mailing, action = planned(staff)
    before = reader.list_name(mailing, reader.measure(mailing, action))
    staff.write("out.csv", "phone\n")
    after = reader.list_name(mailing, reader.measure(mailing, action))
    assert before != after
    assert before.startswith("sale/staff shop#")
