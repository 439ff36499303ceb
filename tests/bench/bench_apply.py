"""`apply` of a long list, journal and all, against a server that answers at once and one that takes 20 ms."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.bench_plan import plan
from tests.bench.measure import (
    COMMAND,
    REPOSITORY,
    Cost,
    Figure,
    clean_environ,
    compare,
    make_project,
    run_process,
)

_IN_FLIGHT = 4
_PAUSE = 0.020  # seconds


@contextmanager
def server(milliseconds: float) -> Iterator[str]:
    """The address of a server that takes its time."""
    with subprocess.Popen(
        (sys.executable, "-m", "tests.bench.server", str(milliseconds)),
        cwd=REPOSITORY,
        env=clean_environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def apply(folder: Path, url: str) -> Cost:
    """`apply` of the project in `folder`, to a lock that is not there yet."""
    for path in folder.glob("smsby.lock.json*"):
        path.unlink()
    environ = {"SMSBY_TOKEN": "bench", "SMSBY_API_URL": url}
    command = (*COMMAND, "-q", "-C", str(folder), "apply", "--auto-approve", "--format", "json")
    return run_process(command, environ=environ)


def measure(runs: int, rows: int) -> list[Figure]:
    """CPU time against that of plan; the wall's clock against what the server alone takes."""
    folder = make_project("list", rows)
    in_flight = make_project("list", rows, _IN_FLIGHT)
    with server(0) as url:
        at_once = compare(
            f"apply of {rows:,} rows, a server that answers at once",
            lambda: apply(folder, url),
            lambda: plan(folder),
            floor_is="plan of it",
            runs=runs,
            most=2.5,
            aim=1.9,
        )
    chunks = len(json.loads((folder / "smsby.lock.json").read_bytes())["mailings"]["sale/all"]["chunks"])
    ideal = Cost(0.0, chunks * _PAUSE / _IN_FLIGHT, 0.0)
    with server(_PAUSE * 1000) as url:
        slow = compare(
            f"apply of {rows:,} rows, a server of 20 ms, {_IN_FLIGHT} in flight",
            lambda: apply(in_flight, url),
            lambda: ideal,
            floor_is=f"{chunks} chunks × 20 ms / {_IN_FLIGHT}",
            runs=runs,
            most=1.5,
            aim=1.2,
            of=lambda cost: cost.wall,
            clock="wall",
        )
    return [at_once, slow]
