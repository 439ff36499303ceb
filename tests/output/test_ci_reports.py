"""Problems in the formats of CI services, and the findings they are made from."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from actions_toolkit.command import Command
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml
from mypy_gitlab_code_quality import GitlabIssue
from mypy_gitlab_code_quality import Severity as GitlabSeverity
from sarif_pydantic import Sarif
from typeguard import TypeCheckError, check_type

from smsby_deploy.output.ci_reports import (
    Finding,
    ci_report,
    codeclimate_document,
    github_annotations,
    group_by_mailing,
    list_findings,
    problems_junit,
    sarif_document,
    status_junit,
)
from smsby_deploy.output.json_documents import inert_json_text
from smsby_deploy.problems import Location, Problem, Severity
from tests.output import examples
from tests.output.golden import check_golden

FINDINGS = list_findings(examples.problems(), folder="campaigns")
# How the runner parses a line: actions/runner, ActionCommand.TryParseV2.
_COMMAND = re.compile(r"::(?P<command>[^ :]+) (?P<properties>.*?)::(?P<data>.*)")


def test_sarif_document_is_valid() -> None:
    """The models of SARIF 2.1.0 read the document; rule ids are the codes, and URIs are escaped."""
    text = inert_json_text(sarif_document(FINDINGS))
    check_golden("problems.sarif", text)
    (run,) = Sarif.model_validate_json(text).runs
    assert [result.rule_id for result in run.results or []] == [
        "TEMPLATE",
        "GUARDRAIL_PRICE",
        "SUPPRESS_PHONE",
        "AUDIENCE_CHANGED",
    ]
    raw = json.loads(text)["runs"][0]
    assert {result["ruleId"] for result in raw["results"]} == {
        r["id"] for r in raw["tool"]["driver"]["rules"]
    }
    for result in raw["results"]:
        assert raw["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert raw["results"][2]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == (
        "campaigns/lists/out%2C1.csv"
    )


def _gitlab_issue(issue: dict[str, Any]) -> dict[str, Any]:
    """Return the part that GitLab types, with one of its severities; ours are checked separately."""
    wanted = ("description", "check_name", "fingerprint", "location")
    return {key: issue[key] for key in wanted} | {"severity": GitlabSeverity.major}


def test_codeclimate_document_suits_gitlab() -> None:
    """The document has the types, severities and paths that GitLab accepts."""
    document = codeclimate_document(FINDINGS)
    check_golden("problems.codeclimate.json", inert_json_text(document))
    assert len({issue["fingerprint"] for issue in document}) == len(document)
    for issue in document:
        check_type(_gitlab_issue(issue), GitlabIssue)
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["description"]
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith(("/", "./"))
    with pytest.raises(TypeCheckError):
        check_type(_gitlab_issue(document[0] | {"location": {}}), GitlabIssue)


def test_github_annotations_put_errors_first() -> None:
    """Errors come first, one command per line, and nothing in a name or message ends or starts a command."""
    text = github_annotations(FINDINGS)
    check_golden("problems.github.txt", text)
    commands = [_COMMAND.fullmatch(line) for line in text.splitlines()]
    assert [found and found["command"] for found in commands] == ["error", "error", "warning", "notice"]
    assert commands[2] is not None
    assert "file=campaigns/lists/out%2C1.csv,line=7" in commands[2]["properties"]


@given(st.text(), st.text(min_size=1), st.integers(1, 10**6), st.sampled_from(list(Severity)))
def test_github_annotations_escape_as_its_toolkit(
    text: str, file: str, line: int, severity: Severity
) -> None:
    """Paths and messages are escaped like in @actions/core."""
    finding = Finding(severity, "TEMPLATE", text, None, file, line, 7, "f")
    level = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}[severity]
    properties = {"file": file, "line": line, "col": 7, "title": "TEMPLATE"}
    assert github_annotations([finding]) == f"{Command(level, properties, finding.text)}\n"


def test_github_annotations_stop_at_ten() -> None:
    """The tenth annotation says how many more there are, and those follow as plain lines without commands."""
    many = [
        Problem(Severity.ERROR, "PHONE", f"row {i} ##[error]", "c/x", Location("::error::l.csv", i))
        for i in range(25)
    ]
    lines = github_annotations(list_findings(many)).splitlines()
    assert sum(line.startswith("::error ") for line in lines) == 10
    assert "16 more of this level" in lines[9]
    assert len(lines) == 10 + 16
    assert all(line.startswith("- ") and "##[" not in line for line in lines[10:])


def test_github_annotations_escape_line_breaks() -> None:
    """Nothing in a file name or a message ends the workflow command early."""
    expected = "::error file=lists/a%2Cb.csv,line=3,col=1,title=PHONE::c/x: bad 100%25\n"
    problem = Problem(Severity.ERROR, "PHONE", "bad\n100%", "c/x", Location("lists/a,b.csv", 3, 1))
    assert github_annotations(list_findings([problem])) == expected


def test_ci_report_has_every_format() -> None:
    """Each format is written, and an unknown one is an error."""
    addresses = ["sale/vip"]
    assert ci_report("github", FINDINGS, addresses) == github_annotations(FINDINGS)
    assert json.loads(ci_report("sarif", FINDINGS, addresses)) == sarif_document(FINDINGS)
    assert json.loads(ci_report("codeclimate", FINDINGS, addresses)) == codeclimate_document(FINDINGS)
    assert ci_report("junit", FINDINGS, addresses).startswith("<?xml")
    with pytest.raises(ValueError, match="no such format"):
        ci_report("html", FINDINGS, addresses)


def test_fingerprint_stays_when_a_line_moves() -> None:
    """A line added above a problem does not change its fingerprint, and two equal problems have two."""
    problem = Problem(Severity.ERROR, "PHONE", "bad", "c/x", Location("l.csv", 3))
    moved = Problem(Severity.ERROR, "PHONE", "bad", "c/x", Location("l.csv", 4))
    (first,), (second,) = list_findings([problem]), list_findings([moved])
    assert first.fingerprint == second.fingerprint
    assert len({finding.fingerprint for finding in list_findings([problem, moved])}) == 2


def test_list_findings_puts_errors_first() -> None:
    """Errors come first, a problem without a place is at the first line of smsby.yaml, and files have their folder."""
    findings = list_findings(examples.problems(), folder="campaigns")
    assert [finding.severity for finding in findings] == [
        Severity.ERROR,
        Severity.ERROR,
        Severity.WARNING,
        Severity.NOTE,
    ]
    assert (findings[1].file, findings[1].line, findings[1].column) == ("campaigns/smsby.yaml", 1, 1)
    assert findings[2].file == "campaigns/lists/out,1.csv"


def test_group_by_mailing_keeps_mailings_without_findings() -> None:
    """Mailings without findings are kept, and other findings are grouped by file."""
    groups = dict(group_by_mailing(list_findings(examples.problems()), ["sale/vip", "sale/now"]))
    assert [len(found) for found in groups.values()] == [1, 0, 1, 1, 1]
    assert list(groups)[2:] == [
        "(project files)/smsby.yaml",
        "(project files)/lists/out,1.csv",
        "(project files)/sale.yaml",
    ]


FAILURES = list_findings(examples.problems(), folder="campaigns")


def test_problems_junit_has_a_case_per_mailing() -> None:
    """Every mailing is a case, errors fail it, and markup in a message stays text."""
    text = problems_junit(FAILURES, ["sale/vip", "sale/old", "news/letter"])
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
    """Unknown, rejected and partly sent mailings fail, final ones below the limit too, and the rest is skipped."""
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
        "sale/waves": ["Skipped"],
    }
    assert 'type="undelivered"' not in status_junit(examples.status(), 90)
