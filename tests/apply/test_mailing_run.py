"""The outcome of one mailing: what happened in the run, and what the lock records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
    """The recorded states decide the outcome; a partly sent mailing has its count and exits with 6."""
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
    """An incomplete mailing always has an error, even if nothing stopped it."""
    assert _run().result(_entry(*states), None).error == error


def test_mailing_run_counts_single_phones() -> None:
    """A single mailing is counted by phones, not by its chunk."""
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
    """The count of an unknown or rejected outcome has only the recipients of the chunks with that outcome."""
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
    """A complete mailing is sent or confirmed now, or only found to have been sent."""
    run = _run(kind)
    run.was_sent = was_sent
    assert run.result(_entry(A, A), None).outcome is outcome


def test_mailing_run_that_did_not_begin_is_skipped() -> None:
    """A mailing that did not begin is skipped with the reason that stopped the run, whatever an earlier run recorded."""
    run = _run()
    run.is_begun = False
    result = run.result(_entry(A, A), "stopped by a signal before it was sent")
    assert (result.outcome, result.error) == (
        MailingOutcome.SKIPPED,
        "stopped by a signal before it was sent",
    )
    assert not run.exit_codes


def test_mailing_run_that_did_not_resume_is_partial() -> None:
    """If an earlier run sent a part, the mailing is partial, not skipped, whatever stopped this run."""
    run = _run(ActionKind.RESUME)
    run.is_begun = False
    result = run.result(_entry(A, P), "stopped by a signal")
    assert (result.outcome, result.error) == (
        MailingOutcome.PARTIAL,
        "sent to 2 of 4 recipients; the rest: stopped by a signal",
    )
    assert run.exit_codes == {UNKNOWN}


def test_mailing_run_of_an_older_revision_is_skipped() -> None:
    """A mailing whose lock entry is an earlier revision is skipped."""
    run = _run()
    run.revision = 2
    assert run.result(_entry(A, A), None).outcome is MailingOutcome.SKIPPED


def test_mailing_run_keeps_the_first_reason() -> None:
    """The first reason stays, but the exit code of a later one counts as well."""
    run = _run()
    run.stop("first")
    run.stop("second", ExitCode.REFUSED)
    assert run.stop_reason == "first"
    assert run.exit_codes == {ExitCode.REFUSED}
    run.reject("third")
    assert (run.stop_reason, run.was_rejected) == ("first", True)


def test_mailing_run_that_is_blocked_is_refused() -> None:
    """A blocked mailing is skipped with the plan's reason, and exits with 4."""
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
    """The result of a blocked mailing whose unknown outcome was looked for at sms.by is what was found.

    Only one that was found completely is not refused.
    """
    run = _run()
    run.action = run.action.block(ReasonCode.UNKNOWN, "its outcome is not known")
    run.is_reconciled = True
    result = run.result(_entry(*states), None)
    assert (result.outcome, result.concerned) == (outcome, 2 if U in states else None)
    assert run.exit_codes == codes


def test_mailing_run_that_was_reconciled_says_what_is_sent_next() -> None:
    """If sms.by has nothing of a mailing that was looked for, the result says that the next apply sends it."""
    run = _run()
    run.action, run.is_reconciled = run.action.block(ReasonCode.UNKNOWN, "its outcome is not known"), True
    resolved = "its unknown outcome is resolved; the next apply sends it"
    assert run.result(_entry(P, P), None).error == resolved
    assert run.result(_entry(A, P), None).error == f"sent to 2 of 4 recipients; the rest: {resolved}"


def _waves(first: str, second: str, rest: str) -> Entry:
    """Return a mailing in three waves; each letter is the state of a chunk of two recipients."""
    states = {"a": A, "p": P, "u": U}
    parts = [(states[letter], wave) for wave, part in enumerate((first, second, rest), 1) for letter in part]
    entry = _entry(*(state for state, _ in parts))
    chunks = zip(entry.chunks, parts, strict=True)
    return replace(entry, chunks=tuple(replace(chunk, wave=wave) for chunk, (_, wave) in chunks))


@pytest.mark.parametrize(
    ("waves", "wave", "outcome", "figures"),
    [
        (("aa", "pp", "p"), 1, MailingOutcome.SENT, (4, None)),
        (("a", "aa", "p"), 2, MailingOutcome.SENT, (4, None)),
        (("a", "aa", "a"), 3, MailingOutcome.SENT, (2, None)),
        (("a", "ap", "p"), 2, MailingOutcome.PARTIAL, (4, None)),
        (("a", "au", "p"), 2, MailingOutcome.UNKNOWN, (4, 2)),
        (("a", "uu", "p"), 2, MailingOutcome.UNKNOWN, (4, None)),
    ],
)
def test_mailing_run_judges_one_wave(
    waves: tuple[str, str, str], wave: int, outcome: MailingOutcome, figures: tuple[int, int | None]
) -> None:
    """The outcome of a mailing in waves is that of the wave being sent."""
    run = _run()
    run.action, run.was_sent = replace(run.action, wave=wave), True
    result = run.result(_waves(*waves), "why")
    assert (result.outcome, (result.recipients, result.concerned)) == (outcome, figures)


@pytest.mark.parametrize(
    ("second", "outcome"),
    [("pp", MailingOutcome.SKIPPED), ("ap", MailingOutcome.PARTIAL), ("aa", MailingOutcome.PARTIAL)],
)
def test_mailing_run_that_did_not_begin_a_wave(second: str, outcome: MailingOutcome) -> None:
    """A wave is partial if an earlier run sent a part of it, not because an earlier wave was sent."""
    run = _run()
    run.action, run.is_begun = replace(run.action, wave=2), False
    assert run.result(_waves("a", second, "p"), "stopped by a signal").outcome is outcome


def test_mailing_run_finds_a_wave() -> None:
    """A doubtful wave that is listed is adopted, and the next one is sent later."""
    run = _run()
    run.action = run.action.block(ReasonCode.UNKNOWN, "its outcome is not known")
    run.is_reconciled = True
    assert run.result(_waves("a", "p", "p"), None).outcome is MailingOutcome.ADOPTED
    assert run.exit_codes == set()


def test_mailing_run_that_holds() -> None:
    """A mailing is held once that is recorded; otherwise its reason is what stopped it or the run."""
    run = _run(ActionKind.HOLD)
    run.stop("in doubt")
    result = run.result(_entry(P), "no network")
    assert (result.outcome, result.error) == (MailingOutcome.HELD, None)
    run.is_begun = False
    assert run.result(_entry(P), "no network").error == "in doubt"
    run = _run(ActionKind.HOLD)
    run.is_begun = False
    result = run.result(None, "no network")
    assert (result.outcome, result.error) == (MailingOutcome.SKIPPED, "no network")


def test_mailing_run_that_is_overdue_beside_others() -> None:
    """An overdue mailing is blocked, even without a record, and does not change the exit code of the others."""
    run = _run()
    run.action = run.action.block(ReasonCode.EXPIRED, "too late")
    run.fails_when_blocked, run.is_reconciled = False, True
    assert run.result(None, None).outcome is MailingOutcome.SKIPPED
    assert run.exit_codes == set()


def test_mailing_run_names_its_ids_once() -> None:
    """The ids of a mailing are listed once each, in the order of the chunks."""
    entry = _entry(A, A, A)
    ids: list[dict[str, Any]] = [{"uuid": "u"}, {"uuid": "u", "message_id": 7}, {"message_id": 8}]
    chunks = tuple(replace(chunk, **one) for chunk, one in zip(entry.chunks, ids, strict=True))
    result = _run().result(replace(entry, chunks=chunks), None)
    assert (result.uuids, result.message_ids) == (["u"], [7, 8])
