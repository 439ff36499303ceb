"""The callback file beside the lock: `listen` appends to it, `status` reads what statusBulkSms does not report.

sms.by does not document the shape of its callbacks. A JSON body with a `uuid` and the rows of statusBulkSms (a list under
`result` or `data`) is read; any other body is only stored.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smsby_deploy.clock import Clock
from smsby_deploy.errors import ApiError
from smsby_deploy.privacy import MIN_SECRET, hide_token, hide_token_parameters

if TYPE_CHECKING:
    from smsby_deploy.smsby.parsers import BulkMailingStatus, Delivery


def callbacks_path(lock: Path) -> Path:
    """Return the callback file that belongs to `lock`. It holds phones and must not be committed."""
    return lock.with_name(lock.name + ".callbacks.jsonl")


def read_callbacks(path: Path, uuid: str) -> tuple[BulkMailingStatus, ...]:
    """Return the mailings of request `uuid` with the latest status of each phone; empty if no callback has any."""
    from smsby_deploy.smsby.parsers import BulkMailingStatus

    latest: dict[tuple[int | None, str], dict[str, Delivery]] = {}
    for mailing in _reported_mailings(path, uuid):
        phones = latest.setdefault((mailing.message_id, mailing.name), {})
        phones.update({one.phone: one for one in mailing.deliveries if one.phone and one.status})
    return tuple(
        BulkMailingStatus(message_id, name, None, tuple(phones.values()), None)
        for (message_id, name), phones in latest.items()
        if phones
    )


def _reported_mailings(path: Path, uuid: str) -> Iterator[BulkMailingStatus]:
    from smsby_deploy.smsby.parsers import read_bulk_status
    from smsby_deploy.smsby.response import find_value

    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            body = _read_body(line) if uuid in line else None
            if isinstance(body, dict) and find_value(body, "uuid") == uuid:
                try:
                    yield from list(read_bulk_status(body))
                except ApiError:
                    continue  # not the shape of statusBulkSms


def _read_body(line: str) -> Any:
    """Return the JSON body in a line; None if it has none, or if a crash truncated the line."""
    try:
        return json.loads(json.loads(line)["body"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class CallbackLog:
    """Appends callbacks to the file `path`, one JSON object per line. Safe to use from several threads.

    A line has `time` (ISO, UTC), `method`, `path` (with the query), `headers` (about the body and its sender), `body`,
    and `encoding`: utf-8, or base64 for a body that is not UTF-8. The token is removed.
    """

    def __init__(self, path: Path, clock: Clock, token: str = "") -> None:
        self._path = path
        self._clock = clock
        self._token = token if len(token) >= MIN_SECRET else ""
        self._lock = threading.Lock()

    def append(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        """Write one callback and wait until it is on disk.

        Raises:
            OSError: it cannot be written.
        """
        line = self._format_line(method, target, headers, body)
        with self._lock:
            # Only the owner may read the file: the bodies may contain phones.
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "r+b", buffering=0) as file:
                if _is_torn(file):
                    line = b"\n" + line
                if file.write(line) != len(line):
                    raise OSError("the line was only written in part")
                os.fsync(file.fileno())

    def _format_line(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        try:
            text, encoding = self._hide_token(body.decode("utf-8")), "utf-8"
        except UnicodeDecodeError:
            text, encoding = base64.b64encode(body).decode(), "base64"
        document = {
            "time": self._clock.now().isoformat(),
            "method": method,
            "path": self._hide_token(target),
            "headers": {name: self._hide_token(value) for name, value in headers.items()},
            "body": text,
            "encoding": encoding,
        }
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"

    def _hide_token(self, text: str) -> str:
        return hide_token_parameters(hide_token(text, self._token))


def _is_torn(file: RawIOBase) -> bool:
    """Return whether the last line has no end because of a crash or a full disk."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
