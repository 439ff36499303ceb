"""One call from parameters to answer: the log, the rate limit, the faults, the method, the style of its errors."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.errors import Refusal
from smsby_deploy.sandbox.faults import SILENT, Fault, FaultSwitch
from smsby_deploy.sandbox.methods import METHODS, documented_name
from smsby_deploy.sandbox.params import Params

_WINDOW = 1.0  # seconds that `rate_limit` is over


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call is answered, before a fault spoils it."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class LoggedCall:
    """One call as it came, the token aside. `status` is what was answered, None while it is being answered."""

    method: str
    verb: str
    path: str
    params: Params
    at: float
    accepted: bool = False
    faults: tuple[str, ...] = ()
    status: int | None = None


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """`reply` is None if the call was not carried out; `fault` is what its answer is to be broken by."""

    reply: Reply | None
    fault: Fault | None
    logged: LoggedCall


class Service:
    """sms.by for one account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.faults = FaultSwitch()
        self._calls: deque[LoggedCall] = deque()
        self._turns: deque[float] = deque()
        self._lock = threading.RLock()

    def call(self, method: str, verb: str, path: str, params: Params) -> CallOutcome:
        """Carry out one call, unless a fault or the rate limit comes before it."""
        shown = {name: value for name, value in params.items() if name != "token"}
        logged = LoggedCall(method, verb, path, shown, self.account.now())
        self._log(logged)
        if (limited := self._limit()) is not None:
            return CallOutcome(limited, None, logged)
        name = documented_name(method)
        met = self.faults.take(name or method, params)
        logged.faults = tuple(fault.mode for fault in met)
        broken = next((fault for fault in met if fault.mode not in SILENT), None)
        if broken is not None and broken.when == "before":
            if broken.mode != "slow":
                return CallOutcome(None, broken, logged)
            self.account.clock.sleep(broken.seconds)
            broken = None
        with self._lock:
            before = self.account.store.last_id
            reply = self._answer(name, params, met)
            self._hide(before, met)
        logged.accepted = reply.status < 300 and not (isinstance(reply.body, dict) and "error" in reply.body)
        return CallOutcome(reply, broken, logged)

    def _answer(self, name: str | None, params: Params, met: tuple[Fault, ...]) -> Reply:
        style = self.account.settings.error_status
        try:
            if name is None:
                raise Refusal("Page not found", 404, always=True)
            if params.get("token") in (None, "", "bad"):
                raise Refusal("token is invalid", 403)
            account = replace(self.account, list_is_stale=any(fault.mode == "lag" for fault in met))
            reply = Reply(200, METHODS[name](account, params))
        except Refusal as refusal:
            reply = Reply(refusal.status if style != 200 or refusal.always else 200, refusal.body)
        if name in self.account.settings.wrap and isinstance(reply.body, dict):
            return Reply(reply.status, [reply.body])
        return reply

    def _hide(self, before: int, met: tuple[Fault, ...]) -> None:
        """Let the silent faults do their work on what the call made."""
        for fault in met:
            if fault.mode == "lag":
                until = self.account.now() + fault.seconds if fault.seconds and not fault.calls else 0.0
                self.account.store.hide_after(before, fault.calls, until)
            elif fault.mode == "cut":
                self.account.store.cut_names_after(before, fault.chars)

    def _limit(self) -> Reply | None:
        """429 for a call over the limit, with the seconds to wait."""
        limit = self.account.settings.rate_limit
        if not limit:
            return None
        with self._lock:
            now = self.account.clock.monotonic()
            while self._turns and self._turns[0] <= now - _WINDOW:
                self._turns.popleft()
            if len(self._turns) < limit:
                self._turns.append(now)
                return None
        return Reply(429, {"error": "Request limit exceeded"}, {"Retry-After": "1"})

    # --- what the sandbox's own pages ask --------------------------------------------------------------------------

    def _log(self, call: LoggedCall) -> None:
        with self._lock:
            self._calls.append(call)
            while len(self._calls) > self.account.settings.keep_requests:
                self._calls.popleft()

    def calls(self) -> list[LoggedCall]:
        """The last calls, the oldest first."""
        with self._lock:
            return list(self._calls)

    def clear_calls(self) -> None:
        with self._lock:
            self._calls.clear()

    def change_settings(self, changes: dict[str, Any]) -> None:
        """Set what is named; the balance is the account's from now on. Raises BadSetting."""
        with self._lock:
            self.account.settings.change(changes)
            if "balance" in changes:
                self.account.store.set_balance(Decimal(str(changes["balance"])))

    def reset(self) -> None:
        """As new: nothing sent, no faults, no log. The switches and the clock stay."""
        with self._lock:
            self.account.store.clear()
            self.clear_calls()
            self.faults.clear()
