"""Connections that are opened before the request that needs them; each carries one send.

Over https, three round trips pass before an answer, and two of them open the connection. So it is opened while the
request waits. A connection that cannot be opened has sent nothing, whatever the reason, and its request has no intent
yet. The error says why it could not be opened.
"""

from __future__ import annotations

import queue
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError
from urllib3.util.proxy import connection_requires_http_tunnel

from smsby_deploy.clock import Clock
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.smsby.answer_limits import BoundedAdapter

# Seconds. Servers and proxies close connections that carry nothing, the strictest after five.
OLDEST = 2.0
AHEAD = 1.0  # seconds: a connection is opened at most this long before its turn
NETWORK_HINT = "check api.url (or SMSBY_API_URL) and the network, then try again"
_SANDBOX_HINT = (
    "start the sandbox with `smsby-deploy sandbox`, or check api.url (or SMSBY_API_URL), then try again"
)
_PROXY_HINT = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY, then try again"
_LOGIN_HINT = "put the user name and password of the proxy into HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, then try again"
_CERTIFICATE_HINT = (
    "check the URL and this machine's clock; if a proxy of your network replaces certificates, name the file with its CA "
    "certificate in REQUESTS_CA_BUNDLE"
)
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})\b")
_Error = TypeVar("_Error", bound=BaseException)
_NOT_SENT = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    UnicodeEncodeError,  # a proxy's password, before anything is written
)


class FreshConnection:
    """A connection that has carried no request.

    `sock` is None if it is opened only when its request is sent.
    """

    def __init__(self, adapter: BoundedAdapter, sock: Any = None, opened_at: float = float("inf")) -> None:
        self.adapter = adapter
        self._sock = sock
        self._opened_at = opened_at

    @property
    def is_open(self) -> bool:
        """Whether it is open already, so that only the request remains to be sent."""
        return self._sock is not None

    def is_usable(self, now: float) -> bool:
        """Whether it is recent and silent: neither data nor its end has arrived."""
        return self._sock is None or (now - self._opened_at <= OLDEST and _is_silent(self._sock))

    def close(self) -> None:
        self.adapter.close()


class FreshConnections:
    """The connections of one client that wait for their request; safe to share between threads.

    Args:
        connect: opens a connection; raises SmsbyUnavailable.
        most: returns how many may wait. If none may, `take` calls `connect`, and that returns at once.
    """

    def __init__(self, connect: Callable[[], FreshConnection], most: Callable[[], int], clock: Clock) -> None:
        self._connect = connect
        self._most = most
        self._clock = clock
        self._mutex = threading.Lock()
        self._ready: deque[FreshConnection] = deque()
        self._failure: SmsbyUnavailable | None = None
        self._opening = 0  # connections that will be ready
        self._round = 0  # connections that were started in an earlier round are closed
        self._busy = 0
        self._threads = 0
        self._jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.on_change: Callable[[], None] = lambda: None  # on another thread: one is ready, or failed

    def keep(self, count: int) -> None:
        """Open connections until `count` are ready or being opened.

        After a failure nothing is opened until `take` has reported it.
        """
        with self._mutex:
            if self._failure is None:
                count = min(count, self._most())
                while len(self._ready) + self._opening < count and self._start():
                    pass

    def take(self) -> FreshConnection | SmsbyUnavailable | None:
        """Return a usable connection, or why none can be opened; None while one is being opened."""
        if not self._most():
            return self._connect()
        with self._mutex:
            while self._ready:
                connection = self._ready.popleft()
                if connection.is_usable(self._clock.monotonic()):
                    return connection
                connection.close()
            failure, self._failure = self._failure, None
            if self._opening or (failure is None and self._start()):
                return None
            return failure or SmsbyUnavailable("the system allows no more threads")

    def discard(self) -> None:
        """Close every connection that waits, and those that are being opened."""
        with self._mutex:
            for connection in self._ready:
                connection.close()
            self._ready.clear()
            self._round += 1
            self._opening = 0

    def close(self) -> None:
        """Discard all connections, and end the threads."""
        self.discard()
        with self._mutex:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = 0

    def _start(self) -> bool:
        """Have a thread open one connection; return False if the system allows no more threads."""
        if self._busy >= self._threads:
            try:
                threading.Thread(target=self._work, daemon=True).start()
            except RuntimeError:
                return False
            self._threads += 1
        self._busy += 1
        self._opening += 1
        self._jobs.put(self._round)
        return True

    def _work(self) -> None:
        while (started_in := self._jobs.get()) is not None:
            result = self._open()
            with self._mutex:
                self._busy -= 1
                is_current = started_in == self._round
                if is_current:
                    self._opening -= 1
                    if isinstance(result, FreshConnection):
                        self._ready.append(result)
                    self._failure = None if isinstance(result, FreshConnection) else result
            if not is_current and isinstance(result, FreshConnection):
                result.close()
            self.on_change()

    def _open(self) -> FreshConnection | SmsbyUnavailable:
        try:
            return self._connect()
        except SmsbyUnavailable as error:
            return error
        except Exception as error:  # noqa: BLE001 - nothing was sent, whatever broke
            return SmsbyUnavailable(f"{type(error).__name__} while connecting to sms.by")


def open_connection(adapter: BoundedAdapter, url: str, timeout: float, proxies: Mapping[str, str]) -> Any:
    """Connect to the host of `url`, up to the end of the TLS handshake, and return the socket.

    The only request that `adapter` may send then uses this connection.

    Raises:
        requests.RequestException, HTTPError, OSError: it cannot be opened.
    """
    request = requests.Request("GET", url).prepare()
    pool: Any = adapter.get_connection_with_tls_context(request, True, proxies=dict(proxies))
    adapter.cert_verify(pool, url, True, None)
    connection: Any = pool._new_conn()
    connection.timeout = timeout
    try:
        if pool.proxy and connection_requires_http_tunnel(pool.proxy, pool.proxy_config, pool.scheme):
            pool._prepare_proxy(connection)
        else:
            connection.connect()
    except Exception as error:
        is_of_proxy = pool.proxy is not None and not connection.has_connected_to_proxy
        connection.close()
        if is_of_proxy:
            raise requests.exceptions.ProxyError(ProxyError("cannot connect to the proxy", error)) from error
        raise
    # As a new one, not from the pool, which would mistake arriving session tickets for its end.
    adapter.opened = connection
    return connection.sock


def _is_silent(sock: Any) -> bool:
    """Whether `sock` is open and nothing arrived on it.

    Reading lets TLS handle its session tickets, which arrive after the handshake.
    """
    timeout = sock.gettimeout()
    with suppress(OSError, ValueError):
        sock.settimeout(0)
        try:
            sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            sock.settimeout(timeout)
            return True
    return False


def never_connected(error: BaseException) -> bool:
    """Return whether the request was certainly not sent."""
    if isinstance(error, _NOT_SENT):
        return True
    reason = _reason(error)
    # urllib3 also raises ProxyError when a proxy closes the connection after the request; its cause shows the difference.
    if isinstance(reason, ProxyError):
        reason = reason.original_error
        if isinstance(reason, OSError) and str(reason).startswith("Tunnel connection failed"):
            return True
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return True
    return _find_cause(error, ssl.SSLCertVerificationError) is not None


def _find_cause(error: BaseException, kind: type[_Error]) -> _Error | None:
    """Return the error of `kind` that led to `error`, or None."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__ or cause.__context__
    return cause


def explain_not_connected(error: BaseException | None, url: str) -> tuple[str, str]:
    """Return the message and the hint for a connection that was not made.

    A proxy or a certificate is named if `error` shows that it is the reason. Of the answer of a proxy, only the status is
    shown.
    """
    place = shown_place(url)
    reason = _reason(error)
    if isinstance(reason, ProxyError):
        status = _TUNNEL_STATUS.match(str(reason.original_error))
        hint = (
            _LOGIN_HINT
            if status and int(status[1]) == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
            else _PROXY_HINT
        )
        answered = f" (the proxy answered {status[1]})" if status else ""
        return f"cannot reach sms.by at {place} through the proxy{answered}", hint
    if isinstance(error, requests.exceptions.InvalidURL):  # the URL of sms.by was checked before
        return f"cannot reach sms.by at {place}: the URL of the proxy is not valid", _PROXY_HINT
    refused = None if error is None else _find_cause(error, ssl.SSLCertVerificationError)
    if refused is not None:
        return (
            f"the certificate of {place} is not trusted: {refused.verify_message.rstrip('.')}",
            _CERTIFICATE_HINT,
        )
    is_here = place.startswith(("http://127.0.0.1:", "http://localhost:"))
    return f"cannot reach sms.by at {place}", _SANDBOX_HINT if is_here else NETWORK_HINT


def shown_place(url: str) -> str:
    """Return the part of a URL that may be shown: without user, password and path."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "the configured URL"


def _reason(error: BaseException | None) -> object:
    """Return what made urllib3 give up."""
    reason = error.args[0] if error is not None and error.args else None
    return reason.reason if isinstance(reason, MaxRetryError) else reason
