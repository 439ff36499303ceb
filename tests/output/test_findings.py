"""Problems prepared for CI services."""

from __future__ import annotations

from smsby_deploy.output.findings import group_by_mailing, list_findings
from smsby_deploy.problems import Location, Problem, Severity
from tests.output import examples


def test_fingerprint_stays_when_a_line_moves() -> None:
    """A line added above makes no new problem; two equal problems have two fingerprints."""
    problem = Problem(Severity.ERROR, "PHONE", "bad", "c/x", Location("l.csv", 3))
    moved = Problem(Severity.ERROR, "PHONE", "bad", "c/x", Location("l.csv", 4))
    (first,), (second,) = list_findings([problem]), list_findings([moved])
    assert first.fingerprint == second.fingerprint
    assert len({finding.fingerprint for finding in list_findings([problem, moved])}) == 2


def test_list_findings_puts_errors_first() -> None:
    """A problem without a place gets the first line of smsby.yaml; files are named with their folder."""
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
    """Findings that concern no listed mailing are grouped by file."""
    groups = dict(group_by_mailing(list_findings(examples.problems()), ["sale/vip", "sale/now"]))
    assert [len(found) for found in groups.values()] == [1, 0, 1, 1, 1]
    assert list(groups)[2:] == [
        "(project files)/smsby.yaml",
        "(project files)/lists/out,1.csv",
        "(project files)/sale.yaml",
    ]
