"""What sms.by reports for our mailings, against what was meant: REMOTE_DIFFERS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.desired_state import ChunkPlan
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.problems import Location, Problem, Severity


@dataclass(frozen=True, slots=True)
class IntendedValues:
    """How a mailing was meant to go out; times are told in the zone of `schedule_time`."""

    address: str
    schedule_time: datetime | None
    alphaname: str
    place: Location | None
    max_late: timedelta | None = None
    is_alone: bool = True  # nobody else's phones are in its messages; not so where it is sent phone by phone


def intended_by_files(mailing: Mailing) -> IntendedValues:
    """As the files want a mailing that is not recorded."""
    place = mailing.schedule_location or mailing.location
    is_alone = mailing.via != "single"
    return IntendedValues(
        mailing.address, mailing.schedule_time, mailing.alphaname, place, mailing.max_late, is_alone
    )


def intended_by_lock(address: str, entry: Entry, mailing: Mailing | None) -> IntendedValues:
    """As a mailing was when it was applied, whatever became of its files since; `mailing` is None if they are gone."""
    when = datetime.fromisoformat(entry.schedule_time) if entry.schedule_time else None
    if mailing is None:
        return IntendedValues(address, when, entry.alphaname, None, is_alone=entry.transport != "single")
    local = when and when.astimezone(ZoneInfo(mailing.timezone))
    is_alone = entry.transport != "single"
    return replace(
        intended_by_files(mailing), schedule_time=local, alphaname=entry.alphaname, is_alone=is_alone
    )


def find_differences(
    meant: IntendedValues, chunks: Sequence[ChunkRecord | ChunkPlan], remote: RemoteView
) -> Iterator[Problem]:
    """One warning for each field that sms.by reports otherwise, however many of the chunks it concerns."""
    place = meant.place or Location("")
    messages: dict[str, None] = {}
    for chunk in chunks:
        listed = remote.by_fingerprint.get(chunk.fingerprint)
        if listed is None:
            continue
        pairs: list[tuple[str, object, object]] = []
        if meant.schedule_time is not None and listed.d_schedule is not None:
            pairs.extend(_times(meant.schedule_time, listed.d_schedule, meant.max_late))
        is_told = chunk.recipients is not None and listed.count_phones is not None
        if meant.is_alone and is_told and _is_counted(chunk):
            pairs.append(("count_phones", chunk.recipients, listed.count_phones))
        if listed.alphaname and not meant.alphaname.isdigit():
            pairs.append(("alphaname", meant.alphaname, listed.alphaname))
        messages |= {
            f"{field}: {wanted} was meant, sms.by reports {told}": None
            for field, wanted, told in pairs
            if wanted != told
        }
    for message in messages:
        yield Problem(
            Severity.WARNING,
            "REMOTE_DIFFERS",
            message,
            meant.address,
            place if place.file else None,
        )


def _times(meant: datetime, told: int, max_late: timedelta | None) -> Iterator[tuple[str, str, str]]:
    """The time that was meant and the one that sms.by tells, as unix seconds; 0 says that it has none."""
    if not told:
        if max_late is None:
            yield "d_schedule", meant.isoformat(timespec="seconds"), "none"
        return
    reported = datetime.fromtimestamp(told, UTC)
    # What was late, and was allowed to be, went out at once.
    if max_late is None or not meant < reported <= meant + max_late:
        local = reported.astimezone(meant.tzinfo)
        yield "d_schedule", meant.isoformat(timespec="seconds"), local.isoformat(timespec="seconds")


def _is_counted(chunk: ChunkRecord | ChunkPlan) -> bool:
    """Whether its number of recipients is that of a request; of one found at sms.by, opt-outs may have changed since."""
    return isinstance(chunk, ChunkPlan) or chunk.state is ChunkState.ACCEPTED
