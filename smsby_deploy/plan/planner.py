"""Makes a plan from files, lock and remote list: an action per mailing. Nothing here sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from smsby_deploy import TOOL
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid, Refused, SmsbyUnavailable
from smsby_deploy.lock.archive import with_archived
from smsby_deploy.lock.binding import Binding, check_service, find_binding
from smsby_deploy.lock.keyed_digests import check_digest_key
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.account_names import AccountNames, find_name_problems, read_names
from smsby_deploy.plan.budget import hold_budget
from smsby_deploy.plan.chunks import Keep, OnBatch, ignore_batch
from smsby_deploy.plan.contradictions import FactCheck, find_doubt, find_wrong_clock
from smsby_deploy.plan.desired import MeasuredMailing
from smsby_deploy.plan.diff import make_orphans
from smsby_deploy.plan.gone import excuse_errors, excuse_missing, is_all_sent, is_excused
from smsby_deploy.plan.mailing_planner import MailingPlanner
from smsby_deploy.plan.measure import NO_PROGRESS, Observers, ReadProgress, find_flaws, measure_mailing
from smsby_deploy.plan.model import Action, ActionKind, Orphans, Plan
from smsby_deploy.plan.overlap import KeptPhones, find_overlap
from smsby_deploy.plan.remote_list_check import ListCheck, check_list, find_missing, is_forgotten, shows_any
from smsby_deploy.plan.remote_state import RemoteView, read_remote
from smsby_deploy.plan.selection import problems_in, select_mailings, selector
from smsby_deploy.plan.similar import SentMailings, find_similar
from smsby_deploy.plan.staleness import (
    exempt_inputs,
    finished_queries,
    hash_inputs,
    query_input,
    stamp_entries,
    stamp_lock,
)
from smsby_deploy.plan.text_counter import ContentPolicy
from smsby_deploy.privacy import shown_url
from smsby_deploy.problems import Problem, has_errors
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.shared_reads import SharedReads
from smsby_deploy.recipients.suppression import load_suppression, read_test_phones
from smsby_deploy.smsby.facts import NO_FACTS
from smsby_deploy.texts.pattern_search import begin_run

if TYPE_CHECKING:
    from smsby_deploy.plan.mailing_test_results import MailingTestResult
    from smsby_deploy.smsby.client import ReadClient  # an offline plan does not load it


def ignore_mailing(mailing: Mailing) -> OnBatch:
    return ignore_batch


def make_plan(
    loaded: LoadedProject,
    *,
    select: tuple[str, ...],
    client: ReadClient | None,
    account: str | None,
    lock: Lock,
    clock: Clock,
    new_id: str,
    here: Binding | None = None,
) -> Plan:
    """Plan the mailings that match `select` (all if it is empty).

    Without a client, the plan is made offline: without remote list and ids. With `here`, the lock must belong there.

    Raises:
        UsageError: a pattern matches nothing.
        Refused: the lock needs another digest key, or belongs to another service or account.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    begin_run()
    files = measure_files(
        loaded, select=select, lock=lock, now=clock.now(), runs_tests=True, finds_overlap=True
    )
    files.check_key()
    return files.plan(client=client, account=account, now=clock.now(), new_id=new_id, here=here)


def measure_files(
    loaded: LoadedProject,
    *,
    select: tuple[str, ...],
    lock: Lock,
    progress: ReadProgress = NO_PROGRESS,
    now: datetime | None = None,
    keep: Keep | None = None,
    observe: Callable[[Mailing], OnBatch] = ignore_mailing,
    runs_tests: bool = False,
    finds_overlap: bool = False,
) -> MeasuredFiles:
    """Read the recipients and texts of the mailings in `select`; that needs no server.

    The files of mailings that are gone by `now` may be missing or invalid; with None, no mailing is excused. `keep` receives
    the chunks that may be sent by sendBulkSms; `observe` returns the function that receives a mailing's batches with their
    texts. With `runs_tests`, a failed test is an error; with `finds_overlap`, recipients of several mailings are counted.

    Raises:
        UsageError: a pattern matches nothing.
    """
    lock, archived = with_archived(lock, {mailing.address for mailing in loaded.all_mailings})
    selected, orphans = select_mailings(loaded, lock, select, archived)
    mailings = [mailing for mailing in selected if mailing.cancelled is None]

    def excuses(mailing: Mailing) -> bool:
        return now is not None and is_excused(lock.mailings.get(mailing.address), mailing, now)

    loaded = excuse_missing(loaded, excuses)
    loaded = loaded._replace(problems=problems_in(loaded, select))
    suppressed, problems = load_suppression(loaded.project.suppress, loaded.project.only_to)
    measured = []
    kept_phones = KeptPhones(mailings, loaded.project.guardrails, finds_overlap=finds_overlap)
    with closing(SharedReads(mailings)) as shared_reads:
        for mailing in progress.over(mailings):
            policy = ContentPolicy(loaded.project.guardrails, locations=loaded.project.locations)
            entry = lock.mailings.get(mailing.address)
            kept_by = keep if mailing.via == "bulk" and not is_all_sent(entry, mailing) else None
            keeps_phones = kept_phones.keeps(mailing, entry)
            observers = Observers(
                policy, progress, observe(mailing), kept_by, keeps_phones, shared_reads, runs_tests
            )
            one = measure_mailing(loaded.project, mailing, suppressed, observers)
            kept_phones.take(one.desired)
            measured.append(_excuse(one, excuses))
    # Mailings with invalid parts cannot be planned, but their other problems are reported, too.
    flawed = () if select else loaded.flawed
    flaws = [one for mailing in flawed for one in find_flaws(loaded.project, mailing, suppressed, progress)]
    return MeasuredFiles(
        loaded,
        select,
        lock,
        archived,
        tuple(measured),
        tuple(orphans),
        suppressed,
        (*read_test_phones(loaded.project)[1], *problems),
        tuple(mailing for mailing in selected if mailing.cancelled is not None),
        tuple(flaws),
    )


@dataclass(frozen=True)
class MeasuredFiles:
    """The selected mailings as the files describe them, before sms.by is asked about them.

    `lock` includes archived mailings that are in the files; `archived` are the addresses of all archived ones.
    """

    loaded: LoadedProject
    select: tuple[str, ...]
    lock: Lock
    archived: frozenset[str]
    measured: tuple[MeasuredMailing, ...]
    orphans: tuple[str, ...]
    suppressed: PhoneSet
    suppression_problems: tuple[Problem, ...]
    cancelled: tuple[Mailing, ...]
    flaws: tuple[Problem, ...]
    _sent: dict[datetime, SentMailings] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def tests(self) -> tuple[MailingTestResult, ...]:
        """The results of the mailings' own tests."""
        return tuple(result for one in self.measured for result in one.tests)

    @property
    def problems(self) -> tuple[Problem, ...]:
        own = (problem for one in self.measured for problem in one.problems)
        return (*self.loaded.problems, *self.suppression_problems, *own, *self.flaws)

    @property
    def mailings(self) -> list[Mailing]:
        """The measured mailings; cancelled ones are not measured."""
        return [one.mailing for one in self.measured]

    @cached_property
    def _orphans(self) -> Orphans:
        return make_orphans(self.orphans, self.lock.mailings)

    @cached_property
    def _orphan_stamps(self) -> dict[str, str]:
        return stamp_entries(self.lock, frozenset(self.orphans))

    @cached_property
    def _inputs(self) -> dict[str, str]:
        """The digest of every file and query result, cached because `apply` makes two plans."""
        desired = [one.desired for one in self.measured if one.desired]
        results = {query_input(one.address): one.snapshot for one in desired if one.snapshot is not None}
        return hash_inputs(self.loaded.project, self.mailings) | results

    @contextmanager
    def errors_first(self) -> Iterator[None]:
        """Raise FilesInvalid instead of another error if the files are not valid.

        Its exit code takes precedence.
        """
        try:
            yield
        except (SmsbyUnavailable, Refused) as error:
            if has_errors(self.problems):
                raise FilesInvalid(self.problems) from error
            raise

    def check_key(self) -> None:
        """Check that the digests of the lock are made with the key at hand.

        Raises as `check_digest_key`. If the files are not valid, FilesInvalid takes precedence.
        """
        with self.errors_first():
            check_digest_key(self.lock, self.loaded.project.digest_key)

    def plan(
        self,
        *,
        client: ReadClient | None,
        account: str | None,
        now: datetime,
        new_id: str,
        here: Binding | None = None,
        is_handing_over: bool = False,
        remote: RemoteView | None = None,
    ) -> Plan:
        """Decide what happens to each mailing, based on the lock and the remote list.

        With `here`, the lock must belong there. If it `is_handing_over`, only approved mailings are sent. `remote` is the
        list if it was read moments ago.

        Raises:
            Refused: the lock belongs to another service or account.
            SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked; FilesInvalid if the files are not valid.
        """
        project = self.loaded.project
        names, remote = self._ask(client, here, remote)
        if project.environment.is_sandbox and remote is not None and is_forgotten(self.lock, remote, here):
            return self._anew().plan(client=client, account=account, now=now, new_id=new_id, here=here)
        binding = None
        if here is not None and remote is not None:
            with self.errors_first():
                binding = find_binding(self.lock, here, is_shown=shows_any(self.lock, remote))
        problems = [*self.loaded.problems, *self.suppression_problems, *find_wrong_clock(client, here)]
        planner = self._planner(client, names, remote, now, problems, is_handing_over)
        actions = self._decide(planner, client)
        return Plan(
            id=new_id,
            created_at=now.isoformat(timespec="seconds"),
            project=project.name,
            environment=project.environment.name,
            account=account if client is not None else None,
            tool=TOOL,
            select=self.select,
            inputs=self._inputs,
            lock=stamp_lock(self.lock, actions, lambda: self._orphan_stamps),
            decided=tuple(actions),
            orphans=self._orphans,
            problems=tuple(planner.problems),
            currency=project.currency,
            exempt=exempt_inputs(project, self.mailings) | finished_queries(actions, self._inputs),
            binding=binding,
            digest_key=project.digest_key.id,
            names=names,
            service=here.service if here is not None else None,
            callback_url=shown_url(project.api.callback_url) or None,
            archived=sum(map(selector(self.select), self.archived)),
        )

    def _planner(
        self,
        client: ReadClient | None,
        names: AccountNames,
        remote: RemoteView | None,
        now: datetime,
        problems: list[Problem],
        is_handing_over: bool,
    ) -> MailingPlanner:
        """Return what plans the mailings, with `problems` and those of the list and the facts."""
        project, sent, check = self.loaded.project, self._find_sent(now), None
        facts = self._check_facts(client, remote, now)
        if remote is not None:
            seconds = facts.facts.reconcile_seconds(project.api.reconcile_seconds)
            check = check_list(self.lock, remote, now=now, reconcile_seconds=seconds)
            problems = [*self._find_missing(check, now), *problems, *facts.problems()]
        return MailingPlanner(
            project, self.lock, sent, names, remote, check, facts, now, problems, is_handing_over
        )

    def _decide(self, planner: MailingPlanner, client: ReadClient | None) -> list[Action]:
        """Return the actions; their problems are added to those of `planner`."""
        problems = planner.problems
        planner.count_together(self.measured)
        first, planned = len(problems), [planner.plan_mailing(one) for one in self.measured]
        # The sender and list of a finished mailing may no longer exist in the account.
        pairs = zip(self.measured, planned, strict=True)
        unfinished = (one.mailing for one, now in pairs if now is None or now.action is not ActionKind.NOOP)
        problems[first:first] = find_name_problems(unfinished, planner.names)
        problems += self.flaws
        actions = [action for action in planned if action]
        if client is not None and planner.project.guardrails.pressure is not None:
            from smsby_deploy.plan.pressure import limit_pressure

            with self.errors_first():
                actions, notes = limit_pressure(planner, client, self.measured, actions, self.suppressed)
            problems += notes
        actions = hold_budget(planner.project, actions, self.lock, planner.now)
        problems += self._find_similar(actions, planner.sent)
        actions += filter(None, map(planner.plan_cancelled, self.cancelled))
        planner.check_orphans(frozenset(self.orphans))
        return actions

    def _check_facts(self, client: ReadClient | None, remote: RemoteView | None, now: datetime) -> FactCheck:
        project, facts = self.loaded.project, NO_FACTS if client is None else client.facts
        doubt = ""
        if remote is not None and not project.environment.is_rehearsal:
            doubt = find_doubt(facts, self.lock, remote, self.archived)
        return FactCheck(project, facts, now, doubt)

    def _anew(self) -> MeasuredFiles:
        """Return the same files with an empty lock, because the sandbox has forgotten its mailings."""
        project = self.loaded.project
        empty = Lock(project.name, environment=project.environment.name)
        return replace(self, lock=empty, archived=frozenset(), orphans=())

    def _ask(
        self, client: ReadClient | None, here: Binding | None, remote: RemoteView | None
    ) -> tuple[AccountNames, RemoteView | None]:
        """Return the account's names and its list of mailings (None offline); raises as `plan`."""
        project = self.loaded.project
        with self.errors_first():
            if here is not None and not project.environment.is_sandbox:
                check_service(self.lock, here.service)
            names = read_names(client, self.mailings)
            if client is None:
                return names, None
            if remote is None:
                addresses = (mailing.address for mailing in project.mailings)
                remote = read_remote(client, project.scope, self.lock, addresses)
            return names, remote

    def _find_sent(self, now: datetime) -> SentMailings:
        # A cancelled mailing counts as removed: sms.by may still send it.
        in_files = (one.address for one in self.loaded.all_mailings if one.cancelled is None)
        desired = [one.desired for one in self.measured if one.desired]
        if now not in self._sent:  # an apply plans twice: offline, and with the list of sms.by
            self._sent[now] = SentMailings(self.lock, in_files, desired, now, self.archived)
        return self._sent[now]

    def _find_similar(self, actions: list[Action], sent: SentMailings) -> Iterator[Problem]:
        mailings = {one.mailing.address: (one.mailing, one.desired) for one in self.measured if one.desired}
        zone = self.loaded.project.api.account_zone
        similar = [*find_similar(actions, mailings, sent, self.suppressed, zone)]
        yield from find_overlap(self.measured, actions, self.suppressed, similar)
        yield from (one.warning for one in similar)

    def _find_missing(self, check: ListCheck, now: datetime) -> Iterator[Problem]:
        locations = {mailing.address: mailing.location for mailing in self.loaded.project.mailings}
        addresses = [*(one.mailing.address for one in self.measured), *self.orphans]
        return find_missing(check, addresses, locations, now)


def _excuse(measured: MeasuredMailing, excuses: Callable[[Mailing], bool]) -> MeasuredMailing:
    """Return `measured`, with its errors reduced to a note if it is excused."""
    mailing, found = measured.mailing, measured.problems
    if not (mailing.unreadable or has_errors(found)) or not excuses(mailing):
        return measured
    notes = tuple(excuse_errors(mailing, found))
    return measured._replace(desired=None, problems=notes, is_excused=True, tests=())
