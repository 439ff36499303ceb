"""The saved plan: one JSON document, sealed by its digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from smsby_deploy.clock import Window
from smsby_deploy.errors import PlanRefused, SmsbyDeployError
from smsby_deploy.files import write_file
from smsby_deploy.lock.document_checks import check_plan
from smsby_deploy.lock.json_text import canonical, decode, indent_text
from smsby_deploy.lock.places import PRODUCTION
from smsby_deploy.lock.records import NamedId
from smsby_deploy.plan.base_changes import BaseChanges, SettingChange
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan, GroupTotals
from smsby_deploy.plan.model import Action, ActionKind, LockStamp, Plan, ReasonCode
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Location, Problem, Severity, problem_document
from smsby_deploy.wording import Sentence, money, money_or_none, read_money, remove_controls, sentence

FORMAT = "smsby-plan"
VERSION = 1
NEW_PLAN = "make a new plan: smsby-deploy plan --out FILE"


def account_id(url: str, token: str) -> str:
    """Return 12 hex digits that identify an account at a service without revealing the token."""
    return hashlib.sha256(f"{url}\n{token}".encode()).hexdigest()[:12]


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as a document (schema/plan.schema.json), sealed by its digest."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "id": plan.id,
        "created_at": plan.created_at,
        "project": plan.project,
        "environment": plan.environment,
        "account": plan.account,
        "service": plan.service,
        "callback_url": plan.callback_url,
        **({"changes": _changes_document(plan.changes)} if plan.changes is not None else {}),
        **({"digest_key": plan.digest_key} if plan.digest_key is not None else {}),
        "tool": plan.tool,
        "select": list(plan.select),
        "inputs": plan.inputs,
        "lock": {
            "serial": plan.lock.serial,
            "lineage": plan.lock.lineage,
            "entries": dict(plan.lock.entries),
        },
        "summary": _summary_document(plan),
        "actions": [_action_document(action) for action in plan.actions],
        "problems": [problem_document(problem) for problem in plan.problems],
    }
    return document | {"digest": _seal(document)}


def _action_document(action: Action) -> dict[str, Any]:
    return {
        "address": action.address,
        "action": action.action.value,
        "reason": remove_controls(mask_phones(action.reason)),
        "reason_code": action.reason_code,
        **({"revision": action.revision} if action.revision is not None else {}),
        "via": action.via,
        "recipients": action.recipients,
        "parts": action.parts,
        "cost": money_or_none(action.cost),
        "encoding": {"gsm7": action.gsm7, "ucs2": action.ucs2},
        "alphaname": {"name": action.alphaname, "id": action.alphaname_id},
        "list": action.contact_list._asdict() if action.contact_list else None,
        "schedule_time": action.schedule_time,
        "digest": action.digest,
        "content_digest": action.content_digest,
        "audience_digest": action.audience_digest,
        **({"window": action.window.as_text()} if action.window is not None else {}),
        **(
            {"variants": [_group_document("name", one) for one in action.variants]} if action.variants else {}
        ),
        **({"waves": [_group_document("wave", one) for one in action.waves]} if action.waves else {}),
        "chunks": [_chunk_document(chunk) for chunk in action.chunks],
        "audience": {  # `control` only if there is such a group
            key: count
            for key, count in action.audience._asdict().items()
            if count is not None and (count or key != "control")
        },
        **({"languages": dict(action.languages)} if action.languages else {}),
    }


def _group_document(key: str, group: GroupTotals[Any]) -> dict[str, Any]:
    size = {"recipients": group.recipients, "parts": group.parts, "cost": money_or_none(group.cost)}
    return {key: group.key, **size}


def _chunk_document(chunk: ChunkPlan) -> dict[str, Any]:
    document = {"fingerprint": chunk.fingerprint, "recipients": chunk.recipients, "digest": chunk.digest}
    own = {
        "schedule_time": chunk.schedule_time,
        "variant": chunk.variant,
        "wave": chunk.wave,
        "opted_out": chunk.opted_out,
        "left_out": chunk.left_out,
    }
    return document | {key: value for key, value in own.items() if value is not None}


def _changes_document(changes: BaseChanges) -> dict[str, Any]:
    return {
        "base": changes.base,
        "settings": [
            {
                "key": one.key,
                "before": one.before and mask_phones(one.before),
                "after": one.after and mask_phones(one.after),
            }
            for one in changes.settings
        ],
        "lock_changes": changes.lock_changes,
        "gaps": [mask_phones(gap) for gap in changes.gaps],
    }


def _summary_document(plan: Plan) -> dict[str, Any]:
    totals = plan.committed
    return {kind.value: count for kind, count in plan.counts.items()} | {
        "recipients": totals.recipients,
        "parts": totals.parts,
        "cost": money(totals.cost) if plan.currency else None,
        "currency": plan.currency,
        **({"archived": plan.archived} if plan.archived else {}),
    }


def write_plan(plan: Plan, path: Path) -> None:
    """Write the plan to `path`; raises SmsbyDeployError if that fails."""
    text = indent_text(plan_document(plan)) + "\n"
    try:
        write_file(path, text)
    except OSError as error:
        raise SmsbyDeployError(
            f"cannot write {path}: {error.strerror}", hint="use another file name"
        ) from error


def read_plan(path: Path) -> Plan:
    """Return the plan saved at `path`.

    Raises:
        PlanRefused: it cannot be read, was truncated or edited, or has another version.
    """
    hint = NEW_PLAN
    try:
        document = _read_sealed(path.read_text(encoding="utf-8"))
        check_plan(document)
        return _read_document(document)
    except FileNotFoundError as error:
        raise PlanRefused(
            sentence("there is no plan file {path}", path=str(path)),
            hint=f"{hint}; `apply --select` applies some mailings without a file",
        ) from error
    except OSError as error:
        raise PlanRefused(
            sentence("cannot read the plan {path}: {why}", path=str(path), why=error.strerror), hint=hint
        ) from error
    except UnicodeDecodeError:
        why: str = sentence("it is not a text file")
    except json.JSONDecodeError as error:
        why = sentence("it is not JSON, or was truncated (line {line})", line=error.lineno)
    except KeyError as error:
        why = sentence("{key} is missing", key=str(error))
    except RecursionError:
        why = sentence("nested too deep")
    except (ValueError, TypeError, AttributeError) as error:
        why = error.args[0] if error.args and isinstance(error.args[0], Sentence) else str(error)
    raise PlanRefused(sentence("cannot use the plan {path}: {why}", path=str(path), why=why), hint=hint)


def _read_sealed(text: str) -> dict[str, Any]:
    """Return the document in `text`, if it is a plan of this version with a matching seal.

    Raises:
        ValueError, KeyError, RecursionError: it is not.
    """
    document = decode(text)
    if not isinstance(document, dict):
        raise ValueError(sentence("not a plan"))
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(sentence("not a plan of this version"))
    sealed = {key: value for key, value in document.items() if key != "digest"}
    if document["digest"] != _seal(sealed):
        raise ValueError(sentence("its digest does not match: it was edited or damaged"))
    return document


def _read_document(document: dict[str, Any]) -> Plan:
    return Plan(
        id=document["id"],
        created_at=document["created_at"],
        project=document["project"],
        environment=document.get("environment", PRODUCTION),  # older plans have none
        account=document["account"],
        digest_key=document.get("digest_key"),
        tool=document["tool"],
        select=tuple(document["select"]),
        inputs=document["inputs"],
        lock=LockStamp(*map(document["lock"].get, ("serial", "lineage", "entries"))),
        decided=(),
        problems=tuple(_read_problem(problem) for problem in document["problems"]),
        currency=document["summary"]["currency"],
        service=document.get("service"),  # absent from older plans, like the next two
        callback_url=document.get("callback_url"),
        archived=document["summary"].get("archived", 0),
        changes=_read_changes(document["changes"]) if "changes" in document else None,
    ).with_actions(map(_read_action, document["actions"]))


def _read_changes(document: dict[str, Any]) -> BaseChanges:
    settings = tuple(SettingChange(**change) for change in document["settings"])
    return BaseChanges(document["base"], settings, document["lock_changes"], tuple(document["gaps"]))


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
        cost=read_money(document["cost"]),
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
        contact_list=NamedId(**known) if (known := document.get("list")) else None,
        window=Window.parse(**window) if (window := document.get("window")) else None,
        languages=document.get("languages", {}),
        revision=document.get("revision"),
    )


def _seal(document: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(document)).hexdigest()
