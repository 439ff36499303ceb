"""`approve`: sign the mailings of a plan, and write the signature to approvals/."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from smsby_deploy.config.declarations import Guardrails, Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import PlanRefused, Refused, SmsbyDeployError
from smsby_deploy.files import refuse_link, write_file
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.approvals import FOLDER, SignedMailing, find_signer, sign
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.fingerprint import canonical_json
from smsby_deploy.plan.model import Action, Plan
from smsby_deploy.plan.plan_file import NEW_PLAN
from smsby_deploy.plan.planner import measure_files
from smsby_deploy.plan.staleness import OFFLINE, describe_scope
from smsby_deploy.wording import sentence

_FORMAT, _VERSION = "smsby-approval", 1
_LONGEST_ID = 64  # characters of a plan's id in the name of a file; a plan file may be forged
_NOT_IN_NAMES = re.compile(r"[^\w@.+-]", re.ASCII)


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


def sign_plan(loaded: LoadedProject, plan: Plan, find_key: Callable[[], Path], now: datetime) -> SignedPlan:
    """Sign what `plan` would send, and write the signature to approvals/.

    `find_key` is called only if there is something to sign.

    A plan file could show figures other than those signed, so its mailings must match the files.

    Raises:
        Refused: there are no rules, nothing would be sent, or a signature with the key would not count.
        PlanRefused: the plan is for other files or another environment, or was made offline or by an older version.
        SmsbyDeployError: ssh-keygen is missing or fails, or the file cannot be written.
    """
    project = loaded.project
    policy = project.approvals
    if policy is None:
        raise Refused("smsby.yaml has no `approvals`, so no signature is needed")
    _check_plan(project, plan)
    mailings = tuple(action for action in plan.decided if _needs_signature(action))
    if not mailings:
        raise Refused("nothing to sign: the plan sends nothing")
    in_files = _check_files(loaded, mailings)
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "project": plan.project,
        "environment": plan.environment,
        "plan": plan.id,
        "mailings": [
            _signed_mailing(action, *in_files[action.address], project.guardrails)._asdict()
            for action in mailings
        ],
    }
    content, key = canonical_json(document), find_key()
    signature = sign(content, key)
    names = find_signer(content, signature, policy.path, now)
    if not names:
        raise Refused(
            f"the signature of {key.name} would not count: {policy.name} does not list it as valid now",
            hint=f"add its public key to {policy.name} in a separate pull request",
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
    why = describe_scope(plan, project.name, project.environment.name)
    if why is None and plan.account is None:
        why = OFFLINE
    elif why is None and plan.has_errors:
        why = sentence("this plan has errors")
    elif why is None and any(one.revision is None for one in plan.decided if _needs_signature(one)):
        why = sentence("it was made by an older version, which records no revisions")
    if why is not None:
        raise PlanRefused(why, hint=NEW_PLAN)


def _check_files(loaded: LoadedProject, mailings: Sequence[Action]) -> Mapping[str, tuple[Mailing, Desired]]:
    """Check that the mailings of a plan match the files, and return them as in the files."""
    in_files = {mailing.address for mailing in loaded.project.mailings}
    select = tuple(action.address for action in mailings if action.address in in_files)
    files = measure_files(loaded, select=select, lock=Lock(loaded.project.name)) if select else None
    measured = files.measured if files is not None else ()
    found = {one.mailing.address: (one.mailing, one.desired) for one in measured if one.desired is not None}
    for action in mailings:
        if (here := found.get(action.address)) is None or not _is_same(here[1], action):
            raise PlanRefused(
                sentence(
                    "{address} does not match the mailing in these files: text, recipients, time or "
                    "figures differ",
                    address=action.address,
                ),
                hint="sign in the checkout that the plan was made from, or make a new plan",
            )
    return found


def _is_same(desired: Desired, action: Action) -> bool:
    time = desired.schedule_time
    figures = (action.recipients or 0) <= desired.audience.final and (action.cost or 0) <= (desired.cost or 0)
    return figures and (
        desired.has_content(action.content_digest)
        and (desired.audience_digest, desired.revision) == (action.audience_digest, action.revision)
        and action.schedule_time == (None if time is None else time.isoformat())
    )


def _needs_signature(action: Action) -> bool:
    return action.commits or action.lacks_approval


def _signed_mailing(action: Action, mailing: Mailing, desired: Desired, rails: Guardrails) -> SignedMailing:
    # Recipients left out for now under contact pressure were reviewed as recipients.
    recipients = None if action.recipients is None else action.recipients + (action.audience.capped or 0)
    signed = SignedMailing.of(mailing, desired, rails)
    return signed._replace(content_digest=action.content_digest, recipients=recipients)
