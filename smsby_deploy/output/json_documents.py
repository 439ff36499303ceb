"""The documents that `--format json` prints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Problem, Severity, problem_document
from smsby_deploy.status.report import MailingStatus, StatusReport
from smsby_deploy.texts.price import money

if TYPE_CHECKING:
    from smsby_deploy.apply.result import ApplyResult


def json_text(document: object) -> str:
    """One JSON document, readable, ended by a newline."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def write_json(document: object, stream: TextIO) -> None:
    """Write what `json_text` returns piece by piece; problems in it are put into words one at a time."""
    encoder = json.JSONEncoder(ensure_ascii=False, indent=2, default=problem_document)
    stream.writelines(encoder.iterencode(document))
    stream.write("\n")


def inert_json_text(document: object) -> str:
    """`json_text` without a `<`, for readers who put what they read into a page."""
    return json_text(document).replace("<", "\\u003c")


def validate_document(problems: Sequence[Problem]) -> dict[str, Any]:
    """`{"problems": […], "summary": {"errors", "warnings", "notes"}}`, for `write_json`: there may be a million."""
    counts = Counter(problem.severity for problem in problems)
    return {"problems": problems, "summary": {f"{severity}s": counts[severity] for severity in Severity}}


def status_document(report: StatusReport) -> dict[str, Any]:
    """What `status --format json` prints; money is a string with a point."""
    mailings = report.mailings
    costs = [mailing.cost for mailing in mailings if mailing.cost is not None]
    states = sorted({mailing.state.value for mailing in mailings})
    return {
        "summary": {
            "mailings": len(mailings),
            "recipients": sum(mailing.recipients for mailing in mailings),
            "delivered": sum(mailing.delivered for mailing in mailings),
            "undelivered": sum(mailing.undelivered for mailing in mailings),
            "sent": sum(mailing.sent for mailing in mailings),
            "pending": sum(mailing.pending for mailing in mailings),
            "other": sum(sum(mailing.other.values()) for mailing in mailings),
            "parts": sum(mailing.parts or 0 for mailing in mailings),
            "cost": money(sum(costs, Decimal(0))) if costs else None,
            "states": {state: sum(mailing.state == state for mailing in mailings) for state in states},
        },
        "mailings": [_mailing(mailing) for mailing in mailings],
    }


def apply_document(result: ApplyResult) -> dict[str, Any]:
    """The document of `apply --format json`; `plan` is the plan's id, `summary` counts mailings by outcome."""
    from smsby_deploy.apply.result import MailingOutcome  # other commands do not need it

    return {
        "plan": result.plan.id,
        "summary": {outcome.value: result.count(outcome) for outcome in MailingOutcome},
        "mailings": [
            {
                "address": mailing.address,
                "outcome": mailing.outcome.value,
                "recipients": mailing.recipients,
                "uuids": list(mailing.uuids),
                "message_ids": list(mailing.message_ids),
                "error": mailing.error and mask_phones(mailing.error),
            }
            for mailing in result.mailings
        ],
    }


def _mailing(mailing: MailingStatus) -> dict[str, Any]:
    other: Counter[str] = Counter()
    for word, count in sorted(mailing.other.items()):
        other[mask_phones(word)] += count
    return {
        "address": mailing.address,
        "state": mailing.state.value,
        "schedule_time": mailing.schedule_time,
        "recipients": mailing.recipients,
        "delivered": mailing.delivered,
        "undelivered": mailing.undelivered,
        "sent": mailing.sent,
        "pending": mailing.pending,
        "other": dict(other),
        "parts": mailing.parts,
        "cost": None if mailing.cost is None else money(mailing.cost),
        "requests": list(mailing.requests),
    }
