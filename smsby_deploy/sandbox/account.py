"""The account whose mailings the methods take: its store, its switches, its clock, and what they have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from smsby_deploy.sandbox.clock import MovableClock
from smsby_deploy.sandbox.delivery_outcomes import DELIVERED, fate_of, status_at
from smsby_deploy.sandbox.errors import Refusal, incorrect_arguments
from smsby_deploy.sandbox.models import NewSms, SandboxMailing, Sms
from smsby_deploy.sandbox.params import Params, phone_of, text_of
from smsby_deploy.sandbox.parts import count_parts
from smsby_deploy.sandbox.settings import SandboxSettings
from smsby_deploy.sandbox.store import Store

WRONG_ALPHANAME = "Wrong alphaname. Check it is correct and approved."
_TO_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_TO_MINUTES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """What a method works on; one method at a time. A stale list shows nothing that no list showed before."""

    store: Store
    settings: SandboxSettings
    clock: MovableClock
    list_is_stale: bool = False

    def now(self) -> float:
        """Unix seconds by the account's clock."""
        return self.clock.now().timestamp()

    def alphaname(self, params: Params, refusal: str = WRONG_ALPHANAME) -> tuple[int, str]:
        """The sender's id and name; none given is the system name, 0.

        Raises:
            Refusal: with the text `refusal`, if the account has no such id (a name is none).
        """
        number = text_of(params, "alphaname_id", "" if self.settings.require_alphaname else "0").strip()
        name = self.settings.alphanames.get(number)
        if name is None:
            raise Refusal(refusal)
        return int(number), name

    def moment(self, params: Params, name: str) -> float | None:
        """The textual date `name`, read in the account's zone, as unix seconds; None if it is not given.

        Raises:
            Refusal: it is not written as this method documents it, or no such day exists.
        """
        text = text_of(params, name, "").strip()
        if not text:
            return None
        shape = _TO_SECONDS if name == "schedule_time" else _TO_MINUTES
        try:
            local = datetime.fromisoformat(text) if shape.fullmatch(text) else None
        except ValueError:
            local = None
        if local is None:
            raise incorrect_arguments()
        return local.replace(tzinfo=self.settings.zone(name)).timestamp()

    def written(self, moment: float, name: str, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        """Unix seconds as the textual date `name` of an answer."""
        return datetime.fromtimestamp(moment, self.settings.zone(name)).strftime(form)

    def phone(self, value: Any) -> str:
        """The digits of a phone that this sms.by takes.

        Raises:
            Refusal: it is no phone number, or one of those that it refuses.
        """
        number = phone_of(value)
        if number.startswith(self.settings.refuses):
            raise Refusal("incorrect phone number")
        return number

    def new_sms(self, phone: Any, text: str, channel: str = "sms") -> NewSms:
        """A priced message with its fate.

        Raises:
            Refusal: a phone that is none, a text that is too long.
        """
        number = self.phone(phone)
        parts = count_parts(text)
        fate = self.settings.fates.get(number) or fate_of(number)
        return NewSms(number, text, parts, parts * self.settings.price_of(number), fate, channel)

    def check_funds(self, cost: Decimal, refusal: str = "limit exceeded") -> None:
        """Refuse what the balance does not pay."""
        if cost > self.store.balance:
            raise Refusal(refusal)

    def find_mailing(self, params: Params, *kinds: str) -> SandboxMailing | None:
        """The mailing with the given message_id, if it is of one of these kinds."""
        text = text_of(params, "message_id").strip()
        mailing = self.store.find(int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None
        return mailing if mailing is not None and mailing.kind in kinds else None

    def status_of(self, sms: Sms, mailing: SandboxMailing) -> tuple[str, float]:
        """A message's status and since when."""
        if mailing.status == "DRAFT":
            return "NEW", mailing.created
        return status_at(self.now(), sms.due, sms.fate, self.settings.delay)

    def count_delivered(self, mailing: SandboxMailing) -> int:
        if mailing.status == "DRAFT":
            return 0
        return self.store.count_fates(self.now() - self.settings.delay, mailing.id).get(DELIVERED, 0)

    def is_moderated(self, mailing: SandboxMailing) -> bool:
        return mailing.moderated_at is not None and self.now() >= mailing.moderated_at
