"""What years of use cost: a lock that records 10,000 mailings."""

from __future__ import annotations

from pathlib import Path

from tests.bench.measure import Cost, Figure, compare, make_project, python, run_process

_MAILINGS = 10_000
_JSON = """
import json, pathlib, sys
json.dumps(json.loads((pathlib.Path(sys.argv[1]) / "smsby.lock.json").read_text()))
"""
# As in an apply: the lock is read and held, a mailing is added, and the journal is folded in.
_ADD_ONE = """
import dataclasses, pathlib, sys
from smsby_deploy.gc_tuning import collect_as_usual
from smsby_deploy.lock.events import EventKind
from smsby_deploy.lock.serialization import entry_document
from smsby_deploy.lock.store import LockStore
collect_as_usual()
with LockStore(pathlib.Path(sys.argv[1]) / "smsby.lock.json", "bench").held() as held:
    journal = held.open_journal()
    journal.append(EventKind.BEGIN, id="j", lineage=held.lock.lineage, plan="p", at="t", commit=None, tool="x")
    entry = dataclasses.replace(next(iter(held.lock.mailings.values())), revision=2)
    journal.append(EventKind.MAILING, address="new/one", entry=entry_document(entry))
    journal.close()
    held.fold_in()
    assert "new/one" in held.lock.mailings
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
        lambda: run_process(python(_JSON, str(folder))),
        floor_is="json.loads and json.dumps",
        runs=runs,
        at_most=3.5,
        aim=1.5,
    )
    figure.extra["MB"] = max(peaks)
    return [figure]
