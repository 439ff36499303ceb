"""A plan as a comment on a pull request.

It has the verdict and cost, a line per mailing, problems, and folded details.
Changes against the base are described in words, and a changed text word by word.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from smsby_deploy.lock.environment import PRODUCTION
from smsby_deploy.output.changes import change_text, changes_text, is_foreign, word_diff
from smsby_deploy.output.markdown import Piece, code, details_section, escape, fit, preformatted, table_row
from smsby_deploy.output.plan_text import (
    archived_line,
    fold_plan,
    list_costs,
    uncounted_lists,
    unscheduled_text,
)
from smsby_deploy.output.sms_text import ENCODING_NAMES
from smsby_deploy.output.values import count_text, list_text, local_and_utc, safe_line, span_text
from smsby_deploy.plan.base_changes import LOCK_CHANGED
from smsby_deploy.plan.comparison import Base, compare_action, cost_change, removed_since
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.plan_file import plan_document
from smsby_deploy.plan.result import PlanResult, Verdict
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.texts.cost import aligned, money, signed
from smsby_deploy.texts.samples import MailingReview, Sample
from smsby_deploy.wording import counted

_ICONS = {
    ActionKind.CREATE: "🟢",
    ActionKind.UPLOAD: "🟢",
    ActionKind.RESUME: "🟡",
    ActionKind.CONFIRM: "🟢",
    ActionKind.ADOPT: "🔵",
    ActionKind.HOLD: "🟢",
    ActionKind.WAITING: "🔵",
    ActionKind.DUE: "🟡",
    ActionKind.NOOP: "⚪",
    ActionKind.ORPHAN: "⚪",
    ActionKind.BLOCKED: "🔴",
}
_HEADINGS = {Severity.ERROR: "❌ Errors", Severity.WARNING: "⚠️ Warnings", Severity.NOTE: "💬 Notes"}
_COLUMNS = ("Mailing", "Action", "When", "Recipients", "Parts (1/2/3+)", "Encoding", "Cost", "Change")
_QUIET = frozenset({ActionKind.NOOP, ActionKind.ORPHAN})
_WITHOUT_REASON = frozenset({ActionKind.CREATE, ActionKind.NOOP})
_MAX_TEXT = 600  # characters of a reason or a message
_MAX_GONE = 20
# In which order pieces are left out when a comment is full: the highest rank first.
_RANKS = {
    "chunks": 90,
    "sample texts": 80,
    "text change": 70,
    "audience": 60,
    "note": 50,
    "quiet mailing": 40,
    "warning": 30,
    "mailing": 20,
    "reason": 15,
    "lock entry": 14,
    "setting": 12,
    "error": 10,
}


@dataclass(frozen=True, slots=True)
class CommentContext:
    """What the comment shows beside the plan.

    `reviews` maps addresses to what is known of their files. `out` is the plan file as `apply` needs it; `program` starts
    every command.
    """

    base: Base
    reviews: Mapping[str, MailingReview]
    out: str | None = None
    commit: str | None = None
    program: str = "smsby-deploy"


def marker(project: str, environment: str = PRODUCTION) -> str:
    """The hidden first line by which a later run finds its comment.

    It never changes for an environment of a project.
    """
    where = "" if environment == PRODUCTION else f" environment={environment}"
    return f"<!-- smsby-deploy:plan project={project}{where} -->"


def plan_markdown(result: PlanResult, context: CommentContext) -> str:
    """The plan as a comment of at most 65,536 bytes.

    Nothing from a user's file has an effect in it.
    """
    plan = result.plan
    pieces = [Piece(_head(result, context))]
    pieces += _settings(plan)
    shown, lines = fold_plan(plan)
    pieces += _table(shown, context)
    pieces += [Piece(f"\n{escape(line)}\n") for line in lines]
    pieces += _gone(plan, context.base)
    pieces += _lists(shown)
    pieces += _reasons(shown)
    pieces += _problems(shown)
    for action in shown.actions:
        if action.action is not ActionKind.ORPHAN:
            pieces += _folds(action, context.base, context.reviews.get(action.address))
    pieces.append(Piece(_footer(result, context)))
    file = f"the plan file {code(context.out)}" if context.out else "the plan file"
    rest = f"Everything but the texts is in {file}; <code>smsby-deploy render</code> shows the texts."
    return fit(pieces, rest=rest)


def no_plan_markdown(project: str, environment: str, message: str) -> str:
    """The comment if no plan could be made; it replaces an earlier one, which is outdated."""
    text = f"{escape(message)}\n\n> The plan that this comment showed before is outdated."
    heading = f"### ❌ No plan, nothing will be sent · {_title(project, environment)}"
    return f"{marker(project, environment)}\n{heading}\n\n{text}\n"


def _title(project: str, environment: str) -> str:
    """The project, and its environment if that is not production."""
    return escape(project) + ("" if environment == PRODUCTION else f" · environment {escape(environment)}")


def _piece(name: str, text: str) -> Piece:
    return Piece(text, _RANKS[name], name)


# --- Verdict and totals ----------------------------------------------------------------------------------------------


def _head(result: PlanResult, context: CommentContext) -> str:
    plan = result.plan
    service = f" · service {escape(plan.service)}" if plan.service and is_foreign(plan.service) else ""
    heading = f"### {_verdict(result)} · {_title(plan.project, plan.environment)}{service}"
    lines = [marker(plan.project, plan.environment), heading, ""]
    if plan.committed.mailings:
        lines += [_totals_line(result, context.base), *_balance_lines(result)]
    if plan.callback_url:
        lines += ["", f"Callbacks of sms.by go to {code(_clip(plan.callback_url))}"]
    if plan.changes is not None:
        lines += [f"\n> ⚠️ {escape(_clip(gap))}" for gap in plan.changes.gaps]
    actions = ", ".join(f"{count:,} {kind}" for kind, count in plan.counts.items() if count)
    lines += ["", actions or "no mailings"]
    if plan.archived:
        lines += ["", archived_line(plan)]
    if result.refusal is not None:
        lines += ["", f"**Apply will refuse the whole plan:** {escape(result.refusal.message)}"]
    if plan.account is None:
        lines += ["", "> Made offline, without asking sms.by: this plan cannot be applied."]
    return "\n".join(lines) + "\n\n"


def _verdict(result: PlanResult) -> str:
    """The answer in one line; what else changed is part of it."""
    plan, ready = result.plan, result.plan.committed.mailings
    sending, held = plan.totals.mailings, plan.held.mailings
    changes = changes_text(plan.changes) if plan.changes is not None else ""
    also, but = (f"; {changes}", f", but {changes}") if changes else ("", "")
    overdue = f", {len(plan.overdue):,} overdue" if plan.overdue else ""
    icon = "⚠️" if changes else "✅"
    match result.verdict:
        case Verdict.INVALID:
            errors = sum(problem.severity is Severity.ERROR for problem in plan.problems)
            return f"❌ Not valid: {counted(errors, 'error')}, nothing will be sent{also}"
        case Verdict.REFUSED:
            return f"⛔ Refused as a whole, nothing will be sent{also}"
        case Verdict.BLOCKED:
            others = f", {ready:,} ready" if ready else ""
            return f"⛔ {len(plan.obstacles):,} blocked{others}{overdue}{also}"
        case Verdict.READY:
            parts = ((sending, "to send"), (held, "to approve for later"))
            what = ", ".join(f"{counted(count, 'mailing')} {goal}" for count, goal in parts if count)
            return f"{icon} Ready: {what}{overdue}{but}"
        case Verdict.NOTHING_TO_SEND:
            return f"{icon} Nothing to send{overdue}{but}"


def _totals_line(result: PlanResult, base: Base) -> str:
    plan, totals = result.plan, result.plan.committed
    size = f"{counted(totals.parts, 'part')} for {counted(totals.recipients, 'recipient')}"
    are_all_scheduled = len(result.scheduled) == totals.mailings
    first = span_text(result.scheduled[0].wait) if are_all_scheduled else "on apply"
    return f"**{_cost(plan, base)}** · {size}{uncounted_lists(totals)} · first send {first}"


def _cost(plan: Plan, base: Base) -> str:
    if plan.currency is None:
        return "Cost not known: the project has no price"
    change = cost_change(plan, base)
    against = "" if change is None else f" ({signed(change)} compared with {escape(base.label)})"
    return f"Cost {money(plan.committed.cost)} {escape(plan.currency)}{against}"


def _balance_lines(result: PlanResult) -> list[str]:
    """A paragraph on the balance, if it is known."""
    if result.balance is None or result.balance_after is None:
        return []
    balance = f"{money(result.balance)} {escape(result.plan.currency or '')}"
    if not result.is_paid_for:
        return ["", f"**The balance of {balance} is too low:** apply will refuse the whole plan"]
    if result.balance_after < 0:
        what = "what is approved; top up before it is handed over"
        return ["", f"**The balance of {balance} is too low** for {what}"]
    after = f"{money(result.balance_after)} afterwards{list_costs(result.plan.committed)}"
    return ["", f"Balance {balance}, {after}"]


def _settings(plan: Plan) -> Iterator[Piece]:
    """Every key of smsby.yaml that differs from the base; never folded."""
    if plan.changes is None or not plan.changes.settings:
        return
    count, base = len(plan.changes.settings), escape(plan.changes.base)
    yield Piece(f"**⚠️ Settings changed** compared with {base} ({count:,})\n\n")
    yield Piece(table_row(("Setting", "Before", "Now")) + "|---|---|---|\n")
    for key, *values in plan.changes.settings:
        cells = ["not set" if value is None else code(value) for value in values]
        yield _piece("setting", table_row((f"**{escape(key)}**", *cells)))
    yield Piece("\n")


# --- Table -----------------------------------------------------------------------------------------------------------


def _table(plan: Plan, context: CommentContext) -> Iterator[Piece]:
    if not plan.actions:
        return
    yield Piece(table_row(_COLUMNS) + "|---|---|---|---:|---:|---|---:|---|\n")
    costs = aligned([action.cost for action in plan.actions])
    for action, cost in zip(plan.actions, costs, strict=True):
        review = context.reviews.get(action.address)
        name = "quiet mailing" if action.action in _QUIET else "mailing"
        yield _piece(name, _row(plan, action, cost, context.base, review))


def _row(plan: Plan, action: Action, cost: str, base: Base, review: MailingReview | None) -> str:
    change = compare_action(action, base, review.text if review else None)
    return table_row(
        (
            f"**{escape(action.address)}**",
            f"{_ICONS[action.action]} {action.action}",
            _when(plan, action, review),
            count_text(action.recipients),
            _parts(action, review),
            _encoding(action),
            cost,
            "" if action.action is ActionKind.ORPHAN else escape(change_text(change, plan.currency)),
        )
    )


def _when(plan: Plan, action: Action, review: MailingReview | None) -> str:
    if action.schedule_time is None:
        return unscheduled_text(action)
    local, utc = local_and_utc(action.schedule_time, review.timezone if review else None)
    wait = datetime.fromisoformat(action.schedule_time) - datetime.fromisoformat(plan.created_at)
    return f"{escape(local)}<br>{utc}, {span_text(wait)}"


def _parts(action: Action, review: MailingReview | None) -> str:
    """The parts, and how many recipients have a text of 1, 2, and 3 or more."""
    by_parts: Sequence[int] | None = review.by_parts if review else None
    if by_parts is None and action.recipients and action.parts is not None:
        each, rest = divmod(action.parts, action.recipients)
        if not rest:  # one text for all
            by_parts = [action.recipients if min(each, 3) == size else 0 for size in (1, 2, 3)]
    split = f" ({'/'.join(f'{count:,}' for count in by_parts)})" if by_parts else ""
    return count_text(action.parts) + split


def _encoding(action: Action) -> str:
    counts = (("GSM-7", action.gsm7), ("UCS-2", action.ucs2))
    used = [f"{name} {count:,}" if action.recipients is not None else name for name, count in counts if count]
    return ", ".join(used) or "-"


# --- Reasons and problems --------------------------------------------------------------------------------------------


def _gone(plan: Plan, base: Base) -> Iterator[Piece]:
    gone = removed_since(plan, base)
    if gone:
        names = ", ".join(f"**{escape(address)}**" for address in gone[:_MAX_GONE])
        more = f" and {len(gone) - _MAX_GONE:,} more" if len(gone) > _MAX_GONE else ""
        yield _piece("reason", f"\nNo longer here, but in {escape(base.label)}: {names}{more}\n")


def _lists(plan: Plan) -> Iterator[Piece]:
    """To which contact lists mailings are sent: their names and ids."""
    for action in plan.actions:
        if action.contact_list is not None and action.action not in _QUIET:
            target = escape(_clip(list_text(action.contact_list)))
            yield _piece("reason", f"\n**{escape(action.address)}**: {target}\n")


def _reasons(plan: Plan) -> Iterator[Piece]:
    explained = [action for action in plan.actions if action.reason and action.action not in _WITHOUT_REASON]
    if explained:
        yield Piece("\n")
    for action in explained:
        reason = escape(_clip(action.reason))
        yield _piece("reason", f"- {_ICONS[action.action]} **{escape(action.address)}**: {reason}\n")


def _problems(plan: Plan) -> Iterator[Piece]:
    for severity in Severity:
        found = [problem for problem in plan.problems if problem.severity is severity]
        if found:
            yield Piece(f"\n**{_HEADINGS[severity]}** ({len(found):,})\n\n")
        for problem in found:
            name = "lock entry" if problem.code == LOCK_CHANGED else severity.value
            yield _piece(name, _problem_line(problem))


def _problem_line(problem: Problem) -> str:
    place = f"{code(str(problem.location))} " if problem.location else ""
    address = f"{escape(problem.address)}: " if problem.address else ""
    return f"- {place}<code>{problem.code}</code> {address}{escape(_clip(problem.message))}\n"


def _clip(text: str) -> str:
    # Mask before cutting: half a phone number could not be recognized.
    line = safe_line(text)
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"


# --- Folded details and footer ---------------------------------------------------------------------------------------


def _folds(action: Action, base: Base, review: MailingReview | None) -> Iterator[Piece]:
    name = escape(action.address)
    if action.audience.rows:
        size = f"{counted(action.audience.rows, 'row')} → {counted(action.audience.final, 'recipient')}"
        summary = f"Audience of {name}: {size}"
        yield _piece("audience", details_section(summary, _audience_table(action)))
    before = base.mailings.get(action.address)
    text = review.text if review else None
    if before and before.text is not None and text is not None and before.text != text:
        body = f"<pre>\n{word_diff(before.text, text)}</pre>"
        summary = f"Text of {name} compared with {escape(base.label)}"
        yield _piece("text change", details_section(summary, body))
    if review and review.samples:
        body = "\n".join(_sample(sample) for sample in review.samples)
        yield _piece("sample texts", details_section(f"Sample texts of {name} ({len(review.samples)})", body))
    rows = "".join(
        table_row((f"{index}", f"<code>{chunk.fingerprint}</code>", count_text(chunk.recipients)))
        for index, chunk in enumerate(action.chunks, 1)
    )
    if rows:
        body = f"| chunk | fingerprint | recipients |\n|---:|---|---:|\n{rows}"
        yield _piece("chunks", details_section(f"Chunks of {name} ({len(action.chunks)})", body))


def _audience_table(action: Action) -> str:
    audience = action.audience
    subtracted = {
        "invalid phone number, dropped": audience.invalid,
        "duplicate phone number": audience.duplicate,
        "opted out": audience.suppressed,
        "not a test phone, held out": audience.held_out,
    }
    steps = [("rows read", audience.rows), *((name, -count) for name, count in subtracted.items() if count)]
    rows = (*steps, ("**recipients**", audience.final))
    return "| | count |\n|---|---:|\n" + "".join(table_row((name, f"{count:,}")) for name, count in rows)


def _sample(sample: Sample) -> str:
    phone = f", {escape(sample.phone)}" if sample.phone else ""
    size = f"{counted(sample.size.parts, 'part')}, {ENCODING_NAMES[sample.size.encoding]}"
    place = escape(f"{sample.file}:{sample.line}")
    text = "⟩⟨".join(preformatted(piece) for piece in sample.pieces)
    return f"{escape(', '.join(sample.why))}{phone} ({place}): {size}\n<pre>\n{text}</pre>\n"


def _footer(result: PlanResult, context: CommentContext) -> str:
    plan = result.plan
    digest = str(plan_document(plan)["digest"])
    commit = f" · commit {code(context.commit[:12])}" if context.commit else ""
    facts = (
        f"plan <code>{plan.id}</code> · digest <code>{digest[:16]}</code>{commit} · {escape(plan.tool)}"
        f" · {escape(plan.created_at)}"
    )
    if plan.account is None or plan.has_errors or not plan.to_do:
        return f"\n<sub>{facts}</sub>\n"
    command = f"{context.program} {shlex.join(['apply', context.out or 'plan.json'])}"
    save = "" if context.out else "This plan was not saved; save it with <code>--out plan.json</code>. "
    return f"\n{save}Apply exactly this plan: <code>{escape(command)}</code>\n\n<sub>{facts}</sub>\n"
