"""A plan as terminal text: what happens to each mailing, what is wrong, what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.lock.places import PRODUCTION
from smsby_deploy.output.console import Column, Row, make_console, write_sentence, write_table
from smsby_deploy.output.plan_words import (
    QUIET,
    WITHOUT_REASON,
    balance_after_text,
    changes_text,
    counts_text,
    delivery_texts,
    due_text,
    is_foreign,
    waiting_text,
    with_money_of,
)
from smsby_deploy.output.problems_text import SEVERITY_COLORS, count_line, problem_lines
from smsby_deploy.output.terminal import clean, safe_line, write_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.plan.model import Action, ActionKind, Plan, Totals
from smsby_deploy.plan.plan_result import Funds, PlanResult, SavedPlanUse
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.wording import counted, first_of, sentence, time_text

if TYPE_CHECKING:
    from smsby_deploy.plan.sign_plan import SignedPlan

_SYMBOLS = {
    ActionKind.CREATE: ("+", "green"),
    ActionKind.UPLOAD: (">", "green"),
    ActionKind.RESUME: ("~", "yellow"),
    ActionKind.CONFIRM: ("^", "green"),
    ActionKind.ADOPT: ("&", "cyan"),
    ActionKind.HOLD: ("*", "green"),
    ActionKind.WAITING: ("*", "cyan"),
    ActionKind.DUE: ("*", "yellow"),
    ActionKind.NOOP: ("=", "dim"),
    ActionKind.ORPHAN: ("?", "dim"),
    ActionKind.BLOCKED: ("!", "bold red"),
}
# Without a time, WAITING and DUE are the next wave of a mailing that has begun; `apply` does not send it.
_NOT_SENT_AGAIN = frozenset(
    {ActionKind.NOOP, ActionKind.ADOPT, ActionKind.ORPHAN, ActionKind.WAITING, ActionKind.DUE}
)
_GONE = {
    ActionKind.NOOP: sentence("sent, nothing to do"),
    ActionKind.ORPHAN: sentence("no longer in the files"),
}
_MAX_NAMED = 3
_COLUMNS = (
    Column("action"),
    Column("mailing", may_overflow=True),
    Column("when"),
    Column("", optional=1),  # the time until it is sent
    Column("recipients", is_number=True),
    Column("parts", is_number=True),
    Column("cost", is_number=True),
)


def write_plan_text(
    result: PlanResult, stream: TextIO, *, color: bool, next_commands: tuple[str, ...] = ()
) -> None:
    """Write the plan: a table, the reasons, the problems, the totals, the next command."""
    console = make_console(stream, color=color)
    plan, t = result.plan, with_money_of(result, ENGLISH)
    if plan.environment != PRODUCTION:
        write_sentence(console, f"environment {plan.environment}", "bold yellow")
    for line in _destination_lines(plan):
        write_sentence(console, line, "bold yellow")
    folded, lines = fold_plan(plan)
    write_table(console, _COLUMNS, _rows(folded, t))
    for line in lines:
        write_sentence(console, line, "dim")
    for action in folded.actions:
        if action.reason and action.action not in WITHOUT_REASON:
            reason = f"{action.address}: {safe_line(action.reason)}"
            write_sentence(console, reason, _SYMBOLS[action.action][1])
    for action in folded.actions:
        has_counts = action.audience.rows != action.audience.final or action.languages
        if has_counts and action.action not in QUIET:
            write_sentence(console, f"{action.address}: {audience_line(action)}", "dim")
        for text in delivery_texts(action, t) if action.action not in QUIET else ():
            write_sentence(console, f"{action.address}: {text}", "dim")
    for line in _changes_lines(plan):
        write_sentence(console, line, "bold yellow")
    for severity, line in problem_lines(folded.problems):
        write_sentence(console, line, SEVERITY_COLORS[severity])
    for line, style in _closing_lines(result, t):
        write_sentence(console, line, style)
    # A plan that also has blocked mailings exits with 4, and `&&` would stop there.
    separator = "\n      " if result.exit_code() else " && "
    if next_commands:
        console.print(f"next: {separator.join(next_commands)}", soft_wrap=True)


def _destination_lines(plan: Plan) -> Iterator[str]:
    """Where the messages go, if that is not sms.by, and where their results go."""
    if plan.service is not None and is_foreign(plan.service):
        yield f"service {safe_line(plan.service)}"
    if plan.callback_url is not None:
        yield f"callbacks of sms.by go to {safe_line(plan.callback_url)}"


def _changes_lines(plan: Plan) -> Iterator[str]:
    if plan.changes is None:
        return
    if plan.changes.settings:
        yield f"settings changed compared with {safe_line(plan.changes.base)}:"
        for key, *values in plan.changes.settings:
            before, after = ("not set" if value is None else safe_line(value) for value in values)
            yield f"  {safe_line(key)}: {before} → {after}"
    yield from (safe_line(gap) for gap in plan.changes.gaps)


def unscheduled_text(action: Action) -> str:
    """When a mailing without a time is sent, or was sent: a recorded one is not sent again."""
    return sentence("at once") if action.action in _NOT_SENT_AGAIN else sentence("on apply")


def fold_plan(plan: Plan) -> tuple[Plan, list[str]]:
    """Return the plan without the mailings that are gone, and one line for each kind of these.

    If there is only one of a kind, it stays. Of their notes with the same code, the first stays, with the number of the
    others.
    """
    lines: list[str] = []
    folded: set[str] = set()
    for kind, what in _GONE.items():
        addresses = [one.address for one in plan.actions if one.action is kind and plan.is_gone(one)]
        if len(addresses) > 1:
            names = first_of(addresses, _MAX_NAMED)
            lines.append(
                sentence(
                    "{what}: {count:mailing|mailings} ({names})", what=what, count=len(addresses), names=names
                )
            )
            folded.update(addresses)
    rest = plan.with_actions(action for action in plan.actions if action.address not in folded)
    return replace(rest, problems=tuple(_fold_notes(plan.problems, folded))), lines


def _fold_notes(problems: Iterable[Problem], folded: Set[str]) -> Iterator[Problem]:
    problems = list(problems)
    is_folded = [one.severity is Severity.NOTE and one.address in folded for one in problems]
    counts = Counter(one.code for one, is_note in zip(problems, is_folded, strict=True) if is_note)
    shown: set[str] = set()
    for problem, is_note in zip(problems, is_folded, strict=True):
        if not is_note:
            yield problem
        elif problem.code not in shown:
            shown.add(problem.code)
            message = sentence(
                "{message} (and {count:,} more of these; `--format json` lists them)",
                message=problem.message,
                count=counts[problem.code] - 1,
            )
            yield replace(problem, message=message) if counts[problem.code] > 1 else problem


def _rows(plan: Plan, t: Translator) -> Iterator[Row]:
    for action in plan.actions:
        symbol, style = _SYMBOLS[action.action]
        time = action.send_time
        cells = (
            f"{symbol} {action.action}",
            action.address,
            time_text(time, has_seconds=True) if time else unscheduled_text(action),
            t.span(time - plan.made_at) if time else "",
            t.count(action.recipients),
            t.count(action.parts),
            t.money(action.cost),
        )
        yield Row(cells, style, "dim" if style == "dim" else "")


def _closing_lines(result: PlanResult, t: Translator) -> Iterator[tuple[str, str | None]]:
    """The totals and what follows from them, each with its style."""
    plan = result.plan
    yield plan_totals_line(plan, t), "bold"
    if plan.archived:
        yield archived_line(plan), "dim"
    if plan.changes is not None and (changed := changes_text(plan.changes)):
        yield f"compared with {safe_line(plan.changes.base)}: {changed}", "bold yellow"
    if plan.has_errors:
        yield f"not valid: {count_line(plan.problems)}; nothing will be sent", "bold red"
        return
    if result.balance is not None and result.balance_after is not None:
        balance = f"balance {t.money(result.balance)} {plan.currency}"
        if result.funds is Funds.TOO_LOW:
            yield f"{balance} is too low: apply will refuse the whole plan", "bold red"
        elif result.funds is Funds.THIS_APPLY:
            yield f"{balance} is too low for what is approved: top up before it is handed over", "bold yellow"
        else:
            yield (
                f"{balance}, {balance_after_text(plan, result.balance_after, t)}{list_costs(plan.committed)}",
                None,
            )
    if result.scheduled:
        first = result.scheduled[0]
        yield f"first scheduled mailing: {first.address}, {t.span(first.wait)}", None


def plan_totals_line(plan: Plan, t: Translator = ENGLISH) -> str:
    """`3 create; to send: 40 recipients, 44 parts, 1.144 BYN`, and what is due or waits."""
    due = due_text(plan, t)
    actions = counts_text(plan, t)
    if not plan.committed.mailings:
        rest = due or waiting_text(plan, t)
        return f"{actions}; {t.gettext('nothing to send by `apply`' if rest else 'nothing to send')}{rest}"
    now_and_later = ((t.gettext("to send"), plan.totals), (t.gettext("to send later"), plan.held))
    sizes = (
        f"{what}: {_size(totals, plan.currency, t)}" for what, totals in now_and_later if totals.mailings
    )
    return "; ".join((actions, *sizes)) + due


def archived_line(plan: Plan) -> str:
    """`120 mailings are archived`, of those that were selected."""
    return sentence("{count:mailing is|mailings are} archived", count=plan.archived)


def _size(totals: Totals, currency: str | None, t: Translator) -> str:
    cost = f", {t.money(totals.cost)} {currency or ''}".rstrip() if totals.has_cost else ""
    recipients = t.gettext("{count:recipient|recipients}", count=totals.recipients)
    parts = t.gettext("{count:part|parts}", count=totals.parts)
    return f"{recipients}, {parts}{cost}{t.sentence(uncounted_lists(totals.uncounted))}"


def uncounted_lists(count: int) -> str:
    """`, and 1 contact list of unknown size`, if there is one: only sms.by knows its size."""
    if not count:
        return ""
    return sentence(", and {count:contact list|contact lists} of unknown size", count=count)


def list_costs(totals: Totals) -> str:
    """What a balance after the apply does not take into account."""
    return sentence(", minus the cost of contact lists") if totals.unpriced else ""


def audience_line(action: Action) -> str:
    """`1,420 rows, 12 invalid, 96 suppressed → 1,312 recipients (ru 1,100, be 212)`.

    Counts of 0 are left out.
    """
    audience = action.audience
    steps = (
        (audience.invalid, "invalid"),
        (audience.duplicate, "duplicate"),
        (audience.suppressed, "suppressed"),
        (audience.held_out, "held out"),
        (audience.capped, "capped"),
        (audience.control, "control group"),
    )
    removed = [f"{count:,} {name}" for count, name in steps if count]
    languages = ", ".join(f"{language} {count:,}" for language, count in action.languages.items())
    steps_text = ", ".join([counted(audience.rows, "row"), *removed])
    return f"{steps_text} → {counted(audience.final, 'recipient')}{f' ({languages})' if languages else ''}"


def saved_plan_line(result: PlanResult, apply_command: str) -> str:
    """What the saved plan file can be used for."""
    return {
        SavedPlanUse.APPLY: f"saved: apply exactly this plan with `{apply_command}`",
        SavedPlanUse.NO_SEND: "saved: it sends nothing",
        SavedPlanUse.REFUSED: "saved for viewing only: apply will refuse the whole plan",
        SavedPlanUse.VIEW_ONLY: (
            "saved for viewing only: it cannot be applied, because it was made offline or contains errors"
        ),
    }[result.saved_plan_use]


def write_signed(signed: SignedPlan, stream: TextIO, *, file: str, plan: str, program: str) -> None:
    """Write what was signed, and the next commands.

    `file` and `plan` are paths, quoted for a shell.
    """
    count = counted(len(signed.mailings), "mailing")
    write_line(f"signed by {clean(signed.name)}: {count} of plan {signed.plan.id}", stream)
    for action in signed.mailings:
        size = "? recipients" if action.recipients is None else counted(action.recipients, "recipient")
        when = time_text(action.send_time, has_seconds=True) if action.send_time else "on apply"
        write_line(f"  {action.address} r{action.revision}  {size}  {when}", stream)
    write_line(f"next: commit {file}; with all signatures: {program} apply {plan}", stream)
