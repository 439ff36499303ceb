"""One examination: the client, the clock, and what was learned so far."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from smsby_deploy.clock import Clock
from smsby_deploy.errors import ApiError
from smsby_deploy.smsby.facts import Fact, FactName, FactState, Gap
from smsby_deploy.smsby.methods import METHODS
from smsby_deploy.smsby.parameters import CallStyle
from smsby_deploy.smsby.probe_client import ProbeClient
from smsby_deploy.smsby.response import (
    Answer,
    UndefinedError,
    error_kind,
    refuses_token,
    rows_of,
    token_refused,
)

_LARGEST_OFFSET = 14 * 60  # minutes from UTC
_STEP = 15  # minutes: every zone's offset is a multiple


class Examination:
    """Asks sms.by and keeps the facts in the order in which they were learned."""

    def __init__(self, client: ProbeClient, clock: Clock, zone: ZoneInfo, mark: str) -> None:
        self.client = client
        self.clock = clock
        self.zone = zone
        self.mark = mark  # part of every name and text that is left at sms.by
        self.facts: dict[FactName, Fact] = {}
        # By method tried so far; None means as documented.
        self.call_styles: dict[str, CallStyle | None] = {}
        self._refusals: set[int] = set()  # HTTP statuses of errors with a known text

    def call(
        self, name: str, params: Mapping[str, Any] | None = None, style: CallStyle | None = None
    ) -> Answer:
        """Return the answer to a call, in the style that was found for the method.

        Raises:
            SmsbyUnavailable: no answer arrived.
            TokenRefused: a GET refuses the token. A POST may only expect it elsewhere.
        """
        style = style or self.call_styles.get(name)
        answer = self.client.call(name, params, style=style)
        if METHODS[name].verb == "GET":
            self.check_token(name, answer)
        self.note_error(answer)
        return answer

    def check_token(self, method: str, answer: Answer) -> None:
        """Raise TokenRefused if an answer refuses the token: nothing more is asked then."""
        if refuses_token(answer.error, answer.status):
            raise token_refused(method, answer.explanation or "")

    def note_error(self, answer: Answer) -> None:
        """Remember the HTTP status of a refusal whose text is known."""
        if is_refusal(answer):
            self._refusals.add(answer.status)

    def know(self, name: FactName, value: Any, method: str) -> None:
        self._keep(name, method, FactState.KNOWN, value)

    def miss(self, name: FactName, gap: Gap, method: str) -> None:
        """Record that a fact was not learnable, unless it was learned before."""
        if name not in self.facts or self.facts[name].state is not FactState.KNOWN:
            self._keep(name, method, FactState.NOT_LEARNABLE, None, gap)

    def learn(self, name: FactName, value: Any, method: str, otherwise: Gap) -> None:
        """Record a fact; if `value` is None, that it was not learnable, and `otherwise` is why."""
        if value is None:
            self.miss(name, otherwise, method)
        else:
            self.know(name, value, method)

    def is_known(self, name: FactName) -> bool:
        return name in self.facts and self.facts[name].state is FactState.KNOWN

    def judge_refusals(self) -> None:
        """Learn from all answers so far whether HTTP 500 is a refusal."""
        refuses = 500 in self._refusals if self._refusals else None
        self.learn(FactName.REFUSAL_AT_500, refuses, "checkSMSMessageStatus", Gap.NO_VALUE)

    def know_clock(self, name: FactName, local: str, moment: float, method: str, *, slack: int = 0) -> None:
        """Learn the clock of a textual date that is `moment` in unix seconds, give or take `slack`."""
        try:
            shown = datetime.fromisoformat(local.strip())
            at = datetime.fromtimestamp(moment, UTC)
        except (ValueError, OverflowError, OSError):
            self.miss(name, Gap.NO_VALUE, method)
            return
        if shown.tzinfo is not None:
            self.miss(name, Gap.NO_VALUE, method)
            return
        minutes = (shown.replace(tzinfo=UTC) - at) / timedelta(minutes=1)
        offset = round(minutes / _STEP) * _STEP
        if abs(minutes - offset) * 60 > max(slack, 1) or abs(offset) > _LARGEST_OFFSET:
            self.miss(name, Gap.UNDECIDED, method)
            return
        self.know(name, {"offset": offset, "at": at.isoformat(timespec="seconds")}, method)

    def rows(self, answer: Answer, *keys: str) -> list[dict[str, Any]]:
        """Return the rows of an answer that have all of `keys`; none if it is not a list."""
        try:
            return [row for row in rows_of(answer.data) if all(key in row for key in keys)]
        except ApiError:
            return []

    def _keep(
        self, name: FactName, method: str, state: FactState, value: Any, gap: Gap | None = None
    ) -> None:
        self.facts.pop(name, None)
        self.facts[name] = Fact(name, state, value, gap, self.clock.now().replace(microsecond=0), method)


def is_refusal(answer: Answer) -> bool:
    """Return whether an answer is an error whose text is known and says why nothing was done."""
    error = answer.error
    if not error or refuses_token(error, answer.status):
        return False
    return error_kind(error) not in (ApiError, UndefinedError)


def gap_of(answer: Answer) -> Gap:
    """Return why an answer shows nothing."""
    if answer.error:
        return Gap.REFUSED
    return Gap.NO_VALUE if answer.readable else Gap.NO_ANSWER
