"""Problems of a project: errors, warnings and notes, collected and reported together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from smsby_deploy.privacy import mask_phones
from smsby_deploy.wording import escape_controls, remove_controls

_LONGEST_MESSAGE = 100_000  # characters, as in plan.schema.json


class Location(NamedTuple):
    """A place in a file; `line` and `column` count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in self if part is not None)


class Severity(StrEnum):
    """How serious a problem is; only errors make the files invalid."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about the project.

    code: a stable word; docs/problems.md explains each
    message: what is wrong and what to do; it may contain phone numbers, which are masked when it is written
    location: `line` is the physical line, so the header of a CSV is line 1; a problem of a whole line has column 1
    """

    severity: Severity
    code: str
    message: str
    address: str | None = None
    location: Location | None = None

    def __post_init__(self) -> None:
        place = self.location
        if place is not None and not place.file.isprintable():
            place = place._replace(file=escape_controls(place.file))
            object.__setattr__(self, "location", place)
        if not self.message.isprintable():
            object.__setattr__(self, "message", printable(self.message))
        if place is not None and place.line is not None and place.column is None:
            object.__setattr__(self, "location", place._replace(column=1))

    @property
    def is_error(self) -> bool:
        """Whether it makes the files invalid."""
        return self.severity is Severity.ERROR


def printable(text: str) -> str:
    """Return `text` without control characters, and with ? for what UTF-8 cannot express.

    That is, bytes of a file name that are not UTF-8.
    """
    return remove_controls(text.encode("utf-8", "replace").decode())


def has_errors(problems: Iterable[Problem]) -> bool:
    """Return whether at least one problem is an error."""
    return any(problem.is_error for problem in problems)


def problem_document(problem: Problem) -> dict[str, Any]:
    """Return `problem` as it appears in plan files and in `--format json`."""
    file, line, column = problem.location or (None, None, None)
    return {
        "severity": problem.severity.value,
        "code": problem.code,
        "address": problem.address,
        "file": file,
        "line": line,
        "column": column,
        "message": mask_phones(problem.message)[:_LONGEST_MESSAGE],
    }


class ProblemLog:
    """A list of problems that only grows."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def error(self, code: str, message: str, location: Location) -> None:
        self._problems.append(Problem(Severity.ERROR, code, message, location=location))

    def warning(self, code: str, message: str, location: Location) -> None:
        self._problems.append(Problem(Severity.WARNING, code, message, location=location))

    def extend(self, problems: Iterable[Problem]) -> None:
        self._problems.extend(problems)

    def __len__(self) -> int:
        return len(self._problems)

    def since(self, count: int) -> list[Problem]:
        """Return the problems added after the log had `count` of them."""
        return self._problems[count:]

    def distinct(self) -> tuple[Problem, ...]:
        """Return each problem once; mailings that share a setting report it several times."""
        return tuple(dict.fromkeys(self._problems))
