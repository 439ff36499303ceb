"""What an apply did: the document of `apply --format json`, and its text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from smsby_deploy.report.console import clean, make_console, number

if TYPE_CHECKING:
    from smsby_deploy.apply.engine import ApplyResult

_OUTCOMES = ("sent", "adopted", "confirmed", "skipped", "rejected", "unknown")
_COLORS = {"sent": "green", "adopted": "cyan", "confirmed": "green", "rejected": "red", "unknown": "bold red"}


def apply_document(result: ApplyResult) -> dict[str, Any]:
    """`{"plan", "summary": {outcome: mailings}, "mailings": […]}`; `plan` is the plan's id."""
    return {
        "plan": result.plan.id,
        "summary": {outcome: result.count(outcome) for outcome in _OUTCOMES},
        "mailings": [
            {
                "address": mailing.address,
                "outcome": mailing.outcome,
                "recipients": mailing.recipients,
                "uuids": list(mailing.uuids),
                "message_ids": list(mailing.message_ids),
                "error": mailing.error,
            }
            for mailing in result.mailings
        ],
    }


def write_apply(result: ApplyResult, stream: TextIO, *, color: bool) -> None:
    """One line a mailing, then how many had which outcome, then what to do about the unknown ones."""
    console = make_console(stream, color=color)
    for mailing in result.mailings:
        error = f": {clean(mailing.error)}" if mailing.error else ""
        line = f"{mailing.outcome:<9} {mailing.address}  {number(mailing.recipients)} people{error}"
        console.print(line, style=_COLORS.get(mailing.outcome), soft_wrap=True)
    counts = {outcome: result.count(outcome) for outcome in _OUTCOMES}
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    console.print(told or "nothing to do", soft_wrap=True)
    if counts["sent"] or counts["confirmed"] or counts["adopted"]:
        console.print("next: commit the lock file, then `smsby-deploy status`", soft_wrap=True)
    if counts["unknown"]:
        console.print(
            "hint: look at sms.by whether the unknown ones went out, then say so:\n"
            "  smsby-deploy lock resolve ADDRESS --sent|--not-sent",
            soft_wrap=True,
        )
