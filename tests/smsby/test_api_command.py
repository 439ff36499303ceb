"""`smsby-deploy api`: any method, once, and the exit code that its answer means."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.smsby.methods import METHODS, Method
from tests.smsby.conftest import TOKEN, Reply, SendGate


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
    wire: SendGate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Api:
    """Runs `smsby-deploy api …` in an empty folder, against the wire."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMSBY_API_URL", wire.url)
    monkeypatch.setenv("SMSBY_TOKEN", TOKEN)

    def call(*arguments: str, **params: Any) -> Said:
        given = [f"{key}={value}" for key, value in params.items()]
        code = run(["api", *arguments, *given])
        told = capsys.readouterr()
        assert TOKEN not in told.out + told.err
        return Said(code, told.out, told.err)

    return call


def call_with_input(api: Api, method: Method, *arguments: str) -> Said:
    Path("request.json").write_text(json.dumps(params_of(method)), encoding="utf-8")
    return api(method.name, "--input", "request.json", *arguments)


ANSWERS = {"uuid": "cc9c8043", "message_id": 5, "sms_id": 6, "status": "OK", "name": "Анна"}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_is_called_as_documented_and_its_answer_printed(
    wire: SendGate, api: Api, method: Method
) -> None:
    wire.answers(Reply(200, ANSWERS))
    said = call_with_input(api, method, "--yes")
    assert (said.code, json.loads(said.out), said.err) == (0, ANSWERS, "")
    assert "Анна" in said.out
    (asked,) = wire.asked
    assert (asked.verb, asked.path) == (method.verb, method.path)
    if method.verb == "POST":
        assert asked.json == params_of(method) | {"token": TOKEN}


@pytest.mark.parametrize("method", [m for m in METHODS.values() if m.sends], ids=lambda m: str(m.name))
def test_a_send_needs_yes(wire: SendGate, api: Api, method: Method) -> None:
    """Without it nothing is called."""
    said = call_with_input(api, method)
    assert (said.code, said.out) == (64, "")
    assert "--yes" in said.err
    assert wire.asked == []


def test_confirm_0_only_asks(wire: SendGate, api: Api) -> None:
    """confirm=1 spends money, confirm=0 tells what it would."""
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
def test_the_lost_answer_of_a_send_is_unknown(wire: SendGate, api: Api, method: Method, reply: Reply) -> None:
    """Exit 6, for GETs that send too, and nothing is retried."""
    wire.answers(reply, Reply(200, ANSWERS))
    said = call_with_input(api, method, "--yes")
    if method.only_prepares and reply.status == 500:
        assert said.code == 1  # a message that reaches nobody by itself: its errors are answers
    else:
        assert said.code == 6
        assert "unknown whether it was sent" in said.err and "hint: it may have been sent" in said.err
    assert len(wire.asked) == 1


def test_an_interrupted_send_is_unknown(wire: SendGate) -> None:
    """Ctrl-C after the request left, before its answer."""
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
    _, told = process.communicate(timeout=30)
    assert process.returncode == 6, told
    assert "interrupted" in told and "Traceback" not in told


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_an_error_of_the_api_is_told_on_stderr(wire: SendGate, api: Api, method: Method, status: int) -> None:
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
def test_a_question_is_asked_once_and_its_failure_told(
    wire: SendGate, api: Api, reply: Reply, code: int, words: str
) -> None:
    wire.answers(reply)
    said = api("getBalance")
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert len(wire.asked) == 1


@pytest.mark.parametrize("reply", [Reply(406, {"error": "Content not found"}), Reply(200, b"")])
def test_nothing_yet_is_an_empty_list(wire: SendGate, api: Api, reply: Reply) -> None:
    wire.answers(reply)
    said = api("getSMSMessages")
    assert (said.code, json.loads(said.out)) == (0, [])


@pytest.mark.parametrize("name", ["sendQuickSMS", "getBalance", "createSubscriberList"])
def test_sms_by_out_of_reach(api: Api, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Surely not sent, so exit 7 and not 6."""
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
def test_wrong_usage_calls_nothing(wire: SendGate, api: Api, arguments: list[str], words: list[str]) -> None:
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
def test_an_input_that_is_no_object_is_refused(wire: SendGate, api: Api, content: bytes, words: str) -> None:
    Path("request.json").write_bytes(content)
    said = api("checkSMS", "--input", "request.json")
    assert said.code == 64
    assert words in said.err
    assert wire.asked == []


def test_key_value_wins_over_the_input_and_stdin_is_one(
    wire: SendGate, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_any_case_of_a_method_will_do_and_an_odd_parameter_is_noted(wire: SendGate, api: Api) -> None:
    """sms.by ignores a misspelt parameter without a word."""
    wire.answers(Reply(200, {"id": 7}))
    said = api("getAlphaNameId", name="MyShop", nmae="x")
    assert (said.code, wire.asked[0].path) == (0, "/api/v1/getAlphanameId")
    assert "note: getAlphanameId has no documented parameter 'nmae'" in said.err


def test_a_project_says_how_bodies_are_written(wire: SendGate, api: Api) -> None:
    Path("smsby.yaml").write_text(f"version: 1\nproject: shop\napi: {{body: form, url: '{wire.url}'}}\n")
    wire.answers(Reply(200, []))
    assert api("statusBulkSms", uuid="cc9c8043").code == 0
    assert wire.asked[0].form == {"uuid": ["cc9c8043"], "token": [TOKEN]}


def test_an_echoed_token_is_hidden(wire: SendGate, api: Api) -> None:
    wire.answers(Reply(200, {"you_sent": TOKEN}))
    assert "<hidden>" in api("getBalance").out


def test_no_token_no_call(wire: SendGate, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMSBY_TOKEN")
    said = api("getBalance")
    assert said.code == 7
    assert "SMSBY_TOKEN" in said.err
    assert wire.asked == []
