"""Make a plan: files, lock and remote list in, one action a mailing out. Nothing here can send."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from smsby_deploy import __version__
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import ContactList, Mailing, Project, RecipientsFile
from smsby_deploy.config.project_loader import LoadedProject, campaign_inputs
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.lock.records import DONE, Entry, Lock
from smsby_deploy.lock.serialization import entry_digest
from smsby_deploy.plan.budget import hold_budget
from smsby_deploy.plan.chunk_cache import Keep, keep_nothing
from smsby_deploy.plan.content_policy import ContentPolicy
from smsby_deploy.plan.desired_state import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.diff import Verdict, diff_mailing
from smsby_deploy.plan.drift import find_differences, intended_by_files, intended_by_lock
from smsby_deploy.plan.fingerprint import canonical_json
from smsby_deploy.plan.guardrails import check_mailing
from smsby_deploy.plan.model import SENDING, STARTING, Action, ActionKind, LockStamp, Plan
from smsby_deploy.plan.progress_callback import NOBODY, ReadProgress
from smsby_deploy.plan.remote_state import view_remote
from smsby_deploy.plan.validation import measure
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.texts.template import included_files

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient  # which an offline plan has no use for

TOOL = f"smsby-deploy {__version__}"


@dataclass(frozen=True, slots=True)
class Names:
    """alphaname and list names of the account → their ids; None offline."""

    alphanames: dict[str, int] | None
    lists: dict[str, int] | None

    def alphaname_id(self, name: str) -> int | None:
        if name.isdigit():
            return int(name)
        return None if self.alphanames is None else self.alphanames.get(name)

    def knows_list(self, ref: str) -> bool:
        """Whether the account has the list, by its name or its id; offline nobody can tell, so it may."""
        if self.lists is None:
            return True
        return ref in self.lists or (ref.isdigit() and int(ref) in self.lists.values())

    def list_id(self, ref: str) -> int | None:
        if self.lists is not None and ref in self.lists:
            return self.lists[ref]
        return int(ref) if ref.isdigit() else None


def read_names(client: ReadClient | None, mailings: Iterable[Mailing]) -> Names:
    """The names that `mailings` need, asked only if one needs them."""
    wanted = list(mailings)
    alphanames = lists = None
    if client is not None:
        if any(not mailing.alphaname.isdigit() for mailing in wanted):
            alphanames = {item.name: item.id for item in client.get_alphanames()}
        if any(isinstance(mailing.audience, ContactList) for mailing in wanted):
            lists = {item.name: item.id for item in client.get_subscriber_lists()}
    return Names(alphanames, lists)


def select_mailings(
    loaded: LoadedProject, lock: Lock, select: Sequence[str]
) -> tuple[list[Mailing], list[str]]:
    """The mailings and the orphans (recorded, no longer in the files) that `select` names; all if it is empty.

    While a campaign can't be read nothing is called an orphan: it may stand there.

    Raises:
        UsageError: a pattern that fits nothing.
        FilesInvalid: it fits nothing, and files that could hold it are not valid.
    """
    mailings = {mailing.address: mailing for mailing in loaded.project.mailings}
    known = [*mailings, *(address for address in sorted(lock.mailings) if address not in mailings)]
    chosen = set(known) if not select else set()
    for pattern in select:
        hits = fnmatch.filter(known, pattern)
        if not hits and not loaded.is_whole:
            raise FilesInvalid(loaded.problems)
        if not hits:
            near = difflib.get_close_matches(pattern, known, n=3)
            raise UsageError(
                f"no mailing fits {pattern!r}",
                hint=f"did you mean {', '.join(near)}?"
                if near
                else "addresses are campaign/mailing, `*` stands for any",
            )
        chosen.update(hits)
    return [mailings[a] for a in known if a in chosen and a in mailings], [
        a for a in known if a in chosen and a not in mailings and loaded.is_whole
    ]


def make_plan(
    loaded: LoadedProject,
    *,
    select: tuple[str, ...],
    client: ReadClient | None,
    account: str | None,
    lock: Lock,
    clock: Clock,
    new_id: str,
    watch: ReadProgress = NOBODY,
    keep: Keep = keep_nothing,
) -> Plan:
    """The plan of what `select` names. Without a client it is made offline: no remote list, no ids. `keep` gets the chunks
    of what may be sent by sendBulkSms.

    Raises:
        UsageError: a pattern that fits nothing.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    project = loaded.project
    mailings, orphans = select_mailings(loaded, lock, select)
    suppressed, problems = load_suppression(project.suppress)
    found = [*loaded.problems, *problems]
    names = read_names(client, mailings)
    remote = view_remote(project.name, client.get_sms_messages()) if client is not None else None
    now = clock.now()
    found.extend(_unknown_names(mailings, names))
    actions: list[Action] = []
    snapshots: dict[str, str] = {}  # of queries, by their names among the inputs
    for mailing in watch.over(mailings):
        words = ContentPolicy(project.guardrails)
        entry = lock.mailings.get(mailing.address)
        is_done = entry is not None and entry.is_complete and entry.revision == mailing.revision
        keeps = keep_nothing if is_done or mailing.via != "bulk" else keep
        desired, own = measure(project, mailing, suppressed, words, watch, keeps)
        found.extend(own)
        if desired is None:
            continue
        # Too late is what is past schedule_time by more than max_late.
        judged_at = now - (mailing.max_late or timedelta(0))
        verdict = diff_mailing(project.name, desired, entry, remote, judged_at)
        if entry is None and verdict.action in STARTING:
            verdict = _check_renamed(desired, lock, project, verdict)
        if verdict.action in SENDING:
            breaches = check_mailing(project.guardrails, mailing, desired, now, words=words)
            if breaches:
                reasons = "; ".join(breach.message for breach in breaches)
                verdict = Verdict(ActionKind.BLOCKED, f"guardrail: {reasons}", verdict.states)
            else:
                found.extend(_lateness(mailing, now))
        if verdict.note:
            code = "SENT_AGAIN" if verdict.action in STARTING else "AUDIENCE_CHANGED"
            found.append(_note(mailing, code, verdict.note))
        if remote is not None:
            if entry is not None:
                meant = intended_by_lock(mailing.address, entry, mailing)
                found.extend(find_differences(meant, entry.chunks, remote))
            if entry is None or entry.revision != mailing.revision:
                found.extend(find_differences(intended_by_files(mailing), desired.chunks, remote))
        actions.append(make_action(project, mailing, desired, verdict, names))
        if desired.snapshot is not None:
            snapshots[f"sql:{mailing.address}"] = desired.snapshot
    for mailing in loaded.flawed if not select else ():
        found.extend(measure(project, mailing, suppressed, None, watch)[1])
    actions = hold_budget(project, actions, lock, now)
    for address in orphans:
        actions.append(_orphan(address, lock.mailings[address]))
        if remote is not None:
            gone = intended_by_lock(address, lock.mailings[address], None)
            found.extend(find_differences(gone, lock.mailings[address].chunks, remote))
    addresses = {action.address for action in actions}
    return Plan(
        id=new_id,
        created_at=now.isoformat(timespec="seconds"),
        project=project.name,
        account=account if client is not None else None,
        tool=TOOL,
        select=select,
        inputs=hash_inputs(project, mailings) | snapshots,
        lock=LockStamp(
            lock.serial,
            lock.lineage,
            {a: entry_digest(e) for a, e in sorted(lock.mailings.items()) if a in addresses},
        ),
        actions=tuple(actions),
        problems=tuple(found),
        currency=project.price.currency if project.price else None,
        exempt=_exempt_inputs(project, mailings) | (_finished(actions) & snapshots.keys()),
    )


def _lateness(mailing: Mailing, now: datetime) -> Iterable[Problem]:
    """That a mailing goes out after its time, which `max_late` allows."""
    schedule, place = mailing.schedule_time, mailing.schedule_location or mailing.location
    if schedule is not None and mailing.max_late is not None and schedule <= now:
        minutes = int((now - schedule).total_seconds() // 60)
        most = int(mailing.max_late.total_seconds() // 60)
        message = f"its time passed {minutes} min ago: it goes out at once, max_late allows {most} min"
        yield Problem(Severity.WARNING, "LATE", message, mailing.address, place)


def make_action(
    project: Project, mailing: Mailing, desired: Desired, verdict: Verdict, names: Names
) -> Action:
    """The action as the plan shows it."""
    is_list = isinstance(mailing.audience, ContactList)
    schedule = mailing.schedule_time
    digest = hashlib.sha256(canonical_json([desired.content_digest, desired.audience_digest])).hexdigest()
    action = Action(
        address=mailing.address,
        action=verdict.action,
        reason=verdict.reason,
        via=desired.via,
        recipients=None if is_list else desired.audience.final,
        parts=desired.parts,
        cost=desired.cost,
        gsm7=desired.gsm7,
        ucs2=desired.ucs2,
        alphaname=mailing.alphaname,
        alphaname_id=names.alphaname_id(mailing.alphaname),
        schedule_time=schedule.isoformat() if schedule else None,
        digest=digest,
        content_digest=desired.content_digest,
        audience_digest=desired.audience_digest,
        chunks=desired.chunks,
        audience=desired.audience,
    )
    return _only_rest(action, desired, verdict) if verdict.action is ActionKind.RESUME else action


def _only_rest(action: Action, desired: Desired, verdict: Verdict) -> Action:
    """A mailing that is resumed counts only what is still to go out: the rest was paid for before."""
    phones = verdict.left or (None,) * len(desired.amounts)
    left = [
        amount if people is None else amount.of(people)
        for amount, state, people in zip(desired.amounts, verdict.states, phones, strict=True)
        if state not in DONE
    ]
    costs = [amount.cost for amount in left if amount.cost is not None]
    return replace(
        action,
        recipients=sum(amount.recipients for amount in left),
        parts=sum(amount.parts for amount in left),
        cost=None if action.cost is None else sum(costs, Decimal(0)),
        gsm7=sum(amount.gsm7 for amount in left),
        ucs2=sum(amount.ucs2 for amount in left),
    )


def _orphan(address: str, entry: Entry) -> Action:
    chunks = tuple(ChunkPlan(chunk.fingerprint, chunk.recipients, chunk.digest) for chunk in entry.chunks)
    return Action(
        address=address,
        action=ActionKind.ORPHAN,
        reason=f"recorded ({entry.state}), no longer in the files: nothing happens",
        via=entry.transport,
        recipients=entry.recipients,
        parts=entry.parts,
        cost=None if entry.cost is None else Decimal(entry.cost),
        gsm7=0,
        ucs2=0,
        alphaname=entry.alphaname,
        alphaname_id=entry.alphaname_id,
        schedule_time=entry.schedule_time,
        digest=hashlib.sha256(canonical_json([entry.content_digest, entry.audience_digest])).hexdigest(),
        content_digest=entry.content_digest,
        audience_digest=entry.audience_digest,
        chunks=chunks,
        audience=AudienceCounts(),
    )


def _check_renamed(desired: Desired, lock: Lock, project: Project, verdict: Verdict) -> Verdict:
    """A mailing that equals one that is gone from the files was renamed; sent anew, people would get it twice."""
    in_files = {mailing.address for mailing in project.mailings}
    for address, entry in lock.mailings.items():
        if (
            address not in in_files
            and entry.was_sent_in_part
            and (entry.content_digest, entry.audience_digest)
            == (desired.content_digest, desired.audience_digest)
        ):
            return Verdict(
                ActionKind.BLOCKED,
                f"collision: the same text to the same people was sent as {address}; if it was renamed: "
                f"`smsby-deploy lock move {address} {desired.address}`",
                verdict.states,
            )
    return verdict


def _unknown_names(mailings: Iterable[Mailing], names: Names) -> Iterator[Problem]:
    """Senders and lists that the account does not have, each place once, however many mailings it stands for."""
    wanting: dict[tuple[str, str, Location], list[str]] = {}
    for mailing in mailings:
        if names.alphanames is not None and names.alphaname_id(mailing.alphaname) is None:
            key = ("UNKNOWN_ALPHANAME", mailing.alphaname, mailing.alphaname_location)
            wanting.setdefault(key, []).append(mailing.address)
        if isinstance(mailing.audience, ContactList) and not names.knows_list(mailing.audience.ref):
            key = ("UNKNOWN_LIST", mailing.audience.ref, mailing.audience.location)
            wanting.setdefault(key, []).append(mailing.address)
    for (code, name, place), addresses in wanting.items():
        what, have = (
            ("contact list", names.lists) if code == "UNKNOWN_LIST" else ("alphaname", names.alphanames)
        )
        near = difflib.get_close_matches(name, have or (), n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        message = (
            f"sms.by knows no {what} {name!r}; {hint}it knows: {', '.join(sorted(have or ())) or 'none'}"
        )
        address = addresses[0] if len(addresses) == 1 else None
        yield Problem(Severity.ERROR, code, message, address, place)


def _note(mailing: Mailing, code: str, text: str) -> Problem:
    place = mailing.location
    return Problem(Severity.NOTE, code, text, mailing.address, place)


def _exempt_inputs(project: Project, mailings: Iterable[Mailing]) -> frozenset[str]:
    """Suppression files, by path: an opt-out that comes later is honoured and makes no plan stale. One that is also
    some mailing's recipients is not among them."""
    recipients = {m.audience.path for m in mailings if isinstance(m.audience, RecipientsFile)}
    exempt = {source.path for source in project.suppress} - recipients
    return frozenset(path.relative_to(project.root).as_posix() for path in exempt)


def _finished(actions: Iterable[Action]) -> frozenset[str]:
    """What would be the queries of finished mailings, by their names among the inputs. A database goes on changing
    after a mailing was sent; nothing is sent of it, so no plan gets stale by that."""
    return frozenset(f"sql:{action.address}" for action in actions if action.action is ActionKind.NOOP)


def hash_inputs(project: Project, mailings: Iterable[Mailing]) -> dict[str, str]:
    """sha256 of every file that `mailings` are made of, suppression files too, by its path in the project."""
    paths: set[Path] = {project.root / project.file, *(source.path for source in project.suppress)}
    for mailing in mailings:
        paths.update(campaign_inputs(project, mailing))
        paths.update(project.root / name for name in included_files(mailing.text))
    hashes = {}
    for path in sorted(paths):
        with path.open("rb") as file:
            hashes[path.relative_to(project.root).as_posix()] = hashlib.file_digest(
                file, "sha256"
            ).hexdigest()
    return hashes
