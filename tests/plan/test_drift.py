"""Intended and reported values are compared field by field, as far as they can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.config.declarations import Mailing, Via
from smsby_deploy.config.sources import InlineRecipients
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.account_names import AccountNames, Known
from smsby_deploy.plan.drift import (
    IntendedValues,
    ReportedValues,
    compare_values,
    find_drift,
    intended_by_files,
    intended_by_lock,
)
from smsby_deploy.plan.remote_state import ListFilter, RemoteView
from smsby_deploy.problems import Location
from smsby_deploy.smsby.parsers import AccountName, RemoteMailing

_AT = Location("sale.yaml", 4, 5)
_WHEN = datetime(2026, 12, 1, 10, tzinfo=ZoneInfo("Europe/Minsk"))
_MEANT = IntendedValues("sale/vip", _WHEN, "MyShop", Location("sale.yaml", 4, 16))
_LISTED = RemoteMailing(
    id=7, name="sale/vip shop#f", d_create=None, d_schedule=int(_WHEN.timestamp()), parts=None,
    count_phones=3, status="NEW", cost=None, alphaname="MyShop",
)  # fmt: skip
_CHUNK = ChunkRecord("f", 3, "d", ChunkState.ACCEPTED)
_ALL = ListFilter("shop", [], [])


def _messages(
    listed: RemoteMailing, meant: IntendedValues = _MEANT, chunk: ChunkRecord = _CHUNK
) -> list[str]:
    view = RemoteView("shop", _ALL, 0, {"f": listed})
    problems = list(find_drift(meant, [chunk, chunk], view))
    assert all(
        (p.code, p.severity, p.location.line, p.location.column) == ("REMOTE_DIFFERS", "warning", 4, 16)
        for p in problems
    )
    return [problem.message for problem in problems]


def test_equal_values_give_no_drift() -> None:
    """A mailing that sms.by reports as intended has no warning."""
    assert _messages(_LISTED) == []


@pytest.mark.parametrize("fold", [0, 1])
def test_no_drift_of_an_hour_that_a_zone_repeats(fold: int) -> None:
    """A time in the hour that comes twice when clocks are set back equals the same time in UTC."""
    when = datetime(2027, 10, 31, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin"))
    listed = replace(_LISTED, d_schedule=int(when.timestamp()))
    assert _messages(listed, replace(_MEANT, schedule_time=when)) == []


@pytest.mark.parametrize(("minutes", "differs"), [(-60, False), (5, False), (6, True)])
@pytest.mark.parametrize("wave", [None, 2])
def test_drift_of_a_mailing_sent_at_once(minutes: int, differs: bool, wave: int | None) -> None:
    """A chunk accepted for sending at once differs if sms.by reports a time over five minutes later."""
    accepted = _WHEN + timedelta(hours=1)
    chunk = replace(_CHUNK, accepted_at=accepted.astimezone(UTC).isoformat(), wave=wave)
    meant = replace(_MEANT, schedule_time=_WHEN if wave else None, zone=_WHEN.tzinfo or UTC)
    time = accepted + timedelta(minutes=minutes)
    message = f"d_schedule: intended none, to be sent at once, sms.by reports {time.isoformat()}"
    assert _messages(replace(_LISTED, d_schedule=int(time.timestamp())), meant, chunk) == [message] * differs


def test_drift_of_a_message_with_another_name() -> None:
    """A recorded message of another program is found by its id."""
    chunk = replace(_CHUNK, fingerprint="other", message_id=7)
    view = RemoteView("shop", _ALL, 0, by_id={7: replace(_LISTED, d_schedule=5)})
    (problem,) = find_drift(_MEANT, [chunk], view)
    assert problem.message.startswith("d_schedule: intended 2026-12-01T10:00:00+03:00, sms.by reports 1970")


def test_drift_names_each_field_once_with_both_values() -> None:
    """The same difference in two chunks is one warning, with both values."""
    other = replace(_LISTED, d_schedule=_LISTED.d_schedule or 0, count_phones=2, alphaname="Kvetka")
    later = replace(other, d_schedule=int((_WHEN + timedelta(hours=3)).timestamp()))
    assert _messages(later) == [
        "d_schedule: intended 2026-12-01T10:00:00+03:00, sms.by reports 2026-12-01T13:00:00+03:00",
        "count_phones: intended 3, sms.by reports 2",
        "alphaname: intended MyShop, sms.by reports Kvetka",
    ]


def test_drift_of_a_time_that_sms_by_does_not_have() -> None:
    """A scheduled mailing that sms.by lists without a time was sent at once, and is a warning."""
    assert _messages(replace(_LISTED, d_schedule=0)) == [
        "d_schedule: intended 2026-12-01T10:00:00+03:00, sms.by reports none"
    ]


@pytest.mark.parametrize(
    ("listed", "meant", "chunk"),
    [
        (
            replace(_LISTED, d_schedule=None, count_phones=None, alphaname=None),
            _MEANT,
            _CHUNK,
        ),  # not reported
        (
            replace(_LISTED, count_phones=9),
            replace(_MEANT, counts_recipients=False),
            _CHUNK,
        ),  # has other recipients, too
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
def test_drift_skips_what_cannot_be_compared(
    listed: RemoteMailing, meant: IntendedValues, chunk: ChunkRecord
) -> None:
    """A value that sms.by does not report, or gives another meaning, is not compared."""
    assert _messages(listed, meant, chunk) == []


def test_drift_of_a_sender_written_as_an_id() -> None:
    """A sender id is compared by its name at sms.by; the system sender, which has several, is not compared."""
    names = AccountNames(Known.of([AccountName(0, "System name"), AccountName(1363, "MyShop")]))
    other = replace(_LISTED, alphaname="Kvetka")
    by_id, system = (replace(_MEANT, alphaname=ref).by(names) for ref in ("1363", "System name"))
    assert (_messages(_LISTED, by_id), _messages(other, system)) == ([], [])
    assert _messages(other, by_id) == ["alphaname: intended MyShop, sms.by reports Kvetka"]


@pytest.mark.parametrize(
    ("recorded", "number", "reported"),
    [
        ("Каф\u0435\u0308", 7, "Каф\u0451"),  # a decomposed letter
        (" MyShop", 7, "MyShop "),
        ("System name", 0, "SMS.by"),
    ],
)
def test_drift_of_a_sender_spelled_otherwise(recorded: str, number: int, reported: str) -> None:
    """A sender's spelling in the files may differ from that of the account."""
    applied = AppliedBy("2026-11-30T10:00:00+03:00", "p", None, "0.1.0")
    entry = Entry(1, "c", "a", "bulk", recorded, number, None, 3, 3, None, (_CHUNK,), applied)
    meant = replace(intended_by_lock("sale/vip", entry, None), location=_MEANT.location)
    listed = replace(_LISTED, alphaname=reported)
    assert _messages(listed, meant) == []


@pytest.mark.parametrize(("minutes", "differences"), [(-1, 1), (0, 0), (30, 0), (31, 1), (None, 0)])
def test_drift_later_than_max_late(minutes: int | None, differences: int) -> None:
    """A later time is excused up to `max_late`; a missing time is not."""
    time = 0 if minutes is None else int((_WHEN + timedelta(minutes=minutes)).astimezone(UTC).timestamp())
    meant = replace(_MEANT, max_late=timedelta(minutes=30))
    assert len(_messages(replace(_LISTED, d_schedule=time), meant)) == differences


@pytest.mark.parametrize("via", ["bulk", "single", "list"])
def test_intended_values_of_files_and_lock(via: Via) -> None:
    """Times are in the zone of the files; a single message, which may have other recipients, is not counted."""
    place, late = Location("sale.yaml", 9, 5), timedelta(minutes=30)
    mailing = Mailing(
        "sale", "vip", "sale.yaml", _AT, via, InlineRecipients((), _AT), None, "MyShop", _AT, _WHEN, place,
        "Europe/Minsk", 1, "fail", max_late=late,
    )  # fmt: skip
    meant = IntendedValues("sale/vip", _WHEN, "MyShop", place, late, via != "single")
    meant = replace(meant, zone=ZoneInfo("Europe/Minsk"))
    assert intended_by_files(mailing) == meant
    applied = AppliedBy("2026-11-30T10:00:00+03:00", "p", None, "0.1.0")
    time = _WHEN.astimezone(UTC).isoformat()
    entry = Entry(1, "c", "a", via, "MyShop", 7, time, 3, 3, None, (_CHUNK,), applied)
    recorded = intended_by_lock("sale/vip", entry, mailing)
    assert recorded == meant
    assert recorded.schedule_time is not None and recorded.schedule_time.tzinfo == _WHEN.tzinfo
    at_once = intended_by_lock("sale/vip", replace(entry, schedule_time=None), mailing)
    assert at_once == replace(meant, schedule_time=None)
    assert intended_by_lock("sale/vip", entry, None).location is None


def test_intended_time_of_a_chunk() -> None:
    """A chunk has its own time in the mailing's zone, and a later wave or a mailing without a time has none."""
    own = "2026-12-01T08:00:00+00:00"
    times = [
        replace(_MEANT, schedule_time=time).of_chunk(replace(_CHUNK, **chunk)).schedule_time
        for time, chunk in (
            (_WHEN, {"schedule_time": own}),
            (None, {"schedule_time": own}),
            (_WHEN, {"wave": 1}),
            (_WHEN, {"wave": 2}),
        )
    ]
    assert times == [_WHEN + timedelta(hours=1), None, _WHEN, None]
    assert str(times[0]) == "2026-12-01 11:00:00+03:00"


@pytest.mark.parametrize(
    ("parts", "texts", "is_harmless"),
    [
        (2, [], False),
        (None, [], False),
        (3, ["parts: intended 2, sms.by reports 3"], False),
        (1, ["parts: intended 2, sms.by reports 1"], True),
    ],
)
def test_compare_values_of_parts(parts: int | None, texts: list[str], is_harmless: bool) -> None:
    """More parts than reviewed are a difference, as they cost more; fewer are harmless."""
    reported = ReportedValues(None, None, None, parts)
    found = list(compare_values(replace(_MEANT, parts=2), None, reported))
    assert [difference.text for difference in found] == texts
    assert all(difference.is_harmless is is_harmless for difference in found)
    assert list(compare_values(_MEANT, None, reported)) == []


def test_compare_values_of_a_mailing_that_goes_at_once() -> None:
    """For a mailing sent at once, any past time is as intended, and a later time is not."""
    meant = replace(_MEANT, schedule_time=None, at_once_until=_WHEN)
    come = [0, 1, int(_WHEN.timestamp())]
    assert not any(list(compare_values(meant, None, ReportedValues(time, None, None))) for time in come)
    (late,) = compare_values(meant, None, ReportedValues(int(_WHEN.timestamp()) + 1, None, None))
    assert late.text == (
        "d_schedule: intended none, to be sent at once, sms.by reports 2026-12-01T10:00:01+03:00"
    )
    assert not late.is_harmless


def test_drift_of_chunks_with_times_of_their_own() -> None:
    """Each spread chunk is compared with its own time, and equal differences are one warning with their number."""
    times = [_WHEN + timedelta(minutes=10 * index) for index in range(4)]
    chunks = [
        replace(_CHUNK, fingerprint=str(n), schedule_time=time.isoformat()) for n, time in enumerate(times)
    ]
    hour = timedelta(hours=1)
    for shifts, expected in (
        ((0 * hour,) * 4, []),
        ((hour,) * 4, [("10:00", "11:00", 3)]),
        ((0 * hour, hour, 2 * hour, hour), [("10:10", "11:10", 1), ("10:20", "12:20", 0)]),
    ):
        listed = {
            str(n): replace(_LISTED, d_schedule=int((time + shift).timestamp()))
            for n, (time, shift) in enumerate(zip(times, shifts, strict=True))
        }
        found = [one.message for one in find_drift(_MEANT, chunks, RemoteView("shop", _ALL, 0, listed))]
        assert found == [
            f"d_schedule: intended 2026-12-01T{meant}:00+03:00, sms.by reports 2026-12-01T{reported}:00+03:00"
            + (f" (and {others} more chunk{'s' if others > 1 else ''})" if others else "")
            for meant, reported, others in expected
        ]


def test_drift_of_numbers_in_spread_chunks() -> None:
    """Only equal time shifts are merged; another number of recipients is a separate difference."""
    times = [_WHEN + timedelta(minutes=10 * index) for index in range(3)]
    chunks = [
        replace(_CHUNK, fingerprint=str(n), schedule_time=time.isoformat()) for n, time in enumerate(times)
    ]
    listed = {
        str(n): replace(_LISTED, d_schedule=int(time.timestamp()), count_phones=count)
        for n, (time, count) in enumerate(zip(times, (3, 2, 4), strict=True))
    }
    found = [one.message for one in find_drift(_MEANT, chunks, RemoteView("shop", _ALL, 0, listed))]
    assert found == [f"count_phones: intended 3, sms.by reports {count}" for count in (2, 4)]
