"""The recipients who did not get the SMS, as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io

from smsby_deploy.output.values import clean, safe_line
from smsby_deploy.privacy import mask_phone
from smsby_deploy.status.delivery_counts import count_unlisted
from smsby_deploy.status.report import StatusReport

_COLUMNS = ("address", "state", "phone", "status", "at", "people")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def status_csv(report: StatusReport, *, unmask: bool) -> str:
    """One row per recipient without a delivery, the phone masked unless `unmask`.

    Recipients about whom sms.by reports nothing individually share a row without a phone, so that `people` adds up to all
    who did not get it. The report must have been collected with `list_missed`.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for mailing in report.mailings:
        for missed in mailing.details.missed:
            phone = _inert(clean(missed.phone if unmask else mask_phone(missed.phone)))
            word = f"undelivered (overdue: {missed.status})" if missed.is_overdue else missed.status
            status, at = _safe_cell(word), _safe_cell(missed.at or "")
            writer.writerow((mailing.address, mailing.state, phone, status, at, 1))
        for status, count in count_unlisted(mailing):
            writer.writerow((mailing.address, mailing.state, "", _safe_cell(status), "", count))
    return buffer.getvalue()


def _safe_cell(text: str) -> str:
    return _inert(safe_line(text))


def _inert(cell: str) -> str:
    """`cell`, quoted if a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
