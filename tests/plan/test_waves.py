"""Waves: which is next, what it waits for, figures that add up, and times in one zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.clock import Window, full_minute
from smsby_deploy.config.declarations import Wave
from smsby_deploy.lock.decisions import Ending, EndingKind, VerdictKind, WaveVerdict
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.waves import (
    Gate,
    WaveFigures,
    count_unsent,
    describe_figures,
    has_later_wave,
    recorded_progress,
    when_sent,
    why_due,
    why_no_verdict,
    why_removed,
    why_stopped,
    why_waiting,
    would_go_on,
)
from smsby_deploy.wording import time_text

_NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_STEP = Wave(size=2, after=_HOUR, give_up=6 * _HOUR, delivered=90, undelivered=5)
_STEPS = (_STEP, Wave(share=20, after=_HOUR, give_up=6 * _HOUR, delivered=90), Wave())
_OPEN = Window(_NOW - _HOUR, _NOW + _HOUR)
A, P, R, S = ChunkState.ACCEPTED, ChunkState.PENDING, ChunkState.REJECTED, ChunkState.SUPPRESSED


def _entry(*chunks: tuple[int | None, ChunkState], ago: timedelta = 2 * _HOUR, **changes: object) -> Entry:
    at = (_NOW - ago).isoformat()
    records = tuple(
        ChunkRecord(f"{index:010x}", 2, "d", state, wave=wave, accepted_at=at if state is A else None)
        for index, (wave, state) in enumerate(chunks)
    )
    applied = AppliedBy((_NOW - 9 * _HOUR).isoformat(), "p", None, "x")
    entry = Entry(1, "c", "a", "bulk", "0", 0, None, 4, 4, None, records, applied)
    return replace(entry, **changes)  # type: ignore[arg-type]


def _verdict(wave: int, kind: VerdictKind) -> WaveVerdict:
    return WaveVerdict(wave, kind, _NOW.isoformat(), 2, 1, 1)


def _old_go(by: str | None = None) -> WaveVerdict:
    return WaveVerdict(1, VerdictKind.GO, (_NOW - 24 * _HOUR).isoformat(), 2, 2, 0, by)


_CASES = {
    "first wave in part": (_entry((1, A), (1, P), (2, P), (3, P)), (1, Gate.OPEN, None, True)),
    "too early": (_entry((1, A), (2, P), (3, P), ago=_HOUR / 2), (2, Gate.EARLY, 1, False)),
    "to judge": (_entry((1, A), (1, S), (2, P), (3, P)), (2, Gate.JUDGE, 1, False)),
    "go": (_entry((1, A), (2, P), (3, P), verdicts=(_verdict(1, VerdictKind.GO),)), (2, Gate.OPEN, 1, False)),
    "stop": (_entry((1, A), (2, P), verdicts=(_verdict(1, VerdictKind.STOP),)), (2, Gate.STOPPED, 1, False)),
    "stop, then go": (
        _entry((1, A), (2, P), verdicts=(_verdict(1, VerdictKind.STOP), _verdict(1, VerdictKind.GO))),
        (2, Gate.OPEN, 1, False),
    ),
    "second wave in part": (
        _entry((1, A), (2, A), (2, R), (3, P), verdicts=(_verdict(1, VerdictKind.GO),)),
        (2, Gate.OPEN, 1, True),
    ),
    "second wave sent": (
        _entry((1, A), (2, A), (3, P), verdicts=(_verdict(1, VerdictKind.GO),)),
        (3, Gate.JUDGE, 2, False),
    ),
    "go, a day ago": (_entry((1, A), (2, P), verdicts=(_old_go(),)), (2, Gate.STOPPED, 1, False)),
    "go by a user, a day ago": (
        _entry((1, A), (2, P), verdicts=(_old_go(by="anna"),)),
        (2, Gate.OPEN, 1, False),
    ),
    "go, a day ago, and begun": (
        _entry((1, A), (2, A), (2, P), verdicts=(_old_go(),)),
        (2, Gate.OPEN, 1, True),
    ),
    "chunks in another order": (_entry((3, P), (2, P), (1, A)), (2, Gate.JUDGE, 1, False)),
    "an empty wave between": (_entry((1, A), (3, P)), (3, Gate.JUDGE, 1, False)),
    "without waves": (_entry((None, A), (None, P)), (0, Gate.OPEN, None, False)),
}


@pytest.mark.parametrize("case", _CASES)
def test_progress(case: str) -> None:
    """Progress has the next wave, what it waits for, the wave to judge, and whether a part was sent."""
    entry, expected = _CASES[case]
    found = recorded_progress(entry, _STEPS, _NOW)
    assert (found.number, found.gate, found.judged, found.is_begun) == expected


@pytest.mark.parametrize(
    ("case", "waits_from"),
    [
        ("first wave in part", 2),
        ("to judge", 2),
        ("go", 2),
        ("stop", None),
        ("second wave in part", 3),
        ("second wave sent", 3),
        ("without waves", None),
    ],
)
def test_progress_says_from_which_wave_on_it_waits(case: str, waits_from: int | None) -> None:
    """The unsent part of a begun wave does not wait, and after a stop no wave does."""
    assert recorded_progress(_CASES[case][0], _STEPS, _NOW, UTC).waits_from == waits_from


def test_progress_of_more_waves_than_the_files_have() -> None:
    """A last wave that the files no longer have is not judged."""
    entry = _entry((1, A), (2, A), (3, P))
    progress = recorded_progress(entry, _STEPS[:1], _NOW, UTC)
    assert (progress.number, progress.judged, progress.window) == (3, None, None)
    last = recorded_progress(entry, _STEPS[:2], _NOW, UTC)
    assert (last.number, last.judged) == (3, 2)


def test_progress_has_the_times_of_the_wave_to_judge() -> None:
    """Each wave has its own `after` and `give_up`, and a later apply does not delay them."""
    steps = (_STEP, _STEP._replace(after=3 * _HOUR, give_up=5 * _HOUR), Wave())
    sent = _NOW - 2 * _HOUR
    late = AppliedBy(_NOW.isoformat(), "p", None, "x")
    for entry, after, give_up in (
        (_entry((1, A), (2, P), (3, P), applied=late), 1, 6),
        (_entry((1, A), (2, A), (3, P), applied=late), 3, 5),
    ):
        window = recorded_progress(entry, steps, _NOW).window
        assert window == Window(sent + after * _HOUR, sent + give_up * _HOUR)


def test_count_unsent_of_waves() -> None:
    """The unsent recipients are those of the remaining waves, or all if none was sent."""
    assert count_unsent(_entry((1, A), (2, P), (3, R), (None, S))) == 4
    assert count_unsent(_entry((1, P), (2, P), recipients=None)) is None
    assert count_unsent(_entry((1, P), (2, P), recipients=7)) == 7
    unsized = _entry((1, A), (2, P))
    assert count_unsent(unsized.put_chunk(1, replace(unsized.chunks[1], recipients=None))) == 0


@pytest.mark.parametrize(("by", "hours", "is_late"), [(None, 7, True), (None, 5, False), ("anna", 7, False)])
def test_why_stopped_says_what_was_missing(by: str | None, hours: int, is_late: bool) -> None:
    """A wave stops without a verdict in time, and at any time by bad figures or a user."""
    sent = _NOW - 2 * _HOUR
    stop = replace(_verdict(1, VerdictKind.STOP), by=by, at=(sent + hours * _HOUR).isoformat())
    progress = recorded_progress(_entry((1, A), (2, P), (3, P), verdicts=(stop,)), _STEPS, _NOW, UTC)
    said = why_stopped(progress, "sale/vip")
    assert said.startswith(
        "stopped after 1 of 3 waves: 1 of 2 recipients delivered (50.0%), 1 undelivered, 0 open"
    )
    assert ("but it had no verdict until 2026-12-01 16:00 UTC" in said) == is_late
    assert "`smsby-deploy lock resolve sale/vip --go`" in said and "within a day" not in said


def test_later_waves() -> None:
    """A hand-over continues only if the first wave was sent completely and another remains."""
    assert has_later_wave(_entry((1, A), (2, P)))
    assert not has_later_wave(_entry((1, A), (1, P), (2, P)))
    assert not has_later_wave(_entry((1, P), (2, A)))
    assert not has_later_wave(_entry((1, A), (2, A)))
    assert not has_later_wave(_entry((None, A), (None, P)))


def test_time_of_a_wave() -> None:
    """The time of a wave is its last acceptance, or the schedule of the first wave, or else when it was applied."""
    entry = _entry((1, A), (2, P))
    assert when_sent(entry, 1) == _NOW - 2 * _HOUR
    scheduled = replace(entry, schedule_time=(_NOW + _HOUR).isoformat())
    assert when_sent(scheduled, 1) == _NOW + _HOUR
    sent = replace(scheduled, chunks=(scheduled.chunks[0], replace(entry.chunks[0], wave=2)))
    assert when_sent(sent, 2) == _NOW - 2 * _HOUR
    assert when_sent(_entry((1, S), (2, P)), 1) == _NOW - 9 * _HOUR


def test_only_a_mailing_with_waves_left_would_go_on() -> None:
    """A mailing continues only with waves left, no ending and no unknown outcome."""
    entry = _entry((1, A), (2, P), (3, P))
    assert would_go_on(entry)
    assert not would_go_on(replace(entry, ending=Ending(EndingKind.ABANDONED, _NOW.isoformat(), "anna", "")))
    assert not would_go_on(_entry((1, A), (2, ChunkState.UNKNOWN), (3, P)))
    assert not would_go_on(_entry((1, A), (2, A), (3, A)))


@pytest.mark.parametrize("seconds", [0, 0.25, 27, 59.5, 60])
def test_wave_is_judged_once_it_is_old_enough(seconds: float) -> None:
    """The time of a verdict is the first full minute at which the wave can be judged, as messages show no seconds."""
    ago = timedelta(seconds=seconds)
    progress = recorded_progress(_entry((1, A), (2, P), ago=ago), _STEPS, _NOW)
    opens = _NOW - ago + _STEPS[0].after
    assert progress.window is not None and progress.window.opens == opens
    named = full_minute(opens)
    assert (named.second, named.microsecond) == (0, 0)
    assert timedelta(0) <= named - opens < timedelta(minutes=1)
    assert f"from {time_text(named)} on" in why_waiting(progress)


def test_figures_add_up() -> None:
    """The figures in a sentence add up."""
    said = describe_figures(WaveFigures(1200, 1140, 12))
    assert said == "1,140 of 1,200 recipients delivered (95.0%), 12 undelivered, 48 open"


def test_times_are_shown_in_the_zone_of_the_mailing() -> None:
    """The due, last and expired times of a verdict are shown in the mailing's zone, not in UTC."""
    zone = ZoneInfo("Europe/Minsk")
    entry = _entry((1, A), (2, P), ago=_HOUR / 2)
    early = recorded_progress(entry, _STEPS, _NOW, zone)
    assert "judges it from 2026-12-01 15:30 +03 on" in why_waiting(early)
    late = recorded_progress(entry, _STEPS, _NOW + _HOUR, zone)
    assert "judges it until 2026-12-01 20:30 +03" in why_due(late)
    assert "asks again until 2026-12-01 20:30 +03" in why_no_verdict(late, WaveFigures(2, 0, 0))
    old = recorded_progress(_entry((1, A), (2, P), verdicts=(_old_go(),)), _STEPS, _NOW, zone)
    assert "wave 2 was not sent within a day of 2026-11-30 15:00 +03" in why_stopped(old, "sale/vip")


@pytest.mark.parametrize(
    ("waves", "says"),
    [
        (((1, A), (2, P), (3, P)), "while waves 2-3 of 3 waited, so 4 recipients do not get it"),
        (((1, A), (2, A), (3, P)), "while wave 3 of 3 waited, so 2 recipients do not get it"),
    ],
)
def test_removed_mailing_names_its_other_waves(waves: tuple[tuple[int, ChunkState], ...], says: str) -> None:
    """A removed mailing is reported with its unsent waves and their recipients."""
    assert says in why_removed(_entry(*waves), "sale/vip")


def test_removed_mailing_after_a_go_may_be_restored() -> None:
    """A removed mailing whose last verdict is a go can be restored."""
    verdicts = (_verdict(1, VerdictKind.STOP), _verdict(1, VerdictKind.GO))
    said = why_removed(_entry((1, A), (2, P), (None, S), verdicts=verdicts), "sale/vip")
    assert said.startswith(
        "it was removed from the files while wave 2 of 2 waited, so 2 recipients do not get it"
    )


def test_removed_mailing_that_had_stopped_is_not_to_be_restored() -> None:
    """A removed mailing that had stopped is not said to continue by restoring its file."""
    stop = replace(_old_go(), kind=VerdictKind.STOP)
    said = why_removed(_entry((1, A), (2, P), (3, P), verdicts=(stop,)), "sale/vip")
    assert said.startswith(
        "it stopped after 1 of 3 waves, and then it was removed from the files, so 4 recipients of waves 2-3"
    )
    assert "restore" not in said
