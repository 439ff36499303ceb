"""Mailings that resemble another one: renamed, copied, or sent to the same recipients.

The same mailing means the same text and sender, to the same recipients in any order and spelling. The text is the
template with everything it includes, so two mailings that differ only in the values of their rows are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.digest_key import NO_ROWS
from smsby_deploy.lock.archive import find_archived
from smsby_deploy.lock.records import Entry, Lock, NamedId
from smsby_deploy.lock.stored_mailings import find, known_fingerprints, read_some
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.fingerprint import RemoteName
from smsby_deploy.plan.model import NEW_COMMITTING, Action, ActionKind
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.wording import sentence

_RECENT = timedelta(days=90)
_MOST_COMPARED = 100  # the most mailings that one mailing is compared with
# For other actions, the lock records what is or was sent.
_BY_PLAN = NEW_COMMITTING | {ActionKind.ADOPT, ActionKind.BLOCKED}


class Planned(NamedTuple):
    """A mailing of the files that is compared with others.

    It has what the files ask for, and the current sender and list at sms.by.
    """

    desired: Desired
    alphaname: NamedId
    contact_list: NamedId | None


class Other(NamedTuple):
    """A mailing that a planned mailing may resemble.

    `recorded_at` is None for a mailing of the same plan; `phones` are its recipients, if they are kept. Unless `was_sent`, a
    recorded mailing may have been sent, or is a draft.
    """

    address: str
    revision: int
    alphaname: NamedId
    contact_list: NamedId | None
    content_digest: str
    audience_digest: str
    text_digest: str | None
    recipients_digest: str | None
    recorded_at: datetime | None
    send_time: datetime | None
    phones: PhoneSet | None = None
    was_sent: bool = False
    has_unknown: bool = False
    is_archived: bool = False
    last_time: datetime | None = None

    def is_scheduled(self, now: datetime) -> bool:
        """Whether sms.by has accepted a part of it, and has yet to send the last one."""
        return self.was_sent and self.last_time is not None and self.last_time > now

    @classmethod
    def of(cls, address: str, one: Entry | Action, revision: int, recorded_at: datetime | None) -> Other:
        return cls(
            address,
            revision,
            NamedId(one.alphaname, one.alphaname_id),
            one.contact_list,
            one.content_digest,
            one.audience_digest,
            one.text_digest,
            one.recipients_digest,
            recorded_at,
            one.send_time,
        )

    @classmethod
    def recorded(cls, address: str, entry: Entry) -> Other:
        return cls.of(address, entry, entry.revision, datetime.fromisoformat(entry.applied.at))._replace(
            was_sent=entry.was_sent_in_part,
            has_unknown=entry.has_unknown,
            is_archived=entry.is_archived,
            last_time=entry.last_time,
        )

    def has_text_of(self, planned: Planned) -> bool:
        """Whether text and sender are the same; older locks have one digest for them and the time."""
        if self.text_digest is None or planned.desired.text_digest is None:
            return planned.desired.has_content(self.content_digest)
        then, now = self.alphaname, planned.alphaname
        is_same_sender = then.name == now.name or (then.id is not None and then.id == now.id)
        return is_same_sender and self.text_digest == planned.desired.text_digest

    def has_recipients_of(self, planned: Planned) -> bool:
        """Whether the recipients are the same; older locks have only a digest of ordered rows."""
        desired, then, now = planned.desired, self.contact_list, planned.contact_list
        if then is not None and now is not None and None not in (then.id, now.id):
            return then.id == now.id
        if self.recipients_digest is not None and desired.recipients_digest is not None:
            return self.recipients_digest == desired.recipients_digest
        # No rows: a list kept at sms.by, which only the content identifies.
        is_distinct = self.audience_digest != NO_ROWS or desired.has_content(self.content_digest)
        return self.audience_digest == desired.audience_digest and is_distinct


_UnexplainedNames = tuple[str, int, list[RemoteName]]  # address, revision, and the names under it


class SentMailings:
    """The recorded mailings that may have reached a recipient, in each of their revisions.

    `in_files` are the addresses in the files that are not cancelled, `desired` the mailings of the files that were read,
    `archived` the addresses in the archive, and `now` the time of the plan. Only recorded and archived mailings that may
    resemble one of `desired` are read.
    """

    def __init__(
        self,
        lock: Lock,
        in_files: Iterable[str],
        desired: Sequence[Desired],
        now: datetime,
        archived: frozenset[str] = frozenset(),
    ) -> None:
        self._in_files = frozenset(in_files)
        self._expected = {one.address: one.fingerprints for one in desired}
        self._lock, self._now, self._archived = lock, now, archived
        self._unexplained: tuple[RemoteView, list[_UnexplainedNames]] | None = None
        digests = {digest for one in desired for digest in chain(*_digests_of(one))}
        alike = find(lock.mailings, lambda file: file.with_digest(digests))
        entries = ((address, lock.mailings[address]) for address in alike)
        recorded = [(address, one) for address, entry in entries for one in entry.revisions]
        if archived:
            recorded += _read_archived(lock, desired, now)
        self._others = [
            Other.recorded(address, one)
            for address, one in recorded
            if one.may_have_reached and not one.is_withdrawn
        ]
        self._orphans = _Index(other for other in self._others if other.address not in self._in_files)

    def find_renamed(self, planned: Planned) -> Other | None:
        """Return the same mailing under an address that the files no longer send, or None.

        A higher revision sends it again on purpose, unless it is unknown who got the old one, or the old one is not gone.
        """
        for other in self._orphans.find(planned):
            is_same = other.has_text_of(planned) and other.has_recipients_of(planned)
            is_open = other.has_unknown or other.is_scheduled(self._now)
            if is_same and (is_open or other.revision >= planned.desired.revision):
                return other
        return None

    def entry_of(self, other: Other) -> Entry | None:
        """Return the record of `other`; None if it is in the archive."""
        entry = self._lock.mailings.get(other.address)
        revisions = () if entry is None else entry.revisions
        return next((one for one in revisions if one.revision == other.revision), None)

    def find_listed(self, desired: Desired, remote: RemoteView) -> RemoteName | None:
        """Return the same mailing as sms.by lists it under another address, or None.

        The lock does not have it as sent, and the files send no mailing or another one under that address, so the mailing
        was renamed or cancelled, and the lock is lost or outdated. A lower revision counts only as long as it is not gone.
        """
        if self._unexplained is None or self._unexplained[0] is not remote:
            self._unexplained = remote, list(self._find_unexplained(remote))
        for address, revision, names in self._unexplained[1]:
            if address == desired.address:
                continue
            if revision < desired.revision:
                names = [name for name in names if remote.is_ahead(name, self._now)]
            if not names:
                continue
            marks = desired.fingerprints_as(remote.scope, address, revision)
            found = next((name for name in names if name.fingerprint in marks), None)
            if found is not None and not self.is_recorded(found, desired.address):
                return found
        return None

    def is_recorded(self, listed: RemoteName, address: str) -> bool:
        """Whether the lock has the mailing of this listed name at `address`, or as sent elsewhere."""
        mark, mailings = listed.fingerprint, self._lock.mailings
        for found in find(mailings, lambda file: file.with_chunk([mark], frozenset())):
            revisions = mailings[found].revisions
            if any(
                mark in one.fingerprints and (found == address or one.may_have_reached) for one in revisions
            ):
                return True
        return False

    def _find_unexplained(self, remote: RemoteView) -> Iterator[_UnexplainedNames]:
        """Yield the listed names, by address and revision, that neither lock nor files explain."""
        mailings = self._lock.mailings
        marks = known_fingerprints(
            mailings, {one.fingerprint for names in remote.own.values() for one in names}
        )
        unfinished = set(find(mailings, lambda file: file.unfinished()))
        doubtful = unfinished & {address for address, _ in remote.own}
        sent = {
            address: {mark for one in entry.revisions if one.may_have_reached for mark in one.fingerprints}
            for address, entry in read_some(mailings, doubtful)
        }
        for (address, revision), names in remote.own.items():
            is_unread = address in self._in_files and address not in self._expected
            if address in self._archived or is_unread:
                continue
            expected, known = self._expected.get(address, ()), sent.get(address, marks)
            marked = (one for one in names if one.fingerprint not in known)
            if unexplained := [one for one in marked if one.fingerprint not in expected]:
                yield address, revision, unexplained

    def recent(self) -> Iterator[Other]:
        """Yield the mailings that were recorded in the last 90 days, as far as they were read."""
        start = self._now - _RECENT
        return (other for other in self._others if other.recorded_at and other.recorded_at >= start)


def _digests_of(one: Desired) -> tuple[list[str], list[str]]:
    """Return the digests that find mailings with the same text, and with the same recipients."""
    texts = filter(None, (one.text_digest, one.content_digest, one.former_content))
    return [*texts], [*filter(None, (one.recipients_digest, one.audience_digest))]


def _read_archived(lock: Lock, desired: Iterable[Desired], now: datetime) -> Iterator[tuple[str, Entry]]:
    """Yield each revision of the archived mailings that may resemble an unfinished one."""
    texts: set[str] = set()
    recipients: set[str] = set()
    for one in desired:
        entry = lock.mailings.get(one.address)
        if entry is not None and entry.is_complete and entry.revision >= one.revision:
            continue
        own_texts, own_audiences = _digests_of(one)
        texts.update(own_texts)
        recipients.update(own_audiences)
    for address, entry in find_archived(lock, texts, recipients, now - _RECENT):
        if address not in lock.mailings:
            yield from ((address, replace(old, is_archived=True)) for old in entry.revisions)


class _Index:
    """Mailings by each of their digests."""

    def __init__(self, others: Iterable[Other]) -> None:
        self._by_digest: dict[str, list[Other]] = {}
        for other in others:
            digests = (
                other.text_digest,
                other.content_digest,
                other.recipients_digest,
                other.audience_digest,
            )
            for digest in filter(None, digests):
                self._by_digest.setdefault(digest, []).append(other)

    def find(self, planned: Planned) -> Iterator[Other]:
        """Yield the mailings that share a digest with `planned`, perhaps more than once."""
        for digest in chain(*_digests_of(planned.desired)):
            yield from self._by_digest.get(digest, ())


class _Likeness(NamedTuple):
    """What a mailing has in common with another one; a higher `rank` means more.

    `common` is the number of recipients in both; None if it cannot be determined.
    """

    has_same_text: bool
    has_same_recipients: bool
    common: int | None
    other: Other

    @property
    def rank(self) -> tuple[bool, bool, int, bool]:
        common = -1 if self.common is None else self.common
        return self.has_same_text, self.has_same_recipients, common, self.other.recorded_at is not None


class Similar(NamedTuple):
    """A warning that a mailing resembles `other`, with `common` recipients; None if unknown."""

    warning: Problem
    other: str
    common: int | None


def find_similar(
    actions: Iterable[Action],
    mailings: Mapping[str, tuple[Mailing, Desired]],
    sent: SentMailings,
    suppressed: PhoneSet,
    zone: ZoneInfo,
) -> Iterator[Similar]:
    """Warn about each mailing that would be sent for the first time and resembles another one.

    The other one is in the plan, or was recorded in the last 90 days. If there are several, the warning names the most
    similar one; a blocked one only if there is no other. Times are shown in `zone`.
    """
    actions = list(actions)
    recorded = (_with_phones(other, mailings) for other in sent.recent())
    in_plan = (
        Other.of(one.address, one, desired.revision, None)._replace(phones=desired.phones)
        for one in sorted(actions, key=lambda one: one.action is ActionKind.BLOCKED)
        if one.action in _BY_PLAN and one.address in mailings
        for _, desired in (mailings[one.address],)
    )
    index = _Index([*recorded, *in_plan])
    for action in actions:
        if action.action in NEW_COMMITTING:
            mailing, desired = mailings[action.address]
            planned = Planned(desired, NamedId(action.alphaname, action.alphaname_id), action.contact_list)
            most = _find_most_similar(planned, index, suppressed)
            if most is not None:
                warning = _warn(most, action.address, mailing.location, zone)
                yield Similar(warning, most.other.address, most.common)


def _find_most_similar(planned: Planned, index: _Index, suppressed: PhoneSet) -> _Likeness | None:
    found = (other for other in index.find(planned) if other.address != planned.desired.address)
    others = islice(dict.fromkeys(islice(found, 2 * _MOST_COMPARED)), _MOST_COMPARED)
    likenesses = [_compare(planned, other, suppressed) for other in others]
    real = [one for one in likenesses if one.has_same_text or one.has_same_recipients]
    return max(real, key=lambda one: one.rank, default=None)


def _compare(planned: Planned, other: Other, suppressed: PhoneSet) -> _Likeness:
    has_same_recipients, phones, common = other.has_recipients_of(planned), planned.desired.phones, None
    if has_same_recipients:
        common = planned.desired.recipients
    elif phones is not None and other.phones is not None:
        common = phones.count_common(other.phones, suppressed)
    return _Likeness(other.has_text_of(planned), has_same_recipients, common, other)


def _warn(found: _Likeness, address: str, location: Location, zone: ZoneInfo) -> Problem:
    what = sentence("recipients")
    if found.has_same_text:
        what = (
            sentence("text, sender and recipients")
            if found.has_same_recipients
            else sentence("text and sender")
        )
    overlap = sentence("it is unknown how many recipients are in both")
    if found.common is not None:
        overlap = (
            sentence("{count:recipient is|recipients are} in both", count=found.common)
            if found.common
            else sentence("no recipient is in both")
        )
    message = sentence(
        "same {what} as {other} ({when}): {overlap}; check that both are intended",
        what=what,
        other=found.other.address,
        when=describe_time(found.other, zone),
        overlap=overlap,
    )
    code = "SAME_TEXT" if found.has_same_text else "SAME_PEOPLE"
    return Problem(Severity.WARNING, code, message, address, location)


def describe_time(other: Other, zone: ZoneInfo) -> str:
    """Say when a mailing was recorded, or when the plan would send it."""
    if other.recorded_at is not None:
        return sentence("recorded on {time}", time=other.recorded_at.astimezone(zone))
    if other.send_time is None:
        return sentence("in this plan, sent on apply")
    return sentence("in this plan, for {time}", time=other.send_time)


def _with_phones(other: Other, mailings: Mapping[str, tuple[Mailing, Desired]]) -> Other:
    """Add the recipients of a recorded mailing if the files still have the same ones."""
    if other.address not in mailings or other.recipients_digest is None:
        return other
    _, desired = mailings[other.address]
    is_same = desired.recipients_digest == other.recipients_digest
    return other._replace(phones=desired.phones) if is_same else other
