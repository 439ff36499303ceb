"""The account: its store, settings and clock, and the rules that several methods share.

Its clock can be moved and stopped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from smsby_deploy.clock import Clock
from smsby_deploy.sandbox.models import (
    DELIVERED,
    NEW,
    NewSms,
    SandboxMailing,
    Sms,
    count_gsm_parts,
    count_parts,
    default_outcome,
    status_at,
)
from smsby_deploy.sandbox.protocol import Params, Refusal, incorrect_arguments, phone_of, text_of
from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
from smsby_deploy.sandbox.sqlite_store import Store

WRONG_ALPHANAME = "Wrong alphaname. Check it is correct and approved."
_WITH_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_WITHOUT_SECONDS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII)


class MovableClock:
    """A Clock at an offset from `base`. Sleeping still takes real seconds."""

    def __init__(self, base: Clock, offset: float = 0.0) -> None:
        self._base = base
        self._offset = timedelta(seconds=offset)
        self._stopped: datetime | None = None

    @property
    def offset(self) -> float:
        """Seconds ahead of the base clock."""
        offset = self._stopped - self._base.now() if self._stopped else self._offset
        return offset.total_seconds()

    @property
    def is_stopped(self) -> bool:
        return self._stopped is not None

    def now(self) -> datetime:
        return self._stopped or self._base.now() + self._offset

    def monotonic(self) -> float:
        return self._base.monotonic()

    def sleep(self, seconds: float) -> None:
        self._base.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Move by `seconds`; a stopped clock stays stopped."""
        self.set(self.now() + timedelta(seconds=seconds))

    def set(self, moment: datetime) -> None:
        """Move to `moment`, which is aware; a stopped clock stays stopped.

        Raises:
            ValueError: it is not in the years 2000 to 2999.
        """
        if not 2000 <= moment.year < 3000:
            raise ValueError("the clock can show the years 2000 to 2999")
        self._offset = moment - self._base.now()
        if self._stopped is not None:
            self._stopped = moment.astimezone(UTC)

    def stop(self) -> None:
        self._stopped = self.now()

    def run(self) -> None:
        """Continue from the present reading."""
        if self._stopped is not None:
            self._offset = self._stopped - self._base.now()
            self._stopped = None

    def reset(self) -> None:
        """Return to the time of the base clock."""
        self._stopped, self._offset = None, timedelta()


@dataclass(frozen=True, slots=True)
class Account:
    """The state that a method works on.

    With `list_is_stale`, getSMSMessages shows only mailings that it showed before.
    """

    store: Store
    settings: SandboxSettings
    clock: MovableClock
    list_is_stale: bool = False

    def now(self) -> float:
        """Return the time of the account in unix seconds."""
        return self.clock.now().timestamp()

    def alphaname(
        self, params: Params, error: str = WRONG_ALPHANAME, *, is_required: bool = False
    ) -> tuple[int, str]:
        """Return id and name of the sender; without `alphaname_id` it is the system name, 0.

        Raises:
            Refusal: with the text `error`, if the account has no such id (names are not accepted), or if a strict sandbox
                gets no id although one is required.
        """
        settings = self.settings
        has_default = not (settings.require_alphaname or (is_required and settings.strict))
        number = text_of(params, "alphaname_id", "0" if has_default else "").strip()
        name = self.settings.alphanames.get(number)
        if name is None:
            raise Refusal(error)
        return int(number), name

    def parse_time(self, params: Params, name: str) -> float | None:
        """Return the date parameter `name` in unix seconds; None if it is not given.

        It is in the zone of the account.

        Raises:
            Refusal: it is not in the documented form, or there is no such day.
        """
        text = text_of(params, name, "").strip()
        if not text:
            return None
        form = _WITH_SECONDS if name == "schedule_time" else _WITHOUT_SECONDS
        try:
            local = datetime.fromisoformat(text) if form.fullmatch(text) else None
        except ValueError:
            local = None
        if local is None:
            raise incorrect_arguments()
        return local.replace(tzinfo=self.settings.zone(name)).timestamp()

    def format_time(self, moment: float, name: str, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        """Return unix seconds as the date `name` of an answer."""
        return datetime.fromtimestamp(moment, self.settings.zone(name)).strftime(form)

    def phone(self, value: Any) -> str:
        """Return the digits of a phone that this sms.by accepts.

        Raises:
            Refusal: it is not a phone number, or has a prefix in the setting `refuses`.
        """
        number = phone_of(value)
        if number.startswith(self.settings.refuses):
            raise Refusal("incorrect phone number")
        return number

    def new_sms(self, phone: Any, text: str, channel: str = "sms") -> NewSms:
        """Return a message with its price and outcome.

        Raises:
            Refusal: the phone is not accepted, or the text is too long.
        """
        number = self.phone(phone)
        parts = self.count_parts(text)
        outcome = self.settings.fates.get(number) or default_outcome(number)
        return NewSms(number, text, parts, parts * self.settings.price_of(number), outcome, channel)

    def count_parts(self, text: str) -> int:
        """Return the billed parts of `text`. Raises a Refusal if there are more than 10."""
        return count_parts(text) if self.settings.part_table == "sdk" else count_gsm_parts(text)

    def check_funds(self, cost: Decimal, error: str = "limit exceeded") -> None:
        """Raise a Refusal if the balance is less than `cost`."""
        if cost > self.store.balance:
            raise Refusal(error)

    def find_mailing(self, params: Params, *kinds: str) -> SandboxMailing | None:
        """Return the mailing with the given message_id, if it is of one of these kinds."""
        text = text_of(params, "message_id").strip()
        mailing = self.store.find(int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None
        return mailing if mailing is not None and mailing.kind in kinds else None

    def status_of(self, sms: Sms, mailing: SandboxMailing) -> tuple[str, float]:
        """Return the status of a message and its start, in unix seconds."""
        if mailing.status == "DRAFT":
            return NEW, mailing.created
        return status_at(self.now(), sms.due, sms.outcome, self.settings.delay)

    def count_delivered(self, mailing: SandboxMailing) -> int:
        """Return how many messages of `mailing` are delivered by now."""
        if mailing.status == "DRAFT":
            return 0
        return self.store.count_outcomes(self.now() - self.settings.delay, mailing.id).get(DELIVERED, 0)

    def is_moderated(self, mailing: SandboxMailing) -> bool:
        """Return whether a message of createSmsMessage may be sent by now."""
        return mailing.moderated_at is not None and self.now() >= mailing.moderated_at
