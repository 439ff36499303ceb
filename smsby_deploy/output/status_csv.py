"""Recipients as CSV for a spreadsheet: those who did not get the SMS, and all of a mailing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, islice

from smsby_deploy.output.terminal import clean, inert_cell, safe_line
from smsby_deploy.privacy import mask_phone
from smsby_deploy.status.delivery_counts import count_unlisted
from smsby_deploy.status.mailing_details import Missed
from smsby_deploy.status.recipient_list import ListedRecipient
from smsby_deploy.status.status_report import StatusReport

_COLUMNS = ("address", "state", "phone", "status", "at", "people", "revision")
_BLOCK_ROWS = 1000


def status_csv(report: StatusReport, *, unmask: bool) -> Iterator[str]:
    """Yield one row per recipient without a delivery, the phone masked unless `unmask`.

    Recipients about whom sms.by reports nothing individually share a row without a phone, so that `people` adds up to all
    who did not get it. The report must have been collected with `list_missed`. Rows come by the thousand.
    """
    yield from _csv_blocks(_rows(report, unmask))


def recipients_csv(rows: Iterable[ListedRecipient], *, unmask: bool, has_variants: bool) -> Iterator[str]:
    """Yield one row per recipient, the phone masked unless `unmask`."""
    columns = ListedRecipient._fields if has_variants else ListedRecipient._fields[:-1]
    cells = (
        (
            _safe_cell(row.phone if unmask else mask_phone(row.phone)),
            _safe_cell(row.outcome),
            str(row.line),
            *((row.variant,) if has_variants else ()),
        )
        for row in rows
    )
    yield from _csv_blocks(chain([columns], cells))


def _csv_blocks(rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    while block := list(islice(rows, _BLOCK_ROWS)):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(block)
        yield buffer.getvalue()


def _rows(report: StatusReport, unmask: bool) -> Iterator[tuple[str, ...]]:
    has_variants = any(mailing.details.variants for mailing in report.mailings)
    yield (*_COLUMNS, "variant") if has_variants else _COLUMNS
    masked = lru_cache(_masked_cell)  # in a million rows, most cells except the phones are the same
    for mailing in report.mailings:
        address, state = _safe_cell(mailing.address), _safe_cell(mailing.state)
        revision = str(mailing.revision)
        parts: list[tuple[str, Iterable[Missed]]] = [
            (one.name, one.counts.missed) for one in mailing.details.variants
        ]
        for variant, rows in parts or [("", mailing.details.missed)]:
            last = (revision, variant) if has_variants else (revision,)
            for missed in rows:
                phone = _safe_cell(missed.phone if unmask else mask_phone(missed.phone))
                word = f"undelivered (overdue: {missed.status})" if missed.is_overdue else missed.status
                yield address, state, phone, masked(word), masked(missed.at or ""), "1", *last
        last = (revision, "") if has_variants else (revision,)
        for status, count in count_unlisted(mailing):
            yield address, state, "", masked(status), "", str(count), *last


def _masked_cell(text: str) -> str:
    return _safe_cell(safe_line(text))


def _safe_cell(text: str) -> str:
    return inert_cell(clean(text))
