"""The only comparison of a mailing's intended values with what sms.by reports about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.records import FIRST_WAVE, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.account_names import SYSTEM_NAME, AccountNames, name_key
from smsby_deploy.plan.desired import ChunkPlan
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.smsby.parsers import RemoteMailing
from smsby_deploy.wording import sentence

CLOCK_DIFFERENCE = timedelta(minutes=5)  # how far sms.by's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class IntendedValues:
    """How a mailing was to be sent; `schedule_time` is in `zone`, in which times are shown.

    A mailing may be sent up to `max_late` after its time; then sms.by gets no time. `counts_recipients` is False if its
    messages may have other recipients too, as with mailings sent phone by phone. `at_once_until` is the latest time that
    still means "at once" for a mailing without a time, and `parts` the number of parts; None if they are not compared.
    """

    address: str
    schedule_time: datetime | None
    alphaname: str
    location: Location | None
    max_late: timedelta | None = None
    counts_recipients: bool = True
    at_once_until: datetime | None = None
    parts: int | None = None
    zone: tzinfo = UTC

    def of_chunk(self, chunk: ChunkRecord | ChunkPlan) -> IntendedValues:
        """Return a copy with the time of one chunk; a later wave is sent at once."""
        if self.schedule_time is None or chunk.wave not in (None, FIRST_WAVE):
            return replace(self, schedule_time=None, at_once_until=self._latest(chunk) or self.at_once_until)
        if chunk.schedule_time is None:
            return self
        time = datetime.fromisoformat(chunk.schedule_time)
        return replace(self, schedule_time=time.astimezone(self.schedule_time.tzinfo))

    def _latest(self, chunk: ChunkRecord | ChunkPlan) -> datetime | None:
        """Return the latest time that still means "at once" for an accepted chunk."""
        if not isinstance(chunk, ChunkRecord) or chunk.accepted_at is None:
            return None
        return datetime.fromisoformat(chunk.accepted_at).astimezone(self.zone) + CLOCK_DIFFERENCE

    def by(self, names: AccountNames) -> IntendedValues:
        """Return a copy with the sender as sms.by reports it, if the files have its id."""
        return replace(self, alphaname=names.sender_name(self.alphaname))


class ReportedValues(NamedTuple):
    """What sms.by reports about a message, if anything; `d_schedule` is unix time, 0 for none."""

    d_schedule: int | None
    count_phones: int | None
    alphaname: str | None
    parts: int | None = None


class DriftField(StrEnum):
    """The compared values, by the API's name if there is one."""

    TIME = "d_schedule"
    RECIPIENTS = "count_phones"
    SENDER = "alphaname"
    PARTS = "parts"
    COST = "cost"
    LISTED = "messages in the list"
    NAME = "name"


class Difference(NamedTuple):
    """A value that sms.by reports and that differs from the intended one.

    `field` is the API's name for it. If the difference is harmless, the mailing may still be sent.
    """

    field: DriftField
    intended: str
    reported: str
    is_harmless: bool = False
    others: int = 0  # more chunks with the same shift of their own times

    @property
    def text(self) -> str:
        text = sentence(
            "{field}: intended {intended}, sms.by reports {reported}",
            field=self.field,
            intended=self.intended,
            reported=self.reported,
        )
        if not self.others:
            return text
        return sentence(
            "{difference} (and {count:more chunk|more chunks})", difference=text, count=self.others
        )


def intended_by_files(mailing: Mailing) -> IntendedValues:
    """Return what the files intend for a mailing that is not recorded."""
    return IntendedValues(
        mailing.address,
        mailing.schedule_time,
        mailing.alphaname,
        mailing.time_location,
        mailing.max_late,
        counts_recipients=mailing.via != "single",
        zone=ZoneInfo(mailing.timezone),
    )


def intended_by_lock(address: str, entry: Entry, mailing: Mailing | None) -> IntendedValues:
    """Return what was intended when it was applied; `mailing` is None if no file has it now."""
    sender = str(SYSTEM_NAME) if entry.alphaname_id == SYSTEM_NAME else entry.alphaname
    intended = IntendedValues(
        address, entry.send_time, sender, None, counts_recipients=entry.transport != "single"
    )
    if mailing is None:
        return intended
    zone = ZoneInfo(mailing.timezone)
    return replace(
        intended,
        schedule_time=intended.schedule_time and intended.schedule_time.astimezone(zone),
        location=mailing.time_location,
        max_late=mailing.max_late,
        zone=zone,
    )


def reported_values(listed: RemoteMailing) -> ReportedValues:
    """Return the compared values of a mailing in the remote list."""
    return ReportedValues(listed.d_schedule, listed.count_phones, listed.alphaname)


def compare_values(
    intended: IntendedValues, recipients: int | None, reported: ReportedValues
) -> Iterator[Difference]:
    """Yield each value that differs; `recipients` is None if it is not to be compared."""
    if intended.schedule_time is not None and reported.d_schedule is not None:
        yield from _compare_times(intended.schedule_time, reported.d_schedule, intended.max_late)
    elif intended.at_once_until is not None and reported.d_schedule is not None:
        yield from _compare_at_once(intended.at_once_until, reported.d_schedule)
    count = reported.count_phones
    if intended.counts_recipients and None not in (recipients, count) and recipients != count:
        yield Difference(DriftField.RECIPIENTS, str(recipients), str(count))
    is_named = not intended.alphaname.isdigit()  # sms.by reports names, so an id cannot be compared
    if is_named and reported.alphaname and name_key(reported.alphaname) != name_key(intended.alphaname):
        yield Difference(DriftField.SENDER, intended.alphaname, reported.alphaname)
    if intended.parts is not None and reported.parts is not None and intended.parts != reported.parts:
        is_fewer = reported.parts < intended.parts
        yield Difference(DriftField.PARTS, str(intended.parts), str(reported.parts), is_harmless=is_fewer)


def find_drift(
    intended: IntendedValues, chunks: Sequence[ChunkRecord | ChunkPlan], remote: RemoteView
) -> Iterator[Problem]:
    """Yield one REMOTE_DIFFERS warning for each difference, however many chunks have it."""
    pairs = ((chunk, _find(chunk, remote)) for chunk in chunks)
    listed = [(chunk, reported_values(one)) for chunk, one in pairs if one is not None]
    for difference in compare_chunks(intended, listed):
        yield Problem(
            Severity.WARNING, "REMOTE_DIFFERS", difference.text, intended.address, intended.location
        )


def _find(chunk: ChunkRecord | ChunkPlan, remote: RemoteView) -> RemoteMailing | None:
    """Return the listed mailing of a chunk; a recorded message may have another program's name."""
    if isinstance(chunk, ChunkRecord):
        return remote.find_sent(chunk)
    return remote.by_fingerprint.get(chunk.fingerprint)


def compare_chunks(
    intended: IntendedValues, chunks: Iterable[tuple[ChunkRecord | ChunkPlan, ReportedValues]]
) -> list[Difference]:
    """Return each value that differs once, however many chunks have it.

    Chunks that differ from their own times by the same shift count as one difference.
    """
    found: dict[Difference | int, Difference] = {}
    for chunk, reported in chunks:
        own = intended.of_chunk(chunk)
        recipients = chunk.recipients if _is_countable(chunk) else None
        for difference in compare_values(own, recipients, reported):
            key: Difference | int = difference
            if own is not intended and own.schedule_time and difference.field is DriftField.TIME:
                time = reported.d_schedule
                key = round(time - own.schedule_time.timestamp()) if time else 0
            first = found.get(key)
            found[key] = difference if first is None else first
            if first is not None and isinstance(key, int):
                found[key] = first._replace(others=first.others + 1)
    return list(found.values())


def _compare_times(intended: datetime, reported: int, max_late: timedelta | None) -> Iterator[Difference]:
    expected, zone = intended.isoformat(timespec="seconds"), intended.tzinfo
    if not reported:
        if max_late is None:
            yield Difference(DriftField.TIME, expected, "none")
        return
    time = datetime.fromtimestamp(reported, UTC)
    intended = intended.astimezone(UTC)  # a time that a zone repeats equals none of another zone
    was_late = max_late is not None and intended < time <= intended + max_late
    if time != intended and not was_late:
        local = time.astimezone(zone)
        yield Difference(DriftField.TIME, expected, local.isoformat(timespec="seconds"))


def _compare_at_once(latest: datetime, reported: int) -> Iterator[Difference]:
    time = datetime.fromtimestamp(reported, latest.tzinfo)
    if time > latest:
        yield Difference(
            DriftField.TIME, sentence("none, to be sent at once"), time.isoformat(timespec="seconds")
        )


def _is_countable(chunk: ChunkRecord | ChunkPlan) -> bool:
    """Whether the recorded number of recipients is the number that was sent.

    Opt-outs may have changed the number of a chunk that was found at sms.by.
    """
    return isinstance(chunk, ChunkPlan) or chunk.state is ChunkState.ACCEPTED
