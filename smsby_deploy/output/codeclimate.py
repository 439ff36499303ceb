"""Problems as a Code Climate report, which GitLab shows in a merge request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smsby_deploy.output.findings import Finding
from smsby_deploy.problems import Severity

_SEVERITIES = {Severity.ERROR: "blocker", Severity.WARNING: "major", Severity.NOTE: "info"}


def codeclimate_document(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """One issue a finding; the fingerprints stay the same while a problem stays."""
    return [
        {
            "type": "issue",
            "check_name": finding.code,
            "description": finding.text,
            "categories": ["Bug Risk"],
            "severity": _SEVERITIES[finding.severity],
            "fingerprint": finding.fingerprint,
            "location": {
                "path": finding.file,
                "lines": {"begin": finding.line},  # or `positions`, never both
            },
        }
        for finding in findings
    ]
