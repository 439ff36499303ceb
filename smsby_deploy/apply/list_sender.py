"""Lists kept at sms.by: sendSmsList makes a draft, confirm=0 tells what it would cost, confirm=1 starts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.events import Event
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import ChunkRef
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable, TokenRefused
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import SURELY_NOT_SENT, ChunkState
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.guardrails import check_budget, check_people, unjudged_cost, unjudged_people
from smsby_deploy.plan.model import Action
from smsby_deploy.smsby.outcome import Outcome
from smsby_deploy.smsby.parsers import ListInfo, is_draft
from smsby_deploy.texts.parts import measure_text
from smsby_deploy.texts.price import cost_of, money
from smsby_deploy.texts.template import compile_text
from smsby_deploy.wording import counted

_CONFIRMATIONS = 3  # in one run, of a draft that surely was not confirmed


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was reviewed of a list that is ours: how many people are in it, and what it costs; `objection` says why its
    draft may not be confirmed any more, "" if nothing speaks against it. If it `must_be_counted`, only sms.by's count
    tells that nobody else is in it."""

    recipients: int
    cost: Decimal
    objection: str
    must_be_counted: bool


Review = Callable[[], Reviewed]


class DraftRequest(SendRequest):
    """sendSmsList: makes the draft of a list mailing."""

    def __init__(self, ref: ChunkRef, prepare: Callable[[], Callable[[], Outcome]]) -> None:
        super().__init__([ref], step="draft")
        self._prepare = prepare

    def prepare(self) -> Callable[[], Outcome]:
        return self._prepare()


class ConfirmRequest(SendRequest):
    """confirm=1: starts the draft of a list mailing."""

    def __init__(
        self, ref: ChunkRef, prepare: Callable[[], Callable[[], Outcome]], objection: Callable[[], str]
    ) -> None:
        super().__init__([ref], step="confirm")
        self._prepare = prepare
        self._objection = objection

    def prepare(self) -> Callable[[], Outcome]:
        return self._prepare()

    def objection_to_retry(self) -> str:
        return self._objection()


class ListSender:
    """Sends a mailing to a list, from wherever the lock says it stands. Never makes a second draft."""

    def __init__(
        self,
        context: ApplyContext,
        dispatcher: Dispatcher,
        reconciler: Reconciler,
        *,
        planned_cost: Decimal,
        spent: Decimal,
    ) -> None:
        self._project = context.project
        self._client = context.client
        self._recorder = context.recorder
        self._clock = context.clock
        self._shutdown = context.shutdown
        self._runs = context.runs
        self._say = context.say
        self._dispatcher = dispatcher
        self._reconciler = reconciler
        self._cost = planned_cost  # of everything else in this apply, and of the lists confirmed so far
        self._spent = spent  # of the month's budget before this apply
        self._made: set[str] = set()  # addresses whose draft was made just now: nobody can have confirmed it

    def send(self, mailing: Mailing, action: Action, list_id: int, review: Review | None = None) -> None:
        """Draft it if there is no draft, then confirm it; one that was uploaded only as its `review`, made directly before,
        has it.

        Raises:
            StopSending, ResultNotSaved: as Dispatcher.send. And what `review` raises.
        """
        ref = (mailing.address, 0)
        if self._recorder.chunk(ref).state is ChunkState.UNKNOWN:
            # Its confirmation was lost in an earlier run: a listed DRAFT counts once it has stood for a while.
            self._reconciler.look_for([ref])
        if self._recorder.chunk(ref).state in SURELY_NOT_SENT:
            self._dispatcher.send(DraftRequest(ref, lambda: self._make_draft(mailing, action, list_id)))
            self._made.add(mailing.address)
        if self._runs[mailing.address].is_stopped:
            return
        for _ in range(_CONFIRMATIONS):
            if self._recorder.chunk(ref).state is not ChunkState.DRAFT:
                break
            if not self._confirm(mailing, review):
                return
        if self._recorder.chunk(ref).state is ChunkState.UNKNOWN:
            self._runs[mailing.address].stop("unknown: whether it was confirmed is not known")

    def _make_draft(self, mailing: Mailing, action: Action, list_id: int) -> Callable[[], Outcome]:
        assert mailing.text is not None  # the schema demands it of a list mailing
        zone = ZoneInfo(self._project.api.account_timezone)
        now = self._clock.now()
        when = (mailing.time_on_wire(now) or now).astimezone(zone)
        mark = action.chunks[0].fingerprint
        return self._client.prepare_sms_list(
            name=remote_name(self._project.name, mailing.address, mailing.revision, 0, 1, mark),
            message=compile_text(mailing.text).render_once(),
            d_schedule=when.strftime("%Y-%m-%d %H:%M"),
            list_id=list_id,
            alphaname_id=action.alphaname_id or 0,
        )

    def _confirm(self, mailing: Mailing, review: Review | None) -> bool:
        """Confirm the draft; False if nothing more is to be tried in this run."""
        address, ref = mailing.address, (mailing.address, 0)
        message_id = self._recorder.chunk(ref).message_id
        if message_id is None:
            self._runs[address].stop("the id of its draft is not recorded")
            return False
        self._shutdown.check()
        try:
            info = self._client.confirm_info(message_id)
        except TokenRefused as error:
            raise StopSending(error.message, ExitCode.UNREACHABLE) from error
        except (ApiError, SmsbyUnavailable) as error:
            self._runs[address].stop(f"its draft {message_id} stands, not confirmed: {error.message}")
            return False
        if info.status and not is_draft(info.status) and address not in self._made:
            self._recorder.note(ref, ChunkState.ACCEPTED, accepted_at=self._recorder.now(), error=None)
            return False
        reviewed = review() if review is not None else None
        breach = self._breach(mailing, info, reviewed)
        refusal = _difference(info, reviewed) or (f"guardrail: {breach}" if breach else "")
        why = f"{refusal}; its draft {message_id} stands, not confirmed" if refusal else ""
        why = (reviewed.objection if reviewed is not None else "") or why
        if why:
            self._runs[address].stop(why, ExitCode.REFUSED)
            return False
        entry = self._recorder.lock.mailings[address]
        cost = self._estimate(
            mailing, info, reviewed
        )  # also where it is one: a budget counts what the lock records
        self._recorder.learn(
            address,
            entry.recipients if info.recipients is None else info.recipients,
            entry.parts if info.parts is None else info.parts,
            (Decimal(entry.cost) if entry.cost else None) if cost is None else cost,
        )
        self._say_missing(address, info)

        def objection() -> str:
            why = review().objection if review is not None else ""
            if why:
                self._runs[address].stop(why, ExitCode.REFUSED)
            return why

        confirm = ConfirmRequest(ref, lambda: self._client.prepare_confirm(message_id), objection)
        self._dispatcher.send(confirm)
        if self._recorder.chunk(ref).state is ChunkState.ACCEPTED:
            self._cost += self._beyond(self._estimate(mailing, info, reviewed) or Decimal(0), reviewed)
        return not self._runs[address].is_stopped

    def _beyond(self, cost: Decimal, reviewed: Reviewed | None) -> Decimal:
        """What of `cost` is not counted yet: what was planned of an uploaded list was."""
        return cost if reviewed is None else cost - reviewed.cost

    def _breach(self, mailing: Mailing, info: ListInfo, reviewed: Reviewed | None) -> str:
        """The guardrail that what sms.by tells of the draft breaks, or that can't be kept because it does not tell."""
        guardrails = self._project.guardrails
        if info.recipients == 0:
            return "an empty audience never means everyone: sms.by tells 0 people of the list, the least is 1"
        for breach in check_people(guardrails, mailing, info.recipients):
            return breach.message
        cost = self._estimate(mailing, info, reviewed)
        if info.recipients is None and (key := unjudged_people(guardrails, mailing)):
            return f"{key}: sms.by does not tell how many people are in the list"
        if cost is None and (key := unjudged_cost(guardrails)):
            return f"{key}: sms.by does not tell what it costs"
        if not cost:
            return ""
        total = self._cost + self._beyond(cost, reviewed)
        budget = check_budget(guardrails, total, self._spent)
        if budget is not None:
            return budget.message
        dearest = guardrails.max_cost
        if dearest is not None and total > dearest:
            return f"max_cost: with it this apply costs {money(total)}, the limit is {money(dearest)}"
        return ""

    def _estimate(self, mailing: Mailing, info: ListInfo, reviewed: Reviewed | None) -> Decimal | None:
        """What it costs: as sms.by tells, else by its parts or people and the project's price; None if nobody knows."""
        if info.cost is not None:
            return info.cost
        if reviewed is not None and info.recipients == reviewed.recipients and reviewed.cost:
            return reviewed.cost
        parts = info.parts
        if parts is None and info.recipients is not None and mailing.text is not None:
            parts = info.recipients * measure_text(compile_text(mailing.text).render_once()).parts
        return None if parts is None else cost_of(parts, self._project.price)

    def _say_missing(self, address: str, info: ListInfo) -> None:
        figures = {"recipients": info.recipients, "parts": info.parts, "cost": info.cost}
        missing = [name for name, figure in figures.items() if figure is None]
        if missing:
            line = f"{address}: sms.by does not tell of its list: {', '.join(missing)}"
            self._say(Event("list", line, (address,), is_warning=True))


def _difference(info: ListInfo, reviewed: Reviewed | None) -> str:
    """That the list at sms.by is not the one that was reviewed."""
    if reviewed is None or info.recipients == reviewed.recipients:
        return ""
    way_out = "look at the list at sms.by; a raised `revision` makes a new one"
    if info.recipients is None:
        if not reviewed.must_be_counted:
            return ""
        return f"unknown: its list was at sms.by before, which does not tell how many people are in it: {way_out}"
    told = counted(info.recipients, "person", "people")
    return f"sms.by counts {told} in its list, {reviewed.recipients:,} are to get it: {way_out}"
