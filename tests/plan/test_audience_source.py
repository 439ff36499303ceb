"""Whether the recipients of a waiting mailing may differ from the approved ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.decisions import Approval
from smsby_deploy.plan.audience_source import AudienceSource, fresh_source
from tests.lock.examples import entry

_AT = "2026-12-01T09:00:00+00:00"
_MAILING = "recipients: {file: vip.csv}, text: Hello, expect_recipients: {max: 9}"
_QUERY = "{sql: select phone from stop, url_env: CRM_URL}"


def _source(folder: Path, suppress: str, more: str = ", audience: fresh") -> AudienceSource | None:
    (folder / "smsby.yaml").write_text(f"version: 1\nproject: shop\nsuppress: [{suppress}]\n")
    for name in ("a.csv", "b.csv", "vip.csv"):
        (folder / name).touch()
    head = "version: 1\ncampaign: sale\nschedule_time: 2026-12-02T10:00:00\nrelease: {before: 1h, at_latest: 5m}\n"
    (folder / "sale.yaml").write_text(f"{head}mailings:\n  - {{name: vip, {_MAILING}{more}}}\n")
    project = load_project(folder, {}).project
    return fresh_source(project.mailings[0], project)


@pytest.mark.parametrize(
    ("suppress", "more", "may_change"),
    [
        (f"a.csv, {_QUERY}", "", True),
        (f"{_QUERY}, b.csv, a.csv", "", True),
        ("a.csv", "", False),
        (f"b.csv, {_QUERY}", "", False),
        ("a.csv, {sql: select phone from stop limit 1, url_env: CRM_URL}", "", False),
        (f"{{file: a.csv, phone: other}}, {_QUERY}", "", False),
        (f"a.csv, {_QUERY}", ", countries: [RU]", False),
    ],
)
def test_fresh_source_is_the_approved_one(tmp_path: Path, suppress: str, more: str, may_change: bool) -> None:
    """A fresh source must have every approved `suppress` entry, in any order, which an older lock does not record."""
    then = _source(tmp_path, f"a.csv, {_QUERY}")
    assert then is not None
    approval = Approval(_AT, "plan", None, _AT, _AT, True, *then)
    now = _source(tmp_path, suppress, f", audience: fresh{more}")
    assert now is not None
    assert now.is_approved_in(replace(entry(), approval=approval)) is may_change
    assert now.is_approved_in(replace(entry(), approval=replace(approval, source=None, suppress=())))
    assert not now.is_approved_in(replace(entry(), approval=replace(approval, fresh=False)))
    assert not now.is_approved_in(entry())
    assert not now.is_approved_in(None)


def test_fresh_source_is_only_that_of_a_fresh_audience(tmp_path: Path) -> None:
    """Only a fresh audience may differ; any other must be the approved one."""
    assert _source(tmp_path, "a.csv", "") is None
