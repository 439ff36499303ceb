"""The plan as a comment on a pull request: verdict and cost first, then a line a mailing, what is wrong, and folds."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from smsby_deploy.output.comparison import Base, change_of, gone_since, word_diff
from smsby_deploy.output.markdown import Piece, escape, fit, fold, preformatted, table_row
from smsby_deploy.output.plan_text import balance_after
from smsby_deploy.output.times import in_words, in_zone_and_utc
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.plan_file import plan_document
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.texts.price import aligned, money, signed
from smsby_deploy.texts.samples import MailingReview, Sample
from smsby_deploy.wording import counted

_ICONS = {
    ActionKind.CREATE: "🟢 create",
    ActionKind.UPLOAD: "🟢 upload",
    ActionKind.RESUME: "🟡 resume",
    ActionKind.CONFIRM: "🟢 confirm",
    ActionKind.ADOPT: "🔵 adopt",
    ActionKind.NOOP: "⚪ noop",
    ActionKind.ORPHAN: "⚪ orphan",
    ActionKind.BLOCKED: "🔴 blocked",
}
_HEADS = {Severity.ERROR: "❌ Errors", Severity.WARNING: "⚠️ Warnings", Severity.NOTE: "💬 Notes"}
_COLUMNS = ("Mailing", "Action", "Goes out", "People", "Parts (1/2/3+)", "Encoding", "Cost", "Change")
# Reasons that say nothing beyond the action itself.
_PLAIN = frozenset({ActionKind.CREATE, ActionKind.NOOP})
# What goes first when a comment is full: folds, from the bulkiest, then lines that ask for nothing.
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
    "error": 10,
}


@dataclass(frozen=True, slots=True)
class CommentContext:
    """What the comment tells beside the plan. `out` is the plan file, as apply will name it; `refused` is a
    guardrail on the whole apply; `details` gives what is known of an address's files, or None."""

    base: Base
    details: Callable[[str], MailingReview | None]
    out: str | None = None
    commit: str | None = None
    refused: str | None = None
    balance: Decimal | None = None  # what the account holds, where sms.by told it
    program: str = "smsby-deploy"  # with what a command for this project begins


def marker(project: str) -> str:
    """The hidden line by which a later run finds its own comment; it stays the same for a project."""
    return f"<!-- smsby-deploy:plan project={project} -->"


def plan_markdown(plan: Plan, context: CommentContext) -> str:
    """The plan as a comment, at most 65,536 bytes; nothing from a user's file is live in it."""
    details = {action.address: context.details(action.address) for action in plan.actions}
    pieces = [Piece(_top(plan, context))]
    pieces += _table(plan, context.base, details)
    pieces += _gone(plan, context.base)
    pieces += _reasons(plan)
    pieces += _problems(plan)
    for action in plan.actions:
        if action.action is not ActionKind.ORPHAN:
            pieces += _folds(action, context.base, details[action.address])
    pieces.append(Piece(_footer(plan, context)))
    where = f"the plan file{f' {_code(context.out)}' if context.out else ''}"
    rest = f"All but texts stands in {where}; <code>smsby-deploy render</code> shows texts."
    return fit(pieces, rest=rest)


def no_plan_markdown(project: str, message: str) -> str:
    """Instead of a plan that could not be made: a comment that told an earlier one must not go on doing so."""
    told = f"{escape(message)}\n\n> A plan that stood here before is out of date."
    return f"{marker(project)}\n### ❌ No plan, nothing will be sent · {escape(project)}\n\n{told}\n"


def _piece(name: str, text: str) -> Piece:
    return Piece(text, _RANKS[name], name)


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _top(plan: Plan, context: CommentContext) -> str:
    sending = [action for action in plan.actions if action.sends]
    lines = [marker(plan.project), f"### {_verdict(plan, context)} · {escape(plan.project)}", ""]
    if sending:
        totals = plan.totals
        size = f"{counted(totals.parts, 'part')} for {counted(totals.recipients, 'person', 'people')}"
        lines += [f"**{_cost(plan, sending, context.base)}** · {size}"]
        lists = totals.uncounted
        if lists:
            lines[-1] += f", and {lists} contact list{'s' * (lists > 1)} that only sms.by can count"
        lines[-1] += f" · {_first(plan, sending)}"
        lines += _balance(plan, context.balance)
    counts = Counter(action.action for action in plan.actions)
    lines += [
        "",
        ", ".join(f"{counts[kind]:,} {kind}" for kind in ActionKind if counts[kind]) or "no mailings",
    ]
    if context.refused:
        lines += ["", f"**Apply will refuse:** {escape(context.refused)}"]
    if plan.account is None:
        lines += ["", "> Made offline: sms.by was not asked, and this plan can't be applied."]
    return "\n".join(lines) + "\n\n"


def _verdict(plan: Plan, context: CommentContext) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in plan.problems)
    sending = plan.totals.mailings
    if errors:
        return f"❌ Not valid: {errors} error{'s' * (errors > 1)}, nothing will be sent"
    if context.refused:
        return "⛔ Refused as a whole, nothing will be sent"
    if plan.blocked:
        also = f", {sending} ready" if sending else ""
        return f"⛔ {len(plan.blocked)} blocked{also}"
    if sending:
        return f"✅ Ready: {counted(sending, 'mailing')} to send"
    return "✅ Nothing to send"


def _cost(plan: Plan, sending: list[Action], base: Base) -> str:
    if plan.currency is None:
        return "Cost not known: the project has no price"
    total = plan.totals.cost
    before = [base.mailings[a.address].cost for a in sending if a.address in base.mailings]
    known = [cost for cost in before if cost is not None]
    change = total - sum(known, Decimal(0))
    against = f" ({signed(change)} against {escape(base.label)})" if known else ""
    return f"Cost {money(total)} {escape(plan.currency)}{against}"


def _balance(plan: Plan, balance: Decimal | None) -> list[str]:
    """What the account holds before and after, in a paragraph of its own; what lists cost is not known yet."""
    left = None if balance is None else balance_after(plan, balance)
    if balance is None or left is None:
        return []
    held = f"{money(balance)} {escape(plan.currency or '')}"
    if left < 0:
        return ["", f"**The balance of {held} is too low:** apply will refuse all of it"]
    lists = plan.totals.unpriced
    return ["", f"Balance {held}, {money(left)} after it{', less what the lists cost' if lists else ''}"]


def _first(plan: Plan, sending: list[Action]) -> str:
    times = [action.schedule_time for action in sending]
    if None in times:
        return "the first goes out on apply"
    first = min(datetime.fromisoformat(time) for time in times if time)
    return f"the first goes out {in_words(first - datetime.fromisoformat(plan.created_at))}"


def _table(plan: Plan, base: Base, details: dict[str, MailingReview | None]) -> Iterator[Piece]:
    if not plan.actions:
        return
    yield Piece(table_row(_COLUMNS) + "|---|---|---|---:|---:|---|---:|---|\n")
    costs = aligned([action.cost for action in plan.actions])
    for action, cost in zip(plan.actions, costs, strict=True):
        quiet = action.action in (ActionKind.NOOP, ActionKind.ORPHAN)
        row = _row(plan, action, cost, base, details[action.address])
        yield _piece("quiet mailing" if quiet else "mailing", row)


def _row(plan: Plan, action: Action, cost: str, base: Base, details: MailingReview | None) -> str:
    change = change_of(action, base, plan.currency, details.text if details else None)
    return table_row(
        (
            f"**{escape(action.address)}**",
            _ICONS[action.action],
            _goes_out(plan, action, details),
            _number(action.recipients),
            _parts(action, details),
            _encoding(action),
            cost,
            "" if action.action is ActionKind.ORPHAN else escape(change),
        )
    )


def _goes_out(plan: Plan, action: Action, details: MailingReview | None) -> str:
    if action.schedule_time is None:
        return "on apply"
    local, utc = in_zone_and_utc(action.schedule_time, details.timezone if details else None)
    away = datetime.fromisoformat(action.schedule_time) - datetime.fromisoformat(plan.created_at)
    return f"{escape(local)}<br>{utc}, {in_words(away)}"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _parts(action: Action, details: MailingReview | None) -> str:
    split = details.by_parts if details else None
    if split is None and action.recipients and action.parts is not None:
        each = action.parts // action.recipients  # one text for all
        if each * action.recipients == action.parts:
            split = tuple(action.recipients * (min(each, 3) == size) for size in (1, 2, 3))  # type: ignore[assignment]
    told = f" ({'/'.join(f'{count:,}' for count in split)})" if split else ""
    return _number(action.parts) + told


def _encoding(action: Action) -> str:
    pairs = (("GSM-7", action.gsm7), ("UCS-2", action.ucs2))
    told = [f"{name} {count:,}" if action.recipients is not None else name for name, count in pairs if count]
    return ", ".join(told) or "-"


def _gone(plan: Plan, base: Base) -> Iterator[Piece]:
    gone = gone_since(plan, base)
    if gone:
        names = ", ".join(f"**{escape(address)}**" for address in gone[:20])
        more = f" and {len(gone) - 20:,} more" if len(gone) > 20 else ""
        yield _piece("reason", f"\nIn {escape(base.label)} and no longer here: {names}{more}\n")


def _reasons(plan: Plan) -> Iterator[Piece]:
    told = [action for action in plan.actions if action.reason and action.action not in _PLAIN]
    if told:
        yield Piece("\n")
    for action in told:
        icon = _ICONS[action.action].split()[0]
        yield _piece("reason", f"- {icon} **{escape(action.address)}**: {escape(_clip(action.reason))}\n")


def _problems(plan: Plan) -> Iterator[Piece]:
    for severity in Severity:
        found = [problem for problem in plan.problems if problem.severity is severity]
        if found:
            yield Piece(f"\n**{_HEADS[severity]}** ({len(found)})\n\n")
        for problem in found:
            yield _piece(severity.value, _problem_line(problem))


def _problem_line(problem: Problem) -> str:
    place = f"{_code(str(problem.location))} " if problem.location else ""
    address = f"{escape(problem.address)}: " if problem.address else ""
    return f"- {place}<code>{problem.code}</code> {address}{escape(_clip(problem.message))}\n"


def _clip(text: str, length: int = 600) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _folds(action: Action, base: Base, details: MailingReview | None) -> Iterator[Piece]:
    name = escape(action.address)
    if action.audience.rows:
        yield _piece("audience", fold(f"Audience of {name}: {_waterfall_line(action)}", _waterfall(action)))
    before = base.mailings.get(action.address)
    text = details.text if details else None
    if before and before.text is not None and text is not None and before.text != text:
        body = f"<pre>\n{word_diff(before.text, text)}</pre>"
        yield _piece("text change", fold(f"Text of {name} against {escape(base.label)}", body))
    if details and details.samples:
        body = "\n".join(_sample(sample) for sample in details.samples)
        yield _piece("sample texts", fold(f"Sample texts of {name} ({len(details.samples)})", body))
    rows = "".join(
        table_row((f"{index}", f"<code>{chunk.fingerprint}</code>", _number(chunk.recipients)))
        for index, chunk in enumerate(action.chunks, 1)
    )
    if rows:
        body = f"| chunk | fingerprint | people |\n|---:|---|---:|\n{rows}"
        yield _piece("chunks", fold(f"Chunks of {name} ({len(action.chunks)})", body))


def _waterfall_line(action: Action) -> str:
    return f"{counted(action.audience.rows, 'row')} → {counted(action.audience.final, 'person', 'people')}"


def _waterfall(action: Action) -> str:
    audience = action.audience
    steps = (
        ("rows read", audience.rows),
        ("not a phone number, dropped", -audience.invalid),
        ("the same number again", -audience.duplicate),
        ("opted out", -audience.suppressed),
        ("**get it**", audience.final),
    )
    return "| | people |\n|---|---:|\n" + "".join(table_row((name, f"{count:,}")) for name, count in steps)


def _sample(sample: Sample) -> str:
    encoding = {"gsm7": "GSM-7", "ucs2": "UCS-2"}[sample.size.encoding.value]
    who = f", {escape(sample.phone)}" if sample.phone else ""
    size = f"{counted(sample.size.parts, 'part')}, {encoding}"
    place = escape(f"{sample.file}:{sample.line}")
    text = "⟩⟨".join(preformatted(piece) for piece in sample.pieces)
    return f"{escape(', '.join(sample.why))}{who} ({place}): {size}\n<pre>\n{text}</pre>\n"


def _footer(plan: Plan, context: CommentContext) -> str:
    digest = str(plan_document(plan)["digest"])
    commit = f" · commit {_code(context.commit[:12])}" if context.commit else ""
    facts = (
        f"plan <code>{plan.id}</code> · digest <code>{digest[:16]}</code>{commit} · {escape(plan.tool)}"
        f" · {escape(plan.created_at)}"
    )
    if plan.account is None or plan.has_errors or not plan.to_do:
        return f"\n<sub>{facts}</sub>\n"
    command = f"{context.program} {shlex.join(['apply', context.out or 'plan.json'])}"
    save = "" if context.out else "This plan was not saved; make it with <code>--out plan.json</code>. "
    return f"\n{save}Apply exactly this: <code>{escape(command)}</code>\n\n<sub>{facts}</sub>\n"
