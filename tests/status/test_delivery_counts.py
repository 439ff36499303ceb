"""Counting deliveries by status, minute and prefix."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.smsby.deliveries import Delivery
from smsby_deploy.status.delivery_counts import (
    Funnel,
    PrefixCounts,
    count_deliveries_over_time,
    count_funnel,
    count_prefixes,
    count_reasons,
    prefix_of,
)
from smsby_deploy.status.mailing_details import Details, Missed
from smsby_deploy.status.status_report import State, StatusReport
from tests.output import examples
from tests.status.examples import count_deliveries, deliveries


def test_count_deliveries_by_minute_prefix_and_word() -> None:
    """Every message is counted once by minute, by prefix and by status word."""
    counts = count_deliveries(deliveries("DELIVERED", "DELIVERED", "undelivered", "Odd"), list_missed=False)
    assert counts.total == 4
    assert counts.words == {"DELIVERED": 2, "undelivered": 1, "Odd": 1}
    assert counts.timeline == {"2026-12-01 10:00": 2}
    assert (counts.seen, counts.delivered, counts.undelivered) == (
        {"375 29": 4},
        {"375 29": 2},
        {"375 29": 1},
    )
    assert counts.by_status() == ({"delivered": 2, "undelivered": 1}, {"Odd": 1})
    assert list(counts.missed) == []


@given(st.permutations(["DELIVERED", "UNDELIVERED", "SENT", "Odd", "NEW"]), st.integers(1, 5))
def test_count_deliveries_counts_a_phone_once(words: list[str], kept: int) -> None:
    """Several reports about a phone count once, by the one that says most, in any order."""
    words = words[:kept]
    counts = count_deliveries(
        [Delivery("375291111111", word, "2026-12-01 10:00") for word in words], list_missed=True
    )
    best = next(word for word in ("DELIVERED", "UNDELIVERED", "SENT", "Odd", "NEW") if word in words)
    assert (counts.words, counts.total) == ({best: 1}, 1)
    assert counts.seen == {"375 29": 1}
    assert [one.status for one in counts.missed] == ([] if best == "DELIVERED" else [best])
    assert sum(counts.timeline.values()) == (best == "DELIVERED")


def test_delivery_counts_settle() -> None:
    """Settling makes open messages undelivered; failures and final statuses stay."""
    rows = [
        Delivery(str(n), word, None) for n, word in enumerate(["DELIVERED", "SENT", "Odd", "undelivered"])
    ]
    counts = count_deliveries([*rows, Delivery("9", "blocked", None, has_failed=True)], list_missed=True)
    assert counts.open_other == 1
    counts.settle()
    assert counts.by_status() == ({"delivered": 1, "undelivered": 3}, {"blocked": 1})
    assert (counts.overdue, counts.open_other) == (2, 0)
    assert [one.status for one in counts.missed if one.is_overdue] == ["SENT", "Odd"]


def test_count_deliveries_lists_missed_on_request() -> None:
    """With `list_missed`, every message without a delivery is listed verbatim."""
    counts = count_deliveries(deliveries("DELIVERED", "Odd"), list_missed=True)
    assert list(counts.missed) == [Missed("375290000001", "Odd", "2026-12-01 10:00:42.5")]


@pytest.mark.parametrize(
    ("phone", "prefix"), [("375441234567", "375 44"), ("79161234567", "other"), ("", "other")]
)
def test_prefix_of_a_phone(phone: str, prefix: str) -> None:
    """Belarusian numbers are grouped by operator code, and all others together."""
    assert prefix_of(phone) == prefix


def _report(*details: Details) -> StatusReport:
    return StatusReport(
        tuple(
            examples.mailing(f"sale/m{index}", State.FINAL, (3, 2, 1, 0), details=one)
            for index, one in enumerate(details)
        ),
        "shop",
    )


def test_count_funnel_counts_recipients_without_a_plan() -> None:
    """The recipients of an imported mailing, which has no planned number, count as planned."""
    report = _report(Details(planned=10, accepted=8), Details(accepted=6))
    assert count_funnel(report) == Funnel(planned=16, accepted=14, sent=12, delivered=6)


def test_count_deliveries_over_time_has_equal_steps() -> None:
    """Empty steps are included, and every step has the sum so far."""
    steps = count_deliveries_over_time(
        _report(
            Details(timeline={"2026-12-01 10:00": 5, "2026-12-01 10:03": 1}),
            Details(timeline={"2026-12-01 10:00": 2, "not a time": 9}),
        )
    )
    assert [(step.begins, step.delivered, step.delivered_so_far) for step in steps] == [
        (datetime(2026, 12, 1, 10, 0), 7, 7),
        (datetime(2026, 12, 1, 10, 1), 0, 7),
        (datetime(2026, 12, 1, 10, 2), 0, 7),
        (datetime(2026, 12, 1, 10, 3), 1, 8),
    ]


def test_count_deliveries_over_time_is_bounded() -> None:
    """A day has steps of half an hour, and one absurd date does not make millions of steps."""
    day = count_deliveries_over_time(
        _report(Details(timeline={"2026-12-01 00:00": 1, "2026-12-01 23:00": 1}))
    )
    assert (len(day), day[1].begins) == (47, datetime(2026, 12, 1, 0, 30))
    absurd = _report(Details(timeline={"0001-01-01 00:00": 1, "9000-01-01 00:00": 1}))
    assert len(count_deliveries_over_time(absurd)) < 200
    assert count_deliveries_over_time(_report(Details())) == []


def test_count_prefixes_puts_the_most_frequent_first() -> None:
    """Prefixes are added up over the mailings, and the most frequent comes first."""
    report = _report(
        Details(prefixes={"375 29": (1, 1, 3), "375 33": (2, 0, 4)}), Details(prefixes={"375 29": (2, 0, 2)})
    )
    first, second = count_prefixes(report)
    assert first == PrefixCounts("375 29", recipients=5, delivered=3, undelivered=1)
    assert (first.open, second.open) == (1, 2)


def test_count_reasons_leaves_out_waves_that_wait() -> None:
    """Waves that wait are not a reason for missing deliveries."""
    reasons = count_reasons(StatusReport((examples.in_waves(),), "shop"))
    assert reasons == [("UNDELIVERED", 1)]


def test_count_reasons_leaves_out_deliveries() -> None:
    """Undelivered in any case is one reason, besides undocumented words and recipients without a message."""
    details = Details(words={"DELIVERED": 9, "UNDELIVERED": 3, "undelivered": 2, "SENT": 1, "Odd": 4})
    mailing = examples.mailing(
        "sale/vip", State.FINAL, (9, 5, 1, 0), other={"Odd": 4, "rejected": 6}, details=details
    )
    assert count_reasons(StatusReport((mailing,), "shop")) == [
        ("rejected", 6),
        ("UNDELIVERED", 5),
        ("Odd", 4),
    ]
