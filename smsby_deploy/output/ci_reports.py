"""Problems as GitHub annotations, SARIF, Code Climate and JUnit.

A finding is a problem prepared for them: one line of text, always with a place, and a stable fingerprint.

JUnit has a test case per mailing, for statuses, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from smsby_deploy import __version__
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.output.terminal import break_commands, clean, safe_line
from smsby_deploy.plan.selection import campaign_of
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.status.status_report import MailingStatus, State, StatusReport

_ANNOTATIONS = 10  # GitHub shows this many of each level per step and silently drops the rest
_ANNOTATION_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_SARIF_RESULTS = 5_000  # GitHub keeps this many of one run
_LOG_LINES = 1_000  # plain lines of a level after the annotations
_GITLAB_SEVERITIES = {Severity.ERROR: "blocker", Severity.WARNING: "major", Severity.NOTE: "info"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in the form that CI services take.

    `message` is masked and on one line. `fingerprint` stays the same while the problem does, even if its line moves.
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

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def list_findings(problems: Iterable[Problem], *, folder: str = ".") -> list[Finding]:
    """The findings, errors first, otherwise in the order of `problems`.

    `folder` is put before the file names. A problem without a place gets the first line of smsby.yaml.
    """
    seen: dict[str, int] = {}
    prefix = "" if folder == "." else f"{folder}/"
    findings = []
    for problem in sorted(problems, key=lambda problem: [*Severity].index(problem.severity)):
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
    """The findings of each address, even if there are none.

    Others follow under `(project files)/FILE`.
    """
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
    """A fingerprint that does not depend on the line.

    `seen` counts equal problems, so that each gets a different fingerprint.
    """
    file = problem.location.file if problem.location else ""
    facts = "\n".join((problem.code, file, problem.address or "", mask_phones(problem.message)))
    count = seen[facts] = seen.get(facts, 0) + 1
    return hashlib.sha256(f"{facts}\n{count}".encode()).hexdigest()[:40]


def ci_report(form: str, findings: Sequence[Finding], addresses: Sequence[str]) -> str:
    """The findings as `form`: github, sarif, codeclimate or junit.

    `addresses` are all mailings, for JUnit's cases.
    """
    from smsby_deploy.output.json_documents import inert_json_text

    match form:
        case "github":
            return github_annotations(findings)
        case "sarif":
            return inert_json_text(sarif_document(findings))
        case "codeclimate":
            return inert_json_text(codeclimate_document(findings))
        case "junit":
            return problems_junit(findings, addresses)
    raise ValueError(f"no such format: {form}")


# --- GitHub ----------------------------------------------------------------------------------------------------------


def github_annotations(findings: Sequence[Finding]) -> str:
    """Workflow commands, which GitHub shows next to the lines of a pull request, errors first.

    If a level has more than GitHub shows, its last annotation says how many more there are, and the first of those follow
    as plain lines.
    """
    lines: list[str] = []
    rest: list[str] = []
    for severity in Severity:
        same_level = [finding for finding in findings if finding.severity is severity]
        shown = same_level if len(same_level) <= _ANNOTATIONS else same_level[: _ANNOTATIONS - 1]
        lines += [_annotation(finding) for finding in shown]
        if more := same_level[len(shown) :]:
            level = _ANNOTATION_LEVELS[severity]
            lines.append(f"::{level} title={len(more)} more::{len(more)} more of this level: see the log\n")
            rest += [
                break_commands(f"- {one.place}: {severity} {one.code} {one.text}\n")
                for one in more[:_LOG_LINES]
            ]
            if len(more) > _LOG_LINES:
                rest.append(f"- {len(more) - _LOG_LINES:,} more; --format json lists them all\n")
    return "".join(lines + rest)


def _annotation(finding: Finding) -> str:
    properties = {"file": finding.file, "line": finding.line, "col": finding.column, "title": finding.code}
    values = {key: _encode_data(str(value)).replace(":", "%3A") for key, value in properties.items()}
    encoded = ",".join(f"{key}={value.replace(',', '%2C')}" for key, value in values.items())
    return f"::{_ANNOTATION_LEVELS[finding.severity]} {encoded}::{_encode_data(finding.text)}\n"


def _encode_data(text: str) -> str:
    return break_commands(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


# --- SARIF -----------------------------------------------------------------------------------------------------------


def sarif_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """A SARIF 2.1.0 log with one run; rule ids are the problem codes.

    It keeps the first 5,000 findings.
    """
    codes = sorted({finding.code for finding in findings})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": code.replace("_", " ").lower()},
            "help": {"text": f"docs/problems.md explains {code} and how to fix it."},
        }
        for code in codes
    ]
    driver = {"name": "smsby-deploy", "version": __version__, "rules": rules}
    root = {"description": {"text": "The directory in which the command ran."}}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"%SRCROOT%": root},
                "results": [
                    _sarif_result(finding, codes.index(finding.code)) for finding in findings[:_SARIF_RESULTS]
                ],
            }
        ],
    }


def _sarif_result(finding: Finding, rule: int) -> dict[str, Any]:
    location = {
        "artifactLocation": {"uri": quote(finding.file), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": finding.line, "startColumn": finding.column},
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity.value,
        "message": {"text": finding.text},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"smsbyProblem/v1": finding.fingerprint},
    }


# --- Code Climate ----------------------------------------------------------------------------------------------------


def codeclimate_document(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """A Code Climate report, which GitLab shows in a merge request; one issue per finding."""
    return [
        {
            "type": "issue",
            "check_name": finding.code,
            "description": finding.text,
            "categories": ["Bug Risk"],
            "severity": _GITLAB_SEVERITIES[finding.severity],
            "fingerprint": finding.fingerprint,
            # The format allows `lines` or `positions`, never both.
            "location": {"path": finding.file, "lines": {"begin": finding.line}},
        }
        for finding in findings
    ]


@dataclass(frozen=True, slots=True)
class Failure:
    """`kind` is a problem code or a state; `place` is where to look, or empty."""

    kind: str
    message: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One test case; `skipped` says why its outcome is not known yet."""

    name: str
    failures: tuple[Failure, ...] = ()
    skipped: str | None = None
    output: str = ""


def problems_junit(findings: Iterable[Finding], addresses: Sequence[str]) -> str:
    """One case per mailing: errors are its failures, warnings and notes its output."""
    cases = []
    for name, found in group_by_mailing(findings, addresses):
        errors = [one for one in found if one.severity is Severity.ERROR]
        others = [one for one in found if one.severity is not Severity.ERROR]
        failures = tuple(Failure(one.code, one.message, one.place) for one in errors)
        output = "\n".join(f"{one.place}: {one.severity} {one.code} {one.message}" for one in others)
        cases.append(Case(name, failures, None, output))
    return junit_text(cases)


def status_junit(report: StatusReport, fail_under: float | None) -> str:
    """One case per mailing.

    It fails if the mailing is unknown, rejected or partly sent, or if it is final and less than `fail_under` percent of
    its recipients got it. It is skipped while the mailing is not final.
    """
    return junit_text([_status_case(mailing, fail_under) for mailing in report.mailings])


def _status_case(mailing: MailingStatus, fail_under: float | None) -> Case:
    counts = (
        f"{mailing.delivered} delivered, {mailing.undelivered} undelivered, {mailing.sent} sent, "
        f"{mailing.pending} pending, {sum(mailing.other.values())} other of {mailing.recipients}"
    )
    counts = "; ".join((counts, *map(safe_line, mailing.notes)))
    if mailing.has_failed:
        failure = Failure(mailing.state.value, f"{mailing.state}: {counts}")
        return Case(mailing.name, (failure,), None, counts)
    if mailing.state is not State.FINAL:
        return Case(mailing.name, (), f"{mailing.state}: {counts}", counts)
    if fail_under is not None and mailing.percent_delivered < fail_under:
        failure = Failure(
            "undelivered", f"{mailing.percent_delivered:.1f}% delivered, less than {fail_under:g}%"
        )
        return Case(mailing.name, (failure,), None, counts)
    return Case(mailing.name, output=counts)


def junit_text(cases: Sequence[Case]) -> str:
    """The XML, with one suite per campaign."""
    root = Element("testsuites", name="smsby-deploy")
    suites: dict[str, Element] = {}
    for case in cases:
        name = clean(case.name)
        campaign = campaign_of(name)
        if campaign not in suites:
            suites[campaign] = SubElement(root, "testsuite", name=campaign)
        mailing = name.removeprefix(f"{campaign}/")
        node = SubElement(suites[campaign], "testcase", classname=campaign, name=mailing, time="0")
        _fill_case(node, case)
    for element in (*suites.values(), root):
        element.set("tests", str(len(element.findall(".//testcase"))))
        element.set("failures", str(len(element.findall(".//testcase[failure]"))))
        element.set("errors", "0")
        element.set("skipped", str(len(element.findall(".//testcase[skipped]"))))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _fill_case(node: Element, case: Case) -> None:
    for failure in case.failures:
        element = SubElement(node, "failure", type=failure.kind, message=clean(failure.message))
        element.text = f"{failure.place}: {failure.message}" if failure.place else failure.message
    if case.skipped is not None:
        SubElement(node, "skipped", message=clean(case.skipped))
    if case.output:
        SubElement(node, "system-out").text = case.output
