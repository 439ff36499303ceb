"""Orders of growth: ten times the work must not cost a hundred times as much."""

from __future__ import annotations

import json
import urllib.request

from tests.bench.bench_apply import apply, server
from tests.bench.bench_plan import plan
from tests.bench.measure import COMMAND, Figure, compare, make_project, run_process

_FEW, _MANY = 10, 100
_FILES = 500  # of three mailings
_SHARED_ROWS = 20_000


def measure(runs: int, rows: int) -> list[Figure]:
    """Compare n with 10 n, by counts where possible."""
    return [_plan_of_many(), _shared_list(), _list_reads(), _status_csv(rows)]


def _plan_of_many() -> Figure:
    few, many = (make_project("small", files) for files in (_FILES, _FILES * 10))
    return compare(
        f"plan of {_FILES * 30:,} mailings",
        lambda: plan(many),
        lambda: plan(few),
        floor_is=f"plan of {_FILES * 3:,}",
        runs=1,
        at_most=12,
        aim=10,
    )


def _shared_list() -> Figure:
    """Compare the CPU time of another mailing to the same list with that of the first one."""
    first, some, many = (make_project("many", count, _SHARED_ROWS) for count in (1, _FEW, _MANY))
    start = plan(make_project("many", 1, 1)).cpu  # with the opt-outs
    whole = plan(first).cpu - start
    further = (plan(many).cpu - plan(some).cpu) / (_MANY - _FEW)
    return Figure(
        f"plan, a further one of {_MANY} mailings to one list of {_SHARED_ROWS:,}",
        further * 1000,
        "ms CPU",
        whole * 1000,
        "the first one",
        further / whole,
        0.7,
        0.4,
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


def _status_csv(rows: int) -> Figure:
    """Measure the memory of a report with every recipient, none of whom got the mailing."""
    folder = make_project("list", rows)
    with server(0) as url:
        apply(folder, url)
        environ = {"SMSBY_TOKEN": "bench", "SMSBY_API_URL": url}
        command = (*COMMAND, "-q", "-C", str(folder), "status", "--format", "csv")
        cost = run_process(command, exits=(0, 1), environ=environ)
    what = f"`status --format csv` of the unreached recipients of {rows:,} rows, peak memory"
    figure = Figure(what, cost.peak, "MB", at_most=60, aim=50)
    figure.extra["s CPU"] = cost.cpu
    return figure
