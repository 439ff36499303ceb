"""Who did not get it, as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections import Counter

from smsby_deploy.output.console import clean
from smsby_deploy.privacy import mask_phone, mask_phones
from smsby_deploy.status.delivery_counts import read_delivery_status
from smsby_deploy.status.report import MailingStatus, StatusReport

_COLUMNS = ("address", "state", "phone", "status", "at", "people")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def status_csv(report: StatusReport, *, unmask: bool) -> str:
    """A row for each person who was not delivered, as sms.by reports it, the phone masked unless `unmask`.

    People of whom sms.by reports nothing one by one stand in one row without a phone, so that `people` adds up to
    all who did not get it. The report must have been collected with `list_missed`.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for mailing in report.mailings:
        for one in mailing.details.missed:
            phone = one.phone if unmask else mask_phone(one.phone)
            writer.writerow(
                (mailing.address, mailing.state, _cell(phone), _word(one.status), _word(one.at or ""), 1)
            )
        for status, people in _rest(mailing):
            writer.writerow((mailing.address, mailing.state, "", _word(status), "", people))
    return buffer.getvalue()


def _rest(mailing: MailingStatus) -> list[tuple[str, int]]:
    """Those whom nothing was reported of: never sent, not known, or only just taken."""
    counts = Counter(mailing.other)
    counts.update(undelivered=mailing.undelivered, sent=mailing.sent, pending=mailing.pending)
    for one in mailing.details.missed:
        counts[read_delivery_status(one.status) or one.status] -= 1
    return [(word, people) for word, people in sorted(counts.items()) if people > 0]


def _word(word: str) -> str:
    return _cell(mask_phones(word))


def _cell(text: str) -> str:
    """`text` as a spreadsheet may have it: never a formula."""
    told = clean(text)
    return f"'{told}" if told.startswith(_FORMULA) else told
