"""The sentences of waves: figures that add up, times in the zone of the mailing, and who gets nothing."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.lock.decisions import VerdictKind
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.plan.wave_progress import WaveFigures, recorded_progress
from smsby_deploy.plan.wave_reasons import (
    describe_figures,
    why_due,
    why_no_verdict,
    why_removed,
    why_stopped,
    why_waiting,
)
from tests.plan.test_wave_progress import _HOUR, _NOW, _STEPS, A, P, _entry, _old_go


def test_figures_add_up() -> None:
    """In the sentence, too."""
    said = describe_figures(WaveFigures(1200, 1140, 12))
    assert said == "1,140 of 1,200 recipients delivered (95.0%), 12 undelivered, 48 open"


def test_times_are_shown_in_the_zone_of_the_mailing() -> None:
    """Not in UTC: when the verdict is due, until when it is asked for, and when it expired."""
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
    """And how many recipients they have."""
    assert says in why_removed(_entry(*waves), "sale/vip")


def test_removed_mailing_that_had_stopped_is_not_to_be_restored() -> None:
    """Its file would not make it go on."""
    stop = replace(_old_go(), kind=VerdictKind.STOP)
    said = why_removed(_entry((1, A), (2, P), (3, P), verdicts=(stop,)), "sale/vip")
    assert said.startswith(
        "it stopped after wave 1 of 3, and then it was removed from the files; 4 recipients of waves 2-3"
    )
    assert "restore" not in said
