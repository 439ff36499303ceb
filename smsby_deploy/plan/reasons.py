"""The sentences of a plan: why a mailing gets its action, and what to do.

Nothing is decided here; the rules are in diff.py, the facts in situation.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import DONE, ChunkState, Entry, EntryState
from smsby_deploy.plan.fingerprint import RemoteName, remote_name
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.similar import Other
from smsby_deploy.plan.situation import Situation, is_past
from smsby_deploy.wording import counted, first_of, time_text, window_text

_MOST_OPTIONS = 5  # messages of a collision that the suggested command names


def unknown_outcome(here: Situation) -> str:
    """Say under which name to look for the unknown chunks, and how to record what was found."""
    entry, address = here.recorded_entry, here.desired.address
    names = [
        f"`{remote_name(here.project, address, entry.revision, index, len(here.recorded), chunk.fingerprint)}`"
        for index, (chunk, state) in enumerate(zip(entry.chunks, here.recorded, strict=True))
        if state is ChunkState.UNKNOWN
    ]
    return (
        f"an earlier request may or may not have been accepted; look at sms.by for {first_of(names)}, then run "
        f"`smsby-deploy lock resolve {address} --sent` or `--not-sent`"
    )


def lowered_revision(here: Situation) -> str:
    entry = here.recorded_entry
    last, what = entry.revision, "was sent" if entry.was_sent_in_part else "is recorded"
    return (
        f"revision {last} {what}, the file says {here.desired.revision}; raise it above {last} to send again"
    )


def other_content(here: Situation) -> str:
    return (
        "its text, sender or time differs from what was sent; raise `revision` to "
        f"{here.recorded_entry.revision + 1} to send it again, or restore the file"
    )


def other_chunks(here: Situation) -> str:
    return (
        "it was sent in part, and its content, recipients, chunk size, `via` or `body` has changed since; restore the "
        f"files to send the rest (revision {here.recorded_entry.revision + 1} would send to all recipients again)"
    )


def listed_in_part(here: Situation) -> str:
    listed = len(here.listed) - here.listed.count(ChunkState.UNKNOWN)
    whole = " as sent to all recipients" if here.desired.via == "single" else ""
    return (
        f"sms.by lists {listed} of its {len(here.listed)} chunks{whole}, the lock none; a chunk that is not listed may "
        f"have been sent: see `smsby-deploy lock resolve {here.desired.address}`"
    )


def collision(here: Situation) -> str:
    if here.is_rehearsal:  # an earlier version of it was rehearsed
        return ""
    desired = here.desired
    return find_collision(here.project, desired.address, desired.revision, desired.fingerprints, here.remote)


def find_collision(
    project: str, address: str, revision: int, fingerprints: Sequence[str], remote: RemoteView | None
) -> str:
    """Say which other mailing sms.by lists under this address and revision.

    Empty if there is none.
    """
    if remote is None:
        return ""
    others = remote.other_fingerprints(address, revision, frozenset(fingerprints))
    ids = [str(remote.by_fingerprint[mark].id) for mark in others]
    options = " ".join(
        f"--message-id {number}" for number in (ids if 0 < len(ids) <= _MOST_OPTIONS else ["N"])
    )
    ways = f"`smsby-deploy import {address} {options}`, restore the lock, or raise `revision`"
    if others:
        return f"sms.by has it under another fingerprint (#{others[0]}): {ways}"
    if remote.truncated_name(project, address, revision):
        return f"sms.by lists a mailing whose truncated name begins like this one: {ways}"
    return ""


def listed_as(here: Situation, listed: RemoteName) -> str:
    """Say what to do about a mailing that was renamed and whose record was lost."""
    old = listed.address
    return (
        f"sms.by lists {old}, with the same text and recipients, but neither the files nor the lock have it; if it was "
        f"renamed, restore the lock, or name it {old} again, apply, rename it, and run "
        f"`smsby-deploy lock move {old} {here.desired.address}`; to send it again, raise `revision` to {listed.revision + 1}"
    )


def renamed(here: Situation, sent_as: Other) -> str:
    """Say how to keep the record of a renamed mailing, and how to send it again on purpose."""
    old = sent_as.address
    outcome = (
        "was sent" if sent_as.was_sent else "may have been sent" if sent_as.has_unknown else "has a draft"
    )
    again = (
        f"first settle it with `smsby-deploy lock resolve {old} --sent` or `--not-sent`"
        if sent_as.has_unknown
        else f"to send it again, raise `revision` to {sent_as.revision + 1}"
    )
    if sent_as.is_archived:
        return f"{old}, with the same text and recipients, {outcome} and is archived; remove it, or {again}"
    return (
        f"{old}, with the same text and recipients, {outcome}; if it was renamed, run "
        f"`smsby-deploy lock move {old} {here.desired.address}`; {again}"
    )


def frozen(why: str) -> str:
    return f"{why} (`freeze` in smsby.yaml)"


def whole_list() -> str:
    return "only_to: a contact list kept at sms.by cannot be limited to test phones"


def not_rehearsed(environment: str) -> str:
    return (
        f"it was not sent with this content in the environment {environment}; run "
        f"`smsby-deploy --env {environment} apply` first"
    )


def expired(here: Situation) -> str:
    first = min(filter(None, here.unsent_times))
    if here.is_begun and first != here.desired.schedule_time:
        return (
            f"the time of a chunk that was not sent, {time_text(first)}, has passed; with `max_late` it is sent late, "
            f"and with `smsby-deploy lock abandon {here.desired.address}` the rest is never sent"
        )
    return expired_since(first)


def expired_since(schedule_time: datetime) -> str:
    return f"its schedule_time {time_text(schedule_time)} has passed; set a new one"


def overdue(mailing: Mailing) -> str:
    assert mailing.schedule_time is not None
    passed = f"its schedule_time {time_text(mailing.schedule_time)} has passed"
    if mailing.window is not None:
        passed = f"it could be handed over until {time_text(mailing.window.closes)}"
    return f"{passed}, and it was never approved; set a new schedule_time, or say with `cancelled: why` that it is not sent"


def missed_window(here: Situation) -> str:
    assert here.next_window is not None
    return not_handed_over(here.next_window)


def not_handed_over(window: Window) -> str:
    return (
        f"it was to be handed over to sms.by until {time_text(window.closes)}, and was not; set a new schedule_time, or "
        "remove it"
    )


def held(here: Situation) -> str:
    """Say what this apply approves, and until when that can be taken back."""
    assert here.next_window is not None
    again = "changed since it was approved; " if here.has_old_approval else ""
    return f"{again}apply approves it, and {_wait(here.next_window)}"


def waiting(here: Situation) -> str:
    assert here.next_window is not None
    return f"approved; {_wait(here.next_window)}"


def _wait(window: Window) -> str:
    opens = time_text(window.opens)
    return f"`apply --due` hands it over to sms.by {window_text(window)}; until {opens} it can be taken back"


def due(here: Situation) -> str:
    assert here.next_window is not None
    return (
        f"approved; `apply --due` hands it over to sms.by, until {time_text(here.next_window.closes)}; until it has run "
        "it can be taken back"
    )


def not_approved(here: Situation) -> str:
    return changed_since_approval()


def changed_since_approval() -> str:
    return "it has changed since it was approved, so it is not sent; apply a new plan of it"


def outdated_draft(here: Situation) -> str:
    return opted_out_since_draft(here.recorded_entry.revision)


def opted_out_since_draft(revision: int) -> str:
    """Say why the draft for an uploaded list must not be confirmed.

    sms.by can change neither list nor draft.
    """
    return (
        f"opt-outs changed since its draft was made, and a draft cannot be changed: raise `revision` to {revision + 1} "
        "for a new list (nothing was sent yet), and delete the draft at sms.by"
    )


def draft_for_other_list(here: Situation) -> str:
    then, now = here.recorded_entry.contact_list, here.contact_list
    assert then is not None and now is not None
    return (
        f"its draft at sms.by was made for the contact list {then.name} (id {then.id}), and the files now mean "
        f"{now.name} (id {now.id}): raise `revision` to {here.recorded_entry.revision + 1} for a new draft (nothing was sent "
        "yet), and delete the old one at sms.by"
    )


def unconfirmed_draft(here: Situation) -> str:
    reason = "its draft at sms.by is not confirmed yet"
    is_recorded = here.is_begun and here.recorded_entry.contact_list is not None
    if here.contact_list is None or is_recorded:
        return reason
    return f"{reason}; for which contact list it was made is not recorded: check it at sms.by"


def already_sent(here: Situation) -> str:
    return "sms.by already has it; apply only records it"


def _accepted_as(here: Situation) -> str:
    """The word for what sms.by accepted: before its time a mailing is not called sent."""
    recorded = None if here.entry is None else here.entry.last_time
    time = recorded or max(filter(None, here.desired.send_times), default=None)
    return "sent" if time is None or is_past(time, here.now) else "scheduled"


def unchanged(here: Situation) -> str:
    if here.entry is not None and here.entry.is_abandoned:
        return str(here.entry.ending)
    own = " in what is its own" if here.has_new_content else ""
    archived = "archived: " if here.entry is not None and here.entry.is_archived else ""
    return f"{archived}{_accepted_as(here)}, unchanged{own}"


def abandoned(here: Situation) -> str:
    entry = here.recorded_entry
    total = "" if entry.recipients is None else f" of {counted(entry.recipients, 'recipient')}"
    return f"{entry.ending}; sms.by accepted it for {entry.accepted_recipients:,}{total}, and the rest gets nothing"


def rest(here: Situation) -> str:
    entry = here.recorded_entry
    if entry.transport == "single":
        sent = sum(chunk.phones.count(PhoneState.ACCEPTED) for chunk in entry.chunks if chunk.phones)
        return f"sent to {counted(sent, 'recipient')}; the rest will be sent"
    done = sum(state in DONE for state in here.recorded)
    return f"{done} of {len(here.recorded)} chunks were sent; the rest will be sent"


def first_send(here: Situation) -> str:
    if here.entry is None:
        return "new"
    if here.is_raised:
        return f"revision {here.desired.revision}"
    return "nothing was sent so far"


def upload_and_send(here: Situation) -> str:
    desired, entry = here.desired, here.entry
    if here.is_raised:
        return first_send(here)
    upload = entry.chunks[0].upload if entry is not None and len(entry.chunks) == 1 else None
    contacts = counted(desired.audience.final, "contact")
    is_current = upload is not None and upload.digest == desired.contacts
    if upload is None or not is_current or not upload.uploaded:
        if upload is None or is_current:
            return f"{contacts} will be uploaded to a list at sms.by; then it is sent to the list"
        return f"opt-outs changed: {contacts} will be uploaded to a new list at sms.by; then it is sent to the list"
    if upload.uploaded < desired.audience.final:
        return (
            f"{upload.uploaded:,} of {contacts} are in its list at sms.by; the others are uploaded, "
            "then it is sent to the list"
        )
    return f"its list at sms.by holds {contacts}; it is sent to the list"


def audience_changed(here: Situation) -> str:
    doubt = "; whether recipients opted out since cannot be counted" if here.is_scheduled else ""
    return f"the audience changed after it was {_accepted_as(here)}; nothing is sent to the new rows{doubt}"


def changed_shared(here: Situation) -> str:
    perhaps = "" if here.has_new_own_content is False else "perhaps "
    return (
        f"what it shares with other mailings ({perhaps}an included template, `defaults`, or a key of its campaign) changed "
        "after it was sent; nothing is sent because of that"
    )


def sent_again(here: Situation) -> str:
    sent = here.recorded_entry.revision
    recipients = counted(here.sent_earlier, "recipient")
    got = (
        f"for whom revision {sent} is scheduled"
        if _accepted_as(here) == "scheduled"
        else f"who already got revision {sent}"
    )
    return f"revision {here.desired.revision} will be sent to up to {recipients} {got}"


def cancelled(mailing: Mailing) -> str:
    return f"cancelled: {mailing.cancelled}; nothing more of it is sent"


def unknown_and_cancelled(address: str) -> str:
    return (
        "it is cancelled, but an earlier request may or may not have been accepted; look at sms.by, then run "
        f"`smsby-deploy lock resolve {address} --sent` or `--not-sent`"
    )


def unreadable_and_gone() -> str:
    return "sent; its files cannot be read any more, and are not needed"


def orphaned(entry: Entry) -> str:
    if entry.state is EntryState.WAITING:
        return "approved, but no longer in the files: it is not sent, and the next `apply --due` records it as withdrawn"
    return f"recorded ({entry.state}), no longer in the files; nothing happens"
