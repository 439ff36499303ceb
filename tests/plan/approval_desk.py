"""A project whose mailings need signatures, and its signed plans."""

from __future__ import annotations

import shutil
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.approvals import ApprovalCheck, Signatures, SignedMailing, Size
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.sign_plan import sign_plan
from tests.plan.examples import CAMPAIGN, NOON, plan_offline
from tests.plan.ssh_keys import Keys

RULE = "{need: 1}"
_NOTHING = Lock("shop")


class Desk:
    """A project whose mailings need signatures."""

    def __init__(self, root: Path, keys: Keys) -> None:
        self.root, self.keys = root, keys
        shutil.copy(keys.signers, root / "signers.txt")
        (root / "sale.yaml").write_text(CAMPAIGN, "utf-8")
        self.rules(RULE)

    def rules(self, *rules: str) -> None:
        (self.root / "smsby.yaml").write_text(
            "version: 1\nproject: shop\nprice: {currency: BYN, per_part: 1}\n"
            f"approvals: {{signers: signers.txt, rules: [{', '.join(rules)}]}}\n",
            "utf-8",
        )

    def plan(self, lock: Lock = _NOTHING) -> Plan:
        loaded = load_project(self.root)
        assert not loaded.problems
        return online(plan_offline(loaded, lock, new_id="p1"))

    def sign(self, *names: str) -> None:
        for name in names:
            sign_plan(load_project(self.root), self.plan(), partial(self.keys.__getitem__, name), NOON)

    def reasons(self) -> list[str]:
        return [action.reason for action in self.plan().actions]

    def judge(self, recipients: int | None, cost: str | None) -> Signatures:
        """Judge the first mailing as if it had that many recipients and that cost."""
        project = load_project(self.root).project
        action, mailing = self.plan().actions[0], project.mailings[0]
        signed = SignedMailing(
            action.address,
            1,
            action.content_digest,
            action.audience_digest,
            None,
            False,
            "0" * 64,
            None,
            None,
        )
        assert project.approvals is not None
        check = ApprovalCheck(project, project.approvals, NOON, [])
        return check.judge(mailing, signed, Size(recipients, None if cost is None else Decimal(cost)), {})


def online(plan: Plan) -> Plan:
    """Set the account, since an offline plan cannot be applied and is not signed."""
    return replace(plan, account="a" * 12)


@pytest.fixture
def desk(tmp_path: Path, keys: Keys) -> Desk:
    return Desk(tmp_path, keys)
