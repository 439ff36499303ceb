"""The cost of years of use: a lock that records 10,000 mailings, an account that lists a million."""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.bench.bench_apply import apply, put_lock, server
from tests.bench.measure import COMMAND, WORK, Cost, Figure, compare, make_project, python, run_process

_MAILINGS, _LISTED = 10_000, 1_000_000
_JSON = """
import json, pathlib, sys
json.dumps(json.loads((pathlib.Path(sys.argv[1]) / "smsby.lock.json").read_text()))
"""
# As in an apply: the lock is read and held, a mailing is added, and the journal is folded in.
_ADD_ONE = """
import dataclasses, pathlib, sys
from smsby_deploy.gc_tuning import collect_as_usual
from smsby_deploy.lock.events import EventKind
from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.store import LockStore
collect_as_usual()
with LockStore(pathlib.Path(sys.argv[1]) / "smsby.lock.json", "bench").held() as held:
    journal = held.open_journal()
    at = "2025-03-01T10:00:00+00:00"
    journal.append(EventKind.BEGIN, id="j", lineage=held.lock.lineage, plan="p", at=at, commit=None, tool="x")
    entry = dataclasses.replace(held.lock.mailings["sale-0000/0"], revision=2)
    journal.append(EventKind.MAILING, address="new/one", entry=entry_document(entry))
    journal.close()
    held.fold_in()
    assert "new/one" in held.lock.mailings
"""
# What `status` has recorded when every mailing was delivered.
_ALL_FINAL = """
import collections, pathlib, sys
from smsby_deploy.lock.store import LockStore
from smsby_deploy.status.delivery_counts import DeliveryCounts
from smsby_deploy.status.final_chunks import read_final
path = pathlib.Path(sys.argv[1]) / "smsby.lock.json"
final, all = read_final(path, f"{sys.argv[2]} bench"), collections.Counter
minutes = {f"2025-03-01 10:{minute:02}": 50 for minute in range(20)}
counts = DeliveryCounts(all(DELIVERED=1000), all(), all(minutes), all({"375 29": 1000}), all({"375 29": 1000}))
for entry in LockStore(path, "bench").read().mailings.values():
    final.add(entry.chunks[0], counts, is_overdue=False)
final.save()
"""


def _add_one(folder: Path) -> Cost:
    """Add a mailing to a copy of the recorded ones."""
    lock = folder / "smsby.lock.json"
    content = lock.read_bytes()
    try:
        return run_process(python(_ADD_ONE, str(folder)))
    finally:
        lock.write_bytes(content)


def measure(runs: int, rows: int) -> list[Figure]:
    """Compare with the json module; the memory is that of the whole process."""
    folder = make_project("years", _MAILINGS)
    peaks: list[float] = []

    def subject() -> Cost:
        cost = _add_one(folder)
        peaks.append(cost.peak)
        return cost

    figure = compare(
        f"a lock of {_MAILINGS:,} mailings: read, one added, written",
        subject,
        lambda: _json(folder),
        floor_is="json.loads and json.dumps",
        runs=runs,
        at_most=1.5,
        aim=1.3,
    )
    figure.extra["MB"] = max(peaks)
    return [figure, *_apply(folder, runs), _apply_file(folder, runs), _status(folder, runs), _list()]


def _apply(folder: Path, runs: int) -> list[Figure]:
    """Compare what the recorded mailings add to a whole `apply` of a new one with the same floor, in elapsed time."""
    new, recorded = make_project("small", 1), (folder / "smsby.lock.json").read_bytes()
    peaks: list[float] = []
    with server(0) as url:

        def subject() -> Cost:
            alone, cost = apply(new, url), apply(new, url, recorded)
            peaks.append(cost.peak)
            return Cost(cost.cpu - alone.cpu, cost.wall - alone.wall, cost.peak)

        figure = compare(
            f"`apply` of one campaign: what {_MAILINGS:,} recorded mailings add, wall clock",
            subject,
            lambda: _json(folder),
            floor_is="json.loads and json.dumps",
            runs=runs,
            at_most=1.5,
            aim=1.2,
            of=lambda cost: cost.wall,
            clock="wall",
        )
    peak = Figure("peak memory of this `apply`", statistics.median(peaks), "MB", at_most=60, aim=60)
    return [figure, peak]


def _apply_file(folder: Path, runs: int) -> Figure:
    """Compare what they add to `plan --out` and an `apply` of that file, which lists each of them."""
    new, recorded = make_project("small", 1), (folder / "smsby.lock.json").read_bytes()
    reviewed = WORK / "reviewed.json"
    with server(0) as url:

        def subject() -> Cost:
            costs = [_apply_reviewed(new, url, reviewed, lock) for lock in (b"", recorded)]
            return Cost(costs[1].cpu - costs[0].cpu, costs[1].wall - costs[0].wall, costs[1].peak)

        return compare(
            f"`plan --out` and `apply` of this file: what {_MAILINGS:,} recorded mailings add",
            subject,
            lambda: _json(folder),
            floor_is="json.loads and json.dumps",
            runs=min(runs, 3),
            at_most=10,
            aim=6,
        )


def _apply_reviewed(folder: Path, url: str, reviewed: Path, lock: bytes) -> Cost:
    """Plan and apply what was planned, with this lock."""
    put_lock(folder, lock)
    environ = {"SMSBY_TOKEN": "bench", "SMSBY_API_URL": url}
    command = (*COMMAND, "-q", "-C", str(folder))
    plan = run_process((*command, "plan", "--out", str(reviewed)), environ=environ)
    sent = run_process((*command, "apply", str(reviewed)), environ=environ)
    return Cost(plan.cpu + sent.cpu, plan.wall + sent.wall, max(plan.peak, sent.peak))


def _list() -> Figure:
    """Measure the memory of a plan that reads a list of other mailings."""
    folder = make_project("small", 1)
    put_lock(folder, b"")
    with server(0) as url:
        environ = {"SMSBY_TOKEN": f"listed-{_LISTED}", "SMSBY_API_URL": url}
        cost = run_process((*COMMAND, "-q", "-C", str(folder), "plan"), environ=environ)
    figure = Figure(
        f"`plan` while the account lists {_LISTED:,} other mailings", cost.peak, "MB", at_most=60, aim=60
    )
    figure.extra["s CPU"] = cost.cpu
    return figure


def _status(folder: Path, runs: int) -> Figure:
    """Compare `status` of only final mailings with the same floor; only the list is requested."""
    with server(0) as url:
        run_process(python(_ALL_FINAL, str(folder), url))
        environ = {"SMSBY_TOKEN": "bench", "SMSBY_API_URL": url}
        command = (*COMMAND, "-q", "-C", str(folder), "status", "--format", "json")
        return compare(
            f"`status` of {_MAILINGS:,} final mailings",
            lambda: run_process(command, environ=environ),
            lambda: _json(folder),
            floor_is="json.loads and json.dumps",
            runs=runs,
            at_most=12,
            aim=6,
        )


def _json(folder: Path) -> Cost:
    return run_process(python(_JSON, str(folder)))
