"""Problems, one a line: for people, and as annotations of GitHub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TextIO

from smsby_deploy.problems import Problem, Severity
from smsby_deploy.report.console import clean, make_console

_COLORS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def problem_line(problem: Problem) -> str:
    """`file:line:column: severity CODE address: message`; what is not known is left out."""
    place = f"{problem.location}: " if problem.location else ""
    address = f"{problem.address}: " if problem.address else ""
    return clean(f"{place}{problem.severity} {problem.code} {address}{problem.message}")


def count_line(problems: Iterable[Problem]) -> str:
    """`2 errors, 1 warning`, or `no problems found`."""
    counts = Counter(problem.severity for problem in problems)
    told = [
        f"{counts[severity]} {severity}{'' if counts[severity] == 1 else 's'}"
        for severity in Severity
        if counts[severity]
    ]
    return ", ".join(told) or "no problems found"


def write_problems(problems: Sequence[Problem], stream: TextIO, *, color: bool) -> None:
    """Every problem on a line of its own, never wrapped, then how many there are."""
    console = make_console(stream, color=color)
    for problem in problems:
        console.print(problem_line(problem), style=_COLORS[problem.severity], soft_wrap=True)
    console.print(count_line(problems), soft_wrap=True)


def github_annotations(problems: Iterable[Problem]) -> str:
    """Workflow commands that GitHub shows beside the lines of a pull request."""
    lines = []
    for problem in problems:
        places = (("file", problem.file), ("line", problem.line), ("col", problem.column))
        told = [f"{key}={_property(str(value))}" for key, value in places if value is not None]
        told.append(f"title={_property(problem.code)}")
        address = f"{problem.address}: " if problem.address else ""
        lines.append(f"::{_LEVELS[problem.severity]} {','.join(told)}::{_data(address + problem.message)}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
