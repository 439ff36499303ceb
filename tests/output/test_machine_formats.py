"""Problems for machines, each read by somebody else's parser."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from actions_toolkit.command import Command
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from junitparser import JUnitXml
from mypy_gitlab_code_quality import GitlabIssue
from mypy_gitlab_code_quality import Severity as GitlabSeverity
from sarif_pydantic import Sarif
from typeguard import TypeCheckError, check_type

from smsby_deploy.config.declarations import ApiSettings, Guardrails, Project
from smsby_deploy.output.codeclimate import codeclimate_document
from smsby_deploy.output.findings import Finding, list_findings, plan_problems
from smsby_deploy.output.json_documents import inert_json_text, json_text, validate_document, write_json
from smsby_deploy.output.junit import problems_junit, status_junit
from smsby_deploy.output.problems_text import github_annotations
from smsby_deploy.output.sarif import sarif_document
from smsby_deploy.plan.plan_file import plan_document
from smsby_deploy.problems import Location, Problem, Severity
from tests.output import examples
from tests.output.golden import check_golden

FINDINGS = list_findings(examples.problems(), folder="campaigns")
# How the runner reads a line: actions/runner, ActionCommand.TryParseV2.
_COMMAND = re.compile(r"::(?P<command>[^ :]+) (?P<properties>.*?)::(?P<data>.*)")


def test_sarif() -> None:
    """Read by the models of SARIF 2.1.0; rule ids are the codes, places are there, uris are escaped."""
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


def test_fingerprints_stay_when_lines_move() -> None:
    """A line more above a problem makes no new problem of it; two equal ones are two."""
    problem = Problem(Severity.ERROR, "PHONE", "bad", "c/x", Location("l.csv", 3))
    moved = Problem(Severity.ERROR, "PHONE", "bad", "c/x", Location("l.csv", 4))
    (first,), (second,) = list_findings([problem]), list_findings([moved])
    assert first.fingerprint == second.fingerprint
    assert len({finding.fingerprint for finding in list_findings([problem, moved])}) == 2


def _as_gitlab_types_it(issue: dict[str, Any]) -> dict[str, Any]:
    """Without what Code Climate alone wants; a severity of those that are typed, ours are looked at apart."""
    wanted = ("description", "check_name", "fingerprint", "location")
    return {key: issue[key] for key in wanted} | {"severity": GitlabSeverity.major}


def test_codeclimate() -> None:
    """Typed as another tool types what GitLab takes; a severity that GitLab knows, a path as it wants it."""
    document = codeclimate_document(FINDINGS)
    check_golden("problems.codeclimate.json", inert_json_text(document))
    assert len({issue["fingerprint"] for issue in document}) == len(document)
    for issue in document:
        check_type(_as_gitlab_types_it(issue), GitlabIssue)
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["description"]
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith(("/", "./"))
    with pytest.raises(TypeCheckError):
        check_type(_as_gitlab_types_it(document[0] | {"location": {}}), GitlabIssue)


def test_junit() -> None:
    """A case a mailing, also the good ones; errors fail it, and a markup in a message is text."""
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


def test_junit_of_a_status() -> None:
    """Unknown, rejected and half-sent fail; final ones fail under the limit; the rest is skipped, not passed."""
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


def test_github() -> None:
    """The worst first, a command a line, nothing in a name or message ends or begins one."""
    text = github_annotations(FINDINGS)
    check_golden("problems.github.txt", text)
    commands = [_COMMAND.fullmatch(line) for line in text.splitlines()]
    assert [found and found["command"] for found in commands] == ["error", "error", "warning", "notice"]
    assert commands[2] is not None
    assert "file=campaigns/lists/out%2C1.csv,line=7" in commands[2]["properties"]


@given(st.text(), st.text(min_size=1), st.integers(1, 10**6), st.sampled_from(list(Severity)))
def test_github_writes_what_its_own_toolkit_writes(
    text: str, file: str, line: int, severity: Severity
) -> None:
    """Whatever a path or a message holds, it is escaped as @actions/core does."""
    finding = Finding(severity, "TEMPLATE", text, None, file, line, 7, "f")
    level = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}[severity]
    properties = {"file": file, "line": line, "col": 7, "title": "TEMPLATE"}
    assert github_annotations([finding]) == f"{Command(level, properties, finding.text)}\n"


def test_github_shows_ten_of_a_kind() -> None:
    """The tenth says how many more there are; those are in the log, and none of them is a command."""
    many = [
        Problem(Severity.ERROR, "PHONE", f"row {i} ##[error]", "c/x", Location("::error::l.csv", i))
        for i in range(25)
    ]
    lines = github_annotations(list_findings(many)).splitlines()
    assert sum(line.startswith("::error ") for line in lines) == 10
    assert "16 more of this kind" in lines[9]
    assert len(lines) == 10 + 16
    assert all(line.startswith("- ") and "##[" not in line for line in lines[10:])


def test_what_blocks_a_plan_is_a_problem_of_it() -> None:
    """A blocked mailing and a refused apply turn a report red as they turn the exit code."""
    project = Project(
        root=Path("/p"),
        name="shop",
        api=ApiSettings(),
        guardrails=Guardrails(),
        price=None,
        suppress=(),
        lock=Path("/p/lock"),
        campaigns=(),
    )
    found = plan_problems(examples.whole_plan(), project, "max_cost: 9 > 5")
    assert [problem.code for problem in found[-2:]] == ["BLOCKED", "REFUSED"]
    assert all(problem.severity is Severity.ERROR for problem in found[-2:])


def test_the_plan_as_json() -> None:
    """It fits the schema that is shipped, as somebody else's validator reads it."""
    document = plan_document(examples.whole_plan())
    check_golden("plan.json", json_text(document))
    schema = json.loads((Path(__file__).parents[2] / "schema/plan.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(json.loads(json_text(document)))


def test_the_problems_as_json() -> None:
    """With their sum, for programs that know no other format."""
    stream = io.StringIO()
    write_json(validate_document(examples.problems()), stream)
    check_golden("problems.json", stream.getvalue())
    assert json.loads(stream.getvalue())["summary"] == {"errors": 2, "warnings": 1, "notes": 1}
