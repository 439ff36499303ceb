"""HTTP to sms.by: one request, one answer. The token goes into the query of a GET and the body of a POST, nowhere else."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

from smsby_deploy.clock import Clock
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.faults import fault_point

_HINT = "check api.url (or SMSBY_API_URL) and the network, then try again"


class NotConnected(SmsbyUnavailable):
    """No connection was made: the request surely did not arrive."""


class AnswerLost(SmsbyUnavailable):
    """The request left, its answer did not arrive whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `data` is the parsed JSON, `readable` tells whether it could be parsed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    data: Any
    readable: bool


class Transport:
    """Paced requests to one service with one token; safe to share between threads."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float,
        requests_per_second: float,
        body: Literal["json", "form"],
        clock: Clock,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._interval = 1 / requests_per_second
        self._form = body == "form"
        self._session = requests.Session()
        self._pace = threading.Lock()
        self._next = 0.0
        self.clock = clock

    def __repr__(self) -> str:
        return f"Transport({self._url!r}, token=<hidden>)"

    def get(self, path: str, params: Mapping[str, Any]) -> Answer:
        """Ask. Raises NotConnected or AnswerLost."""
        return self._exchange("GET", path, params={**params, "token": self._token})

    def post(self, path: str, params: Mapping[str, Any]) -> Answer:
        """Post, on a connection of its own: a stale pooled one would make the outcome unknown. Redirects are not followed.

        Raises:
            NotConnected: surely not sent.
            AnswerLost: maybe sent.
        """
        content = {"token": self._token, **params}
        if self._form:
            data: Any = list(_brackets(content))
            headers = {"Connection": "close"}
        else:
            data = json.dumps(content, ensure_ascii=False).encode()
            headers = {"Connection": "close", "Content-Type": "application/json"}
        method = path.rsplit("/", 1)[-1]
        fault_point(f"http.before:{method}")
        answer = self._exchange("POST", path, data=data, headers=headers)
        fault_point(f"http.after:{method}")
        return answer

    def _exchange(self, verb: str, path: str, **arguments: Any) -> Answer:
        self._wait_turn()
        try:
            response = self._session.request(
                verb, self._url + path, timeout=self._timeout, allow_redirects=False, **arguments
            )
        except requests.RequestException as error:
            if _never_connected(error):
                raise NotConnected(f"sms.by can't be reached at {self._url}", hint=_HINT) from None
            raise AnswerLost(f"sms.by's answer was lost ({type(error).__name__})", hint=_HINT) from None
        try:
            data = json.loads(response.content) if response.content.strip() else None
            readable = data is not None
        except ValueError:
            data, readable = None, False
        return Answer(response.status_code, response.headers, response.content, data, readable)

    def _wait_turn(self) -> None:
        with self._pace:
            now = self.clock.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        if turn > now:
            self.clock.sleep(turn - now)


def _never_connected(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    if isinstance(reason, NewConnectionError | ConnectTimeoutError | ProxyError):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _brackets(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A nested value as PHP reads it: messages[0][delivery_list][0][phone]=…"""
    items: Any
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        yield name, str(value)
        return
    for key, item in items:
        yield from _brackets(item, f"{name}[{key}]" if name else str(key))
