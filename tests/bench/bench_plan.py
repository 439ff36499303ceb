"""`plan --offline` of a long list: time (also per row) against reading and hashing the same file, and memory."""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.bench.measure import COMMAND, Cost, Figure, make_project, python, run_process

_FLOOR = """
import csv, hashlib, sys
digest = hashlib.sha256()
with open(sys.argv[1], "rb") as file:
    while block := file.read(1 << 20):
        digest.update(block)
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    for row in csv.reader(file):
        pass
"""


def plan(folder: Path) -> Cost:
    """Run `plan --offline` for the project in `folder`."""
    return run_process((*COMMAND, "-q", "-C", str(folder), "plan", "--offline", "--format", "json"))


def read_and_hash(folder: Path) -> Cost:
    """Do the minimum of any tool: read the rows with csv.reader and hash the bytes with SHA-256."""
    return run_process(python(_FLOOR, str(folder / "recipients.csv")))


def measure(runs: int, rows: int) -> list[Figure]:
    """Measure the time, the peak memory and its growth from 10,000 rows, and the time per further row."""
    few, some, many = (make_project("list", count) for count in (10_000, rows // 10, rows))
    read_and_hash(many)
    rounds = [
        (read_and_hash(some), read_and_hash(many), plan(few), plan(some), plan(many)) for _ in range(runs)
    ]
    further = rows * 0.9 / 1e6
    floors = [(many_read.cpu, (many_read.cpu - read.cpu) / further) for read, many_read, *_ in rounds]
    times = [(last.cpu, (last.cpu - before.cpu) / further) for *_, before, last in rounds]
    peaks = [(last.peak, last.peak - first.peak) for _, _, first, _, last in rounds]
    what = (f"plan of {rows:,} rows", f"plan, time per row, {rows // 10:,} → {rows:,}")
    whole, slope = (
        Figure(
            what[index],
            statistics.median(time[index] for time in times),
            ("s CPU", "µs CPU")[index],
            statistics.median(floor[index] for floor in floors),
            "csv.reader + sha256",
            statistics.median(time[index] / floor[index] for time, floor in zip(times, floors, strict=True)),
            6.0,
            4.5,
            runs,
        )
        for index in (0, 1)
    )
    peak, growth = (statistics.median(one[index] for one in peaks) for index in (0, 1))
    grown = f"plan, memory growth from 10,000 to {rows:,} rows"
    return [
        whole,
        Figure(f"plan, peak memory, {rows:,} rows", peak, "MB", at_most=80, aim=45, runs=runs),
        Figure(grown, growth, "MB", at_most=15, aim=2, runs=runs),
        slope,
    ]
