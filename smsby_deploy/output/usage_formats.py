"""What was sent and what it cost, as text, JSON, CSV, OpenMetrics and a web page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from smsby_deploy.output.charts import bars
from smsby_deploy.output.console import Column, Row, make_console, table_lines, write_sentence
from smsby_deploy.output.terminal import inert_cell
from smsby_deploy.output.translation import ENGLISH
from smsby_deploy.output.values import safe_line
from smsby_deploy.texts.cost import aligned, money
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.output.status_html import Section
    from smsby_deploy.status.usage import Sum, UsageReport, UsageRow

_NOT_RECORDED, _NO_LABEL = "not recorded", "(none)"
_HEADS = ("mailings", "recipients", "parts", "planned", "billed", "difference")


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
        "missing": {name: one.missing for name, one in _sums(row) if one.missing},
    }


def _sums(row: UsageRow) -> tuple[tuple[str, Sum], ...]:
    return (
        ("recipients", row.recipients),
        ("parts", row.parts),
        ("planned", row.planned),
        ("billed", row.billed),
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
    writer.writerow([*names, "currency", "mailings", *sums, *(f"{name}_missing" for name in sums)])
    for row in report.rows:
        keys = ("" if key is None else key or _NO_LABEL for key in (*row.keys, row.currency))
        figures = (_whole(row.recipients), _whole(row.parts), _money(row.planned), _money(row.billed))
        missing = (one.missing for _, one in _sums(row))
        cells = (*keys, row.mailings, *("" if one is None else one for one in figures), *missing)
        writer.writerow([inert_cell(str(cell)) for cell in cells])
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
            value = Decimal(row.mailings) if key == "mailings" else dict(_sums(row))[key].total
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
        columns = (
            *(Column(grouping.name) for grouping in report.groupings),
            *(Column(name, is_number=True) for name in _HEADS),
            Column("currency"),
        )
        rows = [*report.rows, *report.totals]
        cells = zip(rows, *_figures(rows), strict=True)
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


def _figures(rows: list[UsageRow]) -> tuple[list[str], ...]:
    """The columns of numbers, each as text.

    `?` was not recorded, and `+` marks a sum that lacks mailings.
    """
    differences = [_difference(row) for row in rows]
    signs = ["+" if one is not None and one > 0 else "" for one in differences]
    return (
        [f"{row.mailings:,}" for row in rows],
        [_count_text(row.recipients) for row in rows],
        [_count_text(row.parts) for row in rows],
        _money_texts([row.planned for row in rows]),
        _money_texts([row.billed for row in rows]),
        [sign + text for sign, text in zip(signs, aligned(differences), strict=True)],
    )


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
    lacking = (
        (name, sum(dict(_sums(row))[name].missing for row in report.totals)) for name in ("planned", "billed")
    )
    missing = [f"the {name} cost of {counted(count, 'mailing')}" for name, count in lacking if count]
    if missing:
        yield f"not recorded (? or +): {', '.join(missing)}"
    if report.unknown:
        yield f"{counted(report.unknown, 'mailing')} with an unknown outcome: only what was certainly accepted is counted"
    if any(grouping.name == "prefix" for grouping in report.groupings):
        yield "by prefix, recipients and cost are as planned; numbers are ported, so a prefix does not prove an operator"
        if report.opted_out:
            yield f"{counted(report.opted_out, 'recipient')} in it opted out before the send"


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
        texts = [column[0] for column in _figures([row])]
        yield from zip((*_HEADS[:3], *(f"{name}{unit}" for name in _HEADS[3:])), texts, strict=True)


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
    heads = (*_HEADS[:3], *(f"{name}{unit}" for name in _HEADS[3:]))
    cells = zip(rows, *_figures(rows), strict=True)
    return Section(
        name,
        f"By {', '.join(grouping.name for grouping in report.groupings)}{unit}",
        "Planned with the project's price, and billed as sms.by reports it.",
        bars(name, names, series, colors=["--pending", "--accent"]) if has_costs else "",
        (*(grouping.name for grouping in report.groupings), *heads),
        tuple((*_names(report, row), *figures) for row, *figures in cells),
        text_columns=len(report.groupings),
    )
