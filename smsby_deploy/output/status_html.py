"""The status report as one self-contained HTML page.

It loads nothing, can be printed, and has a table behind each chart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from smsby_deploy import TOOL
from smsby_deploy.numbering_plan import OPERATORS
from smsby_deploy.output.charts import bars, columns
from smsby_deploy.output.markdown import message_html
from smsby_deploy.output.status_markdown import delivery_names, status_word
from smsby_deploy.output.status_text import resolve_line, running_line, schedule_line
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.status.delivery_counts import (
    count_deliveries_over_time,
    count_funnel,
    count_prefixes,
    count_reasons,
)
from smsby_deploy.status.status_report import MailingStatus, StatusReport

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, an optional chart, and the table behind it. The template escapes the cells.

    The first `text_columns` columns are text, the others numbers.
    """

    id: str
    title: str
    note: str
    chart: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int = 1


def status_html(report: StatusReport, *, currency: str | None, zone: str, t: Translator = ENGLISH) -> str:
    """The page. `zone` is the account's time zone, in which sms.by writes its times."""
    t = t.aligning(cost for one in report.mailings for cost in (one.cost, one.details.planned_cost))
    return page_template("status.html.j2").render(
        language=t.language,
        gettext=t.gettext,
        title=t.gettext("SMS status: {project}", project=report.project),
        made_at=t.day_and_time(datetime.fromisoformat(report.made_at)) if report.made_at else "",
        tiles=_tiles(report, currency, t),
        sections=[section for section in _sections(report, currency, zone, t) if section.rows],
        running=message_html(running_line(report), t) if report.running else "",
        notes=[
            *((mailing.name, message_html(note, t)) for mailing in report.mailings for note in mailing.notes),
            *(("", message_html(line, t)) for line in filter(None, [resolve_line(report)])),
        ],
        differences=[
            (mailing.name, safe_line(t.sentence(one.field)), safe_line(one.intended), safe_line(one.reported))
            for mailing in report.mailings
            for one in mailing.details.differences
        ],
    )


@cache
def page_template(name: str) -> Template:
    """A template of this folder that escapes every value."""
    import jinja2

    loader = jinja2.FunctionLoader(
        lambda file: files("smsby_deploy.output").joinpath(file).read_text(encoding="utf-8")
    )
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    return environment.get_template(name, globals={"tool": TOOL})


def _tiles(report: StatusReport, currency: str | None, t: Translator) -> list[tuple[str, str]]:
    totals = report.totals
    cost = t.gettext("cost")
    return [
        (t.gettext("mailings"), t.count(totals.mailings)),
        (t.gettext("recipients"), t.count(totals.recipients)),
        (t.gettext("delivered"), t.share(totals.delivered, totals.due)),
        (t.gettext("not final yet"), t.count(totals.waiting)),
        (f"{cost}, {currency}" if currency else cost, t.money(totals.cost)),
    ]


def _sections(report: StatusReport, currency: str | None, zone: str, t: Translator) -> Iterable[Section]:
    if not report.mailings:
        return
    yield _funnel(report, t)
    yield _over_time(report, zone, t)
    yield _mailings(report, t)
    yield _prefixes(report, t)
    yield _reasons(report, t)
    yield _costs(report, currency, t)


def _funnel(report: StatusReport, t: Translator) -> Section:
    funnel = count_funnel(report)
    steps = {
        t.gettext("planned"): funnel.planned,
        t.gettext("accepted"): funnel.accepted,
        t.gettext("sent"): funnel.sent,
        t.gettext("delivered"): funnel.delivered,
    }
    counts = list(steps.values())
    recipients = t.gettext("recipients")
    return Section(
        "funnel",
        t.gettext("From plan to phone"),
        t.gettext("Planned by us, accepted by sms.by, sent to the operator, delivered to the phone."),
        bars("funnel", list(steps), {recipients: counts}, colors=["--accent"], t=t),
        (t.gettext("step"), recipients, t.gettext("of planned")),
        tuple((name, t.count(count), t.share(count, funnel.planned)) for name, count in steps.items()),
    )


def _over_time(report: StatusReport, zone: str, t: Translator) -> Section:
    steps = count_deliveries_over_time(report)
    is_one_day = len({step.begins.date() for step in steps}) <= 1
    labels = [f"{step.begins:%H:%M}" if is_one_day else f"{step.begins:%d.%m %H:%M}" for step in steps]
    delivered = [step.delivered for step in steps]
    return Section(
        "time",
        t.gettext("Delivery over time"),
        t.gettext("When phones confirmed the delivery, in the time zone of the account ({zone}).", zone=zone),
        columns("time", labels, delivered, color="--delivered", t=t) if steps else "",
        (t.gettext("from"), t.gettext("delivered"), t.gettext("so far")),
        tuple(
            (t.gettext("{time}", time=step.begins), t.count(step.delivered), t.count(step.delivered_so_far))
            for step in steps
            if step.delivered
        ),
    )


def _mailings(report: StatusReport, t: Translator) -> Section:
    largest = sorted(report.mailings, key=lambda mailing: -mailing.recipients)
    counts = {mailing.name: mailing.by_kind for mailing in largest}
    kinds = delivery_names(t)
    if not any(one["later"] for one in counts.values()):
        del kinds["later"]
    percent = {
        name: [counts[m.name][kind] * 100 / max(1, m.recipients) for m in largest]
        for kind, name in kinds.items()
    }
    rows = (
        (
            mailing.name,
            t.name(mailing.state),
            schedule_line(mailing, report, t),
            t.count(mailing.recipients),
            *(t.count(counts[mailing.name][kind]) for kind in kinds),
            t.share(mailing.delivered, mailing.recipients),
        )
        for mailing in report.mailings
    )
    heads = (t.gettext("mailing"), t.gettext("state"), t.gettext("when"), t.gettext("recipients"))
    return Section(
        "mailings",
        t.gettext("By mailing"),
        t.gettext("In percent of each mailing's recipients, the largest mailing first."),
        bars(
            "mailings",
            [mailing.name for mailing in largest],
            percent,
            colors=[f"--{kind}" for kind in kinds],
            stacked=True,
            t=t,
        ),
        (*heads, *kinds.values(), t.gettext("delivery rate")),
        tuple(rows),
        text_columns=3,
    )


def _prefixes(report: StatusReport, t: Translator) -> Section:
    prefixes = count_prefixes(report)
    delivered, undelivered = t.gettext("delivered"), t.gettext("undelivered")
    not_yet = t.gettext("not yet")
    series = {
        delivered: [one.delivered for one in prefixes],
        undelivered: [one.undelivered for one in prefixes],
        not_yet: [one.open for one in prefixes],
    }
    return Section(
        "prefixes",
        t.gettext("By number prefix"),
        t.gettext(
            "The operator that usually serves a code is only a hint: numbers are ported between operators."
        ),
        bars(
            "prefixes",
            [one.prefix for one in prefixes],
            series,
            colors=["--delivered", "--undelivered", "--pending"],
            stacked=True,
            t=t,
        ),
        (t.gettext("prefix"), t.gettext("recipients"), delivered, undelivered, not_yet, t.gettext("rate")),
        tuple(
            (
                _with_operator(one.prefix),
                *map(t.count, (one.recipients, one.delivered, one.undelivered, one.open)),
                t.share(one.delivered, one.recipients),
            )
            for one in prefixes
        ),
    )


def _with_operator(prefix: str) -> str:
    operator = OPERATORS.get(prefix.removeprefix("375 "))
    return f"{prefix} ({operator})" if operator else prefix


def _reasons(report: StatusReport, t: Translator) -> Section:
    empty = t.gettext("(empty)")
    reasons = [(safe_line(status_word(word, t)) or empty, count) for word, count in count_reasons(report)]
    total = sum(count for _, count in reasons)
    counts = [count for _, count in reasons]
    words, recipients = [word for word, _ in reasons], t.gettext("recipients")
    return Section(
        "reasons",
        t.gettext("Why not delivered"),
        t.gettext("Status words of sms.by, and recipients about whom it reports nothing."),
        bars("reasons", words, {recipients: counts}, colors=["--undelivered"], t=t),
        (t.gettext("status"), recipients, t.gettext("share")),
        tuple((word, t.count(count), t.share(count, total)) for word, count in reasons),
    )


def _costs(report: StatusReport, currency: str | None, t: Translator) -> Section:
    priced = [m for m in report.mailings if m.cost is not None or m.details.planned_cost is not None]
    by_cost = sorted(priced, key=lambda mailing: -(mailing.cost or Decimal(0)))
    planned, billed = t.gettext("planned"), t.gettext("billed")
    series = {
        planned: [float(mailing.details.planned_cost or 0) for mailing in by_cost],
        billed: [float(mailing.cost or 0) for mailing in by_cost],
    }
    rows = (
        (
            mailing.name,
            t.count(mailing.details.planned_parts),
            t.count(mailing.parts),
            t.money(mailing.details.planned_cost),
            t.money(mailing.cost),
            _difference(mailing, t),
        )
        for mailing in priced
    )
    unit = f", {currency}" if currency else ""
    heads = (t.gettext("mailing"), t.gettext("parts planned"), t.gettext("parts billed"))
    return Section(
        "cost",
        t.gettext("Cost"),
        t.gettext("Planned with the project's price, and billed as sms.by reports it."),
        bars("cost", [m.name for m in by_cost], series, colors=["--pending", "--accent"], t=t),
        (*heads, f"{planned}{unit}", f"{billed}{unit}", t.gettext("difference")),
        tuple(rows),
    )


def _difference(mailing: MailingStatus, t: Translator) -> str:
    """The billed cost minus the planned one; none yet while part of it may still be sent."""
    billed, planned = mailing.cost, mailing.details.planned_cost
    if mailing.details.has_unsent:
        return t.gettext("not yet")
    if billed is None or planned is None:
        return "?"
    return t.signed(billed - planned)
