"""A mailing with its own tests, and their results."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.plan.mailing_test_results import MailingTestResult
from smsby_deploy.plan.validation import run_mailing_tests

_LIST = "phone,name,city\n375291111111,Анна,Минск\n375292222222,Вольга,\n375293333333,Олег,Брест\n"
_TEXT = "{{ name }}{% if city %} из города {{ city }}{% endif %}, привет"


def run_tests(
    folder: Path,
    tests: str,
    *,
    text: str = _TEXT,
    source: str = "recipients: {file: list.csv}",
    project: str = "",
    top: str = "",
    more: str = "",
    environment: str = "production",
) -> list[MailingTestResult]:
    """Return the results of `tests`, the lines under `tests:`, in the only mailing of a project."""
    entries = "".join(f"      - {line}\n" for line in tests.splitlines())
    said = f"    text: '{text}'\n" if text else ""
    campaign = f"version: 1\ncampaign: sale\n{top}mailings:\n  - name: vip\n    {source}\n{said}{more}    tests:\n{entries}"
    (folder / "smsby.yaml").write_text(f"version: 1\nproject: shop\n{project}", "utf-8")
    (folder / "list.csv").write_text(_LIST, "utf-8")
    (folder / "sale.yaml").write_text(campaign, "utf-8")
    loaded = load_project(folder, {}, environment)
    assert not loaded.problems
    return run_mailing_tests(loaded, loaded.project.mailings)[0]
