"""Appending one journal line, against appending as many bytes and waiting for the disk."""

from __future__ import annotations

import os
import statistics
import time

from smsby_deploy.lock.events import EventKind
from smsby_deploy.lock.journal import Journal
from tests.bench.measure import WORK, Figure

_LINES = 200


def measure(runs: int, rows: int) -> list[Figure]:
    """Measure both in turns, in elapsed time, because they wait for the disk."""
    WORK.mkdir(parents=True, exist_ok=True)
    rounds = []
    for _ in range(runs + 1):
        path, plain_path = WORK / "bench.journal", WORK / "bench.append"
        path.unlink(missing_ok=True)
        journal = Journal(path)
        journal.append(EventKind.BEGIN, plan="bench")
        handle = os.open(plain_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        journal_times, plain_times = [], []
        for number in range(_LINES):
            line = b"x" * 120 + b"\n"
            start = time.perf_counter()
            os.write(handle, line)
            os.fdatasync(handle)
            middle = time.perf_counter()
            journal.append(EventKind.INTENT, chunks=[["sale/all", number]], step=None)
            journal_times.append(time.perf_counter() - middle)
            plain_times.append(middle - start)
        os.close(handle)
        journal.close()
        rounds.append((statistics.median(plain_times) * 1e6, statistics.median(journal_times) * 1e6))
    del rounds[0]
    return [
        Figure(
            "one journal line",
            statistics.median(value for _, value in rounds),
            "µs elapsed",
            statistics.median(base for base, _ in rounds),
            "append + fdatasync",
            statistics.median(value / base for base, value in rounds),
            2.5,
            1.8,
            runs,
        )
    ]
