"""What a fault leaves of an answer on the wire."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from flask import Response, jsonify, request

from smsby_deploy.clock import Clock
from smsby_deploy.sandbox.faults import Fault
from smsby_deploy.sandbox.service import Reply

_PAGE = (
    "<!doctype html><html><head><title>sms.by</title></head><body><h1>Технические работы</h1></body></html>"
)
_PIECE = b'{"uuid":"cc9c8043-8caf-11ef-b0'


def write_reply(reply: Reply) -> Response:
    """A reply that arrives whole."""
    response = jsonify(reply.body)
    response.status_code = reply.status
    response.headers.update(reply.headers)
    return response


def break_reply(fault: Fault, reply: Reply | None, clock: Clock) -> Response:
    """What arrives of `reply` (None if the call was not carried out) after `fault`."""
    match fault.mode:
        case "reset":
            return _drop(at_once=True)
        case "close":
            return _drop(at_once=False)
        case "timeout":
            clock.sleep(fault.seconds)
            return _drop(at_once=False)
        case "slow" if reply is not None:
            clock.sleep(fault.seconds)
            return write_reply(reply)
        case "html":
            return Response(_PAGE, fault.status or 200, mimetype="text/html")
        case "empty":
            return Response("", fault.status or 200, mimetype="application/json")
        case "no-proof":
            return write_reply(Reply(fault.status or 200, {"success": "OK"}))
        case "error":
            return write_reply(Reply(fault.status or 400, {"error": fault.text}))
        case "500":
            return write_reply(Reply(500, {"error": fault.text}))
        case "truncated":
            return Response(_half(reply), fault.status or 200, mimetype="application/json")
        case "incomplete":
            return _incomplete(_half(reply))
        case "429":
            return _too_many(fault)
        case "redirect":
            # To the same address unless told otherwise: a client that follows a 307 sends twice, and it shows.
            return Response("", fault.status or 307, {"Location": fault.location or request.url})
    return Response("Service Unavailable", int(fault.mode), mimetype="text/plain")


def _half(reply: Reply | None) -> bytes:
    if reply is None:
        return _PIECE
    whole = write_reply(reply).get_data().strip()
    return whole[: max(1, len(whole) // 2)]


def _too_many(fault: Fault) -> Response:
    wait = f"{fault.seconds:.0f}" if fault.retry_after is None else fault.retry_after
    response = write_reply(Reply(429, {"error": "Request limit exceeded"}))
    if wait:
        response.headers["Retry-After"] = wait
    return response


def _incomplete(body: bytes) -> Response:
    """Fewer bytes than the header promises."""
    response = Response(body, mimetype="application/json")
    response.automatically_set_content_length = False
    response.headers["Content-Length"] = str(len(body) + 64)
    return response


def _drop(*, at_once: bool) -> Response:
    """No answer: the connection is reset, or closed in order."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    if at_once:
        # With no time to linger, closing sends a reset; server.py then leaves out the orderly shutdown.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        connection.shutdown(socket.SHUT_RDWR)
    return Response(_nothing())


def _nothing() -> Iterator[bytes]:
    raise ConnectionResetError("the sandbox was told to drop this connection")
    yield b""
