"""The plan in memory: one action per mailing, problems, and totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from smsby_deploy.clock import Window
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.counts import PrefixCount, VariantCount, count_variants
from smsby_deploy.lock.decisions import Approval
from smsby_deploy.lock.places import PRODUCTION
from smsby_deploy.lock.records import NamedId
from smsby_deploy.plan.account_names import NOT_ASKED, AccountNames
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan, GroupTotals, SendTimes, times_of, totals_by
from smsby_deploy.problems import Problem, has_errors
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.plan.base_changes import BaseChanges


class ActionKind(StrEnum):
    """What a plan does with a mailing."""

    CREATE = "create"
    UPLOAD = "upload"
    NOOP = "noop"
    RESUME = "resume"
    CONFIRM = "confirm"
    ADOPT = "adopt"
    HOLD = "hold"
    WAITING = "waiting"
    DUE = "due"
    BLOCKED = "blocked"
    ORPHAN = "orphan"


# SENDING: sent by this apply. COMMITTING: sent, or approved for later, by it. NEW_: nothing was sent so far.
NEW_SENDING = frozenset({ActionKind.CREATE, ActionKind.UPLOAD})
SENDING = NEW_SENDING | {ActionKind.RESUME, ActionKind.CONFIRM}
NEW_COMMITTING = NEW_SENDING | {ActionKind.HOLD}
COMMITTING = SENDING | {ActionKind.HOLD}
# Also the approved mailings that a hand-over sends: all that recipients get once the plan is carried out.
GOING_OUT = COMMITTING | {ActionKind.WAITING, ActionKind.DUE}


class ReasonCode(StrEnum):
    """Why a mailing is blocked, for programs; `Action.reason` says the same to users.

    schema/plan.schema.json also lists codes that later versions may write.
    """

    CHANGED = "changed"  # it differs from what was sent
    EXPIRED = "expired"  # its schedule_time has passed
    UNKNOWN = "unknown"  # the outcome of an earlier request is unknown
    COLLISION = "collision"  # sms.by or the lock has it under another fingerprint or address
    SCHEDULED = "scheduled"  # an earlier revision is scheduled and not gone
    APPROVAL = "approval"  # something must happen first: a rehearsal, or signatures
    FROZEN = "frozen"  # smsby.yaml stops everything
    WITHDRAWN = "withdrawn"  # a user withdrew it
    WAVE = "wave"  # the figures of its last wave do not allow the next one
    GUARDRAIL = "guardrail"  # a guardrail of smsby.yaml forbids it
    FACTS = "facts"  # a fact about the account contradicts a setting or a promise that it needs


def with_code(code: ReasonCode, why: str) -> str:
    """Return why a mailing is blocked or was stopped, as shown to users."""
    return sentence("{code}: {why}", code=code, why=why)


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to one mailing, and why.

    `reason` is a sentence for users, masked when it is written; programs use `reason_code`, set for blocked mailings only.
    Counts and cost are None if only sms.by knows them (contact lists). `contact_list` is set for a list kept at sms.by;
    apply creates the list of an uploaded mailing. `window` is when a held or waiting mailing may be handed over.
    `languages` counts the recipients of each text, if there is one per language.
    `capped` are recipients who would get too many messages and are left out; a plan file has only their number. `uncapped`
    are parts and cost with them.
    `revision` is None in plans of older versions. `wave` is the only wave that this apply sends; None if there are none.
    The counts of a new mailing cover all its waves.
    A plan file does not contain these. For the lock: `text_digest`, `recipients_digest`, `own_digest`, `labels`, `prefixes`,
    `control` (the name of its control group), `approval` (the earlier one that it is sent under) and `signed_by` (its
    signers). Also: `is_overdue` (its time passed before it was approved) and `is_finished` (no more of it is handed to
    sms.by).
    """

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
    reason_code: ReasonCode | None = None
    contact_list: NamedId | None = None
    text_digest: str | None = None
    recipients_digest: str | None = None
    own_digest: str | None = None
    is_overdue: bool = False
    is_finished: bool = False
    window: Window | None = None
    approval: Approval | None = None
    languages: Mapping[str, int] = field(default_factory=dict)
    revision: int | None = None
    signed_by: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    prefixes: Mapping[str, PrefixCount] | None = None
    control: str = ""
    wave: int | None = None
    capped: PhoneSet | None = field(default=None, repr=False, compare=False)
    uncapped: tuple[int, Decimal | None] | None = field(default=None, repr=False, compare=False)

    @property
    def sends(self) -> bool:
        """Whether something is sent, or created at sms.by to be sent."""
        return self.action in SENDING

    @property
    def commits(self) -> bool:
        """Whether it is sent by this apply, or approved by it to be sent later."""
        return self.action in COMMITTING

    @property
    def lacks_approval(self) -> bool:
        """Whether a rehearsal or signatures must come first; then the same plan may send it."""
        return self.action is ActionKind.BLOCKED and self.reason_code is ReasonCode.APPROVAL

    @property
    def fingerprints(self) -> list[str]:
        """The fingerprints of its chunks, in order."""
        return [chunk.fingerprint for chunk in self.chunks]

    @property
    def spread(self) -> SendTimes | None:
        """The times of its chunks; None if all have the same."""
        return times_of(self.chunks)

    @property
    def variants(self) -> tuple[GroupTotals[str], ...]:
        """The totals of its variants, whenever they are sent; () if it has none."""
        return totals_by(self.chunks, lambda chunk: chunk.variant)

    @property
    def variant_counts(self) -> dict[str, VariantCount] | None:
        """Its variants as the lock records them, with the control group; None if it has none."""
        return count_variants(self.variants, self.control, self.audience.control)

    @property
    def waves(self) -> tuple[GroupTotals[int], ...]:
        """The totals of its waves, whenever they are sent; () if it has none."""
        return totals_by(self.chunks, lambda chunk: chunk.wave)

    @property
    def send_time(self) -> datetime | None:
        """When it, or its first chunk, is sent; None for on apply."""
        return None if self.schedule_time is None else datetime.fromisoformat(self.schedule_time)

    @property
    def last_time(self) -> datetime | None:
        """When its last chunk is sent; None for on apply."""
        return self.send_time if (spread := self.spread) is None else spread.last

    @property
    def sender_id(self) -> int:
        """The id of the sender for a request, never replaced by the system name.

        Raises:
            ValueError: the id is unknown.
        """
        if self.alphaname_id is None:
            raise ValueError(f"{self.address}: the id of the sender is not known")
        return self.alphaname_id

    def block(self, code: ReasonCode, why: str) -> Action:
        return replace(
            self, action=ActionKind.BLOCKED, reason=with_code(code, why), reason_code=code, is_overdue=False
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of some actions.

    `uncounted` and `unpriced` are the numbers of mailings whose recipients or cost are unknown; they add nothing.
    """

    mailings: int
    recipients: int
    parts: int
    cost: Decimal
    uncounted: int
    unpriced: int

    @property
    def has_cost(self) -> bool:
        """Whether the cost of any mailing is known."""
        return self.unpriced < self.mailings


def total_of(actions: Iterable[Action], kinds: Collection[ActionKind] = SENDING) -> Totals:
    """Add up the `actions` of these `kinds`; by default, those that send."""
    chosen = [action for action in actions if action.action in kinds]
    costs = [action.cost for action in chosen if action.cost is not None]
    return Totals(
        mailings=len(chosen),
        recipients=sum(action.recipients or 0 for action in chosen),
        parts=sum(action.parts or 0 for action in chosen),
        cost=sum(costs, Decimal(0)),
        uncounted=sum(action.recipients is None for action in chosen),
        unpriced=len(chosen) - len(costs),
    )


@dataclass(frozen=True)
class Orphans:
    """The recorded mailings that are no longer in the files.

    There may be thousands, and an apply does nothing about them, so recipient counts and actions are computed on demand.
    """

    addresses: tuple[str, ...]
    count: Callable[[], Mapping[str, int | None]] = field(compare=False)
    make: Callable[[], Iterable[Action]] = field(compare=False)

    @cached_property
    def recipients(self) -> Mapping[str, int | None]:
        """How many recipients each mailing has, by address."""
        return self.count()

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        """One action per mailing, in the order of `addresses`."""
        return tuple(self.make())


NO_ORPHANS = Orphans((), dict, tuple)


@dataclass(frozen=True)
class LockStamp:
    """The lock that a plan was made against."""

    serial: int
    lineage: str | None
    stamps: Mapping[str, str] | Callable[[], Mapping[str, str]]  # the entries, or a function that makes them

    @cached_property
    def entries(self) -> Mapping[str, str]:
        """A sha256 of each mailing of the plan that is recorded, by address."""
        return self.stamps() if callable(self.stamps) else self.stamps


@dataclass(frozen=True, slots=True)
class Plan:
    """All actions and problems of one planning run.

    `exempt` names the inputs that may change without making the plan stale (suppression files, queries of finished
    mailings); a plan that was read from a file has none.
    """

    id: str
    created_at: str
    project: str
    account: str | None
    tool: str
    select: tuple[str, ...]
    inputs: dict[str, str]
    lock: LockStamp
    decided: tuple[Action, ...]  # of the mailings in the files
    problems: tuple[Problem, ...]
    currency: str | None
    orphans: Orphans = NO_ORPHANS
    exempt: frozenset[str] = frozenset()
    environment: str = PRODUCTION
    binding: Binding | None = None  # recorded in the lock at the next write; in no plan file
    digest_key: str | None = None  # the id of the key of its digests
    names: AccountNames = NOT_ASKED  # of the account, as far as this plan needs them; in no plan file
    service: str | None = None  # scheme, host and port; None if it was made offline
    callback_url: str | None = None  # as it may be shown
    changes: BaseChanges | None = None  # None if it was not compared with a base
    archived: int = 0  # how many of the selected mailings are archived

    @property
    def made_at(self) -> datetime:
        return datetime.fromisoformat(self.created_at)

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions of the mailings in the files, then those of orphans."""
        return (*self.decided, *self.orphans.actions)

    def with_actions(self, actions: Iterable[Action]) -> Plan:
        """Return this plan with other actions."""
        actions = tuple(actions)
        orphans = [one for one in actions if one.action is ActionKind.ORPHAN]
        recipients = {one.address: one.recipients for one in orphans}
        return replace(
            self,
            decided=tuple(one for one in actions if one.action is not ActionKind.ORPHAN),
            orphans=Orphans(tuple(recipients), lambda: recipients, lambda: orphans),
        )

    @property
    def counts(self) -> dict[ActionKind, int]:
        """How many mailings have each action, in the order of ActionKind."""
        found = Counter(action.action for action in self.decided)
        found[ActionKind.ORPHAN] = len(self.orphans.addresses)
        return {kind: found[kind] for kind in ActionKind}

    @property
    def has_errors(self) -> bool:
        return has_errors(self.problems)

    @property
    def totals(self) -> Totals:
        """What would be sent, and what it would cost."""
        return total_of(self.decided)

    @property
    def held(self) -> Totals:
        """What would be approved to be sent later."""
        return total_of(self.decided, {ActionKind.HOLD})

    @property
    def committed(self) -> Totals:
        """What would be sent now or later, and what it would cost."""
        return total_of(self.decided, COMMITTING)

    @property
    def to_do(self) -> tuple[Action, ...]:
        """The actions that change something at sms.by or in the lock."""
        return tuple(action for action in self.decided if action.commits or action.action is ActionKind.ADOPT)

    @property
    def blocked(self) -> tuple[Action, ...]:
        return tuple(action for action in self.decided if action.action is ActionKind.BLOCKED)

    @property
    def obstacles(self) -> tuple[Action, ...]:
        """The blocked mailings that make the plan fail.

        An overdue one is among them only if the plan has no other mailing: otherwise it would fail every plan of the project.
        """
        if self._has_one_mailing:
            return self.blocked
        return tuple(action for action in self.blocked if not action.is_overdue)

    def is_gone(self, action: Action) -> bool:
        """Whether a mailing of the plan is finished, and not only scheduled."""
        time = action.last_time
        return action.is_finished and (time is None or time <= self.made_at)

    @property
    def overdue(self) -> tuple[Action, ...]:
        """The blocked mailings that do not fail the plan: too late before their approval."""
        if self._has_one_mailing:
            return ()
        return tuple(action for action in self.decided if action.is_overdue)

    @property
    def _has_one_mailing(self) -> bool:
        return len(self.decided) + len(self.orphans.addresses) == 1
