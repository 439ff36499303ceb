"""Measure a command and its floor (the least that any tool needs) in turns, each in a separate process.

Computation is compared in CPU time (user and system), which other load on the machine hardly changes. Waiting for a server
or a disk is compared in elapsed time, and the figure says so.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("SMSBY_BENCH", "/tmp/smsby-bench"))  # noqa: S108 - large files that may be deleted at any time
COMMAND = (sys.executable, "-m", "smsby_deploy")


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one process: CPU and elapsed seconds, and peak memory in MB."""

    cpu: float
    wall: float
    peak: float


@dataclass(slots=True)
class Figure:
    """One row of the table: a value, its floor and their ratio.

    `at_most` is the limit, and `aim` the goal, of the ratio, or of the value if there is no floor.
    """

    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_is: str = ""
    ratio: float | None = None
    at_most: float | None = None
    aim: float | None = None
    runs: int = 1
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def rated(self) -> float:
        """Return the number that `at_most` limits."""
        return self.value if self.ratio is None else self.ratio


def run_process(
    command: Sequence[str], *, exits: Sequence[int] = (0,), environ: Mapping[str, str] | None = None
) -> Cost:
    """Run `command`, discard its output and return its cost."""
    start = time.perf_counter()
    environment = clean_environ() | dict(environ or {})
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode not in exits:
        raise RuntimeError(f"{command} exited with {process.returncode}: {errors.decode()}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def clean_environ() -> dict[str, str]:
    """Return the environment of a measured command, which uses compiled modules like an installation."""
    drop = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    environ = {name: value for name, value in os.environ.items() if name not in drop}
    return environ | {"PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}


def python(code: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs `code`."""
    return (sys.executable, "-c", code, *arguments)


def make_project(kind: str, *sizes: int) -> Path:
    """Return the folder of a project of projects.py; create it if it does not exist."""
    folder = WORK / "_".join((kind, *map(str, sizes)))
    if not folder.is_dir():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        run_process((sys.executable, "-m", "tests.bench.projects", str(fresh), kind, *map(str, sizes)))
        fresh.rename(folder)
    return folder


def compare(
    what: str,
    subject: Callable[[], Cost],
    floor: Callable[[], Cost],
    *,
    floor_is: str,
    runs: int,
    at_most: float,
    aim: float,
    of: Callable[[Cost], float] = lambda cost: cost.cpu,
    clock: str = "CPU",
) -> Figure:
    """Run both in turns, `runs` times; the ratio is the median of those of the rounds.

    A warm-up comes before several runs; a single one is long enough without.
    """
    if runs > 1:
        subject(), floor()
    rounds = [(of(floor()), of(subject())) for _ in range(runs)]
    return Figure(
        what,
        statistics.median(value for _, value in rounds),
        f"s {clock}",
        statistics.median(base for base, _ in rounds),
        floor_is,
        statistics.median(value / base for base, value in rounds),
        at_most,
        aim,
        runs,
    )


def describe_machine() -> str:
    """Return what the figures depend on: CPU, system, Python and load."""
    cpu = platform.processor() or "unknown CPU"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(": ")[2] if names else cpu
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} × {cpu}, {system}, load {load}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| what | figure | floor | ratio | at most | aim | runs |",
        "|---|---|---|---|---|---|---|",
    ]
    for figure in figures:
        floor = "–" if figure.floor is None else f"{_short(figure.floor)} ({figure.floor_is})"
        ratio = "–" if figure.ratio is None else f"**{figure.ratio:.2f} ×**"
        unit = "" if figure.ratio is None else " ×"
        most, aim = (
            "–" if goal is None else f"{goal:g}{unit or ' ' + figure.unit}"
            for goal in (figure.at_most, figure.aim)
        )
        extra = "".join(f"; {name} {value:,.0f}" for name, value in figure.extra.items())
        cells = (f"{_short(figure.value)} {figure.unit}{extra}", floor, ratio, most, aim, str(figure.runs))
        lines.append(f"| {figure.what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def to_json(figures: Sequence[Figure], machine: str) -> str:
    """Return the figures as JSON for programs."""
    names = ("what", "value", "unit", "floor", "floor_is", "ratio", "at_most", "aim", "runs", "extra")
    rows = [{name: getattr(figure, name) for name in names} for figure in figures]
    return json.dumps({"machine": machine, "figures": rows}, ensure_ascii=False, indent=2)


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
