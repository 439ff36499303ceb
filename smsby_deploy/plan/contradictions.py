"""What the facts about the account contradict, what that blocks, and how to fix it.

The facts come from smsby.facts.json; the clock of this machine is checked as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.environments import is_loopback
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.decisions import EVERY_MAILING
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.model import NEW_COMMITTING, ActionKind
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.smsby.facts import AccountClock, AccountFacts, FactName, PartTable
from smsby_deploy.wording import first_of, sentence

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient  # an offline plan has none

_CLOCK_TOLERANCE = timedelta(minutes=2)  # an answer may take that long; times are in minutes
_SURE_PARTS = 3  # all known tables agree up to this many parts
_CLOCKS = (FactName.CLOCK_IN, FactName.SCHEDULE_CLOCK, FactName.CLOCK_OUT)
_READERS = {FactName.CLOCK_IN: "createSmsMessage, sendSmsList", FactName.SCHEDULE_CLOCK: "sendBulkSms"}


class Contradiction(NamedTuple):
    """A fact that contradicts a promise, or the setting `key`: what, and how to fix it."""

    fact: FactName
    message: str
    key: str = ""


def find_contradictions(project: Project, facts: AccountFacts) -> Iterator[Contradiction]:
    """Yield what the facts contradict, regardless of any mailing."""
    for name in _CLOCKS:
        yield from _compare_clock(project, facts, name)
    yield from _find_wrong_price(project, facts)
    yield from _find_slow_list(project, facts)
    size, length = facts.list_size, facts.name_length
    if size is not None and size.is_capped:
        message = sentence(
            "getSMSMessages lists only {count:mailing|mailings}, so it does not prove that an older one was not sent: "
            "never lose the lock",
            count=size.length,
        )
        yield Contradiction(FactName.LIST_SIZE, message)
    if facts.part_table not in (None, PartTable.SDK):
        message = sentence(
            "sms.by counts texts of more than {count:part|parts} differently from this tool: keep texts "
            "shorter (guardrails.max_parts: {most})",
            count=_SURE_PARTS,
            most=_SURE_PARTS,
        )
        yield Contradiction(FactName.PART_TABLE, message)
    if length is not None and length.is_cut:
        message = sentence(
            "sms.by cuts names after {count:character|characters}: a mailing with a longer name is not recognized after a "
            "lost answer, so keep the names of campaigns and mailings short",
            count=length.listed,
        )
        yield Contradiction(FactName.NAME_LENGTH, message)
    refusal = facts.value(FactName.TOKEN_REFUSAL)
    if refusal is not None and not refusal["recognized"]:
        message = sentence(
            "this tool does not recognize how sms.by refuses a token (HTTP {status}): a token that expires during an apply "
            "looks like rejected mailings, so check it with `smsby-deploy api getBalance` before each apply",
            status=refusal["status"],
        )
        yield Contradiction(FactName.TOKEN_REFUSAL, message)


@dataclass(frozen=True)
class FactCheck:
    """What the facts of an account forbid; `doubt` is why the list cannot show what was sent."""

    project: Project
    facts: AccountFacts
    now: datetime
    doubt: str = ""

    def obstacle(self, mailing: Mailing, desired: Desired, action: ActionKind) -> str:
        """Return why a mailing must not be sent, and how to fix it; empty if it may."""
        if not self.facts.facts:
            return ""
        found = [self.doubt] if self.doubt and action in NEW_COMMITTING else []
        # A draft for a list always has a time.
        has_time = mailing.via == "list" or mailing.schedule_time is not None
        if action is not ActionKind.CONFIRM and has_time:
            found += [one.message for one in self._wrong_clock(mailing)]
        by_fact = {one.fact: one.message for one in find_contradictions(self.project, self.facts)}
        if desired.longest > _SURE_PARTS and FactName.PART_TABLE in by_fact:
            found.append(by_fact[FactName.PART_TABLE])
        if desired.cost and self._is_price_too_low():
            found.append(by_fact[FactName.PRICE])
        if FactName.NAME_LENGTH in by_fact and self._is_name_cut(mailing, desired):
            found.append(by_fact[FactName.NAME_LENGTH])
        return found[0] if len(found) == 1 else "; ".join(found)

    def problems(self) -> Iterator[Problem]:
        """Yield problems that block nothing: contradictions as warnings, old facts as a note."""
        if not self.facts.facts:
            return
        says_more = {FactName.LISTING_LAG, FactName.CURRENCY, FactName.CLOCK_OUT, FactName.TOKEN_REFUSAL}
        if not self._is_price_too_low():
            says_more.add(FactName.PRICE)
        for one in find_contradictions(self.project, self.facts):
            if one.fact in says_more:
                place = self.project.locations.get(one.key) if one.key else None
                yield Problem(Severity.WARNING, "FACT_DIFFERS", one.message, None, place)
        if old := self.facts.find_old(self.now):
            names = first_of([fact.name.value for fact in old])
            message = sentence(
                "learned more than 90 days ago: {names}; run `smsby-deploy doctor` again", names=names
            )
            name = self.project.api.facts_file
            place = Location(name.name) if name is not None else None
            yield Problem(Severity.NOTE, "FACTS_OLD", message, None, place)

    def _wrong_clock(self, mailing: Mailing) -> Iterator[Contradiction]:
        """Yield a contradiction of the clock of the mailing's method, or else of the other one."""
        names = [FactName.SCHEDULE_CLOCK, FactName.CLOCK_IN]
        if mailing.via != "bulk":
            names.reverse()
        known = next((name for name in names if self.facts.clock(name) is not None), None)
        if known is not None:
            yield from _compare_clock(self.project, self.facts, known)

    def _is_price_too_low(self) -> bool:
        """Whether a guardrail calculates with less than a part has actually cost."""
        rails, known, price = self.project.guardrails, self.facts.price, self.project.price
        if known is None or price is None or (rails.max_cost is None and rails.budget is None):
            return False
        return known.per_part > dict(price.per_prefix).get(known.prefix, price.per_part)

    def _is_name_cut(self, mailing: Mailing, desired: Desired) -> bool:
        length, count = self.facts.name_length, len(desired.chunks)
        names = (
            remote_name(
                self.project.scope, mailing.address, mailing.revision, index, count, chunk.fingerprint
            )
            for index, chunk in enumerate(desired.chunks)
        )
        return length is not None and any(len(name) > length.listed for name in names)


def find_doubt(facts: AccountFacts, lock: Lock, remote: RemoteView, archived: Collection[str] = ()) -> str:
    """Return why nothing shows what was sent; empty if the list or the lock does.

    The lock does unless it has never applied or is older than what is listed. By `lock bind`, a user vouches for it.
    """
    if facts.list_size is None or not facts.list_size.is_capped:
        return ""
    bound = max((one.at for one in lock.resolutions if one.address == EVERY_MAILING), default=None)
    count = facts.list_size.length
    if not lock.applies and bound is None:
        return sentence(
            "sms.by lists only {count:mailing|mailings}, and this lock has never applied, so nothing shows whether it was "
            "sent before; check the account, then run `smsby-deploy lock bind`",
            count=count,
        )
    if not _is_older(lock, remote, archived, bound):
        return ""
    return sentence(
        "sms.by lists only {count:mailing|mailings}, and the lock is older than what is listed, so nothing shows whether it "
        "was sent before; check the account, then run `smsby-deploy lock bind`",
        count=count,
    )


def _is_older(lock: Lock, remote: RemoteView, archived: Collection[str], bound: str | None) -> bool:
    """Whether the list shows a mailing that the lock lacks, made since the lock was bound."""
    since = 0.0 if bound is None else datetime.fromisoformat(bound).timestamp()
    recorded = {chunk.fingerprint for _, entry in lock.revisions() for chunk in entry.chunks}
    return any(
        name.fingerprint not in recorded
        and address not in archived
        and (remote.by_fingerprint[name.fingerprint].d_create or since + 1) > since
        for (address, _), names in remote.own.items()
        for name in names
    )


def find_wrong_clock(client: ReadClient | None, here: Binding | None) -> Iterator[Problem]:
    """Warn that sms.by has another time than this machine; a local sandbox may set its own."""
    lead = None if client is None else client.clock_lead
    if lead is None or abs(lead) <= _CLOCK_TOLERANCE or here is None or is_loopback(here.service):
        return
    message = sentence(
        "the clock of this machine differs from that of sms.by by {minutes:minute|minutes}; send times, "
        "windows and quiet hours depend on it, so set it before anything is sent",
        minutes=round(abs(lead).total_seconds() / 60),
    )
    yield Problem(Severity.WARNING, "CLOCK", message)


def _compare_clock(project: Project, facts: AccountFacts, name: FactName) -> Iterator[Contradiction]:
    clock = facts.clock(name)
    if clock is None:
        return
    zone = project.api.account_timezone
    offset = clock.at.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    expected = AccountClock(int(offset.total_seconds() // 60), clock.at)
    if expected.offset == clock.offset:
        return
    values = {"found": clock.text, "zone": zone, "expected": expected.text}
    if name is FactName.CLOCK_OUT:
        message = sentence(
            "sms.by writes dates in answers in {found}, but api.account_timezone {zone} is {expected}: set it to a zone "
            "with {found}",
            **values,
        )
    else:
        message = sentence(
            "sms.by reads times of {methods} in {found}, but api.account_timezone {zone} is {expected}: set it to a zone "
            "with {found}",
            methods=_READERS[name],
            **values,
        )
    yield Contradiction(name, message, "api.account_timezone")


def _find_slow_list(project: Project, facts: AccountFacts) -> Iterator[Contradiction]:
    lag, seconds = facts.listing_lag, project.api.reconcile_seconds
    if lag is not None and lag > seconds:
        message = sentence(
            "sms.by listed a mailing after {lag:g} s, but api.reconcile_seconds is {setting:g}: apply looks for a lost "
            "request for {seconds:g} s; set it to {seconds:g}",
            lag=lag,
            setting=seconds,
            seconds=facts.reconcile_seconds(seconds),
        )
        yield Contradiction(FactName.LISTING_LAG, message, "api.reconcile_seconds")


def _find_wrong_price(project: Project, facts: AccountFacts) -> Iterator[Contradiction]:
    known, price, currency = facts.price, project.price, facts.value(FactName.CURRENCY)
    if price is not None and currency not in (None, price.currency):
        message = sentence(
            "the balance is in {currency}, but price.currency is {setting}: correct it",
            currency=currency,
            setting=price.currency,
        )
        yield Contradiction(FactName.CURRENCY, message, "price.currency")
    if known is None or price is None:
        return
    own = dict(price.per_prefix)
    setting = own.get(known.prefix, price.per_part)
    if known.per_part != setting:
        key = f"price.per_prefix {known.prefix}" if known.prefix in own else "price.per_part"
        message = sentence(
            "a part cost {cost:f}, but {key} is {setting:f}: correct it",
            cost=known.per_part,
            key=key,
            setting=setting,
        )
        yield Contradiction(FactName.PRICE, message, "price")
