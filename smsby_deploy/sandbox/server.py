"""The sandbox as a server on loopback."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler

from smsby_deploy.clock import Clock, SystemClock
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.app import create_app
from smsby_deploy.sandbox.callbacks import send_callbacks
from smsby_deploy.sandbox.clock import MovableClock
from smsby_deploy.sandbox.service import Service
from smsby_deploy.sandbox.settings import SandboxSettings
from smsby_deploy.sandbox.store import Store

_LINGER = struct.calcsize("ii")


def make_service(settings: SandboxSettings, data: Path | None = None, clock: Clock | None = None) -> Service:
    """An account with what is kept in `data` (None: nothing). Raises SmsbyDeployError if that can't be read."""
    store = Store(data, settings.balance)
    offset = float(store.read("clock_offset") or 0)
    return Service(Account(store, settings, MovableClock(clock or SystemClock(), offset)))


def serve(service: Service, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until the process ends; port 0 takes a free one. `on_ready` hears the URL once it can be called.

    Raises:
        SmsbyDeployError: the address can't be listened on.
    """
    server = _bind(service, host, port)
    with _calling_back(service):
        on_ready(_url(server))
        server.serve_forever()


@contextmanager
def serving(service: Service, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a thread while the block runs; gives the URL."""
    server = _bind(service, host, port)
    # The poll is how long the end of the block may have to wait.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="sms.by sandbox", daemon=True)
    thread.start()
    try:
        with _calling_back(service):
            yield _url(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _calling_back(service: Service) -> Iterator[None]:
    ended = threading.Event()
    threading.Thread(target=send_callbacks, args=(service, ended), name="callbacks", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


class _Handler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: the log of calls is at /_sandbox/requests."""

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        """Wait for no further request on it."""
        self.close_connection = True


class _Server(ThreadedWSGIServer):
    def shutdown_request(self, request: Any) -> None:
        """End a connection; one that is to be reset must not be told goodbye first."""
        try:
            linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        except OSError:
            linger = bytes(_LINGER)
        if struct.unpack("ii", linger)[0]:
            self.close_request(request)
        else:
            super().shutdown_request(request)


def _bind(service: Service, host: str, port: int) -> BaseWSGIServer:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # Bound here, not by werkzeug, which would print and exit when the port is taken.
        with socket.create_server((host, port), family=family) as listener:
            return _Server(host, port, create_app(service), _Handler, fd=listener.fileno())
    except OSError as error:
        raise SmsbyDeployError(
            f"{host}:{port} can't be listened on: {error.strerror}",
            hint="choose another --port, 0 takes a free one",
        ) from error


def _url(server: BaseWSGIServer) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"http://{host}:{server.socket.getsockname()[1]}"
