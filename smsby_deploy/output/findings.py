"""Problems prepared for CI services: one line of text, always with a place, and a stable fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.output.values import clean, safe_line
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Location, Problem, Severity

_RANKS = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem as CI services take it.

    `message` is masked and on one line. `fingerprint` stays the same while the problem does, also if its line moves.
    """

    severity: Severity
    code: str
    message: str
    address: str | None
    file: str
    line: int
    column: int
    fingerprint: str

    @property
    def text(self) -> str:
        return f"{self.address}: {self.message}" if self.address else self.message


def list_findings(problems: Iterable[Problem], *, folder: str = ".") -> list[Finding]:
    """The findings, errors first, otherwise in the order of `problems`.

    `folder` is put before the file names. A problem without a place gets the first line of smsby.yaml.
    """
    seen: dict[str, int] = {}
    prefix = "" if folder == "." else f"{folder}/"
    findings = []
    for problem in sorted(problems, key=lambda problem: _RANKS[problem.severity]):
        place = problem.location or Location(PROJECT_FILE)
        findings.append(
            Finding(
                problem.severity,
                problem.code,
                safe_line(problem.message),
                problem.address,
                clean(f"{prefix}{place.file or PROJECT_FILE}"),
                place.line or 1,
                place.column or 1,
                _fingerprint(problem, seen),
            )
        )
    return findings


def group_by_mailing(
    findings: Iterable[Finding], addresses: Iterable[str]
) -> Iterator[tuple[str, list[Finding]]]:
    """The findings of each address, even if there are none; others follow under `(project files)/FILE`."""
    by_address: dict[str, list[Finding]] = {address: [] for address in addresses}
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.address is not None and finding.address in by_address:
            by_address[finding.address].append(finding)
        else:
            by_file.setdefault(finding.file, []).append(finding)
    yield from by_address.items()
    for file, found in by_file.items():
        yield f"(project files)/{file}", found


def _fingerprint(problem: Problem, seen: dict[str, int]) -> str:
    """Without the line; `seen` counts equal problems, so that each gets a fingerprint of its own."""
    file = problem.location.file if problem.location else ""
    facts = "\n".join((problem.code, file, problem.address or "", mask_phones(problem.message)))
    count = seen[facts] = seen.get(facts, 0) + 1
    return hashlib.sha256(f"{facts}\n{count}".encode()).hexdigest()[:40]
