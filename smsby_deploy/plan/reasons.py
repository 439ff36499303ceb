"""The sentences of a plan: why a mailing gets its action, and what to do.

diff.py has the rules.
"""

from __future__ import annotations

from datetime import datetime

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import DONE, ChunkState, Entry, EntryState
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.situation import Situation, is_past
from smsby_deploy.wording import first_of, sentence

ALREADY_SENT = sentence("sms.by already has it; apply only records it")
CHANGED_SINCE_APPROVAL = sentence(
    "it has changed since it was approved, so it is not sent; make and apply a new plan"
)
LISTED_WHILE_WAITING = sentence(
    "sms.by lists it although the lock records it as waiting, so this lock is outdated; the next apply records what was sent"
)
UNREADABLE_AND_GONE = sentence("sent; its files can no longer be read, but are not needed")
WHOLE_LIST = sentence("only_to: a contact list kept at sms.by cannot be limited to test phones")


def unknown_outcome(here: Situation) -> str:
    """Say which names to look for at sms.by, and how to record what was found."""
    entry, address = here.recorded_entry, here.desired.address
    count = len(here.recorded)
    names = [
        sentence(
            "`{name}`", name=remote_name(here.scope, address, entry.revision, index, count, chunk.fingerprint)
        )
        for index, (chunk, state) in enumerate(zip(entry.chunks, here.recorded, strict=True))
        if state is ChunkState.UNKNOWN
    ]
    return sentence(
        "an earlier request may or may not have been accepted; look at sms.by for {names}, then run "
        "`smsby-deploy lock resolve {address} --sent` or `--not-sent`",
        names=first_of(names),
        address=address,
    )


def lowered_revision(here: Situation) -> str:
    entry = here.recorded_entry
    revisions = {"last": entry.revision, "revision": here.desired.revision}
    if entry.was_sent_in_part:
        return sentence(
            "revision {last} was sent, the file says {revision}; raise it above {last} to send again",
            **revisions,
        )
    return sentence(
        "revision {last} is recorded, the file says {revision}; raise it above {last} to send again",
        **revisions,
    )


def other_content(here: Situation) -> str:
    return sentence(
        "its text, sender or time differs from what was sent; raise `revision` to {revision} to send it again, "
        "or restore the file",
        revision=here.recorded_entry.revision + 1,
    )


def other_chunks(here: Situation) -> str:
    return sentence(
        "it was sent in part, and its content, recipients, waves, chunk size, `via` or `body` has changed since; restore the "
        "files to send the rest (revision {revision} would send to all recipients again)",
        revision=here.recorded_entry.revision + 1,
    )


def frozen(why: str) -> str:
    return sentence("{why} (`freeze` in smsby.yaml)", why=why)


def not_rehearsed(environment: str) -> str:
    return sentence(
        "it was not sent with this content in the environment {environment}; run "
        "`smsby-deploy --env {environment} apply` first",
        environment=environment,
    )


def expired(here: Situation) -> str:
    first = min(filter(None, here.unsent_times))
    if here.is_begun and first != here.desired.schedule_time:
        return sentence(
            "the time of a chunk that was not sent, {time}, has passed; with `max_late` it is sent late, "
            "and with `smsby-deploy lock abandon {address}` the rest is never sent",
            time=first,
            address=here.desired.address,
        )
    return expired_since(first)


def expired_since(schedule_time: datetime) -> str:
    return sentence("its schedule_time {time} has passed; set a new one", time=schedule_time)


def overdue(mailing: Mailing) -> str:
    assert mailing.schedule_time is not None
    passed = sentence("its schedule_time {time} has passed", time=mailing.schedule_time)
    if mailing.window is not None:
        passed = sentence("it could be handed over until {time}", time=mailing.window.closes)
    return sentence(
        "{passed}, and it was never approved; set a new schedule_time, or cancel it with `cancelled: why`",
        passed=passed,
    )


def missed_window(here: Situation) -> str:
    assert here.next_window is not None
    return not_handed_over(here.next_window)


def not_handed_over(window: Window) -> str:
    return sentence(
        "its window for the hand-over closed at {time}; set a new schedule_time, or remove the mailing",
        time=window.closes,
    )


def held(here: Situation) -> str:
    """Say what this apply approves, and until when it can be withdrawn."""
    assert here.next_window is not None
    wait = _wait(here.next_window)
    if here.has_old_approval:
        return sentence("changed since it was approved; apply approves it, and {wait}", wait=wait)
    return sentence("apply approves it, and {wait}", wait=wait)


def waiting(here: Situation) -> str:
    assert here.next_window is not None
    return sentence("approved; {wait}", wait=_wait(here.next_window))


def _wait(window: Window) -> str:
    return sentence(
        "`apply --due` hands it over to sms.by between {opens} and {closes}; until {opens} it can be "
        "withdrawn",
        opens=window.opens,
        closes=window.closes,
    )


def due(here: Situation) -> str:
    assert here.next_window is not None
    return sentence(
        "approved; `apply --due` hands it over to sms.by before {closes}; until it has run, it can be "
        "withdrawn",
        closes=here.next_window.closes,
    )


def outdated_draft(here: Situation) -> str:
    return opted_out_since_draft(here.recorded_entry.revision)


def opted_out_since_draft(revision: int) -> str:
    """Say why a draft must not be confirmed: sms.by can change neither its list nor the draft."""
    return sentence(
        "opt-outs changed since its draft was made, and a draft cannot be changed: raise `revision` to {revision} "
        "for a new list (nothing was sent yet), and delete the draft at sms.by",
        revision=revision + 1,
    )


def draft_for_other_list(here: Situation) -> str:
    then, now = here.recorded_entry.contact_list, here.contact_list
    assert then is not None and now is not None
    return sentence(
        "its draft at sms.by was made for the contact list {then} (id {then_id}), and the files now mean "
        "{now} (id {now_id}): raise `revision` to {revision} for a new draft (nothing was sent "
        "yet), and delete the old one at sms.by",
        then=then.name,
        then_id=str(then.id),
        now=now.name,
        now_id=str(now.id),
        revision=here.recorded_entry.revision + 1,
    )


def unconfirmed_draft(here: Situation) -> str:
    is_recorded = here.is_begun and here.recorded_entry.contact_list is not None
    if here.contact_list is None or is_recorded:
        return sentence("its draft at sms.by is not confirmed yet")
    return sentence(
        "its draft at sms.by is not confirmed yet; the contact list it was made for is not recorded: check "
        "it at sms.by"
    )


def _is_ahead(here: Situation) -> bool:
    """Whether its time is yet to come; until then a mailing is not called sent."""
    recorded = None if here.entry is None else here.entry.last_time
    time = recorded or max(filter(None, here.desired.send_times), default=None)
    return time is not None and not is_past(time, here.now)


def _ending(here: Situation) -> str:
    ending = here.recorded_entry.ending
    assert ending is not None
    return str(ending.in_zone(here.zone))


def unchanged(here: Situation) -> str:
    if here.entry is not None and here.entry.is_abandoned:
        return _ending(here)
    said = sentence("scheduled, unchanged") if _is_ahead(here) else sentence("sent, unchanged")
    if here.has_new_content:
        said = sentence("{unchanged} except for what it shares with other mailings", unchanged=said)
    if here.entry is not None and here.entry.is_archived:
        return sentence("archived: {state}", state=said)
    return said


def abandoned(here: Situation) -> str:
    entry = here.recorded_entry
    ending = _ending(here)
    if entry.recipients is None:
        return sentence(
            "{ending}; sms.by accepted it for {count:,}, and the rest gets nothing",
            ending=ending,
            count=entry.accepted_recipients,
        )
    return sentence(
        "{ending}; sms.by accepted it for {count:,} of {total:recipient|recipients}, and the rest gets nothing",
        ending=ending,
        count=entry.accepted_recipients,
        total=entry.recipients,
    )


def rest(here: Situation) -> str:
    entry = here.recorded_entry
    if entry.transport == "single":
        sent = sum(chunk.phones.count(PhoneState.ACCEPTED) for chunk in entry.chunks if chunk.phones)
        return sentence("sent to {count:recipient|recipients}; the rest will be sent", count=sent)
    done = sum(state in DONE for state in here.recorded)
    return sentence(
        "{done} of {total} chunks {done:|was|were} sent; the rest will be sent",
        done=done,
        total=len(here.recorded),
    )


def first_send(here: Situation) -> str:
    if here.entry is None:
        return sentence("new")
    if here.is_raised:
        return sentence("revision {revision}", revision=here.desired.revision)
    return sentence("nothing was sent so far")


def upload_and_send(here: Situation) -> str:
    desired, entry = here.desired, here.entry
    if here.is_raised:
        return first_send(here)
    upload = entry.chunks[0].upload if entry is not None and len(entry.chunks) == 1 else None
    contacts = desired.audience.final
    is_current = upload is not None and upload.digest == desired.contacts
    if upload is None or not is_current or not upload.uploaded:
        if upload is None or is_current:
            return sentence(
                "{count:contact|contacts} will be uploaded to a list at sms.by; then it is sent to the list",
                count=contacts,
            )
        return sentence(
            "opt-outs changed: {count:contact|contacts} will be uploaded to a new list at sms.by; "
            "then it is sent to the list",
            count=contacts,
        )
    if upload.uploaded < contacts:
        return sentence(
            "{uploaded:,} of {count:contact|contacts} are in its list at sms.by; the others are uploaded, "
            "then it is sent to the list",
            uploaded=upload.uploaded,
            count=contacts,
        )
    return sentence(
        "its list at sms.by holds {count:contact|contacts}; it is sent to the list", count=contacts
    )


def audience_changed(here: Situation) -> str:
    said = (
        sentence("the audience changed after it was scheduled; nothing is sent to the new rows")
        if _is_ahead(here)
        else sentence("the audience changed after it was sent; nothing is sent to the new rows")
    )
    if here.is_scheduled:
        return sentence("{changed}; recipients who opted out since then cannot be counted", changed=said)
    return said


def changed_shared(here: Situation) -> str:
    if here.has_new_own_content is False:
        return sentence(
            "what it shares with other mailings (an included template, `defaults`, or a key of its campaign) changed "
            "after it was sent; nothing is sent because of that"
        )
    return sentence(
        "what it shares with other mailings (perhaps an included template, `defaults`, or a key of its campaign) changed "
        "after it was sent; nothing is sent because of that"
    )


def sent_again(here: Situation) -> str:
    """Say who got a lower revision, by the lock, otherwise by the list; empty if there is none."""
    revision, is_ahead = here.desired.revision, False
    if here.entry is not None:
        if here.sent_earlier is None:
            return ""
        entry, count = here.sent_earlier
        sent, is_ahead = (
            entry.revision,
            entry.last_time is not None and not is_past(entry.last_time, here.now),
        )
    else:
        if here.remote is None or here.is_rehearsal:
            return ""
        found = here.remote.find_earlier(here.desired.address, revision)
        if found is None:
            return ""
        sent, count = found
    if is_ahead:
        return sentence(
            "revision {revision} will be sent to up to {count:recipient|recipients} for whom revision {sent} is scheduled",
            revision=revision,
            count=count,
            sent=sent,
        )
    return sentence(
        "revision {revision} will be sent to up to {count:recipient|recipients} who already got revision {sent}",
        revision=revision,
        count=count,
        sent=sent,
    )


def cancelled(mailing: Mailing) -> str:
    return sentence("cancelled: {why}; no more of it is sent", why=mailing.cancelled)


def unknown_and_cancelled(address: str) -> str:
    return sentence(
        "it is cancelled, but an earlier request may or may not have been accepted; look at sms.by, then run "
        "`smsby-deploy lock resolve {address} --sent` or `--not-sent`",
        address=address,
    )


def orphaned(address: str, entry: Entry) -> str:
    if entry.state is EntryState.WAITING:
        return sentence(
            "approved, but no longer in the files: it is not sent, and the next `apply --due` records it as withdrawn, "
            "unless sms.by lists it"
        )
    if entry.has_unknown and entry.transport == "single":
        return sentence(
            "no longer in the files, but an earlier SMS may or may not have been sent: the lock has no phones, so `apply` "
            "cannot look for its delivery without them; restore its files, or look in the account and run `smsby-deploy lock "
            "resolve {address} --sent` or `--not-sent`",
            address=address,
        )
    if entry.has_unknown:
        return sentence(
            "no longer in the files, but an earlier request may or may not have been accepted: `apply` looks for it at "
            "sms.by; if it is not there, run `smsby-deploy lock resolve {address} --sent` or `--not-sent`",
            address=address,
        )
    return sentence("recorded ({state}), no longer in the files; apply leaves it as it is", state=entry.state)
