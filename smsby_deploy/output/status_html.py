"""The status report as one self-contained HTML page.

It loads nothing, can be printed, and has a table behind each chart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.resources import files

from smsby_deploy.output.charts import bars, columns
from smsby_deploy.output.status_text import running_line, schedule_line
from smsby_deploy.output.values import count_text, day_and_time, safe_line, share_text
from smsby_deploy.status.delivery_counts import (
    PrefixCounts,
    count_deliveries_over_time,
    count_funnel,
    count_prefixes,
    count_reasons,
)
from smsby_deploy.status.report import StatusReport
from smsby_deploy.texts.cost import aligned, money, signed

# Which operator usually serves a code; numbers are ported, so it is a hint only.
_OPERATORS = {"375 25": "life:)", "375 29": "A1, MTS", "375 33": "MTS", "375 44": "A1"}


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

    @property
    def numeric(self) -> tuple[bool, ...]:
        return tuple(index >= self.text_columns for index in range(len(self.head)))


def status_html(report: StatusReport, *, currency: str | None, tool: str, zone: str) -> str:
    """The page. `zone` is the account's time zone, in which sms.by writes its times."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        files("smsby_deploy.output").joinpath("status.html.j2").read_text(encoding="utf-8")
    )
    return template.render(
        project=report.project,
        made_at=day_and_time(datetime.fromisoformat(report.made_at)) if report.made_at else "",
        tool=tool,
        tiles=_tiles(report, currency),
        sections=[section for section in _sections(report, currency, zone) if section.rows],
        running=running_line(report) if report.running else "",
        notes=[(mailing.name, safe_line(note)) for mailing in report.mailings for note in mailing.notes],
        differences=[
            (mailing.name, one.field, safe_line(one.intended), safe_line(one.reported))
            for mailing in report.mailings
            for one in mailing.details.differences
        ],
    )


def _tiles(report: StatusReport, currency: str | None) -> list[tuple[str, str]]:
    totals = report.totals
    return [
        ("mailings", f"{totals.mailings:,}"),
        ("recipients", f"{totals.recipients:,}"),
        ("delivered", share_text(totals.delivered, totals.due)),
        ("not final yet", f"{totals.waiting:,}"),
        (f"cost, {currency}" if currency else "cost", "?" if totals.cost is None else money(totals.cost)),
    ]


def _sections(report: StatusReport, currency: str | None, zone: str) -> Iterable[Section]:
    if not report.mailings:
        return
    yield _funnel(report)
    yield _over_time(report, zone)
    yield _mailings(report)
    yield _prefixes(report)
    yield _reasons(report)
    yield _costs(report, currency)


def _funnel(report: StatusReport) -> Section:
    funnel = count_funnel(report)
    steps = {
        "planned": funnel.planned,
        "accepted": funnel.accepted,
        "sent": funnel.sent,
        "delivered": funnel.delivered,
    }
    return Section(
        "funnel",
        "From plan to phone",
        "Planned by us, accepted by sms.by, sent to the operator, delivered to the phone.",
        bars("funnel", list(steps), {"recipients": list(steps.values())}, colors=["--accent"]),
        ("step", "recipients", "of planned"),
        tuple((name, f"{count:,}", share_text(count, funnel.planned)) for name, count in steps.items()),
    )


def _over_time(report: StatusReport, zone: str) -> Section:
    steps = count_deliveries_over_time(report)
    is_one_day = len({step.begins.date() for step in steps}) <= 1
    labels = [f"{step.begins:%H:%M}" if is_one_day else f"{step.begins:%d.%m %H:%M}" for step in steps]
    chart = columns("time", labels, [step.delivered for step in steps], color="--delivered") if steps else ""
    return Section(
        "time",
        "Delivery over time",
        f"When phones confirmed the delivery, in the time zone of the account ({zone}).",
        chart,
        ("from", "delivered", "so far"),
        tuple(
            (f"{step.begins:%Y-%m-%d %H:%M}", f"{step.delivered:,}", f"{step.delivered_so_far:,}")
            for step in steps
            if step.delivered
        ),
    )


def _mailings(report: StatusReport) -> Section:
    largest = sorted(report.mailings, key=lambda mailing: -mailing.recipients)
    counts = {mailing.name: mailing.by_kind for mailing in largest}
    kinds = ("delivered", "undelivered", "sent", "pending", "other")
    percent = {kind: [counts[m.name][kind] * 100 / max(1, m.recipients) for m in largest] for kind in kinds}
    rows = (
        (
            mailing.name,
            mailing.state.value,
            schedule_line(mailing, report),
            f"{mailing.recipients:,}",
            *(f"{count:,}" for count in counts[mailing.name].values()),
            share_text(mailing.delivered, mailing.recipients),
        )
        for mailing in report.mailings
    )
    return Section(
        "mailings",
        "By mailing",
        "In percent of each mailing's recipients, the largest mailing first.",
        bars(
            "mailings",
            [mailing.name for mailing in largest],
            percent,
            colors=[f"--{kind}" for kind in kinds],
            stacked=True,
        ),
        ("mailing", "state", "when", "recipients", *kinds, "delivery rate"),
        tuple(rows),
        text_columns=3,
    )


def _prefixes(report: StatusReport) -> Section:
    prefixes = count_prefixes(report)
    series = {
        "delivered": [one.delivered for one in prefixes],
        "undelivered": [one.undelivered for one in prefixes],
        "not yet": [one.open for one in prefixes],
    }
    return Section(
        "prefixes",
        "By number prefix",
        "The operator that usually serves a code is a hint only: numbers are ported between operators.",
        bars(
            "prefixes",
            [one.prefix for one in prefixes],
            series,
            colors=["--delivered", "--undelivered", "--pending"],
            stacked=True,
        ),
        ("prefix", "recipients", "delivered", "undelivered", "not yet", "rate"),
        tuple(_prefix_row(one) for one in prefixes),
    )


def _prefix_row(one: PrefixCounts) -> tuple[str, ...]:
    operator = _OPERATORS.get(one.prefix)
    return (
        f"{one.prefix} ({operator})" if operator else one.prefix,
        f"{one.recipients:,}",
        f"{one.delivered:,}",
        f"{one.undelivered:,}",
        f"{one.open:,}",
        share_text(one.delivered, one.recipients),
    )


def _reasons(report: StatusReport) -> Section:
    reasons = [(safe_line(word) or "(empty)", count) for word, count in count_reasons(report)]
    total = sum(count for _, count in reasons)
    counts = [count for _, count in reasons]
    return Section(
        "reasons",
        "Why not delivered",
        "Status words of sms.by, and recipients to whom nothing was sent.",
        bars("reasons", [word for word, _ in reasons], {"recipients": counts}, colors=["--undelivered"]),
        ("status", "recipients", "share"),
        tuple((word, f"{count:,}", share_text(count, total)) for word, count in reasons),
    )


def _costs(report: StatusReport, currency: str | None) -> Section:
    priced = [m for m in report.mailings if m.cost is not None or m.details.planned_cost is not None]
    by_cost = sorted(priced, key=lambda mailing: -(mailing.cost or Decimal(0)))
    series = {
        "planned": [float(mailing.details.planned_cost or 0) for mailing in by_cost],
        "billed": [float(mailing.cost or 0) for mailing in by_cost],
    }
    planned = aligned([mailing.details.planned_cost for mailing in priced])
    billed = aligned([mailing.cost for mailing in priced])
    rows = (
        (
            mailing.name,
            count_text(mailing.details.planned_parts),
            count_text(mailing.parts),
            planned_cost,
            billed_cost,
            _difference(mailing.cost, mailing.details.planned_cost),
        )
        for mailing, planned_cost, billed_cost in zip(priced, planned, billed, strict=True)
    )
    unit = f", {currency}" if currency else ""
    return Section(
        "cost",
        "Cost",
        "Planned with the project's price, and billed as sms.by reports it.",
        bars("cost", [m.name for m in by_cost], series, colors=["--pending", "--accent"]),
        ("mailing", "parts planned", "parts billed", f"planned{unit}", f"billed{unit}", "difference"),
        tuple(rows),
    )


def _difference(billed: Decimal | None, planned: Decimal | None) -> str:
    if billed is None or planned is None:
        return "?"
    return signed(billed - planned) if billed != planned else "0"
