"""sign_plan signs only what the files say, and writes only to approvals/."""

from __future__ import annotations

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import PlanRefused, Refused, SmsbyDeployError
from smsby_deploy.plan.sign_plan import sign_plan
from tests.plan.approval_desk import Desk
from tests.plan.examples import NOON, plan_offline

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


def test_signature_stays_in_the_project(desk: Desk) -> None:
    """The signature stays in the project, whatever id the plan file has."""
    plan = replace(desk.plan(), id="../../outside/" + "x" * 300)
    signed = sign_plan(load_project(desk.root), plan, lambda: desk.keys["anna"], NOON)
    assert [path.name for path in (desk.root / "approvals").iterdir()] == [Path(signed.file).name]
    assert desk.plan().actions[0].action == "create"


@pytest.mark.parametrize("is_link", [True, False])
def test_approvals_that_are_no_folder(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory, is_link: bool
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    if is_link:
        (desk.root / "approvals").symlink_to(outside)
    else:
        (desk.root / "approvals").write_text("", "utf-8")
    with pytest.raises(SmsbyDeployError, match="link" if is_link else "cannot write approvals/p1"):
        desk.sign("anna")
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    "forged",
    [
        {"audience_digest": "0" * 64},
        {"content_digest": "0" * 64},
        {"recipients": 9},
        {"revision": 2},
        {"cost": Decimal(9)},
    ],
    ids=str,
)
def test_sign_plan_refuses_what_is_not_in_the_files(desk: Desk, forged: dict[str, Any]) -> None:
    """A plan that shows something other than the files is refused."""
    plan = desk.plan()
    actions = (replace(plan.actions[0], **forged), *plan.actions[1:])
    with pytest.raises(PlanRefused, match="sale/vip does not match the mailing in these files"):
        sign_plan(load_project(desk.root), plan.with_actions(actions), lambda: desk.keys["anna"], NOON)


def test_sign_plan_refuses_a_stranger(desk: Desk) -> None:
    with pytest.raises(Refused, match="would not count"):
        desk.sign("eve")
    assert not (desk.root / "approvals").exists()


def test_sign_plan_refuses_an_offline_plan(desk: Desk) -> None:
    loaded = load_project(desk.root)
    plan = plan_offline(loaded)
    with pytest.raises(PlanRefused, match="offline"):
        sign_plan(loaded, plan, lambda: desk.keys["anna"], NOON)
