"""Recipients without a delivery, and the variants and waves of a mailing, in a status report."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Wave
from smsby_deploy.lock.decisions import Ending, EndingKind, VerdictKind, WaveVerdict
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.drift import IntendedValues
from smsby_deploy.status.mailing_details import (
    Missed,
    MissedRows,
    PartCounts,
    VariantStatus,
    WavesInFiles,
    WaveStatus,
)
from smsby_deploy.status.mailing_summary import Moment, summarize_mailing
from smsby_deploy.status.remote_reports import RemoteReports
from smsby_deploy.status.status_report import MailingStatus
from tests.status.examples import A, B, FixedClock, TableClient, answer, chunk, entry


@given(
    st.lists(
        st.builds(Missed, st.text(), st.text(), st.none() | st.text(), st.booleans(), st.booleans()),
        max_size=5,
    )
)
def test_missed_rows_keep_every_row(rows: list[Missed]) -> None:
    """Rows keep their order, in several blocks if there are many."""
    kept = MissedRows(rows * 500)
    assert list(kept) == rows * 500
    kept.extend(MissedRows(rows))
    assert list(kept) == rows * 501
    assert kept != MissedRows([*rows, Missed("1", "SENT", None)])


_ENDING = Ending(EndingKind.ABANDONED, "2026-12-01T09:00:00+00:00", "anna", "")
_GO = WaveVerdict(1, VerdictKind.GO, "2026-11-30T10:00:00+00:00", 200, 185, 4)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (WaveStatus(1, 200, 185, 8, True), "wave 1: 185 of 200 recipients delivered (92.5%)"),
        (WaveStatus(1, 200, 185, 8, True, _GO), "wave 1: 185 of 200 recipients delivered (92.5%), verdict go"),
        (
            WaveStatus(1, 200, 0, 8, True, replace(_GO, by="anna", reason="an outage")),
            "wave 1: 0 of 200 recipients delivered (0.0%), verdict go by anna on 2026-11-30 10:00 UTC (an outage)",
        ),
        (WaveStatus(2, 1, 0, 0, False), "wave 2: 1 recipient, not sent"),
        (WaveStatus(2, 9, 0, 0, None), "wave 2: 9 recipients, outcome unknown"),
        (WaveStatus(1, 0, 0, 0, True), "wave 1: 0 of 0 recipients delivered (0.0%)"),
        (VariantStatus("a", PartCounts(1080, 1050)), "variant a: 1,050 of 1,080 recipients delivered (97.2%)"),
        (VariantStatus("b", PartCounts()), "variant b: no recipients"),
    ],
)  # fmt: skip
def test_line_of_a_part(status: WaveStatus | VariantStatus, line: str) -> None:
    """The line of a variant or wave has its figures, rounded down, and who decided about a wave."""
    assert status.line == line


_STEPS = (Wave(size=2, after=timedelta(hours=1), give_up=timedelta(days=9), delivered=90), Wave())


def _summary(
    *states: ChunkState, verdicts: tuple[WaveVerdict, ...] = (), ending: Ending | None = None
) -> MailingStatus:
    chunks: list[ChunkRecord] = [
        replace(chunk(mark, 2, state), wave=wave, variant=variant)
        for (mark, wave, variant), state in zip(
            ((A, 1, "a"), (B, 1, "b"), ("c" * 10, 2, "a")), states, strict=True
        )
    ]
    recorded: Entry = replace(entry(*chunks), verdicts=verdicts, ending=ending)
    client = TableClient(
        {"u1": [answer("c/x", A, "DELIVERED", "DELIVERED"), answer("c/x", B, "DELIVERED", "UNDELIVERED")]}
    )
    lock = Lock("shop", mailings={"c/x": recorded})
    reports = RemoteReports(lock, client, lambda uuid: (), list_missed=False)
    intended = IntendedValues("c/x", None, "MyShop", None)
    moment = Moment(FixedClock().now(), timedelta(hours=999), zone=ZoneInfo("Europe/Minsk"))
    return summarize_mailing(intended, recorded, reports, moment, lambda count: None, WavesInFiles(_STEPS))


_A, _P, _U = ChunkState.ACCEPTED, ChunkState.PENDING, ChunkState.UNKNOWN


@pytest.mark.parametrize(
    ("states", "verdicts", "state", "says"),
    [
        ((_A, _A, _P), (), "waiting", "`apply --due` judges it until"),
        ((_A, _A, _P), (_GO,), "waiting", "is go; `apply --due` sends wave 2"),
        ((_A, _A, _P), (replace(_GO, kind=VerdictKind.STOP),), "partial", "lock resolve c/x --go"),
        ((_A, _U, _P), (), "unknown", ""),
        ((_A, _P, _P), (), "partial", ""),
        ((_A, _A, _A), (_GO,), "sending", ""),
    ],
)
def test_state_between_two_waves(
    states: tuple[ChunkState, ...], verdicts: tuple[WaveVerdict, ...], state: str, says: str
) -> None:
    """Between two waves a mailing waits for a verdict, and after a stop for a user."""
    found = _summary(*states, verdicts=verdicts)
    assert found.state == state
    assert says in found.details.waits
    assert bool(says) == bool(found.details.waits)


def test_all_times_of_a_mailing_are_in_one_zone() -> None:
    """The times of verdicts, of the wait and of the ending are all in one time zone."""
    own = replace(_GO, at="2026-12-01T09:00:00+00:00", by="anna", reason="an outage")
    assert _summary(_A, _A, _P, verdicts=(own,), ending=_ENDING).notes[:2] == (
        "abandoned by anna on 2026-12-01 12:00 +03",
        "wave 1: 3 of 4 recipients delivered (75.0%), verdict go by anna on 2026-12-01 12:00 +03 (an outage)",
    )
    assert " +03" in _summary(_A, _A, _P).details.waits


@pytest.mark.parametrize(
    ("states", "ending", "has_unsent"),
    [((_A, _A, _P), None, True), ((_A, _A, _A), None, False), ((_A, _A, _P), _ENDING, False)],
)
def test_rest_may_be_sent_until_the_mailing_ends(
    states: tuple[ChunkState, ...], ending: Ending | None, has_unsent: bool
) -> None:
    """The cost of a mailing is not compared while its rest may be sent."""
    assert _summary(*states, ending=ending).details.has_unsent is has_unsent


@pytest.mark.parametrize(
    ("states", "sent"),
    [((_A, _A, _U), [True, None]), ((_U, _P, _P), [None, False]), ((_A, _U, _P), [True, False])],
)
def test_wave_with_an_unknown_outcome_is_not_called_unsent(
    states: tuple[ChunkState, ...], sent: list[bool | None]
) -> None:
    assert [wave.was_sent for wave in _summary(*states).details.waves] == sent


def test_waves_and_variants_add_up() -> None:
    """Each wave and variant has its own figures, which add up to those of the mailing."""
    found = _summary(_A, _A, _P)
    waves = [(one.number, one.recipients, one.delivered, one.undelivered) for one in found.details.waves]
    assert waves == [(1, 4, 3, 1), (2, 2, 0, 0)]
    variants = [(one.name, one.counts.recipients, one.counts.delivered) for one in found.details.variants]
    assert variants == [("a", 4, 2), ("b", 2, 1)]
    assert (found.recipients, found.delivered, found.undelivered) == (6, 3, 1)
    assert not found.is_settled or not found.waiting
