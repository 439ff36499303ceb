"""What is wrong, or worth knowing, about a project: collected, then reported together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from smsby_deploy.errors import Location
from smsby_deploy.privacy import mask_numbers


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
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", mask_numbers(self.message))
        if self.line is not None and self.column is None:
            object.__setattr__(self, "column", 1)

    @property
    def location(self) -> Location | None:
        return Location(self.file, self.line, self.column) if self.file else None


def has_errors(problems: Iterable[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)
