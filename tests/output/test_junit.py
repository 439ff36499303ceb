"""JUnit XML, read by an independent parser."""

from __future__ import annotations

from junitparser import JUnitXml

from smsby_deploy.output.ci_reports import list_findings
from smsby_deploy.output.junit import problems_junit, status_junit
from tests.output import examples
from tests.output.golden import check_golden

FINDINGS = list_findings(examples.problems(), folder="campaigns")


def test_problems_junit_has_a_case_per_mailing() -> None:
    """Also for mailings without problems; errors fail their case, and markup in a message stays text."""
    text = problems_junit(FINDINGS, ["sale/vip", "sale/old", "news/letter"])
    check_golden("problems.junit.xml", text)
    report = JUnitXml.fromstring(text.encode())
    cases = {f"{case.classname}/{case.name}": case for suite in report for case in suite}
    assert set(cases) == {
        "sale/vip",
        "sale/old",
        "news/letter",
        "(project files)/campaigns/lists/out,1.csv",
        "(project files)/campaigns/smsby.yaml",
    }
    assert [len(cases[name].result) for name in ("sale/vip", "sale/old", "news/letter")] == [1, 0, 0]
    assert (report.tests, report.failures, report.errors) == (5, 2, 0)
    assert "<img src=x" in cases["sale/vip"].result[0].message


def test_status_junit_fails_and_skips() -> None:
    """Unknown, rejected and partly sent fail; final ones fail under the limit; the rest is skipped."""
    text = status_junit(examples.status(), 95)
    check_golden("status.junit.xml", text)
    outcome = {
        f"{case.classname}/{case.name}": [type(result).__name__ for result in case.result]
        for suite in JUnitXml.fromstring(text.encode())
        for case in suite
    }
    assert outcome == {
        "news/letter": ["Skipped"],
        "sale/half": ["Failure"],
        "sale/later": ["Skipped"],
        "sale/lost": ["Failure"],
        "sale/refused": ["Failure"],
        "sale/running": ["Skipped"],
        "sale/vip": ["Failure"],
    }
    assert 'type="undelivered"' not in status_junit(examples.status(), 90)
