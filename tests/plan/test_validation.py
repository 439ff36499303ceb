"""What `validate` and `test` do with a whole project."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.plan.mailing_test_results import TestOutcome
from smsby_deploy.plan.validation import run_mailing_tests

_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {file: list.csv}
    text: Hello {{ name }}
    tests: [{row: {name: Anna}, text: Hello}, {row: {name: Anna}, parts: 1}]
  - name: plain
    recipients: {file: list.csv}
    text: Hello {{ nmae }}
  - name: over
    recipients: {file: list.csv}
    text: Hello {{ name }}
    tests: [{row: {name: Anna}, text: Hello}]
    cancelled: no longer needed
"""


def test_mailings_that_are_not_sent_any_more_fail_no_test(tmp_path: Path) -> None:
    """Their failed tests are skipped; those without tests, and cancelled ones, are not read."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (tmp_path / "list.csv").write_text("phone,name\n375291111111,Anna\n", "utf-8")
    (tmp_path / "sale.yaml").write_text(_CAMPAIGN, "utf-8")
    loaded = load_project(tmp_path)
    results, problems = run_mailing_tests(loaded, loaded.project.mailings)
    assert ([one.outcome for one in results], problems) == ([TestOutcome.FAILED, TestOutcome.PASSED], [])
    results, problems = run_mailing_tests(loaded, loaded.project.mailings, excuses=lambda _: True)
    assert ([one.outcome for one in results], problems) == ([TestOutcome.SKIPPED, TestOutcome.PASSED], [])


def test_missing_files_fail_all_tests(tmp_path: Path) -> None:
    """The missing file is a problem of its own."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (tmp_path / "sale.yaml").write_text(_CAMPAIGN, "utf-8")
    loaded = load_project(tmp_path)
    results, _ = run_mailing_tests(loaded, loaded.project.mailings)
    assert [(one.outcome, one.is_echo) for one in results] == [(TestOutcome.FAILED, True)] * 2
