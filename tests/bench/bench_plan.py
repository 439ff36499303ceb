"""`plan --offline` of a long list: time (also per row) against reading and hashing the same file, and memory."""

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
    """Run `plan --offline` for the project in `folder`."""
    return run_process((*COMMAND, "-q", "-C", str(folder), "plan", "--offline", "--format", "json"))


def read_and_hash(folder: Path) -> Cost:
    """Do the least that any tool does: read the rows with csv.reader and hash the bytes with SHA-256."""
    return run_process(python(_FLOOR, str(folder / "recipients.csv")))


def measure(runs: int, rows: int) -> list[Figure]:
    """Measure the time, the peak memory and its growth from 10,000 rows, and the time per further row."""
    few, some, many = (make_project("list", count) for count in (10_000, rows // 10, rows))
    whole = compare(
        f"plan of {rows:,} rows",
        lambda: plan(many),
        lambda: read_and_hash(many),
        floor_is="csv.reader + sha256",
        runs=runs,
        at_most=6.0,
        aim=4.5,
    )
    peaks = [(plan(few).peak, plan(many).peak) for _ in range(runs)]
    peak = statistics.median(high for _, high in peaks)
    growth = statistics.median(high - low for low, high in peaks)
    slopes = []
    for _ in range(runs):
        planned = plan(many).cpu - plan(some).cpu
        base = read_and_hash(many).cpu - read_and_hash(some).cpu
        slopes.append((base / (rows * 0.9) * 1e6, planned / (rows * 0.9) * 1e6))
    slope = Figure(
        f"plan, time per row, {rows // 10:,} → {rows:,}",
        statistics.median(value for _, value in slopes),
        "µs CPU",
        statistics.median(base for base, _ in slopes),
        "csv.reader + sha256",
        statistics.median(value / base for base, value in slopes),
        6.0,
        4.5,
        runs,
    )
    return [
        whole,
        Figure(f"plan, peak memory, {rows:,} rows", peak, "MB", at_most=80, aim=45, runs=len(peaks)),
        Figure(
            f"plan, memory growth from 10,000 to {rows:,} rows",
            growth,
            "MB",
            at_most=15,
            aim=2,
            runs=len(peaks),
        ),
        slope,
    ]
