"""A plan as one self-contained HTML page, for reviewers without an account at the forge.

It has the verdict, the money, points to check, a calendar, and each mailing with its texts as on a phone. It loads nothing
and can be printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from smsby_deploy.lock.places import PRODUCTION
from smsby_deploy.output.mailing_test_report import result_counts, result_rows
from smsby_deploy.output.markdown import keep_whole, message_html, printable_lines
from smsby_deploy.output.plan_text import archived_line, fold_plan, unscheduled_text
from smsby_deploy.output.plan_words import (
    QUIET,
    WITHOUT_REASON,
    audience_rows,
    balance_after_text,
    change_of_cost_text,
    change_text,
    changes_text,
    counts_text,
    encoding_text,
    first_send_text,
    group_totals,
    is_foreign,
    language_rows,
    list_text,
    local_and_utc,
    parts_text,
    text_diff,
    verdict_text,
    with_money_of,
)
from smsby_deploy.output.problems_text import as_html, fold_alike, with_help
from smsby_deploy.output.sms_text import ENCODING_NAMES, further_line
from smsby_deploy.output.status_html import page_template
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.plan.base_comparison import compare_action, removed_since
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.plan_file import plan_document
from smsby_deploy.plan.plan_result import Funds, PlanResult, Verdict
from smsby_deploy.problems import Problem, Severity

if TYPE_CHECKING:
    from markupsafe import Markup

    from smsby_deploy.output.plan_markdown import CommentContext
    from smsby_deploy.output.translation import Translator
    from smsby_deploy.plan.desired import SendTimes
    from smsby_deploy.texts.samples import MailingReview, Sample

# How an action is colored.
_LOOKS = {
    ActionKind.RESUME: "doubt",
    ActionKind.ADOPT: "wait",
    ActionKind.WAITING: "wait",
    ActionKind.DUE: "doubt",
    ActionKind.BLOCKED: "bad",
    **dict.fromkeys(QUIET, "quiet"),
}
_DEPARTING = frozenset(ActionKind) - {ActionKind.BLOCKED, ActionKind.ORPHAN, ActionKind.ADOPT}
_DAYS = 7


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure; `note` is smaller and below it."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """Something to check; `meaning` and `way_out` are HTML, and so is a `text` that is Markup."""

    look: str
    text: Markup | str
    code: str = ""
    address: str = ""
    place: str = ""
    meaning: str = ""
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class Bubble:
    """A text as one recipient reads it, in the parts that are billed."""

    pieces: tuple[str, ...]
    why: str
    size: str


@dataclass(frozen=True, slots=True)
class Card:
    """A mailing. `diff` is HTML."""

    id: str
    address: str
    look: str
    action: str
    reason: Markup | str
    sender: str
    facts: tuple[tuple[str, str], ...]
    audience: tuple[tuple[str, str], ...]
    languages: tuple[tuple[str, str], ...]
    diff: str
    bubbles: tuple[Bubble, ...]
    further: str = ""


@dataclass(frozen=True, slots=True)
class Departure:
    """A mailing on its day of the calendar; `day` is None if this apply sends it at once."""

    id: str
    address: str
    look: str
    time: str
    recipients: str
    day: date | None


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a week in which something is sent; most have no departures."""

    name: str
    departures: tuple[Departure, ...]


def plan_html(result: PlanResult, context: CommentContext) -> str:
    """The page. Everything that users or sms.by wrote is escaped, and phones are masked."""
    from markupsafe import Markup

    plan, t = result.plan, with_money_of(result, context.language, context.base)
    context = replace(context, language=t)
    shown, lines = fold_plan(plan)
    ids = {action.address: f"m{number}" for number, action in enumerate(shown.actions, 1)}
    changes = t.sentence(changes_text(plan.changes))
    departures = [*_departures(plan, ids, t)]
    cards = [_card(action, ids[action.address], result, context) for action in shown.actions]
    return page_template("plan.html.j2").render(
        language=t.language,
        gettext=t.gettext,
        html=Markup,
        project=safe_line(plan.project),
        environment="" if plan.environment == PRODUCTION else plan.environment,
        service=safe_line(plan.service) if plan.service and is_foreign(plan.service) else "",
        callbacks=safe_line(plan.callback_url or ""),
        look=_verdict_look(result.verdict, has_changes=bool(changes)),
        verdict=message_html(verdict_text(result, t)),
        changes=changes,
        made_at=t.day_and_time(plan.made_at),
        counts=counts_text(plan, t),
        tiles=[*_tiles(result, context)],
        points=[*_points(result, t), *_problem_points(shown.problems, t)],
        on_apply=[one for one in departures if one.day is None],
        weeks=_weeks(departures, plan.made_at.year, t),
        base="" if plan.changes is None else safe_line(t.sentence(plan.changes.base)),
        settings=_settings(result, t),
        gone=_gone(result, context),
        cards=[card for card in cards if card.look != "quiet"],
        quiet=[card for card in cards if card.look == "quiet"],
        tests=[tuple(map(safe_line, row)) for row in result_rows(context.tests, t)],
        test_counts=result_counts(context.tests, t),
        lines=[message_html(line, t) for line in lines],
        archived=t.sentence(archived_line(plan)) if plan.archived else "",
        id=plan.id,
        digest=str(plan_document(plan)["digest"])[:16],
        commit=(context.commit or "")[:12],
        tool=safe_line(plan.tool),
    )


def _verdict_look(verdict: Verdict, *, has_changes: bool) -> str:
    if verdict not in (Verdict.READY, Verdict.NOTHING_TO_SEND):
        return "bad"
    return "doubt" if has_changes else "good"


def _tiles(result: PlanResult, context: CommentContext) -> Iterator[Tile]:
    plan, totals, t = result.plan, result.plan.committed, context.language
    if not totals.mailings:
        return
    if plan.currency is not None:
        lists = t.gettext("without contact lists") if totals.unpriced else ""
        change = safe_line(change_of_cost_text(plan, context.base, t))
        note = ", ".join(filter(None, (change, lists)))
        yield Tile(t.gettext("Cost"), f"{t.money(totals.cost)} {safe_line(plan.currency)}", note)
    if result.balance is not None and result.balance_after is not None:
        yield Tile(
            t.gettext("Balance"), t.money(result.balance), balance_after_text(plan, result.balance_after, t)
        )
    uncounted = totals.uncounted
    lists = t.gettext("and {count:contact list|contact lists}", count=uncounted) if uncounted else ""
    yield Tile(t.gettext("Recipients"), t.count(totals.recipients), lists)
    yield Tile(t.gettext("Parts"), t.count(totals.parts))
    yield Tile(t.gettext("Mailings"), t.count(totals.mailings))
    yield Tile(t.gettext("First send"), first_send_text(result, t))


# --- Points to check -------------------------------------------------------------------------------------------------


def _points(result: PlanResult, t: Translator) -> Iterator[Point]:
    """The objections to the plan as a whole, and why mailings are blocked."""
    plan = result.plan
    if result.refusal is not None:
        heading = message_html(t.gettext("Apply will refuse the whole plan:"))
        yield Point("bad", heading + " " + message_html(result.refusal.message, t))
    if result.funds is Funds.TOO_LOW:
        yield Point("bad", t.gettext("The balance is too low: apply will refuse the whole plan."))
    elif result.funds is Funds.THIS_APPLY:
        why = t.gettext("The balance is too low for what is approved; top up before the hand-over.")
        yield Point("doubt", why)
    if plan.account is None:
        why = t.gettext("Made offline, without asking sms.by: this plan cannot be applied.")
        yield Point("doubt", why)
    for gap in plan.changes.gaps if plan.changes is not None else ():
        yield Point("doubt", message_html(gap, t))
    for action in plan.obstacles:
        yield Point("bad", message_html(action.reason, t), address=safe_line(action.address))


def _problem_points(problems: tuple[Problem, ...], t: Translator) -> Iterator[Point]:
    """The problems, the errors first; the first with a code says what to do."""
    looks = {Severity.ERROR: "bad", Severity.WARNING: "doubt", Severity.NOTE: "note"}
    by_severity = sorted(fold_alike(problems), key=lambda one: [*looks].index(one.severity))
    for problem, known in with_help(by_severity, t.language):
        yield Point(
            looks[problem.severity],
            message_html(problem.message, t),
            problem.code,
            safe_line(problem.address or ""),
            safe_line(str(problem.location)) if problem.location else "",
            # English messages themselves say what the code means.
            keep_whole(as_html(known.meaning)) if known and t.language != "en" else "",
            keep_whole(as_html(known.way_out)) if known else "",
        )


def _settings(result: PlanResult, t: Translator) -> list[tuple[str, str, str]]:
    """Each key of smsby.yaml that differs from the base."""
    changes = result.plan.changes
    unset = t.gettext("not set")
    return [
        (
            safe_line(one.key),
            unset if one.before is None else safe_line(t.sentence(one.before)),
            unset if one.after is None else safe_line(t.sentence(one.after)),
        )
        for one in (changes.settings if changes is not None else ())
    ]


def _gone(result: PlanResult, context: CommentContext) -> str:
    """The mailings that only the base has."""
    names = ", ".join(removed_since(result.plan, context.base))
    label = context.language.sentence(context.base.label)
    line = context.language.gettext("No longer here, but in {base}: {names}", base=label, names=names)
    return safe_line(line) if names else ""


# --- Calendar --------------------------------------------------------------------------------------------------------


def _departures(plan: Plan, ids: dict[str, str], t: Translator) -> Iterator[Departure]:
    """The mailings that this apply sends at once, and those sent later, the earliest first."""
    for action in sorted(plan.decided, key=lambda one: one.schedule_time or ""):
        time = action.send_time
        day = time.date() if time is not None and time > plan.made_at else None
        if action.action in _DEPARTING and action.address in ids and (day or action.commits):
            yield Departure(
                ids[action.address],
                safe_line(action.address),
                _LOOKS.get(action.action, "good"),
                _clock_text(time, action.spread, t) if time else "",
                t.count(action.recipients),
                day,
            )


def _clock_text(time: datetime, spread: SendTimes | None, t: Translator) -> str:
    """`10:00`, or the span over which a mailing is spread."""
    clock = f"{time:%H:%M}"
    if spread is None or spread.last == spread.first:
        return clock
    last = f"{spread.last:%H:%M}"
    if spread.last.date() == spread.first.date():
        return f"{clock}–{last}"
    return f"{clock} – {t.day(spread.last.date(), has_year=False)} {last}"


def _weeks(departures: Iterable[Departure], this_year: int, t: Translator) -> list[list[Day]]:
    """The weeks in which something is sent, by the clock of each mailing, Monday first."""
    by_day: dict[date, list[Departure]] = {}
    for one in departures:
        if one.day is not None:
            by_day.setdefault(one.day, []).append(one)
    mondays = sorted({day - timedelta(days=day.weekday()) for day in by_day})
    return [
        [
            Day(t.day(day, has_year=day.year != this_year), tuple(by_day.get(day, ())))
            for day in (monday + timedelta(days=index) for index in range(_DAYS))
        ]
        for monday in mondays
    ]


# --- Mailings --------------------------------------------------------------------------------------------------------


def _card(action: Action, id_: str, result: PlanResult, context: CommentContext) -> Card:
    t, review = context.language, context.reviews.get(action.address)
    reason = "" if action.action in WITHOUT_REASON else message_html(action.reason, t)
    return Card(
        id_,
        safe_line(action.address),
        _LOOKS.get(action.action, "good"),
        t.name(action.action),
        reason,
        safe_line(action.alphaname),
        tuple(_facts(action, review, result, context)),
        tuple(audience_rows(action, t)),
        tuple(language_rows(action, t)),
        text_diff(action, context.base, review),
        tuple(_bubble(sample, t) for sample in review.samples) if review is not None else (),
        t.sentence(further_line(review.further)) if review is not None and review.further else "",
    )


def _facts(
    action: Action, review: MailingReview | None, result: PlanResult, context: CommentContext
) -> Iterator[tuple[str, str]]:
    """Names and values, as text."""
    t, plan = context.language, result.plan
    when = t.sentence(unscheduled_text(action))
    if action.send_time is not None:
        local, utc = local_and_utc(action.send_time, review.timezone if review else None, t)
        when = f"{local} ({utc}), {t.span(action.send_time - plan.made_at)}"
    yield t.gettext("When"), safe_line(when)
    yield t.gettext("Recipients"), t.count(action.recipients)
    yield t.gettext("Parts (1/2/3+)"), parts_text(action, review, t)
    yield t.gettext("Encoding"), encoding_text(action, t)
    currency = "" if action.cost is None else safe_line(plan.currency or "")
    yield t.gettext("Cost"), f"{t.money(action.cost)} {currency}".rstrip()
    if action.contact_list is not None:
        yield t.gettext("Contact list"), safe_line(list_text(action.contact_list, t))
    if action.spread is not None:
        yield (
            t.gettext("Spread"),
            safe_line(f"{t.sentence(action.spread.span)}: {t.sentence(action.spread.pace)}"),
        )
    if action.waves:
        yield t.gettext("Waves"), "\n".join(map(safe_line, group_totals(action.waves, t)))
    if action.variants:
        yield t.gettext("Variants"), "\n".join(map(safe_line, group_totals(action.variants, t)))
    if action.action is not ActionKind.ORPHAN:
        change = compare_action(action, context.base, review.text if review else None)
        yield t.gettext("Change"), safe_line(change_text(change, plan.currency, t))


def _bubble(sample: Sample, t: Translator) -> Bubble:
    why = [t.sentence(reason) for reason in sample.why]
    if sample.recipients is not None:
        why.insert(0, t.gettext("for {count:recipient|recipients}", count=sample.recipients))
    size = t.gettext("{count:part|parts}", count=sample.size.parts)
    return Bubble(
        tuple(map(printable_lines, sample.pieces)),
        safe_line(", ".join([*why, *([sample.phone] if sample.phone else [])])),
        f"{size}, {ENCODING_NAMES[sample.size.encoding]}",
    )
