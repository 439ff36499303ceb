"""A small project that is planned offline at a fixed time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.lock.decisions import Approval
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.fingerprint import canonical_json
from smsby_deploy.plan.model import Action, Plan
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.wording import money

NOON = datetime(2026, 11, 24, 9, tzinfo=UTC)  # 12:00 in Minsk


@dataclass
class FixedClock:
    """A clock that does not move."""

    at: datetime = field(default=NOON)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a plan does not wait")


def row_line(phone: str, text: str | None) -> bytes:
    """Return one recipient as the bytes that are hashed, in the plain way."""
    return canonical_json(phone if text is None else {"phone": phone, "text": text}) + b"\n"


CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: [{phone: "375291234567", name: Anna}, {phone: "375297654321", name: Test}]
    text: "{{ name }} hello"
  - name: staff
    recipients: ["375291234567"]
    text: hello
"""


def make_example_plan(
    folder: Path, guardrails: str, campaign: str = CAMPAIGN, lock: Lock | None = None, at: datetime = NOON
) -> Plan:
    """Write the project into `folder` and plan it."""
    project = f"version: 1\nproject: shop\nprice: {{currency: BYN, per_part: 1}}\nguardrails: {guardrails}\n"
    (folder / "smsby.yaml").write_text(project, encoding="utf-8")
    (folder / "sale.yaml").write_text(campaign, encoding="utf-8")
    loaded = load_project(folder)
    assert not loaded.problems
    return plan_offline(loaded, lock, at)


def plan_offline(
    loaded: LoadedProject, lock: Lock | None = None, at: datetime = NOON, *, new_id: str = "p", **more: Any
) -> Plan:
    """Plan a whole project without an account; `more` are arguments of `make_plan`."""
    return make_plan(
        loaded,
        select=(),
        client=None,
        account=None,
        lock=lock or Lock("shop"),
        clock=FixedClock(at),
        new_id=new_id,
        **more,
    )


def recorded(action: Action, state: ChunkState = ChunkState.PENDING, *, fresh: bool | None = None) -> Entry:
    """Return the entry that apply writes for a planned mailing; with `fresh` it is approved for the action's window."""
    assert fresh is None or action.window is not None
    approval = None
    if fresh is not None and action.window is not None:
        opens, closes = (time.isoformat() for time in action.window)
        approval = Approval(NOON.isoformat(), "p", "anna", opens, closes, fresh)
    return Entry(
        1,
        action.content_digest,
        action.audience_digest,
        action.via,
        action.alphaname,
        action.alphaname_id,
        action.schedule_time,
        action.recipients,
        action.parts,
        None if action.cost is None else money(action.cost),
        tuple(
            ChunkRecord(chunk.fingerprint, chunk.recipients, chunk.digest, state) for chunk in action.chunks
        ),
        AppliedBy(NOON.isoformat(), "p", None, "x"),
        approval=approval,
    )
