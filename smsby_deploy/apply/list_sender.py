"""Mailings to a list at sms.by: a draft, its figures, and its confirmation.

sendSmsList creates the draft, confirm=0 reports its figures, confirm=1 sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from smsby_deploy.apply.context import ApplyContext, Event
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.drift_check import DriftCheck
from smsby_deploy.apply.list_guardrails import ExpectedList, ListGuardrails, count_list_parts
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable, TokenRefused
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import SURELY_NOT_SENT, ChunkState
from smsby_deploy.plan.chunks import hash_content
from smsby_deploy.plan.drift import ReportedValues
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.model import Action, ActionKind, ReasonCode, with_code
from smsby_deploy.smsby.parsers import ListInfo, RemoteMailing, is_draft
from smsby_deploy.smsby.retry import poll
from smsby_deploy.smsby.send_client import PreparedSend
from smsby_deploy.texts.compiler import compile_texts
from smsby_deploy.wording import join_sentences, sentence

_MAX_CONFIRMATIONS = 3  # in one run, while the draft certainly stays unconfirmed


Review = Callable[[], ExpectedList]


class DraftRequest(SendRequest):
    """sendSmsList: creates the draft of a mailing."""

    def __init__(self, context: ApplyContext, mailing: Mailing, list_id: int, message: str) -> None:
        super().__init__([(mailing.address, 0)], step="draft")
        self._message = message
        self._context = context
        self._mailing = mailing
        self._list_id = list_id

    def prepare(self) -> PreparedSend:
        context, mailing = self._context, self._mailing
        action = context.action_of(mailing)
        now = context.clock.now()
        zone = context.project.api.account_zone
        time = (mailing.time_on_wire(now) or next_minute(now)).astimezone(zone)
        mark = action.chunks[0].fingerprint
        return context.client.prepare_sms_list(
            name=remote_name(context.project.scope, mailing.address, mailing.revision, 0, 1, mark),
            message=self._message,
            d_schedule=time.strftime("%Y-%m-%d %H:%M"),
            list_id=self._list_id,
            alphaname_id=action.sender_id,
        )


def _planned_text(mailing: Mailing, action: Action) -> str:
    """Return the text of a mailing; raises FilesChanged if it is not as planned."""
    assert mailing.text is not None  # the schema requires it
    template = compile_texts(mailing.text)
    if hash_content(mailing, template) != action.content_digest:
        raise FilesChanged(sentence("its files changed while it was being sent"))
    return template.render_once()


def next_minute(moment: datetime) -> datetime:
    """Return the first full minute that has not passed.

    d_schedule has no seconds, and must not be in the past.
    """
    minute = moment.replace(second=0, microsecond=0)
    return minute if minute == moment else minute + timedelta(minutes=1)


class ConfirmRequest(SendRequest):
    """confirm=1: sends the draft `message_id`.

    Before a retry, an uploaded list is reviewed again.
    """

    def __init__(self, context: ApplyContext, address: str, message_id: int, review: Review | None) -> None:
        super().__init__([(address, 0)], step="confirm")
        self._client = context.client
        self._run = context.runs[address]
        self._message_id = message_id
        self._review = review

    def prepare(self) -> PreparedSend:
        return self._client.prepare_confirm(self._message_id)

    def objection_to_retry(self) -> str:
        objection = self._review().objection if self._review is not None else ""
        if objection:
            self._run.stop(objection, ExitCode.REFUSED)
        return objection


@dataclass(frozen=True, slots=True)
class _Draft:
    """A draft as confirm=0 and, if it is listed, the remote list report it."""

    id: int
    info: ListInfo
    listed: RemoteMailing | None


class ListSender:
    """Sends a mailing to a list, from whatever state the lock records.

    Never creates a second draft.
    """

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
        self._check = DriftCheck(context)

    def send(self, mailing: Mailing, filled: int | None = None, review: Review | None = None) -> None:
        """Create the draft if there is none, and confirm it.

        Only the planned list was reviewed, even if another list has its name by now.

        Args:
            filled: the list of an uploaded mailing; ignored if there is a draft already.
            review: reads the recipients of an uploaded list again, immediately before each confirmation; can
                raise FilesChanged.

        Raises:
            FilesChanged: the text differs from the plan.
            StopSending, ResultNotSaved: as Dispatcher.send.
        """
        run = self._context.runs[mailing.address]
        if self._state(mailing) is ChunkState.UNKNOWN:
            # Its confirmation was lost in an earlier run: a listed DRAFT counts after reconcile_seconds.
            self._reconciler.look_for([(mailing.address, 0)])
        is_new = self._state(mailing) in SURELY_NOT_SENT
        action = run.action
        list_id = action.contact_list.id if action.contact_list is not None else filled
        if is_new:
            assert list_id is not None  # a plan with a list that is not resolved has errors
            message = _planned_text(mailing, action)
            self._dispatcher.send(DraftRequest(self._context, mailing, list_id, message))
        elif action.action is ActionKind.CREATE and self._state(mailing) is ChunkState.DRAFT:
            # Another checkout made it, perhaps for another list of this name.
            why = sentence("sms.by now lists a draft of it that this run did not make")
            run.stop(why, ExitCode.REFUSED)
        for _ in range(_MAX_CONFIRMATIONS):
            if run.is_stopped or self._state(mailing) is not ChunkState.DRAFT:
                break
            self._confirm(mailing, review, is_new=is_new)
        if self._state(mailing) is ChunkState.UNKNOWN:
            why = sentence("the confirmation may or may not have arrived")
            run.stop(with_code(ReasonCode.UNKNOWN, why))

    def _state(self, mailing: Mailing) -> ChunkState:
        return self._recorder.chunk((mailing.address, 0)).state

    def _confirm(self, mailing: Mailing, review: Review | None, *, is_new: bool) -> None:
        """Confirm the draft, or stop the mailing if the review or a guardrail forbids it.

        If `is_new`, this run created the draft, so no status can mean that it was confirmed.
        """
        address, run = mailing.address, self._context.runs[mailing.address]
        message_id = self._recorder.chunk((address, 0)).message_id
        if message_id is None:
            run.stop(sentence("the lock has no id for its draft"))
            return
        info = self._read_draft(address, message_id)
        if info is None:
            return
        if info.status and not is_draft(info.status) and not is_new:
            now = self._recorder.now()
            self._recorder.note((address, 0), ChunkState.ACCEPTED, accepted_at=now, error=None)
            return
        draft = _Draft(message_id, info, self._listed_draft(address, message_id))
        expected = review() if review is not None else None
        objection = self._objection(mailing, draft, expected)
        if objection:
            run.stop(objection, ExitCode.REFUSED)
            return
        cost = self._guardrails.estimate_cost(mailing, info, expected)
        self._record_figures(address, info, cost)
        self._dispatcher.send(ConfirmRequest(self._context, address, message_id, review))
        if self._state(mailing) is ChunkState.ACCEPTED:
            self._guardrails.count_confirmed(cost, expected)

    def _read_draft(self, address: str, message_id: int) -> ListInfo | None:
        """Return the figures of confirm=0; if there are none, stop the mailing and return None."""
        self._context.shutdown.check()
        try:
            return self._context.client.confirm_info(message_id)
        except TokenRefused as error:
            raise StopSending(error.message, ExitCode.UNREACHABLE) from error
        except (ApiError, SmsbyUnavailable) as error:
            why = sentence("its draft {id} is not confirmed: {why}", id=message_id, why=error.message)
            self._context.runs[address].stop(why, error.exit_code)
            return None

    def _objection(self, mailing: Mailing, draft: _Draft, expected: ExpectedList | None) -> str:
        """Return why the draft must not be confirmed; empty if it may be."""
        if expected is not None and expected.objection:
            return expected.objection
        objection = self._guardrails.objection(mailing, draft.info, expected)
        objection = objection or self._difference(mailing, draft, expected)
        if not objection:
            return ""
        return join_sentences([objection, sentence("its draft {id} is not confirmed", id=draft.id)])

    def _difference(self, mailing: Mailing, draft: _Draft, expected: ExpectedList | None) -> str:
        """Return how the draft differs from what was reviewed; empty if it does not.

        Its count and parts come from confirm=0, its sender and time from the list.
        """
        info, listed = draft.info, draft.listed
        answers = [ReportedValues(info.d_schedule, info.recipients, info.alphaname, info.parts)]
        if listed is not None:
            count = listed.count_phones if info.recipients is None else None
            answers.append(ReportedValues(listed.d_schedule, count, listed.alphaname))
        recipients = info.recipients if expected is None else expected.recipients
        parts = count_list_parts(mailing, recipients)
        what = sentence("draft {id}", id=draft.id)
        return self._check.objection(what, mailing, answers, parts=parts, recipients=recipients)

    def _listed_draft(self, address: str, message_id: int) -> RemoteMailing | None:
        """Look for the draft in the remote list for up to `reconcile_seconds`.

        An unlisted draft is confirmed all the same: values that no answer reports are not compared.
        """
        context = self._context
        seconds = context.project.api.reconcile_seconds
        for _ in poll(seconds, clock=context.clock, pause=context.shutdown.pause):
            context.shutdown.check()
            listed = self._reconciler.read_before_sending(message_id).find_id(message_id)
            if listed is not None:
                return listed
        line = f"{address}: sms.by does not list its draft {message_id}: its time and sender are not compared"
        context.say(Event("list", line, (address,), is_warning=True))
        return None

    def _record_figures(self, address: str, info: ListInfo, cost: Decimal | None) -> None:
        """Record the figures that only sms.by knows, and warn about missing ones.

        A budget also counts an estimated cost.
        """
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
            line = f"{address}: sms.by does not report these figures of its list: {', '.join(missing)}"
            self._context.say(Event("list", line, (address,), is_warning=True))
