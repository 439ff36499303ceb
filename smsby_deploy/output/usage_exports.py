"""What was sent and what it cost, for programs: JSON, CSV and OpenMetrics."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from smsby_deploy.output.terminal import inert_cell, safe_line
from smsby_deploy.status.usage_report import MONEY
from smsby_deploy.wording import money

if TYPE_CHECKING:
    from smsby_deploy.status.usage_report import UsageReport, UsageRow

_COLUMNS = (  # of the CSV, after the groups
    "mailings", "recipients", "parts", "planned", "billed",
    "recipients_missing", "parts_missing", "planned_missing", "billed_missing",
    "delivered", "undelivered", "delivered_missing", "undelivered_missing", "percent_delivered", "not_sent",
    "parts_estimated", "planned_estimated", "billed_estimated",
)  # fmt: skip
_NOT_RECORDED, _NO_LABEL = "not recorded", "(none)"


def usage_document(report: UsageReport) -> dict[str, Any]:
    """The document of `--format json`; a value that was not recorded is null."""
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
        **_totals(row),
        "percent_delivered": None if row.percent_delivered is None else float(row.percent_delivered),
        "not_sent": row.not_sent,
        "missing": {name: one.missing for name, one in row.sums.items() if one.missing},
        "estimated": {name: one.estimated for name, one in row.sums.items() if one.estimated},
    }


def _totals(row: UsageRow) -> dict[str, int | str | None]:
    return {
        name: None if one.total is None else money(one.total) if name in MONEY else int(one.total)
        for name, one in row.sums.items()
    }


# --- CSV -------------------------------------------------------------------------------------------------------------


def usage_csv(report: UsageReport) -> str:
    """One row per group.

    An empty cell was not recorded. A column `…_missing` counts the mailings without the value, and a column `…_estimated`
    those of which only a part was sent, or belongs to the group.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*(grouping.name for grouping in report.groupings), "currency", *_COLUMNS])
    for row in report.rows:
        keys = ["" if key is None else key or _NO_LABEL for key in (*row.keys, row.currency)]
        missing = {f"{name}_missing": one.missing for name, one in row.sums.items()}
        estimated = {f"{name}_estimated": one.estimated for name, one in row.sums.items()}
        cells = _totals(row) | missing | estimated | {"mailings": row.mailings, "not_sent": row.not_sent}
        cells["percent_delivered"] = None if row.percent_delivered is None else str(row.percent_delivered)
        figures = ["" if cells[name] is None else str(cells[name]) for name in _COLUMNS]
        writer.writerow(map(inert_cell, [*keys, *figures]))
    return buffer.getvalue()


# --- OpenMetrics -----------------------------------------------------------------------------------------------------


_METRICS = {  # by figure: its name, and what it counts
    "mailings": ("smsby_mailings", "Mailings that were sent, at least in part."),
    "recipients": ("smsby_recipients", "Recipients for whom sms.by accepted a message."),
    "parts": ("smsby_parts", "Parts of the sent messages, as planned."),
    "planned": ("smsby_cost_planned", "Cost at the price set in the project."),
    "billed": ("smsby_cost_billed", "Cost that sms.by reported."),
    "delivered": ("smsby_delivered", "Recipients of final mailings who got the message."),
    "undelivered": ("smsby_undelivered", "Recipients of final mailings who did not get the message."),
    "not_sent": ("smsby_not_sent", "Recipients in a control group, to whom nothing was sent."),
}
_DOUBTS = {
    "missing": "Mailings without this figure in the lock.",
    "estimated": "Mailings whose figure is estimated from the share of recipients.",
}
_NO_METRIC_NAME = re.compile(r"[^a-zA-Z0-9_]")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def usage_openmetrics(report: UsageReport) -> str:
    """The rows as gauges.

    A value that was not recorded has no sample; `smsby_missing` counts such mailings, and `smsby_estimated` those with a
    figure estimated by recipients.
    """
    lines: list[str] = []
    for key, (metric, about) in _METRICS.items():
        lines += [f"# TYPE {metric} gauge", f"# HELP {metric} {about}"]
        for row in report.rows:
            value = row.sums[key].total if key in row.sums else Decimal(getattr(row, key))
            if value is not None:
                lines.append(f"{metric}{{{_metric_labels(report, row)}}} {value:f}")
    for name, about in _DOUBTS.items():
        lines += [f"# TYPE smsby_{name} gauge", f"# HELP smsby_{name} {about}"]
        for row in report.rows:
            for key, one in row.sums.items():
                if count := getattr(one, name):
                    lines.append(f'smsby_{name}{{{_metric_labels(report, row)},figure="{key}"}} {count}')
    return "\n".join([*lines, "# EOF", ""])


def _metric_labels(report: UsageReport, row: UsageRow) -> str:
    """The labels of a sample: `project`, `currency`, and one for each grouping."""
    pairs = {"project": report.project, "currency": row.currency or ""}
    for grouping, key in zip(report.groupings, row.keys, strict=True):
        pairs[_NO_METRIC_NAME.sub("_", grouping.name)] = _NOT_RECORDED if key is None else key
    return ",".join(f'{name}="{safe_line(value).translate(_ESCAPES)}"' for name, value in pairs.items())
