"""usage: what was sent and what it cost, without guessing what was not recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.lock.counts import Billed, PrefixCount
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.records import AppliedBy, Apply, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.status.usage_groups import read_groupings
from smsby_deploy.status.usage_report import (
    UsageReport,
    UsageRow,
    UsageSource,
    make_usage_report,
)

_NOW = datetime(2026, 12, 2, tzinfo=UTC)
_BY_PREFIX = {"37529": PrefixCount(3, 3, "0.3"), "37533": PrefixCount(1, 2, "0.2")}


def _entry(*chunks: ChunkRecord, **changes: object) -> Entry:
    entry = Entry(
        1, "c", "a", "bulk", "Shop", 7, None, 4, 5, "0.5", chunks or (_chunk(), _chunk()),
        AppliedBy("2026-11-24T07:00:00+00:00", "p", None, "x"),
        currency="BYN", labels={"owner": "anna"}, prefixes=_BY_PREFIX, billed=Billed(5, "0.6"),
    )  # fmt: skip
    return replace(entry, **changes)


def _chunk(at: str = "2026-11-30T20:30:00+00:00", **changes: object) -> ChunkRecord:
    chunk = ChunkRecord("f", 2, "d", ChunkState.ACCEPTED, accepted_at=at)
    return replace(chunk, **changes)


def _report(by: str, *entries: Entry, since: datetime | None = None) -> UsageReport:
    lock = Lock("shop", mailings={f"sale/m{number}": entry for number, entry in enumerate(entries)})
    return make_usage_report(
        "shop",
        [UsageSource("production", lock)],
        read_groupings(by),
        zone="Europe/Minsk",
        made_at=_NOW,
        since=since,
    )


def _figures(row: UsageRow) -> tuple[object, ...]:
    return (*row.keys, *(one.total for one in (row.recipients, row.parts, row.planned, row.billed)))


def test_complete_mailing_counts_as_recorded() -> None:
    """A complete mailing compares planned with billed figures, as recorded at the time."""
    (row,) = _report("campaign,label:owner,environment", _entry()).rows
    assert _figures(row) == ("sale", "anna", "production", 4, 5, Decimal("0.5"), Decimal("0.6"))
    assert row.currency == "BYN"


def test_older_entries_are_missing_not_zero() -> None:
    """A figure that older entries lack is counted as missing, not 0, and a missing label is not an empty one."""
    old = _entry(labels=None, prefixes=None, billed=None, cost=None, currency=None)
    report = _report("label:owner", old, _entry(), _entry(labels={}))
    assert [row.keys for row in report.rows] == [("",), ("anna",), (None,)]
    missing = report.rows[-1]
    assert (missing.planned.total, missing.planned.missing) == (None, 1)
    assert (missing.billed.total, missing.billed.missing) == (None, 1)
    assert _report("prefix", old).rows[0].keys == (None,)


def test_mailing_in_two_months_counts_by_recipients() -> None:
    """Months are those of the account: 22:30 UTC is the next day in Minsk."""
    entry = _entry(_chunk(), _chunk("2026-11-30T22:30:00+00:00"))
    november, december = _report("month", entry).rows
    assert _figures(november) == ("2026-11", 2, 2, Decimal("0.25"), Decimal("0.3"))
    assert _figures(december) == ("2026-12", 2, 2, Decimal("0.25"), Decimal("0.3"))
    since = datetime(2026, 11, 30, 22, tzinfo=UTC)
    assert [row.keys for row in _report("month", entry, since=since).rows] == [("2026-12",)]


def test_share_by_recipients_is_an_estimate() -> None:
    """The parts and cost of a part of a mailing are marked as estimates, since the lock has only those of the whole."""
    part = _entry(_chunk(), _chunk(state=ChunkState.PENDING))
    (row,) = _report("campaign", part, _entry()).rows
    assert [one.estimated for one in (row.recipients, row.parts, row.planned, row.billed)] == [0, 1, 1, 0]
    months = _report("month", _entry(_chunk(), _chunk("2026-11-30T22:30:00+00:00")))
    assert [[one.parts.estimated, one.billed.estimated] for one in months.rows] == [[1, 1], [1, 1]]
    assert [one.planned.estimated for one in months.totals] == [0]


def test_only_what_was_accepted_counts() -> None:
    """Only accepted recipients count, not waiting, rejected or withdrawn ones; an unknown outcome is noted."""
    rest = _chunk(state=ChunkState.UNKNOWN, accepted_at=None)
    withdrawn = Ending(EndingKind.WITHDRAWN, "2026-11-30T20:30:00+00:00", "ann", "")
    report = _report("month", _entry(_chunk(), rest, billed=None), _entry(ending=withdrawn))
    (row,) = report.rows
    assert (report.unknown, row.mailings) == (1, 1)
    assert _figures(row) == ("2026-11", 2, 2, Decimal("0.25"), None)
    assert not _report("month", _entry(_chunk(state=ChunkState.REJECTED))).rows


def test_earlier_revisions_count() -> None:
    """Earlier revisions count, as they were sent and paid for."""
    (row,) = _report("campaign", _entry(revision=2, earlier=(_entry(),))).rows
    assert (row.mailings, row.recipients.total) == (2, 8)


def test_prefixes_are_as_planned() -> None:
    """Prefixes have planned figures without a billed cost; a partly sent mailing has none."""
    late = _entry(_chunk(), _chunk(recipients=1))
    report = _report("prefix", late)
    assert [_figures(row)[:4] for row in report.rows] == [
        ("37529", 3, 3, Decimal("0.3")),
        ("37533", 1, 2, Decimal("0.2")),
    ]
    assert report.rows[0].billed.missing == 1
    assert report.opted_out == 1
    part = _entry(_chunk(), _chunk(state=ChunkState.PENDING))
    assert [row.keys for row in _report("prefix", part).rows] == [(None,)]


_entries = st.lists(
    st.builds(
        lambda months, owner, billed: _entry(
            *(_chunk(f"2026-{month:02}-15T10:00:00+00:00") for month in months),
            recipients=2 * len(months),
            labels=owner,
            billed=billed,
        ),
        st.lists(st.integers(1, 12), min_size=1, max_size=4),
        st.sampled_from([None, {}, {"owner": "anna"}, {"owner": "ben"}]),
        st.sampled_from([None, Billed(1, "0.12")]),
    ),
    max_size=6,
)


@given(_entries, st.sampled_from(["campaign", "environment", "label:owner", "month", "month,label:owner"]))
def test_rows_add_up_to_totals(entries: list[Entry], by: str) -> None:
    """The rows of any grouping add up to the totals."""
    report = _report(by, *entries)
    recipients = sum(row.recipients.total or 0 for row in report.rows)
    assert recipients == sum(row.recipients.total or 0 for row in report.totals)
    planned = sum((row.planned.total or Decimal(0) for row in report.rows), Decimal(0))
    whole = sum((row.planned.total or Decimal(0) for row in report.totals), Decimal(0))
    assert abs(planned - whole) < Decimal("0.0001")


def test_chain_from_plan_to_state() -> None:
    """For a hand-over, the plan that was reviewed and signed counts."""
    lock = Lock("shop", applies=(Apply("p", "2026-11-24T07:00:00+00:00", None, "x", by="ann"),))
    approval = Approval("2026-11-20T07:00:00+00:00", "reviewed", "ben", "", "")
    signed = _entry(signed_by=("eva", "ira"), revision=2)
    lock = replace(lock, mailings={"sale/m0": signed, "sale/m1": _entry(approval=approval)})
    report = make_usage_report(
        "shop",
        [UsageSource("production", lock)],
        read_groupings("mailing,plan,signed_by,applied_by,state"),
        zone="UTC",
        made_at=_NOW,
    )
    assert [row.keys for row in report.rows] == [
        ("sale/m0 r2", "p", "eva, ira", "ann", "complete"),
        ("sale/m1", "reviewed", "", "ben", "complete"),
    ]
    assert report.signed == 1
