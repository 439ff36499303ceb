"""What an apply did: the document of `apply --format json`, and its text for people."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from smsby_deploy.output.console import clean, make_console, write_sentence
from smsby_deploy.privacy import mask_phones
from smsby_deploy.texts.price import money
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.apply.result import ApplyResult, MailingResult

_OUTCOMES = ("sent", "adopted", "confirmed", "skipped", "rejected", "unknown")
_COLORS = {"sent": "green", "adopted": "cyan", "confirmed": "green", "rejected": "red", "unknown": "bold red"}
_WENT_OUT = ("sent", "confirmed")
_COLUMN = 9  # of the outcome; what went wrong stands below the address
_PEOPLE = 9


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
                "error": mailing.error and mask_phones(mailing.error),
            }
            for mailing in result.mailings
        ],
    }


def write_apply(
    result: ApplyResult, stream: TextIO, *, color: bool, lock: str, program: str = "smsby-deploy"
) -> None:
    """A line a mailing, then how many had which outcome, then what to do next. `lock` is the lock file, as a command
    would name it; `program` begins every command of ours."""
    from rich.text import Text

    console = make_console(stream, color=color)
    # Numbers stand in a column left of the addresses, so that an address of any length moves none of them.
    for mailing in result.mailings:
        people = "?" if mailing.recipients is None else f"{mailing.recipients:,}"
        outcome = Text(f"{mailing.outcome:<{_COLUMN}}", style=_COLORS.get(mailing.outcome, ""))
        write_sentence(console, f" {people:>{_PEOPLE}} people  {mailing.address}", "default", lead=outcome)
        if mailing.error:
            style = _COLORS.get(mailing.outcome, "yellow")
            write_sentence(console, f"{' ' * _COLUMN} {mask_phones(clean(mailing.error))}", style)
    write_sentence(console, _summary(result), "bold")
    for step in next_steps(result, lock, program):
        console.print(step, soft_wrap=True)


def next_steps(result: ApplyResult, lock: str, program: str = "smsby-deploy") -> list[str]:
    """What to do after it, one line each, the most urgent first."""
    steps = []
    lost = [mailing.address for mailing in result.mailings if mailing.outcome == "unknown"]
    if lost:
        steps += [
            "hint: look at sms.by whether the unknown ones went out, then say so:",
            f"  {program} lock resolve {lost[0]} --sent|--not-sent",
        ]
    # One that went out in part is called skipped, or rejected, and what is recorded of it is wanted all the more.
    recorded = any(
        mailing.outcome in ("sent", "confirmed", "adopted", "unknown") or mailing.uuids or mailing.message_ids
        for mailing in result.mailings
    )
    commands = [f'git add {lock} && git commit -m "Record what was sent"'] if recorded else []
    if any(mailing.error and mailing.outcome != "unknown" for mailing in result.mailings):
        commands.append(f"{program} plan")
    if any(mailing.outcome in _WENT_OUT for mailing in result.mailings):
        commands.append(f"{program} status --watch")
    return [*steps, *(f"{'next:' if not index else '     '} {words}" for index, words in enumerate(commands))]


def _summary(result: ApplyResult) -> str:
    """`2 sent, 1 skipped; 40 people, 1.144 BYN`; the cost is the plan's, so of a mailing that was resumed it is said how many
    of its people that is for."""
    counts = {outcome: result.count(outcome) for outcome in _OUTCOMES}
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count) or "nothing to do"
    gone = [mailing for mailing in result.mailings if mailing.outcome in _WENT_OUT]
    if not gone:
        return told
    people = sum(mailing.recipients or 0 for mailing in gone)
    planned = {action.address: action.recipients for action in result.plan.actions}
    # Fewer than planned, where somebody opted out late; more, where a part of it went out before.
    now = sum(min(mailing.recipients or 0, planned[mailing.address] or people) for mailing in gone)
    rest = f", {now:,} of them now" if now < people else ""
    return f"{told}; {counted(people, 'person', 'people')}{rest}{_cost(result, gone)}"


def _cost(result: ApplyResult, gone: list[MailingResult]) -> str:
    planned = {action.address: action.cost for action in result.plan.actions}
    costs = [cost for mailing in gone if (cost := planned[mailing.address]) is not None]
    if not costs or result.plan.currency is None:
        return ""
    lists = len(gone) - len(costs)
    more = f" and what the list{'s' * (lists > 1)} cost{'s' * (lists == 1)}" if lists else ""
    return f", {money(sum(costs, Decimal(0)))} {result.plan.currency}{more}"
