"""The effect of a fault on the answer that the client receives."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

from flask import Response, jsonify, request

from smsby_deploy.sandbox.faults import Fault
from smsby_deploy.sandbox.protocol import Reply

_PAGE = (
    "<!doctype html><html><head><title>sms.by</title></head><body><h1>Технические работы</h1></body></html>"
)
_TRUNCATED = b'{"uuid":"cc9c8043-8caf-11ef-b0'


def send_reply(reply: Reply) -> Response:
    """Return the complete answer."""
    response = jsonify(reply.body)
    response.status_code = reply.status
    response.headers.update(reply.headers)
    return response


def break_reply(fault: Fault, reply: Reply | None, pause: Callable[[float], None]) -> Response:
    """Return what `fault` leaves of `reply`, which is None if the call was not executed.

    `pause` waits for the seconds of a slow answer or a timeout.
    """
    match fault.mode:
        case "reset":
            return _drop_connection(with_reset=True)
        case "close":
            return _drop_connection(with_reset=False)
        case "timeout":
            pause(fault.seconds)
            return _drop_connection(with_reset=False)
        case "slow" if reply is not None:
            pause(fault.seconds)
            return send_reply(reply)
        case "html":
            return Response(_PAGE, fault.status or 200, mimetype="text/html")
        case "empty":
            return Response("", fault.status or 200, mimetype="application/json")
        case "no-proof":
            return send_reply(Reply(fault.status or 200, {"success": "OK"}))
        case "error":
            return send_reply(Reply(fault.status or 400, {"error": fault.text}))
        case "500":
            return send_reply(Reply(500, {"error": fault.text}))
        case "truncated":
            return Response(_first_half(reply), fault.status or 200, mimetype="application/json")
        case "incomplete":
            return _incomplete(_first_half(reply))
        case "429":
            return _rate_limited(fault)
        case "redirect":
            # By default to the same address: a client that follows a 307 sends twice, which the inbox shows.
            return Response("", fault.status or 307, {"Location": fault.location or request.url})
    return Response("Service Unavailable", int(fault.mode), mimetype="text/plain")


def _first_half(reply: Reply | None) -> bytes:
    if reply is None:
        return _TRUNCATED
    whole = send_reply(reply).get_data().strip()
    return whole[: max(1, len(whole) // 2)]


def _rate_limited(fault: Fault) -> Response:
    retry_after = f"{fault.seconds:.0f}" if fault.retry_after is None else fault.retry_after
    response = send_reply(Reply(429, {"error": "Request limit exceeded"}))
    if retry_after:
        response.headers["Retry-After"] = retry_after
    return response


def _incomplete(body: bytes) -> Response:
    """Return fewer bytes than Content-Length announces."""
    response = Response(body, mimetype="application/json")
    response.automatically_set_content_length = False
    response.headers["Content-Length"] = str(len(body) + 64)
    return response


def _drop_connection(*, with_reset: bool) -> Response:
    """Send no answer; reset the connection or close it in order."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    if with_reset:
        # With a linger time of 0, closing sends a reset; server.py then skips the orderly shutdown.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        connection.shutdown(socket.SHUT_RDWR)
    return Response(_fail_while_sending())


def _fail_while_sending() -> Iterator[bytes]:
    raise ConnectionResetError("a fault drops this connection")
    yield b""
