"""Ask everything in its order, keep what was learned, and compare it with settings and promises.

Each finding says in words what was asked, what was learned, and what that means for a project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.apply.one_off import check_test_phone
from smsby_deploy.apply.self_test import SelfTest
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Project
from smsby_deploy.config.sources import ContactList
from smsby_deploy.doctor.examination import Examination
from smsby_deploy.doctor.questions import (
    ask_for_an_error,
    ask_for_balance,
    ask_for_call_styles,
    ask_for_mailings,
    ask_for_messages,
    ask_for_names,
)
from smsby_deploy.doctor.unsent_messages import leave_rows
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.plan.account_names import name_key
from smsby_deploy.plan.contradictions import Contradiction, find_contradictions
from smsby_deploy.smsby.deliveries import read_delivery_status
from smsby_deploy.smsby.facts import AccountClock, AccountFacts, Fact, FactName, FactState, Gap
from smsby_deploy.smsby.parsers import SubscriberList
from smsby_deploy.smsby.probe_client import ProbeClient
from smsby_deploy.wording import counted, first_of

OpenSelfTest = Callable[[AccountFacts, Examination], SelfTest]


@dataclass(frozen=True, slots=True)
class DoctorRequest:
    """What to ask, and what it takes.

    `facts` are those known before, `mark` is part of everything that is left at sms.by. `open_self_test` is called only with
    a phone `to`, once all else was asked. `save` keeps the facts; `step` gets what is asked next.
    """

    project: Project
    facts: AccountFacts
    client: ProbeClient
    clock: Clock
    mark: str
    open_self_test: OpenSelfTest
    save: Callable[[AccountFacts], object]
    step: Callable[[str], object]
    leaves_rows: bool = False
    to: str | None = None


@dataclass(frozen=True, slots=True)
class FactFinding:
    """One line: what was asked, what was learned, and what that means.

    `is_new` if this run learned it; `contradicts` if it contradicts a setting or a promise.
    """

    fact: Fact
    asked: str
    learned: str
    meaning: str
    is_new: bool
    contradicts: bool


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All findings, one for each fact, and why not everything was asked, if so."""

    account: str
    findings: tuple[FactFinding, ...]
    failure: SmsbyDeployError | None = None

    @property
    def has_learned(self) -> bool:
        """Whether this run learned a fact, and saved it."""
        return any(one.is_new for one in self.findings)

    @property
    def exit_code(self) -> ExitCode:
        codes = [ExitCode.DONE] if self.failure is None else [self.failure.exit_code]
        if any(one.contradicts for one in self.findings):
            codes.append(ExitCode.REFUSED)
        return first_exit_code(codes)


def run_doctor(request: DoctorRequest) -> DoctorReport:
    """Learn the facts, free ones first, and save them, also if sms.by fails halfway.

    Raises:
        UsageError, Refused, FilesInvalid: `to` may not get a test; nothing was asked.
        SmsbyDeployError: the facts cannot be saved.
    """
    project = request.project
    phone = None if request.to is None else check_test_phone(project, request.to)
    look = Examination(request.client, request.clock, ZoneInfo(project.api.account_timezone), request.mark)
    names: list[Contradiction] = []
    failure = None
    try:
        _examine(request, look, phone, names)
    except SmsbyDeployError as error:
        failure = error
    finally:
        facts = request.facts.updated(look.facts.values())
        if look.facts:
            request.save(facts)
    wrong = {one.fact: one.message for one in (*find_contradictions(project, facts), *names)}
    wrong |= {one.fact: one.message for one in _find_odd_status(facts)}
    findings = tuple(_finding(facts.get(name), look, wrong) for name in FactName)
    return DoctorReport(facts.account, findings, failure)


def _examine(
    request: DoctorRequest, look: Examination, phone: str | None, names: list[Contradiction]
) -> None:
    request.step("asking about token and balance")
    ask_for_balance(look)
    request.step("asking about senders and lists")
    senders, lists = ask_for_names(look)
    names += _find_unknown_names(request.project, look, senders, lists)
    request.step("asking where parameters are read")
    ask_for_call_styles(look)
    ask_for_an_error(look)
    request.step("asking about mailings")
    mailings = ask_for_mailings(look)
    ask_for_messages(look, mailings)
    look.judge_refusals()
    if request.leaves_rows:
        request.step("leaving messages that are never sent")
        leave_rows(look, lists)
        if not look.is_known(FactName.PAGING):
            ask_for_messages(look, mailings)
        look.judge_refusals()
    if phone is not None:
        request.step("sending one SMS, and waiting for its last status")
        facts = request.facts.updated(look.facts.values())
        request.save(facts)
        request.open_self_test(facts, look).run(phone)


def _finding(fact: Fact, look: Examination, wrong: Mapping[FactName, str]) -> FactFinding:
    is_wrong = fact.name in wrong and fact.state is FactState.KNOWN
    means = wrong[fact.name] if is_wrong else meaning(fact)
    return FactFinding(fact, asked(fact.name), learned(fact), means, fact.name in look.facts, is_wrong)


def _find_unknown_names(
    project: Project, look: Examination, senders: Mapping[str, int], lists: tuple[SubscriberList, ...]
) -> Iterator[Contradiction]:
    """Yield the senders and lists in the files that the account lacks."""
    known = {name_key(name) for name in senders} | {str(number) for number in senders.values()} | {"0"}
    unknown = sorted({one.alphaname for one in project.mailings if name_key(one.alphaname) not in known})
    if unknown and look.is_known(FactName.SENDERS):
        message = (
            f"the account has no sender {first_of(unknown)}: correct alphaname, or register it at sms.by"
        )
        yield Contradiction(FactName.SENDERS, message)
    refs = {one.audience.ref for one in project.mailings if isinstance(one.audience, ContactList)}
    known = {name_key(one.name) for one in lists} | {str(one.id) for one in lists}
    missing = sorted(ref for ref in refs if name_key(ref) not in known)
    if missing and look.is_known(FactName.LISTS):
        message = f"the account has no contact list {first_of(missing)}: correct `list`, or make it at sms.by"
        yield Contradiction(FactName.LISTS, message)


def _find_odd_status(facts: AccountFacts) -> Iterator[Contradiction]:
    """Yield the last status that `doctor` saw, if reports do not know it as one."""
    word = facts.value(FactName.LAST_STATUS)
    if word is not None and read_delivery_status(word) is None:
        message = f"{word} is not known to be a last status: `status` counts it as undelivered after status.settle_after"
        yield Contradiction(FactName.LAST_STATUS, message)


_Say = Callable[[Any], str]


class _Sentences(NamedTuple):
    """`asked` is a noun phrase; the others take the value as in the file."""

    asked: str
    learned: _Say
    meaning: _Say


def _clock(value: Mapping[str, Any]) -> str:
    return AccountClock(value["offset"], datetime.fromisoformat(value["at"])).text


def _always(text: str) -> _Say:
    return lambda value: text


def _either(yes: str, no: str) -> _Say:
    return lambda value: yes if value else no


_GAPS = {
    Gap.NO_ROWS: "the account has nothing that shows it",
    Gap.NO_VALUE: "the answer has no such value",
    Gap.REFUSED: "sms.by answered with an error",
    Gap.NO_ANSWER: "no usable answer",
    Gap.UNDECIDED: "several readings fit the answer",
    Gap.NOT_LISTED: "sms.by did not list what was made",
    Gap.NOT_YET: "it did not happen while doctor waited",
    Gap.NOT_SET_UP: "api.callback_url is not set",
}
_EMPTY = {
    "documented": "as documented",
    "no_body": "by an answer without a body",
    "bare_list": "by an empty list",
    "null_data": "by success without data",
    "other_406": "by HTTP 406 in other words",
    "not_found": "by HTTP 404",
}
_WORDS = {
    FactName.TOKEN_REFUSAL: _Sentences(
        "how a wrong token is refused",
        lambda value: f"HTTP {value['status']}, {'recognized' if value['recognized'] else 'not recognized'}",
        _either("a token that expires stops an apply", ""),
    ),
    FactName.CURRENCY: _Sentences(
        "currency of the balance", str, _always("price.currency and the balance can be compared")
    ),
    FactName.PRICE_ESTIMATE: _Sentences(
        "price: balance divided by limit",
        lambda value: f"about {value} a part",
        _always("nothing depends on an estimate; --to learns the exact price"),
    ),
    FactName.SENDERS: _Sentences(
        "sender names", lambda value: counted(value, "name"), _always("the files name senders of the account")
    ),
    FactName.LISTS: _Sentences(
        "contact lists", lambda value: counted(value, "list"), _always("the files name lists of the account")
    ),
    FactName.CALL_STYLES: _Sentences(
        "where the parameters of a POST are read",
        lambda value: ", ".join(f"{name} by {style}" for name, style in value.items()) or "where documented",
        lambda value: "these methods are called like that" if value else "requests follow the document",
    ),
    FactName.ERROR_STYLE: _Sentences(
        "how an error looks",
        lambda value: f"HTTP {value['status']} with {'a known' if value['known'] else 'an unknown'} text",
        _always("every error has its text; an unknown one has no hint"),
    ),
    FactName.REFUSAL_AT_500: _Sentences(
        "whether HTTP 500 refuses",
        _either("yes, with a known text", "no refusal was seen with HTTP 500"),
        _either("a send refused like that counts as rejected", "a send with HTTP 500 is an unknown outcome"),
    ),
    FactName.LIST_SIZE: _Sentences(
        "size of getSMSMessages",
        lambda value: (
            f"{counted(value['count'], 'mailing')}{', which looks like a limit' if value['capped'] else ''}"
        ),
        _always("the list shows what was sent"),
    ),
    FactName.EMPTY_LIST: _Sentences(
        'how "no mailings" looks',
        lambda value: _EMPTY[value],
        lambda value: "understood" if value == "documented" else "understood in this account from now on",
    ),
    FactName.PAGING: _Sentences(
        "paging of getMessagesList",
        lambda value: " and ".join(
            f"{name} {'is' if value[key] else 'is not'} followed"
            for key, name in (("limit", "limit_rows"), ("offset", "limit_offset"))
        ),
        _always("pages are read until one is empty or repeats, so both work"),
    ),
    FactName.CLOCK_OUT: _Sentences(
        "clock of dates in answers", _clock, _always("agrees with api.account_timezone")
    ),
    FactName.CLOCK_IN: _Sentences(
        "clock of `time` in createSmsMessage", _clock, _always("agrees with api.account_timezone")
    ),
    FactName.DUPLICATES: _Sentences(
        "the same message again",
        _either("refused", "made a second time"),
        _either(
            "`via: single` uses the message that exists", "a lost answer of `via: single` leaves two messages"
        ),
    ),
    FactName.MODERATION: _Sentences(
        "moderation of a new text",
        _either("it waits for approval", "approved at once"),
        _either(
            "`via: single` waits for the approval, or is resumed after it", "`via: single` sends at once"
        ),
    ),
    FactName.UNSENT_LISTED: _Sentences(
        "whether unsent messages are listed",
        _either("yes", "no"),
        _always("either is understood: a listed message proves no delivery"),
    ),
    FactName.PART_TABLE: _Sentences(
        "parts at 4 to 6 parts, and of ~ and €",
        lambda value: {"sdk": "as in sms.by's SDKs", "gsm": "as in GSM 03.38"}.get(value, "by neither table"),
        _always("parts and cost of a plan are what is billed"),
    ),
    FactName.REFUSED_PHONE: _Sentences(
        "a phone that is none, in importContacts",
        lambda value: {"logged": "invalid, with its row", "counted": "invalid, without its row"}.get(
            value, "accepted"
        ),
        lambda value: (
            "an upload reports it"
            if value != "accepted"
            else "an upload does not notice it; the phones in the files are checked before"
        ),
    ),
    FactName.LISTING_LAG: _Sentences(
        "time until a mailing is listed",
        lambda value: f"{value:g} s",
        _always("a lost request is found within api.reconcile_seconds"),
    ),
    FactName.NAME_LENGTH: _Sentences(
        "length of a listed name",
        lambda value: f"{value['listed']} of {value['sent']} characters",
        _always("every mailing is recognized by its name"),
    ),
    FactName.SCHEDULE_CLOCK: _Sentences(
        "clock of schedule_time in sendBulkSms", _clock, _always("agrees with api.account_timezone")
    ),
    FactName.PRICE: _Sentences(
        "exact price",
        lambda value: f"{value['per_part']} a part",
        _always("agrees with price, if that is set"),
    ),
    FactName.FIRST_STATUS: _Sentences(
        "first status of an SMS", str, _always("`status` shows it as pending or sent")
    ),
    FactName.LAST_STATUS: _Sentences(
        "last status of an SMS", str, _always("`status --watch` ends when every SMS has one")
    ),
    FactName.CALLBACK: _Sentences(
        "callback",
        lambda value: "can be read" if value == "report" else "in an unknown form",
        lambda value: "`status` uses it" if value == "report" else "it is stored, and `status` asks sms.by",
    ),
}


def asked(name: FactName) -> str:
    """Return what was asked, as a noun phrase."""
    return _WORDS[name].asked


def learned(fact: Fact) -> str:
    """Return what was learned, or why nothing was."""
    if fact.state is FactState.KNOWN:
        return _WORDS[fact.name].learned(fact.value)
    return "not asked" if fact.gap is None else f"not learnable: {_GAPS[fact.gap]}"


def meaning(fact: Fact) -> str:
    """Return what it means for a project whose settings it does not contradict."""
    if fact.state is FactState.KNOWN:
        return _WORDS[fact.name].meaning(fact.value)
    return "what docs/api-facts.md assumes still applies"
