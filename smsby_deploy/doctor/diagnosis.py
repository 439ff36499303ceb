"""Runs all questions in order, keeps the facts, and compares them with the project.

Each finding says in words what was asked, what was learned, and what that means for a project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from smsby_deploy.apply.one_off import check_test_phone
from smsby_deploy.apply.self_test import SelfTest
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Project
from smsby_deploy.config.sources import ContactList
from smsby_deploy.doctor.examination import Examination
from smsby_deploy.doctor.fact_words import asked, learned, meaning
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
from smsby_deploy.smsby.facts import AccountFacts, Fact, FactName, FactState
from smsby_deploy.smsby.parsers import AccountName
from smsby_deploy.smsby.probe_client import ProbeClient
from smsby_deploy.wording import first_of, sentence

OpenSelfTest = Callable[[AccountFacts, Examination], SelfTest]


@dataclass(frozen=True, slots=True)
class DoctorRequest:
    """What to ask, and the means to ask it.

    `facts` are those already known, `mark` is part of everything that is left at sms.by. `open_self_test` is called only with
    a phone `to`, after everything else was asked. `save` stores the facts; `step` gets the next question.
    """

    project: Project
    facts: AccountFacts
    client: ProbeClient
    clock: Clock
    mark: str
    open_self_test: OpenSelfTest
    save: Callable[[AccountFacts], object]
    step: Callable[[str], object]
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
    """All findings, one for each fact, and the failure that kept some from being asked, if any."""

    account: str
    findings: tuple[FactFinding, ...]
    failure: SmsbyDeployError | None = None

    @property
    def has_learned(self) -> bool:
        """Whether this run learned a fact, and saved it."""
        return any(one.is_new for one in self.findings)

    @property
    def exit_code(self) -> ExitCode:
        """REFUSED if a fact contradicts a setting or a promise, unless a failure takes precedence."""
        codes = [ExitCode.DONE] if self.failure is None else [self.failure.exit_code]
        if any(one.contradicts for one in self.findings):
            codes.append(ExitCode.REFUSED)
        return first_exit_code(codes)


def run_doctor(request: DoctorRequest) -> DoctorReport:
    """Learn the facts, free ones first, and save them, even if sms.by fails halfway.

    Raises:
        UsageError, Refused, FilesInvalid: `to` may not get a test; nothing was asked.
        SmsbyDeployError: the facts cannot be saved.
    """
    project = request.project
    phone = None if request.to is None else check_test_phone(project, request.to)
    look = Examination(request.client, request.clock, project.api.account_zone, request.mark)
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
    mailings = ask_for_mailings(look, request.facts.list_size)
    ask_for_messages(look, mailings)
    look.judge_refusals()
    if request.client.may_write:
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
    project: Project, look: Examination, senders: Mapping[str, int], lists: tuple[AccountName, ...]
) -> Iterator[Contradiction]:
    """Yield the senders and lists in the files that the account lacks."""
    known = {name_key(name) for name in senders} | {str(number) for number in senders.values()} | {"0"}
    unknown = sorted({one.alphaname for one in project.mailings if name_key(one.alphaname) not in known})
    if unknown and look.is_known(FactName.SENDERS):
        message = sentence(
            "the account has no sender {names}: correct alphaname, or register it at sms.by",
            names=first_of(unknown),
        )
        yield Contradiction(FactName.SENDERS, message)
    refs = {one.audience.ref for one in project.mailings if isinstance(one.audience, ContactList)}
    known = {name_key(one.name) for one in lists} | {str(one.id) for one in lists}
    missing = sorted(ref for ref in refs if name_key(ref) not in known)
    if missing and look.is_known(FactName.LISTS):
        message = sentence(
            "the account has no contact list {names}: correct `list`, or make it at sms.by",
            names=first_of(missing),
        )
        yield Contradiction(FactName.LISTS, message)


def _find_odd_status(facts: AccountFacts) -> Iterator[Contradiction]:
    """Yield the last status that `doctor` saw, if reports do not recognize it."""
    word = facts.value(FactName.LAST_STATUS)
    if word is not None and read_delivery_status(word) is None:
        message = sentence(
            "{word} is not a known final status: `status` counts it as undelivered after status.settle_after",
            word=word,
        )
        yield Contradiction(FactName.LAST_STATUS, message)
