"""The sentences about what a user can take back, and what a user took back.

Until its time has come, what sms.by accepted can be deleted in the account. Nothing is decided here.
"""

from __future__ import annotations

from datetime import UTC, datetime

from smsby_deploy.lock.records import Entry
from smsby_deploy.plan.scheduled import accepted_names, recorded_time
from smsby_deploy.plan.situation import Situation, is_past
from smsby_deploy.wording import counted


def changed_while_scheduled(here: Situation) -> str:
    entry = here.recorded_entry
    return (
        "its text, sender or time differs from what sms.by accepted, which is not gone: it will be sent at "
        f"{recorded_time(entry)}; restore the file, or, to send it as it is now, {_take_back(here, entry)}"
    )


def part_changed_while_scheduled(here: Situation) -> str:
    entry = here.recorded_entry
    return (
        "sms.by accepted a part of it, and its content, recipients, chunk size, `via` or `body` has changed since; that "
        f"part is not gone: it will be sent at {recorded_time(entry)}; restore the files to send the rest, or "
        f"{_take_back(here, entry)}"
    )


def earlier_is_scheduled(here: Situation) -> str:
    earlier = here.scheduled_before[0]
    return (
        f"revision {earlier.revision} is not gone: it will be sent at {recorded_time(earlier)}, and recipients would get "
        f"both; wait until then, or {_take_back(here, earlier)}"
    )


def listed_is_scheduled(here: Situation) -> str:
    """Say which earlier revision only sms.by knows: the lock was lost."""
    listed = here.listed_before
    assert listed is not None  # the rule is about such mailings
    time = datetime.fromtimestamp(listed.d_schedule or 0, UTC)
    return (
        f"sms.by lists `{listed.name}` (id {listed.id}), which the lock does not have; it will be sent at "
        f"{time:%Y-%m-%d %H:%M} UTC, and recipients would get both; restore the lock, wait until then, or delete it in the "
        "account"
    )


def _take_back(here: Situation, entry: Entry) -> str:
    """Say what to delete in the account, and how to record that."""
    return f"{_deletion(here, entry)} and run `smsby-deploy lock withdraw {here.desired.address}`"


def _deletion(here: Situation, entry: Entry) -> str:
    address = here.desired.address
    names = accepted_names(here.project, address, entry, here.remote)
    more = f" and {len(names) - 1} more (`smsby-deploy lock show {address}` lists them)" if names[1:] else ""
    return f"delete {names[0]}{more} in the account at sms.by"


def withdrawn(here: Situation) -> str:
    """Say who withdrew it, and whether sms.by still lists it."""
    entry = here.recorded_entry
    again = f"to send it after all, raise `revision` to {entry.revision + 1}"
    is_ahead = entry.schedule_time is not None and not is_past(
        datetime.fromisoformat(entry.schedule_time), here.now
    )
    is_listed = here.remote is not None and any(
        chunk.fingerprint in here.remote.by_fingerprint for chunk in entry.chunks
    )
    if is_ahead and is_listed:
        again = (
            f"but sms.by still lists it and will send it at {recorded_time(entry)}: {_deletion(here, entry)}"
        )
    assert entry.ending is not None  # the rule is about withdrawn mailings
    return f"{entry.ending.signature}; {again}"


def abandoned(here: Situation) -> str:
    entry = here.recorded_entry
    total = "" if entry.recipients is None else f" of {counted(entry.recipients, 'recipient')}"
    return f"{entry.ending}; sms.by accepted it for {entry.accepted_recipients:,}{total}, and the rest gets nothing"
