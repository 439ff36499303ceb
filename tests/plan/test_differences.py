"""What sms.by reports otherwise than meant: each field, and what is no difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.lock.records import ChunkRecord, ChunkState
from smsby_deploy.plan.drift import IntendedValues, find_differences
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.problems import Location
from smsby_deploy.smsby.parsers import RemoteMailing

_WHEN = datetime(2026, 12, 1, 10, tzinfo=ZoneInfo("Europe/Minsk"))
_MEANT = IntendedValues("sale/vip", _WHEN, "MyShop", Location("sale.yaml", 4, 16))
_LISTED = RemoteMailing(
    id=7, name="sale/vip shop#f", d_create=None, d_schedule=int(_WHEN.timestamp()), type=None, parts=None,
    count_phones=3, status="NEW", sms_delivered=None, cost=None, alphaname="MyShop", raw=None,
)  # fmt: skip
_CHUNK = ChunkRecord("f", 3, "d", ChunkState.ACCEPTED)


def _told(listed: RemoteMailing, meant: IntendedValues = _MEANT, chunk: ChunkRecord = _CHUNK) -> list[str]:
    view = RemoteView({"f": listed}, (), {}, {}, {})
    problems = list(find_differences(meant, [chunk, chunk], view))
    assert all(
        (p.code, p.severity, p.location.line, p.location.column) == ("REMOTE_DIFFERS", "warning", 4, 16)
        for p in problems
    )
    return [problem.message for problem in problems]


def test_what_is_as_meant_is_not_told() -> None:
    assert _told(_LISTED) == []


def test_each_field_is_named_once_with_both_sides() -> None:
    """However many chunks it concerns."""
    other = replace(_LISTED, d_schedule=_LISTED.d_schedule or 0, count_phones=2, alphaname="Kvetka")
    later = replace(other, d_schedule=int((_WHEN + timedelta(hours=3)).timestamp()))
    assert _told(later) == [
        "d_schedule: 2026-12-01T10:00:00+03:00 was meant, sms.by reports 2026-12-01T13:00:00+03:00",
        "count_phones: 3 was meant, sms.by reports 2",
        "alphaname: MyShop was meant, sms.by reports Kvetka",
    ]


def test_a_time_that_is_none_is_told() -> None:
    assert _told(replace(_LISTED, d_schedule=0)) == [
        "d_schedule: 2026-12-01T10:00:00+03:00 was meant, sms.by reports none"
    ]


@pytest.mark.parametrize(
    ("listed", "meant", "chunk"),
    [
        (replace(_LISTED, d_schedule=None, count_phones=None, alphaname=None), _MEANT, _CHUNK),  # not told
        (replace(_LISTED, count_phones=9), replace(_MEANT, is_alone=False), _CHUNK),  # others' phones, too
        (replace(_LISTED, count_phones=2), _MEANT, replace(_CHUNK, state=ChunkState.UNKNOWN)),
        (
            replace(_LISTED, alphaname="MyShop"),
            replace(_MEANT, alphaname="1363"),
            _CHUNK,
        ),  # an id has no name
        (replace(_LISTED, d_schedule=1), replace(_MEANT, schedule_time=None), _CHUNK),  # sent on apply
        (
            replace(_LISTED, d_schedule=int((_WHEN + timedelta(minutes=20)).timestamp())),
            replace(_MEANT, max_late=timedelta(minutes=30)),
            _CHUNK,
        ),
    ],
)
def test_what_can_not_be_compared_is_not_told(
    listed: RemoteMailing, meant: IntendedValues, chunk: ChunkRecord
) -> None:
    assert _told(listed, meant, chunk) == []


def test_later_than_max_late_is_told() -> None:
    late = replace(_LISTED, d_schedule=int((_WHEN + timedelta(minutes=40)).astimezone(UTC).timestamp()))
    assert len(_told(late, replace(_MEANT, max_late=timedelta(minutes=30)))) == 1
