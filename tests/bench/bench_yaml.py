"""validate of many small files and of one long file, against reading them as libyaml events."""

from __future__ import annotations

from pathlib import Path

from tests.bench.measure import COMMAND, Cost, Figure, compare, make_project, python, run_process

_EVENTS = """
import pathlib, sys, yaml
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.yaml")):
    for event in yaml.parse(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
        pass
"""


def _validate(folder: Path) -> Cost:
    return run_process((*COMMAND, "-q", "-C", str(folder), "validate"))


def _events(folder: Path) -> Cost:
    return run_process(python(_EVENTS, str(folder)))


def measure(runs: int, rows: int) -> list[Figure]:
    """Compare whole processes, including their start."""
    cases = (
        ("validate of 1,000 files of 30 lines", make_project("small", 1000), 6.0, 2.6),
        ("validate of 10,000 inline recipients", make_project("inline", 10_000), 2.5, 1.5),
    )
    return [
        compare(
            what,
            lambda folder=folder: _validate(folder),  # type: ignore[misc]
            lambda folder=folder: _events(folder),  # type: ignore[misc]
            floor_is="libyaml events",
            runs=runs,
            at_most=most,
            aim=aim,
        )
        for what, folder, most, aim in cases
    ]
