"""`plan --offline` of a long list: time against reading and hashing the same file, memory, time a row."""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.bench.measure import COMMAND, Cost, Figure, compare, make_project, python, run_process

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
    """`plan --offline` of the project in `folder`, the whole process."""
    return run_process((*COMMAND, "-q", "-C", str(folder), "plan", "--offline", "--format", "json"))


def floor(folder: Path) -> Cost:
    """The least that any tool does: its rows through csv.reader, its bytes through sha256."""
    return run_process(python(_FLOOR, str(folder / "people.csv")))


def measure(runs: int, rows: int) -> list[Figure]:
    """Time of `rows` rows, peak memory, its growth from 10,000 rows on, and the time of a further row."""
    few, some, many = (make_project("list", count) for count in (10_000, rows // 10, rows))
    whole = compare(
        f"plan of {rows:,} rows",
        lambda: plan(many),
        lambda: floor(many),
        floor_is="csv.reader + sha256",
        runs=runs,
        most=6.0,
        aim=4.5,
    )
    peaks = [(plan(few).peak, plan(many).peak) for _ in range(runs)]
    peak = statistics.median(high for _, high in peaks)
    growth = statistics.median(high - low for low, high in peaks)
    slopes = []
    for _ in range(runs):
        ours = plan(many).cpu - plan(some).cpu
        theirs = floor(many).cpu - floor(some).cpu
        slopes.append((theirs / (rows * 0.9) * 1e6, ours / (rows * 0.9) * 1e6))
    slope = Figure(
        f"time a row, {rows // 10:,} → {rows:,}",
        statistics.median(ours for _, ours in slopes),
        "µs CPU",
        statistics.median(theirs for theirs, _ in slopes),
        "csv.reader + sha256",
        statistics.median(ours / theirs for theirs, ours in slopes),
        6.0,
        4.5,
        runs,
    )
    return [
        whole,
        Figure(f"its peak memory, {rows:,} rows", peak, "MB", most=80, aim=45, runs=len(peaks)),
        Figure(f"its growth from 10,000 to {rows:,} rows", growth, "MB", most=15, aim=2, runs=len(peaks)),
        slope,
    ]
