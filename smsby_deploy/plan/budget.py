"""What may be spent: the budget of a calendar month, and the balance of the account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Guardrails, Project
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock.archive import with_newer
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, EntryState, Lock
from smsby_deploy.plan.guardrails import Breach
from smsby_deploy.plan.model import COMMITTING, Action, Plan, ReasonCode, total_of
from smsby_deploy.plan.waves import would_go_on
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient  # an offline plan loads no client

_SPENT = frozenset({ChunkState.ACCEPTED, ChunkState.UNKNOWN})
_GOES_ON = frozenset({EntryState.WAITING, EntryState.PARTIAL})
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
    """Check that nothing was spent in other currencies this month, which cannot be added up."""
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
    others = other_currencies(lock, now, project.api.account_zone, price.currency)
    mixed = check_currency(guardrails, price.currency, others)
    spent = _sum_beside(project, actions, lock, now)
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

    The month is that of the account's time zone. Approved sends that will happen this month without another plan count as
    spent, and so do unknown outcomes. Without a budget, it is always 0.
    """
    if project.guardrails.budget is None:
        return Decimal(0)
    return _sum_beside(project, actions, _with_month(project, lock, now), now)


def _sum_beside(project: Project, actions: Sequence[Action], lock: Lock, now: datetime) -> Decimal:
    """Return what `spent_beside` does; `lock` has the archived mailings of the month."""
    zone = project.api.account_zone
    planned = {action.address: action for action in actions if action.commits}
    return sum(
        (_spent_on(entry, planned.get(address), now, zone) for address, entry in lock.mailings.items()),
        Decimal(0),
    )


def _spent_on(entry: Entry, action: Action | None, now: datetime, zone: ZoneInfo) -> Decimal:
    """Return what a mailing costs in the month of `now` apart from `action`.

    That includes sends that will happen without another plan.
    """
    month = _month(now, zone)
    spent = _spent(entry, zone, month)
    earlier = sum((_spent(old, zone, month) for old in entry.earlier), Decimal(0))
    if entry.cost is None:
        return earlier
    # Exact if everything is sent this month, even if texts differ in length.
    whole = Decimal(entry.cost) - (_spent(entry, zone) - spent)
    has_waves = would_go_on(entry)
    if action is None:
        is_approved = has_waves or (entry.approval is not None and entry.state in _GOES_ON)
        time = now if has_waves else entry.send_time  # later waves are sent at once
        is_soon = is_approved and time is not None and _month(time, zone) == month
        return earlier + (whole if is_soon else spent)
    goes_on = action.revision == entry.revision and (has_waves or _spent(entry, zone) > 0)
    if action.cost is None or not goes_on:
        return earlier + spent
    elsewhere = Decimal(entry.cost) - whole
    return earlier + max(Decimal(0), whole - action.cost, _spent_at_first_price(entry, action) - elsewhere)


def cost_with_rest(entry: Entry, action: Action) -> Decimal | None:
    """Return the cost of a mailing including its rest, if that is more than the lock records."""
    if entry.cost is None or action.cost is None:
        return None
    cost = _spent_at_first_price(entry, action) + action.cost
    return cost if cost > Decimal(entry.cost) else None


def _spent_at_first_price(entry: Entry, action: Action) -> Decimal:
    """Return what was spent before `action`, if the price has changed since; otherwise 0."""
    recorded = entry.prefixes or {}
    now, then = Decimal(0), Decimal(0)
    for prefix, one in (action.prefixes or {}).items():
        before = recorded.get(prefix)
        if before is not None and before.cost is not None and before.parts and one.cost is not None:
            now += Decimal(one.cost)
            then += Decimal(before.cost) * one.parts / before.parts
    if now == then or not now or action.cost is None:
        return Decimal(0)
    whole = sum((Decimal(one.cost or 0) for one in recorded.values()), Decimal(0))
    return (whole - action.cost * then / now).quantize(_SMALLEST, ROUND_UP)


def _with_month(project: Project, lock: Lock, now: datetime) -> Lock:
    """Return `lock` with the mailings that were archived this month."""
    if not lock.archived:
        return lock
    local = now.astimezone(project.api.account_zone)
    return with_newer(lock, local.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def other_currencies(lock: Lock, now: datetime, zone: ZoneInfo, currency: str) -> list[str]:
    """Return the currencies other than `currency` spent in the month of `now`."""
    month = _month(now, zone)
    return sorted(
        {
            entry.currency
            for _, entry in lock.revisions()
            if entry.currency not in (None, currency) and _spent(entry, zone, month)
        }
    )


def _spent(entry: Entry, zone: ZoneInfo, month: Month | None = None) -> Decimal:
    """Return the share of the entry's cost that was spent, in `month` if it is given.

    Unless that is all of it, the share is proportional to the recipients.
    """
    if entry.cost is None or entry.is_withdrawn:
        return Decimal(0)
    cost = Decimal(entry.cost)
    weights = [(chunk, *_weigh(chunk)) for chunk in entry.chunks]
    whole = sum(all_of_it for _, _, all_of_it in weights)
    spent = sum(sent for one, sent, _ in weights if month is None or _sent_month(one, entry, zone) == month)
    return cost if spent == whole > 0 else (cost * spent / (whole or 1)).quantize(_SMALLEST, ROUND_UP)


def _weigh(chunk: ChunkRecord) -> tuple[int, int]:
    """Return how many recipients of a chunk were or may have been sent to, and the total.

    Both exclude opt-outs.
    """
    if chunk.phones is not None:
        sent = chunk.phones.count(PhoneState.ACCEPTED, PhoneState.UNKNOWN)
        return sent, len(chunk.phones) - chunk.phones.count(PhoneState.SUPPRESSED)
    recipients = 0 if chunk.state is ChunkState.SUPPRESSED else chunk.recipients or 1
    return (recipients if chunk.state in _SPENT else 0), recipients


def _sent_month(chunk: ChunkRecord, entry: Entry, zone: ZoneInfo) -> Month:
    return _month(datetime.fromisoformat(chunk.accepted_at or entry.applied.at), zone)


def _month(at: datetime, zone: ZoneInfo) -> Month:
    local = at.astimezone(zone)
    return local.year, local.month


def ask_balance(client: ReadClient | None, plan: Plan) -> Decimal | None:
    """Return the balance if something is sent or approved and the currency is the plan's.

    None offline, or if sms.by does not answer; a plan does not fail because of that.
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

    The balance is `amount` in the currency `held_in`. `cost` is 0 if it is unknown.
    """
    if not cost:
        message = sentence("balance: the account has {amount}, which cannot pay for anything", amount=amount)
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
    """Whether sms.by reports our currency, where RUR means RUB; True if either is unknown."""
    if not ours or not reported:
        return True
    return ours.upper().replace("RUR", "RUB") == reported.upper().replace("RUR", "RUB")
