"""JUnit XML: each mailing is a test case, so that any CI service shows which one failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from smsby_deploy.output.ci_reports import Finding, group_by_mailing
from smsby_deploy.output.values import clean
from smsby_deploy.problems import Severity
from smsby_deploy.status.report import MailingStatus, State, StatusReport


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
        failures = tuple(Failure(one.code, one.message, _place(one)) for one in errors)
        output = "\n".join(f"{_place(one)}: {one.severity} {one.code} {one.message}" for one in others)
        cases.append(Case(name, failures, None, output))
    return junit_text(cases)


def status_junit(report: StatusReport, fail_under: float | None) -> str:
    """One case per mailing.

    It fails if the mailing is unknown, rejected or partly sent, or if it is final and less than `fail_under` percent of
    its recipients got it. It is skipped while the mailing is not final.
    """
    return junit_text([_status_case(mailing, fail_under) for mailing in report.mailings])


def _place(finding: Finding) -> str:
    return f"{finding.file}:{finding.line}:{finding.column}"


def _status_case(mailing: MailingStatus, fail_under: float | None) -> Case:
    counts = (
        f"{mailing.delivered} delivered, {mailing.undelivered} undelivered, {mailing.sent} sent, "
        f"{mailing.pending} pending, {sum(mailing.other.values())} other of {mailing.recipients}"
    )
    if mailing.state in (State.UNKNOWN, State.REJECTED, State.PARTIAL):
        failure = Failure(mailing.state.value, f"{mailing.state}: {counts}")
        return Case(mailing.address, (failure,), None, counts)
    if mailing.state is not State.FINAL:
        return Case(mailing.address, (), f"{mailing.state}: {counts}", counts)
    if fail_under is not None and mailing.delivered * 100 < fail_under * mailing.recipients:
        share = mailing.delivered * 100 / mailing.recipients
        failure = Failure("undelivered", f"{share:.1f}% delivered, less than {fail_under:g}%")
        return Case(mailing.address, (failure,), None, counts)
    return Case(mailing.address, output=counts)


def junit_text(cases: Sequence[Case]) -> str:
    """The XML, with one suite per campaign (the part of a case's name before the slash)."""
    root = Element("testsuites", name="smsby-deploy")
    suites: dict[str, Element] = {}
    for case in cases:
        campaign, _, mailing = clean(case.name).partition("/")
        if campaign not in suites:
            suites[campaign] = SubElement(root, "testsuite", name=campaign)
        node = SubElement(
            suites[campaign], "testcase", classname=campaign, name=mailing or campaign, time="0"
        )
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
