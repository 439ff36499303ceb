"""Deliveries of statusBulkSms: under any key, with any status, next to anything else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.smsby.deliveries import (
    Delivery,
    DeliveryStatus,
    read_bulk_status,
    read_deliveries,
    read_delivery_status,
)

PHONE = "375291111111"


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
    """A status is read in any case, which depends on the method, and other words stay undocumented."""
    assert read_delivery_status(word) is status


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"success": [{"phone": PHONE, "status": "SENT"}]}, Delivery(PHONE, "SENT", None)),
        ({"success": [{"phone": PHONE, "status": "Odd"}]}, Delivery(PHONE, "Odd", None)),
        ({"success": {"odd": [{"phone": PHONE, "status": "Odd"}]}}, Delivery(PHONE, "Odd", None)),
        (
            {
                "success": [
                    {"status": "SENT"},
                    {"phone": "", "status": "SENT"},
                    {"phone": PHONE, "status": "SENT"},
                ]
            },
            Delivery(PHONE, "SENT", None),
        ),
        (
            {"success": [{"phone": PHONE, "status": "SENT", "status_time": "10:00"}]},
            Delivery(PHONE, "SENT", "10:00"),
        ),
        (
            {"success": [{"phone": PHONE, "status": "SENT", "d_sent": "10:00"}]},
            Delivery(PHONE, "SENT", "10:00"),
        ),
        ({"success": [{"phone": PHONE}]}, Delivery(PHONE, "success", None)),
        ({"success": {"7": {"phone": PHONE, "status": "SENT"}}}, Delivery(PHONE, "SENT", None)),
        ({"error": [{"phone": PHONE, "error": "blocked"}]}, Delivery(PHONE, "blocked", None, True)),
        ({"rejected": [{"phone": PHONE}]}, Delivery(PHONE, "rejected", None, True)),
        ({"delivered": [{"phone": PHONE}]}, Delivery(PHONE, "delivered", None, True)),
        ({"error": [{"phone": PHONE, "status": "Odd"}]}, Delivery(PHONE, "Odd", None, True)),
        ({"error": [{"phone": PHONE, "status": "DELIVERED"}]}, Delivery(PHONE, "DELIVERED", None)),
        ({"error": {"stop": [{"phone": PHONE}]}}, Delivery(PHONE, "stop", None, True)),
    ],
)
def test_read_bulk_status_reads_every_list(entry: dict[str, Any], expected: Delivery) -> None:
    """The status is the delivery's own, else its error, else its key; only a known own status changes a failure."""
    (mailing,) = read_bulk_status([{"message_id": 1, **entry}])
    assert mailing.deliveries == (expected,)


def test_read_deliveries_reads_what_is_there() -> None:
    """A phone may be a number, and missing values are empty."""
    rows = [{"phone": 375291111111, "status": "sent", "d_sent": "10:00"}, {"status": "NEW"}, {"phone": PHONE}]
    expected = [Delivery(PHONE, "sent", "10:00"), Delivery("", "NEW", None), Delivery(PHONE, "", None)]
    assert list(read_deliveries({"result": rows})) == expected


_junk = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(_junk, st.text(max_size=8).filter(lambda key: key not in ("success", "message_id", "name")))
def test_read_bulk_status_is_not_hidden_by_junk(junk: Any, key: str) -> None:
    """A delivery is read whatever else is in its entry or in the answer."""
    entry = {"message_id": 1, key: junk, "success": [{"phone": PHONE, "status": "SENT"}]}
    (mailing,) = (one for one in read_bulk_status([junk, entry]) if one.message_id == 1)
    assert Delivery(PHONE, "SENT", None) in mailing.deliveries
