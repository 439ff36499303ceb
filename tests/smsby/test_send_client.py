"""The client that sends: each method once, as documented, and what it refuses before the request."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from smsby_deploy.errors import UsageError
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.methods import METHODS, Effect
from smsby_deploy.smsby.outcome import OutcomeKind
from smsby_deploy.smsby.parsers import read_receipt
from smsby_deploy.smsby.send_client import SendClient
from tests.smsby.conftest import TOKEN, FakeServer, MakeSender, Reply

_SENDS: dict[str, tuple[Callable[[SendClient], Any], dict[str, Any], dict[str, Any]]] = {
    "sendQuickSMS": (
        lambda client: client.send_quick_sms(
            message="hi",
            phone="375291111111",
            alphaname_id=0,
        ),
        {"message": "hi", "phone": "375291111111", "alphaname_id": 0, "show_cost": 1},
        {"sms_id": 2197871, "status": "NEW", "parts": 1},
    ),
    "sendOtpTelegram": (
        lambda client: client.send_otp("sendOtpTelegram", code="0042", phone="375291111111"),
        {"message": "0042", "phone": "375291111111"},
        {"sms_id": 2197871},
    ),
    "sendOtpWhatsApp": (
        lambda client: client.send_otp("sendOtpWhatsApp", code="1" * 16, phone="375291111111"),
        {"message": "1" * 16, "phone": "375291111111"},
        {"sms_id": 2197871},
    ),
    "createSmsMessage": (
        lambda client: client.create_sms_message("hi", alphaname_id=7, name="n", time="2026-12-01 10:00"),
        {"message": "hi", "alphaname_id": 7, "name": "n", "time": "2026-12-01 10:00"},
        {"status": "ok", "message_id": 2604834},
    ),
    "sendSMS": (
        lambda client: client.prepare_sms(5, "375291111111")(),
        {"message_id": 5, "phone": "375291111111"},
        {"sms_id": 2204968, "status": "NEW"},
    ),
    "sendSmsList": (
        lambda client: client.prepare_sms_list(
            name="n", message="hi", d_schedule="2026-12-01 10:00", list_id=3434, alphaname_id=0
        )(),
        {"name": "n", "message": "hi", "d_schedule": "2026-12-01 10:00", "list_id": 3434, "alphaname_id": 0},
        {"status": "OK", "result": {"message_id": 5}},
    ),
    "confirmSendMessageByList": (
        lambda client: client.prepare_confirm(5)(),
        {"message_id": 5, "confirm": 1},
        {"status": "OK"},
    ),
}


@pytest.mark.parametrize("name", _SENDS)
def test_send_client_sends_as_documented_and_once(wire: FakeServer, sender: SendClient, name: str) -> None:
    """A send is accepted by its proof, and a lost answer is unknown and not repeated, even by GET."""
    call, params, answer = _SENDS[name]
    wire.answers(Reply(200, answer), Reply(break_off="reset"), Reply(500), Reply(200, {"error": "no"}))
    assert [call(sender).kind for _ in range(4)] == [
        OutcomeKind.ACCEPTED,
        OutcomeKind.UNKNOWN,
        OutcomeKind.UNKNOWN,
        OutcomeKind.REJECTED,
    ]
    assert len(wire.asked) == 4
    asked = wire.asked[0]
    assert (asked.verb, asked.path) == (METHODS[name].verb, METHODS[name].path)
    sent = {key: value for place in asked.places.values() for key, value in place.items()}
    del sent["token"]
    assert sent == (params if name == "sendBulkSms" else {key: str(value) for key, value in params.items()})


@pytest.mark.parametrize(
    ("data", "cost"),
    [
        ({"sms_id": "5", "status": "NEW", "parts": "2"}, None),
        ({"sms_id": 5, "status": "NEW", "parts": 2, "cost": "0.05200"}, Decimal("0.052")),
        ([{"sms_id": 5, "status": "NEW", "parts": 2, "info": {"cost": 0.052}}], Decimal("0.052")),
        ({"sms_id": 5, "status": "NEW", "parts": 2, "cost": "n/a"}, None),
    ],
)
def test_read_receipt_finds_the_cost(
    wire: FakeServer, sender: SendClient, data: Any, cost: Decimal | None
) -> None:
    """The undocumented cost of show_cost is read at any depth, and never guessed."""
    wire.answers(Reply(200, data))
    outcome = sender.send_quick_sms(message="hi", phone="375291111111", alphaname_id=0)
    receipt = read_receipt(outcome.raw)
    assert (receipt.sms_id, receipt.parts, receipt.cost) == (5, 2, cost)


def test_create_sms_message_reports_a_duplicate(wire: FakeServer, sender: SendClient) -> None:
    """A rejection as a duplicate has the id of the existing message."""
    wire.answers(Reply(500, {"error": "The same message exists with ID=3", "message_id": 3}))
    outcome = sender.create_sms_message("hi", alphaname_id=0)
    assert (outcome.kind, outcome.message_id) == (OutcomeKind.REJECTED, 3)


@pytest.mark.parametrize("code", ["", "12a4", "1" * 17, "１２", "12 34"])
def test_send_otp_refuses_other_codes(wire: FakeServer, sender: SendClient, code: str) -> None:
    """A code other than 1 to 16 digits is refused without a request."""
    for method in ("sendOtpTelegram", "sendOtpWhatsApp"):
        with pytest.raises(UsageError):
            sender.send_otp(method, code=code, phone="375291111111")
    assert wire.asked == []


@pytest.mark.parametrize(
    ("data", "recipients", "parts", "cost", "status"),
    [
        ({"status": "OK", "result": {"count_phones": 25, "parts": "25", "cost": "0.65000", "status": "DRAFT"}},
         25, 25, Decimal("0.65"), "DRAFT"),
        ([{"status": "OK", "data": {"count": "25", "status": "draft"}}], 25, None, None, "draft"),
        ({"status": "OK", "result": {"info": {"count": 25}, "price": {"cost": 0.65}}},
         25, None, Decimal("0.65"), None),
        ({"status": "OK"}, None, None, None, None),
        ([], None, None, None, None),
    ],
)  # fmt: skip
def test_confirm_info_reads_values_at_any_depth(
    wire: FakeServer,
    sender: SendClient,
    data: Any,
    recipients: int | None,
    parts: int | None,
    cost: Decimal | None,
    status: str | None,
) -> None:
    """Values of confirm=0 are read at any depth, a missing one is None, and the query is repeated if it is lost."""
    wire.answers(Reply(break_off="close"), Reply(200, data))
    info = sender.confirm_info(5)
    assert (info.recipients, info.parts, info.cost, info.status) == (recipients, parts, cost, status)
    assert [asked.form["confirm"] for asked in wire.asked] == [["0"], ["0"]]


def test_contact_list_is_created_and_filled(wire: FakeServer, make_sender: MakeSender) -> None:
    """The list has an id, and the import reports its counts."""
    sender = make_sender(body="form")
    log = [{"index": "1", "error_message": "wrong phone"}]
    wire.answers(
        Reply(200, {"status": "OK", "result": {"list_id": 3434}}),
        Reply(200, {"status": "OK", "result": {"inserted": 1, "updated": "2", "invalid": 1, "log": log}}),
    )
    number = sender.prepare_create_subscriber_list("Newsletter")().raw
    rows = [["375291111111", "Анна"], ["1", "x"]]
    report = sender.prepare_import_contacts(number, ["phone", "name"], rows)().raw
    assert (number, report.inserted, report.updated, report.invalid) == (3434, 1, 2, 1)
    assert report.log == ((1, "wrong phone"),)
    form = wire.asked[1].form
    assert (form["field_names[1]"], form["data[0][1]"]) == (["name"], ["Анна"])
    assert (wire.asked[1].query["list_id"], wire.asked[1].query["token"]) == (["3434"], [TOKEN])
    assert wire.asked[0].path == "/api/v2/createSubscriberList"


def test_contact_list_changes_are_made_once(wire: FakeServer, make_sender: MakeSender) -> None:
    """A change of a list that was certainly not made is distinguished from one that may have been."""

    def outcome(**options: Any) -> OutcomeKind:
        return make_sender(**options).prepare_create_subscriber_list("Newsletter")().kind

    wire.answers(Reply(break_off="reset"))
    assert outcome() is OutcomeKind.UNKNOWN
    assert outcome(url="http://127.0.0.1:1") is OutcomeKind.NOT_SENT
    wire.answers(Reply(200, {"status": "OK"}), Reply(400, {"error": "limit exceeded"}))
    assert [outcome(), outcome()] == [OutcomeKind.UNKNOWN, OutcomeKind.REJECTED]
    assert len(wire.asked) == 3


def test_import_contacts_without_counts_is_lost(wire: FakeServer, make_sender: MakeSender) -> None:
    """HTTP 200 without counts proves nothing, as the contacts may not be in the list."""
    wire.answers(Reply(200, {"status": "OK"}), Reply(429, {}, headers={"Retry-After": "7"}))
    lost, busy = (make_sender().prepare_import_contacts(1, ["phone"], [["375291111111"]])() for _ in range(2))
    assert (lost.kind, lost.retry_after) == (OutcomeKind.UNKNOWN, None)
    assert (busy.kind, busy.retry_after) == (OutcomeKind.UNKNOWN, 7)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": "no such list"}), OutcomeKind.REJECTED),
        (Reply(403, {"error": "token is invalid"}), OutcomeKind.TOKEN_REFUSED),
        (Reply(502, b"<html>Bad Gateway</html>"), OutcomeKind.UNKNOWN),
        (Reply(break_off="reset"), OutcomeKind.UNKNOWN),
    ],
)
def test_import_contacts_has_an_outcome(
    wire: FakeServer, sender: SendClient, reply: Reply, kind: OutcomeKind
) -> None:
    """A rejected import is not repeated, and any other may be."""
    wire.answers(reply)
    assert sender.prepare_import_contacts(1, ["phone"], [["375291111111"]])().kind is kind


def test_lost_change_of_a_list_says_what_sms_by_said(wire: FakeServer, make_sender: MakeSender) -> None:
    """The error of a lost change has the words of the answer."""
    said = {"status": "error", "message": "The given data was invalid."}
    wire.answers(Reply(200, said), Reply(200, said))
    error = make_sender().prepare_create_subscriber_list("Newsletter")().error or ""
    assert error.endswith("contains no list_id: The given data was invalid.")
    error = make_sender().prepare_import_contacts(1, ["phone"], [["375291111111"]])().error or ""
    assert error.endswith("contains no counts: The given data was invalid.")


@pytest.mark.parametrize(
    ("fields", "rows"),
    [(["name"], 1), (["phone"], 501), (["phone", *[f"f{i}" for i in range(31)]], 1), (["phone"], 0)],
)
def test_import_contacts_refuses_too_much(
    wire: FakeServer, sender: SendClient, fields: list[str], rows: int
) -> None:
    """More contacts or fields than documented are refused without a request."""
    with pytest.raises(UsageError, match="importContacts"):
        sender.prepare_import_contacts(1, fields, [["375291111111"]] * rows)
    assert wire.asked == []


def _public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}


def test_send_client_has_all_other_methods() -> None:
    """The send client has every method of sms.by that sends or changes something."""
    names = {name.replace("prepare_", "send_") for name in _public(SendClient) - _public(ReadClient)}
    more = {re.sub("^send(?=import|create)", "", name.replace("_", "")) for name in names}
    others = {name.lower() for name, method in METHODS.items() if method.effect is not Effect.ASKS}
    pace = {"taketurn", "secondsuntilturn"}
    grouped = {"confirmsendmessagebylist", "sendotptelegram", "sendotpwhatsapp"}
    assert more == (others - grouped) | {"sendconfirm", "confirminfo", "sendotp"} | pace
