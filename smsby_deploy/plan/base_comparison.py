"""Compares a plan with the lock, a saved plan, or another checkout.

Both audiences are streamed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import compress
from types import MappingProxyType

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.records import Entry, Lock, NamedId
from smsby_deploy.plan.chunks import OnBatch
from smsby_deploy.plan.desired import SendTimes, times_of
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.wording import read_money, sentence


@dataclass(frozen=True, slots=True)
class BaseMailing:
    """A mailing as it was in the base.

    `text` is None if only its digest is known; `moved` holds the numbers of recipients who joined and who left, if only
    these are known. Without `alphaname`, sender and time are unknown.
    """

    recipients: int | None
    parts: int | None
    cost: Decimal | None
    content_digest: str
    audience_digest: str
    alphaname: str
    send_time: datetime | None = None
    contact_list: NamedId | None = None
    recipients_digest: str | None = None
    spread: SendTimes | None = None
    text: str | None = None
    moved: tuple[int, int] | None = None

    @classmethod
    def of(cls, one: Entry | Action, text: str | None = None) -> BaseMailing:
        """Return a mailing as it is recorded or planned."""
        return cls(
            recipients=one.recipients,
            parts=one.parts,
            cost=read_money(one.cost),
            content_digest=one.content_digest,
            audience_digest=one.audience_digest,
            alphaname=one.alphaname,
            send_time=one.send_time,
            contact_list=one.contact_list,
            recipients_digest=one.recipients_digest,
            spread=times_of(one.chunks),
            text=text,
        )

    def as_capped(self, action: Action) -> BaseMailing:
        """Return a copy reduced by what contact pressure takes from `action` now."""
        if action.uncapped is None:
            return self
        parts, cost = action.uncapped
        return replace(
            self,
            recipients=None if self.recipients is None else self.recipients - (action.audience.capped or 0),
            parts=None if self.parts is None else self.parts - parts + (action.parts or 0),
            cost=None if self.cost is None else self.cost - (cost or 0) + (action.cost or 0),
        )

    def without_counts(self) -> BaseMailing:
        return replace(self, recipients=None, parts=None, cost=None)


@dataclass(frozen=True, slots=True)
class Base:
    """What a plan is compared with; `label` names it in headings (`the lock`, `the base`).

    If it `is_complete`, mailings missing from the plan were removed. The lock is not complete: its removed mailings are in
    the plan as orphans.
    """

    label: str
    mailings: Mapping[str, BaseMailing] = field(default_factory=dict)
    is_complete: bool = True

    def without_counts(self, addresses: Collection[str]) -> Base:
        """Return the base, with unknown recipient counts for the mailings at `addresses`."""
        unknown = {
            address: replace(self.mailings[address].without_counts(), recipients_digest=None)
            for address in addresses
        }
        return replace(self, mailings={**self.mailings, **unknown})


@dataclass(frozen=True, slots=True)
class Change:
    """How a mailing differs from its base; nothing is set if it does not.

    `recipients`, `parts` and `cost` are the differences. `moved` replaces `recipients` if it is known how many joined and
    left. `has_other_recipients`: as many recipients, but other ones or other texts; `has_other_rows`: the same recipients,
    but in another order or with other texts. `has_new_text` is None if a new sender or time may hide it; `has_new_content`:
    the content differs, and nothing more is known.
    """

    is_new: bool = False
    recipients: int = 0
    moved: tuple[int, int] | None = None
    has_other_recipients: bool = False
    has_other_rows: bool = False
    parts: int = 0
    cost: Decimal = Decimal(0)
    has_new_sender: bool = False
    has_new_list: bool = False
    has_new_time: bool = False
    has_new_text: bool | None = False
    has_new_content: bool = False


def base_of_lock(lock: Lock) -> Base:
    """Return the mailings as they were applied."""
    mailings = {address: BaseMailing.of(entry) for address, entry in lock.mailings.items()}
    return Base(sentence("the lock"), mailings, is_complete=False)


def base_of_plan(plan: Plan, label: str, texts: Mapping[str, str | None] = MappingProxyType({})) -> Base:
    """Return the mailings of `plan` as a base; `texts` are the templates, where they are known."""
    return Base(label, {one.address: BaseMailing.of(one, texts.get(one.address)) for one in plan.actions})


def compare_action(action: Action, base: Base, text: str | None = None) -> Change:
    """Compare a mailing with its base; `text` is its template, where it is known."""
    before = base.mailings.get(action.address)
    if before is None:
        return Change(is_new=True)
    if action.action is ActionKind.NOOP:
        # What was accepted is not sent again, so later opt-outs do not change it.
        before = replace(before.without_counts(), moved=(0, 0) if before.moved == (0, 0) else None)
    recipients = _difference(action.recipients, before.recipients) if before.moved is None else 0
    has_same_audience = action.audience_digest == before.audience_digest
    has_same_recipients = before.moved == (0, 0) or (
        before.recipients_digest is not None and before.recipients_digest == action.recipients_digest
    )
    has_cost = action.cost is not None and before.cost is not None
    change = Change(
        recipients=recipients,
        moved=before.moved if before.moved != (0, 0) else None,
        has_other_recipients=not (before.moved or recipients or has_same_recipients or has_same_audience),
        has_other_rows=has_same_recipients and not has_same_audience,
        parts=_difference(action.parts, before.parts),
        cost=(action.cost or Decimal(0)) - (before.cost or Decimal(0)) if has_cost else Decimal(0),
        has_new_list=_has_new_list(action, before),
    )
    if action.content_digest == before.content_digest:
        return change
    return _compare_content(change, action, before, text)


def _compare_content(change: Change, action: Action, before: BaseMailing, text: str | None) -> Change:
    """Return `change` together with what differs in the content."""
    has_new_sender = action.alphaname != before.alphaname
    has_new_time = action.send_time != before.send_time or _has_new_spread(action.spread, before.spread)
    is_explained = has_new_sender or has_new_time or change.has_new_list
    has_new_text = None if is_explained else True
    if before.text is not None and text is not None:
        has_new_text = before.text != text
    return replace(
        change,
        has_new_sender=has_new_sender,
        has_new_time=has_new_time,
        has_new_text=has_new_text,
        has_new_content=has_new_text is False and not is_explained,
    )


def cost_change(plan: Plan, base: Base) -> Decimal | None:
    """Return how much more the plan costs than its mailings did in the base.

    Only mailings that are sent or approved count. None if the base has no costs.
    """
    addresses = [action.address for action in plan.decided if action.commits]
    costs = [base.mailings[address].cost for address in addresses if address in base.mailings]
    known = [cost for cost in costs if cost is not None]
    return plan.committed.cost - sum(known, Decimal(0)) if known else None


def removed_since(plan: Plan, base: Base) -> list[str]:
    """Return the addresses of the base that are missing from the plan."""
    present = {*(action.address for action in plan.decided), *plan.orphans.addresses}
    return [address for address in base.mailings if base.is_complete and address not in present]


def _difference(now: int | None, before: int | None) -> int:
    return now - before if now is not None and before is not None else 0


def _has_new_list(action: Action, before: BaseMailing) -> bool:
    """Whether it is sent to another contact list, even one of the same name.

    A checkout of the base knows only the name.
    """
    now, then = action.contact_list, before.contact_list
    if now is None or then is None:
        return False
    return now.name != then.name if None in (now.id, then.id) else now != then


def _has_new_spread(now: SendTimes | None, before: SendTimes | None) -> bool:
    """Whether its time span changed; another number of chunks moves only the last one."""
    if now is None or before is None:
        return now is not before
    return now.chunks == before.chunks and now.last - now.first != before.last - before.first


@dataclass(slots=True)
class _Overlap:
    """How many recipients were counted, and how many of them are in the other audience."""

    recipients: int = 0
    common: int = 0


@dataclass(slots=True)
class AudienceSets:
    """The recipients of the base, opt-outs subtracted, and their overlap with the plan's."""

    _sets: dict[str, PhoneSet] = field(default_factory=dict)
    _overlaps: dict[str, _Overlap] = field(default_factory=dict)

    def collect(self, mailing: Mailing) -> OnBatch:
        """Return a function that collects the recipients of a mailing of the base, batch by batch."""
        phones = self._sets[mailing.address] = PhoneSet()

        def on_batch(batch: Batch, texts: Sequence[str]) -> None:
            phones.add_all(_numbers(batch))

        return on_batch

    def compare(self, mailing: Mailing) -> OnBatch | None:
        """Return a function that compares the recipients of a mailing of the plan with the base.

        None if the base does not have the mailing.
        """
        before = self._sets.get(mailing.address)
        if before is None:
            return None
        overlap = self._overlaps[mailing.address] = _Overlap()

        def on_batch(batch: Batch, texts: Sequence[str]) -> None:
            numbers = _numbers(batch)
            overlap.recipients += len(numbers)
            overlap.common += before.mark_others(numbers).count(0)

        return on_batch

    def forget(self, addresses: Collection[str]) -> None:
        """Drop the mailings at `addresses`, whose recipients could not be read."""
        for address in addresses:
            self._sets.pop(address, None)

    def moved(self, address: str) -> tuple[int, int] | None:
        """Return how many recipients joined and left; None if one of the audiences was not read."""
        overlap = self._overlaps.get(address)
        if overlap is None:
            return None
        before = len(self._sets[address])
        return overlap.recipients - overlap.common, before - overlap.common


def _numbers(batch: Batch) -> list[int]:
    return number_phones(compress(batch.phones, batch.not_suppressed))
