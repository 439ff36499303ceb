"""Counting deliveries by status, minute and prefix."""

from __future__ import annotations

import pytest

from smsby_deploy.status.delivery_counts import (
    DeliveryStatus,
    count_deliveries,
    prefix_of,
    read_delivery_status,
)
from smsby_deploy.status.report import Missed
from tests.status.examples import deliveries


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("DELIVERED", DeliveryStatus.DELIVERED),
        ("undelivered", DeliveryStatus.UNDELIVERED),
        (" Sent ", DeliveryStatus.SENT),
        ("NEW", DeliveryStatus.PENDING),
        ("Expired", None),
        ("", None),
    ],
)
def test_read_delivery_status_ignores_case(word: str, status: DeliveryStatus | None) -> None:
    """sms.by writes a status in capitals or not, depending on the method; other words stay undocumented."""
    assert read_delivery_status(word) is status


def test_count_deliveries_by_minute_prefix_and_word() -> None:
    """Every message is counted once in each of them."""
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
    assert counts.missed == []


def test_count_deliveries_lists_missed_on_request() -> None:
    """With `list_missed`, every message without a delivery is listed verbatim."""
    counts = count_deliveries(deliveries("DELIVERED", "Odd"), list_missed=True)
    assert counts.missed == [Missed("375290000001", "Odd", "2026-12-01 10:00:42.5")]


@pytest.mark.parametrize(
    ("phone", "prefix"), [("375441234567", "375 44"), ("79161234567", "other"), ("", "other")]
)
def test_prefix_of_a_phone(phone: str, prefix: str) -> None:
    """Belarusian numbers are grouped by operator code, all others together."""
    assert prefix_of(phone) == prefix
