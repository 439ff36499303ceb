"""A dispatcher on virtual time: answers arrive after latencies that the test chooses, and nothing is written to disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from smsby_deploy.apply.context import ApplyContext, Event
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.send_request import AnswerHandler, SendRequest
from smsby_deploy.apply.shutdown import ShutdownSignal
from smsby_deploy.apply.worker_pool import WorkerPool
from smsby_deploy.config.declarations import Guardrails
from smsby_deploy.config.environments import Environment
from smsby_deploy.digest_key import NO_KEY
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, Entry, Lock
from smsby_deploy.plan.account_names import NOT_ASKED
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan
from smsby_deploy.plan.model import Action, ActionKind, LockStamp, Plan
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.parsers import KeepMailing, MailingList
from smsby_deploy.smsby.send_client import PreparedSend

ACCEPTED = Outcome(OutcomeKind.ACCEPTED, uuid="u")
REJECTED = Outcome(OutcomeKind.REJECTED, error="refused")
UNKNOWN = Outcome(OutcomeKind.UNKNOWN, error="lost")
OFFLINE = SmsbyUnavailable("cannot reach sms.by")
TOKEN_REFUSED = Outcome(OutcomeKind.TOKEN_REFUSED, error="incorrect token")


def busy(retry_after: float | None = None) -> Outcome:
    """Return a 429 with a Retry-After of that many seconds."""
    return Outcome(OutcomeKind.NOT_SENT, error="too many requests", retry_after=retry_after)


class VirtualClock:
    """A clock that moves only when a test or the program waits; `at` runs a function at its time."""

    def __init__(self) -> None:
        self.time = 0.0
        self._alarms: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> datetime:
        return datetime(2026, 12, 1, 7, 0, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for alarm in [alarm for alarm in self._alarms if alarm[0] <= self.time]:
            self._alarms.remove(alarm)
            alarm[1]()

    def at(self, time: float, alarm: Callable[[], None]) -> None:
        self._alarms.append((time, alarm))


@dataclass
class FakeHeldLock:
    """A lock in memory with the lines of its journal, `synced` of them on disk; `is_full` simulates a full disk."""

    lock: Lock
    lines: list[dict[str, Any]] = field(default_factory=list)
    synced: int = 0
    syncs: int = 0
    is_full: bool = False

    def open_journal(self) -> FakeHeldLock:
        return self

    def append(self, event: str, **fields: Any) -> dict[str, Any]:
        line = self.write(event, **fields)
        self.sync()
        return line

    def sync(self) -> None:
        self.syncs += self.synced < len(self.lines)
        self.synced = len(self.lines)

    def write(self, event: str, **fields: Any) -> dict[str, Any]:
        line = {"event": event, **fields}
        if self.is_full:
            raise ResultNotSaved("No space left on device", line)
        self.lines.append(line)
        return line

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]


class FakeWorkers(WorkerPool):
    """Workers that make a call when it is submitted; its outcome arrives after the request's latency."""

    def __init__(self, shutdown: ShutdownSignal, clock: VirtualClock, announce: Callable[[], None]) -> None:
        super().__init__(shutdown, announce)
        self._clock = clock
        self.arrivals: dict[int, tuple[float, Outcome]] = {}
        self.latency = 0.0
        self.on_submit: Callable[[], None] = lambda: None

    def has_idle_thread(self) -> bool:
        return True

    def submit(self, call: Callable[[], Outcome]) -> int:
        self.on_submit()
        self._count += 1
        self._in_flight.append(self._count)
        outcome = call()
        self.arrivals[self._count] = (self._clock.time + self.latency, outcome)
        return self._count

    @property
    def arrived(self) -> list[Outcome]:
        """Return the outcomes that wait to be taken."""
        return [outcome for time, outcome in self.arrivals.values() if time <= self._clock.time]

    def _next_outcome(self, seconds: float) -> tuple[int, Outcome] | None:
        for number in set(self.arrivals) - set(self._in_flight):
            del self.arrivals[number]  # it was abandoned
        number = min(self.arrivals, key=lambda one: self.arrivals[one][0], default=None)
        if number is None or self.arrivals[number][0] > self._clock.time + seconds:
            self._clock.sleep(seconds)
            return None
        self._clock.sleep(max(0.0, self.arrivals[number][0] - self._clock.time))
        self._in_flight.remove(number)
        return number, self.arrivals.pop(number)[1]


class FakeConnections:
    """Connections that open after `latency` on the virtual clock; `failures` says of each, in turn, whether it fails."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.latency = 0.0
        self.failures: list[bool] = []
        self.opened: list[float] = []  # when each was requested
        self._coming: list[tuple[float, bool]] = []
        self.on_change: Callable[[], None] = lambda: None

    def keep(self, count: int) -> None:
        while len(self._coming) < count:
            self.opened.append(self._clock.time)
            self._coming.append(
                (self._clock.time + self.latency, bool(self.failures and self.failures.pop(0)))
            )

    def take(self) -> object:
        self.keep(1)
        if self._coming[0][0] > self._clock.time:
            return None
        return OFFLINE if self._coming.pop(0)[1] else object()

    def discard(self) -> None:
        self._coming.clear()


class FakeClient:
    """Paces requests on the virtual clock, and lists nothing."""

    def __init__(self, clock: VirtualClock, interval: float) -> None:
        self.connections = FakeConnections(clock)
        self._clock = clock
        self._interval = interval
        self._last = float("-inf")

    def seconds_until_turn(self) -> float:
        return max(0.0, self._last + self._interval - self._clock.time)

    def take_turn(self) -> float:
        self._last = self._clock.time
        return 0.0

    def get_sms_messages(self, *, keep: KeepMailing) -> MailingList:
        return MailingList((), 0)


class FakeRequest(SendRequest):
    """A request of one chunk that gets `outcomes` in turn, and the last of them from then on."""

    def __init__(
        self, world: World, ref: ChunkRef, outcomes: Sequence[Outcome], latency: float = 0.0
    ) -> None:
        super().__init__([ref])
        self._world = world
        self._outcomes = list(outcomes)
        self._latency = latency

    def prepare(self) -> PreparedSend:
        self._world.prepared.append(self.chunks[0])
        return self._send

    def _send(self, connection: object = None) -> Outcome:
        self._world.sent.append((self._world.clock.time, self.chunks[0]))
        self._world.workers.latency = self._latency
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]


class World:
    """A dispatcher with everything it needs: `mailings` of `chunks` chunks each, named m/0, m/1, …"""

    def __init__(
        self,
        *,
        concurrency: int = 2,
        mailings: int = 1,
        chunks: int = 3,
        interval: float = 0.0,
        shared_lock: object = None,
    ) -> None:
        self.clock = VirtualClock()
        self.shutdown = ShutdownSignal(self.clock)
        entries = {f"m/{n}": entry_of(n, chunks) for n in range(mailings)}
        self.held = FakeHeldLock(Lock("shop", mailings=entries))
        self.events: list[Event] = []
        self.sent: list[tuple[float, ChunkRef]] = []
        self.prepared: list[ChunkRef] = []
        self.workers = FakeWorkers(self.shutdown, self.clock, lambda: None)
        held: Any = self.held
        client: Any = FakeClient(self.clock, interval)
        self.connections: FakeConnections = client.connections
        api = SimpleNamespace(concurrency=concurrency, reconcile_seconds=1.0, body="json")
        mailings = {
            one: SimpleNamespace(address=one, schedule_time=None, max_late=None, window=None, timezone="UTC")
            for one in entries
        }
        project: Any = SimpleNamespace(
            name="shop",
            scope="shop",
            api=api,
            environment=Environment(),
            guardrails=Guardrails(),
            mailings=tuple(mailings.values()),
            by_address=mailings,
            shared_lock=shared_lock,
            suppress=(),
            digest_key=NO_KEY,
        )
        self.project = project
        self.recorder = Recorder(held, plan_of(), project, clock=self.clock)
        self.context = ApplyContext(
            project=project,
            mailings=mailings,
            client=client,
            clock=self.clock,
            recorder=self.recorder,
            shutdown=self.shutdown,
            runs={address: MailingRun(action_of(address, entry), 1) for address, entry in entries.items()},
            names=NOT_ASKED,
            opt_outs=OptOutWatch(project, self.clock),
            say=lambda event: self.say(event),
            advance=lambda count: None,
        )
        self.say: Callable[[Event], None] = self.events.append

    def signal_at(self, *times: float) -> None:
        """Send the process a signal at each of `times`."""

        def count() -> None:
            self.shutdown.count += 1

        for time in times:
            self.clock.at(time, count)

    def dispatcher(self, workers: WorkerPool | None = None) -> Dispatcher:
        answers = AnswerHandler(self.context, Reconciler(self.context))
        return Dispatcher(self.context, workers or self.workers, answers)

    def request(self, index: int, *outcomes: Outcome, mailing: int = 0, latency: float = 0.0) -> FakeRequest:
        return FakeRequest(self, (f"m/{mailing}", index), outcomes or [ACCEPTED], latency)

    def states(self, mailing: int = 0) -> list[str]:
        return [chunk.state.value for chunk in self.recorder.lock.mailings[f"m/{mailing}"].chunks]


def plan_of(**changes: Any) -> Plan:
    plan = Plan("p", "t", "shop", None, "x", (), {}, LockStamp(0, None, {}), (), (), None)
    return replace(plan, **changes)


def entry_of(number: int, chunks: int) -> Entry:
    records = tuple(ChunkRecord(f"{number:05}{index:05}", 2, "d") for index in range(chunks))
    applied = AppliedBy("t", "p", None, "x")
    return Entry(1, "c", "a", "bulk", "Shop", 7, None, 2 * chunks, 2 * chunks, None, records, applied)


def action_of(address: str, entry: Entry) -> Action:
    planned = tuple(ChunkPlan(chunk.fingerprint, chunk.recipients, chunk.digest) for chunk in entry.chunks)
    return Action(
        address=address,
        action=ActionKind.CREATE,
        reason="",
        via="bulk",
        recipients=entry.recipients,
        parts=entry.parts,
        cost=None,
        gsm7=0,
        ucs2=0,
        alphaname="Shop",
        alphaname_id=7,
        schedule_time=None,
        digest="d",
        content_digest="c",
        audience_digest="a",
        chunks=planned,
        audience=AudienceCounts(),
    )
