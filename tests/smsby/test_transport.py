"""The transport: where parameters and the token go, what a broken connection means, and the rate limit."""

from __future__ import annotations

import json
import logging
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.errors import SmsbyDeployError, TokenRefused
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.methods import METHODS, Method
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.parameters import CallStyle, Place
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.smsby.transport import ReadTransport
from tests.smsby.conftest import TOKEN, FakeClock, FakeServer, MakeSender, Reply, hang_up

ACCEPTED = Reply(200, {"uuid": "cc9c8043", "success": "OK"})
MESSAGE = {"name": "n", "alphaname_id": "7", "delivery_list": ["375291111111", "375292222222"]}


def _send(sender: SendClient, *messages: Mapping[str, Any]) -> Outcome:
    """Make a request and send it in its turn, like an apply."""
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
def test_send_transport_sends_once(
    wire: FakeServer, sender: SendClient, reply: Reply, kind: OutcomeKind
) -> None:
    """Whatever the answer there is one request, without a retry or a redirect."""
    wire.answers(reply, ACCEPTED)
    assert _send(sender, MESSAGE).kind is kind
    assert len(wire.asked) == 1


def test_send_transport_timeout_is_unknown(wire: FakeServer, make_sender: MakeSender) -> None:
    """If the answer never arrives the outcome is unknown."""
    wire.answers(Reply(break_off="silence"))
    outcome = _send(make_sender(timeout=0.2), MESSAGE)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "https://127.0.0.1:1", "app.sms.by", "ftp://app.sms.by", "http://", "http://[::1"],
)
def test_send_transport_without_connection_is_not_sent(make_sender: MakeSender, url: str) -> None:
    """Without a connection nothing was sent, even with an invalid URL."""
    assert _send(make_sender(url=url), MESSAGE).kind is OutcomeKind.NOT_SENT


def test_send_transport_refuses_broken_text(make_sender: MakeSender) -> None:
    """A text that cannot be encoded is not sent."""
    for body in ("json", "form"):
        outcome = make_sender(body=body).prepare_sms_list(
            name="n", message="\ud800", d_schedule="2026-12-01 10:00", list_id=1, alphaname_id=0
        )()
        assert outcome.kind is OutcomeKind.NOT_SENT


@pytest.fixture
def hanging_proxy(wire: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A proxy that reads a request and hangs up, and what it read."""
    with hang_up(65536) as (port, taken):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        yield taken


def test_send_transport_proxy_that_hangs_up_is_unknown(
    hanging_proxy: list[bytes], make_sender: MakeSender
) -> None:
    """A proxy that hangs up makes the outcome unknown, though urllib3 raises ProxyError as for an unreachable one."""
    outcome = _send(make_sender(url="http://sms.example"), MESSAGE)
    assert hanging_proxy[0].startswith(b"POST http://sms.example/api/v1/sendBulkSms")
    assert outcome.kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "http://анна:пароль@127.0.0.1:1"])
def test_send_transport_unreachable_proxy_is_not_sent(
    make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """An unreachable proxy, or one whose password fits into no header, means that nothing was sent."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    assert _send(make_sender(url="http://sms.example"), MESSAGE).kind is OutcomeKind.NOT_SENT


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_unreachable_proxy_is_named(
    make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """An unreachable proxy is named without its address, which may contain a password."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{scheme}_proxy", "http://anna:secret@127.0.0.1:1")
    outcome = _send(make_sender(url=f"{scheme}://sms.example"), MESSAGE)
    assert outcome.kind is OutcomeKind.NOT_SENT
    assert outcome.error == f"cannot reach sms.by at {scheme}://sms.example through the proxy"


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
    wire: FakeServer, sender: SendClient, header: str, seconds: float | None
) -> None:
    """Retry-After is seconds or a date (at 07:00:00 on 1 December), and an unreadable one is ignored."""
    wire.answers(Reply(429, b"", {"Retry-After": header}))
    assert _send(sender, MESSAGE).retry_after == seconds


def test_json_body_contains_parameters_and_token(wire: FakeServer, sender: SendClient) -> None:
    """A JSON body has the token as one of the parameters."""
    wire.answers(ACCEPTED)
    _send(sender, MESSAGE | {"text": "Привет"})
    (asked,) = wire.asked
    assert (asked.verb, asked.path, asked.query) == ("POST", "/api/v1/sendBulkSms", {})
    assert asked.headers["content-type"] == "application/json"
    assert asked.json == {"callback_url": "", "messages": [MESSAGE | {"text": "Привет"}], "token": TOKEN}


def test_json_requests_have_bodies_of_their_own(wire: FakeServer, sender: SendClient) -> None:
    """Requests that are prepared together differ only in their body and its length."""
    texts = ("Привет", "Привет, Анна", "")
    wire.answers(*[ACCEPTED] * len(texts))
    prepared = [sender.prepare_bulk_sms([json.dumps(MESSAGE | {"text": text}).encode()]) for text in texts]
    for leave in prepared:
        sender._transport.pace.wait_turn()
        assert leave().kind is OutcomeKind.ACCEPTED
    assert [asked.json["messages"][0]["text"] for asked in wire.asked] == list(texts)


def test_form_body_has_php_brackets(wire: FakeServer, make_sender: MakeSender) -> None:
    """A form has lists as PHP reads them."""
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
def test_request_has_each_parameter_in_its_place(
    wire: FakeServer, make_sender: MakeSender, method: Method, body: str
) -> None:
    """Each parameter and the token are in their places and nowhere else, even next to a parameter named token."""
    wire.answers(Reply(200, {"status": "OK"}))
    params = {one.name: f"v-{one.name}" for one in method.parameters}
    make_sender(body=body)._transport.send(method, {"token": "mine", **params})
    (asked,) = wire.asked
    expected: dict[str, dict[str, str]] = {"query": {}, "form": {}, "json": {}}
    for name, value in (*params.items(), ("token", TOKEN)):
        place = method.place_of(name)
        expected[body if place is Place.BODY else place][name] = value
    assert (asked.verb, asked.path, asked.places) == (method.verb, method.path, expected)
    assert asked.headers["accept"] == "application/json"
    assert TOKEN not in str(asked.headers)


@pytest.mark.parametrize("style", CallStyle)
def test_request_follows_what_the_account_was_seen_to_read(
    wire: FakeServer, make_sender: MakeSender, style: CallStyle
) -> None:
    """Parameters follow the style that the account was seen to read, for that method alone."""
    wire.answers(*[Reply(200, {"sms_id": 1})] * 2)
    sender = make_sender(call_styles={"sendQuickSMS": style})
    params = {"message": "hi", "phone": "375291111111", "alphaname_id": 0, "forwarding_message": 1}
    sender._transport.send(METHODS["sendQuickSMS"], {**params, "forwarding_time": 5})
    sender.send_otp("sendOtpTelegram", code="1234", phone="375291111111")
    moved, other = wire.asked
    assert moved.verb == style.verb
    assert {place for place, params in moved.places.items() if params} == {str(style.place)}
    assert set(moved.places[style.place]) == {
        "message", "phone", "alphaname_id", "forwarding_message", "forwarding_time", "token"
    }  # fmt: skip
    assert (other.verb, set(other.places["query"])) == ("POST", {"message", "phone", "token"})


def test_refused_post_after_an_accepted_get_doubts_the_place(
    wire: FakeServer, make_sender: MakeSender
) -> None:
    """If a POST refuses a token that a GET accepted, the error says that its place may be wrong, for sends as well."""
    refusal = Reply(403, {"error": "token is invalid"})
    sender = make_sender()
    wire.answers(refusal)
    with pytest.raises(TokenRefused) as alone:
        sender.status_bulk_sms("u")
    assert (alone.value.message, alone.value.hint) == (
        "sms.by refuses the token: token is invalid",
        "check the token: it is in SMSBY_TOKEN, or in the variable that `token_env` of this environment names",
    )
    wire.answers(Reply(200, {"balance": 5}), refusal, Reply(401, b""), refusal, refusal)
    sender.get_balance()
    for _ in range(2):
        with pytest.raises(TokenRefused, match="in a POST, but accepts it in a GET") as caught:
            sender.status_bulk_sms("u")
        assert "in another place than sms.by documents" in caught.value.hint
    outcome = sender.send_otp("sendOtpTelegram", code="1234", phone="375291111111")
    assert outcome.kind is OutcomeKind.TOKEN_REFUSED
    assert "in another place than sms.by documents" in str(outcome.explanation)
    with pytest.raises(TokenRefused, match="refuses the token: "):
        sender.get_balance()


def test_transport_ignores_netrc(
    wire: FakeServer, sender: SendClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A password in netrc is not sent to sms.by."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _send(sender, MESSAGE)
    assert "authorization" not in wire.asked[0].headers


def test_transport_ignores_cookies(wire: FakeServer, sender: SendClient) -> None:
    """Requests share no cookies."""
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
def test_transport_hides_the_token_everywhere(
    wire: FakeServer,
    make_sender: MakeSender,
    reader: ReadClient,
    reply: Reply,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The token is hidden in errors, reprs and urllib3's log, even if sms.by repeats it."""
    caplog.set_level(logging.DEBUG)
    sender = make_sender()
    wire.answers(*[reply] * 5)
    outcome = _send(sender, MESSAGE)
    with pytest.raises(SmsbyDeployError) as caught:
        reader.get_balance()
    seen = [repr(outcome), repr(sender), repr(sender._transport), repr(vars(sender))]
    seen += [str(caught.value), repr(caught.value), caught.value.hint, caplog.text]
    assert ("getBalance?<hidden>" in caplog.text) is not bool(reply.break_off)
    assert TOKEN not in " ".join(seen)


def test_transport_names_a_url_without_its_secrets(make_sender: MakeSender) -> None:
    """An unreachable URL is named without user, password and path."""
    outcome = _send(make_sender(url="http://me:pass@127.0.0.1:1/x?token=abc"), MESSAGE)
    assert outcome.error == "cannot reach sms.by at http://127.0.0.1:1"


def test_send_transport_uses_a_new_connection(wire: FakeServer, sender: SendClient) -> None:
    """Each send uses a new connection, since a stale pooled one would make its outcome unknown."""
    wire.answers(Reply(200, {"balance": 1}), Reply(200, {"balance": 1}), ACCEPTED, Reply(200, {"sms_id": 1}))
    sender.get_balance()
    sender.get_balance()
    _send(sender, MESSAGE)
    sender.prepare_sms(1, "375291111111")()
    first, second, bulk, single = (asked.connection for asked in wire.asked)
    assert first == second
    assert len({first, bulk, single}) == 3


def test_pace_spaces_requests_evenly(wire: FakeServer, make_sender: MakeSender, clock: FakeClock) -> None:
    """At 4 requests a second, each waits a quarter of a second after the previous one."""
    sender = make_sender(requests_per_second=4)
    wire.answers(Reply(200, {"balance": 1}), ACCEPTED, Reply(200, {"balance": 1}), Reply(200, {"balance": 1}))
    sender.get_balance()
    _send(sender, MESSAGE)
    clock.seconds += 0.1
    sender.get_balance()
    clock.seconds += 9
    sender.get_balance()
    assert clock.slept == pytest.approx([0.25, 0.15])


def test_pace_halves_after_429_and_recovers(
    wire: FakeServer, make_sender: MakeSender, clock: FakeClock
) -> None:
    """After a 429 the rate is halved, down to an eighth, and later recovers."""
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


def test_read_transport_refuses_what_sends(wire: FakeServer, clock: FakeClock) -> None:
    """The read transport refuses methods that send or change something, before any request."""
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


def test_untrusted_certificate_means_not_sent(
    wire: FakeServer, make_sender: MakeSender, certificate: Path
) -> None:
    """An untrusted certificate fails the handshake, so the request was certainly not sent."""
    outcome = _send(make_sender(), MESSAGE)
    assert outcome.kind is OutcomeKind.NOT_SENT
    assert outcome.error == f"the certificate of {wire.url} is not trusted: self-signed certificate"
    assert wire.asked == []


def test_connections_share_one_ssl_context(
    wire: FakeServer, make_sender: MakeSender, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections share an SSL context, since loading the CA certificates takes 40 ms per send."""
    loaded: list[Any] = []
    load = ssl.SSLContext.load_verify_locations

    def count_loads(context: ssl.SSLContext, *files: Any, **named: Any) -> None:
        loaded.append(named)
        load(context, *files, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", count_loads, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    sender = make_sender()
    wire.answers(*[Reply(body={"uuid": f"u-{number}"}) for number in range(3)], Reply(body={"balance": "1"}))
    for _ in range(3):
        assert _send(sender, MESSAGE).kind is OutcomeKind.ACCEPTED
    sender.get_balance()
    assert len({asked.connection for asked in wire.asked}) == 4
    assert loaded == [{"cafile": str(certificate)}]


def test_certificates_of_a_folder_are_trusted(
    wire: FakeServer, make_sender: MakeSender, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate in a folder is trusted by the hash of its subject, as OpenSSL looks for it."""
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(certificate)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (certificate.parent / f"{name}.0").write_bytes(certificate.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.parent))
    wire.answers(Reply(body={"uuid": "u-1"}))
    assert _send(make_sender(), MESSAGE).kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_unreadable_certificates_mean_not_sent(
    make_sender: MakeSender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    bundle = tmp_path / "company.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    outcome = _send(make_sender(url="https://127.0.0.1:1"), MESSAGE)
    assert outcome.kind is OutcomeKind.NOT_SENT
    assert outcome.error is not None and "company.pem" in outcome.error


def test_https_proxy_is_checked_with_the_same_context(
    make_sender: MakeSender, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificates of REQUESTS_CA_BUNDLE apply to an https proxy, as with requests."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    transport = make_sender(url="https://sms.example")._transport
    manager: Any = transport._adapter.proxy_manager_for("https://proxy.example")
    assert manager.proxy_config.ssl_context is transport._ssl_context
