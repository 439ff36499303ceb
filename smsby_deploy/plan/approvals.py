"""Approvals: the signatures that mailings need before they are sent, by the rules under `approvals`.

`approve` signs the mailings of a plan: environment, address, revision, content and audience digest, and time. Each signature
is a new file in approvals/, so pull requests with approvals never conflict. Later opt-outs do not change what is signed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from smsby_deploy.config.declarations import ApprovalPolicy, ApprovalRule, Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject, campaign_inputs
from smsby_deploy.errors import PlanRefused, Refused, SmsbyDeployError
from smsby_deploy.files import refuse_link, write_file
from smsby_deploy.git import ask_git
from smsby_deploy.lock.documents import check_approval
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.fingerprint import canonical_json
from smsby_deploy.plan.model import Action, ActionKind, Plan, ReasonCode
from smsby_deploy.plan.planner import measure_files
from smsby_deploy.plan.ssh_signatures import find_signer, sign
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.texts.analysis import included_files
from smsby_deploy.wording import sentence

FOLDER = "approvals"
APPROVAL = "APPROVAL"
_FORMAT, _VERSION = "smsby-approval", 1
_MAX_BYTES = 10_000_000
_LONGEST_ID = 64  # characters of a plan's id in the name of a file; a plan file may be forged
_LITERALLY = "--literal-pathspecs"  # a file may be called `*.yaml`, or `:!other.yaml`
_NOT_IN_NAMES = re.compile(r"[^\w@.+-]", re.ASCII)


class SignedMailing(NamedTuple):
    """What is signed of one mailing.

    `schedule_time` is in ISO format with offset. If it is `fresh`, its audience may change until the hand-over.
    `recipients` are those left after opt-outs; None if only sms.by knows.
    """

    address: str
    revision: int
    content_digest: str
    audience_digest: str
    schedule_time: str | None
    fresh: bool
    recipients: int | None

    def covers(self, now: SignedMailing) -> bool:
        """Whether `now` is what was signed, for no more recipients.

        Later opt-outs are subtracted.
        """
        is_same = self[:-1] == now[:-1]
        counts = self.recipients, now.recipients
        return is_same and (counts[0] is None or counts[1] is None or counts[1] <= counts[0])


class ApprovalFile(NamedTuple):
    """One signature, over the mailings of one plan."""

    name: str
    signed: dict[str, Any]
    signature: str
    mailings: Mapping[str, SignedMailing]  # by address


class Signatures(NamedTuple):
    """Who signed a mailing, and what it lacks; `lack` is None if it lacks nothing."""

    names: tuple[str, ...]
    lack: str | None


@dataclass(slots=True)
class ApprovalCheck:
    """Judges mailings by the approvals in the project.

    They are read and verified only when they are needed. Approvals that cannot be used are added to `problems`.
    """

    project: Project
    policy: ApprovalPolicy
    now: datetime
    problems: list[Problem]
    _read: list[ApprovalFile] | None = None
    _names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by the name of the file
    _authors: dict[str, Author] = field(default_factory=dict)

    def judge(
        self, mailing: Mailing, signed: SignedMailing, recipients: int | None, cost: Decimal | None
    ) -> Signatures:
        """Return who signed `mailing`, and what the strictest unmet rule lacks.

        `recipients` and `cost` are None if they are not known.

        Raises:
            SmsbyDeployError: ssh-keygen is missing.
        """
        rules = [rule for rule in self.policy.rules if _applies(rule, mailing, recipients, cost)]
        if not rules:
            return Signatures((), None)
        persons = self._find_persons(signed)
        names = tuple(sorted(person[0] for person in persons))
        strictest_first = sorted(rules, key=lambda rule: -rule.need)
        lacks = (self._find_lack(rule, mailing, persons) for rule in strictest_first)
        return Signatures(names, next((lack for lack in lacks if lack), None))

    def _find_lack(
        self, rule: ApprovalRule, mailing: Mailing, persons: Sequence[tuple[str, ...]]
    ) -> str | None:
        counting, aside = list(persons), ""
        if rule.is_without_author:
            authors = self._authors_of(mailing)
            unknown = next((one.why_unknown for one in authors.values() if not one.email), "")
            emails = {one.email: file for file, one in reversed(authors.items())}
            counting = [
                one for one in persons if not unknown and emails.keys().isdisjoint(map(str.casefold, one))
            ]
            if unknown:
                aside = sentence("; no signature counts while {why}", why=unknown)
            elif len(counting) < len(persons):
                who = {name.casefold() for one in persons if one not in counting for name in one}
                file = next(file for email, file in emails.items() if email in who)
                aside = sentence("; the author of the last commit of {file} does not count", file=file)
        if len(counting) >= rule.need:
            return None
        return sentence(
            "it needs {need:signature|signatures} and has {count}{who}{aside}; sign its plan: smsby-deploy approve PLANFILE",
            need=rule.need,
            count=len(counting),
            who=f" ({', '.join(sorted(one[0] for one in counting))})" if counting else "",
            aside=aside,
        )

    def _find_persons(self, signed: SignedMailing) -> list[tuple[str, ...]]:
        """Return the names of each signer; two keys that share a name are one person."""
        persons: list[tuple[str, ...]] = []
        for approval in self._files():
            then = approval.mailings.get(signed.address)
            if then is None or not then.covers(signed):
                continue
            names = self._verify(approval)
            if not names:
                continue
            same = [one for one in persons if set(one) & set(names)]
            persons = [one for one in persons if one not in same]
            persons.append(tuple(dict.fromkeys(name for one in (*same, names) for name in one)))
        return persons

    def _verify(self, approval: ApprovalFile) -> tuple[str, ...]:
        if approval.name not in self._names:
            content = canonical_json(approval.signed)
            names = find_signer(content, approval.signature, self.policy.path, self.now)
            if not names:
                message = f"its signature does not count: it was not made by a key in {self.policy.name} that is valid now"
                self.problems.append(_problem(message, approval.name))
            self._names[approval.name] = names
        return self._names[approval.name]

    def _files(self) -> Iterable[ApprovalFile]:
        """Return the approvals of this project and environment."""
        if self._read is None:
            self._read = []
            for path in sorted((self.project.root / FOLDER).glob("*.json")):
                try:
                    approval = read_approval(path)
                except (OSError, ValueError, RecursionError):
                    message = "not an approval, or edited; sign the plan again"
                    self.problems.append(_problem(message, f"{FOLDER}/{path.name}"))
                    continue
                place = (approval.signed["project"], approval.signed["environment"])
                if place == (self.project.name, self.project.environment.name):
                    self._read.append(approval)
        return self._read

    def _authors_of(self, mailing: Mailing) -> dict[str, Author]:
        """Return the authors of a mailing by file.

        These are its campaign file, its texts, and its list if git has it. Whoever wrote the text must not count
        because another wrote the campaign file.
        """
        texts = mailing.text.sources if mailing.text is not None else ()
        written = (mailing.file, *(one.file for one in texts if one.file), *included_files(mailing.text))
        authors = {file: self._author_of(file) for file in written}
        root = self.project.root
        inputs = (path for path in campaign_inputs(self.project, mailing) if path.is_relative_to(root))
        lists = (path.relative_to(root).as_posix() for path in inputs)
        found = {file: self._author_of(file) for file in lists if file not in (*authors, self.project.file)}
        return authors | {file: author for file, author in found.items() if author.email}

    def _author_of(self, file: str) -> Author:
        if file not in self._authors:
            self._authors[file] = find_author(self.project.root, file)
        return self._authors[file]


class Author(NamedTuple):
    """The author of the last commit of a file.

    `email` is in lower case, and empty if `why_unknown` says why it is not known.
    """

    email: str
    why_unknown: str = ""


def find_author(root: Path, file: str) -> Author:
    """Return the author of the last commit of `file`.

    It is not known if `file` has uncommitted changes, or if its history is not complete.
    """
    if ask_git(root, "rev-parse", "--is-inside-work-tree") != "true":
        return Author("", sentence("{file} is in no git repository, which knows its author", file=file))
    if ask_git(root, _LITERALLY, "status", "--porcelain", "--", file) != "":
        return Author("", sentence("{file} has changes that are not committed", file=file))
    email, _, parents = (
        ask_git(root, _LITERALLY, "log", "-1", "--format=%ae%x00%P", "--", file) or ""
    ).partition("\0")
    if not parents and ask_git(root, "rev-parse", "--is-shallow-repository") != "false":
        why = sentence(
            "the checkout lacks the history of {file}, which names its author (fetch all of it)", file=file
        )
        return Author("", why)
    return Author(
        email.casefold(), "" if email else sentence("the last commit of {file} names no author", file=file)
    )


def _applies(rule: ApprovalRule, mailing: Mailing, recipients: int | None, cost: Decimal | None) -> bool:
    """Whether a rule applies; a number that is not known counts as over the limit."""
    if any(mailing.labels.get(key) != value for key, value in rule.labels.items()):
        return False
    if rule.people_over is not None and recipients is not None and recipients <= rule.people_over:
        return False
    return rule.cost_over is None or cost is None or cost > rule.cost_over


def _problem(message: str, name: str) -> Problem:
    return Problem(Severity.WARNING, APPROVAL, message, location=Location(name))


# --- Files -----------------------------------------------------------------------------------------------------------


def read_approval(path: Path) -> ApprovalFile:
    """Return the approval in `path`.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or is not an approval.
    """
    if path.is_symlink() or path.stat().st_size > _MAX_BYTES:
        raise ValueError("a link, or too large")
    document = json.loads(path.read_text(encoding="utf-8"))
    check_approval(document)
    signature = document.pop("signature")
    mailings = {one["address"]: SignedMailing(**one) for one in document["mailings"]}
    return ApprovalFile(f"{FOLDER}/{path.name}", document, signature, mailings)


@dataclass(frozen=True)
class SignedPlan:
    """A signed plan: the signer's name, the signed mailings, and the file in the project."""

    plan: Plan
    name: str
    mailings: tuple[Action, ...]
    file: str

    @cached_property
    def recipients(self) -> int:
        return sum(action.recipients or 0 for action in self.mailings)


def sign_plan(loaded: LoadedProject, plan: Plan, key: Path, now: datetime) -> SignedPlan:
    """Sign what `plan` would send, and write the signature to approvals/.

    A plan file could show other figures than those of what it has signed, so the mailings must be those of the files.

    Raises:
        Refused: there are no rules, nothing would be sent, or a signature with `key` would not count.
        PlanRefused: the plan is not of these files or of this environment, was made offline, or by an older version.
        SmsbyDeployError: ssh-keygen is missing, or does not sign; or the file cannot be written.
    """
    project = loaded.project
    policy = project.approvals
    if policy is None:
        raise Refused("smsby.yaml has no `approvals`, so no signature is needed")
    _check_plan(project, plan)
    mailings = tuple(action for action in plan.actions if _needs_signature(action))
    if not mailings:
        raise Refused("nothing to sign: the plan sends nothing")
    _check_files(loaded, mailings)
    fresh = {mailing.address for mailing in project.mailings if mailing.is_fresh}
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "project": plan.project,
        "environment": plan.environment,
        "plan": plan.id,
        "mailings": [_signed_mailing(action, action.address in fresh)._asdict() for action in mailings],
    }
    content = canonical_json(document)
    signature = sign(content, key)
    names = find_signer(content, signature, policy.path, now)
    if not names:
        raise Refused(
            f"the signature of {key.name} would not count: {policy.name} does not have the key, or not as valid now",
            hint=f"add its public key to {policy.name} in a pull request of its own",
        )
    file = f"{FOLDER}/{_NOT_IN_NAMES.sub('_', plan.id)[:_LONGEST_ID]}-{_NOT_IN_NAMES.sub('_', names[0])}.json"
    path = project.root / file
    refuse_link(path.parent)
    try:
        path.parent.mkdir(exist_ok=True)
        write_file(path, json.dumps(document | {"signature": signature}, ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise SmsbyDeployError(
            f"cannot write {file}: {error.strerror}", hint="fix the permissions, then sign again"
        ) from error
    return SignedPlan(plan, names[0], mailings, file)


def _check_plan(project: Project, plan: Plan) -> None:
    hint = "make a new plan: smsby-deploy plan --out FILE"
    if plan.project != project.name:
        raise PlanRefused(f"it is a plan of the project {plan.project}", hint=hint)
    if plan.environment != project.environment.name:
        made, here = plan.environment, project.environment.name
        raise PlanRefused(f"it was made for the environment {made}, not for {here}", hint=hint)
    if plan.account is None:
        raise PlanRefused("it was made offline, so it cannot be applied", hint=hint)
    if plan.has_errors:
        raise PlanRefused("it has errors, so it cannot be applied", hint=hint)
    if any(action.revision is None for action in plan.actions if _needs_signature(action)):
        raise PlanRefused("it was made by an older version, which records no revisions", hint=hint)


def _check_files(loaded: LoadedProject, mailings: Sequence[Action]) -> None:
    """Check that the mailings of a plan are those of the files, recipients and all."""
    in_files = {mailing.address for mailing in loaded.project.mailings}
    select = tuple(action.address for action in mailings if action.address in in_files)
    files = measure_files(loaded, select=select, lock=Lock(loaded.project.name)) if select else None
    found = {one.mailing.address: one.desired for one in files.measured} if files is not None else {}
    for action in mailings:
        if (desired := found.get(action.address)) is None or not _is_same(desired, action):
            raise PlanRefused(
                f"{action.address} is not the mailing of the files here: text, recipients, time or figures differ",
                hint="sign in the checkout that the plan was made from, or make a new plan",
            )


def _is_same(desired: Desired, action: Action) -> bool:
    time = desired.schedule_time
    figures = (action.recipients or 0) <= desired.audience.final and (action.cost or 0) <= (desired.cost or 0)
    return figures and (
        desired.has_content(action.content_digest)
        and (desired.audience_digest, desired.revision) == (action.audience_digest, action.revision)
        and action.schedule_time == (None if time is None else time.isoformat())
    )


def _needs_signature(action: Action) -> bool:
    is_held_back = action.action is ActionKind.BLOCKED and action.reason_code is ReasonCode.APPROVAL
    return action.commits or is_held_back


def _signed_mailing(action: Action, is_fresh: bool) -> SignedMailing:
    assert action.revision is not None
    # Who is left out for now, under contact pressure, was reviewed as a recipient.
    recipients = None if action.recipients is None else action.recipients + action.audience.capped
    return SignedMailing(
        action.address,
        action.revision,
        action.content_digest,
        action.audience_digest,
        action.schedule_time,
        is_fresh,
        recipients,
    )
