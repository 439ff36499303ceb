"""What sms.by reports for our mailings, against what was meant: REMOTE_DIFFERS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from smsby_deploy.lock.model import ChunkRecord, ChunkState
from smsby_deploy.plan.model import ChunkPlan
from smsby_deploy.plan.remote import RemoteView
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.project.declarations import Mailing


def find_differences(
    mailing: Mailing, chunks: Sequence[ChunkRecord | ChunkPlan], remote: RemoteView
) -> Iterator[Problem]:
    """One warning for each field that sms.by reports otherwise; `chunks` as recorded if they are, else as planned."""
    place = mailing.schedule_location or mailing.location
    for chunk in chunks:
        listed = remote.by_fingerprint.get(chunk.fingerprint)
        if listed is None:
            continue
        pairs: list[tuple[str, object, object]] = []
        reported = datetime.fromtimestamp(listed.d_schedule, UTC) if listed.d_schedule else None
        if mailing.schedule_time is not None and reported and not _is_allowed_late(mailing, reported):
            pairs.append(("d_schedule", _spell(mailing.schedule_time, mailing), _spell(reported, mailing)))
        if chunk.recipients is not None and listed.count_phones is not None and _is_counted(chunk):
            pairs.append(("count_phones", chunk.recipients, listed.count_phones))
        if listed.alphaname and not mailing.alphaname.isdigit():
            pairs.append(("alphaname", mailing.alphaname, listed.alphaname))
        for field, meant, told in pairs:
            if meant != told:
                message = f"{field}: {meant} was meant, sms.by reports {told}"
                yield Problem(
                    Severity.WARNING,
                    "REMOTE_DIFFERS",
                    message,
                    mailing.address,
                    place.file,
                    place.line,
                    place.column,
                )


def _is_allowed_late(mailing: Mailing, reported: datetime) -> bool:
    """Whether it went out at once because it was late, as `max_late` allows."""
    if mailing.schedule_time is None or mailing.max_late is None:
        return False
    return mailing.schedule_time < reported <= mailing.schedule_time + mailing.max_late


def _is_counted(chunk: ChunkRecord | ChunkPlan) -> bool:
    """Whether its number of recipients is that of a request; of one found at sms.by, opt-outs may have changed since."""
    return isinstance(chunk, ChunkPlan) or chunk.state is ChunkState.ACCEPTED


def _spell(moment: datetime, mailing: Mailing) -> str:
    return moment.astimezone(ZoneInfo(mailing.timezone)).isoformat(timespec="seconds")
