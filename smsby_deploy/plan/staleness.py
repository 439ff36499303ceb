"""Checks that a reviewed plan is still the one that would be made now; if not, refuses it.

The hashes of all inputs are among the compared values.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.project_loader import LoadedProject, campaign_inputs
from smsby_deploy.config.sources import RecipientsFile
from smsby_deploy.digest_key import DIGEST_KEY
from smsby_deploy.errors import PlanRefused
from smsby_deploy.lock.archive import with_archived
from smsby_deploy.lock.decisions import EndingKind
from smsby_deploy.lock.records import Entry, Lock, NamedId
from smsby_deploy.lock.serialization import entry_digest
from smsby_deploy.lock.stored_mailings import encoded, read_some
from smsby_deploy.plan.model import GOING_OUT, Action, ActionKind, LockStamp, Plan, ReasonCode
from smsby_deploy.recipients.suppression import count_gone_opt_outs
from smsby_deploy.texts.reviewed_text import included_texts
from smsby_deploy.wording import sentence

OFFLINE = sentence("this plan was made offline, so it cannot be applied")
_BLOCK = 1 << 20  # bytes
_LAPSED = b'"lapsed"'  # in the record of a mailing whose approval has lapsed
_BY_TIME = frozenset(  # what a mailing becomes when its window opens
    {
        (ActionKind.HOLD, ActionKind.CREATE),
        (ActionKind.HOLD, ActionKind.UPLOAD),
        (ActionKind.WAITING, ActionKind.DUE),
    }
)


def input_paths(project: Project, mailings: Iterable[Mailing]) -> set[Path]:
    """Return the files of the project that `mailings` depend on; they may be missing."""
    paths: set[Path] = {project.root / PROJECT_FILE, *(source.path for source in project.suppression_files)}
    for mailing in mailings:
        paths.update(campaign_inputs(project, mailing))
        paths.update(project.root / name for name in included_texts(mailing.text))
    return paths


def hash_inputs(project: Project, mailings: Iterable[Mailing]) -> dict[str, str]:
    """Return the digest of every file that `mailings` depend on, by project path.

    Files of gone mailings may be missing. Suppression files are included. With a digest key, all digests are keyed.
    """
    key, mailings = project.digest_key, list(mailings)
    present = (path for path in sorted(input_paths(project, mailings)) if _is_readable(path))
    inputs = {path.relative_to(project.root).as_posix(): key.apply(_hash_file(path)) for path in present}
    return dict(sorted({**_pinned_inputs(project, mailings), **inputs}.items()))


def _pinned_inputs(project: Project, mailings: Iterable[Mailing]) -> dict[str, str]:
    """Return the pinned lists outside the project, whose digests are verified on reading."""
    audiences = (mailing.audience for mailing in mailings)
    return {
        audience.name: project.digest_key.apply(audience.pin.sha256)
        for audience in audiences
        if isinstance(audience, RecipientsFile) and audience.pin is not None and audience.folder_env
    }


def _is_readable(path: Path) -> bool:
    """Whether a file can be hashed; if not, that is reported as a separate error."""
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except OSError:
        return False


def query_input(address: str) -> str:
    """Return the input name of a mailing's query result."""
    return f"sql:{address}"


def exempt_inputs(project: Project, mailings: Iterable[Mailing]) -> frozenset[str]:
    """Return the suppression files, by path, because later opt-outs do not make a plan stale.

    A file that also contains the recipients of a mailing is not among them.
    """
    recipients = {m.audience.path for m in mailings if isinstance(m.audience, RecipientsFile)}
    exempt = {source.path for source in project.suppression_files} - recipients
    return frozenset(path.relative_to(project.root).as_posix() for path in exempt)


def finished_queries(actions: Iterable[Action], inputs: Iterable[str]) -> frozenset[str]:
    """Return the queries of finished mailings, whose databases keep changing."""
    finished = {query_input(action.address) for action in actions if action.action is ActionKind.NOOP}
    return frozenset(finished.intersection(inputs))


def stamp_lock(lock: Lock, actions: Iterable[Action], orphans: Callable[[], Mapping[str, str]]) -> LockStamp:
    """Return what a plan of `actions` records about the lock it is made against.

    `orphans` computes the stamps of the recorded mailings that are no longer in the files.
    """
    planned = frozenset(action.address for action in actions)

    def stamps() -> dict[str, str]:
        return dict(sorted({**stamp_entries(lock, planned), **orphans()}.items()))

    return LockStamp(lock.serial, lock.lineage, stamps)


def stamp_entries(lock: Lock, addresses: Set[str]) -> dict[str, str]:
    """Return the digests of the mailings at `addresses` that are recorded."""
    found = {
        address: hashlib.sha256(stored).hexdigest()
        for address, stored in encoded(lock.mailings, addresses)
        if _LAPSED not in stored
    }
    others = (address for address in addresses if address in lock.mailings and address not in found)
    return found | {address: _stamp(lock.mailings[address]) for address in others}


def _stamp(entry: Entry) -> str:
    """Return the digest of an entry, ignoring whether its approval has lapsed.

    Between a merge and its apply, a run of `apply --due` may record the lapse of a mailing that the merge has changed.
    """
    has_lapsed = entry.ending is not None and entry.ending.kind is EndingKind.LAPSED
    return entry_digest(replace(entry, ending=None) if has_lapsed else entry)


def _hash_file(path: Path) -> str:
    """Return the sha256 of a file; a text is hashed with LF line endings, as it is read.

    So a checkout with CRLF does not make a plan stale.
    """
    with path.open("rb") as file:
        start = file.read(_BLOCK)
        # A text in UTF-16 contains zero bytes, as a Parquet file does.
        if b"\r\n" not in start or b"\0" in start:
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        block = start
        while block:
            while block.endswith(b"\r") and (more := file.read(1)):
                block += more
            digest.update(block.replace(b"\r\n", b"\n"))
            block = file.read(_BLOCK)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class PlanProgress:
    """What earlier runs of a reviewed plan have done, as the lock records it.

    changed: mailings whose record this plan created or changed last
    settled: changed mailings of which this plan sends nothing more
    removed: mailings that were removed from the lock, or moved, since its first run
    is_used: the plan was applied, and everything in it is settled
    """

    changed: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    is_used: bool = False


NOT_APPLIED = PlanProgress()


def read_progress(reviewed: Plan, lock: Lock) -> PlanProgress:
    """Return what `lock` records about earlier runs of the plan `reviewed`."""
    runs = lock.runs_of(reviewed.id)
    if not runs:
        return NOT_APPLIED
    executed = {action.address for action in reviewed.decided if _is_executed(action)}
    recorded = {a: lock.mailings[a] for a in (one.address for one in reviewed.decided) if a in lock.mailings}
    # An apply looks for the unknown outcomes of orphans, and so may change them.
    orphans = read_some(lock.mailings, frozenset(reviewed.orphans.addresses))
    changed = {a for a, entry in chain(recorded.items(), orphans) if _is_changed_by(reviewed.id, entry)}
    settled = {a for a in changed & recorded.keys() if _is_settled_by(reviewed.id, recorded[a])}
    return PlanProgress(
        changed=frozenset(changed),
        settled=frozenset(settled),
        removed=frozenset(_find_removed(lock, executed - recorded.keys(), runs[0].at)),
        is_used=bool(executed) and executed <= settled,
    )


def _is_executed(action: Action) -> bool:
    """Whether applying the plan may do something about a mailing."""
    return action.commits or action.action is ActionKind.ADOPT or action.lacks_approval


def _is_changed_by(plan_id: str, entry: Entry) -> bool:
    """Whether the plan brought a mailing to its state; it may have been handed over since."""
    return entry.applied.plan == plan_id or _is_approved_by(plan_id, entry)


def _is_settled_by(plan_id: str, entry: Entry) -> bool:
    return entry.is_complete or entry.ending is not None or _is_approved_by(plan_id, entry)


def _is_approved_by(plan_id: str, entry: Entry) -> bool:
    return entry.approval is not None and entry.approval.plan == plan_id


def _find_removed(lock: Lock, missing: set[str], start: str) -> Iterable[str]:
    """Yield the `missing` mailings that were changed manually at `start` or later."""
    for one in lock.resolutions:
        if one.address in missing and datetime.fromisoformat(one.at) >= datetime.fromisoformat(start):
            yield one.address


def reviewed_addresses(reviewed: Plan, loaded: LoadedProject, lock: Lock) -> tuple[str, ...]:
    """Return the addresses of a reviewed plan that may be applied.

    Raises:
        PlanRefused: it was made offline or used, has errors, or one of its mailings no longer exists.
    """
    if reviewed.account is None:
        raise PlanRefused(OFFLINE, hint="make a plan without `--offline` and have it reviewed")
    lock = with_archived(lock, {action.address for action in reviewed.actions}).lock
    progress = read_progress(reviewed, lock)
    if progress.is_used:
        raise PlanRefused(
            sentence("this plan was already applied: everything in it is settled"), hint="make a new plan"
        )
    if reviewed.has_errors:
        raise PlanRefused(sentence("this plan has errors"), hint="fix the files and make a new plan")
    present = {mailing.address for mailing in loaded.project.mailings} | lock.mailings.keys()
    for action in reviewed.actions:
        if action.address not in present:
            raise stale_plan(
                sentence("{address} is neither in the files nor in the lock", address=action.address)
            )
        if action.address in progress.removed:
            why = sentence(
                "{address} was removed from the lock after this plan was applied", address=action.address
            )
            raise stale_plan(why)
    return tuple(action.address for action in reviewed.actions)


def stale_plan(why: str) -> PlanRefused:
    return PlanRefused(
        sentence("this plan is stale: {why}", why=why), hint="make a new plan and have it reviewed"
    )


def find_staleness(reviewed: Plan, current: Plan, progress: PlanProgress = NOT_APPLIED) -> str | None:
    """Return why `reviewed` may no longer be applied, or None.

    `current` is the same plan made now, `progress` what earlier runs of it did.
    Later opt-outs make no plan stale: suppression files may differ, and counts and cost may have fallen. Conditions that
    depend on the time are judged by the current plan, and so is the rest of a mailing that an earlier run sent in part.
    """
    outdated = find_outdated(reviewed, current, progress)
    if outdated:
        return outdated
    now = {action.address: action for action in current.decided}
    # Their records are the same.
    unchanged = frozenset(current.orphans.addresses).intersection(reviewed.orphans.addresses)
    if len(unchanged) < len(current.orphans.addresses):
        now |= {action.address: action for action in current.orphans.actions}
    for action in reviewed.actions:
        if action.address in unchanged:
            continue
        if action.action is ActionKind.NOOP and query_input(action.address) in current.exempt:
            continue
        if action.address in progress.settled:
            continue
        reason = _compare_actions(action, now.get(action.address), action.address in progress.changed)
        if reason:
            return sentence("{address}: {why}", address=action.address, why=reason)
    return None


def find_outdated(reviewed: Plan, current: Plan, progress: PlanProgress = NOT_APPLIED) -> str | None:
    """Return the first outdated fact that can be checked offline, or None.

    These are project, environment, digest key, account, lock and inputs.
    """
    if elsewhere := describe_scope(reviewed, current.project, current.environment):
        return elsewhere
    if reviewed.digest_key != current.digest_key:
        return describe_keys(reviewed.digest_key, current.digest_key)
    if reviewed.account != current.account:
        return sentence(
            "it was made for another account or service than this run uses (SMSBY_TOKEN, SMSBY_API_URL)"
        )
    if reviewed.lock.lineage not in (None, current.lock.lineage):
        return sentence("it was made against another lock")
    entries, now = reviewed.lock.entries, current.lock.entries
    changed = [
        address
        for address in sorted((entries.keys() | now) - progress.changed)
        if entries.get(address) != now.get(address)
    ]
    if changed:
        return sentence("the lock has a newer state of {address}", address=changed[0])
    for name in sorted((reviewed.inputs.keys() | current.inputs.keys()) - current.exempt):
        if reviewed.inputs.get(name) != current.inputs.get(name):
            return sentence("{name} has changed since", name=name)
    return None


def describe_scope(plan: Plan, project: str, environment: str) -> str | None:
    """Say that a plan is for another project or environment; None if it is not."""
    if plan.project != project:
        return sentence("it is a plan of the project {name}", name=plan.project)
    if plan.environment != environment:
        return sentence(
            "it was made for the environment {made}, not for {here}", made=plan.environment, here=environment
        )
    return None


def describe_keys(then: str | None, now: str | None) -> str:
    """Say that a plan was made with another digest key, naming the ids of both."""
    values = {"then": then, "now": now, "variable": DIGEST_KEY}
    if then is None:
        return sentence("it was made without a digest key, and {variable} has the id {now}", **values)
    return sentence(
        "it was made with the digest key {then}, and {variable} is not set"
        if now is None
        else "it was made with the digest key {then}, and {variable} has the id {now}",
        **values,
    )


def _compare_actions(then: Action, now: Action | None, is_begun: bool) -> str | None:
    """Return how a mailing differs from the review; `is_begun`: this plan sent a part of it."""
    if now is None:
        return sentence("it is no longer in the files")
    is_rest = is_begun and _is_executed(then) and now.action is not ActionKind.ORPHAN
    is_judged_now = is_rest or then.action is ActionKind.BLOCKED or _depends_on_the_time(then, now)
    if then.action is not now.action and not is_judged_now:
        return sentence(
            "it was {then}, now it is {now} ({reason})", then=then.action, now=now.action, reason=now.reason
        )
    other_id = _compare_ids(then, now)
    if other_id:
        return other_id
    has_same_content = (
        then.digest == now.digest
        and (then.alphaname, then.alphaname_id) == (now.alphaname, now.alphaname_id)
        and then.schedule_time == now.schedule_time
        and then.fingerprints == now.fingerprints
    )
    if not has_same_content:
        return sentence("its content, recipients, sender or time has changed")
    if (now.recipients or 0) > (then.recipients or 0) or (now.cost or 0) > (then.cost or 0):
        return sentence("it would be sent to more recipients or cost more than was reviewed")
    pairs = zip(then.chunks, now.chunks, strict=True) if now.commits else ()
    let_in = sum(count_gone_opt_outs(one.gets_nothing, after.gets_nothing) for one, after in pairs)
    if let_in:
        return sentence(
            "{count:,} of its recipients had opted out, or {count:|was|were} left out under contact "
            "pressure, when it was reviewed, and would get it now",
            count=let_in,
        )
    return None


def _compare_ids(then: Action, now: Action) -> str | None:
    """Return how the sender or list changed, even if its name in the files is the same."""
    if then.alphaname == now.alphaname and then.alphaname_id != now.alphaname_id:
        before, after = (NamedId(one.alphaname, one.alphaname_id) for one in (then, now))
        return sentence("its sender was {then}, now it is {now}", then=_named(before), now=_named(after))
    if then.commits and then.contact_list is not None and then.contact_list != now.contact_list:
        now_is = sentence("none") if now.contact_list is None else _named(now.contact_list)
        return sentence(
            "its contact list was {then}, now it is {now}", then=_named(then.contact_list), now=now_is
        )
    return None


def _named(known: NamedId) -> str:
    return sentence(
        "{name} (id unknown)" if known.id is None else "{name} (id {id})", name=known.name, id=known.id
    )


def _depends_on_the_time(then: Action, now: Action) -> bool:
    """Whether a mailing became blocked, or its window opened, without any change of the files."""
    if (then.action, now.action) in _BY_TIME:
        return True
    if then.action not in GOING_OUT:
        return False
    # Opt-outs that came after the draft of an uploaded list was made block its confirmation as changed.
    is_outdated_draft = then.action is ActionKind.CONFIRM and now.reason_code is ReasonCode.CHANGED
    return now.reason_code in (ReasonCode.EXPIRED, ReasonCode.GUARDRAIL) or is_outdated_draft
