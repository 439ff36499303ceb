"""Findings in the formats of CI services: GitHub annotations, SARIF, Code Climate and JUnit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from smsby_deploy import __version__
from smsby_deploy.output.findings import Finding
from smsby_deploy.problems import Severity

_ANNOTATIONS = 10  # GitHub shows so many of each level per step and silently drops the rest
_ANNOTATION_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_SARIF_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_SARIF_RESULTS = 5_000  # GitHub keeps so many of one run
_GITLAB_SEVERITIES = {Severity.ERROR: "blocker", Severity.WARNING: "major", Severity.NOTE: "info"}


def ci_report(form: str, findings: Sequence[Finding], addresses: Sequence[str]) -> str:
    """The findings as `form`: github, sarif, codeclimate or junit. `addresses` are all mailings, for JUnit's cases."""
    from smsby_deploy.output.json_documents import inert_json_text
    from smsby_deploy.output.junit import problems_junit

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
    """Workflow commands, which GitHub shows beside the lines of a pull request, errors first.

    If there are more than GitHub shows of a level, its last annotation says how many are in the log, and those follow
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
            lines.append(f"::{level} title={len(more)} more::{len(more)} more of this level are in the log\n")
            rest += [f"- {_log_line(finding)}\n" for finding in more]
    return "".join(lines + rest)


def _annotation(finding: Finding) -> str:
    properties = {
        "file": finding.file,
        "line": finding.line,
        "col": finding.column,
        "title": finding.code,
    }
    encoded = ",".join(f"{key}={_encode_property(str(value))}" for key, value in properties.items())
    return f"::{_ANNOTATION_LEVELS[finding.severity]} {encoded}::{_encode_data(finding.text)}\n"


def _log_line(finding: Finding) -> str:
    place = f"{finding.file}:{finding.line}:{finding.column}"
    # In the older syntax `##[` is a command anywhere in a line.
    return f"{place}: {finding.severity} {finding.code} {finding.text}".replace("##[", "## [")


def _encode_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _encode_property(text: str) -> str:
    return _encode_data(text).replace(":", "%3A").replace(",", "%2C")


# --- SARIF -----------------------------------------------------------------------------------------------------------


def sarif_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """A SARIF 2.1.0 log with one run; rule ids are the problem codes. It keeps the first 5,000 findings."""
    codes = sorted({finding.code for finding in findings})
    rules = [_sarif_rule(code) for code in codes]
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


def _sarif_rule(code: str) -> dict[str, Any]:
    return {
        "id": code,
        "shortDescription": {"text": code.replace("_", " ").lower()},
        "help": {"text": f"docs/problems.md explains {code} and how to fix it."},
    }


def _sarif_result(finding: Finding, rule: int) -> dict[str, Any]:
    location = {
        "artifactLocation": {"uri": quote(finding.file), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": finding.line, "startColumn": finding.column},
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _SARIF_LEVELS[finding.severity],
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
