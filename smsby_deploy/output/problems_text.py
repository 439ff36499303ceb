"""Problems as terminal text, one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TextIO

from smsby_deploy.output.console import is_plain, make_console, write_sentence
from smsby_deploy.output.terminal import write_text
from smsby_deploy.output.values import clean, safe_line
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.wording import counted

SEVERITY_COLORS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_MAX_ALIKE = 20


class _Kind(NamedTuple):
    """Problems of one kind differ in nothing but their line and message."""

    severity: Severity
    code: str
    address: str | None
    file: str | None


def problem_line(problem: Problem) -> str:
    """`file:line:column: severity CODE address: message`, without the parts that are not known."""
    place = f"{problem.location}: " if problem.location else ""
    address = f"{problem.address}: " if problem.address else ""
    return clean(f"{place}{problem.severity} {problem.code} {address}") + safe_line(problem.message)


def problem_lines(problems: Iterable[Problem]) -> Iterator[tuple[Severity, str]]:
    """One line per problem, of at most 20 that differ only in line and message.

    Another line says how many more there are.
    """
    seen: Counter[_Kind] = Counter()
    for problem in problems:
        file = problem.location.file if problem.location else None
        kind = _Kind(problem.severity, problem.code, problem.address, file)
        seen[kind] += 1
        if seen[kind] <= _MAX_ALIKE:
            yield problem.severity, problem_line(problem)
    for kind, count in seen.items():
        if count > _MAX_ALIKE:
            place = f"{kind.file}: " if kind.file else ""
            address = f"{kind.address}: " if kind.address else ""
            more = f"{count - _MAX_ALIKE:,} more like these; use --format json to list them all"
            yield kind.severity, clean(f"{place}{kind.severity} {kind.code} {address}{more}")


def count_line(problems: Iterable[Problem]) -> str:
    """`2 errors, 1 warning`, or `no problems found`."""
    counts = Counter(problem.severity for problem in problems)
    found = [counted(counts[severity], severity) for severity in Severity if counts[severity]]
    return ", ".join(found) or "no problems found"


def write_problems(problems: Sequence[Problem], stream: TextIO, *, color: bool) -> None:
    """Write one line per problem, then the counts."""
    if is_plain(
        stream, color=color
    ):  # spare the import of rich, which takes twice as long as starting Python
        lines = (line for _, line in problem_lines(problems))
        write_text("\n".join((*lines, count_line(problems), "")), stream)
        return
    console = make_console(stream, color=color)
    for severity, line in problem_lines(problems):
        write_sentence(console, line, SEVERITY_COLORS[severity])
    console.print(count_line(problems), soft_wrap=True)
