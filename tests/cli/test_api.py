"""Raw calls with `smsby-deploy api`: any method, once, and the exit code for its answer."""

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
from tests.smsby.conftest import TOKEN, FakeServer, Reply


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
    "confirm": "1",
    "d_schedule": "2026-12-01 10:00",
}


def params_of(method: Method) -> dict[str, Any]:
    """Return parameters that the method accepts."""
    return {name: VALUES.get(name, "7") for name in method.required}


@pytest.fixture
def api(
    wire: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Api:
    """Run `smsby-deploy api …` in an empty directory, against the fake server."""
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
    sent = {key: value for place in asked.places.values() for key, value in place.items()}
    added = {"callback_url": ""} if method.name == "sendBulkSms" else {}
    assert sent == params_of(method) | {"token": TOKEN} | added


@pytest.mark.parametrize("method", [m for m in METHODS.values() if m.sends], ids=lambda m: str(m.name))
def test_api_needs_yes_for_a_send(wire: FakeServer, api: Api, method: Method) -> None:
    """Without --yes no request is made."""
    said = call_with_input(api, method)
    assert (said.code, said.out) == (64, "")
    assert "--yes" in said.err
    assert wire.asked == []


def test_api_confirm_0_needs_no_yes(wire: FakeServer, api: Api) -> None:
    """confirm=0 needs no --yes, since only confirm=1 spends money."""
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
    """A send with a lost answer is exit code 6, even by GET, and is not repeated."""
    wire.answers(reply, Reply(200, ANSWERS))
    said = call_with_input(api, method, "--yes")
    if method.only_prepares and reply.status == 500:
        assert said.code == 1  # it reaches no recipient, so its errors are answers
    else:
        assert said.code == 6
        assert "unknown whether it was sent" in said.err and "hint: it may have been sent" in said.err
    assert len(wire.asked) == 1


def test_api_send_that_is_too_early(wire: FakeServer, api: Api) -> None:
    """A 429 means that nothing was done, unless the answer names what was sent."""
    bulk = METHODS["sendBulkSms"]
    wire.answers(Reply(429, {"error": "Request limit exceeded"}), Reply(429, ANSWERS))
    busy, doubtful = (call_with_input(api, bulk, "--yes") for _ in range(2))
    assert (busy.code, doubtful.code) == (7, 6)
    assert "nothing was done" in busy.err and "unknown whether it was sent" in doubtful.err
    assert len(wire.asked) == 2


def test_api_interrupted_send_is_unknown(wire: FakeServer) -> None:
    """Ctrl-C between request and answer makes the outcome unknown."""
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
        (Reply(429, b"", {"Retry-After": "7"}), 7, "try again in 7 s"),
        (Reply(429, {"error": "Request limit exceeded"}), 7, "nothing was done"),
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
    """If sms.by cannot be reached the request was certainly not sent: exit code 7, not 6."""
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
        (b'{"sms_id": "5', "error: not valid JSON: Unterminated string\n"),
        (b"[1]", "expected a JSON object"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "not valid JSON"),
    ],
)
def test_api_refuses_input_that_is_not_an_object(
    wire: FakeServer, api: Api, content: bytes, words: str
) -> None:
    """An input that is not a JSON object is wrong usage."""
    Path("request.json").write_bytes(content)
    said = api("checkSMS", "--input", "request.json")
    assert said.code == 64
    assert words in said.err
    assert wire.asked == []


def test_api_key_value_overrides_the_input(
    wire: FakeServer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters on the command line override those of --input, which may be stdin."""
    text = "\ufeff" + json.dumps(
        {"message_id": 5, "limit_rows": 10, "limit_offset": 0}
    )  # as saved on Windows
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
    """An undocumented parameter is noted, since sms.by ignores it silently; a method may be in any case."""
    wire.answers(Reply(200, {"id": 7}))
    said = api("getAlphaNameId", name="MyShop", nmae="x")
    assert (said.code, wire.asked[0].path) == (0, "/api/v1/getAlphanameId")
    assert "note: getAlphanameId has no documented parameter 'nmae'" in said.err


def test_api_uses_the_body_format_of_the_project(wire: FakeServer, api: Api) -> None:
    """`api.body` in smsby.yaml decides how the body of a POST is written."""
    Path("smsby.yaml").write_text(f"version: 1\nproject: shop\napi: {{body: form, url: '{wire.url}'}}\n")
    wire.answers(Reply(200, []))
    assert call_with_input(api, METHODS["sendBulkSms"], "--yes").code == 6
    assert wire.asked[0].form["messages[0][delivery_list][0]"] == ["375291111111"]


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
