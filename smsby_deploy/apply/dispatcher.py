"""Sends requests, writing an intent to the journal before each and its result after it.

Each turn of the loop records an answer if one has arrived; otherwise it writes an intent and starts its request if one may
be sent; otherwise it waits. Workers do HTTP and nothing else. So nothing is sent between an answer and its handling, and
the limits on the rate and on requests in flight hold. One request is prepared ahead, so that sms.by does not wait for it.
Until it is sent, the journal may say which of its recipients have opted out, and nothing else of it. Its intent and the
accepted results before it share one fsync: all are on disk before it is sent, and each result before it is announced.

Over https, connections are opened ahead as well. An intent is written only for a request whose connection is open; if
the connection cannot be opened, the request was not sent.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.send_request import AnswerHandler, SendRequest
from smsby_deploy.apply.shutdown import SLICE, StopSending
from smsby_deploy.apply.time_limits import why_not_now
from smsby_deploy.apply.worker_pool import NO_THREADS, WorkerPool
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.fault_points import fault_point
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.smsby.connections import AHEAD, FreshConnection
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.retry import SEND_RETRIES
from smsby_deploy.smsby.send_client import PreparedSend
from smsby_deploy.wording import sentence

_RAISE_AFTER = 10  # accepted requests before the limit on requests in flight rises by one


class Dispatcher:
    """Sends requests, up to `concurrency` of the project in flight."""

    def __init__(self, context: ApplyContext, workers: WorkerPool, answers: AnswerHandler) -> None:
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder
        self._context = context
        self._shutdown = context.shutdown
        self._workers = workers
        self._answers = answers
        self._limit = _FlightLimit(context.project.api.concurrency)
        # This lets a result and the next intent share one journal write, which is slow in a shared store.
        self._prepares_ahead = self._limit.most > 1 or context.project.shared_lock is not None
        self._in_flight: dict[int, SendRequest] = {}
        self._accepted: list[tuple[SendRequest, Outcome]] = []  # recorded, not yet announced
        self._resume_at = float("-inf")  # nothing is sent before it, after a 429 or a failed connection
        self._connections = context.client.connections
        self._connections.on_change = workers.wake
        self._expected = sum(len(run.action.chunks) for run in context.runs.values() if run.action.sends)
        self._started = 0
        self._is_connecting = False

    def send(self, request: SendRequest) -> None:
        """Send one request and record its result; raises as send_all."""
        self.send_all([request])

    def send_all(self, requests: Iterable[SendRequest]) -> None:
        """Send `requests` in order and record their results.

        Chunks of stopped mailings are skipped.

        Raises:
            StopSending: a request was certainly not sent, or a signal or a freeze asked to stop. The requests
                in flight have been recorded.
            ResultNotSaved: the journal could not be written; the error holds every lost result.
        """
        queue = _RequestQueue(requests, self._context)
        try:
            stop = self._dispatch(queue)
        except Exception as error:
            reported = self._drain(error)
            if reported is error:
                raise
            raise reported from error
        if stop is not None:
            raise stop

    def run(self, call: Callable[[], Outcome]) -> Outcome:
        """Run `call`, which must reach no recipient, on a worker so that signals are noticed."""
        return self._workers.run(call)

    def _dispatch(self, queue: _RequestQueue) -> StopSending | None:
        """Send `queue`; once nothing is in flight, return why it stopped early, if it did."""
        stop: StopSending | None = None
        while True:
            try:
                answer = self._workers.wait(0)
                if answer is None:
                    wait = self._start_next(queue) if stop is None else SLICE
                    if wait is None:
                        continue
                    self._announce_accepted()
                    if self._in_flight:
                        answer = self._workers.wait(wait)
                    elif stop is None and self._is_connecting:
                        self._workers.pause(wait)
                    elif stop is None and queue.has_next():
                        self._shutdown.pause(wait)
                    else:
                        return stop
                if answer is not None:
                    self._finish(*answer, queue)
            except StopSending as error:
                stop = stop or error

    def _start_next(self, queue: _RequestQueue) -> float | None:
        """Start or prepare the next request.

        Returns:
            None if it did; otherwise how many seconds to wait for an answer before trying again.
        """
        if self._shutdown.must_stop() and queue.has_next():
            self._shutdown.check()
        self._is_connecting = False
        wait = max(self._resume_at - self._clock.monotonic(), self._client.seconds_until_turn())
        self._connect_ahead(wait)
        if not self._has_room():
            wait = SLICE
        if wait > 0 or not queue.is_prepared:
            self._announce_accepted()  # the next step may take long
        if wait > 0:
            is_prepared = self._prepares_ahead and queue.prepare_next()
            return None if is_prepared else min(wait, SLICE)
        prepared = queue.take()
        if prepared is None:
            return SLICE
        self._shutdown.check()  # preparing it may have taken long
        connection = self._connections.take()
        if connection is None:
            self._is_connecting = True
            queue.keep(prepared)
            return SLICE
        if isinstance(connection, SmsbyUnavailable):
            prepared.request.tries += 1
            self._settle(prepared.request, Outcome(OutcomeKind.NOT_SENT, error=connection.message), queue)
            return None
        self._start(prepared, connection)
        return None

    def _connect_ahead(self, wait: float) -> None:
        """Open connections for the requests that are due soon; none during a pause.

        Opening one takes about twice as long as a request. At most one more is kept open than requests were sent so far, so
        that few are closed unused. For phone-by-phone chunks and uploads, the number of requests ahead is unknown.
        """
        if wait <= AHEAD and self._resume_at <= self._clock.monotonic():
            most = min(2 * self._limit.width, self._started + 1)
            in_flight = self._in_flight.values()
            if not any(request.row is not None or request.is_repeatable for request in in_flight):
                most = min(most, self._expected - sum(map(_count_completed, in_flight)))
            self._connections.keep(most)

    def _has_room(self) -> bool:
        if len(self._in_flight) >= self._limit.width:
            return False
        if self._workers.has_idle_thread():
            return True
        if not self._in_flight:
            raise StopSending(f"not sent: {NO_THREADS}", ExitCode.UNREACHABLE)
        return False

    def _start(self, prepared: _Prepared, connection: FreshConnection) -> None:
        request = prepared.request
        self._client.take_turn()
        self._recorder.intent(request.chunks, request.step, request.row)
        request.tries += 1
        self._started += 1
        fault_point("send.before")
        self._in_flight[self._workers.submit(partial(prepared.send, connection))] = request

    def _finish(self, number: int, outcome: Outcome, queue: _RequestQueue) -> None:
        request = self._in_flight.pop(number)
        fault_point("send.after")
        self._settle(request, outcome, queue)

    def _settle(self, request: SendRequest, outcome: Outcome, queue: _RequestQueue) -> None:
        """Record `outcome`, or requeue the request if it was not sent and may be retried."""
        if outcome.kind not in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
            self._connections.discard()  # the next step may take long
        was_lost = outcome.kind is OutcomeKind.UNKNOWN and request.is_repeatable
        if outcome.kind is OutcomeKind.NOT_SENT or was_lost:
            pause = SEND_RETRIES.pause_after(request.tries, outcome.retry_after)
            if pause is not None:
                self._answers.record_retry(request, outcome, pause)
                self._resume_at = max(self._resume_at, self._clock.monotonic() + pause)
                self._limit.halve()
                queue.put_back(request)
                return
        self._expected -= _count_completed(request)
        if outcome.kind is not OutcomeKind.ACCEPTED:
            self._answers.handle(request, outcome)
            return
        self._limit.count_accepted()
        self._answers.record(request, outcome)
        self._accepted.append((request, outcome))

    def _announce_accepted(self) -> None:
        self._recorder.sync()
        while self._accepted:
            self._answers.announce(*self._accepted.pop(0))

    def _drain(self, error: Exception) -> Exception:
        """Record the answers to the requests in flight after `error`.

        Returns:
            The error to report: `error`, or one that holds all results that could not be saved.
        """
        while True:
            try:
                self._recorder.sync()
                if not self._in_flight:
                    return error
                answer = self._workers.wait(SLICE)
                if answer is not None:
                    self._answers.record(self._in_flight.pop(answer[0]), answer[1])
            except ResultNotSaved as another:
                if isinstance(error, ResultNotSaved):
                    error.events.extend(another.events)
                else:
                    error = another
            except Exception:  # noqa: BLE001, S112 - `error` came first
                continue


def _count_completed(request: SendRequest) -> int:
    """Return how many chunks `request` completes."""
    return len(request.chunks) if request.row is None and request.step in (None, "confirm") else 0


class _FlightLimit:
    """Limits the requests in flight: halved before each retry, then raised slowly.

    Ten accepted requests allow one more.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.width = most
        self._accepted = 0

    def halve(self) -> None:
        self.width, self._accepted = max(1, self.width // 2), 0

    def count_accepted(self) -> None:
        self._accepted += 1
        if self._accepted >= _RAISE_AFTER and self.width < self.most:
            self.width, self._accepted = self.width + 1, 0


@dataclass(frozen=True, slots=True)
class _Prepared:
    request: SendRequest
    send: PreparedSend


class _RequestQueue:
    """The requests still to send, in order; a requeued request keeps its place.

    The first may be prepared ahead.
    """

    def __init__(self, requests: Iterable[SendRequest], context: ApplyContext) -> None:
        self._coming = enumerate(requests)
        self._context = context
        self._runs = context.runs
        self._waiting: list[tuple[int, SendRequest]] = []  # a heap
        self._prepared: _Prepared | None = None

    @property
    def is_prepared(self) -> bool:
        """Whether the next request is prepared."""
        return self._prepared is not None

    def has_next(self) -> bool:
        """Return whether there is another request."""
        if self._prepared is not None or self._waiting:
            return True
        for order, request in self._coming:
            request.order = order
            self._waiting.append((order, request))
            return True
        return False

    def put_back(self, request: SendRequest) -> None:
        """Requeue `request` ahead of those after it."""
        if self._prepared is not None:
            heapq.heappush(self._waiting, (self._prepared.request.order, self._prepared.request))
            self._prepared = None
        heapq.heappush(self._waiting, (request.order, request))

    def prepare_next(self) -> bool:
        """Prepare the next request; return False if there is nothing to prepare.

        A retry is not prepared ahead, because objections to it are checked after the pause.
        """
        if self._prepared is not None or not self.has_next() or self._waiting[0][1].tries:
            return False
        self._prepared = self._prepare_first()
        return True

    def keep(self, prepared: _Prepared) -> None:
        """Put `prepared` back at the head of the queue."""
        self._prepared = prepared

    def take(self) -> _Prepared | None:
        """Return the next request, ready to be sent; None if there is none."""
        while self.has_next():
            prepared = self._prepared or self._prepare_first()
            self._prepared = None
            if prepared is None:
                continue
            self._stop_if_late(prepared.request)
            if not any(self._runs[address].is_stopped for address in prepared.request.addresses):
                return prepared
            self.put_back(prepared.request)  # to rebuild it without the mailings stopped meanwhile
        return None

    def _stop_if_late(self, request: SendRequest) -> None:
        """Stop the mailings of `request` that must no longer be sent at this time."""
        if request.is_repeatable:
            return
        for ref in request.chunks:
            if objection := why_not_now(self._context, ref):
                self._runs[ref[0]].stop(objection, ExitCode.REFUSED)

    def _prepare_first(self) -> _Prepared | None:
        """Prepare the first request, without the chunks of stopped mailings.

        Return None if no chunk or no recipient remains.
        """
        _, request = heapq.heappop(self._waiting)
        if request.tries and (objection := request.objection_to_retry()):
            for address in request.addresses:
                self._runs[address].stop(objection)
        request.chunks = [ref for ref in request.chunks if not self._runs[ref[0]].is_stopped]
        if not request.chunks:
            return None
        try:
            send = request.prepare()
        except StopSending:
            raise
        except FilesChanged as error:
            for address in request.addresses:
                error.stop(self._runs[address])
            return None
        except Exception as error:
            what = sentence("not sent: {why} while preparing the request", why=type(error).__name__)
            raise StopSending(what, ExitCode.UNREACHABLE) from error
        return None if send is None else _Prepared(request, send)
