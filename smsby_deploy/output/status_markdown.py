"""The status report as Markdown for a comment."""

from __future__ import annotations

from smsby_deploy.output.markdown import Piece, escape, fit, table_row
from smsby_deploy.output.status_text import running_line, schedule_line, scheduled_line, status_totals_line
from smsby_deploy.status.report import MailingStatus, StatusReport
from smsby_deploy.texts.cost import aligned

_COLUMNS = (
    "State",
    "Mailing",
    "When",
    "Recipients",
    "Delivered",
    "Undelivered",
    "Sent",
    "Pending",
    "Other",
    "Cost",
)


def status_markdown(report: StatusReport, currency: str | None = None) -> str:
    """The totals, a table and the differences, short enough for a comment.

    Texts from sms.by are escaped.
    """
    if not report.mailings:
        return "The lock records no mailings.\n"
    costs = aligned([mailing.cost for mailing in report.mailings])
    scheduled = scheduled_line(report)
    pieces = [
        Piece(f"**{escape(status_totals_line(report, currency))}**{scheduled and f', {scheduled}'}\n\n"),
        Piece(table_row(_COLUMNS)),
        Piece("|---|---|---|" + "---:|" * 7 + "\n"),
    ]
    for mailing, cost in zip(report.mailings, costs, strict=True):
        pieces.append(Piece(_row(mailing, report, cost), 2, "mailing"))
    differences = [
        Piece(f"- ⚠️ **{escape(mailing.name)}** {escape(difference.text)}\n", 1, "difference")
        for mailing in report.mailings
        for difference in mailing.details.differences
    ]
    differences += [
        Piece(f"- {symbol} **{escape(mailing.name)}** {escape(note)}\n", 1, "note")
        for mailing in report.mailings
        for symbol, notes in (("💬", mailing.decisions), ("⚠️", mailing.warnings))
        for note in notes
    ]
    if report.running:
        differences.append(Piece(f"- {escape(running_line(report))}\n"))
    if differences:
        pieces += [Piece("\n"), *differences]
    return fit(pieces, rest="`status --format json` shows everything.")


def _row(mailing: MailingStatus, report: StatusReport, cost: str) -> str:
    counts = mailing.by_kind
    del counts["other"]
    other = ", ".join(f"{count:,} {escape(name)}" for name, count in sorted(mailing.other.items()))
    return table_row(
        [
            mailing.state.value,
            escape(mailing.name),
            escape(schedule_line(mailing, report)),
            f"{mailing.recipients:,}",
            *(f"{count:,}" for count in counts.values()),
            other or "0",
            cost,
        ]
    )
