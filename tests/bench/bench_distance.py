"""`apply` over http and https, near and 50 ms away, with 1, 4 and 16 requests in flight; and an upload."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.bench_apply import apply, make_certificate, server
from tests.bench.bench_plan import plan
from tests.bench.measure import REPOSITORY, Cost, Figure, clean_environ, compare, make_project

_ROWS = 60_000
_CHUNKS = 58.0  # of these rows, after duplicates and invalid phones
_CONTACTS = 40_000
_ROUND_TRIP = 0.050
# Multiples of the floor: with many in flight, the CPU of the client and of the server remains.
_AT_MOST = {
    ("http", 1): 2.6,
    ("https", 1): 2.2,
    ("http", 4): 2.4,
    ("https", 4): 2.6,
    ("http", 16): 2.6,
    ("https", 16): 3.4,
}


@contextmanager
def distant(url: str) -> Iterator[str]:
    """Relay to the server at `url` over a distance of one round trip; yields the URL of the relay."""
    place, _, port = url.rpartition(":")
    command = (sys.executable, "-m", "tests.bench.relay", port, str(_ROUND_TRIP * 1000))
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=clean_environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"{place}:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def measure(runs: int, rows: int) -> list[Figure]:
    """Compare CPU time near the server, and elapsed time far from it, in one round, since these lines wait."""
    figures = []
    for scheme in ("http", "https"):
        with server(0, make_certificate() if scheme == "https" else None) as near, distant(near) as far:
            for concurrency in (1, 4, 16):
                figures += [_near(scheme, near, concurrency), _far(scheme, far, concurrency)]
    return [*figures, _upload()]


def _near(scheme: str, url: str, concurrency: int) -> Figure:
    folder = make_project("list", _ROWS, concurrency)
    return compare(
        f"apply over {scheme} at RTT 0, concurrency {concurrency}",
        lambda: apply(folder, url),
        lambda: plan(folder),
        floor_is="plan of it",
        runs=1,
        at_most=2.5,
        aim=1.6,
    )


def _far(scheme: str, url: str, concurrency: int) -> Figure:
    folder = make_project("list", _ROWS, concurrency)
    return compare(
        f"apply over {scheme} at RTT 50 ms, concurrency {concurrency}",
        lambda: apply(folder, url),
        lambda: _floor(plan(folder), _CHUNKS / concurrency),
        floor_is="plan of it, and a round trip a request",
        runs=1,
        at_most=_AT_MOST[scheme, concurrency],
        aim=1.3,
        of=lambda cost: cost.wall,
        clock="wall",
    )


def _floor(planned: Cost, round_trips: float) -> Cost:
    return Cost(planned.cpu, planned.wall + round_trips * _ROUND_TRIP, planned.peak)


def _upload() -> Figure:
    """Compare four calls at once with one after the other."""
    four, one = (make_project("upload", _CONTACTS, concurrency) for concurrency in (4, 1))
    with server(0, make_certificate()) as near, distant(near) as far:
        return compare(
            f"upload of {_CONTACTS:,} contacts over https at RTT 50 ms, concurrency 4",
            lambda: apply(four, far),
            lambda: apply(one, far),
            floor_is="concurrency 1",
            runs=1,
            at_most=0.9,
            aim=0.6,
            of=lambda cost: cost.wall,
            clock="wall",
        )
