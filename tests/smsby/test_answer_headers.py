"""What the headers of an answer say. Retry-After is tested with the transport."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smsby_deploy.smsby.answer_headers import read_clock_lead

_NOW = datetime(2026, 12, 1, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "lead"),
    [
        ({"Date": "Tue, 01 Dec 2026 06:00:00 GMT"}, timedelta(hours=1)),
        ({"Date": "Tue, 01 Dec 2026 07:05:00 GMT"}, timedelta(minutes=-5)),
        ({"Date": "Tue, 01 Dec 2026 06:00:00 GMT", "Age": "3600"}, None),
        ({"Date": "today"}, None),
        ({"Date": ""}, None),
        ({}, None),
    ],
)
def test_clock_lead_is_read(headers: dict[str, str], lead: timedelta | None) -> None:
    assert read_clock_lead(headers, _NOW) == lead
