"""A plan as a comment on a pull request.

It has the verdict and cost, a line per mailing, problems, and folded details.
Changes against the base are described in words, and a changed text word by word.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from smsby_deploy.lock.places import PRODUCTION
from smsby_deploy.output.mailing_test_report import results_section
from smsby_deploy.output.markdown import (
    COMMENT_BYTES,
    Piece,
    clip,
    code,
    escape,
    fit,
    message_markdown,
    table_row,
)
from smsby_deploy.output.plan_text import (
    archived_line,
    fold_plan,
    list_costs,
    uncounted_lists,
    unscheduled_text,
)
from smsby_deploy.output.plan_words import (
    QUIET,
    WITHOUT_REASON,
    audience_section,
    balance_after_text,
    change_text,
    changes_text,
    chunks_section,
    cost_text,
    counts_text,
    delivery_texts,
    encoding_text,
    first_send_text,
    is_foreign,
    local_and_utc,
    parts_text,
    samples_section,
    text_change_section,
    verdict_text,
    with_money_of,
)
from smsby_deploy.output.problems_text import fold_alike, help_line, with_help
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.plan.base_changes import LOCK_CHANGED
from smsby_deploy.plan.base_comparison import Base, compare_action, removed_since
from smsby_deploy.plan.mailing_test_results import MailingTestResult
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.plan_file import plan_document
from smsby_deploy.plan.plan_result import Funds, PlanResult, Verdict
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.texts.samples import MailingReview
from smsby_deploy.wording import first_of

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
_SIGNS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.NOTE: "💬"}
_MAX_GONE = 20
_LINK_BYTES = 1_000  # for the link to the page that a pipeline adds
_RENDER = "<code>smsby-deploy render</code>"
# The order in which pieces are left out when a comment is full: the highest rank first.
_RANKS = {
    "chunks": 90,
    "sample texts": 80,
    "text change": 70,
    "tests": 65,
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
    """What the comment shows besides the plan.

    `reviews` maps addresses to the reviews of mailings. `out` is the plan file to pass to `apply`; `program` starts every
    command. `tests` are the results of the mailings' own tests. `has_page`: the plan is also written as a page, to which a
    pipeline may add a link (see `_head`).
    """

    base: Base
    reviews: Mapping[str, MailingReview]
    out: str | None = None
    commit: str | None = None
    program: str = "smsby-deploy"
    has_page: bool = False
    language: Translator = ENGLISH
    tests: Sequence[MailingTestResult] = ()


def marker(project: str, environment: str = PRODUCTION) -> str:
    """The hidden first line by which a later run finds its comment.

    It never changes for an environment of a project.
    """
    where = "" if environment == PRODUCTION else f" environment={environment}"
    return f"<!-- smsby-deploy:plan project={project}{where} -->"


def plan_markdown(result: PlanResult, context: CommentContext) -> str:
    """The plan as a comment of at most 65,536 bytes.

    Texts from a user's files have no effect in it.
    """
    plan, t = result.plan, with_money_of(result, context.language, context.base)
    context = replace(context, language=t)
    pieces = [Piece(_head(result, context))]
    pieces += _settings(plan, t)
    shown, lines = fold_plan(plan)
    pieces += _table(shown, context)
    pieces += [Piece(f"\n{escape(t.sentence(line))}\n") for line in lines]
    pieces += _gone(plan, context.base, t)
    pieces += _lists(shown, t)
    pieces += _reasons(shown, t)
    pieces += _problems(shown, t)
    if context.tests:
        pieces.append(_piece("tests", results_section(context.tests, t)))
    for action in shown.actions:
        if action.action is not ActionKind.ORPHAN:
            pieces += _folds(action, context, context.reviews.get(action.address))
    pieces.append(Piece(_footer(result, context)))
    file = f" {code(context.out)}" if context.out else ""
    rest = t.gettext(
        "Everything but the texts is in the plan file{file}; {render} shows the texts.",
        file=file,
        render=_RENDER,
    )
    limit = COMMENT_BYTES - (_LINK_BYTES if context.has_page else 0)
    return fit(pieces, limit=limit, rest=rest, t=t)


def no_plan_markdown(project: str, environment: str, message: str, t: Translator = ENGLISH) -> str:
    """The comment if no plan could be made; it replaces an earlier one, which is outdated."""
    outdated = t.gettext("The plan that this comment showed before is outdated.")
    text = f"{message_markdown(message, t)}\n\n> {outdated}"
    verdict = t.gettext("No plan, nothing will be sent")
    heading = f"### ❌ {verdict} · {_title(project, environment, t)}"
    return f"{marker(project, environment)}\n{heading}\n\n{text}\n"


def _title(project: str, environment: str, t: Translator) -> str:
    """The project, and its environment if that is not production."""
    if environment == PRODUCTION:
        return escape(project)
    return f"{escape(project)} · {t.gettext('environment {name}', name=escape(environment))}"


def _piece(name: str, text: str) -> Piece:
    return Piece(text, _RANKS[name], name)


# --- Verdict and totals ----------------------------------------------------------------------------------------------


def _head(result: PlanResult, context: CommentContext) -> str:
    plan, t = result.plan, context.language
    heading = f"### {_verdict(result, t)} · {_title(plan.project, plan.environment, t)}"
    if plan.service and is_foreign(plan.service):
        heading += f" · {t.gettext('service {url}', url=escape(plan.service))}"
    lines = [marker(plan.project, plan.environment), heading]
    if plan.committed.mailings:
        lines += ["", _totals_line(result, context.base, t), *_balance_lines(result, t)]
    if plan.callback_url:
        lines += ["", t.gettext("sms.by sends callbacks to {url}", url=code(clip(plan.callback_url)))]
    if plan.changes is not None:
        lines += [f"\n> ⚠️ {message_markdown(gap, t, is_clipped=True)}" for gap in plan.changes.gaps]
    lines += ["", counts_text(plan, t)]
    if plan.archived:
        lines += ["", t.sentence(archived_line(plan))]
    if result.refusal is not None:
        refusal = message_markdown(result.refusal.message, t)
        lines += ["", f"**{t.gettext('Apply will refuse the whole plan:')}** {refusal}"]
    if plan.account is None:
        lines += ["", f"> {t.gettext('Made offline, without asking sms.by: this plan cannot be applied.')}"]
    if context.has_page:  # invisible: only the pipeline knows where it puts the page
        lines += ["", f"<!-- smsby-deploy:page {t.gettext('Open the plan as a page')} -->"]
    return "\n".join(lines) + "\n\n"


def _verdict(result: PlanResult, t: Translator) -> str:
    """The verdict in one line, with its sign, and what else has changed."""
    changes, text = t.sentence(changes_text(result.plan.changes)), verdict_text(result, t)
    icon = {Verdict.INVALID: "❌", Verdict.REFUSED: "⛔", Verdict.BLOCKED: "⛔"}.get(result.verdict)
    if not changes:
        return f"{icon or '✅'} {text}"
    if icon is not None:
        return f"{icon} {text}; {changes}"
    return f"⚠️ {t.gettext('{verdict}, but {changes}', verdict=text, changes=changes)}"


def _totals_line(result: PlanResult, base: Base, t: Translator) -> str:
    plan, totals = result.plan, result.plan.committed
    size = t.gettext(
        "{parts:part|parts} for {recipients:recipient|recipients}",
        parts=totals.parts,
        recipients=totals.recipients,
    )
    first = t.gettext("first send {when}", when=first_send_text(result, t))
    return f"**{escape(cost_text(plan, base, t))}** · {size}{t.sentence(uncounted_lists(totals.uncounted))} · {first}"


def _balance_lines(result: PlanResult, t: Translator) -> list[str]:
    """A paragraph on the balance, if it is known."""
    if result.balance is None or result.balance_after is None:
        return []
    balance = f"{t.money(result.balance)} {escape(result.plan.currency or '')}"
    if result.funds is Funds.TOO_LOW:
        why = t.gettext(
            "**The balance of {balance} is too low:** apply will refuse the whole plan", balance=balance
        )
        return ["", why]
    if result.funds is Funds.THIS_APPLY:
        why = t.gettext(
            "**The balance of {balance} is too low** for what is approved; top up before the hand-over",
            balance=balance,
        )
        return ["", why]
    after = balance_after_text(result.plan, result.balance_after, t)
    known = t.gettext("Balance {balance}", balance=balance)
    return ["", f"{known}, {after}{t.sentence(list_costs(result.plan.committed))}"]


def _settings(plan: Plan, t: Translator) -> Iterator[Piece]:
    """Every key of smsby.yaml that differs from the base; never folded."""
    if plan.changes is None or not plan.changes.settings:
        return
    count, base = len(plan.changes.settings), escape(t.sentence(plan.changes.base))
    heading = t.gettext("**⚠️ Settings changed** compared with {base} ({count:,})", base=base, count=count)
    yield Piece(f"{heading}\n\n")
    yield Piece(table_row((t.gettext("Setting"), t.gettext("Before"), t.gettext("Now"))) + "|---|---|---|\n")
    for key, *values in plan.changes.settings:
        cells = [t.gettext("not set") if value is None else code(t.sentence(value)) for value in values]
        yield _piece("setting", table_row((f"**{escape(key)}**", *cells)))
    yield Piece("\n")


# --- Table -----------------------------------------------------------------------------------------------------------


def _table(plan: Plan, context: CommentContext) -> Iterator[Piece]:
    if not plan.actions:
        return
    t = context.language
    columns = (
        t.gettext("Mailing"),
        t.gettext("Action"),
        t.gettext("When"),
        t.gettext("Recipients"),
        t.gettext("Parts (1/2/3+)"),
        t.gettext("Encoding"),
        t.gettext("Cost"),
        t.gettext("Change"),
    )
    yield Piece(table_row(columns) + "|---|---|---|---:|---:|---|---:|---|\n")
    for action in plan.actions:
        name = "quiet mailing" if action.action in QUIET else "mailing"
        yield _piece(name, _row(plan, action, context))


def _row(plan: Plan, action: Action, context: CommentContext) -> str:
    t, review = context.language, context.reviews.get(action.address)
    change = compare_action(action, context.base, review.text if review else None)
    return table_row(
        (
            f"**{escape(action.address)}**",
            f"{_ICONS[action.action]} {t.name(action.action)}",
            _when(plan, action, review, t),
            t.count(action.recipients),
            parts_text(action, review, t),
            encoding_text(action, t),
            t.money(action.cost),
            "" if action.action is ActionKind.ORPHAN else escape(change_text(change, plan.currency, t)),
        )
    )


def _when(plan: Plan, action: Action, review: MailingReview | None, t: Translator) -> str:
    if action.send_time is None:
        return t.sentence(unscheduled_text(action))
    local, utc = local_and_utc(action.send_time, review.timezone if review else None, t)
    return f"{escape(local)}<br>{utc}, {t.span(action.send_time - plan.made_at)}"


# --- Reasons and problems --------------------------------------------------------------------------------------------


def _gone(plan: Plan, base: Base, t: Translator) -> Iterator[Piece]:
    gone = removed_since(plan, base)
    if gone:
        names = t.sentence(first_of([f"**{escape(address)}**" for address in gone], _MAX_GONE))
        label = escape(t.sentence(base.label))
        line = t.gettext("No longer here, but in {base}: {names}", base=label, names=names)
        yield _piece("reason", f"\n{line}\n")


def _lists(plan: Plan, t: Translator) -> Iterator[Piece]:
    """The contact lists, spread, waves and variants of mailings."""
    for action in plan.actions:
        for text in delivery_texts(action, t) if action.action not in QUIET else ():
            yield _piece("reason", f"\n**{escape(action.address)}**: {escape(clip(text))}\n")


def _reasons(plan: Plan, t: Translator) -> Iterator[Piece]:
    explained = [action for action in plan.actions if action.reason and action.action not in WITHOUT_REASON]
    if explained:
        yield Piece("\n")
    for action in explained:
        reason = message_markdown(action.reason, t, is_clipped=True)
        yield _piece("reason", f"- {_ICONS[action.action]} **{escape(action.address)}**: {reason}\n")


def _problems(plan: Plan, t: Translator) -> Iterator[Piece]:
    headings = {
        Severity.ERROR: t.gettext("Errors"),
        Severity.WARNING: t.gettext("Warnings"),
        Severity.NOTE: t.gettext("Notes"),
    }
    for severity, heading in headings.items():
        found = [problem for problem in plan.problems if problem.severity is severity]
        if found:
            yield Piece(f"\n**{_SIGNS[severity]} {heading}** ({t.count(len(found))})\n\n")
        for problem, known in with_help(fold_alike(found), t.language):
            name = "lock entry" if problem.code == LOCK_CHANGED else severity.value
            # English messages themselves say what is wrong and what to do.
            more = help_line(known, t) if known and t.language != ENGLISH.language else ""
            yield _piece(name, _problem_line(problem, t) + more)


def _problem_line(problem: Problem, t: Translator) -> str:
    place = f"{code(str(problem.location))} " if problem.location else ""
    address = f"{escape(problem.address)}: " if problem.address else ""
    return f"- {place}<code>{problem.code}</code> {address}{message_markdown(problem.message, t, is_clipped=True)}\n"


# --- Folded details and footer ---------------------------------------------------------------------------------------


def _folds(action: Action, context: CommentContext, review: MailingReview | None) -> Iterator[Piece]:
    t = context.language
    folds = (
        ("audience", audience_section(action, t)),
        ("text change", text_change_section(action, context.base, review, t)),
        ("sample texts", samples_section(action, review, t)),
        ("chunks", chunks_section(action, t)),
    )
    return (_piece(name, text) for name, text in folds if text)


def _footer(result: PlanResult, context: CommentContext) -> str:
    plan, t = result.plan, context.language
    digest = str(plan_document(plan)["digest"])
    facts = [
        t.gettext("plan {id}", id=f"<code>{plan.id}</code>"),
        t.gettext("digest {digest}", digest=f"<code>{digest[:16]}</code>"),
    ]
    if context.commit:
        facts.append(t.gettext("commit {commit}", commit=f"<code>{context.commit[:12]}</code>"))
    line = " · ".join([*facts, escape(plan.tool), escape(plan.created_at)])
    if plan.account is None or plan.has_errors or not plan.to_do:
        return f"\n<sub>{line}</sub>\n"
    command = f"{context.program} {shlex.join(['apply', context.out or 'plan.json'])}"
    save = t.gettext("This plan was not saved; save it with {option}.", option="<code>--out plan.json</code>")
    apply = t.gettext("Apply exactly this plan: {command}", command=f"<code>{escape(command)}</code>")
    return f"\n{apply if context.out else f'{save} {apply}'}\n\n<sub>{line}</sub>\n"
