"""The messages of createSmsMessage: who got each of them, and whether one that exists may be used for a mailing.

A message has one text and one sender for as long as it exists, and its deliveries don't tell which mailing they were
for. So an old delivery never proves a new send: what a message had when a mailing began to use it is recorded first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.errors import ApiError
from smsby_deploy.lock.phone_states import NO_PROOF, PhoneState
from smsby_deploy.lock.records import ChunkRecord, ChunkState
from smsby_deploy.plan.fingerprint import read_remote_name
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.parsers import RemoteMailing

_CLOCKS = timedelta(minutes=5)  # by which sms.by's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class Reuse:
    """Whether a message that exists may be sent for a mailing.

    `refusal`: it can't be, why. `waits_for`: not before another mailing is settled. `doubt`: it may have been sent for
    this mailing before. Else it may: `counts` are its deliveries by phone, `foreign` how many of them the lock does not
    explain; without `proves` they lag, and a later one proves nothing.
    """

    counts: Counter[str] = field(default_factory=Counter)
    foreign: int = 0
    proves: bool = True
    refusal: str = ""
    waits_for: str = ""
    doubt: str | None = None


class DeliveryLedger:
    """What sms.by and the lock know of messages."""

    def __init__(self, client: ReadClient, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    def deliveries(self, ids: Iterable[int]) -> Counter[str]:
        """How often each phone stands among the deliveries of these messages.

        Raises:
            SmsbyUnavailable, ApiError: sms.by could not be asked.
        """
        counts: Counter[str] = Counter()
        for number in ids:
            for delivery in self._client.get_sms_delivery_list(number):
                counts[re.sub(r"\D", "", delivery.phone)] += 1
        return counts

    def elsewhere(self, message_id: int | None, address: str) -> list[ChunkRecord]:
        """The recorded chunks of other mailings that are this message."""
        found = self._using(message_id)
        return [chunk for (owner, _), chunk in found if owner != address]

    def _using(self, message_id: int | None) -> list[tuple[ChunkRef, ChunkRecord]]:
        if message_id is None:
            return []
        return [
            ((address, index if one is entry else -1), chunk)
            for address, entry in self._recorder.lock.mailings.items()
            for one in (entry, *entry.earlier)
            for index, chunk in enumerate(one.chunks)
            if chunk.message_id == message_id
        ]

    def check_reuse(
        self,
        remote: RemoteView,
        message_id: int,
        *,
        project: str,
        ref: ChunkRef,
        phones: Collection[str],
        alphaname: str,
        when: datetime | None,
        now: datetime,
    ) -> Reuse:
        """Whether the message, which sms.by says has this text already, may go to `phones` for the chunk `ref` at `when`.

        Raises:
            SmsbyUnavailable, ApiError: sms.by could not be asked.
        """
        listed = remote.by_id.get(message_id)
        refusal = _wrong_time(message_id, listed, when, now) or self._wrong_sender(message_id, alphaname)
        if refusal:
            return Reuse(refusal=refusal)
        others = [(user, chunk) for user, chunk in self._using(message_id) if user != ref]
        for (address, _), chunk in others:
            if chunk.state is ChunkState.UNKNOWN:
                why = (
                    f"its text is the message {message_id}, which {address} may have sent: settle that first"
                )
                return Reuse(waits_for=f"unknown: {why}")
        counts = self.deliveries([message_id])
        recorded = sum(_accepted(chunk) for _, chunk in others)
        foreign = max([chunk.foreign for _, chunk in others], default=0)
        got_it = sum(1 for phone in phones if counts[phone])
        if got_it and not _is_explained(listed, project, counts.total(), recorded + foreign, bool(others)):
            doubt = (
                f"{got_it} of its recipients got this text before (message {message_id}), and the lock does not say for "
                "what: it may have been this mailing"
            )
            return Reuse(counts, counts.total() - recorded, doubt=doubt)
        return Reuse(counts, max(foreign, counts.total() - recorded), proves=counts.total() >= recorded)

    def _wrong_sender(self, message_id: int, alphaname: str) -> str:
        """Why the sender of the message is not ours, as far as sms.by tells."""
        try:
            told = self._client.check_sms_message_status(message_id).alphaname
        except ApiError:
            return ""
        if not told or (alphaname.isdigit() and alphaname != "0"):
            return ""
        fits = "system" in told.lower() if alphaname == "0" else told.strip() == alphaname
        return (
            ""
            if fits
            else f"the same text exists as the message {message_id}, whose sender is {told}: change the text"
        )


def baseline_of(phones: Sequence[str], counts: Counter[str], *, proves: bool) -> tuple[int, ...]:
    """Return how often each of `phones` received the message before; from NO_PROOF on, later deliveries prove nothing."""
    if not proves:
        return (NO_PROOF,) * len(phones)
    return tuple(min(counts[phone], NO_PROOF) for phone in phones)


def _accepted(chunk: ChunkRecord) -> int:
    if chunk.phones is not None:
        return chunk.phones.count(PhoneState.ACCEPTED)
    return (chunk.recipients or 0) if chunk.state is ChunkState.ACCEPTED else 0


def _is_explained(
    listed: RemoteMailing | None, project: str, total: int, known: int, is_recorded: bool
) -> bool:
    """Whether it is known what the deliveries of a message were for: for mailings in the lock, or somebody else's."""
    if is_recorded:
        return total <= known
    if listed is None:
        return False
    name = read_remote_name(listed.name)
    return name is None or name.project != project


def _wrong_time(message_id: int, listed: RemoteMailing | None, when: datetime | None, now: datetime) -> str:
    """Why the message would go out at another time: its own can't be changed."""
    told = datetime.fromtimestamp(listed.d_schedule, UTC) if listed and listed.d_schedule else None
    if when is None:
        is_wrong = told is not None and told > now + _CLOCKS
    else:
        is_wrong = told is None or told.replace(second=0) != when.astimezone(UTC).replace(
            second=0, microsecond=0
        )
    if not is_wrong:
        return ""
    return (
        f"the same text exists as the message {message_id}, which goes out at its own time: change the text"
    )
