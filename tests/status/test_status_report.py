"""The exit code of a status report, and the recipients it lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from smsby_deploy.clock import Window
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.status.mailing_details import Details
from smsby_deploy.status.status_report import State, StatusReport
from tests.output import examples


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((), ExitCode.DONE),
        ((State.FINAL, State.SENDING, State.DRAFT), ExitCode.DONE),
        ((State.REJECTED, State.FINAL), ExitCode.FAILED),
        ((State.REJECTED, State.UNKNOWN), ExitCode.OUTCOME_UNKNOWN),
        ((State.PARTIAL,), ExitCode.OUTCOME_UNKNOWN),
    ],
)
def test_report_exit_code_by_state(states: tuple[State, ...], code: ExitCode) -> None:
    """An unknown or partly sent mailing decides the exit code before a rejected one, and a waiting one is no failure."""
    mailings = tuple(examples.mailing(f"c/{n}", state, (1, 0, 0, 0)) for n, state in enumerate(states))
    assert StatusReport(mailings).exit_code() is code


@pytest.mark.parametrize(("percent", "code"), [(None, 0), (50, 0), (50.1, 1)])
def test_report_fail_under_judges_final_mailings(percent: float | None, code: int) -> None:
    """Recipients of a mailing that is still sending do not count for `--fail-under`."""
    report = StatusReport(
        (
            examples.mailing("c/x", State.FINAL, (5, 5, 0, 0)),
            examples.mailing("c/y", State.SENDING, (0, 0, 0, 90)),
        )
    )
    assert report.exit_code(percent) == code


@pytest.mark.parametrize(("closes", "ahead"), [(11, 3), (10, 0)])
def test_report_calls_no_missed_mailing_scheduled(closes: int, ahead: int) -> None:
    """A mailing whose window is over is not sent, and not called scheduled even if its time is still to come."""
    window = Window(datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, closes, tzinfo=UTC))
    waiting = replace(
        examples.mailing("c/x", State.WAITING, (0, 0, 0, 3)),
        schedule_time="2026-12-01T12:00:00+00:00",
        details=Details(window=window),
    )
    assert StatusReport((waiting,), made_at="2026-12-01T10:30:00+00:00").totals.ahead == ahead


def test_report_calls_only_certain_recipients_scheduled() -> None:
    """Recipients without a certain outcome, or to whom nothing is sent, are not called scheduled."""
    one = replace(
        examples.mailing("c/x", State.UNKNOWN, (0, 0, 0, 3)),
        recipients=12,
        other={"unknown": 4, "not sent": 5},
        schedule_time="2026-12-01T12:00:00+00:00",
    )
    totals = StatusReport((one,), made_at="2026-12-01T10:30:00+00:00").totals
    assert (totals.scheduled, totals.ahead, totals.due) == (3, 12, 0)


def test_report_kinds_add_up_to_the_recipients() -> None:
    """Undocumented status words are one kind, and a mailing without recipients is 100 percent delivered."""
    mailing = examples.mailing("c/x", State.FINAL, (6, 2, 0, 0))
    assert sum(mailing.by_kind.values()) == mailing.recipients == 8
    assert (mailing.percent_delivered, mailing.has_failed) == (75.0, False)
    assert examples.mailing("c/y", State.DRAFT, (0, 0, 0, 0)).percent_delivered == 100.0
