"""A minimal sms.by that accepts every mailing, so that the benchmark measures the client.

No phone of a mailing is ever reached: statusBulkSms answers with a thousand messages that are only sent. With a token such as
listed-1000000 it lists that many mailings that are not ours, otherwise none.

python -m tests.bench.server MILLISECONDS [CERTIFICATE KEY] prints its port and serves until its input ends. With a
certificate it speaks TLS. /counts answers how often each method was called.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

# The answer of each method; a send is accepted.
_FIXED: dict[bytes, object] = {
    b"getBalance": {"balance": "1000000", "currency": "BYN"},
    b"getSMSMessages": {"status": "success", "data": []},
    b"statusBulkSms": None,  # see _status_of
    b"getSubscriberLists": {"result": []},
    b"createSubscriberList": {"result": {"list_id": 1}},
    b"importContacts": {"result": {"inserted": 500, "updated": 0, "invalid": 0}},
    b"sendSmsList": {"result": {"message_id": 90}},
    b"confirmSendMessageByList": {"status": "OK", "message_id": 90},
}
_SENT = {"status": "SENT", "status_time": "2026-03-01 10:00:00"}
_DELIVERIES = [{"phone": f"37529{number:07}", **_SENT} for number in range(1000)]
_COUNTS: Counter[bytes] = Counter()
_NAMES: dict[str, str] = {}  # of the mailing of each request, by its uuid


def serve(pause: float, certificate: Sequence[str]) -> None:
    """Answer each request after `pause` seconds."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=_accept, args=(listener, context, pause), daemon=True).start()
        sys.stdin.read()


def _accept(listener: socket.socket, context: ssl.SSLContext | None, pause: float) -> None:
    count = 0
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        count += 1
        threading.Thread(target=_answer, args=(connection, context, pause, count), daemon=True).start()


def _answer(connection: socket.socket, context: ssl.SSLContext | None, pause: float, number: int) -> None:
    """Answer every request of one connection, over TLS if there is a `context`."""
    with suppress(OSError):  # the client closed it without notice
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        _answer_requests(connection, pause, number)


def _answer_requests(connection: socket.socket, pause: float, number: int) -> None:
    buffer = bytearray(1 << 20)
    head = b""
    count = 0
    with connection:
        while True:
            while b"\r\n\r\n" not in head:
                got = connection.recv_into(buffer)
                if not got:
                    return
                head += buffer[:got]
            top, _, rest = head.partition(b"\r\n\r\n")
            lower = top.lower()
            at = lower.find(b"content-length:")
            left = int(lower[at + 15 :].split(b"\r\n", 1)[0]) - len(rest) if at >= 0 else 0
            while left > 0 and b"delivery_list" not in rest and len(rest) < 1000:
                got = connection.recv_into(buffer)
                rest, left = rest + buffer[: min(got, 1000)], left - got
            while left > 0:
                left -= connection.recv_into(buffer)
            head, count = b"", count + 1
            if b"getSMSMessages" in top and (rows := _listed_rows(top)):
                _send_list(connection, rows)
                continue
            name = next((name for name in _FIXED if name in top), b"")
            _COUNTS[name] += 1
            answer = _FIXED[name] if name else {"uuid": f"bench-{number}-{count}"}
            if not name and (mailing := re.search(rb'"name": ?("[^"]+")', rest)):
                _NAMES[f"bench-{number}-{count}"] = json.loads(mailing[1])
            elif name == b"statusBulkSms":
                answer = _status_of(top)
            if b"/counts" in top:
                answer = {name.decode() or "sendBulkSms": count for name, count in _COUNTS.items()}
            elif not name:
                time.sleep(pause)  # noqa: TID251 - a real delay
            body = json.dumps(answer).encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )


def _status_of(head: bytes) -> object:
    uuid = re.search(rb"uuid=([a-z0-9-]+)", head)
    name = _NAMES.get(uuid[1].decode()) if uuid else None
    return [{"name": name, "success": _DELIVERIES}] if name else []


def _listed_rows(head: bytes) -> int:
    _, _, number = head.partition(b"\r\n")[0].partition(b"token=listed-")
    return int(number.split(b" ")[0].split(b"&")[0]) if number else 0


def _send_list(connection: socket.socket, rows: int) -> None:
    """Send a list of mailings that all have the same length."""
    before, after = b'{"status": "success", "data": [', b"]}"
    row = (
        (
            '{"id": %010d, "name": "Новости магазина", "d_create": 1700000000, "d_schedule": 1700000100, "type": "WEB", '
            '"parts": "240", "count_phones": 120, "status": "SENT", "sms_delivered": "119", "cost": "6.24000", '
            '"alphaname": "Kvetka"}'
        )
        .replace("%010d", "1%09d")
        .encode()
    )
    size = len(before) + len(after) + rows * (len(row % 0) + 2) - 2
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + before)
    for first in range(0, rows, 1000):
        last = min(first + 1000, rows)
        connection.sendall(
            b", ".join(row % number for number in range(first, last)) + (b", " if last < rows else after)
        )


if __name__ == "__main__":
    serve(float(sys.argv[1]) / 1000, sys.argv[2:])
