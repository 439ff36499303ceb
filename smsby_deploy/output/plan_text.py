"""A plan at a glance: what happens to each mailing, what is wrong, what to do next."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import TextIO

from smsby_deploy.output.console import clean, make_console, write_sentence
from smsby_deploy.output.plan_table import SYMBOLS, plan_table
from smsby_deploy.output.problems_text import SEVERITY_COLORS, count_line, problem_lines
from smsby_deploy.output.times import in_words
from smsby_deploy.plan.desired_state import AudienceCounts
from smsby_deploy.plan.model import ActionKind, Plan
from smsby_deploy.privacy import mask_phones
from smsby_deploy.texts.price import money
from smsby_deploy.wording import counted

# What a reviewer must not miss comes with its reason below the table.
_EXPLAINED = frozenset(ActionKind) - {ActionKind.CREATE, ActionKind.NOOP}
_QUIET = frozenset({ActionKind.NOOP, ActionKind.ORPHAN})


def write_plan_text(
    plan: Plan,
    stream: TextIO,
    *,
    color: bool,
    balance: Decimal | None = None,
    next_command: str | None = None,
) -> None:
    """Write the plan for people: a table, the reasons, the problems, the totals, the next command.

    `balance` is what the account holds, where that is known.
    """
    console = make_console(stream, color=color)
    if plan.actions:
        for row in plan_table(plan, console.width):
            console.print(row, soft_wrap=True)
    for action in plan.actions:
        if action.reason and action.action in _EXPLAINED:
            style = SYMBOLS[action.action][1]
            write_sentence(console, f"{action.address}: {mask_phones(clean(action.reason))}", style)
    for action in plan.actions:
        if action.audience.rows != action.audience.final and action.action not in _QUIET:
            write_sentence(console, f"{action.address}: {waterfall(action.audience)}", "dim")
    for severity, line in problem_lines(plan.problems):
        write_sentence(console, line, SEVERITY_COLORS[severity])
    write_sentence(console, totals_line(plan), "bold")
    if balance is not None and not plan.has_errors and (left := balance_after(plan, balance)) is not None:
        told = f"balance {money(balance)} {plan.currency}"
        if left < 0:
            write_sentence(console, f"{told} is too low: apply will refuse all of it", "bold red")
        else:
            write_sentence(console, f"{told}, {money(left)} after it{_and_lists(plan)}")
    if plan.has_errors:
        write_sentence(console, f"not valid: {count_line(plan.problems)}; nothing is sent", "bold red")
    first = None if plan.has_errors else first_line(plan)
    if first:
        write_sentence(console, first)
    if next_command:
        console.print(f"next: {next_command}", soft_wrap=True)


def totals_line(plan: Plan) -> str:
    """`3 create, 1 noop; to send: 40 people, 44 parts, 1.144 BYN`; lists are told apart, only sms.by counts them."""
    counts = Counter(action.action for action in plan.actions)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in ActionKind if counts[kind]) or "no mailings"
    totals = plan.totals
    if not totals.mailings:
        return f"{told}; nothing to send"
    cost = f", {money(totals.cost)} {plan.currency or ''}".rstrip() if totals.has_cost else ""
    lists = totals.uncounted
    more = f", and {lists} contact list{'s' if lists > 1 else ''} that only sms.by can count" if lists else ""
    people, parts = counted(totals.recipients, "person", "people"), counted(totals.parts, "part")
    return f"{told}; to send: {people}, {parts}{cost}{more}"


def balance_after(plan: Plan, balance: Decimal) -> Decimal | None:
    """What is left of `balance` once all is sent that has a price; negative if it is too low; None without prices."""
    totals = plan.totals
    return balance - totals.cost if plan.currency is not None and totals.mailings else None


def _and_lists(plan: Plan) -> str:
    return ", less what the lists cost" if plan.totals.unpriced else ""


def first_line(plan: Plan) -> str | None:
    """`the first goes out in 2 d 3 h: sale/vip`; None if nothing that is sent waits for a time."""
    times = [(a.schedule_time, a.address) for a in plan.actions if a.sends and a.schedule_time is not None]
    if not times:
        return None
    moment, address = min((datetime.fromisoformat(time), address) for time, address in times)
    told = in_words(moment - datetime.fromisoformat(plan.created_at))
    return f"the first that waits for its time goes out {told}: {address}"


def waterfall(counts: AudienceCounts) -> str:
    """`1,420 rows → 12 invalid → 41 duplicate → 96 suppressed → 1,271 people`; steps that take nobody are left out."""
    steps = (
        (counts.invalid, "invalid"),
        (counts.duplicate, "duplicate"),
        (counts.suppressed, "suppressed"),
    )
    told = [f"{count:,} {name}" for count, name in steps if count]
    return " → ".join([counted(counts.rows, "row"), *told, counted(counts.final, "person", "people")])
