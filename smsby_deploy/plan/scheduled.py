"""Mailings that sms.by accepted and has yet to send.

Their names at sms.by, what to say if their files changed or a user withdrew them, and how many recipients opted out since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import DONE, ChunkRecord, ChunkState, Entry, EntryState
from smsby_deploy.plan.desired import ChunkPlan, times_of
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.remote_state import RemoteView, merge_entry
from smsby_deploy.plan.situation import ACCEPTED, Situation, is_past, is_scheduled
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.suppression import count_gone_opt_outs
from smsby_deploy.smsby.parsers import RemoteMailing
from smsby_deploy.wording import first_of, sentence

if TYPE_CHECKING:
    from smsby_deploy.plan.remote_list_check import ListCheck


def listed_names(scope: str, address: str, entry: Entry, remote: RemoteView | None) -> list[str]:
    """Return the name and the id under which the list shows each accepted chunk of `entry`.

    If it shows none (it was not read, has truncated names, or they were deleted), return those of all accepted chunks.
    """
    accepted = [index for index, state in enumerate(merge_entry(entry, remote)) if state in ACCEPTED]
    listed = [] if remote is None else [i for i in accepted if remote.find_sent(entry.chunks[i])]
    return [_name(scope, address, entry, index, remote) for index in listed or accepted]


def sending_time(entry: Entry, remote: RemoteView | None = None) -> str:
    """Say when sms.by will send `entry`, in the zone in which it was applied.

    That is `at 2026-12-01 10:00 +03`, or `from 2026-12-01 10:00 +03 to 12:52` if it is spread. If the list has other times,
    its earliest counts, because nothing can be deleted after it.
    """
    assert entry.send_time is not None  # without a time it is not scheduled
    if remote is not None and (listed := _earliest_listed(entry, remote)) is not None:
        return sentence("at {time}", time=listed.astimezone(entry.send_time.tzinfo))
    spread = times_of(entry.chunks)
    if spread is None:
        return sentence("at {time}", time=entry.send_time)
    return sentence("from {span}", span=spread.span)


def _earliest_listed(entry: Entry, remote: RemoteView) -> datetime | None:
    """Return the earliest time in the list; None if its times are those of the lock."""
    found = [
        (listed.d_schedule, time.timestamp())
        for chunk, time in zip(entry.chunks, entry.send_times, strict=True)
        if time is not None and (listed := remote.find_sent(chunk)) is not None and listed.d_schedule
    ]
    if all(listed == recorded for listed, recorded in found):
        return None
    return datetime.fromtimestamp(min(found)[0], UTC)


def changed_while_scheduled(here: Situation) -> str:
    entry = here.recorded_entry
    return sentence(
        "its text, sender or time differs from what sms.by accepted and will send {when}; "
        "restore the file, or, to send it as it is now, {take_back}",
        when=sending_time(entry, here.remote),
        take_back=take_back(here, entry),
    )


def part_changed_while_scheduled(here: Situation) -> str:
    entry = here.recorded_entry
    return sentence(
        "sms.by accepted a part of it, and its content, recipients, waves, chunk size, `via` or `body` has changed since; "
        "that part will be sent {when}; restore the files to send the rest, or {take_back}",
        when=sending_time(entry, here.remote),
        take_back=take_back(here, entry),
    )


def earlier_is_scheduled(here: Situation) -> str:
    earlier = here.scheduled_before[0]
    return sentence(
        "revision {revision} will be sent {when}, and recipients would get both; wait until then, "
        "or {take_back}",
        revision=earlier.revision,
        when=sending_time(earlier, here.remote),
        take_back=take_back(here, earlier),
    )


def other_is_scheduled(here: Situation, address: str, entry: Entry) -> str:
    """Say that the same mailing under another address is not gone."""
    return sentence(
        "{old}, with the same text and recipients, will be sent {when}, and recipients would get both; "
        "wait until then, or {take_back}",
        old=address,
        when=sending_time(entry, here.remote),
        take_back=take_back(here, entry, address),
    )


def listed_is_scheduled(here: Situation) -> str:
    """Say which earlier revision only sms.by knows: the lock was lost."""
    assert here.listed_before is not None  # the rule is about such mailings
    return only_listed(here, here.listed_before)


def only_listed(here: Situation, listed: RemoteMailing) -> str:
    """Say that `listed`, which the lock does not have, is not gone."""
    time = datetime.fromtimestamp(listed.d_schedule or 0, here.zone)
    return sentence(
        "sms.by lists `{name}` (id {id}), which the lock does not have; it will be sent at {time}, and recipients "
        "would get both; restore the lock, wait until then, or delete it in the account",
        name=listed.name,
        id=listed.id,
        time=time,
    )


def delete_ahead(listed: Iterable[RemoteMailing], now: datetime) -> str:
    """Say which listed mailings to delete before sms.by sends them; empty if it has sent all.

    Times are shown in the zone of `now`.
    """
    ahead = [one for one in listed if one.is_ahead(now)]
    if not ahead:
        return ""
    first = min(one.d_schedule or 0 for one in ahead)
    names = [sentence("`{name}` (id {number})", name=one.name, number=one.id) for one in ahead]
    return sentence(
        "delete {names} in the account at sms.by before {time}",
        names=first_of(names),
        time=datetime.fromtimestamp(first, now.tzinfo),
    )


def take_back(here: Situation, entry: Entry, address: str | None = None) -> str:
    """Say what to delete in the account, and how to record that; of `address`, if given."""
    if entry.last_time is not None and is_past(entry.send_time, here.now):
        return sentence(
            "raise `revision` after {time} (a part of it is gone, so it cannot be withdrawn)",
            time=entry.last_time,
        )
    return sentence(
        "{deletion} and run `smsby-deploy lock withdraw {address}`",
        deletion=_deletion(here.scope, address or here.desired.address, entry, here.remote),
        address=address or here.desired.address,
    )


def _deletion(scope: str, address: str, entry: Entry, remote: RemoteView | None) -> str:
    names = listed_names(scope, address, entry, remote)
    return sentence("delete {names} in the account at sms.by", names=first_of(names))


def withdrawn(here: Situation) -> str:
    """Say who withdrew it, and whether sms.by still lists it."""
    entry = here.recorded_entry
    assert entry.ending is not None  # the rule is about withdrawn mailings
    signature = entry.ending.in_zone(here.zone).signature
    if said := _still_listed(here.scope, here.desired.address, entry, here.remote, here.now, signature):
        return said
    again = sentence("to send it after all, raise `revision` to {revision}", revision=entry.revision + 1)
    return sentence("{signature}; {again}", signature=signature, again=again)


def find_still_listed(
    scope: str, address: str, entry: Entry, remote: RemoteView | None, now: datetime, zone: tzinfo
) -> Iterator[Problem]:
    """Warn that sms.by will send revisions that were withdrawn as deleted there."""
    for one in entry.revisions:
        if one.is_withdrawn and one.ending is not None:
            why = str(one.ending.in_zone(zone))
            if said := _still_listed(scope, address, one, remote, now, why):
                yield Problem(Severity.WARNING, "NOT_CANCELLED", said, address)


def _still_listed(
    scope: str, address: str, entry: Entry, remote: RemoteView | None, now: datetime, why: str
) -> str:
    """Say that sms.by will send a withdrawn mailing all the same; empty if it does not list it."""
    is_ahead = entry.last_time is not None and not is_past(entry.last_time, now)
    if not is_ahead or remote is None or not remote.has_any(entry.fingerprints):
        return ""
    again = sentence(
        "but sms.by still lists it and will send it {when}: {deletion}",
        when=sending_time(entry, remote),
        deletion=_deletion(scope, address, entry, remote),
    )
    return sentence("{signature}; {again}", signature=why, again=again)


def find_late_opt_outs(
    mailing: Mailing, here: Situation, check: ListCheck | None = None
) -> Iterator[Problem]:
    """Warn that recipients opted out after sms.by accepted a mailing, and before it is gone.

    The count compares what was sent with what would be sent now, chunk by chunk, where the rows are the same. It is a lower
    bound, because an opt-out withdrawn since lowers it. It never exceeds the current opt-outs, because sms.by may report a
    greater number for another reason. Chunks that `check` found deleted in the account are not sent.
    """
    if here.entry is None or not here.is_scheduled:
        return
    entry, count, names, until = here.entry, 0, [], []
    times = entry.send_times
    for index, (chunk, now) in enumerate(zip(entry.chunks, here.desired.chunks, strict=False)):
        sent = _count_sent(here, chunk, here.recorded[index])
        if (
            chunk.digest == now.digest
            and not is_past(times[index], here.now)
            and None not in (sent, now.recipients)
            and (sent or 0) > (now.recipients or 0)
            and not (check is not None and chunk.fingerprint in check.find_deleted(here.desired.address))
        ):
            count += (sent or 0) - (now.recipients or 0)
            names.append(_name(here.scope, here.desired.address, entry, index, here.remote))
            until.append(times[index])
    if count := min(count, here.desired.audience.suppressed):
        message = sentence(
            "at least {count:recipient|recipients} opted out after sms.by accepted it, and will get it; until "
            "{time} they can be removed manually, in the account, from {names}",
            count=count,
            time=min(filter(None, until)),
            names=first_of(names),
        )
        yield Problem(Severity.WARNING, "OPTED_OUT_LATE", message, mailing.address, mailing.location)


def _count_sent(here: Situation, chunk: ChunkRecord, state: ChunkState) -> int | None:
    """Return how many recipients sms.by will send a chunk to; None if unknown.

    For a chunk that was found in the list, the lock has the number at that time; the list may have a greater one.
    """
    if state is not ChunkState.ACCEPTED or chunk.recipients is None:
        return None
    if chunk.phones is not None:
        return chunk.phones.count(PhoneState.ACCEPTED)
    listed = here.remote.by_fingerprint.get(chunk.fingerprint) if here.remote is not None else None
    invalid = chunk.upload.invalid if chunk.upload is not None else 0
    return max(chunk.recipients, (listed.count_phones or 0) if listed is not None else 0) + invalid


def count_opted_in(here: Situation, *, may_be_capped: bool) -> int:
    """Return how many recipients who had opted out at approval would, or might, get it now.

    The lock of an earlier version has only numbers, so this is a lower bound: another recipient may have opted out since. If
    recipients `may_be_capped` by contact pressure, numbers say nothing about opt-outs; but if the request size has changed,
    they are all that is known about recipients left out for any reason.
    """
    chunks = here.recorded_entry.chunks
    if _has_other_chunks(here):
        before, now = (sum(one.recipients or 0 for one in some) for some in (chunks, here.desired.chunks))
        left_out = sum(len((one.left_out or one.opted_out or "").split()) for one in chunks)
        return max(left_out, now - before)
    return sum(
        _count_opted_in(then, now, may_be_capped=may_be_capped)
        for then, now, state in zip(chunks, here.desired.chunks, here.recorded, strict=True)
        if state not in DONE
    )


def _has_other_chunks(here: Situation) -> bool:
    """Whether the audience is divided differently from when the mailing was approved."""
    return here.recorded_entry.fingerprints != here.desired.fingerprints


def _count_opted_in(then: ChunkRecord, now: ChunkPlan, *, may_be_capped: bool) -> int:
    gone = 0 if then.opted_out is None else count_gone_opt_outs(then.opted_out, now.opted_out or "")
    more = 0 if then.recipients is None or may_be_capped else (now.recipients or 0) - then.recipients
    return max(gone, more)


def opted_in(here: Situation) -> str:
    """Say why an approved mailing is not sent, and what a user can do."""
    what = sentence(
        "{count:,} of its recipients had opted out when it was approved, and would get it now",
        count=here.opted_in,
    )
    if _has_other_chunks(here):
        what = sentence(
            "its requests have a different size than when it was approved, so it is unknown whether recipients who had "
            "opted out then would get it now"
        )
    if here.is_begun:
        return sentence("{what}; restore the opt-outs to send the rest", what=what)
    return sentence("{what}; make and apply a new plan", what=what)


def report_cancelled(
    scope: str,
    mailing: Mailing,
    entry: Entry | None,
    remote: RemoteView | None,
    now: datetime,
    unrecorded: Sequence[RemoteMailing] = (),
) -> Problem:
    """Report that a mailing is cancelled, and what sms.by still has of it.

    `unrecorded` is what sms.by lists of it and the lock does not have.
    """
    said = still_scheduled(scope, mailing.address, entry, remote, now, str(mailing.cancelled))
    if not said and (deletion := delete_ahead(unrecorded, now.astimezone(mailing.zone))):
        said = sentence(
            "{why}; but sms.by lists it, although the lock does not have it: {deletion}",
            why=mailing.cancelled,
            deletion=deletion,
        )
    if said:
        return Problem(Severity.WARNING, "NOT_CANCELLED", said, mailing.address, mailing.location)
    rest = _what_became_of(entry)
    if not rest and any(not one.is_draft for one in unrecorded):
        rest = sentence("it was sent before")
    note = sentence("{why}; {rest}", why=mailing.cancelled, rest=rest) if rest else str(mailing.cancelled)
    return Problem(Severity.NOTE, "CANCELLED", note, mailing.address, mailing.location)


def listed_and_taken_back(scope: str, address: str, entry: Entry, why: str, now: datetime) -> str:
    """Say what sms.by has of a mailing whose approval ended because of `why`."""
    if entry.has_unknown:
        return sentence(
            "{why}; but sms.by lists it, and it is unknown whether all of it was handed over: look there, then run "
            "`smsby-deploy lock resolve {address} --sent` or `--not-sent`",
            why=why,
            address=address,
        )
    said = still_scheduled(scope, address, entry, None, now, why)
    return said or sentence("{why}; {rest}", why=why, rest=_what_became_of(entry))


def still_scheduled(
    scope: str, address: str, entry: Entry | None, remote: RemoteView | None, now: datetime, why: str
) -> str:
    """Say what sms.by will send of a withdrawn mailing; empty if nothing."""
    recorded = () if entry is None else entry.revisions
    scheduled = [one for one in recorded if is_scheduled(one, merge_entry(one, remote), now)]
    if not scheduled:
        return ""
    names = [name for one in scheduled for name in listed_names(scope, address, one, remote)]
    return sentence(
        "{why}; but sms.by has accepted it and will send it {when}: delete {names} in the account and run "
        "`smsby-deploy lock withdraw {address}`",
        why=why,
        when=sending_time(scheduled[0], remote),
        names=first_of(names),
        address=address,
    )


def _what_became_of(entry: Entry | None) -> str:
    """Say what became of a cancelled mailing that is not scheduled; empty if nothing did."""
    state = None if entry is None else entry.state
    if (
        entry is not None
        and state not in (EntryState.WITHDRAWN, EntryState.UNKNOWN)
        and entry.was_sent_in_part
    ):
        if entry.is_complete:
            return sentence("it was sent before")
        return sentence("a part of it was already sent; the rest is not sent")
    if state is EntryState.WAITING:
        return sentence("its approval lapses with the next `apply --due`")
    if state is EntryState.DRAFT:
        return sentence("its draft stays at sms.by until you delete it there")
    return ""


def _name(scope: str, address: str, entry: Entry, index: int, remote: RemoteView | None) -> str:
    chunk = entry.chunks[index]
    listed = remote.find_sent(chunk) if remote is not None else None
    name = remote_name(scope, address, entry.revision, index, len(entry.chunks), chunk.fingerprint)
    if listed is not None:  # perhaps under its former address, or with the name of another program
        name = listed.name
    number = chunk.message_id if listed is None else listed.id
    if number is not None:
        return sentence("`{name}` (id {number})", name=name, number=number)
    if chunk.uuid:
        return sentence("`{name}` (uuid {uuid})", name=name, uuid=chunk.uuid)
    return sentence("`{name}`", name=name)
