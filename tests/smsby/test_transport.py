"""The wire: where parameters and the token travel, what a broken connection means, pacing."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.smsby.client import ReadClient, SendClient
from smsby_deploy.smsby.methods import METHODS
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.transport import ReadTransport
from tests.smsby.conftest import TOKEN, FakeClock, MakeSender, Reply, SendGate

ACCEPTED = Reply(200, {"uuid": "cc9c8043", "success": "OK"})
MESSAGE = {"name": "n", "alphaname_id": "7", "delivery_list": ["375291111111", "375292222222"]}


def _send(sender: SendClient, *messages: Mapping[str, Any]) -> Outcome:
    """As an apply does: made, then sent in its turn."""
    leave = sender.prepare_bulk_sms(json.dumps(message).encode() for message in messages)
    sender._transport.pace.wait_turn()
    return leave()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (ACCEPTED, OutcomeKind.ACCEPTED),
        (Reply(200, {"uuid": "cc9c8043"}, {"Content-Type": "text/html"}), OutcomeKind.ACCEPTED),
        (Reply(200, b'\xef\xbb\xbf{"uuid": "cc9c8043"}'), OutcomeKind.ACCEPTED),
        (Reply(429, b"", {"Retry-After": "7"}), OutcomeKind.NOT_SENT),
        (Reply(400, {"error": "incorrect arguments"}), OutcomeKind.REJECTED),
        (Reply(200, {"error": "incorrect arguments"}), OutcomeKind.REJECTED),
        (Reply(403, {"error": "token is invalid"}), OutcomeKind.TOKEN_REFUSED),
        (Reply(break_off="reset"), OutcomeKind.UNKNOWN),
        (Reply(break_off="close"), OutcomeKind.UNKNOWN),
        (Reply(200, {"uuid": "cc9c8043"}, break_off="truncated"), OutcomeKind.UNKNOWN),
        (Reply(200, b'{"uuid": "cc9c80'), OutcomeKind.UNKNOWN),
        (Reply(200, b""), OutcomeKind.UNKNOWN),
        (Reply(200, b"null"), OutcomeKind.UNKNOWN),
        (Reply(200, b"<html>welcome</html>"), OutcomeKind.UNKNOWN),
        (Reply(200, b"[" * 100_000), OutcomeKind.UNKNOWN),
        (Reply(200, b'{"uuid": "\xcf\xf0\xe8"}'), OutcomeKind.UNKNOWN),
        (Reply(502, b"<html>502 Bad Gateway</html>"), OutcomeKind.UNKNOWN),
        (Reply(500, {"error": "Server is not available"}), OutcomeKind.UNKNOWN),
        (Reply(302, b"", {"Location": "/api/v1/sendBulkSms"}), OutcomeKind.UNKNOWN),
        (Reply(307, b"", {"Location": "/api/v1/sendBulkSms"}), OutcomeKind.UNKNOWN),
        (Reply(308, b"", {"Location": "/api/v1/sendBulkSms"}), OutcomeKind.UNKNOWN),
    ],
)
def test_a_send_goes_out_once_and_its_answer_is_judged(
    wire: SendGate, sender: SendClient, reply: Reply, kind: OutcomeKind
) -> None:
    """Whatever comes back, the request is made once: no retry, no redirect is followed."""
    wire.answers(reply, ACCEPTED)
    assert _send(sender, MESSAGE).kind is kind
    assert len(wire.asked) == 1


def test_a_send_whose_answer_never_comes_is_unknown(wire: SendGate, make_sender: MakeSender) -> None:
    wire.answers(Reply(break_off="silence"))
    outcome = _send(make_sender(timeout=0.2), MESSAGE)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "https://127.0.0.1:1", "app.sms.by", "ftp://app.sms.by", "http://", "http://[::1"],
)
def test_what_never_connected_was_not_sent(make_sender: MakeSender, url: str) -> None:
    """Also an address that makes no sense."""
    assert _send(make_sender(url=url), MESSAGE).kind is OutcomeKind.NOT_SENT


def test_a_text_that_can_not_be_written_is_not_sent(make_sender: MakeSender) -> None:
    for body in ("json", "form"):
        outcome = make_sender(body=body).prepare_sms_list(
            name="n", message="\ud800", d_schedule="2026-12-01 10:00", list_id=1, alphaname_id=0
        )()
        assert outcome.kind is OutcomeKind.NOT_SENT


@pytest.fixture
def hanging_proxy(wire: SendGate, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A proxy that takes a request and hangs up; what it took."""
    taken: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                taken.append(connection.recv(65536))

    threading.Thread(target=serve, daemon=True).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield taken
    server.close()


def test_a_proxy_that_took_the_request_and_hung_up_leaves_it_unknown(
    hanging_proxy: list[bytes], make_sender: MakeSender
) -> None:
    """urllib3 calls this a ProxyError, as it does an unreachable proxy; only the latter is "not sent"."""
    outcome = _send(make_sender(url="http://sms.example"), MESSAGE)
    assert hanging_proxy[0].startswith(b"POST http://sms.example/api/v1/sendBulkSms")
    assert outcome.kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "http://анна:пароль@127.0.0.1:1"])
def test_a_proxy_that_can_not_be_reached_was_given_nothing(
    make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Nor one whose password can't be written into a header."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    assert _send(make_sender(url="http://sms.example"), MESSAGE).kind is OutcomeKind.NOT_SENT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Tue, 01 Dec 2026 07:00:30 GMT", 30.0),
        ("Tue, 01 Dec 2026 06:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("1e9", None),
        ("Tue, 01 Dec 2026 07:00:30 -0000", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    wire: SendGate, sender: SendClient, header: str, seconds: float | None
) -> None:
    """The clock is at 07:00:00 on 1 December; what can't be read says nothing."""
    wire.answers(Reply(429, b"", {"Retry-After": header}))
    assert _send(sender, MESSAGE).retry_after == seconds


def test_a_json_body_holds_the_parameters_and_the_token(wire: SendGate, sender: SendClient) -> None:
    wire.answers(ACCEPTED)
    _send(sender, MESSAGE | {"text": "Привет"})
    (asked,) = wire.asked
    assert (asked.verb, asked.path, asked.query) == ("POST", "/api/v1/sendBulkSms", {})
    assert asked.headers["content-type"] == "application/json"
    assert asked.json == {"callback_url": "", "messages": [MESSAGE | {"text": "Привет"}], "token": TOKEN}


def test_a_form_body_writes_lists_in_php_brackets(wire: SendGate, make_sender: MakeSender) -> None:
    wire.answers(ACCEPTED)
    personal = {"name": "n&m", "delivery_list": [{"phone": "375291111111", "text": "a=б"}], "on": True}
    _send(make_sender(body="form"), MESSAGE, personal)
    (asked,) = wire.asked
    assert asked.query == {}
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form == {
        "callback_url": [""],
        "messages[0][name]": ["n"],
        "messages[0][alphaname_id]": ["7"],
        "messages[0][delivery_list][0]": ["375291111111"],
        "messages[0][delivery_list][1]": ["375292222222"],
        "messages[1][name]": ["n&m"],
        "messages[1][delivery_list][0][phone]": ["375291111111"],
        "messages[1][delivery_list][0][text]": ["a=б"],
        "messages[1][on]": ["1"],
        "token": [TOKEN],
    }


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("body", ["json", "form"])
def test_the_token_is_never_in_the_url_of_a_post(
    wire: SendGate, make_sender: MakeSender, method: Any, body: str
) -> None:
    """Of any method; and a parameter called token does not replace it."""
    wire.answers(Reply(200, {"status": "OK"}))
    make_sender(body=body)._transport.send(method, {"token": "mine", "message": "1"})
    (asked,) = wire.asked
    assert asked.path == method.path
    if asked.verb == "POST":
        assert asked.query == {}
        assert TOKEN.encode() in asked.body and b"mine" not in asked.body
    else:
        assert asked.query["token"] == [TOKEN]
        assert asked.body == b""
    assert TOKEN not in str(asked.headers)


def test_nothing_from_netrc_goes_along(
    wire: SendGate, sender: SendClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _send(sender, MESSAGE)
    assert "authorization" not in wire.asked[0].headers


def test_no_cookie_goes_along(wire: SendGate, sender: SendClient) -> None:
    """Neither back with a question nor with what is sent: requests share nothing but the token."""
    cookie = {"Set-Cookie": "PHPSESSID=1; Path=/"}
    wire.answers(*(Reply(200, {"balance": "1", "currency": "BYN", "uuid": "u"}, cookie) for _ in range(4)))
    sender.get_balance()
    _send(sender, MESSAGE)
    sender.get_balance()
    _send(sender, MESSAGE)
    assert len(wire.asked) == 4
    assert all("cookie" not in asked.headers for asked in wire.asked)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, {"error": f"no account has {TOKEN}"}),
        Reply(403, {"error": f"token is invalid: {TOKEN}"}),
        Reply(500, {"error": f"{TOKEN}?"}),
        Reply(302, b"", {"Location": f"/?token={TOKEN}"}),
        Reply(200, TOKEN.encode()),
        Reply(break_off="reset"),
    ],
)
def test_the_token_is_in_no_error_repr_or_log(
    wire: SendGate,
    make_sender: MakeSender,
    reader: ReadClient,
    reply: Reply,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even when sms.by echoes it, and not in urllib3's log of the URLs it asked."""
    caplog.set_level(logging.DEBUG)
    sender = make_sender()
    wire.answers(*[reply] * 5)
    outcome = _send(sender, MESSAGE)
    with pytest.raises(SmsbyDeployError) as caught:
        reader.get_balance()
    seen = [repr(outcome), repr(sender), repr(sender._transport), repr(vars(sender))]
    seen += [str(caught.value), repr(caught.value), caught.value.hint, caplog.text]
    assert ("getBalance?token=<hidden>" in caplog.text) is not bool(reply.break_off)
    assert TOKEN not in " ".join(seen)


def test_an_unreachable_address_is_named_without_its_secrets(make_sender: MakeSender) -> None:
    outcome = _send(make_sender(url="http://me:pass@127.0.0.1:1/x?token=abc"), MESSAGE)
    assert outcome.error == "cannot reach sms.by at http://127.0.0.1:1"


def test_a_send_has_a_connection_of_its_own(wire: SendGate, sender: SendClient) -> None:
    """A pooled connection that went stale would make the outcome unknown."""
    wire.answers(Reply(200, {"limit": 1}), Reply(200, {"limit": 1}), ACCEPTED, Reply(200, {"sms_id": 1}))
    sender.get_limit()
    sender.get_limit()
    _send(sender, MESSAGE)
    sender.prepare_sms(1, "375291111111")()
    first, second, bulk, single = (asked.connection for asked in wire.asked)
    assert first == second
    assert len({first, bulk, single}) == 3


def test_requests_keep_the_pace(wire: SendGate, make_sender: MakeSender, clock: FakeClock) -> None:
    """At 4 a second each waits until a quarter of one has passed since the one before; questions and sends alike."""
    sender = make_sender(requests_per_second=4)
    wire.answers(Reply(200, {"limit": 1}), ACCEPTED, Reply(200, {"limit": 1}), Reply(200, {"limit": 1}))
    sender.get_limit()
    _send(sender, MESSAGE)
    clock.seconds += 0.1
    sender.get_limit()
    clock.seconds += 9
    sender.get_limit()
    assert clock.slept == pytest.approx([0.25, 0.15])


def test_a_429_halves_the_pace_and_it_comes_back_slowly(
    wire: SendGate, make_sender: MakeSender, clock: FakeClock
) -> None:
    """Never beyond an eighth, and at last it is what it was."""
    sender = make_sender(requests_per_second=4)
    many = Reply(429, b"", {"Retry-After": "0"})
    wire.answers(*[many] * 5, *[ACCEPTED] * 25)
    for _ in range(30):
        _send(sender, MESSAGE)
    slowest, later = clock.slept[:5], clock.slept[5:]
    assert slowest == pytest.approx([0.5, 1, 2, 2, 2])
    assert later[:2] == pytest.approx([1.8, 1.62])
    assert sorted(later, reverse=True) == later
    assert later[-1] == pytest.approx(0.25)


def test_a_read_transport_refuses_what_sends_or_changes(wire: SendGate, clock: FakeClock) -> None:
    """The refusal comes before the wire."""
    transport = ReadTransport(wire.url, TOKEN, timeout=5, requests_per_second=1e6, body="json", clock=clock)
    refused = []
    for method in METHODS.values():
        try:
            transport.ask(method, {"confirm": 1})
        except PermissionError:
            refused.append(method.name)
    assert refused == [
        "sendBulkSms",
        "sendQuickSMS",
        "sendOtpTelegram",
        "sendOtpWhatsApp",
        "createSmsMessage",
        "sendSMS",
        "sendSmsList",
        "confirmSendMessageByList",
        "createSubscriberList",
        "importContacts",
    ]
    assert not {asked.path.rsplit("/", 1)[-1] for asked in wire.asked} & set(refused)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_is_not_trusted_ends_before_anything_is_sent(
    wire: SendGate, make_sender: MakeSender, tmp_path: Path
) -> None:
    """The handshake fails, so the request surely did not leave."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=127.0.0.1",
    ]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    wire.speak_tls(context)
    outcome = _send(make_sender(url=wire.url.replace("http:", "https:")), MESSAGE)
    assert outcome.kind is OutcomeKind.NOT_SENT
    assert wire.asked == []
