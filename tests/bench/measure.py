"""Subject and floor, run in turns, each in a process of its own.

CPU time (user + system of the process) is compared wherever the work is computing: other work on the machine does not
change it much. Where the network is waited for it is the wall's clock, and the figure says so.
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
WORK = Path(os.environ.get("SMSBY_BENCH", "/tmp/smsby-bench"))  # noqa: S108 - big files that may be deleted at any time
COMMAND = (sys.executable, "-m", "smsby_deploy")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: seconds, and its peak memory in MB."""

    cpu: float
    wall: float
    peak: float


@dataclass(slots=True)
class Figure:
    """One line of the table: a value in `unit`, what it is held against, and the goals for their ratio (or the value,
    where there is no floor)."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_is: str = ""
    ratio: float | None = None
    most: float | None = None
    aim: float | None = None
    runs: int = 1
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def judged(self) -> float:
        return self.value if self.ratio is None else self.ratio


def run_process(
    command: Sequence[str], *, exits: Sequence[int] = (0,), environ: Mapping[str, str] | None = None
) -> Cost:
    """Run `command` to its end; its output goes nowhere."""
    began = time.perf_counter()
    environment = clean_environ() | dict(environ or {})
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode not in exits:
        raise RuntimeError(f"{command} ended with {process.returncode}: {said.decode()}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def clean_environ() -> dict[str, str]:
    """The environment of what is measured: compiled modules are kept and used, as they are for people."""
    drop = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    environ = {name: value for name, value in os.environ.items() if name not in drop}
    return environ | {"PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}


def python(code: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs `code`."""
    return (sys.executable, "-c", code, *arguments)


def make_project(kind: str, *sizes: int) -> Path:
    """The folder of a project of projects.py; made if it is not there."""
    folder = WORK / "-".join((kind, *map(str, sizes)))
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
    most: float,
    aim: float,
    of: Callable[[Cost], float] = lambda cost: cost.cpu,
    clock: str = "CPU",
) -> Figure:
    """Both in turns, `runs` times after one that is not counted; the ratio is the median of the rounds' ratios."""
    subject(), floor()
    rounds = [(of(floor()), of(subject())) for _ in range(runs)]
    return Figure(
        what,
        statistics.median(value for _, value in rounds),
        f"s {clock}",
        statistics.median(base for base, _ in rounds),
        floor_is,
        statistics.median(value / base for base, value in rounds),
        most,
        aim,
        runs,
    )


def describe_machine() -> str:
    """The machine, as far as figures depend on it."""
    cpu = platform.processor() or "unknown CPU"
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(": ")[2] if names else cpu
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} × {cpu}, {system}, load {load}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as Markdown."""
    lines = [
        "| what | figure | floor | ratio | at most | aim at | runs |",
        "|---|---|---|---|---|---|---|",
    ]
    for figure in figures:
        floor = "–" if figure.floor is None else f"{_short(figure.floor)} ({figure.floor_is})"
        ratio = "–" if figure.ratio is None else f"**{figure.ratio:.2f} ×**"
        unit = "" if figure.ratio is None else " ×"
        most, aim = (
            "–" if goal is None else f"{goal:g}{unit or ' ' + figure.unit}"
            for goal in (figure.most, figure.aim)
        )
        extra = "".join(f"; {name} {value:,.0f}" for name, value in figure.extra.items())
        cells = (f"{_short(figure.value)} {figure.unit}{extra}", floor, ratio, most, aim, str(figure.runs))
        lines.append(f"| {figure.what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def to_json(figures: Sequence[Figure], machine: str) -> str:
    """The figures for a machine."""
    names = ("what", "value", "unit", "floor", "floor_is", "ratio", "most", "aim", "runs", "extra")
    rows = [{name: getattr(figure, name) for name in names} for figure in figures]
    return json.dumps({"machine": machine, "figures": rows}, ensure_ascii=False, indent=2)


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
