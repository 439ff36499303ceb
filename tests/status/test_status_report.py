"""The exit code of a status report, and the recipients it lists."""

from __future__ import annotations

import pytest

from smsby_deploy.exit_codes import ExitCode
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
    """An unknown or partly sent mailing comes before a rejected one; a waiting mailing is no failure."""
    mailings = tuple(examples.mailing(f"c/{n}", state, (1, 0, 0, 0)) for n, state in enumerate(states))
    assert StatusReport(mailings).exit_code() is code


@pytest.mark.parametrize(("percent", "code"), [(None, 0), (50, 0), (50.1, 1)])
def test_report_fail_under_judges_final_mailings(percent: float | None, code: int) -> None:
    """Recipients of a mailing that is still sending do not count."""
    report = StatusReport(
        (
            examples.mailing("c/x", State.FINAL, (5, 5, 0, 0)),
            examples.mailing("c/y", State.SENDING, (0, 0, 0, 90)),
        )
    )
    assert report.exit_code(percent) == code


def test_report_kinds_add_up_to_the_recipients() -> None:
    """Undocumented status words are one kind; the percentage of a mailing without recipients is 100."""
    mailing = examples.mailing("c/x", State.FINAL, (6, 2, 0, 0))
    assert sum(mailing.by_kind.values()) == mailing.recipients == 8
    assert (mailing.percent_delivered, mailing.has_failed) == (75.0, False)
    assert examples.mailing("c/y", State.DRAFT, (0, 0, 0, 0)).percent_delivered == 100.0
