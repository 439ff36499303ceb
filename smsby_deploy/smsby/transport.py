"""HTTP to sms.by: one request, one answer. The token goes into the query of a GET and the body of a POST, nowhere else.

A ReadTransport refuses every method that sends; a SendTransport is one that does not.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
)

from smsby_deploy import __version__
from smsby_deploy.clock import Clock
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.fault_points import fault_point
from smsby_deploy.privacy import HIDDEN, filter_log_record
from smsby_deploy.smsby.methods import Effect, Method
from smsby_deploy.smsby.response import Answer

_HINT = "check api.url (or SMSBY_API_URL) and the network, then try again"
_TOO_MANY = 429
_SLOWEST = 8  # times the interval between two requests, at most, where sms.by asks to slow down
_FASTER = 0.9  # of that interval after each answer that does not
_NEVER_LEFT = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    UnicodeEncodeError,  # of a proxy's password, before anything is written
)


class NotConnected(SmsbyUnavailable):
    """No connection was made: the request surely did not arrive."""


class AnswerLost(SmsbyUnavailable):
    """The request left, its answer did not arrive whole."""


class ReadTransport:
    """Paced questions to one service with one token; safe to share between threads.

    A 429 halves the pace; each other answer, good or bad, makes it a tenth faster again.
    """

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
        self._interval = self._shortest = 1 / requests_per_second
        self._form = body == "form"
        self._session = _new_session()
        self._pace = threading.Lock()
        self._last = float("-inf")  # when the last one left, or is to leave
        self._slowed = 0  # how often sms.by asked to slow down
        self.clock = clock
        _hide_tokens_in_logs()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_place(self._url)!r}, token={HIDDEN})"

    def ask(self, method: Method, params: Mapping[str, Any]) -> Answer:
        """Call a method that only asks.

        Raises:
            NotConnected, AnswerLost: no answer came.
            PermissionError: the method sends or changes something.
        """
        if method.sends_with(params) or method.effect is Effect.CHANGES:
            raise PermissionError(f"{method.name} is not a question")
        request = self._prepare(method, params)
        self._wait_turn()
        return self._dispatch(request, partial(self._session.send, allow_redirects=False))

    def _prepare(self, method: Method, params: Mapping[str, Any]) -> requests.PreparedRequest:
        """The request as it will leave.

        Raises:
            NotConnected: it can't be made.
        """
        headers: dict[str, str] = {}
        content = {**params, "token": self._token}
        arguments: dict[str, Any]
        try:
            if method.location == "query":
                arguments = {"params": list(_brackets(content))}
            elif self._form:
                arguments = {"data": list(_brackets(content))}
            else:
                headers["Content-Type"] = "application/json"
                arguments = {"data": _json_object(content)}
            url = self._url + method.path
            return self._session.prepare_request(
                requests.Request(method.verb, url, headers=headers, **arguments)
            )
        except UnicodeEncodeError:
            raise NotConnected("the request can't be written as UTF-8", hint="look for broken text") from None
        except requests.RequestException:
            raise self._not_connected() from None

    def _dispatch(self, request: requests.PreparedRequest, send: Callable[..., requests.Response]) -> Answer:
        """Let it leave, and wait for the answer."""
        slowed = self._slowed
        try:
            response = send(request, timeout=self._timeout, **self._environment)
            content = response.content
        except (requests.RequestException, HTTPError, OSError, UnicodeEncodeError) as error:
            if _never_connected(error):
                raise self._not_connected() from None
            how = "timed out" if isinstance(error, requests.Timeout) else "the connection broke"
            raise AnswerLost(f"sms.by's answer was lost: {how}", hint=_HINT) from None
        try:
            data = json.loads(content) if content.strip() else None
        except (ValueError, RecursionError):
            data = None
        self._adapt(slowed, is_too_much=response.status_code == _TOO_MANY)
        return Answer(
            response.status_code,
            data,
            readable=data is not None,
            is_empty=not content.strip(),
            retry_after=self._retry_after(response.headers.get("Retry-After", "")),
            token=self._token,
        )

    def _adapt(self, slowed: int, *, is_too_much: bool) -> None:
        """Slow down or speed up after the answer to a request that left when sms.by had asked `slowed` times: of several
        on their way at once only the first 429 counts."""
        with self._pace:
            if not is_too_much:
                self._interval = max(self._shortest, self._interval * _FASTER)
            elif slowed == self._slowed:
                self._slowed += 1
                self._interval = min(self._interval * 2, self._shortest * _SLOWEST)

    @cached_property
    def _environment(self) -> Mapping[str, Any]:
        """What the environment says of proxies and certificates: it takes longer to ask than to make a request."""
        return self._session.merge_environment_settings(self._url, {}, None, None, None)

    def _not_connected(self) -> NotConnected:
        return NotConnected(f"sms.by can't be reached at {_place(self._url)}", hint=_HINT)

    def _retry_after(self, value: str) -> float | None:
        """Seconds to wait: the header is a number of them or an HTTP date."""
        value = value.strip()
        if re.fullmatch(r"[0-9]{1,9}", value):
            return float(value)
        try:
            return max(0.0, (parsedate_to_datetime(value) - self.clock.now()).total_seconds())
        except (ValueError, TypeError, OverflowError):
            return None

    def _seconds_until_turn(self) -> float:
        """Return the seconds until the next request may leave; reserves nothing."""
        with self._pace:
            return max(0.0, self._last + self._interval - self.clock.monotonic())

    def _take_turn(self) -> float:
        """Reserve the next turn of the pace; seconds until it comes."""
        with self._pace:
            now = self.clock.monotonic()
            self._last = max(now, self._last + self._interval)
            return self._last - now

    def _wait_turn(self) -> None:
        """Take a turn, and wait for it."""
        if seconds := self._take_turn():
            self.clock.sleep(seconds)


class SendTransport(ReadTransport):
    """A transport that sends, too."""

    # For those who send what was prepared.
    seconds_until_turn = ReadTransport._seconds_until_turn
    take_turn = ReadTransport._take_turn
    wait_turn = ReadTransport._wait_turn

    def send(self, method: Method, params: Mapping[str, Any]) -> Answer:
        """Call any method once, on a connection of its own: a stale pooled one would make the outcome unknown.

        Raises:
            NotConnected: surely not sent.
            AnswerLost: maybe sent.
        """
        leave = self.prepare(method, params)
        self._wait_turn()
        return leave()

    def prepare(self, method: Method, params: Mapping[str, Any]) -> Callable[[], Answer]:
        """Make the request of `send`; it leaves when what is returned is called, once, by who took a turn.

        Raises:
            NotConnected: it can't be made.
        """
        return partial(self._send, method, self._prepare(method, params))

    def _send(self, method: Method, request: requests.PreparedRequest) -> Answer:
        fault_point(f"http.before:{method.name}")
        with closing(HTTPAdapter()) as connection:
            answer = self._dispatch(request, connection.send)
        fault_point(f"http.after:{method.name}")
        return answer


def _new_session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = f"smsby-deploy/{__version__}"
    session.auth = lambda request: request  # nothing from ~/.netrc goes to sms.by
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # nor does any cookie
    return session


def _place(url: str) -> str:
    """The part of a URL that may be shown."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "the URL that is set"


def _never_connected(error: BaseException) -> bool:
    """Whether the request surely did not leave."""
    if isinstance(error, _NEVER_LEFT):
        return True
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    # urllib3 also says ProxyError when a proxy hangs up after it took the request; what lies below it tells.
    if isinstance(reason, ProxyError):
        reason = reason.original_error
        if isinstance(reason, OSError) and str(reason).startswith("Tunnel connection failed"):
            return True
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _json_object(params: Mapping[str, Any]) -> bytes:
    """Return the parameters as one JSON object; a value in bytes is JSON already."""
    pairs = (
        json.dumps(name).encode()
        + b": "
        + (value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode())
        for name, value in params.items()
    )
    return b"{" + b", ".join(pairs) + b"}"


def _brackets(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A nested value as PHP reads it: messages[0][delivery_list][0][phone]=…; true is 1, false 0, None is empty."""
    items: Any
    if isinstance(value, bytes):
        value = json.loads(value)
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        if value is None or isinstance(value, bool):
            value = "" if value is None else int(value)
        yield name, str(value)
        return
    for key, item in items:
        yield from _brackets(item, f"{name}[{key}]" if name else str(key))


def _hide_tokens_in_logs() -> None:
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(filter_log_record)  # adding it again changes nothing
