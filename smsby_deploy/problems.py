"""What is wrong, or worth knowing, about a project: collected, then reported together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from smsby_deploy.privacy import mask_phones


class Location(NamedTuple):
    """A place in a file; `line` and `column` count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self) if part is not None)


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding, at its place. `code` is a stable word; docs/problems.md explains each.

    `line` is the physical line, counted from 1 (a CSV's header is line 1). What concerns a whole line, as a row of
    recipients, stands at its column 1. A number that could be somebody's phone is starred out of `message`, whoever wrote
    it and wherever it is shown.
    """

    severity: Severity
    code: str
    message: str
    address: str | None = None
    location: Location | None = None

    def __post_init__(self) -> None:
        place = self.location
        if place is not None and place.line is not None and place.column is None:
            object.__setattr__(self, "location", place._replace(column=1))


def has_errors(problems: Iterable[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def problem_document(problem: Problem) -> dict[str, Any]:
    """The object that stands for `problem` in every JSON document: in plan files and in `--format json`."""
    file, line, column = problem.location or (None, None, None)
    return {
        "severity": problem.severity.value,
        "code": problem.code,
        "address": problem.address,
        "file": file,
        "line": line,
        "column": column,
        "message": mask_phones(problem.message),
    }
