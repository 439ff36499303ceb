"""What may be spent: the budget of a calendar month, and the balance of the account."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Guardrails, Project
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock.archive import with_newer
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, EntryState, Lock
from smsby_deploy.plan.guardrails import Breach
from smsby_deploy.plan.model import COMMITTING, Action, Plan, ReasonCode, total_of
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient  # an offline plan loads no client

_SPENT = frozenset({ChunkState.ACCEPTED, ChunkState.UNKNOWN, ChunkState.PARTIAL})
_SMALLEST = Decimal("0.00001")  # sms.by reports money with five decimals
Month = tuple[int, int]


def check_budget(rails: Guardrails, planned: Decimal, spent: Decimal) -> Breach | None:
    """Check the budget of the calendar month: `planned` is added to what was `spent`."""
    if rails.budget is None or not planned or spent + planned <= rails.budget:
        return None
    return Breach(
        "budget",
        sentence(
            "budget: {planned} planned and {spent} spent this month make {total}, the limit is {limit}",
            planned=planned,
            spent=spent,
            total=spent + planned,
            limit=rails.budget,
        ),
    )


def check_currency(rails: Guardrails, currency: str | None, others: Sequence[str]) -> Breach | None:
    """Check that nothing was spent in other currencies this month.

    A sum over several currencies could not be judged.
    """
    if rails.budget is None or not others:
        return None
    return Breach(
        "budget",
        sentence(
            "budget: this month's expenses in {others} cannot be added to {currency}; the limit is {limit} {currency}",
            others=", ".join(others),
            currency=currency,
            limit=rails.budget,
        ),
    )


def hold_budget(project: Project, actions: Sequence[Action], lock: Lock, now: datetime) -> list[Action]:
    """Return the actions, blocked if together they exceed the month's budget.

    Only actions that cost money are blocked.
    Lists kept at sms.by are judged later, when their cost is known.
    """
    price, guardrails = project.price, project.guardrails
    if price is None or guardrails.budget is None:
        return list(actions)
    lock = _with_month(project, lock, now)
    others = other_currencies(lock, now, project.api.account_timezone, price.currency)
    mixed = check_currency(guardrails, price.currency, others)
    spent = spent_beside(project, actions, lock, now)
    breach = mixed or check_budget(guardrails, total_of(actions, COMMITTING).cost, spent)
    if breach is None:
        return list(actions)
    return [
        action.block(ReasonCode.GUARDRAIL, breach.message)
        if action.commits and (action.cost or (mixed and action.cost is None))
        else action
        for action in actions
    ]


def spent_beside(project: Project, actions: Sequence[Action], lock: Lock, now: datetime) -> Decimal:
    """Return what was spent this month apart from what `actions` commit to.

    What waits for a time in this month counts as spent. It is 0 without a budget, which alone needs it.
    """
    if project.guardrails.budget is None:
        return Decimal(0)
    lock = _with_month(project, lock, now)
    revisions = {mailing.address: mailing.revision for mailing in project.mailings}
    planned = {
        action.address: action.cost or Decimal(0)
        for action in actions
        if action.commits
        and action.address in lock.mailings
        and lock.mailings[action.address].revision == revisions.get(action.address)
    }
    spent = spent_in_month(lock, now, project.api.account_timezone, planned=planned)
    committed = {action.address for action in actions if action.commits}
    return spent + _spent_soon(lock, now, ZoneInfo(project.api.account_timezone), committed)


def _spent_soon(lock: Lock, now: datetime, zone: ZoneInfo, beside: Container[str]) -> Decimal:
    """Return the cost of what is approved for a time in the month of `now` and waits."""
    waiting = (
        entry
        for address, entry in lock.mailings.items()
        if entry.state is EntryState.WAITING and address not in beside
    )
    return sum(
        (
            Decimal(entry.cost)
            for entry in waiting
            if entry.cost is not None
            and entry.send_time is not None
            and _month(entry.send_time, zone) == _month(now, zone)
        ),
        Decimal(0),
    )


def _with_month(project: Project, lock: Lock, now: datetime) -> Lock:
    """Return `lock` with what was archived this month."""
    if not lock.archived:
        return lock
    local = now.astimezone(ZoneInfo(project.api.account_timezone))
    return with_newer(lock, local.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def spent_in_month(
    lock: Lock, now: datetime, timezone: str, *, planned: Mapping[str, Decimal] | None = None
) -> Decimal:
    """Return the cost of the mailings sent in the month of `now`, by the clock of `timezone`.

    A mailing sent in part, or with an unknown outcome, counts as a whole, except for what the caller counts as `planned`
    for its address. Chunks that were accepted in another month count there.
    """
    zone = ZoneInfo(timezone)
    month = _month(now, zone)
    counted_by_caller = planned or {}
    spent = Decimal(0)
    for address, entry in lock.mailings.items():
        # What is not sent yet counts in the month in which the mailing was begun.
        is_begun_now = _month(datetime.fromisoformat(entry.applied.at), zone) == month
        rest = counted_by_caller.get(address, Decimal(0)) if is_begun_now else Decimal(0)
        spent += max(Decimal(0), _spent(entry, month, zone) - rest)
        spent += sum((_spent(old, month, zone) for old in entry.earlier), Decimal(0))
    return spent


def other_currencies(lock: Lock, now: datetime, timezone: str, currency: str) -> list[str]:
    """Return the currencies other than `currency` spent in the month of `now`."""
    zone = ZoneInfo(timezone)
    month = _month(now, zone)
    return sorted(
        {
            entry.currency
            for entry in _all_entries(lock)
            if entry.currency not in (None, currency) and _spent(entry, month, zone)
        }
    )


def _all_entries(lock: Lock) -> Iterator[Entry]:
    for entry in lock.mailings.values():
        yield entry
        yield from entry.earlier


def _spent(entry: Entry, month: Month, zone: ZoneInfo) -> Decimal:
    """Return the share of the entry's cost that belongs to `month`.

    If its chunks were sent in several months, recipients determine the share.
    """
    if entry.cost is None or entry.is_withdrawn or not any(chunk.state in _SPENT for chunk in entry.chunks):
        return Decimal(0)
    cost = Decimal(entry.cost)
    here = [chunk for chunk in entry.chunks if _sent_month(chunk, entry, zone) == month]
    if len(here) in (0, len(entry.chunks)):
        return cost if here else Decimal(0)
    recipients = sum(chunk.recipients or 0 for chunk in entry.chunks)
    sent_here = sum(chunk.recipients or 0 for chunk in here)
    return (cost * sent_here / recipients).quantize(_SMALLEST, ROUND_UP) if recipients else cost


def _sent_month(chunk: ChunkRecord, entry: Entry, zone: ZoneInfo) -> Month:
    return _month(datetime.fromisoformat(chunk.accepted_at or entry.applied.at), zone)


def _month(at: datetime, zone: ZoneInfo) -> Month:
    local = at.astimezone(zone)
    return local.year, local.month


def ask_balance(client: ReadClient | None, plan: Plan) -> Decimal | None:
    """The account's balance, if something is sent or approved and the currency is the plan's.

    Offline or if sms.by does not answer it is None: a plan does not fail for it.
    """
    if client is None or not plan.committed.mailings:
        return None
    try:
        balance = client.get_balance()
    except SmsbyDeployError:
        return None
    return balance.amount if is_same_currency(plan.currency, balance.currency) else None


def check_balance(cost: Decimal, currency: str | None, amount: Decimal, held_in: str | None) -> Breach | None:
    """Check that the balance of the account can pay for an apply.

    The balance is `amount` in the currency `held_in`.
    `cost` is 0 where it is not known.
    """
    if not cost:
        message = sentence("balance: the account has {amount}, which pays for nothing", amount=amount)
        return Breach("balance", message) if amount <= 0 else None
    if not is_same_currency(currency, held_in):
        message = sentence(
            "balance: cannot compare: this apply costs {cost} {currency}, the account has {amount} {held_in}",
            cost=cost,
            currency=currency,
            amount=amount,
            held_in=held_in,
        )
        return Breach("price.currency", message)
    if amount < cost:
        message = sentence(
            "balance: this apply costs {cost}, the account has {amount}", cost=cost, amount=amount
        )
        return Breach("balance", message)
    return None


def is_same_currency(ours: str | None, reported: str | None) -> bool:
    """Whether sms.by reports our currency; True where one of them is not known.

    It also writes RUB as RUR.
    """
    if not ours or not reported:
        return True
    return ours.upper().replace("RUR", "RUB") == reported.upper().replace("RUR", "RUB")
