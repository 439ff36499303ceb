"""Connections that are opened ahead of their request: fresh, silent, and used once.

The reason of a failed one is shown without anything that a proxy says.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from urllib3.exceptions import MaxRetryError, ProxyError, SSLError

from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.smsby.connections import (
    NETWORK_HINT,
    OLDEST,
    FreshConnection,
    FreshConnections,
    explain_not_connected,
    never_connected,
    shown_place,
)
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.send_client import SendClient
from tests.smsby.conftest import FakeClock, FakeServer, MakeSender, Reply, hang_up

_PLACE = "https://app.sms.by"


def _gave_up(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


def _refused(message: str) -> requests.ConnectionError:
    cause = ssl.SSLCertVerificationError(message)
    cause.verify_message = message
    error = _gave_up(SSLError(cause))
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (None, "cannot reach sms.by at https://app.sms.by", NETWORK_HINT),
        (requests.ConnectTimeout(), "cannot reach sms.by at https://app.sms.by", NETWORK_HINT),
        (
            _gave_up(ProxyError("x", OSError("Tunnel connection failed: 407 call 375291234567"))),
            "cannot reach sms.by at https://app.sms.by through the proxy (the proxy answered 407)",
            "put the user name and password of the proxy into HTTPS_PROXY",
        ),
        (
            _gave_up(ProxyError("x", OSError("Tunnel connection failed: 403 Forbidden"))),
            "cannot reach sms.by at https://app.sms.by through the proxy (the proxy answered 403)",
            "check HTTPS_PROXY",
        ),
        (
            requests.exceptions.InvalidProxyURL("http://bob:secret@proxy:port"),
            "cannot reach sms.by at https://app.sms.by: the URL of the proxy is not valid",
            "check HTTPS_PROXY",
        ),
        (
            _refused("certificate is not valid for 'app.sms.by'."),
            "the certificate of https://app.sms.by is not trusted: certificate is not valid for 'app.sms.by'",
            "check the URL and this machine's clock",
        ),
    ],
)
def test_explain_not_connected(error: Exception | None, message: str, hint: str) -> None:
    """A known reason for a failed connection is named with its own hint, and the request was not sent."""
    said, advice = explain_not_connected(error, _PLACE)
    assert (said, advice.startswith(hint)) == (message, True)
    assert error is None or never_connected(error)


def test_explain_not_connected_to_a_sandbox() -> None:
    """For a sandbox that does not run, which is the first error of many new users, the hint says how to start it."""
    _, advice = explain_not_connected(None, "http://127.0.0.1:8025/api/v1/getBalance")
    assert advice.startswith("start the sandbox with `smsby-deploy sandbox`")


def test_never_connected_is_not_sure_of_a_proxy_that_hung_up() -> None:
    """If a proxy hung up it may have passed on the request, so the failure does not count as never connected."""
    assert not never_connected(_gave_up(ProxyError("x", ConnectionResetError("reset"))))


MESSAGE = json.dumps({"name": "n", "alphaname_id": "7", "delivery_list": ["375291111111"]}).encode()


@pytest.fixture
def secure(certificate: Path, make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch) -> SendClient:
    """A client of a TLS server that it trusts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    return make_sender()


def _take(connections: FreshConnections) -> FreshConnection | SmsbyUnavailable:
    """Take a connection like the dispatcher: again whenever something changed."""
    changed = threading.Event()
    connections.on_change = changed.set
    while (taken := connections.take()) is None:
        assert changed.wait(10)
        changed.clear()
    return taken


def _send(client: SendClient, connection: FreshConnection | None = None) -> Outcome:
    return client.prepare_bulk_sms([MESSAGE])(connection)


def _opened(connections: FreshConnections) -> FreshConnection:
    taken = _take(connections)
    assert isinstance(taken, FreshConnection)
    return taken


def test_request_is_sent_on_the_connection_that_waited(wire: FakeServer, secure: SendClient) -> None:
    """Each open connection carries one request, and a TLS session ticket after the handshake does not end it."""
    wire.answers(*[Reply(200, {"uuid": f"u-{number}"}) for number in range(2)])
    secure.connections.keep(1)
    waited = [_opened(secure.connections) for _ in range(2)]
    for connection in waited:
        while not connection._sock.session.has_ticket:
            assert select.select([connection._sock], [], [], 10)[0]
            assert connection.is_usable(0.0)  # this reads what has arrived
        assert connection.is_usable(0.0)
    ports = [connection._sock.getsockname()[1] for connection in waited]
    assert [_send(secure, connection).kind for connection in waited] == [OutcomeKind.ACCEPTED] * 2
    assert [asked.connection for asked in wire.asked] == ports


def test_no_connection_waits_without_tls(sender: SendClient, wire: FakeServer) -> None:
    """Without TLS no connection is opened ahead, so that nothing else can have been sent on it."""
    sender.connections.keep(5)
    wire.answers(Reply(200, {"uuid": "u"}))
    connection = _opened(sender.connections)
    assert connection._sock is None
    assert _send(sender, connection).kind is OutcomeKind.ACCEPTED


@pytest.fixture
def pair() -> Iterator[tuple[FreshConnection, socket.socket]]:
    """A connection that was opened at second 0, and its other end."""
    near, far = socket.socketpair()
    near.settimeout(5)

    class Adapter:
        def close(self) -> None:
            near.close()

    yield FreshConnection(Adapter(), near, 0.0), far  # type: ignore[arg-type]
    near.close()
    far.close()


@pytest.mark.parametrize(
    ("happens", "is_usable"),
    [
        (lambda far: None, True),
        (lambda far: far.close(), False),
        (lambda far: far.shutdown(socket.SHUT_WR), False),
        (lambda far: far.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n"), False),
    ],
)
def test_connection_is_usable_while_nothing_arrived(
    pair: tuple[FreshConnection, socket.socket], happens: Callable[[socket.socket], None], is_usable: bool
) -> None:
    """A connection is not used after anything arrived: a server that gives up closes it, or says so first."""
    connection, far = pair
    happens(far)
    assert connection.is_usable(OLDEST) is is_usable
    assert connection._sock.gettimeout() == 5 or not is_usable


def test_old_connection_is_not_usable(pair: tuple[FreshConnection, socket.socket]) -> None:
    """An old connection is not used, since its end may be in transit."""
    assert not pair[0].is_usable(OLDEST + 0.01)


def test_old_connections_are_replaced(wire: FakeServer, secure: SendClient, clock: FakeClock) -> None:
    """After a pause a fresh connection replaces the old one and alone carries the request."""
    first = _opened(secure.connections)
    clock.seconds += OLDEST + 1
    secure.connections._ready.append(first)
    wire.answers(Reply(200, {"uuid": "u"}))
    second = _opened(secure.connections)
    port = second._sock.getsockname()[1]
    assert _send(secure, second).kind is OutcomeKind.ACCEPTED
    assert [asked.connection for asked in wire.asked] == [port]


@pytest.fixture
def hangs_up() -> Iterator[str]:
    """The URL of a server that ends every connection during the TLS handshake."""
    with hang_up(1) as (port, _):
        yield f"https://127.0.0.1:{port}"


def test_unfinished_handshake_means_not_sent(hangs_up: str, make_sender: MakeSender) -> None:
    """After an unfinished handshake the request was certainly not sent, as no byte of it can be read before."""
    client = make_sender(url=hangs_up)
    assert _send(client).kind is OutcomeKind.NOT_SENT
    assert isinstance(_take(client.connections), SmsbyUnavailable)


@pytest.mark.parametrize("status", [403, 407])
def test_tunnel_that_is_refused_means_not_sent(
    make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """If a proxy refuses CONNECT its answer is named, and the request, which it never saw, was not sent."""
    taken: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def serve() -> None:
            connection, _ = proxy.accept()
            with connection:
                taken.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)

        threading.Thread(target=serve, daemon=True).start()
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        outcome = _send(make_sender(url="https://sms.example"))
    assert outcome.kind is OutcomeKind.NOT_SENT
    assert outcome.error == (
        f"cannot reach sms.by at https://sms.example through the proxy (the proxy answered {status})"
    )
    assert taken[0].startswith(b"CONNECT sms.example:443 ")


def test_failure_on_an_open_connection_is_unknown(
    secure: SendClient, wire: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure on an open connection is unknown, even if it looks like one that was never made."""
    secure.connections.keep(1)
    connection = _opened(secure.connections)

    def fail(*arguments: object, **options: object) -> None:
        raise requests.exceptions.ConnectTimeout("timed out")

    monkeypatch.setattr(connection.adapter, "send", fail)
    assert _send(secure, connection).kind is OutcomeKind.UNKNOWN


def test_tunnel_that_breaks_after_the_request_is_unknown(
    wire: FakeServer, secure: SendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tunnel that breaks after the request is unknown, though urllib3 reports the same error before a connection."""
    reached = urlsplit(wire.url)
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def serve() -> None:
            client, _ = proxy.accept()
            with client, socket.create_connection((str(reached.hostname), reached.port or 0)) as server:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                sides = {client: server, server: client}
                while data := (side := select.select([*sides], [], [])[0][0]).recv(65536):
                    if wire.asked:
                        break
                    sides[side].sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        wire.answers(Reply(200, {"uuid": "u"}))
        outcome = _send(secure)
    assert len(wire.asked) == 1
    assert outcome.kind is OutcomeKind.UNKNOWN


class _Opener:
    """Opens connections when the test allows it."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.started = 0
        self.closed = 0
        self.error: SmsbyUnavailable | None = None

    def __call__(self) -> FreshConnection:
        self.started += 1
        assert self.gate.acquire(timeout=10)
        if self.error is not None:
            raise self.error
        return FreshConnection(self)  # type: ignore[arg-type]

    def close(self) -> None:
        self.closed += 1


def test_fresh_connections_opens_no_more_than_the_pace_uses() -> None:
    """Only as many connections are opened as the rate limit can use soon, not as many as requested."""
    opener = _Opener()
    connections = FreshConnections(opener, lambda: 3, FakeClock())
    for _ in range(2):
        connections.keep(128)
    opener.gate.release(3)
    assert [isinstance(_take(connections), FreshConnection) for _ in range(3)] == [True] * 3
    assert opener.started == 3


def test_fresh_connections_reports_a_failure_once() -> None:
    """After a failure nothing is opened until it was reported, since a pause follows."""
    opener = _Opener()
    opener.error = SmsbyUnavailable("cannot reach sms.by")
    connections = FreshConnections(opener, lambda: 1, FakeClock())
    failed = threading.Event()
    connections.on_change = failed.set
    connections.keep(1)
    opener.gate.release()
    assert failed.wait(10)
    connections.keep(1)
    assert opener.started == 1
    assert _take(connections) is opener.error
    opener.error = None
    opener.gate.release()
    assert isinstance(_take(connections), FreshConnection)


def test_fresh_connections_closes_what_is_discarded() -> None:
    """Discarding closes all connections, even one that is being opened."""
    opener = _Opener()
    connections = FreshConnections(opener, lambda: 2, FakeClock())
    opened = threading.Semaphore(0)
    connections.on_change = opened.release
    connections.keep(2)
    opener.gate.release()
    assert opened.acquire(timeout=10)
    connections.discard()
    opener.gate.release()
    assert opened.acquire(timeout=10)
    assert opener.closed == 2
    opener.gate.release()
    assert isinstance(_take(connections), FreshConnection)
    assert opener.closed == 2


def test_fresh_connections_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system allows no thread, it is an error instead of an endless wait."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    connections = FreshConnections(_Opener(), lambda: 1, FakeClock())
    connections.keep(1)
    assert isinstance(connections.take(), SmsbyUnavailable)


@pytest.mark.parametrize(
    ("url", "place"),
    [("http://[::1]:8025/x", "http://[::1]:8025"), ("https://user:key@app.sms.by/api", "https://app.sms.by"),
     ("http://[::1", "the configured URL")],
)  # fmt: skip
def test_shown_place_is_scheme_host_and_port(url: str, place: str) -> None:
    """A place is scheme, host and port, with the brackets of an IPv6 address, and without user, password or path."""
    assert shown_place(url) == place
