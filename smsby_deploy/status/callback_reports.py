"""What callbacks told of a request, where they can be read: it fills in for statusBulkSms while that tells nothing.

The shape of sms.by's callbacks is not documented. Read is a JSON body that holds a `uuid`, and beside it what
statusBulkSms answers (a list under `result` or `data`); anything else stays in the file as it came.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smsby_deploy.errors import ApiError

if TYPE_CHECKING:
    from smsby_deploy.smsby.parsers import BulkMailingStatus, Delivery


def callbacks_path(lock: Path) -> Path:
    """The file beside `lock` that callbacks are kept in. It holds phones: it is never committed."""
    return lock.with_name(lock.name + ".callbacks.jsonl")


def told_by_callbacks(path: Path, uuid: str) -> tuple[BulkMailingStatus, ...]:
    """The mailings of the request `uuid` as callbacks told them, of each phone the last word; empty if none did."""
    from smsby_deploy.smsby.parsers import BulkMailingStatus

    found: dict[tuple[int | None, str], dict[str, Delivery]] = {}
    for mailing in _told(path, uuid):
        phones = found.setdefault((mailing.message_id, mailing.name), {})
        phones.update({one.phone: one for one in mailing.deliveries if one.phone and one.status})
    return tuple(
        BulkMailingStatus(number, name, None, tuple(phones.values()), None)
        for (number, name), phones in found.items()
        if phones
    )


def _told(path: Path, uuid: str) -> Iterator[BulkMailingStatus]:
    from smsby_deploy.smsby.parsers import read_bulk_status
    from smsby_deploy.smsby.response import find_value

    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            body = _body_of(line) if uuid in line else None
            if isinstance(body, dict) and find_value(body, "uuid") == uuid:
                try:
                    yield from list(read_bulk_status(body))
                except ApiError:
                    continue


def _body_of(line: str) -> Any:
    """The JSON of the body that a line keeps; None if it holds none, or if a crash cut the line off."""
    try:
        return json.loads(json.loads(line)["body"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
