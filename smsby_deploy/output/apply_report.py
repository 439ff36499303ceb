"""The result of an apply, and the history of applies, as terminal text and as Markdown."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.apply.apply_result import ApplyResult, MailingOutcome, NextStep
from smsby_deploy.clock import full_minute
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import Apply, Lock
from smsby_deploy.output.console import Column, Row, make_console, write_sentence, write_table
from smsby_deploy.output.markdown import Piece, escape, fit, message_markdown, table_row
from smsby_deploy.output.plan_text import uncounted_lists
from smsby_deploy.output.terminal import clean, safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.status.status_report import State
from smsby_deploy.wording import sentence, time_text

if TYPE_CHECKING:
    from collections.abc import Container

    from rich.console import Console

    from smsby_deploy.apply.apply_result import Key, MailingResult, SentTotals
    from smsby_deploy.errors import SmsbyDeployError
    from smsby_deploy.plan.model import Plan

_COLORS = {
    MailingOutcome.SENT: "green",
    MailingOutcome.HELD: "cyan",
    MailingOutcome.ADOPTED: "cyan",
    MailingOutcome.CONFIRMED: "green",
    MailingOutcome.PARTIAL: "bold yellow",
    MailingOutcome.REJECTED: "red",
    MailingOutcome.UNKNOWN: "bold red",
}
# In the order of the summary.
_OUTCOMES: tuple[StrEnum, ...] = (MailingOutcome.SENT, State.SCHEDULED, *list(MailingOutcome)[1:])
_OUTCOME_WIDTH = 9
_COUNT_WIDTH = 9
_COLUMNS = (
    Column("when"),
    Column("who", may_overflow=True),
    Column("plan"),
    Column("commit"),
    Column("mailings", is_number=True),
    Column("recipients", is_number=True),
    Column("tool"),
)
_NOTHING = "nothing has been applied yet"
# The next step; a pipeline appends its command.
_RUN_AGAIN = sentence("Fix the cause, then run this again:")
_ALL_REFUSED = sentence("This run sent nothing. Fix the cause, then run this again:")
_NEXT_STEPS = {
    ExitCode.REFUSED: sentence(
        "Some of it was refused or blocked, the rest was sent. Fix the cause, then run this again:"
    ),
    ExitCode.PLAN_REFUSED: sentence(
        "This run sent nothing: the plan was already applied, the branch or the lock is not what was "
        "reviewed, or there is no plan. To send anything else, make a new plan for the branch and have it "
        "approved:"
    ),
    ExitCode.OUTCOME_UNKNOWN: sentence(
        "An outcome is unknown, or a mailing was sent in part. **Do not send it by other means.** The next "
        "run looks for it at sms.by, and sends only to recipients who certainly got nothing:"
    ),
    ExitCode.UNREACHABLE: sentence(
        "sms.by was not reached, or refused the token. Check both, then run this again:"
    ),
    ExitCode.LOCK_HELD: sentence("Another run held the lock. Wait until it has ended, then run this again:"),
}


def write_apply(
    result: ApplyResult,
    stream: TextIO,
    *,
    color: bool,
    lock: str | None,
    program: str = "smsby-deploy",
    plan: str | None = None,
    t: Translator = ENGLISH,
) -> None:
    """Write one line per mailing, the totals and the next commands.

    Mailings with nothing to do share one line, and so do those that are no longer in the files.

    `lock` is the lock file's path, quoted for a shell, None if it is not committed, and `plan` the plan file's, or `--due`;
    `program` starts every command.
    """
    from rich.text import Text

    console = make_console(stream, color=color)
    orphans, held, scheduled = result.orphans, _hold_lines(result), result.scheduled
    words = [t.name(outcome_of(mailing, scheduled)) for mailing in result.mailings]
    width = max((_OUTCOME_WIDTH, *map(len, words)))
    # The counts come before the addresses, so that a long address does not move them.
    idle = {
        one.address
        for one in result.mailings
        if one.outcome is MailingOutcome.SKIPPED and not (one.error or one.waits)
    }
    for mailing, word in zip(result.mailings, words, strict=True):
        if mailing.address in idle and len(idle) > 1:
            continue
        count = t.count(mailing.counted)
        noun = t.gettext("{count:|recipient |recipients}", count=mailing.counted or 0)
        style = _COLORS.get(mailing.outcome)
        lead = Text(f"{word:<{width}}", style=style or "")
        write_sentence(console, f" {count:>{_COUNT_WIDTH}} {noun}  {mailing.address}", "default", lead=lead)
        if mailing.address in held:
            write_sentence(console, f"{' ' * width} {t.sentence(held[mailing.address])}", style)
        if mailing.waits:
            write_sentence(console, f"{' ' * width} {safe_line(t.sentence(mailing.waits))}", style)
        if mailing.error:
            reason = safe_line(t.sentence(mailing.error))
            write_sentence(console, f"{' ' * width} {reason}", style or "yellow")
    if len(idle) > 1:
        _write_count(console, len(idle), t.gettext("nothing to do"), width, t)
    if orphans:
        _write_count(console, len(orphans), t.gettext("no longer in the files"), width, t)
    write_sentence(console, summary_line(result, t), "bold")
    for line in next_step_lines(result, lock, program, plan, t):
        console.print(line, soft_wrap=True)


def _write_count(console: Console, count: int, why: str, width: int, t: Translator) -> None:
    """Write one line for mailings that were skipped."""
    noun = t.gettext("{count:|mailing   |mailings  }", count=count)
    write_sentence(
        console, f"{t.name(MailingOutcome.SKIPPED):<{width}} {t.count(count):>{_COUNT_WIDTH}} {noun}  {why}"
    )


def next_step_lines(
    result: ApplyResult,
    lock: str | None,
    program: str = "smsby-deploy",
    plan: str | None = None,
    t: Translator = ENGLISH,
) -> list[str]:
    """The next steps as lines: hints, and commands to copy.

    `plan` is the plan file that was applied.
    """
    commands = {
        NextStep.COMMIT_LOCK: f'git add {lock} && git commit -m "Record the apply"',
        NextStep.CONTINUE: f"{program} plan" if plan is None else f"{program} apply {plan}",
        NextStep.PLAN_AGAIN: f"{program} plan",
        NextStep.HAND_OVER: f"{program} apply --due",
        NextStep.WATCH_STATUS: f"{program} status --watch",
    }
    lines = []
    if NextStep.RESOLVE_UNKNOWN in result.next_steps:
        lines += [
            t.gettext(
                "hint: wait a few minutes, then apply again: it looks for the unknown mailings at sms.by. "
                "If one stays unknown, look in the account and record what you found:"
            ),
            f"  {program} lock resolve {result.first_unknown} --sent|--not-sent",
        ]
    if lock is None:
        del commands[NextStep.COMMIT_LOCK]
    due = dict.fromkeys(commands[step] for step in result.next_steps if step in commands)
    lead = t.gettext("next:")
    return [*lines, *(f"{' ' * len(lead) if index else lead} {command}" for index, command in enumerate(due))]


def _hold_lines(result: ApplyResult) -> dict[str, str]:
    """When each mailing that was approved for later is handed over, by address."""
    windows = {action.address: action.window for action in result.plan.decided if action.window is not None}
    return {
        one.address: sentence(
            "`apply --due` hands it over between {opens} and {closes}",
            opens=windows[one.address].opens,
            closes=windows[one.address].closes,
        )
        for one in result.mailings
        if one.outcome is MailingOutcome.HELD
    }


def outcome_of(mailing: MailingResult, scheduled: Container[Key]) -> StrEnum:
    """The outcome; a mailing that sms.by holds until its time is scheduled, not sent."""
    is_later = mailing.outcome.was_sent_now and mailing.key in scheduled
    return State.SCHEDULED if is_later else mailing.outcome


def summary_line(result: ApplyResult, t: Translator = ENGLISH) -> str:
    """`2 sent, 1 skipped; 40 recipients, 1.144 BYN`."""
    scheduled = result.scheduled
    outcomes = Counter(outcome_of(mailing, scheduled) for mailing in result.mailings)
    outcomes[MailingOutcome.SKIPPED] += len(result.orphans)
    counts = ", ".join(t.count_of(outcomes[one], one) for one in _OUTCOMES if outcomes[one])
    sent = result.sent
    if sent is None and not counts and result.next_opening is not None:
        return t.gettext(
            "nothing is due; the next window opens {time}", time=full_minute(result.next_opening)
        )
    if sent is None:
        return counts or t.gettext("nothing to do")
    size = t.gettext("{count:recipient|recipients}", count=sent.recipients)
    if sent.recipients_now < sent.recipients:
        size = t.gettext("{recipients}, {count:,} of them now", recipients=size, count=sent.recipients_now)
    lists = t.sentence(uncounted_lists(sent.uncounted_lists))
    partly = sent.partly_sent
    rest = (
        t.gettext("; excluding the sent part of {count:other mailing|other mailings}", count=partly)
        if partly
        else ""
    )
    return f"{counts}; {size}{_cost(sent, result.plan, t)}{lists}{rest}"


def _cost(sent: SentTotals, plan: Plan, t: Translator) -> str:
    if sent.cost is None:
        return ""
    lists = max(sent.unpriced_lists - sent.uncounted_lists, 0)
    rest = t.gettext(" plus the cost of {count:contact list|contact lists}", count=lists) if lists else ""
    cost = t.aligning(action.cost for action in plan.decided).money(sent.cost)
    return f", {cost} {plan.currency}{rest}"


def write_history(lock: Lock, zone: tzinfo, stream: TextIO, *, color: bool) -> None:
    """Write a table of the applies with their times in `zone`, the latest first."""
    console = make_console(stream, color=color)
    if not lock.applies:
        console.print(_NOTHING)
        return
    rows = (Row(tuple(map(clean, _cells(run, zone)))) for run in reversed(lock.applies))
    write_table(console, _COLUMNS, rows)


def history_markdown(lock: Lock, zone: tzinfo) -> str:
    """The same table as Markdown."""
    if not lock.applies:
        return f"{_NOTHING.capitalize()}.\n"
    rulers = ["---:" if column.is_number else "---" for column in _COLUMNS]
    lines = [table_row([column.title for column in _COLUMNS]), f"|{'|'.join(rulers)}|\n"]
    lines += [table_row([escape(cell) for cell in _cells(run, zone)]) for run in reversed(lock.applies)]
    return "".join(lines)


def _cells(run: Apply, zone: tzinfo) -> tuple[str, ...]:
    return (
        time_text(datetime.fromisoformat(run.at).astimezone(zone)),
        run.by or "-",
        run.plan,
        (run.commit or "-")[:7],
        f"{run.mailings:,}",
        f"{run.recipients:,}",
        run.tool.removeprefix("smsby-deploy "),
    )


def apply_markdown(outcome: ApplyResult | SmsbyDeployError, t: Translator = ENGLISH) -> str:
    """What was sent and, unless everything was, what to do next.

    A failure ends with a colon: only the pipeline knows the command that runs it again, and appends it.
    `outcome` is an error if the apply ended without a result.
    """
    exit_code = outcome.exit_code
    left_out = len(outcome.left_out) if isinstance(outcome, ApplyResult) else 0
    if exit_code == ExitCode.DONE and left_out:
        what = t.gettext(
            "smsby-deploy apply: done, {count:mailing was|mailings were} not sent", count=left_out
        )
        title = f"### ⚠️ {what}\n"
    elif exit_code in (ExitCode.DONE, ExitCode.CHANGES_TO_APPLY):
        title = f"### ✅ {t.gettext('smsby-deploy apply: done')}\n"
    else:
        title = f"### ⛔ {t.gettext('smsby-deploy apply: exit code {code}', code=int(exit_code))}\n"
    pieces, then = [Piece(title)], _NEXT_STEPS.get(exit_code, _RUN_AGAIN)
    has_news = isinstance(outcome, ApplyResult) and outcome.has_news
    if exit_code is ExitCode.REFUSED and not has_news:
        then = _ALL_REFUSED
    if isinstance(outcome, ApplyResult):
        pieces += [*_mailing_pieces(outcome, t), Piece(_unknown_lines(outcome, t))]
    else:
        pieces.append(Piece(f"\n{message_markdown(outcome.message, t)}\n"))
    if exit_code not in (ExitCode.DONE, ExitCode.CHANGES_TO_APPLY):
        pieces.append(Piece(f"\n{t.sentence(then)}\n"))
    return fit(pieces, rest=t.gettext("the log of the run shows everything"), t=t)


def _mailing_pieces(result: ApplyResult, t: Translator) -> list[Piece]:
    """The totals, and a table of the mailings that something happened to, or should have."""
    scheduled, held, rows = result.scheduled, _hold_lines(result), []
    for one in result.mailings:
        why = one.error or one.waits or held.get(one.address, "")
        if one.outcome is not MailingOutcome.SKIPPED or why:
            cells = [t.name(outcome_of(one, scheduled)), escape(one.address), t.count(one.counted)]
            rows.append(table_row([*cells, message_markdown(why, t) if why else ""]))
    pieces = [Piece(f"\n{escape(summary_line(result, t))}\n")]
    if rows:
        titles = [t.gettext("outcome"), t.gettext("mailing"), t.gettext("recipients"), t.gettext("reason")]
        pieces.append(Piece(f"\n{table_row(titles)}|---|---|---:|---|\n"))
        pieces += [Piece(row, 1, "mailing") for row in rows]
    return pieces


def _unknown_lines(result: ApplyResult, t: Translator) -> str:
    """How a user resolves an outcome that may stay unknown."""
    unknown = [one.address for one in result.mailings if one.outcome is MailingOutcome.UNKNOWN]
    if not unknown:
        return ""
    lead = t.gettext("If it stays unknown, look in the account at sms.by and record what you found:")
    commands = "".join(
        f"smsby-deploy lock resolve {address} --sent --reason …  # --not-sent\n" for address in unknown
    )
    return f"\n{lead}\n\n```sh\n{commands}```\n"
