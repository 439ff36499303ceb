"""The deliveries of createSmsMessage messages, and the reuse of existing messages.

The text and the sender of a message never change, and its deliveries do not say which mailing they belong to. So that an
earlier delivery never passes for a new send, existing deliveries are recorded before a mailing uses a message.

A MessageFactory creates the messages, one per text, and waits for their moderation.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from smsby_deploy.apply.context import ApplyContext, Event
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.phone_states import NO_PROOF
from smsby_deploy.lock.records import ChunkRecord, ChunkState
from smsby_deploy.plan.chunks import Chunk
from smsby_deploy.plan.drift import CLOCK_DIFFERENCE
from smsby_deploy.plan.fingerprint import read_remote_name, remote_name
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.parsers import MessageState, RemoteMailing
from smsby_deploy.smsby.retry import SEND_RETRIES, poll
from smsby_deploy.wording import counted, sentence

_SYSTEM_NAMES = ("system", "sms.by")  # in the documented names of the sender 0, in lower case


@dataclass(frozen=True, slots=True)
class MessageUse:
    """The intended use of an existing message.

    It would be sent to `phones` of the chunk `ref` at `time`; None for at once.
    """

    project: str
    ref: ChunkRef
    phones: Collection[str]
    alphaname: str
    time: datetime | None


class ReuseVerdict(Enum):
    """Whether an existing message may be used."""

    USABLE = auto()
    REFUSED = auto()  # never: its sender or its time is wrong
    WAIT = auto()  # not until another mailing with this message is settled
    IN_DOUBT = auto()  # it may already have been sent for this mailing


@dataclass(frozen=True, slots=True)
class Reuse:
    """The verdict on an existing message, and the reason unless it is usable.

    `counts` are its deliveries by phone, and `foreign` is how many of them the lock does not explain. Unless
    `is_complete`, the deliveries lag behind the lock, so later ones prove nothing.
    """

    verdict: ReuseVerdict
    reason: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    foreign: int = 0
    is_complete: bool = True


class DeliveryLedger:
    """What sms.by and the lock know about the deliveries of messages."""

    def __init__(self, client: ReadClient, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    def deliveries(self, ids: Iterable[int]) -> Counter[str]:
        """Count the deliveries of these messages by phone.

        Raises:
            SmsbyUnavailable, ApiError: sms.by could not be asked.
        """
        counts: Counter[str] = Counter()
        for number in ids:
            for delivery in self._client.get_sms_delivery_list(number):
                counts[re.sub(r"\D", "", delivery.phone)] += 1
        return counts

    def is_shared(self, message_id: int | None, address: str) -> bool:
        """Return whether the lock also records this message for another mailing."""
        return any(owner != address for (owner, _), _ in self._uses(message_id))

    def check_reuse(self, remote: RemoteView, message_id: int, use: MessageUse, *, now: datetime) -> Reuse:
        """Judge whether the message that sms.by named for the same text may be used.

        Raises:
            SmsbyUnavailable, ApiError: sms.by could not be asked.
        """
        listed = remote.find_id(message_id)
        refusal = (
            self._refused_before(message_id)
            or _wrong_time(message_id, listed, use.time, now)
            or self._wrong_sender(message_id, use.alphaname)
        )
        if refusal:
            return Reuse(ReuseVerdict.REFUSED, refusal)
        others = [(ref, chunk) for ref, chunk in self._uses(message_id) if ref != use.ref]
        for (address, _), chunk in others:
            if chunk.state is ChunkState.UNKNOWN:
                why = sentence(
                    "its text is message {id}, which may have been sent for {address}: resolve that "
                    "mailing first",
                    id=message_id,
                    address=address,
                )
                return Reuse(ReuseVerdict.WAIT, why)
        return self._compare_deliveries(listed, message_id, use, [chunk for _, chunk in others])

    def _compare_deliveries(
        self, listed: RemoteMailing | None, message_id: int, use: MessageUse, others: Sequence[ChunkRecord]
    ) -> Reuse:
        """Compare the deliveries with those that `others`, the other recorded chunks, explain."""
        counts = self.deliveries([message_id])
        recorded = sum(chunk.accepted_recipients for chunk in others)
        foreign = max((chunk.foreign for chunk in others), default=0)
        unexplained = counts.total() - recorded
        received = sum(1 for phone in use.phones if counts[phone])
        is_explained = unexplained <= foreign if others else _is_foreign(listed, use.project)
        if received and not is_explained:
            doubt = sentence(
                "{count:,} of its recipients already got this text (message {id}), and the lock does not "
                "say from which mailing: it may have been this one",
                count=received,
                id=message_id,
            )
            return Reuse(ReuseVerdict.IN_DOUBT, doubt, counts, unexplained)
        return Reuse(ReuseVerdict.USABLE, "", counts, max(foreign, unexplained), is_complete=unexplained >= 0)

    def _uses(self, message_id: int | None) -> list[tuple[ChunkRef, ChunkRecord]]:
        """Return the recorded chunks with this message; earlier revisions have index -1."""
        if message_id is None:
            return []
        return [(ref, chunk) for ref, chunk in self._chunks() if chunk.message_id == message_id]

    def _chunks(self) -> Iterator[tuple[ChunkRef, ChunkRecord]]:
        for address, entry in self._recorder.lock.mailings.items():
            for one in entry.revisions:
                for index, chunk in enumerate(one.chunks):
                    yield (address, index if one is entry else -1), chunk

    def _refused_before(self, message_id: int) -> str:
        """Return an objection if an earlier run found the message not as reviewed; otherwise empty.

        Possibly only the answer to its creation showed that.
        """
        if all(chunk.refused_id != message_id for _, chunk in self._chunks()):
            return ""
        return sentence(
            "the same text exists as message {id}, which differs from the review: change the text",
            id=message_id,
        )

    def _wrong_sender(self, message_id: int, alphaname: str) -> str:
        """Return how the message's sender differs from ours; empty if it does not.

        Also empty if sms.by does not report the sender.
        """
        try:
            sender = self._client.check_sms_message_status(message_id).alphaname
        except ApiError:
            return ""
        if not sender or (alphaname.isdigit() and alphaname != "0"):
            return ""
        is_system = any(name in sender.lower() for name in _SYSTEM_NAMES)
        is_same = is_system if alphaname == "0" else sender.strip() == alphaname
        if is_same:
            return ""
        return sentence(
            "the same text exists as message {id}, whose sender is {sender}: change the text",
            id=message_id,
            sender=sender,
        )


def baseline_of(phones: Sequence[str], counts: Counter[str], *, is_complete: bool) -> tuple[int, ...]:
    """Return how many earlier deliveries each of `phones` has.

    At NO_PROOF, later deliveries prove nothing.
    """
    if not is_complete:
        return (NO_PROOF,) * len(phones)
    return tuple(min(counts[phone], NO_PROOF) for phone in phones)


def _is_foreign(listed: RemoteMailing | None, project: str) -> bool:
    """Whether the remote list shows that the message is not from this project."""
    if listed is None:
        return False
    name = read_remote_name(listed.name)
    return name is None or name.project != project


def _wrong_time(message_id: int, listed: RemoteMailing | None, time: datetime | None, now: datetime) -> str:
    """Return how the message's send time differs; empty if it does not.

    The time of a message cannot be changed.
    """
    reported = datetime.fromtimestamp(listed.d_schedule, UTC) if listed and listed.d_schedule else None
    if time is None:
        is_wrong = reported is not None and reported > now + CLOCK_DIFFERENCE
    else:
        minute = time.astimezone(UTC).replace(second=0, microsecond=0)
        is_wrong = reported is None or reported.replace(second=0) != minute
    if not is_wrong:
        return ""
    return sentence(
        "the same text exists as message {id}, which has its own send time: change the text", id=message_id
    )


class MessageFactory:
    """Creates messages and waits until sms.by has approved them."""

    def __init__(self, context: ApplyContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._client = context.client
        self._dispatcher = dispatcher

    def make(self, mailing: Mailing, chunk: Chunk, time: datetime | None) -> Outcome:
        """Call createSmsMessage until it is accepted or rejected.

        A rejection may name an existing message.

        Args:
            time: when the message is to be sent; None for at once.

        Raises:
            StopSending: sms.by did not answer, refused the token, or asked to wait longer than a minute.
        """
        project, action = self._context.project, self._context.action_of(mailing)
        count = len(action.chunks)
        name = remote_name(
            project.scope, mailing.address, mailing.revision, chunk.index, count, chunk.fingerprint
        )
        zone = project.api.account_zone
        local_time = "" if time is None else time.astimezone(zone).strftime("%Y-%m-%d %H:%M")

        def create() -> Outcome:
            text, alphaname_id = chunk.text or "", action.sender_id
            return self._client.create_sms_message(
                text, alphaname_id=alphaname_id, name=name, time=local_time
            )

        for tries in itertools.count(1):
            self._context.shutdown.check()
            outcome = self._dispatcher.run(create)
            if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
                return outcome
            pause = SEND_RETRIES.pause_after(tries, outcome.retry_after)
            if outcome.kind is OutcomeKind.TOKEN_REFUSED or pause is None:
                raise StopSending(f"not sent: createSmsMessage: {outcome.error}", ExitCode.UNREACHABLE)
            line = f"the message was not created ({outcome.error}); trying again in {pause:.3g} s"
            self._context.say(Event("retry", line, (mailing.address,), is_warning=True))
            self._context.shutdown.pause(pause)
        raise AssertionError("the policy ends the retries")

    def wait_for_approval(
        self, address: str, message_ids: Iterable[int | None]
    ) -> dict[int, MessageState | None]:
        """Wait for up to `reconcile_seconds` until all messages are approved.

        Returns:
            what sms.by reports about each message; None if it reports nothing.

        Raises:
            StopSending: sms.by could not be asked, or a signal asked to stop.
        """
        context = self._context
        waiting = [number for number in message_ids if number is not None]
        states: dict[int, MessageState | None] = {}
        seconds = context.project.api.reconcile_seconds
        for _ in poll(seconds, clock=context.clock, pause=context.shutdown.pause):
            context.shutdown.check()
            states |= {number: self._state(number) for number in waiting}
            waiting = [number for number in waiting if awaits_moderation(states[number])]
            if not waiting:
                break
            line = f"{address}: sms.by has not approved {counted(len(waiting), 'text')} yet"
            context.say(Event("moderation", line, (address,)))
        return states

    def _state(self, message_id: int) -> MessageState | None:
        try:
            return self._client.check_sms_message_status(message_id)
        except SmsbyUnavailable as error:
            raise StopSending(f"not sent: {error}", ExitCode.UNREACHABLE) from error
        except ApiError:
            return None


def awaits_moderation(state: MessageState | None) -> bool:
    """Whether sms.by says that a message awaits moderation; an unknown status does not count."""
    return state is not None and (state.status or "").strip().lower() == "new"
