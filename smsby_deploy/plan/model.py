"""The plan in memory: one action a mailing, and everything a reviewer is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from smsby_deploy.plan.desired_state import AudienceCounts, ChunkPlan
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Problem, Severity


class ActionKind(StrEnum):
    CREATE = "create"
    UPLOAD = "upload"
    NOOP = "noop"
    RESUME = "resume"
    CONFIRM = "confirm"
    ADOPT = "adopt"
    BLOCKED = "blocked"
    ORPHAN = "orphan"


STARTING = frozenset({ActionKind.CREATE, ActionKind.UPLOAD})  # nothing of it was sent so far
SENDING = frozenset({ActionKind.CREATE, ActionKind.UPLOAD, ActionKind.RESUME, ActionKind.CONFIRM})


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to one mailing. `reason` explains, without a phone number; a blocked one begins with changed, expired,
    unknown, collision or guardrail. Counts are None where only sms.by knows them (list mailings)."""

    address: str
    action: ActionKind
    reason: str
    via: str
    recipients: int | None
    parts: int | None
    cost: Decimal | None
    gsm7: int
    ucs2: int
    alphaname: str
    alphaname_id: int | None
    schedule_time: str | None
    digest: str
    content_digest: str
    audience_digest: str
    chunks: tuple[ChunkPlan, ...]
    audience: AudienceCounts

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", mask_phones(self.reason))

    @property
    def sends(self) -> bool:
        return self.action in SENDING


@dataclass(frozen=True, slots=True)
class LockStamp:
    """The lock a plan was made against; `entries` holds a sha256 for each recorded address of the plan."""

    serial: int
    lineage: str | None
    entries: dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    id: str
    created_at: str
    project: str
    account: str | None
    tool: str
    select: tuple[str, ...]
    inputs: dict[str, str]
    lock: LockStamp
    actions: tuple[Action, ...]
    problems: tuple[Problem, ...]
    currency: str | None
    exempt: frozenset[str] = (
        frozenset()
    )  # inputs that may change: suppression files; known of a plan made now

    @property
    def has_errors(self) -> bool:
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    @property
    def to_do(self) -> tuple[Action, ...]:
        """The actions that change something at sms.by or in the lock."""
        return tuple(action for action in self.actions if action.sends or action.action is ActionKind.ADOPT)

    @property
    def blocked(self) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if action.action is ActionKind.BLOCKED)
