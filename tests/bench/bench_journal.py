"""One line of the journal, against appending as many bytes and waiting for the disk."""

from __future__ import annotations

import os
import statistics
import time

from smsby_deploy.lock.journal import Journal
from tests.bench.measure import WORK, Figure

_LINES = 200


def measure(runs: int, rows: int) -> list[Figure]:
    """The wall's clock, in turns: it is the disk that is waited for."""
    WORK.mkdir(parents=True, exist_ok=True)
    rounds = []
    for _ in range(runs + 1):
        path, plain = WORK / "bench.journal", WORK / "bench.append"
        path.unlink(missing_ok=True)
        journal = Journal(path)
        journal.append("begin", plan="bench")
        handle = os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        ours, theirs = [], []
        for number in range(_LINES):
            line = b"x" * 120 + b"\n"
            began = time.perf_counter()
            os.write(handle, line)
            os.fdatasync(handle)
            middle = time.perf_counter()
            journal.append("intent", chunks=[["sale/all", number]], step=None)
            ours.append(time.perf_counter() - middle)
            theirs.append(middle - began)
        os.close(handle)
        journal.close()
        rounds.append((statistics.median(theirs) * 1e6, statistics.median(ours) * 1e6))
    del rounds[0]
    return [
        Figure(
            "one line of the journal",
            statistics.median(ours for _, ours in rounds),
            "µs wall",
            statistics.median(theirs for theirs, _ in rounds),
            "append + fdatasync",
            statistics.median(ours / theirs for theirs, ours in rounds),
            2.5,
            1.8,
            runs,
        )
    ]
