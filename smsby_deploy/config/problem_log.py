"""The errors found while a project is loaded, reported together."""

from __future__ import annotations

from collections.abc import Iterable

from smsby_deploy.problems import Location, Problem, Severity


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
        """Return every problem once: mailings that share a setting report it several times."""
        return tuple(dict.fromkeys(self._problems))
