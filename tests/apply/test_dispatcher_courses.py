"""Any course of events: each request has its intent before it and its result after it, and nothing is sent twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.apply.context import Event
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from tests.apply.fake_dispatch import (
    ACCEPTED,
    OFFLINE,
    REJECTED,
    TOKEN_REFUSED,
    UNKNOWN,
    FakeRequest,
    World,
    busy,
)

_OUTCOMES = st.sampled_from(
    [ACCEPTED] * 8 + [REJECTED, UNKNOWN, TOKEN_REFUSED, busy(), busy(0), busy(3), busy(900)]
)


@settings(max_examples=5 * settings().max_examples)
@given(
    concurrency=st.integers(1, 5) | st.just(64),
    interval=st.sampled_from([0.0, 0.2]),
    answers=st.lists(
        st.tuples(st.lists(_OUTCOMES, min_size=1, max_size=3), st.floats(0.01, 2)), min_size=1, max_size=20
    ),
    signals=st.lists(st.floats(0, 5), max_size=2),
    latency=st.sampled_from([0.0, 0.3]),
    failures=st.lists(st.booleans(), max_size=4),
    shared_lock=st.sampled_from([None, "git"]),
)
def test_dispatcher_keeps_its_promises_in_any_course(
    concurrency: int,
    interval: float,
    answers: list[tuple[list[Outcome], float]],
    signals: list[float],
    latency: float,
    failures: list[bool],
    shared_lock: object,
) -> None:
    """With random answers, latencies, connections and signals, every promise of the module's docstring holds."""
    world = World(
        concurrency=concurrency,
        mailings=3,
        chunks=len(answers),
        interval=interval,
        shared_lock=shared_lock,
    )
    world.signal_at(*signals)
    world.connections.latency, world.connections.failures = latency, failures
    checks = _Checks(world, interval)
    requests = [
        FakeRequest(world, (f"m/{number % 3}", number), outcomes, latency)
        for number, (outcomes, latency) in enumerate(answers)
    ]
    try:
        world.dispatcher().send_all(requests)
        is_stopped = False
    except StopSending:
        is_stopped = True
    checks.check_journal()
    for mailing in range(3):
        run = world.context.runs[f"m/{mailing}"]
        mine = [
            request for request in requests if request.chunks == [] or request.chunks[0][0] == f"m/{mailing}"
        ]
        if not is_stopped and not run.is_stopped:
            states = world.states(mailing)
            assert all(states[request.chunks[0][1]] == "accepted" for request in mine if request.chunks)


class _Checks:
    """Checks on every request as it is sent, and on the journal afterwards."""

    def __init__(self, world: World, interval: float) -> None:
        self._world = world
        self._interval = interval
        self._last = float("-inf")
        world.workers.on_submit = self._on_submit
        world.say = self._on_event

    def _on_submit(self) -> None:
        world = self._world
        (line,) = world.held.lines[-1:]
        assert line["event"] == "intent"
        self._check_disk()
        ((address, _),) = line["chunks"]
        assert not world.context.runs[address].is_stopped
        assert not world.shutdown.is_requested
        assert not [one for one in world.workers.arrived if one.kind is not OutcomeKind.ACCEPTED]
        assert len(world.workers._in_flight) < world.context.project.api.concurrency
        assert world.clock.time - self._last > self._interval - 1e-6
        self._last = world.clock.time

    def _on_event(self, event: Event) -> None:
        self._check_disk()

    def _check_disk(self) -> None:
        assert self._world.held.synced == len(self._world.held.lines)

    def check_journal(self) -> None:
        """Check that each request has an intent and then its result, and is sent again only if it was not sent.

        Without a connection there is no intent.
        """
        self._check_disk()
        open_intents: set[tuple[str, int]] = set()
        settled: dict[tuple[str, int], str] = {}
        for line in self._world.held.lines[1:]:
            refs = [(address, index) for address, index in line["chunks"]]
            for ref in refs:
                if line["event"] == "intent":
                    assert ref not in open_intents
                    assert settled.get(ref, "pending") == "pending"
                    open_intents.add(ref)
                elif line["event"] == "result":
                    assert ref in open_intents or line["changes"]["error"] == OFFLINE.message
                    open_intents.discard(ref)
                    settled[ref] = line["changes"]["state"]
        assert not open_intents
