"""The outcome of one mailing: what happened to it in the run, and what the lock records."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import ChunkState, Entry
from smsby_deploy.plan.model import ActionKind, ReasonCode
from tests.apply.fake_dispatch import action_of, entry_of

A, U, P, R, D = (
    ChunkState.ACCEPTED,
    ChunkState.UNKNOWN,
    ChunkState.PENDING,
    ChunkState.REJECTED,
    ChunkState.DRAFT,
)
DONE, FAILED, UNKNOWN, REFUSED = (
    None,
    ExitCode.FAILED,
    ExitCode.OUTCOME_UNKNOWN,
    ExitCode.REFUSED,
)


def _entry(*states: ChunkState) -> Entry:
    entry = entry_of(0, len(states))
    chunks = [replace(chunk, state=state) for chunk, state in zip(entry.chunks, states, strict=True)]
    return replace(entry, chunks=tuple(chunks))


def _run(kind: ActionKind = ActionKind.CREATE, *, chunks: int = 2) -> MailingRun:
    action = replace(action_of("m/0", entry_of(0, chunks)), action=kind)
    return MailingRun(action, 1, is_begun=True)


@pytest.mark.parametrize(
    ("states", "was_rejected", "outcome", "error", "code"),
    [
        ((A, A), False, MailingOutcome.SENT, None, DONE),
        ((A, ChunkState.SUPPRESSED), False, MailingOutcome.SENT, None, DONE),
        ((R, P), True, MailingOutcome.REJECTED, "why", FAILED),
        ((A, R), True, MailingOutcome.REJECTED, "sent to 2 of 4 recipients; the rest: why", UNKNOWN),
        (
            (A, U),
            False,
            MailingOutcome.UNKNOWN,
            "sent to 2 of 4 recipients, and perhaps to 2 more; why",
            UNKNOWN,
        ),
        ((U, P), False, MailingOutcome.UNKNOWN, "perhaps sent to 2 of 4 recipients; why", UNKNOWN),
        ((U,), False, MailingOutcome.UNKNOWN, "why", UNKNOWN),
        ((A, P), False, MailingOutcome.PARTIAL, "sent to 2 of 4 recipients; the rest: why", UNKNOWN),
        ((P, P), False, MailingOutcome.SKIPPED, "why", DONE),
        ((D,), False, MailingOutcome.SKIPPED, "why", FAILED),
    ],
)
def test_mailing_run_judges_what_it_began(
    states: tuple[ChunkState, ...],
    was_rejected: bool,
    outcome: MailingOutcome,
    error: str | None,
    code: ExitCode | None,
) -> None:
    """The recorded states decide; a mailing that was sent in part says to how many, and exits with 6."""
    run = _run()
    run.was_sent, run.was_rejected = True, was_rejected
    run.stop("why")
    result = run.result(_entry(*states), "the run was stopped")
    assert (result.outcome, result.error) == (outcome, error)
    assert run.exit_codes == ({code} if code else set())
    assert result.has_record  # the lock is committed after every outcome


@pytest.mark.parametrize(
    ("states", "error"),
    [
        ((A, P), "sent to 2 of 4 recipients; the rest: the next apply sends it"),
        ((D,), "its draft at sms.by is not confirmed; the next apply continues"),
    ],
)
def test_mailing_run_says_what_follows_without_a_reason(states: tuple[ChunkState, ...], error: str) -> None:
    """A mailing that is not complete always has an error, also if nothing stopped it."""
    assert _run().result(_entry(*states), None).error == error


def test_mailing_run_counts_single_phones() -> None:
    """Of a mailing that is sent one SMS at a time the phones count, not the chunk."""
    states = PhoneStates([PhoneState.ACCEPTED, PhoneState.UNKNOWN])
    entry = _entry(P)
    entry = replace(entry, chunks=(entry.chunks[0].with_phones(states),))
    error = _run(chunks=1).result(entry, "why").error
    assert error == "sent to 1 of 2 recipients, and perhaps to 1 more; why"


@pytest.mark.parametrize(
    ("states", "concerned", "is_partial"),
    [
        ((A, U, P), 2, False),
        ((U, P), 2, False),
        ((U,), None, False),
        ((A, R, P), 4, True),
        ((R, P), None, False),
    ],
)
def test_mailing_run_counts_those_whom_its_outcome_is_about(
    states: tuple[ChunkState, ...], concerned: int | None, is_partial: bool
) -> None:
    """Of a mailing of which one chunk is unknown, not all recipients are unknown; nor is all of it rejected."""
    run = _run()
    run.was_rejected = R in states
    result = run.result(_entry(*states), "why")
    assert (result.concerned, result.is_partial) == (concerned, is_partial)
    assert result.recipients == 2 * len(states)


@pytest.mark.parametrize(
    ("kind", "was_sent", "outcome"),
    [
        (ActionKind.CREATE, True, MailingOutcome.SENT),
        (ActionKind.CONFIRM, True, MailingOutcome.CONFIRMED),
        (ActionKind.CREATE, False, MailingOutcome.ADOPTED),
    ],
)
def test_mailing_run_names_how_it_was_completed(
    kind: ActionKind, was_sent: bool, outcome: MailingOutcome
) -> None:
    """Sent or confirmed now, or only found to have been sent."""
    run = _run(kind)
    run.was_sent = was_sent
    assert run.result(_entry(A, A), None).outcome is outcome


def test_mailing_run_that_did_not_begin_is_skipped() -> None:
    """It says why the run was stopped; what an earlier run recorded is not its result."""
    run = _run()
    run.is_begun = False
    result = run.result(_entry(A, A), "stopped by a signal before it was sent")
    assert (result.outcome, result.error) == (
        MailingOutcome.SKIPPED,
        "stopped by a signal before it was sent",
    )
    assert not run.exit_codes


def test_mailing_run_that_did_not_resume_is_partial() -> None:
    """An earlier run sent a part: whatever stopped this one, it is not called skipped."""
    run = _run(ActionKind.RESUME)
    run.is_begun = False
    result = run.result(_entry(A, P), "stopped by a signal")
    assert (result.outcome, result.error) == (
        MailingOutcome.PARTIAL,
        "sent to 2 of 4 recipients; the rest: stopped by a signal",
    )
    assert run.exit_codes == {UNKNOWN}


def test_mailing_run_of_an_older_revision_is_skipped() -> None:
    """The lock records revision 1, the files say 2, and nothing of 2 was recorded."""
    run = _run()
    run.revision = 2
    assert run.result(_entry(A, A), None).outcome is MailingOutcome.SKIPPED


def test_mailing_run_keeps_the_first_reason() -> None:
    """A later reason does not replace it, but its exit code counts."""
    run = _run()
    run.stop("first")
    run.stop("second", ExitCode.REFUSED)
    assert run.stop_reason == "first"
    assert run.exit_codes == {ExitCode.REFUSED}
    run.reject("third")
    assert (run.stop_reason, run.was_rejected) == ("first", True)


def test_mailing_run_that_is_blocked_is_refused() -> None:
    """It is skipped with the plan's reason and exits with 4."""
    run = _run()
    run.action = run.action.block(ReasonCode.CHANGED, "its text differs")
    result = run.result(None, None)
    assert (result.outcome, result.error) == (MailingOutcome.SKIPPED, run.action.reason)
    assert run.exit_codes == {REFUSED}


@pytest.mark.parametrize(
    ("states", "outcome", "codes"),
    [
        ((A, A), MailingOutcome.ADOPTED, set()),
        ((A, U), MailingOutcome.UNKNOWN, {REFUSED, UNKNOWN}),
        ((A, P), MailingOutcome.PARTIAL, {REFUSED, UNKNOWN}),
        ((P, P), MailingOutcome.SKIPPED, {REFUSED}),
    ],
)
def test_mailing_run_that_was_reconciled_reports_what_was_found(
    states: tuple[ChunkState, ...], outcome: MailingOutcome, codes: set[ExitCode]
) -> None:
    """A blocked mailing with an unknown outcome was looked for at sms.by: what the lock says now is the result.

    Only one that was found completely is not refused.
    """
    run = _run()
    run.action = run.action.block(ReasonCode.UNKNOWN, "its outcome is not known")
    run.is_reconciled = True
    result = run.result(_entry(*states), None)
    assert (result.outcome, result.concerned) == (outcome, 2 if U in states else None)
    assert run.exit_codes == codes
