"""Connections that are opened before the request that needs them, and carry that one request only.

Over https three round trips pass before an answer: two of them open the connection. So it is opened while the request
waits. A connection that cannot be opened has sent nothing, whatever the reason, and no request has an intent then.
"""

from __future__ import annotations

import queue
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import requests
from urllib3.exceptions import ProxyError
from urllib3.util.proxy import connection_requires_http_tunnel

from smsby_deploy.clock import Clock
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.smsby.answer_limits import BoundedAdapter

# Seconds. Servers and proxies close connections that carry nothing, the strictest after five.
OLDEST = 2.0
AHEAD = 1.0  # seconds: a connection is opened at most so long before its turn


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
        """Whether it was opened already, so that only the request remains to be sent."""
        return self._sock is not None

    def is_usable(self, now: float) -> bool:
        """Whether it is young, and nothing arrived on it: neither bytes nor its end."""
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
        self._opening = 0  # those that will be ready
        self._round = 0  # what was being opened when this changed is closed
        self._busy = 0
        self._threads = 0
        self._jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.on_change: Callable[[], None] = lambda: None  # called on another thread: one is ready, or failed

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
        """Discard what waits, and let the threads end."""
        self.discard()
        with self._mutex:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = 0

    def _start(self) -> bool:
        """Let a thread open one connection; return False if the system allows no more threads."""
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
    # As a new one, not out of the pool, where arriving session tickets would be taken for its end.
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
