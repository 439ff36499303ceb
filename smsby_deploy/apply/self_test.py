"""The one SMS of `doctor --to`, sent to the user's own phone, and what it reveals.

The option counts as consent. The request is sent once and never repeated; a lost answer is an unknown outcome.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

from smsby_deploy.apply.one_off import send_once
from smsby_deploy.apply.shutdown import ShutdownSignal
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Project
from smsby_deploy.errors import ApiError, OutcomeUnknown, SmsbyDeployError, SmsbyUnavailable
from smsby_deploy.plan.fingerprint import NAME_LIMIT
from smsby_deploy.smsby.deliveries import is_final_status, read_delivery_status
from smsby_deploy.smsby.facts import CallbackForm, FactName, Gap, ListSize
from smsby_deploy.smsby.outcome import Outcome
from smsby_deploy.smsby.parsers import RemoteMailing
from smsby_deploy.smsby.retry import poll
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.status.callbacks import Callbacks, callbacks_end, callbacks_path, was_called_back

_LEAD = timedelta(minutes=2)  # enough to reveal the clock of schedule_time; the SMS still arrives soon
_WAIT = 300.0  # seconds to wait for the last status
_METHOD = "sendBulkSms"
_STEP = 15 * 60  # seconds: every UTC offset is a multiple of it

Know = Callable[[FactName, Any, str], None]
Miss = Callable[[FactName, Gap, str], None]


@dataclass
class _Observed:
    """What was seen of the mailing so far.

    Its callbacks start at `begins`; `size` is the size of the list before the mailing.
    """

    sent_at: float
    begins: int
    callbacks: Callbacks
    size: ListSize | None
    lag: float | None = None
    listed: RemoteMailing | None = None
    statuses: list[str] = field(default_factory=list)
    callback: CallbackForm | None = None

    @property
    def is_final(self) -> bool:
        return bool(self.statuses) and is_final_status(self.statuses[-1])


class SelfTest:
    """Sends one SMS, and calls `know` with each fact that it shows and `miss` for the others."""

    def __init__(
        self, project: Project, client: SendClient, clock: Clock, mark: str, *, know: Know, miss: Miss
    ) -> None:
        self._project = project
        self._client = client
        self._clock = clock
        self._know = know
        self._miss = miss
        self._start = f"smsby-deploy doctor {mark} "
        self._name = self._start.ljust(NAME_LIMIT, "x")
        zone = project.api.account_zone
        self._time = (clock.now() + _LEAD).replace(second=0, microsecond=0).astimezone(zone)

    def run(self, phone: str) -> None:
        """Send the SMS to `phone`, and watch it for some minutes.

        Raises:
            OutcomeUnknown: the answer was lost; the request is not repeated.
            SmsbyDeployError: a signal ended the watch; facts seen until then are kept.
            ApiError: sms.by rejected it.
            SmsbyUnavailable, TokenRefused: it was not sent.
        """
        message = {
            "alphaname_id": "0",
            "name": self._name,
            "message_type": "bulk",
            "text": self._start.strip(),
            "schedule_time": self._time.strftime("%Y-%m-%dT%H:%M:%S"),
            "delivery_list": [phone],
        }
        callback = self._project.api.reports_to
        path = callbacks_path(self._project.lock)
        begins, size = callbacks_end(path), self._size()
        request = self._client.prepare_bulk_sms([json.dumps(message).encode()], callback)
        self._clock.sleep(self._client.take_turn())
        with ShutdownSignal(self._clock) as shutdown:
            uuid = self._send(request, shutdown)
        seen = _Observed(self._clock.monotonic(), begins, Callbacks(path, begins), size)
        is_interrupted = shutdown.is_requested
        try:
            if not is_interrupted:
                self._watch(seen, uuid, phone)
        except KeyboardInterrupt:
            is_interrupted = True
        if is_interrupted:
            self._miss = lambda name, gap, method: None  # another run may see it
        self._learn(seen, phone)
        if is_interrupted:
            raise SmsbyDeployError(
                "interrupted: the SMS was sent, but not followed to its last status", hint=self._where
            )

    @property
    def _where(self) -> str:
        return f"it is not repeated; look for {self._start.strip()} in the account and on the phone"

    def _send(self, request: Callable[[], Outcome], shutdown: ShutdownSignal) -> str:
        """Send it once, and return its uuid; raises as `run`."""
        try:
            outcome = send_once(_METHOD, request, shutdown)
        except OutcomeUnknown as error:
            error.hint = self._where
            raise
        assert outcome.uuid is not None
        return outcome.uuid

    def _watch(self, seen: _Observed, uuid: str, phone: str) -> None:
        """Look for the mailing, its statuses and its callback until nothing more can come."""
        callback = self._project.api.reports_to
        for _ in poll(_WAIT, clock=self._clock, pause=self._clock.sleep):
            with suppress(SmsbyUnavailable, ApiError):  # it was sent: later looks may still show something
                self._look(seen, uuid, phone)
            is_called_back = not callback or seen.callback is not None
            if seen.listed is not None and seen.is_final and is_called_back:
                break

    def _look(self, seen: _Observed, uuid: str, phone: str) -> None:
        if seen.listed is None:
            found = self._client.get_sms_messages(keep=self._is_ours)
            if found.mailings:
                seen.listed, seen.lag = found.mailings[0], self._clock.monotonic() - seen.sent_at
                self._learn_size(seen.size, found.count)
        if not seen.is_final:
            for mailing in self._client.status_bulk_sms(uuid):
                for delivery in mailing.deliveries:
                    if phone.endswith(delivery.phone[-9:]) and delivery.status not in seen.statuses[-1:]:
                        seen.statuses.append(delivery.status)
        if seen.callback is None and self._project.api.callback_url:
            if seen.callbacks.read(uuid):
                seen.callback = CallbackForm.REPORT
            elif was_called_back(callbacks_path(self._project.lock), uuid, seen.begins):
                seen.callback = CallbackForm.OTHER

    def _size(self) -> ListSize | None:
        """The size of the list of mailings before the SMS; None if it cannot be read."""
        with suppress(SmsbyUnavailable):
            known = self._client.facts.list_size
            count = self._client.get_sms_messages(keep=lambda number, name: False).count
            return ListSize(count, known is not None and known.is_capped)
        return None

    def _learn_size(self, before: ListSize | None, count: int) -> None:
        size = before.judge_growth(count) if before is not None else None
        if size is not None:
            self._know(FactName.LIST_SIZE, size.value, "getSMSMessages")

    def _is_ours(self, number: int, name: str) -> bool:
        """Return whether a listed name starts like ours; sms.by may have cut it."""
        return name.startswith(self._start.strip())

    def _learn(self, seen: _Observed, phone: str) -> None:
        self._learn_from_list(seen, phone)
        words = [word for word in seen.statuses if _is_word(word)]
        if words:
            self._know(FactName.FIRST_STATUS, words[0], "statusBulkSms")
        else:
            self._miss(FactName.FIRST_STATUS, Gap.NOT_YET, "statusBulkSms")
        is_settled = words and (seen.is_final or read_delivery_status(words[-1]) is None)
        if is_settled:
            self._know(FactName.LAST_STATUS, words[-1], "statusBulkSms")
        else:
            self._miss(FactName.LAST_STATUS, Gap.NOT_YET, "statusBulkSms")
        if seen.callback is not None:
            self._know(FactName.CALLBACK, seen.callback.value, _METHOD)
        else:
            is_set_up = bool(self._project.api.callback_url)
            self._miss(FactName.CALLBACK, Gap.NOT_YET if is_set_up else Gap.NOT_SET_UP, _METHOD)

    def _learn_from_list(self, seen: _Observed, phone: str) -> None:
        listed, method = seen.listed, "getSMSMessages"
        if listed is None or seen.lag is None:
            for name in (
                FactName.LISTING_LAG,
                FactName.NAME_LENGTH,
                FactName.SCHEDULE_CLOCK,
                FactName.PRICE,
            ):
                self._miss(name, Gap.NOT_LISTED, method)
            return
        self._know(FactName.LISTING_LAG, round(seen.lag, 1), method)
        self._know(FactName.NAME_LENGTH, {"listed": len(listed.name), "sent": len(self._name)}, method)
        self._learn_clock(listed.d_schedule, method)
        if listed.cost is None or not listed.parts:
            self._miss(FactName.PRICE, Gap.NO_VALUE, method)
        else:
            price: Decimal = listed.cost / listed.parts
            prefixes = dict(self._project.price.per_prefix) if self._project.price else {}
            prefix = max((one for one in prefixes if phone.startswith(one)), key=len, default="")
            text = f"{price.quantize(Decimal('0.00001')).normalize():f}"
            self._know(FactName.PRICE, {"per_part": text, "prefix": prefix}, method)

    def _learn_clock(self, moment: int | None, method: str) -> None:
        if not moment:
            self._miss(FactName.SCHEDULE_CLOCK, Gap.NO_VALUE, method)
            return
        seconds = int(self._time.replace(tzinfo=UTC).timestamp()) - moment
        if seconds % _STEP or abs(seconds) > 14 * 3600:
            self._miss(FactName.SCHEDULE_CLOCK, Gap.UNDECIDED, method)
            return
        at = self._time.astimezone(UTC).isoformat(timespec="seconds")
        self._know(FactName.SCHEDULE_CLOCK, {"offset": seconds // 60, "at": at}, method)


def _is_word(status: str) -> bool:
    """Return whether a status is a single word, which the facts may hold."""
    return status.isascii() and status.replace("_", "").replace(" ", "").isalpha() and len(status) <= 40
