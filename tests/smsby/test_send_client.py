"""The client that sends: each method once, as documented, and what it refuses before the request."""

from __future__ import annotations

import inspect
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.errors import SmsbyUnavailable, UsageError
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.methods import METHODS, Effect, Method
from smsby_deploy.smsby.outcome import OutcomeKind
from smsby_deploy.smsby.parsers import read_receipt
from smsby_deploy.smsby.response import (
    LimitExceeded,
)
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.smsby.transport import AnswerLost, NotConnected
from tests.smsby.conftest import TOKEN, FakeServer, MakeSender, Reply

_SENDS: dict[str, tuple[Callable[[SendClient], Any], dict[str, Any], dict[str, Any]]] = {
    "sendQuickSMS": (
        lambda client: client.send_quick_sms(
            message="hi",
            phone="375291111111",
            alphaname_id=0,
            show_cost=True,
            forwarding_minutes=5,
            vibername_id=3,
        ),
        {
            "message": "hi",
            "phone": "375291111111",
            "alphaname_id": 0,
            "show_cost": 1,
            "forwarding_message": 1,
            "forwarding_time": 5,
            "vibername_id": 3,
        },
        {"sms_id": 2197871, "status": "NEW", "parts": 1},
    ),
    "sendOtpTelegram": (
        lambda client: client.send_otp_telegram(code="0042", phone="375291111111"),
        {"message": "0042", "phone": "375291111111"},
        {"sms_id": 2197871},
    ),
    "sendOtpWhatsApp": (
        lambda client: client.send_otp_whatsapp(code="1" * 16, phone="375291111111"),
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
    """Accepted by its proof; a lost answer is unknown and is not repeated, also of a GET."""
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
    if asked.verb == "GET":
        del asked.query["token"]
        assert asked.query == {key: [str(value)] for key, value in params.items()}
    else:
        assert {key: value for key, value in asked.json.items() if key != "token"} == params


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
    """What show_cost adds is not documented: a cost is read at any depth and never guessed."""
    wire.answers(Reply(200, data))
    outcome = sender.send_quick_sms(message="hi", phone="375291111111", alphaname_id=0, show_cost=True)
    receipt = read_receipt(outcome.raw)
    assert outcome.sms_id == receipt.sms_id == 5
    assert (receipt.status, receipt.parts, receipt.cost) == ("NEW", 2, cost)


def test_create_sms_message_reports_a_duplicate(wire: FakeServer, sender: SendClient) -> None:
    """A rejection as a duplicate has the id of the existing message."""
    wire.answers(Reply(500, {"error": "The same message exists with ID=3", "message_id": 3}))
    outcome = sender.create_sms_message("hi", alphaname_id=0)
    assert (outcome.kind, outcome.message_id) == (OutcomeKind.REJECTED, 3)


@pytest.mark.parametrize("code", ["", "12a4", "1" * 17, "１２", "12 34"])
def test_send_otp_refuses_other_codes(wire: FakeServer, sender: SendClient, code: str) -> None:
    """A code that is not 1 to 16 digits is refused without a request."""
    for send in (sender.send_otp_telegram, sender.send_otp_whatsapp):
        with pytest.raises(UsageError):
            send(code=code, phone="375291111111")
    assert wire.asked == []


@pytest.mark.parametrize("minutes", [4, 61, 0])
def test_send_quick_sms_limits_forwarding_minutes(wire: FakeServer, sender: SendClient, minutes: int) -> None:
    """Forwarding needs 5 to 60 minutes; other values are refused without a request."""
    with pytest.raises(UsageError, match="5 to 60"):
        sender.send_quick_sms(message="hi", phone="375291111111", alphaname_id=0, forwarding_minutes=minutes)
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
    """A missing value is None. It is a question, so it is repeated if the answer is lost."""
    wire.answers(Reply(break_off="close"), Reply(200, data))
    info = sender.confirm_info(5)
    assert (info.recipients, info.parts, info.cost, info.status) == (recipients, parts, cost, status)
    assert [asked.json["confirm"] for asked in wire.asked] == [0, 0]


def test_contact_list_is_created_and_filled(wire: FakeServer, make_sender: MakeSender) -> None:
    """The list has an id, and the import reports its counts."""
    sender = make_sender(body="form")
    log = [{"index": "1", "error_message": "wrong phone"}]
    wire.answers(
        Reply(200, {"status": "OK", "result": {"list_id": 3434}}),
        Reply(200, {"status": "OK", "result": {"inserted": 1, "updated": "2", "invalid": 1, "log": log}}),
    )
    number = sender.create_subscriber_list("Newsletter")
    report = sender.import_contacts(number, ["phone", "name"], [["375291111111", "Анна"], ["1", "x"]])
    assert (number, report.inserted, report.updated, report.invalid) == (3434, 1, 2, 1)
    assert report.log == ((1, "wrong phone"),)
    form = wire.asked[1].form
    assert (form["field_names[1]"], form["data[0][1]"], form["list_id"]) == (["name"], ["Анна"], ["3434"])
    assert wire.asked[0].path == "/api/v2/createSubscriberList"


def test_contact_list_changes_are_made_once(wire: FakeServer, make_sender: MakeSender) -> None:
    """A change that was certainly not made is distinguished from one that perhaps was."""
    wire.answers(Reply(break_off="reset"))
    with pytest.raises(AnswerLost):
        make_sender().create_subscriber_list("Newsletter")
    with pytest.raises(NotConnected):
        make_sender(url="http://127.0.0.1:1").create_subscriber_list("Newsletter")
    wire.answers(Reply(200, {"status": "OK"}), Reply(400, {"error": "limit exceeded"}))
    for kind in (AnswerLost, LimitExceeded):
        with pytest.raises(kind):
            make_sender().create_subscriber_list("Newsletter")
    assert len(wire.asked) == 3


def test_import_contacts_without_counts_is_lost(wire: FakeServer, make_sender: MakeSender) -> None:
    """HTTP 200 alone proves nothing: the contacts may not be in the list."""
    wire.answers(Reply(200, {"status": "OK"}), Reply(429, {}, headers={"Retry-After": "7"}))
    with pytest.raises(AnswerLost):
        make_sender().import_contacts(1, ["phone"], [["375291111111"]])
    with pytest.raises(SmsbyUnavailable) as busy:
        make_sender().import_contacts(1, ["phone"], [["375291111111"]])
    assert busy.value.retry_after == 7


@pytest.mark.parametrize(
    ("fields", "rows"),
    [(["name"], 1), (["phone"], 501), (["phone", *[f"f{i}" for i in range(31)]], 1), (["phone"], 0)],
)
def test_import_contacts_refuses_too_much(
    wire: FakeServer, sender: SendClient, fields: list[str], rows: int
) -> None:
    """More than the documented limits is refused without a request."""
    with pytest.raises(UsageError, match="importContacts"):
        sender.import_contacts(1, fields, [["375291111111"]] * rows)
    assert wire.asked == []


def _public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}


def test_send_client_has_all_other_methods() -> None:
    """Every method of sms.by that sends or changes something has one."""
    names = {name.replace("prepare_", "send_") for name in _public(SendClient) - _public(ReadClient)}
    more = {name.replace("_", "") for name in names}
    others = {name.lower() for name, method in METHODS.items() if method.effect is not Effect.ASKS}
    pace = {"taketurn", "secondsuntilturn"}
    assert more == (others - {"confirmsendmessagebylist"}) | {"sendconfirm", "confirminfo"} | pace


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Api = Callable[..., Said]

VALUES: dict[str, Any] = {
    "messages": [{"name": "n", "delivery_list": ["375291111111"]}],
    "field_names": ["phone"],
    "data": [["375291111111"]],
    "message": "1234",
    "phone": "375291111111",
}


def params_of(method: Method) -> dict[str, Any]:
    """Parameters that the method takes."""
    return {name: VALUES.get(name, "7") for name in method.required}


@pytest.fixture
def api(
    wire: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Api:
    """Runs `smsby-deploy api …` in an empty directory, against the fake server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMSBY_API_URL", wire.url)
    monkeypatch.setenv("SMSBY_TOKEN", TOKEN)

    def call(*arguments: str, **params: Any) -> Said:
        given = [f"{key}={value}" for key, value in params.items()]
        code = run(["api", *arguments, *given])
        captured = capsys.readouterr()
        assert TOKEN not in captured.out + captured.err
        return Said(code, captured.out, captured.err)

    return call


def call_with_input(api: Api, method: Method, *arguments: str) -> Said:
    Path("request.json").write_text(json.dumps(params_of(method)), encoding="utf-8")
    return api(method.name, "--input", "request.json", *arguments)


ANSWERS = {"uuid": "cc9c8043", "message_id": 5, "sms_id": 6, "status": "OK", "name": "Анна"}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_api_calls_every_method_as_documented(wire: FakeServer, api: Api, method: Method) -> None:
    """The verb, the path and the parameters are those of the docs; the answer is printed as JSON."""
    wire.answers(Reply(200, ANSWERS))
    said = call_with_input(api, method, "--yes")
    assert (said.code, json.loads(said.out), said.err) == (0, ANSWERS, "")
    assert "Анна" in said.out
    (asked,) = wire.asked
    assert (asked.verb, asked.path) == (method.verb, method.path)
    if method.verb == "POST":
        assert asked.json == params_of(method) | {"token": TOKEN}


@pytest.mark.parametrize("method", [m for m in METHODS.values() if m.sends], ids=lambda m: str(m.name))
def test_api_needs_yes_for_a_send(wire: FakeServer, api: Api, method: Method) -> None:
    """Without --yes no request is made."""
    said = call_with_input(api, method)
    assert (said.code, said.out) == (64, "")
    assert "--yes" in said.err
    assert wire.asked == []


def test_api_confirm_0_needs_no_yes(wire: FakeServer, api: Api) -> None:
    """confirm=1 spends money; confirm=0 only reports what it would cost."""
    wire.answers(Reply(200, {"status": "OK", "result": {"status": "DRAFT"}}))
    assert api("confirmSendMessageByList", message_id=5, confirm=0).code == 0
    for confirm in ("1", "2", "00", "no"):
        assert api("confirmSendMessageByList", message_id=5, confirm=confirm).code == 64
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(break_off="reset"),
        Reply(break_off="close"),
        Reply(200, ANSWERS, break_off="truncated"),
        Reply(500, {"error": "Server is not available"}),
        Reply(502, b"<html>"),
        Reply(302, b"", {"Location": "/"}),
        Reply(404, b"<html>"),
        Reply(200, b""),
        Reply(200, {"odd": 1}),
    ],
)
@pytest.mark.parametrize("method", [m for m in METHODS.values() if m.sends], ids=lambda m: str(m.name))
def test_api_send_with_a_lost_answer_is_unknown(
    wire: FakeServer, api: Api, method: Method, reply: Reply
) -> None:
    """Exit code 6, also for a GET that sends, and no retry."""
    wire.answers(reply, Reply(200, ANSWERS))
    said = call_with_input(api, method, "--yes")
    if method.only_prepares and reply.status == 500:
        assert said.code == 1  # it reaches no recipient by itself, so its errors are answers
    else:
        assert said.code == 6
        assert "unknown whether it was sent" in said.err and "hint: it may have been sent" in said.err
    assert len(wire.asked) == 1


def test_api_interrupted_send_is_unknown(wire: FakeServer) -> None:
    """Ctrl-C after the request was sent and before its answer arrived."""
    wire.answers(Reply(break_off="silence"))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "smsby_deploy",
            "api",
            "sendSMS",
            "message_id=5",
            "phone=375291111111",
            "--yes",
        ],
        env={**os.environ, "SMSBY_API_URL": wire.url, "SMSBY_TOKEN": TOKEN},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wire.was_asked.wait(30)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 6, stderr
    assert "interrupted" in stderr and "Traceback" not in stderr


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_api_prints_an_error_to_stderr(wire: FakeServer, api: Api, method: Method, status: int) -> None:
    """An error of sms.by sets the exit code and is printed with a hint; stdout stays empty."""
    wire.answers(Reply(status, {"error": "incorrect arguments"}))
    said = call_with_input(api, method, "--yes")
    assert (said.code, said.out) == (1, "")
    assert f"{method.name}: incorrect arguments" in said.err
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply(403, {"error": "token is invalid"}), 7, "SMSBY_TOKEN"),
        (Reply(401, {"error": "Unauthenticated."}), 7, "SMSBY_TOKEN"),
        (Reply(500, {"error": "Server is not available"}), 1, "Server is not available"),
        (Reply(500, b""), 7, "HTTP 500"),
        (Reply(429, b"", {"Retry-After": "7"}), 1, "try again in 7 s"),
        (Reply(404, b""), 7, "HTTP 404"),
        (Reply(302, b""), 7, "HTTP 302"),
        (Reply(200, b"<html>"), 7, "no usable answer"),
        (Reply(break_off="reset"), 7, "lost"),
    ],
)
def test_api_asks_once_and_reports_a_failure(
    wire: FakeServer, api: Api, reply: Reply, code: int, words: str
) -> None:
    """A raw call is not repeated, whatever the answer."""
    wire.answers(reply)
    said = api("getBalance")
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert len(wire.asked) == 1


@pytest.mark.parametrize("reply", [Reply(406, {"error": "Content not found"}), Reply(200, b"")])
def test_api_prints_an_empty_list_for_nothing_yet(wire: FakeServer, api: Api, reply: Reply) -> None:
    """HTTP 406 and an empty body are an empty list and exit code 0."""
    wire.answers(reply)
    said = api("getSMSMessages")
    assert (said.code, json.loads(said.out)) == (0, [])


@pytest.mark.parametrize("name", ["sendQuickSMS", "getBalance", "createSubscriberList"])
def test_api_cannot_reach_sms_by(api: Api, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The request was certainly not sent, so the exit code is 7 and not 6."""
    monkeypatch.setenv("SMSBY_API_URL", "http://127.0.0.1:1")
    assert call_with_input(api, METHODS[name], "--yes").code == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["getBalanse"], ["unknown method", "did you mean getBalance?", "sendBulkSms", "importContacts"]),
        (["checkSMS"], ["missing parameter sms_id", "checkSMS takes sms_id"]),
        (["sendSMS", "--yes"], ["missing parameters message_id, phone"]),
        (["sendSMS", "message_id=5", "phone=", "--yes"], ["missing parameter phone"]),
        (["getMessagesList", "limit_offset=5"], ["limit_rows"]),
        (["getMessagesList", "limit_offset"], ["argument 1 is not of the form KEY=VALUE"]),
        (["checkSMS", "375291111111"], ["argument 1 is not of the form KEY=VALUE"]),
        (["checkSMS", "sms_id=1", "sms_id=2"], ["duplicate parameter sms_id"]),
        (["getBalance", "token=x"], ["SMSBY_TOKEN"]),
        (["sendOtpTelegram", "message=12a", "phone=375291111111", "--yes"], ["16 digits"]),
        (
            [
                "sendQuickSMS",
                "message=1",
                "phone=375291111111",
                "alphaname_id=0",
                "forwarding_time=3",
                "--yes",
            ],
            ["5 to 60"],
        ),
        (["getBalance", "--input", "nowhere.json"], ["nowhere.json"]),
        ([], ["METHOD"]),
    ],
)
def test_api_wrong_usage_makes_no_request(
    wire: FakeServer, api: Api, arguments: list[str], words: list[str]
) -> None:
    """The error says what is wrong with the arguments."""
    said = api(*arguments)
    assert (said.code, said.out) == (64, "")
    for word in words:
        assert word in said.err
    assert "375291111111" not in said.err
    assert wire.asked == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"sms_id": 5,\n  oops}', "request.json:2:3"),
        (b"[1]", "expected a JSON object"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "not valid JSON"),
    ],
)
def test_api_refuses_input_that_is_not_an_object(
    wire: FakeServer, api: Api, content: bytes, words: str
) -> None:
    """A file that is not a JSON object is wrong usage."""
    Path("request.json").write_bytes(content)
    said = api("checkSMS", "--input", "request.json")
    assert said.code == 64
    assert words in said.err
    assert wire.asked == []


def test_api_key_value_overrides_the_input(
    wire: FakeServer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters on the command line override those of --input, which may be stdin."""
    text = json.dumps({"message_id": 5, "limit_rows": 10, "limit_offset": 0})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
    wire.answers(Reply(200, {"result": []}))
    assert api("getSmsDeliveryList", "--input", "-", message_id=6).code == 0
    assert wire.asked[0].query == {
        "message_id": ["6"],
        "limit_rows": ["10"],
        "limit_offset": ["0"],
        "token": [TOKEN],
    }


def test_api_notes_an_undocumented_parameter(wire: FakeServer, api: Api) -> None:
    """sms.by silently ignores a misspelled parameter; a method may be written in any case."""
    wire.answers(Reply(200, {"id": 7}))
    said = api("getAlphaNameId", name="MyShop", nmae="x")
    assert (said.code, wire.asked[0].path) == (0, "/api/v1/getAlphanameId")
    assert "note: getAlphanameId has no documented parameter 'nmae'" in said.err


def test_api_uses_the_body_format_of_the_project(wire: FakeServer, api: Api) -> None:
    """`api.body` of smsby.yaml decides how the body of a POST is written."""
    Path("smsby.yaml").write_text(f"version: 1\nproject: shop\napi: {{body: form, url: '{wire.url}'}}\n")
    wire.answers(Reply(200, []))
    assert api("statusBulkSms", uuid="cc9c8043").code == 0
    assert wire.asked[0].form == {"uuid": ["cc9c8043"], "token": [TOKEN]}


def test_api_hides_an_echoed_token(wire: FakeServer, api: Api) -> None:
    """An answer that repeats the token is printed without it."""
    wire.answers(Reply(200, {"you_sent": TOKEN}))
    assert "<hidden>" in api("getBalance").out


def test_api_without_a_token_makes_no_request(
    wire: FakeServer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without SMSBY_TOKEN the exit code is 7."""
    monkeypatch.delenv("SMSBY_TOKEN")
    said = api("getBalance")
    assert said.code == 7
    assert "SMSBY_TOKEN" in said.err
    assert wire.asked == []
