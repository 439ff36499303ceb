"""What `validate` and `test` do with a whole project."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.plan.mailing_test_results import TestOutcome
from smsby_deploy.plan.validation import run_mailing_tests, validate_project

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
    """Failed tests of finished mailings are skipped, and cancelled ones or those without tests are not read."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (tmp_path / "list.csv").write_text("phone,name\n375291111111,Anna\n", "utf-8")
    (tmp_path / "sale.yaml").write_text(_CAMPAIGN, "utf-8")
    loaded = load_project(tmp_path)
    results, problems = run_mailing_tests(loaded, loaded.project.mailings)
    assert ([one.outcome for one in results], problems) == ([TestOutcome.FAILED, TestOutcome.PASSED], [])
    results, problems = run_mailing_tests(loaded, loaded.project.mailings, excuses=lambda _: True)
    assert ([one.outcome for one in results], problems) == ([TestOutcome.SKIPPED, TestOutcome.PASSED], [])


def test_missing_files_fail_all_tests(tmp_path: Path) -> None:
    """A missing file is one problem, and all tests that need it fail."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (tmp_path / "sale.yaml").write_text(_CAMPAIGN, "utf-8")
    loaded = load_project(tmp_path)
    results, _ = run_mailing_tests(loaded, loaded.project.mailings)
    assert [(one.outcome, one.is_echo) for one in results] == [(TestOutcome.FAILED, True)] * 2


@pytest.mark.parametrize("more", ["", "    upload: true\n", "    tests: [{all: true, max_parts: 1}]\n"])
def test_a_text_that_cannot_be_compiled_hides_no_bad_recipient(more: str, tmp_path: Path) -> None:
    """A broken text and a bad recipient are reported together."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (tmp_path / "list.csv").write_text("phone,name\n375291111111,Anna\n12,Boris\n80291111111,Olga\n", "utf-8")
    mailing = f"  - name: vip\n    recipients: {{file: list.csv}}\n    text: 'Hello {{{{ name | upcase }}}}'\n{more}"
    (tmp_path / "sale.yaml").write_text(f"version: 1\ncampaign: sale\nmailings:\n{mailing}", "utf-8")
    problems = validate_project(load_project(tmp_path))
    assert {one.code for one in problems} >= {"TEMPLATE_SYNTAX", "PHONE", "DUPLICATE_DIFFERS"}
    assert {one.address for one in problems} == {"sale/vip"}
