"""Mailings to a list at sms.by: sendSmsList makes a draft, confirm=0 reports its figures, confirm=1 starts it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.events import Event
from smsby_deploy.apply.list_guardrails import ExpectedList, ListGuardrails
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable, TokenRefused
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import SURELY_NOT_SENT, ChunkState
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.smsby.outcome import Outcome
from smsby_deploy.smsby.parsers import ListInfo, is_draft
from smsby_deploy.texts.template import compile_text

_MAX_CONFIRMATIONS = 3  # in one run, of a draft that was certainly not confirmed

Review = Callable[[], ExpectedList]


class DraftRequest(SendRequest):
    """sendSmsList: makes the draft of a mailing."""

    def __init__(self, context: ApplyContext, mailing: Mailing, action: Action, list_id: int) -> None:
        super().__init__([(mailing.address, 0)], step="draft")
        self._context = context
        self._mailing = mailing
        self._action = action
        self._list_id = list_id

    def prepare(self) -> Callable[[], Outcome]:
        context, mailing, action = self._context, self._mailing, self._action
        assert mailing.text is not None  # the schema requires it
        now = context.clock.now()
        zone = ZoneInfo(context.project.api.account_timezone)
        time = (mailing.time_on_wire(now) or now).astimezone(zone)
        mark = action.chunks[0].fingerprint
        return context.client.prepare_sms_list(
            name=remote_name(context.project.name, mailing.address, mailing.revision, 0, 1, mark),
            message=compile_text(mailing.text).render_once(),
            d_schedule=time.strftime("%Y-%m-%d %H:%M"),
            list_id=self._list_id,
            alphaname_id=action.alphaname_id or 0,
        )


class ConfirmRequest(SendRequest):
    """confirm=1: starts the draft `message_id`. After a pause an uploaded list is reviewed once more."""

    def __init__(self, context: ApplyContext, address: str, message_id: int, review: Review | None) -> None:
        super().__init__([(address, 0)], step="confirm")
        self._client = context.client
        self._run = context.runs[address]
        self._message_id = message_id
        self._review = review

    def prepare(self) -> Callable[[], Outcome]:
        return self._client.prepare_confirm(self._message_id)

    def objection_to_retry(self) -> str:
        objection = self._review().objection if self._review is not None else ""
        if objection:
            self._run.stop(objection, ExitCode.REFUSED)
        return objection


class ListSender:
    """Sends a mailing to a list, from whatever state the lock records. Never makes a second draft."""

    def __init__(
        self,
        context: ApplyContext,
        dispatcher: Dispatcher,
        reconciler: Reconciler,
        guardrails: ListGuardrails,
    ) -> None:
        self._context = context
        self._recorder = context.recorder
        self._dispatcher = dispatcher
        self._reconciler = reconciler
        self._guardrails = guardrails

    def send(self, mailing: Mailing, action: Action, list_id: int, review: Review | None = None) -> None:
        """Make the draft if there is none, and confirm it.

        Args:
            list_id: the list; not used if there is a draft already.
            review: reads the recipients of an uploaded list again, directly before each confirmation; may
                raise what the senders of its room raise.

        Raises:
            StopSending, ResultNotSaved: as Dispatcher.send.
        """
        run = self._context.runs[mailing.address]
        if self._state(mailing) is ChunkState.UNKNOWN:
            # Its confirmation was lost in an earlier run: a listed DRAFT counts after reconcile_seconds.
            self._reconciler.look_for([(mailing.address, 0)])
        is_new = self._state(mailing) in SURELY_NOT_SENT
        if is_new:
            self._dispatcher.send(DraftRequest(self._context, mailing, action, list_id))
        for _ in range(_MAX_CONFIRMATIONS):
            if run.is_stopped or self._state(mailing) is not ChunkState.DRAFT:
                break
            self._confirm(mailing, review, is_new=is_new)
        if self._state(mailing) is ChunkState.UNKNOWN:
            run.stop("unknown: the confirmation may or may not have arrived")

    def _state(self, mailing: Mailing) -> ChunkState:
        return self._recorder.chunk((mailing.address, 0)).state

    def _confirm(self, mailing: Mailing, review: Review | None, *, is_new: bool) -> None:
        """Look at the draft, compare it with the guardrails, and start it; stop the mailing if it must not start.

        A draft that is `is_new` was made in this run, so no status of it can mean that it was confirmed.
        """
        address, run = mailing.address, self._context.runs[mailing.address]
        message_id = self._recorder.chunk((address, 0)).message_id
        if message_id is None:
            run.stop("the lock does not have the id of its draft")
            return
        info = self._read_draft(address, message_id)
        if info is None:
            return
        if info.status and not is_draft(info.status) and not is_new:
            now = self._recorder.now()
            self._recorder.note((address, 0), ChunkState.ACCEPTED, accepted_at=now, error=None)
            return
        expected = review() if review is not None else None
        objection = self._objection(mailing, info, expected, message_id)
        if objection:
            run.stop(objection, ExitCode.REFUSED)
            return
        cost = self._guardrails.estimate_cost(mailing, info, expected)
        self._record_figures(address, info, cost)
        self._dispatcher.send(ConfirmRequest(self._context, address, message_id, review))
        if self._state(mailing) is ChunkState.ACCEPTED:
            self._guardrails.count_confirmed(cost, expected)

    def _read_draft(self, address: str, message_id: int) -> ListInfo | None:
        """Return the figures of confirm=0; None if sms.by does not report them, and then the mailing is stopped."""
        self._context.shutdown.check()
        try:
            return self._context.client.confirm_info(message_id)
        except TokenRefused as error:
            raise StopSending(error.message, ExitCode.UNREACHABLE) from error
        except (ApiError, SmsbyUnavailable) as error:
            self._context.runs[address].stop(f"its draft {message_id} is not confirmed: {error.message}")
            return None

    def _objection(
        self, mailing: Mailing, info: ListInfo, expected: ExpectedList | None, message_id: int
    ) -> str:
        """Return why the draft must not be confirmed; empty if it may be."""
        if expected is not None and expected.objection:
            return expected.objection
        objection = self._guardrails.objection(mailing, info, expected)
        return f"{objection}; its draft {message_id} is not confirmed" if objection else ""

    def _record_figures(self, address: str, info: ListInfo, cost: Decimal | None) -> None:
        """Record what only sms.by knows, and say what it does not report; a budget counts an estimated cost, too."""
        entry = self._recorder.lock.mailings[address]
        if cost is None and entry.cost:
            cost = Decimal(entry.cost)
        self._recorder.learn(
            address,
            entry.recipients if info.recipients is None else info.recipients,
            entry.parts if info.parts is None else info.parts,
            cost,
        )
        figures = {"recipients": info.recipients, "parts": info.parts, "cost": info.cost}
        missing = [name for name, figure in figures.items() if figure is None]
        if missing:
            line = f"{address}: sms.by does not report for its list: {', '.join(missing)}"
            self._context.say(Event("list", line, (address,), is_warning=True))
