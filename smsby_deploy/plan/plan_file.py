"""The saved plan: one JSON document, sealed by its digest, applied once."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import PlanRefused, SmsbyDeployError
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.desired_state import AudienceCounts, ChunkPlan
from smsby_deploy.plan.fingerprint import canonical_json
from smsby_deploy.plan.model import Action, ActionKind, LockStamp, Plan, ReasonCode
from smsby_deploy.problems import Location, Problem, Severity, problem_document
from smsby_deploy.texts.price import money

FORMAT = "smsby-plan"
VERSION = 1


def account_id(url: str, token: str) -> str:
    """12 hex digits that tell one account at one service from another, and nothing of the token."""
    return hashlib.sha256(f"{url}\n{token}".encode()).hexdigest()[:12]


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as people's pipelines read it (schema/plan.schema.json), sealed."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "id": plan.id,
        "created_at": plan.created_at,
        "project": plan.project,
        "account": plan.account,
        "tool": plan.tool,
        "select": list(plan.select),
        "inputs": plan.inputs,
        "lock": asdict(plan.lock),
        "summary": summary_of(plan),
        "actions": [_action_document(action) for action in plan.actions],
        "problems": [problem_document(problem) for problem in plan.problems],
    }
    return document | {"digest": _seal(document)}


def summary_of(plan: Plan) -> dict[str, Any]:
    """Mailings by action, and what the sending ones come to."""
    kinds = Counter(action.action for action in plan.actions)
    totals = plan.totals
    return {kind.value: kinds.get(kind, 0) for kind in ActionKind} | {
        "recipients": totals.recipients,
        "parts": totals.parts,
        "cost": money(totals.cost) if plan.currency else None,
        "currency": plan.currency,
    }


def _action_document(action: Action) -> dict[str, Any]:
    return {
        "address": action.address,
        "action": action.action.value,
        "reason": action.reason,
        "reason_code": action.reason_code,
        "via": action.via,
        "recipients": action.recipients,
        "parts": action.parts,
        "cost": None if action.cost is None else money(action.cost),
        "encoding": {"gsm7": action.gsm7, "ucs2": action.ucs2},
        "alphaname": {"name": action.alphaname, "id": action.alphaname_id},
        "schedule_time": action.schedule_time,
        "digest": action.digest,
        "content_digest": action.content_digest,
        "audience_digest": action.audience_digest,
        "chunks": [
            {"fingerprint": c.fingerprint, "recipients": c.recipients, "digest": c.digest}
            for c in action.chunks
        ],
        "audience": action.audience._asdict(),
    }


def write_plan(plan: Plan, path: Path) -> None:
    """Write the plan to `path`."""
    text = json.dumps(plan_document(plan), ensure_ascii=False, indent=2) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SmsbyDeployError(
            f"{path} can't be written: {error.strerror}", hint="name another file"
        ) from error


def read_plan(path: Path) -> Plan:
    """The plan saved at `path`.

    Raises:
        PlanRefused: it can't be read, was cut off or edited, or is of another version.
    """
    again = "make a new plan: smsby-deploy plan --out FILE"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT or document["version"] != VERSION:
            raise ValueError("it is not a plan of this version")
        seal = document.pop("digest")
        if seal != _seal(document):
            raise ValueError("its digest does not fit: it was edited or damaged")
        return _read_document(document)
    except OSError as error:
        raise PlanRefused(f"the plan {path} can't be read: {error.strerror}", hint=again) from error
    except UnicodeDecodeError as error:
        raise PlanRefused(f"the plan {path} can't be used: it is no text", hint=again) from error
    except json.JSONDecodeError as error:
        why = f"it is not JSON, or was cut off (line {error.lineno})"
        raise PlanRefused(f"the plan {path} can't be used: {why}", hint=again) from error
    except KeyError as error:
        raise PlanRefused(f"the plan {path} can't be used: it has no {error}", hint=again) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise PlanRefused(f"the plan {path} can't be used: {error}", hint=again) from error


def _read_document(document: dict[str, Any]) -> Plan:
    return Plan(
        id=document["id"],
        created_at=document["created_at"],
        project=document["project"],
        account=document["account"],
        tool=document["tool"],
        select=tuple(document["select"]),
        inputs=document["inputs"],
        lock=LockStamp(**document["lock"]),
        actions=tuple(_read_action(action) for action in document["actions"]),
        problems=tuple(_read_problem(problem) for problem in document["problems"]),
        currency=document["summary"]["currency"],
    )


def _read_problem(document: dict[str, Any]) -> Problem:
    place = Location(document["file"], document["line"], document["column"]) if document["file"] else None
    return Problem(
        Severity(document["severity"]), document["code"], document["message"], document["address"], place
    )


def _read_action(document: dict[str, Any]) -> Action:
    return Action(
        address=document["address"],
        action=ActionKind(document["action"]),
        reason=document["reason"],
        via=document["via"],
        recipients=document["recipients"],
        parts=document["parts"],
        cost=None if document["cost"] is None else Decimal(document["cost"]),
        gsm7=document["encoding"]["gsm7"],
        ucs2=document["encoding"]["ucs2"],
        alphaname=document["alphaname"]["name"],
        alphaname_id=document["alphaname"]["id"],
        schedule_time=document["schedule_time"],
        digest=document["digest"],
        content_digest=document["content_digest"],
        audience_digest=document["audience_digest"],
        chunks=tuple(ChunkPlan(**chunk) for chunk in document["chunks"]),
        audience=AudienceCounts(**document["audience"]),
        # Older plans have none; only the code of the current plan decides anything.
        reason_code=ReasonCode(code) if (code := document.get("reason_code")) else None,
    )


def _seal(document: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(document)).hexdigest()


def reviewed_addresses(reviewed: Plan, loaded: LoadedProject, lock: Lock) -> tuple[str, ...]:
    """The addresses of a reviewed plan that may still be applied.

    Raises:
        PlanRefused: it was used, holds errors, or one of its mailings is gone.
    """
    if lock.was_used(reviewed.id):
        raise PlanRefused("this plan was applied before; a plan is used once", hint="make a new plan")
    if reviewed.has_errors:
        raise PlanRefused("this plan holds errors", hint="mend the files and make a new plan")
    present = {mailing.address for mailing in loaded.project.mailings} | lock.mailings.keys()
    for action in reviewed.actions:
        if action.address not in present:
            raise PlanRefused(f"this plan is stale: {action.address} is gone", hint="make a new plan")
    return tuple(action.address for action in reviewed.actions)


def stale_plan(why: str) -> PlanRefused:
    return PlanRefused(f"this plan is stale: {why}", hint="make a new plan and have it reviewed")


def find_staleness(reviewed: Plan, current: Plan) -> str | None:
    """Why `reviewed` may not be applied any more, or None. `current` is the same plan made now.

    Opt-outs that came later make no plan stale: suppression files may differ, and counts and cost may
    have fallen. What depends on the hour is judged anew by the current plan.
    """
    outdated = find_outdated(reviewed, current)
    if outdated:
        return outdated
    now = {action.address: action for action in current.actions}
    for action in reviewed.actions:
        if action.action is ActionKind.NOOP and f"sql:{action.address}" in current.exempt:
            continue
        reason = _action_staleness(action, now.get(action.address))
        if reason:
            return f"{action.address}: {reason}"
    return None


def find_outdated(reviewed: Plan, current: Plan) -> str | None:
    """As find_staleness, as far as it can be told offline: project, account, lock and inputs."""
    if reviewed.project != current.project:
        return f"it is a plan of the project {reviewed.project}"
    if reviewed.account != current.account:
        return "it was made for another account or service" if reviewed.account else "it was made offline"
    if reviewed.lock.lineage not in (None, current.lock.lineage):
        return "it was made against another lock"
    for address, digest in reviewed.lock.entries.items() | current.lock.entries.items():
        if reviewed.lock.entries.get(address) != digest or current.lock.entries.get(address) != digest:
            return f"the lock has a newer state of {address}"
    for name in sorted((reviewed.inputs.keys() | current.inputs.keys()) - current.exempt):
        if reviewed.inputs.get(name) != current.inputs.get(name):
            return f"{name} changed since"
    return None


def _action_staleness(then: Action, now: Action | None) -> str | None:
    if now is None:
        return "it is no longer in the files"
    # A draft is blocked as changed once recipients opt out after it was made; its files are still the reviewed ones.
    judged_now = now.reason_code in (ReasonCode.EXPIRED, ReasonCode.GUARDRAIL) or (
        then.action is ActionKind.CONFIRM and now.reason_code is ReasonCode.CHANGED
    )
    if (
        then.action is not now.action
        and not (then.sends and judged_now)
        and then.action is not ActionKind.BLOCKED
    ):
        return f"it was {then.action}, now it is {now.action} ({now.reason})"
    same = (
        then.digest == now.digest,
        (then.alphaname, then.alphaname_id) == (now.alphaname, now.alphaname_id),
        then.schedule_time == now.schedule_time,
        [chunk.fingerprint for chunk in then.chunks] == [chunk.fingerprint for chunk in now.chunks],
    )
    if not all(same):
        return "its content, recipients, sender or time changed"
    if (now.recipients or 0) > (then.recipients or 0) or (now.cost or 0) > (then.cost or 0):
        return "it would reach more people or cost more than was reviewed"
    return None
