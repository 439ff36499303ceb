"""The desired state of a mailing: the times of a spread one, and who opted out of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.plan.desired import ChunkPlan, spread_chunks, times_of
from smsby_deploy.recipients.suppression import opt_out_positions
from tests.plan.situations import make_desired

_START = datetime(2026, 12, 1, 10, tzinfo=ZoneInfo("Europe/Minsk"))


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=9), max_size=9))
def test_positions_of_opt_outs_do_not_depend_on_the_chunks(chunks: list[list[bool]]) -> None:
    """Those who opted out have the same positions however the audience is divided; those of a list are unknown."""
    masks = [bytearray(one) for one in chunks]
    desired = make_desired(
        chunks=[ChunkPlan("f", sum(one), "d", opted_out=opt_out_positions(one)) for one in masks]
    )
    assert desired.opted_out == (opt_out_positions(bytearray().join(masks)) or "")
    assert desired._replace(parts=None).opted_out is None


@given(count=st.integers(1, 400), seconds=st.integers(1, 7 * 86_400))
def test_spread_chunks_are_evenly_in_the_window(count: int, seconds: int) -> None:
    """The first chunk is at the start, the last before the end, and all pauses are equal to a second."""
    chunks = spread_chunks([ChunkPlan("f", 10, "d")] * count, _START, timedelta(seconds=seconds))
    times = [datetime.fromisoformat(chunk.schedule_time or "") for chunk in chunks]
    assert times[0] == _START
    assert times == sorted(times)
    assert times[-1] < _START + timedelta(seconds=seconds)
    assert all(not time.microsecond for time in times)
    pauses = {after - before for before, after in pairwise(times)}
    assert not pauses or max(pauses) - min(pauses) <= timedelta(seconds=1)


def test_spread_chunks_follow_time_not_the_clock() -> None:
    """An hour that the clock of a zone skips leaves no gap between chunks."""
    start = datetime(2026, 3, 29, 1, tzinfo=ZoneInfo("Europe/Warsaw"))
    chunks = spread_chunks([ChunkPlan("f", 10, "d")] * 3, start, timedelta(hours=3))
    assert [chunk.schedule_time for chunk in chunks] == [
        "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"
    ]  # fmt: skip


def test_pace_of_a_spread_mailing() -> None:
    """A spread has its interval and its recipients per hour; one chunk is no spread."""
    chunks = [ChunkPlan("f", 1000, "d")] * 24
    assert times_of(chunks) is None
    times = times_of(spread_chunks(chunks, _START, timedelta(hours=3)))
    assert times is not None
    assert times.span == "2026-12-01 10:00 +03 to 12:52"
    assert times.pace == "24 chunks, one every 7 min 30 s, about 8,000 recipients per hour"
    night = times_of(spread_chunks(chunks[:2], _START, timedelta(days=1)))
    assert night is not None
    assert (night.until, night.first.astimezone(UTC).hour) == ("22:00", 7)
    slow = times_of(spread_chunks([ChunkPlan("f", 3, "d")] * 7, _START, timedelta(days=7)))
    assert slow is not None
    assert slow.pace == "7 chunks, one every 1440 min, about 3 recipients per day"
    quick = times_of(spread_chunks(chunks, _START, timedelta(seconds=1)))
    assert quick is not None
    assert quick.pace == "24 chunks, all at once"
    one = times_of(spread_chunks(chunks[:1], _START, timedelta(hours=3)))
    assert one is not None
    assert one.pace.startswith("1 chunk, so all are sent at once")
