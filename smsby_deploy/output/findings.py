"""Everything that speaks against a plan, as problems: machine formats know nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from smsby_deploy.config.campaign_files import PROJECT_FILE
from smsby_deploy.config.declarations import Project
from smsby_deploy.output.console import clean
from smsby_deploy.plan.model import Plan
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Location, Problem, Severity

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem as machines get it: on one line, no phone number, always with a place, and a fingerprint that stays
    while the problem stays, also when lines above it come and go."""

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


def plan_problems(plan: Plan, project: Project, refused: str | None = None) -> tuple[Problem, ...]:
    """The plan's problems, and its blocked mailings and the guardrail on the whole apply as errors at their places."""
    places = {mailing.address: mailing.location for mailing in project.mailings}
    found = list(plan.problems)
    for action in plan.blocked:
        place = places.get(action.address)
        found.append(Problem(Severity.ERROR, "BLOCKED", action.reason, action.address, place))
    if refused:
        found.append(Problem(Severity.ERROR, "REFUSED", refused, location=Location(project.file)))
    return tuple(found)


def list_findings(problems: Iterable[Problem], *, folder: str = ".") -> list[Finding]:
    """The worst first, else in their order. Files are named with `folder` before them; what has no place stands at the
    first line of smsby.yaml."""
    seen: dict[str, int] = {}
    prefix = "" if folder == "." else f"{folder}/"
    return [
        Finding(
            problem.severity,
            problem.code,
            mask_phones(clean(problem.message)),
            problem.address,
            clean(f"{prefix}{place.file or PROJECT_FILE}"),
            place.line or 1,
            place.column or 1,
            _fingerprint(problem, seen),
        )
        for problem in sorted(problems, key=lambda problem: _ORDER[problem.severity])
        for place in (problem.location or Location(PROJECT_FILE),)
    ]


def by_mailing(findings: Iterable[Finding], addresses: Iterable[str]) -> Iterator[tuple[str, list[Finding]]]:
    """The findings of each address, also where there are none; those of no mailing under `(project files)/FILE`."""
    told: Mapping[str, list[Finding]] = {address: [] for address in addresses}
    rest: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.address is not None and finding.address in told:
            told[finding.address].append(finding)
        else:
            rest.setdefault(finding.file, []).append(finding)
    yield from told.items()
    for file, found in rest.items():
        yield f"(project files)/{file}", found


def _fingerprint(problem: Problem, seen: dict[str, int]) -> str:
    facts = "\n".join(
        (
            problem.code,
            problem.location.file if problem.location else "",
            problem.address or "",
            mask_phones(problem.message),
        )
    )
    count = seen[facts] = seen.get(facts, 0) + 1
    return hashlib.sha256(f"{facts}\n{count}".encode()).hexdigest()[:40]
