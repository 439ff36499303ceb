"""Who opted out can't be read any more: of a mailing that goes phone by phone nothing leaves either."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smsby_deploy.apply.bulk import FilesChanged
from smsby_deploy.apply.single_sender import SingleSender
from smsby_deploy.clock import SystemClock
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.planner import make_plan

CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: staff
    via: single
    recipients: ["375290000001", "375290000002"]
    text: Hi
"""


def test_nothing_leaves_phone_by_phone_once_opt_outs_can_not_be_read(tmp_path: Path) -> None:
    """The file was there when it was planned; the client is none, so a request would be an error of another kind."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [out.txt]\n")
    (tmp_path / "out.txt").write_text("375290000001\n")
    (tmp_path / "sale.yaml").write_text(CAMPAIGN)
    loaded = load_project(tmp_path, {})
    plan = make_plan(
        loaded, select=(), client=None, account=None, lock=Lock("shop"), clock=SystemClock(), new_id="p"
    )
    (action,) = plan.actions
    assert action.audience.suppressed == 1
    nobody: Any = SimpleNamespace(recorder=None)
    sender = SingleSender(
        loaded.project,
        nobody,
        nobody,
        inputs=plan.inputs,
        read=lambda: nobody,
        advance=lambda count: None,
        fail=lambda code: None,
    )
    (tmp_path / "out.txt").unlink()
    with pytest.raises(FilesChanged, match=r"who opted out can't be read: out\.txt"):
        sender.send(loaded.project.mailings[0], action)
