"""What was sent and what it cost, as text, Markdown, JSON, CSV, OpenMetrics and a web page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from smsby_deploy.output.charts import bars
from smsby_deploy.output.console import Column, Row, make_console, table_lines, write_sentence
from smsby_deploy.output.markdown import escape, table_row
from smsby_deploy.output.terminal import inert_cell
from smsby_deploy.output.translation import ENGLISH
from smsby_deploy.output.values import safe_line
from smsby_deploy.status.usage_shares import GroupKind
from smsby_deploy.texts.cost import aligned, money
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.output.status_html import Section
    from smsby_deploy.status.usage_report import Sum, UsageReport, UsageRow

_NOT_RECORDED, _NO_LABEL = "not recorded", "(none)"
_COSTS = ("planned", "billed", "difference")
_HEADS = ("mailings", "recipients", "parts", *_COSTS)
_DELIVERY_HEADS = ("delivered", "undelivered", "share")
_NOT_SENT = "not sent"


def usage_document(report: UsageReport) -> dict[str, Any]:
    """The document of `--format json`; what was not recorded is null."""
    return {
        "project": report.project,
        "made_at": report.made_at,
        "since": report.since,
        "by": [grouping.name for grouping in report.groupings],
        "rows": [_row_document(report, row) for row in report.rows],
        "totals": [_row_document(report, row) for row in report.totals],
        "unknown": report.unknown,
        "opted_out": report.opted_out,
    }


def _row_document(report: UsageReport, row: UsageRow) -> dict[str, Any]:
    names = [grouping.name for grouping in report.groupings]
    return {
        "group": dict(zip(names, row.keys, strict=False)),
        "currency": row.currency,
        "mailings": row.mailings,
        "recipients": _whole(row.recipients),
        "parts": _whole(row.parts),
        "planned": _money(row.planned),
        "billed": _money(row.billed),
        "delivered": _whole(row.delivered),
        "undelivered": _whole(row.undelivered),
        "percent_delivered": None if row.percent_delivered is None else float(row.percent_delivered),
        "not_sent": row.not_sent,
        "missing": {name: one.missing for name, one in _sums(row) if one.missing},
    }


def _sums(row: UsageRow) -> tuple[tuple[str, Sum], ...]:
    return (
        ("recipients", row.recipients),
        ("parts", row.parts),
        ("planned", row.planned),
        ("billed", row.billed),
        ("delivered", row.delivered),
        ("undelivered", row.undelivered),
    )


def _whole(one: Sum) -> int | None:
    return None if one.total is None else int(one.total)


def _money(one: Sum) -> str | None:
    return None if one.total is None else money(one.total)


# --- CSV -------------------------------------------------------------------------------------------------------------


def usage_csv(report: UsageReport) -> str:
    """One row per group.

    An empty cell was not recorded; a column `…_missing` counts the mailings without it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [grouping.name for grouping in report.groupings]
    sums = ("recipients", "parts", "planned", "billed")
    more = ("delivered", "undelivered")
    heads = [*names, "currency", "mailings", *sums, *(f"{name}_missing" for name in sums)]
    writer.writerow([*heads, *more, *(f"{name}_missing" for name in more), "percent_delivered", "not_sent"])
    for row in report.rows:
        keys = ("" if key is None else key or _NO_LABEL for key in (*row.keys, row.currency))
        figures = (_whole(row.recipients), _whole(row.parts), _money(row.planned), _money(row.billed))
        missing = [one.missing for _, one in _sums(row)]
        deliveries = (_whole(row.delivered), _whole(row.undelivered), *missing[4:], row.percent_delivered)
        cells = (*keys, row.mailings, *figures, *missing[:4], *deliveries, row.not_sent)
        writer.writerow(["" if cell is None else inert_cell(str(cell)) for cell in cells])
    return buffer.getvalue()


# --- OpenMetrics -----------------------------------------------------------------------------------------------------


class _Metric(NamedTuple):
    name: str
    help: str


_METRICS = {
    "mailings": _Metric("smsby_mailings", "Mailings of which something was sent."),
    "recipients": _Metric("smsby_recipients", "Recipients that sms.by accepted."),
    "parts": _Metric("smsby_parts", "Planned parts of what was sent."),
    "planned": _Metric("smsby_cost_planned", "Cost by the price of the project."),
    "billed": _Metric("smsby_cost_billed", "Cost that sms.by reported."),
    "delivered": _Metric("smsby_delivered", "Recipients that got it, of mailings that are final."),
    "undelivered": _Metric(
        "smsby_undelivered", "Recipients that did not get it, of mailings that are final."
    ),
    "not_sent": _Metric("smsby_not_sent", "Recipients in a control group, to whom nothing was sent."),
}
_NO_METRIC_NAME = re.compile(r"[^a-zA-Z0-9_]")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def usage_openmetrics(report: UsageReport) -> str:
    """The rows as gauges.

    What was not recorded has no sample; `smsby_missing` counts such mailings.
    """
    lines: list[str] = []
    for key, metric in _METRICS.items():
        lines += [f"# TYPE {metric.name} gauge", f"# HELP {metric.name} {metric.help}"]
        for row in report.rows:
            counts = {"mailings": Decimal(row.mailings), "not_sent": Decimal(row.not_sent)}
            value = counts[key] if key in counts else dict(_sums(row))[key].total
            if value is not None:
                lines.append(f"{metric.name}{{{_metric_labels(report, row)}}} {value:f}")
    lines += ["# TYPE smsby_missing gauge", "# HELP smsby_missing Mailings without this figure in the lock."]
    for row in report.rows:
        for key, one in _sums(row):
            if one.missing:
                lines.append(f'smsby_missing{{{_metric_labels(report, row)},figure="{key}"}} {one.missing}')
    return "\n".join([*lines, "# EOF", ""])


def _metric_labels(report: UsageReport, row: UsageRow) -> str:
    """The labels of a sample: `project`, `currency`, and one for each grouping."""
    pairs = {"project": report.project, "currency": row.currency or ""}
    for grouping, key in zip(report.groupings, row.keys, strict=True):
        pairs[_NO_METRIC_NAME.sub("_", grouping.name)] = _NOT_RECORDED if key is None else key
    return ",".join(f'{name}="{safe_line(value).translate(_ESCAPES)}"' for name, value in pairs.items())


# --- Text ------------------------------------------------------------------------------------------------------------


def write_usage(report: UsageReport, stream: TextIO, *, color: bool) -> None:
    """A table with a line for each group and for the totals, then what the figures lack."""
    console = make_console(stream, color=color)
    if not report.rows:
        write_sentence(
            console, "nothing was sent" + (f" since {report.since}" if report.since else ""), "dim"
        )
    else:
        rows = [*report.rows, *report.totals]
        heads = _heads(report, rows)
        optional = {"parts", "difference", "undelivered"} if "delivered" in heads else set()
        columns = (
            *(Column(one.name) for one in report.groupings),
            *(Column(name, is_number=True, is_optional=name in optional) for name in heads),
            Column("currency"),
        )
        cells = zip(rows, *_figures(rows, heads), strict=True)
        first = len(report.rows)
        lines = (
            Row((*_names(report, row), *figures, row.currency or ""), "", "bold" if index >= first else "")
            for index, (row, *figures) in enumerate(cells)
        )
        for line in table_lines(columns, list(lines), console.width):
            console.print(line, soft_wrap=True)
    for note in usage_notes(report):
        write_sentence(console, note, "dim")


def _names(report: UsageReport, row: UsageRow) -> Iterator[str]:
    """The cells of the groups; those of a total are `all`."""
    if not row.keys:
        yield from ["all", *[""] * (len(report.groupings) - 1)]
        return
    for key in row.keys:
        yield _NOT_RECORDED if key is None else safe_line(key) or _NO_LABEL


def _heads(report: UsageReport, rows: list[UsageRow]) -> tuple[str, ...]:
    """The titles of the columns of numbers.

    Those of deliveries and of control groups are left out if there are none, and the number of mailings where each has a
    row. sms.by does not report what a variant costs.
    """
    kinds = {grouping.kind for grouping in report.groupings}
    deliveries = _DELIVERY_HEADS if any(row.delivered.total for row in rows) else ()
    heads = (*_HEADS, *deliveries, *((_NOT_SENT,) if any(row.not_sent for row in rows) else ()))
    without = {"mailings"} if GroupKind.MAILING in kinds else set()
    if GroupKind.VARIANT in kinds and not any(row.billed.total for row in report.rows):
        without |= {"billed", "difference"}
    return tuple(head for head in heads if head not in without)


def _figures(rows: list[UsageRow], heads: Sequence[str]) -> tuple[list[str], ...]:
    """The columns of numbers, each as text.

    `?` was not recorded, and `+` marks a sum that lacks mailings.
    """
    differences = [_difference(row) for row in rows]
    signs = ["+" if one is not None and one > 0 else "" for one in differences]
    columns = {
        "mailings": [f"{row.mailings:,}" for row in rows],
        "recipients": [_count_text(row.recipients) for row in rows],
        "parts": [_count_text(row.parts) for row in rows],
        "planned": _money_texts([row.planned for row in rows]),
        "billed": _money_texts([row.billed for row in rows]),
        "difference": [sign + text for sign, text in zip(signs, aligned(differences), strict=True)],
        "delivered": [_count_text(row.delivered) for row in rows],
        "undelivered": [_count_text(row.undelivered) for row in rows],
        "share": [_share_text(row) for row in rows],
        _NOT_SENT: [f"{row.not_sent:,}" for row in rows],
    }
    return tuple(columns[head] for head in heads)


def _share_text(row: UsageRow) -> str:
    """How many percent got it; empty where nothing was sent."""
    if row.recipients.total == 0 and not row.recipients.missing:
        return ""
    return "?" if row.percent_delivered is None else f"{row.percent_delivered:.1f}%"


def _count_text(one: Sum) -> str:
    return "?" if one.total is None else f"{int(one.total):,}{'+' if one.missing else ''}"


def _money_texts(sums: list[Sum]) -> list[str]:
    texts = aligned([one.total for one in sums])
    return [
        f"{text}+" if one.missing and one.total is not None else text
        for text, one in zip(texts, sums, strict=True)
    ]


def _difference(row: UsageRow) -> Decimal | None:
    """Billed minus planned, only where both have all mailings."""
    if row.planned.missing or row.billed.missing or row.planned.total is None or row.billed.total is None:
        return None
    return row.billed.total - row.planned.total


def usage_notes(report: UsageReport) -> Iterator[str]:
    """What a reader of the figures must know."""
    kinds = {grouping.kind for grouping in report.groupings}
    lacking = (
        (name, sum(dict(_sums(row))[name].missing for row in report.totals)) for name in ("planned", "billed")
    )
    missing = [f"the {name} cost of {counted(count, 'mailing')}" for name, count in lacking if count]
    if missing:
        yield f"not recorded (? or +): {', '.join(missing)}"
    if report.unknown:
        yield f"{counted(report.unknown, 'mailing')} with an unknown outcome: only what was certainly accepted is counted"
    if GroupKind.VARIANT in kinds and report.with_variants:
        yield "by variant, cost is planned; sms.by does not report it for each. Nothing was sent to control groups"
    if kinds & {GroupKind.MAILING, GroupKind.VARIANT} and any(row.delivered.missing for row in report.totals):
        yield "deliveries are known once `status` has found a mailing final: smsby-deploy status"
    if report.with_variants and GroupKind.VARIANT not in kinds:
        yield f"{counted(report.with_variants, 'mailing')} with variants: --by mailing,variant shows each"
    if report.signed and GroupKind.SIGNED_BY not in kinds:
        yield f"{counted(report.signed, 'mailing')} with signatures: --by mailing,plan,signed_by,applied_by,state shows them"
    if GroupKind.PREFIX in kinds:
        yield "by prefix, recipients and cost are as planned; numbers are ported, so a prefix does not prove an operator"
        if report.opted_out:
            yield f"{counted(report.opted_out, 'recipient')} in it opted out before the send"


# --- Markdown --------------------------------------------------------------------------------------------------------


def usage_markdown(report: UsageReport) -> str:
    """A table with a line for each group and for the totals, and what the figures lack."""
    rows = [*report.rows, *report.totals]
    heads = _heads(report, rows)
    names = [grouping.name for grouping in report.groupings]
    since = f", since {report.since}" if report.since else ""
    lines = [f"### SMS sent and billed: {escape(report.project)}{since}\n\n"]
    if rows:
        lines.append(table_row([*map(escape, names), *heads, "currency"]))
        lines.append(table_row([*["---"] * len(names), *["--:"] * len(heads), "---"]))
        for row, *figures in zip(rows, *_figures(rows, heads), strict=True):
            cells = [escape(name) for name in _names(report, row)]
            lines.append(table_row([*cells, *figures, escape(row.currency or "")]))
    else:
        lines.append("Nothing was sent.\n")
    return "".join([*lines, *(f"\n{escape(note)}\n" for note in usage_notes(report))])


# --- Web page --------------------------------------------------------------------------------------------------------


def usage_html(report: UsageReport, *, tool: str) -> str:
    """One page that loads nothing: totals, a chart of the cost, and the table."""
    from datetime import datetime

    from smsby_deploy.output.status_html import page_template
    from smsby_deploy.output.values import day_and_time

    return page_template("status.html.j2").render(
        language=ENGLISH.language,
        gettext=ENGLISH.gettext,
        title=f"SMS sent and billed: {report.project}",
        made_at=day_and_time(datetime.fromisoformat(report.made_at), ENGLISH),
        tool=tool,
        tiles=list(_tiles(report)),
        sections=list(_sections(report)),
        running=f"Since {report.since}." if report.since else "",
        notes=[("", note) for note in usage_notes(report)],
        differences=[],
    )


def _tiles(report: UsageReport) -> Iterator[tuple[str, str]]:
    for row in report.totals:
        unit = f", {row.currency}" if row.currency else ""
        heads = _heads(report, [row])
        texts = [column[0] for column in _figures([row], heads)]
        yield from zip(_with_unit(heads, unit), texts, strict=True)


def _with_unit(heads: Sequence[str], unit: str) -> list[str]:
    return [f"{head}{unit}" if head in _COSTS else head for head in heads]


def _sections(report: UsageReport) -> Iterator[Section]:
    """One for each currency: amounts of two cannot be compared."""
    for number, currency in enumerate(dict.fromkeys(row.currency for row in report.rows)):
        yield _section(report, currency, f"cost{number}")


def _section(report: UsageReport, currency: str | None, name: str) -> Section:
    from smsby_deploy.output.status_html import Section

    rows = [row for row in report.rows if row.currency == currency]
    names = [" · ".join(_names(report, row)) for row in rows]
    series = {
        "planned": [float(row.planned.total or 0) for row in rows],
        "billed": [float(row.billed.total or 0) for row in rows],
    }
    has_costs = any(any(values) for values in series.values())
    unit = f", {currency}" if currency else ""
    heads = _heads(report, rows)
    cells = zip(rows, *_figures(rows, heads), strict=True)
    return Section(
        name,
        f"By {', '.join(grouping.name for grouping in report.groupings)}{unit}",
        "Planned with the project's price, and billed as sms.by reports it.",
        bars(name, names, series, colors=["--pending", "--accent"]) if has_costs else "",
        (*(grouping.name for grouping in report.groupings), *_with_unit(heads, unit)),
        tuple((*_names(report, row), *figures) for row, *figures in cells),
        text_columns=len(report.groupings),
    )
