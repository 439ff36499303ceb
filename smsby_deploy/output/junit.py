"""JUnit XML: a mailing is a test case, so that every CI shows what is wrong without knowing of mailings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from smsby_deploy.output.console import clean
from smsby_deploy.output.findings import Finding, by_mailing
from smsby_deploy.problems import Severity
from smsby_deploy.status.report import MailingStatus, State, StatusReport


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. `failures` are (kind, message, where); `skipped` says why nothing can be said yet."""

    name: str
    failures: tuple[tuple[str, str, str], ...] = ()
    skipped: str | None = None
    output: str = ""


def problems_junit(findings: Iterable[Finding], addresses: Sequence[str]) -> str:
    """A case a mailing; its errors fail it, its warnings and notes are its output."""
    cases = []
    for name, found in by_mailing(findings, addresses):
        failures = tuple(
            (one.code, one.message, f"{one.file}:{one.line}:{one.column}")
            for one in found
            if one.severity is Severity.ERROR
        )
        output = "\n".join(
            f"{one.file}:{one.line}:{one.column}: {one.severity} {one.code} {one.message}"
            for one in found
            if one.severity is not Severity.ERROR
        )
        cases.append(Case(name, failures, None, output))
    return junit_text(cases)


def status_junit(report: StatusReport, fail_under: float | None) -> str:
    """A case a mailing: it fails if its outcome is unknown, it was rejected or went out in part, or, once final, if
    less than `fail_under` percent were delivered; it is skipped while it is under way."""
    return junit_text([_status_case(mailing, fail_under) for mailing in report.mailings])


def _status_case(mailing: MailingStatus, fail_under: float | None) -> Case:
    counts = (
        f"{mailing.delivered} delivered, {mailing.undelivered} undelivered, {mailing.sent} sent, "
        f"{mailing.pending} pending, {sum(mailing.other.values())} other of {mailing.recipients}"
    )
    if mailing.state in (State.UNKNOWN, State.REJECTED, State.PARTIAL):
        return Case(mailing.address, ((mailing.state.value, f"{mailing.state}: {counts}", ""),), None, counts)
    if mailing.state is not State.FINAL:
        return Case(mailing.address, (), f"{mailing.state}: {counts}", counts)
    if fail_under is not None and mailing.delivered * 100 < fail_under * mailing.recipients:
        share = mailing.delivered * 100 / mailing.recipients
        message = f"{share:.1f} % delivered, under {fail_under:g} %"
        return Case(mailing.address, (("undelivered", message, ""),), None, counts)
    return Case(mailing.address, output=counts)


def junit_text(cases: Sequence[Case]) -> str:
    """The XML; a suite a campaign (the part of a name before the slash)."""
    root = Element("testsuites", name="smsby-deploy")
    suites: dict[str, Element] = {}
    for case in cases:
        campaign, _, mailing = clean(case.name).partition("/")
        suite = suites.get(campaign)
        if suite is None:
            suite = suites[campaign] = SubElement(root, "testsuite", name=campaign)
        node = SubElement(suite, "testcase", classname=campaign, name=mailing or campaign, time="0")
        for kind, message, where in case.failures:
            failure = SubElement(node, "failure", type=kind, message=clean(message))
            failure.text = f"{where}: {message}" if where else message
        if case.skipped is not None:
            SubElement(node, "skipped", message=clean(case.skipped))
        if case.output:
            SubElement(node, "system-out").text = case.output
    for element in (*suites.values(), root):
        element.set("tests", str(len(element.findall(".//testcase"))))
        element.set("failures", str(len(element.findall(".//testcase[failure]"))))
        element.set("errors", "0")
        element.set("skipped", str(len(element.findall(".//testcase[skipped]"))))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'
