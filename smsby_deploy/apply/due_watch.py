"""`apply --due --watch`: hands over due mailings until none is waiting."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from smsby_deploy.apply.apply_result import ApplyResult, Key, MailingOutcome, MailingResult, of_this_run
from smsby_deploy.apply.context import ApplyRequest, Event
from smsby_deploy.apply.due_mailings import next_opening
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.shutdown import ShutdownSignal
from smsby_deploy.clock import full_minute
from smsby_deploy.errors import (
    FilesInvalid,
    LockHeld,
    SmsbyDeployError,
    SmsbyUnavailable,
    StoreUnavailable,
)
from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.plan.model import Action, total_of
from smsby_deploy.texts.pattern_search import begin_run
from smsby_deploy.wording import time_text

_BEGUN = (MailingOutcome.SENT, MailingOutcome.PARTIAL)
_LONGEST_PAUSE = 60.0  # seconds: another run may approve a mailing that is due earlier


def watch_due(request: ApplyRequest) -> ApplyResult:
    """Hand over due mailings until none is waiting, or a signal ends the watch.

    Return the last result of each mailing. A temporary failure, such as a lock held by another run, is reported and retried
    within a minute.

    Raises as `hand_over`, if nothing was handed over and no mailing is known to be waiting for a retry.
    """
    watched, waits = _Watched(request), False
    with suppress(StoreUnavailable):
        waits = _is_anything_waiting(request)
    with ShutdownSignal(request.clock) as shutdown:
        while True:
            pause = _LONGEST_PAUSE
            begin_run()
            try:
                result = hand_over(request)
            except (LockHeld, FilesInvalid, SmsbyUnavailable, StoreUnavailable) as error:
                if isinstance(error, StoreUnavailable) and error.has_sent:
                    raise  # the result of the run that sent is not available here
                watched.failed(error)
                with suppress(StoreUnavailable):  # then the last known answer stays
                    waits = _is_anything_waiting(request)
                then = "; trying again" if waits else ""
                watched.say(Event("waiting", f"{error.summary}{then}", is_warning=True))
                if not waits:
                    return watched.merged()
            else:
                watched.add(result)
                if result.was_stopped or result.next_opening is None:
                    return watched.merged()
                waits = True
                wait = (result.next_opening - request.clock.now()).total_seconds()
                pause = min(_LONGEST_PAUSE, wait) if wait > 0 else _LONGEST_PAUSE
                watched.say(_why_waiting(result, is_open=wait <= 0))
            shutdown.pause(pause)
            if shutdown.is_requested:
                return watched.merged()


def _is_anything_waiting(request: ApplyRequest) -> bool:
    return next_opening(request, request.store.read(), request.clock.now()) is not None


def _why_waiting(result: ApplyResult, *, is_open: bool) -> Event:
    """Return the event that says what a watch waits for: a window, a verdict, or a retry."""
    if not is_open:
        assert result.next_opening is not None  # else the watch has ended
        return Event(
            "waiting", f"waiting for the window that opens {time_text(full_minute(result.next_opening))}"
        )
    failed = [mailing for mailing in result.mailings if mailing.error]
    for mailing in result.mailings:
        if mailing.waits and not failed:
            return Event("waiting", f"{mailing.address}: {mailing.waits}", (mailing.address,))
    why = f"{failed[0].address}: {failed[0].error}; " if failed else ""
    addresses = tuple(mailing.address for mailing in failed)
    return Event("waiting", f"{why}trying again until the window closes", addresses, is_warning=True)


class _Watched:
    """The results of a watch: the last one of each mailing, with what was sent before it.

    `_waves` are the waves that it sent of each revision: what was planned, and the number of recipients.
    """

    def __init__(self, request: ApplyRequest) -> None:
        self._request = request
        self._results: list[ApplyResult] = []
        self._error: SmsbyDeployError | None = None
        self._said: Event | None = None
        self._waves: dict[Key, dict[int, tuple[Action, int]]] = {}

    def say(self, event: Event) -> None:
        """Report why the watch waits, unless it is what was reported last."""
        if event != self._said:
            self._request.say(event)
        self._said = event

    def failed(self, error: SmsbyDeployError) -> None:
        self._error = error

    def add(self, result: ApplyResult) -> None:
        self._error = None
        self._note_waves(result)
        began = {one.key: one for done in self._results for one in done.mailings if one.outcome in _BEGUN}
        addresses = {address for address, _ in began}
        skipped = [one for one in result.mailings if one.outcome is MailingOutcome.SKIPPED]
        result = _without(
            result, {one.address for one in skipped if not one.error and one.address in addresses}
        )
        stopped = (_stopped(began[one.key], one) if one.key in began else one for one in result.mailings)
        result = replace(result, mailings=tuple(stopped))
        again = {mailing.address: mailing.key for mailing in result.mailings}
        before = (
            _without(done, {one.address for one in done.mailings if _is_replaced(one, again)})
            for done in self._results
        )
        self._results = [*(one for one in before if one.mailings), result]

    def _note_waves(self, result: ApplyResult) -> None:
        actions = {action.address: of_this_run(action) for action in result.plan.decided}
        for one in result.mailings:
            action = actions.get(one.address)
            if one.outcome is MailingOutcome.SENT and action is not None and action.wave is not None:
                self._waves.setdefault(one.key, {})[action.wave] = action, one.recipients or 0

    def _with_waves(self, mailing: MailingResult) -> MailingResult:
        """Return the result of a mailing with the recipients of all waves that were sent."""
        sent = self._waves.get(mailing.key, {})
        if mailing.outcome is not MailingOutcome.SENT or not sent:
            return mailing
        return replace(mailing, recipients=sum(recipients for _, recipients in sent.values()))

    def _all_waves(self, action: Action) -> Action:
        """Return an action with the counts of all waves that were sent."""
        sent = total_of(one for one, _ in self._waves.get((action.address, action.revision), {}).values())
        if not sent.mailings:
            return action
        cost = sent.cost if sent.has_cost else None
        return replace(action, wave=None, recipients=sent.recipients, parts=sent.parts, cost=cost)

    def merged(self) -> ApplyResult:
        """Return all results as one.

        An error after the last result adds its exit code; it is raised instead if no result has a mailing.
        """
        if self._error is not None and not any(one.mailings for one in self._results):
            raise self._error
        codes = [one.exit_code for one in self._results]
        if self._error is not None:
            codes.append(self._error.exit_code)
        last = self._results[-1]
        return replace(
            last,
            plan=last.plan.with_actions(
                self._all_waves(action) for one in self._results for action in one.plan.actions
            ),
            mailings=tuple(self._with_waves(mailing) for one in self._results for mailing in one.mailings),
            differences=tuple(problem for one in self._results for problem in one.differences),
            exit_code=first_exit_code(codes),
        )


def _is_replaced(before: MailingResult, again: Mapping[str, Key]) -> bool:
    """Whether a later result replaces this one; what was sent of another revision stays."""
    if before.address not in again:
        return False
    return before.outcome not in _BEGUN or again[before.address] == before.key


def _stopped(before: MailingResult, now: MailingResult) -> MailingResult:
    """Return the result of a mailing of which a wave was sent `before`, perhaps none `now`."""
    if now.outcome is not MailingOutcome.SKIPPED:
        return now
    partial, ids = MailingOutcome.PARTIAL, before.message_ids
    return replace(now, outcome=partial, uuids=before.uuids, message_ids=ids, is_recorded=True)


def _without(result: ApplyResult, addresses: set[str]) -> ApplyResult:
    """Return `result` without these mailings; its exit code is DONE if all others are done."""
    mailings = tuple(mailing for mailing in result.mailings if mailing.address not in addresses)
    is_done = all(mailing.is_done for mailing in mailings)
    return replace(
        result,
        plan=result.plan.with_actions(a for a in result.plan.actions if a.address not in addresses),
        mailings=mailings,
        exit_code=ExitCode.DONE if is_done else result.exit_code,
    )
