"""The sandbox as an HTTP server.

sms.by is under /api, the control routes are under /_sandbox, the inbox page is at /.
When a request is finished, its callback_url is called if it is on this machine and one of the chosen ports.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.http import http_date
from werkzeug.local import LocalProxy
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler

from smsby_deploy.clock import Clock, SystemClock
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.sandbox.account import Account, MovableClock
from smsby_deploy.sandbox.faults import break_reply, send_reply
from smsby_deploy.sandbox.methods.bulk import status_bulk_sms
from smsby_deploy.sandbox.protocol import Reply, read_params
from smsby_deploy.sandbox.routes import is_loopback, serve_control, serve_page
from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
from smsby_deploy.sandbox.service import Service
from smsby_deploy.sandbox.sqlite_store import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_SERVICE = "smsby.service"
_POLL_SECONDS = 0.2
_TIMEOUT_SECONDS = 5.0
_LINGER = struct.calcsize("ii")


def send_callbacks(service: Service, ended: threading.Event) -> None:
    """Post one callback for each request once all its messages have their outcome.

    It ends when `ended` is set.
    """
    # A proxy would see phones and texts.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    while not ended.wait(_POLL_SECONDS):
        account = service.account
        for uuid, url in account.store.take_callbacks(account.now() - account.settings.delay):
            if not is_callable_url(url, account.settings.callback_ports):
                continue
            body = json.dumps({"uuid": uuid, "result": status_bulk_sms(account, {"uuid": uuid})}).encode()
            call = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # loopback
            try:
                opener.open(call, timeout=_TIMEOUT_SECONDS).close()
            except (OSError, ValueError):
                continue  # it is not documented whether sms.by tries again


def is_callable_url(url: str, ports: Collection[int]) -> bool:
    """Return whether `url` is an HTTP address of this machine with one of `ports`.

    Otherwise any client of the sandbox could make it post to any local service.
    """
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname) and (parts.port or 80) in ports
    except ValueError:
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object, **more: object) -> None:
        """Follow no redirect: it could lead to another machine."""
        return


def make_service(settings: SandboxSettings, data: Path | None = None, clock: Clock | None = None) -> Service:
    """Return a service that stores its state in the file `data`, or in memory.

    Raises:
        SmsbyDeployError: the file cannot be read.
    """
    store = Store(data, settings.balance)
    offset = float(store.read("clock_offset") or 0)
    return Service(Account(store, settings, MovableClock(clock or SystemClock(), offset)))


def serve(service: Service, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until the process ends.

    Port 0 is a free port; `on_ready` gets the URL once it accepts calls.

    Raises:
        SmsbyDeployError: cannot listen on the address.
    """
    server = _bind(service, host, port)
    with _sending_callbacks(service):
        on_ready(_url(server))
        server.serve_forever()


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """Serve on a free local port during the `with` block, in a thread; the value is the URL."""
    server = _bind(service, "127.0.0.1", 0)
    # The argument is the poll interval, which delays the end of the block.
    thread = threading.Thread(target=server.serve_forever, args=(0.002,), name="sms.by sandbox", daemon=True)
    thread.start()
    try:
        with _sending_callbacks(service):
            yield _url(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _sending_callbacks(service: Service) -> Iterator[None]:
    ended = threading.Event()
    threading.Thread(target=send_callbacks, args=(service, ended), name="callbacks", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


@cache
def shared_app() -> Flask:
    """Return the Flask application that all services share, because creating one is slow.

    The WSGI environ of a request says which service it is for.
    """
    service = cast("Service", LocalProxy(lambda: request.environ[_SERVICE]))
    app = Flask("sandbox", static_folder=None)
    app.config["MAX_FORM_MEMORY_SIZE"] = None  # the setting max_input_vars limits forms
    serve_page(app, service)
    serve_control(app, service)
    _serve_api(app, service)
    return app


def create_app(service: Service) -> WSGIApplication:
    """Return the WSGI application of `service`."""
    app = shared_app()
    return lambda environ, start: app(environ | {_SERVICE: service}, start)


def _serve_api(app: Flask, service: Service) -> None:
    @app.route("/api/<version>/<method>", methods=["GET", "POST"])
    def api(version: str, method: str) -> Response:
        sent = read_params(request, service.account.settings.max_input_vars)
        outcome = service.call(method, request.method, request.path, sent)
        if outcome.fault is None:
            response = send_reply(outcome.reply or Reply(500, {}))
        else:
            response = break_reply(outcome.fault, outcome.reply, outcome.pause)
        outcome.logged.status = response.status_code
        return response


class _Handler(WSGIRequestHandler):
    server: _Server

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the sandbox for the header Date."""
        return http_date(self.server.clock.now() if timestamp is None else timestamp)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Print nothing: the log is at /_sandbox/requests."""

    def connection_dropped(self, error: BaseException, environ: dict[str, Any] | None = None) -> None:
        """Expect no further request on the connection."""
        self.close_connection = True


class _Server(ThreadedWSGIServer):
    clock: Clock

    def shutdown_request(self, request: Any) -> None:
        """End a connection. One that a fault resets must not be shut down gracefully first."""
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
        # werkzeug would print an error and exit if the port is in use, so it does not bind the socket itself.
        # socket.create_server would repeat the address in its error.
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host, port))
            listener.listen()
            server = _Server(host, port, create_app(service), _Handler, fd=listener.fileno())
    except OSError as error:
        raise SmsbyDeployError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="choose another --port (0 picks a free one), or another --host",
        ) from error
    server.clock = service.account.clock
    return server


def _url(server: BaseWSGIServer) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"http://{host}:{server.socket.getsockname()[1]}"
