"""One call from parameters to answer: log, rate limit, faults, method and error style."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.faults import ALWAYS_CARRIED_OUT, SILENT, Fault, FaultSwitch
from smsby_deploy.sandbox.methods import METHODS, documented_name
from smsby_deploy.sandbox.protocol import EmptyAnswer, Params, Refusal, Reply, merge_places
from smsby_deploy.sandbox.sandbox_settings import ANY_STYLE

_RATE_WINDOW = 1.0  # seconds in which `rate_limit` calls are allowed


@dataclass(slots=True)
class LoggedCall:
    """One call as received, without its token.

    `status` is the HTTP status of the answer, None before it is sent.
    """

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
    """What happens to one call.

    `reply` is None if the call was not executed; `fault`, if any, breaks the answer, waiting with `pause`.
    """

    reply: Reply | None
    fault: Fault | None
    logged: LoggedCall
    pause: Callable[[float], None]


class Service:
    """sms.by for one account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.faults = FaultSwitch()
        self._calls: deque[LoggedCall] = deque()
        self._recent: deque[float] = deque()
        self._lock = threading.RLock()

    def call(self, method: str, verb: str, path: str, sent: Mapping[str, Params]) -> CallOutcome:
        """Execute one call, unless a fault or the rate limit prevents it.

        `sent` has its parameters by place.
        """
        params = merge_places(sent)
        shown = {name: value for name, value in params.items() if name != "token"}
        logged = LoggedCall(method, verb, path, shown, self.account.now())
        self._log(logged)
        if (limited := self._limit()) is not None:
            return CallOutcome(limited, None, logged, lambda seconds: None)
        name = documented_name(method)
        pause = self.faults.new_pause(self.account.clock)
        faults = self.faults.take(name or method, params)
        logged.faults = tuple(fault.mode for fault in faults)
        broken = next((fault for fault in faults if fault.mode not in SILENT), None)
        if broken is not None and broken.when == "before":
            if broken.mode not in ALWAYS_CARRIED_OUT:
                return CallOutcome(None, broken, logged, pause)
            if broken.mode == "slow":
                pause(broken.seconds)
                broken = None
        with self._lock:
            last_id = self.account.store.last_id
            reply = self._answer(name, verb, path, sent, faults)
            self._apply_silent_faults(faults, last_id)
        logged.accepted = reply.status < 300 and not (isinstance(reply.body, dict) and "error" in reply.body)
        return CallOutcome(reply, broken, logged, pause)

    def _answer(
        self, name: str | None, verb: str, path: str, sent: Mapping[str, Params], faults: tuple[Fault, ...]
    ) -> Reply:
        settings = self.account.settings
        error_status = settings.error_status
        try:
            if name is None:
                raise Refusal("Page not found", 404, keeps_status=True)
            method = METHODS[name]
            style = settings.call_styles.get(name, None if settings.strict else ANY_STYLE)
            params = method.read(verb, path, sent, style)
            if params.get("token") in (None, "", "bad"):
                raise Refusal("token is invalid", 403)
            if style != ANY_STYLE:
                method.require(params)
            account = replace(self.account, list_is_stale=any(fault.mode == "lag" for fault in faults))
            reply = Reply(200, method.run(account, params))
        except EmptyAnswer as empty:
            return Reply(empty.status, None)
        except Refusal as refusal:
            status = refusal.status if error_status == 400 or refusal.keeps_status else error_status
            reply = Reply(status, refusal.body)
        if name in settings.wrap and isinstance(reply.body, dict):
            return Reply(reply.status, [reply.body])
        return reply

    def _apply_silent_faults(self, faults: tuple[Fault, ...], last_id: int) -> None:
        """Hide or rename the mailings that the call created after `last_id`."""
        for fault in faults:
            if fault.mode == "lag":
                until = self.account.now() + fault.seconds if fault.seconds and not fault.calls else 0.0
                self.account.store.hide_after(last_id, fault.calls, until)
            elif fault.mode == "cut":
                self.account.store.cut_names_after(last_id, fault.chars)

    def _limit(self) -> Reply | None:
        """Return the 429 for a call over the rate limit, otherwise None."""
        limit = self.account.settings.rate_limit
        if not limit:
            return None
        with self._lock:
            now = self.account.clock.monotonic()
            while self._recent and self._recent[0] <= now - _RATE_WINDOW:
                self._recent.popleft()
            if len(self._recent) < limit:
                self._recent.append(now)
                return None
        return Reply(429, {"error": "Request limit exceeded"}, {"Retry-After": "1"})

    def _log(self, call: LoggedCall) -> None:
        with self._lock:
            self._calls.append(call)
            while len(self._calls) > self.account.settings.keep_requests:
                self._calls.popleft()

    def calls(self) -> list[LoggedCall]:
        """Return the logged calls, the oldest first."""
        with self._lock:
            return list(self._calls)

    def clear_calls(self) -> None:
        with self._lock:
            self._calls.clear()

    def change_settings(self, changes: dict[str, Any]) -> None:
        """Change settings. A balance replaces that of the account. Raises BadSetting."""
        with self._lock:
            self.account.settings.change(changes)
            if "balance" in changes:
                self.account.store.set_balance(Decimal(str(changes["balance"])))

    def reset(self) -> None:
        """Remove all mailings, faults and logged calls; the settings and the clock stay."""
        with self._lock:
            self.account.store.clear()
            self.clear_calls()
            self.faults.clear()
