"""Start-up time: --help, and validate of a small project."""

from __future__ import annotations

from tests.bench.bench_apply import put_lock
from tests.bench.measure import COMMAND, Figure, compare, make_project, python, run_process


def measure(runs: int, rows: int) -> list[Figure]:
    """Compare both with `python -c pass`."""
    small = make_project("small", 1)
    put_lock(small, b"")  # other benchmarks leave a lock
    cases = (
        ("--help", (*COMMAND, "--help"), 6.0, 4.5),
        ("validate of one small project", (*COMMAND, "-q", "-C", str(small), "validate"), 15.0, 8.0),
    )
    return [
        compare(
            what,
            lambda command=command: run_process(command),  # type: ignore[misc]
            lambda: run_process(python("pass")),
            floor_is="python -c pass",
            runs=max(runs, 11),
            at_most=most,
            aim=aim,
        )
        for what, command, most, aim in cases
    ]
