"""Orders of growth: ten times the work must not cost a hundred times as much."""

from __future__ import annotations

import json
import urllib.request

from tests.bench.bench_apply import apply, server
from tests.bench.bench_plan import plan
from tests.bench.measure import COMMAND, Figure, compare, make_project, run_process

_FEW, _MANY = 10, 100
_SHARED = 20


def measure(runs: int, rows: int) -> list[Figure]:
    """Compare n with 10 n, by counts where a count says it."""
    return [_plan_of_many(), _shared_list(), _list_reads(), _status_csv()]


def _plan_of_many() -> Figure:
    few, many = (make_project("small", files) for files in (100, 1000))
    return compare(
        "plan of 3,000 mailings",
        lambda: plan(many),
        lambda: plan(few),
        floor_is="plan of 300",
        runs=1,
        at_most=12,
        aim=10,
    )


def _shared_list() -> Figure:
    one, shared = make_project("list", 50_000), make_project("many", _SHARED, 50_000)
    return compare(
        f"plan of {_SHARED} mailings to one list of 50,000",
        lambda: plan(shared),
        lambda: plan(one),
        floor_is="plan of one",
        runs=1,
        at_most=_SHARED / 2,
        aim=_SHARED / 4,
    )


def _list_reads() -> Figure:
    """Count how often one apply reads the list of mailings."""
    reads = {}
    for mailings in (_FEW, _MANY):
        folder = make_project("many", mailings, 20)
        with server(0) as url:
            apply(folder, url)
            with urllib.request.urlopen(f"{url}/counts") as answer:  # noqa: S310 - our own server
                reads[mailings] = json.load(answer)["getSMSMessages"]
    return Figure(
        f"getSMSMessages in an apply of {_MANY} mailings",
        reads[_MANY],
        "calls",
        reads[_FEW],
        f"of {_FEW} mailings",
        reads[_MANY] / reads[_FEW],
        2,
        1,
    )


def _status_csv() -> Figure:
    """Measure the memory of a report with every recipient: nothing was delivered."""
    peaks = {}
    for rows in (10_000, 100_000):
        folder = make_project("list", rows)
        with server(0) as url:
            apply(folder, url)
            environ = {"SMSBY_TOKEN": "bench", "SMSBY_API_URL": url}
            command = (*COMMAND, "-q", "-C", str(folder), "status", "--format", "csv")
            peaks[rows] = run_process(command, exits=(0, 1), environ=environ).peak
    return Figure(
        "`status --format csv` of 100,000 recipients, peak memory",
        peaks[100_000],
        "MB",
        peaks[10_000],
        "of 10,000",
        peaks[100_000] / peaks[10_000],
        1.5,
        1.2,
    )
