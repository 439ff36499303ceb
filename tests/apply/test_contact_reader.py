"""The contacts of a list: the reviewed ones without opt-outs, in order, batched to fit into a call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from smsby_deploy.apply.contact_reader import ContactReader, batch_size
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.config.declarations import ApiSettings, Mailing
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet
from tests.apply.fake_smsby import PHONES, Shop

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
    """A batch has 500 contacts, or fewer by the project's setting or PHP's limit on form variables."""
    assert batch_size(api, fields) == size


@pytest.fixture
def staff(shop: Shop) -> Shop:
    """An uploaded mailing to five recipients, the second of whom opted out, with two contacts per batch."""
    shop.write(
        "smsby.yaml", "version: 1\nproject: shop\napi: {recipients_per_request: 2}\nsuppress: [out.csv]\n"
    )
    shop.write("out.csv", f"phone\n{FIVE_PHONES[1]}\n")
    write_recipients(shop, FIVE_PHONES)
    shop.mailing("upload: true, recipients: {file: recipients.csv}, text: Closed")
    return shop


def write_recipients(shop: Shop, phones: list[str]) -> None:
    shop.write("recipients.csv", "phone,name\n" + "".join(f"{phone},Anna\n" for phone in phones))


def planned(shop: Shop) -> tuple[ContactReader, Mailing]:
    loaded = shop.load()
    plan = make_plan(
        loaded, select=(), client=None, account=None, lock=shop.lock(), clock=shop.clock, new_id="p"
    )
    watch = OptOutWatch(loaded.project, shop.clock)
    context: Any = SimpleNamespace(
        project=loaded.project, opt_outs=watch, action_of=lambda mailing: plan.decided[0]
    )
    return ContactReader(context), loaded.project.mailings[0]


def test_contact_batches_leave_out_opt_outs(staff: Shop) -> None:
    """The batches have all contacts except the opt-out, in order, with their lines in the file."""
    reader, mailing = planned(staff)
    contacts = reader.measure(mailing)
    batches = list(reader.batches(mailing, contacts, 0))
    assert contacts.count == 4
    assert [row for batch in batches for row in batch.rows] == [
        [phone, "Anna"] for phone in FIVE_PHONES if phone != FIVE_PHONES[1]
    ]
    assert [(batch.first, batch.end, batch.lines) for batch in batches] == [(0, 2, [2, 4]), (2, 4, [5, 6])]


def test_contact_batches_skip_what_is_uploaded(staff: Shop) -> None:
    """After an interruption the batches start after the contacts that are already in the list."""
    reader, mailing = planned(staff)
    (batch,) = reader.batches(mailing, reader.measure(mailing), 3)
    assert (batch.first, [row[0] for row in batch.rows]) == (3, [FIVE_PHONES[4]])


def test_contact_batches_are_filled_across_reads(shop: Shop) -> None:
    """Only the last batch is short, even though files are read a thousand rows at a time and opt-outs leave gaps."""
    phones = [f"37529{number:07}" for number in range(1, 2401)]
    shop.write("smsby.yaml", "version: 1\nproject: shop\nsuppress: [out.csv]\n")
    shop.write("out.csv", "phone\n" + "".join(f"{phone}\n" for phone in phones[::10]))
    write_recipients(shop, phones)
    shop.mailing("upload: true, recipients: {file: recipients.csv}, text: Closed")
    reader, mailing = planned(shop)
    contacts = reader.measure(mailing)
    batches = list(reader.batches(mailing, contacts, 0))
    assert [(batch.first, len(batch.rows)) for batch in batches] == [
        (0, 500),
        (500, 500),
        (1000, 500),
        (1500, 500),
        (2000, 160),
    ]
    uploaded = [row[0] for batch in batches for row in batch.rows]
    assert uploaded == [phone for index, phone in enumerate(phones) if index % 10]
    (rest,) = reader.batches(mailing, contacts, 1900)
    assert [row[0] for row in rest.rows] == uploaded[1900:]


def test_contacts_of_a_longer_file(shop: Shop) -> None:
    """In every block of a longer file, planned opt-outs stay out, and a file that ends at a block is a changed one."""
    phones = [f"37529{number:07}" for number in range(1, 7001)]
    shop.write("smsby.yaml", "version: 1\nproject: shop\nsuppress: [out.csv]\n")
    write_recipients(shop, phones)
    shop.mailing("upload: true, recipients: {file: recipients.csv}, text: Closed")
    (mailing,) = shop.load().project.mailings
    reads = [len(batch.phones) for batch in read_audience(mailing, PhoneSet(), AudienceReport())]
    assert len(reads) > 2
    gone = [phones[place] for place in (0, reads[0] - 1, reads[0], reads[0] + reads[1] + 7, 6999)]
    shop.write("out.csv", "phone\n" + "".join(f"{phone}\n" for phone in gone))
    reader, mailing = planned(shop)
    shop.write("out.csv", f"phone\n{phones[1]}\n")
    contacts = reader.measure(mailing)
    batches = list(reader.batches(mailing, contacts, 0))
    left_out = {*gone, phones[1]}
    uploaded = [row[0] for batch in batches for row in batch.rows]
    assert uploaded == [phone for phone in phones if phone not in left_out]
    assert contacts.count == len(uploaded)
    write_recipients(shop, phones[: -reads[-1]])
    with pytest.raises(FilesChanged, match="while its list was uploaded"):
        list(reader.batches(mailing, contacts, 0))


def test_contact_batches_refuse_changed_files(staff: Shop) -> None:
    """Recipients that differ from the planned or measured ones are never yielded."""
    reader, mailing = planned(staff)
    contacts = reader.measure(mailing)
    write_recipients(staff, [PHONES[6], *FIVE_PHONES[1:]])
    with pytest.raises(FilesChanged, match="while it was being sent"):
        reader.measure(mailing)
    with pytest.raises(FilesChanged, match="while its list was uploaded"):
        next(reader.batches(mailing, contacts, 0))


def test_list_name_differs_for_every_audience(staff: Shop) -> None:
    """An opt-out changes the name of the list, so a list with other contacts is never used."""
    reader, mailing = planned(staff)
    before = reader.measure(mailing).list_name
    staff.write("out.csv", f"phone\n{FIVE_PHONES[2]}\n")
    after = reader.measure(mailing).list_name
    assert before != after
    assert before.startswith("sale/staff shop#")
