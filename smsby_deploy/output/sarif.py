"""Problems as SARIF 2.1.0, which code scanning of GitHub and others show beside the lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from smsby_deploy import __version__
from smsby_deploy.output.findings import Finding
from smsby_deploy.problems import Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_MOST = 5_000  # what GitHub keeps of one run


def sarif_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """One run; rule ids are the problem codes, which never change their meaning. The worst 5,000 are told."""
    codes = sorted({finding.code for finding in findings})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "smsby-deploy",
                        "version": __version__,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {
                    "%SRCROOT%": {"description": {"text": "The folder in which the command ran."}}
                },
                "results": [_result(finding, codes.index(finding.code)) for finding in findings[:_MOST]],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    words = code.replace("_", " ").lower()
    return {
        "id": code,
        "shortDescription": {"text": words},
        "help": {"text": f"docs/problems.md tells what {code} means and how to mend it."},
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(finding.file), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                }
            }
        ],
        "partialFingerprints": {"smsbyProblem/v1": finding.fingerprint},
    }
