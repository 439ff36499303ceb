"""Import: which messages at sms.by can be recorded as a mailing, and what the lock then holds."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.apply.import_mailing import ImportRequest, import_mailing
from smsby_deploy.errors import FilesInvalid, Refused, UsageError
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.plan.drift import Difference
from smsby_deploy.plan.fingerprint import fingerprint, remote_name
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import PHONES, Shop, error, ok

UUID = "cc9c8043-8caf-11ef-b035-9e8f47954dec"


@pytest.fixture
def staff(shop: Shop) -> Shop:
    """A mailing to two recipients that the lock does not have."""
    to(shop, *PHONES[:2])
    return shop


def to(shop: Shop, *phones: str, more: str = "") -> None:
    shop.mailing(f"recipients: [{', '.join(phones)}], text: Closed{more}")


def row(number: int, name: str = "sent manually", **more: object) -> dict[str, Any]:
    return {"id": number, "name": name, "status": "SENT", "count_phones": 2, "alphaname": "MyShop", **more}


def list_messages(shop: Shop, *rows: dict[str, Any]) -> None:
    shop.sms_by.script("getSMSMessages", ok({"status": "success", "data": list(rows)}))


def status_of(shop: Shop, *messages: tuple[int, str]) -> None:
    """Make statusBulkSms report a request with these messages."""
    success = [{"phone": PHONES[0], "status": "Delivered"}]
    data = [{"message_id": number, "name": name, "success": success} for number, name in messages]
    shop.sms_by.script("statusBulkSms", ok(data))


def imported(shop: Shop, *ids: int, uuids: tuple[str, ...] = (), address: str = "sale/staff") -> list[str]:
    """Import, and return the differences as text."""
    wanted = ImportRequest(address, ids, uuids, by="Ann", reason="sent manually")
    with shop.store.held() as held:
        found: tuple[Difference, ...] = import_mailing(
            shop.load(), held, shop.client, wanted, clock=shop.clock, new_id="p"
        )
    return [difference.text for difference in found]


def planned_names(shop: Shop) -> list[str]:
    """Return the remote names of the mailing's chunks, as an apply would send them."""
    plan = make_plan(
        shop.load(), select=(), client=None, account=None, lock=shop.lock(), clock=shop.clock, new_id="p"
    )
    chunks = plan.actions[0].chunks
    return [
        remote_name("shop", "sale/staff", 1, index, len(chunks), chunk.fingerprint)
        for index, chunk in enumerate(chunks)
    ]


def test_import_records_a_message_by_its_id(staff: Shop) -> None:
    """The lock gets the planned content and chunk, the message's id, the user and the reason."""
    list_messages(staff, row(7))
    assert imported(staff, 7) == []
    chunk = staff.chunk()
    assert (chunk.state, chunk.message_id, chunk.recipients) == (ChunkState.ACCEPTED, 7, 2)
    resolution = staff.lock().resolutions[-1]
    assert (resolution.by, resolution.reason) == ("Ann", "sent manually")
    result, _ = staff.apply()
    assert (result.exit_code, staff.sms_by.changes()) == (0, [])


def test_import_records_a_message_by_its_request(staff: Shop) -> None:
    """The only message of a request is imported, whatever its name."""
    list_messages(staff, row(7))
    status_of(staff, (7, "sent manually"))
    imported(staff, uuids=(UUID,))
    assert (staff.chunk().uuid, staff.chunk().message_id) == (UUID, 7)


def test_import_does_not_guess_between_messages(staff: Shop) -> None:
    """A request with several foreign messages is wrong usage, and the error lists their ids."""
    status_of(staff, (7, "one"), (8, "two"))
    with pytest.raises(UsageError) as refused:
        imported(staff, uuids=(UUID,))
    assert "7, 8" in refused.value.hint


def test_import_finds_an_unlisted_message_by_its_deliveries(staff: Shop) -> None:
    """A message that is not listed is imported if it has deliveries."""
    with pytest.raises(Refused, match="no delivery of message 7"):
        imported(staff, 7)
    delivered = ok({"result": [{"phone": phone, "status": "Delivered"} for phone in PHONES[:2]]})
    staff.sms_by.script("getSmsDeliveryList", delivered, Answer(406, is_empty=True))
    imported(staff, 7)
    assert staff.chunk().recipients == 2


@pytest.mark.parametrize(
    ("method", "answer", "ids", "uuids"),
    [
        ("getSmsDeliveryList", error("message_id not found", 404), (7,), ()),
        ("statusBulkSms", ok([]), (), (UUID,)),
    ],
)
def test_import_refuses_what_sms_by_does_not_know(
    staff: Shop, method: str, answer: Answer, ids: tuple[int, ...], uuids: tuple[str, ...]
) -> None:
    """A message or request without any trace at sms.by is refused, and nothing is recorded."""
    staff.sms_by.script(method, answer)
    with pytest.raises(Refused):
        imported(staff, *ids, uuids=uuids)
    assert not staff.lock().mailings


def test_import_refuses_a_draft(staff: Shop) -> None:
    """An unconfirmed draft is refused, as it was not sent."""
    list_messages(staff, row(7, status="Draft"))
    with pytest.raises(Refused, match="unconfirmed draft"):
        imported(staff, 7)


def test_import_refuses_a_part_of_a_mailing(staff: Shop) -> None:
    """If the names show that there are more messages, all of them must be given."""
    staff.write("smsby.yaml", "version: 1\nproject: shop\napi: {recipients_per_request: 1}\n")
    first, second = planned_names(staff)
    list_messages(staff, row(7, first), row(8, second))
    with pytest.raises(Refused, match="1 of its 2 messages are missing"):
        imported(staff, 7)
    imported(staff, 7, 8)
    assert [chunk.message_id for chunk in staff.lock().mailings["sale/staff"].chunks] == [7, 8]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sale/other shop#0123456789", "belongs to sale/other"),
        ("sale/staff r2 shop#0123456789", "revision 2"),
    ],
)
def test_import_refuses_another_mailing_by_name(staff: Shop, name: str, text: str) -> None:
    """A name that identifies another known mailing, or another revision, is refused."""
    more = (staff.root / "sale.yaml").read_text().partition("mailings:\n")[2].replace("staff", "other")
    staff.write("sale.yaml", (staff.root / "sale.yaml").read_text() + more.replace("Closed", "Open"))
    list_messages(staff, row(7, name))
    with pytest.raises(Refused, match=text):
        imported(staff, 7)


def test_import_records_a_message_once(staff: Shop) -> None:
    """A message recorded for one mailing is refused for another."""
    more = (staff.root / "sale.yaml").read_text().partition("mailings:\n")[2].replace("staff", "other")
    staff.write("sale.yaml", (staff.root / "sale.yaml").read_text() + more.replace("Closed", "Open"))
    list_messages(staff, row(7))
    imported(staff, 7)
    with pytest.raises(Refused, match="recorded for sale/staff"):
        imported(staff, 7, address="sale/other")


def test_import_recognizes_a_recorded_request(staff: Shop) -> None:
    """A message whose name was truncated is recognized by the recorded request that it belongs to."""
    staff.sms_by.script("sendBulkSms", ok({"uuid": UUID, "success": "OK"}))
    staff.apply()
    staff.mailing("recipients: ['375291111111'], text: Open")
    text = (staff.root / "sale.yaml").read_text().replace("name: staff", "name: other")
    staff.write("sale.yaml", text)
    list_messages(staff, row(7, "sale/"))
    status_of(staff, (7, "sale/"))
    with pytest.raises(Refused, match="already recorded for sale/staff"):
        imported(staff, 7, address="sale/other")


def test_import_reports_differences_from_the_files(staff: Shop) -> None:
    """Another number of recipients, sender or time is reported, and recorded nevertheless."""
    list_messages(staff, row(7, count_phones=3, alphaname="Kvetka"))
    assert imported(staff, 7) == [
        "count_phones: intended 2, sms.by reports 3",
        "alphaname: intended MyShop, sms.by reports Kvetka",
    ]
    assert staff.chunk().recipients == 2


def test_import_reports_the_name_of_another_mailing(staff: Shop) -> None:
    """The name of a message with other content is reported; this mailing's name under a former address is not."""
    (own,) = planned_names(staff)
    other = "sale/former shop#0123456789"
    chunk = staff.plan().actions[0].chunks[0]
    former = f"sale/former shop#{fingerprint('shop', 'sale/former', 1, 0, chunk.digest)}"
    for name, expected in ((other, [f"name: intended {own}, sms.by reports {other}"]), (former, [])):
        list_messages(staff, row(7, name))
        assert imported(staff, 7) == expected
        staff.store.path.unlink()


def test_one_imported_message_covers_all_chunks(staff: Shop) -> None:
    """One message for a mailing of several chunks counts for all recipients, and completes the other chunks."""
    staff.write("smsby.yaml", "version: 1\nproject: shop\napi: {recipients_per_request: 2}\n")
    to(staff, *PHONES[:5])
    list_messages(staff, row(7, count_phones=5))
    assert imported(staff, 7) == []
    chunks = staff.lock().mailings["sale/staff"].chunks
    assert [(chunk.state, chunk.recipients) for chunk in chunks] == [
        (ChunkState.ACCEPTED, 5),
        (ChunkState.SUPPRESSED, 0),
        (ChunkState.SUPPRESSED, 0),
    ]


def test_import_records_counts_by_variant(staff: Shop) -> None:
    """An import records the recipients of each variant, as an apply does, so that `report` adds both."""
    variants = "[{name: a, share: 99, text: Hello}, {name: none, share: 1, send: false}]"
    staff.mailing(f"recipients: [{', '.join(PHONES[:2])}], variants: {variants}")
    list_messages(staff, row(7))
    imported(staff, 7)
    counts = staff.lock().mailings["sale/staff"].variants
    assert counts is not None
    assert (counts["a"].recipients, counts["none"].is_sent) == (2, False)


def test_import_needs_valid_files(staff: Shop) -> None:
    """Nothing is imported while the mailing has errors."""
    to(staff, "'12'")
    list_messages(staff, row(7))
    with pytest.raises(FilesInvalid):
        imported(staff, 7)
