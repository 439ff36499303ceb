"""The callback file next to the lock: what `listen` stores, and what `status` reads.

sms.by does not document the shape of its callbacks. A JSON body with a `uuid` and the rows of statusBulkSms (a list under
`result` or `data`) is read; any other body is only stored.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smsby_deploy.clock import Clock
from smsby_deploy.errors import ApiError, SmsbyDeployError
from smsby_deploy.files import SAFE_OPEN, refuse_link
from smsby_deploy.privacy import hide_token_parameters, hide_tokens

if TYPE_CHECKING:
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.smsby.deliveries import BulkMailingStatus, Delivery

_RELOAD_SECONDS = 1.0


def callbacks_path(lock: Path) -> Path:
    """Return the callback file that belongs to `lock`.

    It holds phones and must not be committed.
    """
    return lock.with_name(lock.name + ".callbacks.jsonl")


def uuids_of(lock: Lock) -> frozenset[str]:
    """Return the requests of all mailings in `lock`, including those of earlier revisions."""
    return frozenset(chunk.uuid for _, entry in lock.revisions() for chunk in entry.chunks if chunk.uuid)


def callbacks_end(path: Path) -> int:
    """Return the offset in the file at which the next callback will be."""
    refuse_link(path)
    return path.stat().st_size if path.is_file() else 0


def was_called_back(path: Path, uuid: str, start: int) -> bool:
    """Return whether a callback mentions the request `uuid`, in any form.

    The file, which may be large, is read only from the offset `start` on.
    """
    if callbacks_end(path) <= start:
        return False
    with path.open("rb") as lines:
        lines.seek(start)
        return any(uuid.encode() in line for line in lines)


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a callback file may hold.

    `other_lines` and `other_bytes` are for callbacks that name no request of the lock: neither an attacker who learns the
    address nor an unknown form of callbacks may displace the others.
    """

    file_bytes: int = 100 << 20
    other_lines: int = 1000
    other_bytes: int = 10 << 20


class QuotaExceeded(Exception):
    """A callback is not stored, because the file is at its limit."""


class Callbacks:
    """Reads a callback file: once as a whole, and then only what was appended.

    The lines of each request are found by its uuid, so that a report on many requests does not read the file for each.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        """Read the file from `start` on."""
        self._path = path
        self._lines: dict[str, list[tuple[int, int]]] = {}  # by uuid: the start and the length of each line
        self._end = start

    def read(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        """Return the mailings of request `uuid` with the latest status of each phone.

        Empty if no callback has any.
        """
        from smsby_deploy.smsby.deliveries import BulkMailingStatus

        latest: dict[tuple[int | None, str], dict[str, Delivery]] = {}
        for mailing in self._reported_mailings(uuid):
            if mailing.message_id is None and not mailing.name:
                continue
            phones = latest.setdefault((mailing.message_id, mailing.name), {})
            phones.update({one.phone: one for one in mailing.deliveries if one.phone and one.status})
        return tuple(
            BulkMailingStatus(message_id, name, tuple(phones.values()))
            for (message_id, name), phones in latest.items()
            if phones
        )

    def _reported_mailings(self, uuid: str) -> Iterator[BulkMailingStatus]:
        from smsby_deploy.smsby.deliveries import read_bulk_status

        self._extend_index()
        places = self._lines.get(uuid)
        if not places:
            return
        with self._path.open("rb") as file:
            for start, length in places:
                file.seek(start)
                try:
                    yield from list(read_bulk_status(_body_of(file.read(length))))
                except ApiError:
                    continue  # not the shape of statusBulkSms

    def _extend_index(self) -> None:
        """Index the complete lines that were appended since the last call.

        A file that became shorter is another one, and is indexed from its beginning.
        """
        size = callbacks_end(self._path)
        if size < self._end:
            self._lines.clear()
            self._end = 0
        if size == self._end:
            return
        with self._path.open("rb") as file:
            file.seek(self._end)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                uuid = _uuid_in(_body_of(line))
                if uuid is not None:
                    self._lines.setdefault(uuid, []).append((self._end, len(line)))
                self._end += len(line)


def _body_of(line: bytes) -> Any:
    """Return the JSON body in a line; None if it has none, or if a crash truncated the line."""
    try:
        return json.loads(json.loads(line)["body"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _uuid_in(body: Any) -> str | None:
    """Return the request that a callback is about; None if it names none."""
    from smsby_deploy.smsby.response import find_value

    uuid = find_value(body, "uuid") if isinstance(body, dict) else None
    return uuid if isinstance(uuid, str) else None


class CallbackLog:
    """Appends callbacks to the file `path`, one JSON object per line, within a quota.

    Safe to use from several threads.
    A line has `time` (ISO, UTC), `method`, `path` (with the query), `headers` (about the body and its sender), `body`,
    and `encoding`: utf-8, or base64 for a body that is not UTF-8. `secrets`, such as the token, are removed.

    `read_uuids` returns the requests of the lock; it is called again, at most once a second, for a uuid that is not among
    them, because a callback may arrive before the lock has recorded its request.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        secrets: Sequence[str] = (),
        *,
        read_uuids: Callable[[], Collection[str]],
        quota: Quota | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._secrets = secrets
        self._lock = threading.Lock()
        self._read_uuids = read_uuids
        self._uuids: Collection[str] = ()
        self._read_at: float | None = None
        self._quota = Quota() if quota is None else quota
        self._size = self._other_lines = self._other_bytes = 0  # of the file, as counted so far

    def append(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        """Write one callback and wait until it is on disk.

        Raises:
            QuotaExceeded: the file holds too much already.
            OSError: it cannot be written.
        """
        line = self._format_line(method, target, headers, body)
        with self._lock:
            # Only the owner may read the file: the bodies may contain phones.
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | SAFE_OPEN, 0o600)
            with os.fdopen(handle, "r+b", buffering=0) as file:
                is_torn, size = _is_torn(file), file.seek(0, os.SEEK_END)
                self._count_again(size)
                self._check_quota(line)
                written = b"\n" + line if is_torn else line
                if file.write(written) != len(written):
                    raise OSError("the line was only written in part")
                os.fsync(file.fileno())
                self._count(line)
                self._size = size + len(written)

    def _check_quota(self, line: bytes) -> None:
        quota = self._quota
        if self._size + len(line) + 1 > quota.file_bytes:
            raise QuotaExceeded(f"{self._path.name} holds {quota.file_bytes >> 20} MB")
        if not self._is_ours(line) and (
            self._other_lines >= quota.other_lines or self._other_bytes + len(line) > quota.other_bytes
        ):
            raise QuotaExceeded(
                f"{self._path.name} holds too many callbacks of requests that are not in the lock"
            )

    def _count_again(self, size: int) -> None:
        """Count again if the file existed before, or was changed by another process."""
        if size == self._size:
            return
        self._size, self._other_lines, self._other_bytes = size, 0, 0
        with self._path.open("rb") as file:
            for line in file:
                self._count(line)

    def _count(self, line: bytes) -> None:
        if not self._is_ours(line):
            self._other_lines += 1
            self._other_bytes += len(line)

    def _is_ours(self, line: bytes) -> bool:
        """Return whether a callback names a request of the lock."""
        uuid = _uuid_in(_body_of(line))
        if uuid is None:
            return False
        now = self._clock.monotonic()
        is_old = self._read_at is None or now - self._read_at >= _RELOAD_SECONDS
        if uuid not in self._uuids and is_old:
            self._read_at = now
            # If the lock cannot be read now, it has no more requests than before.
            with suppress(SmsbyDeployError, OSError):
                self._uuids = self._read_uuids()
        return uuid in self._uuids

    def _format_line(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        try:
            text, encoding = self._hide(body.decode("utf-8")), "utf-8"
        except UnicodeDecodeError:
            text, encoding = base64.b64encode(body).decode(), "base64"
        document = {
            "time": self._clock.now().isoformat(),
            "method": method,
            "path": self._hide(target),
            "headers": {name: self._hide(value) for name, value in headers.items()},
            "body": text,
            "encoding": encoding,
        }
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"

    def _hide(self, text: str) -> str:
        return hide_token_parameters(hide_tokens(text, self._secrets))


def _is_torn(file: RawIOBase) -> bool:
    """Return whether the last line has no end because of a crash or a full disk."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
