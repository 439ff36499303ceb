"""HTTP to sms.by: one request, one answer.

Every parameter and the token go where methods.py says, unless the account is known to read them elsewhere.

A ReadTransport refuses every method that sends or changes something; a SendTransport does not.
"""

from __future__ import annotations

import hmac
import json
import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from functools import cached_property, partial
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Literal

import requests
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util.ssl_ import create_urllib3_context

from smsby_deploy import __version__
from smsby_deploy.clock import Clock
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.fault_points import fault_point
from smsby_deploy.privacy import HIDDEN, filter_log_record, hide_echo, hide_echoes
from smsby_deploy.smsby.answer_limits import (
    LARGEST_ANSWER,
    LARGEST_LIST,
    BadEncoding,
    BoundedAdapter,
    TooLarge,
    read_pieces,
)
from smsby_deploy.smsby.connections import (
    AHEAD,
    NETWORK_HINT,
    FreshConnection,
    FreshConnections,
    explain_not_connected,
    never_connected,
    open_connection,
    shown_place,
)
from smsby_deploy.smsby.json_stream import JsonStream, KeepRow
from smsby_deploy.smsby.methods import Effect, Method
from smsby_deploy.smsby.parameters import CallStyles, Place
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.retry import Pace, read_clock_lead, read_retry_after

_OK, _TOO_MANY = 200, 429


class NotConnected(SmsbyUnavailable):
    """No connection was made, so the request certainly did not arrive."""


class AnswerLost(SmsbyUnavailable):
    """The request was sent, but its answer did not arrive completely."""


class AnswerTooSlow(AnswerLost):
    """The answer made no progress."""


class AnswerTooLarge(AnswerLost):
    """The answer exceeds the limit, and would do so again."""


class ReadTransport:
    """Rate-limited queries to one service with one token; safe to share between threads.

    `body` is the format of parameters whose place is BODY. `call_styles` has the methods that are not called as documented.
    Neither the token nor the secret `callback_path` is left in an answer.
    `clock_lead` is how far this machine's clock is ahead of that of sms.by; None until an answer shows it.
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
        call_styles: CallStyles | None = None,
        callback_path: str = "",
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._callback_path = callback_path
        self._timeout = timeout
        self._body = Place(body)
        self._call_styles = call_styles or {}
        self._is_accepted_by_get = False  # whether an answer to a GET has shown that the token is valid
        self._session = _new_session()
        self._prepared: dict[tuple[str, str, tuple[tuple[str, str], ...]], requests.PreparedRequest] = {}
        self.clock = clock
        self.clock_lead: timedelta | None = None
        self._adapter = BoundedAdapter(lambda: self._ssl_context, clock)
        self.pace = Pace(requests_per_second, clock)
        _hide_tokens_in_logs()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown_place(self._url)!r}, token={HIDDEN})"

    def derive_secret(self, purpose: str) -> bytes:
        """Return 32 bytes that can be computed only with the token."""
        return hmac.digest(self._token.encode(), purpose.encode(), "sha256")

    def ask(self, method: Method, params: Mapping[str, Any], keep: KeepRow | None = None) -> Answer:
        """Call a read-only method.

        With `keep`, the list of an answer with HTTP 200 is read as a stream, and may be long: see JsonStream.

        Raises:
            NotConnected, AnswerLost: no answer arrived.
            PermissionError: the method sends or changes something.
        """
        if method.sends_with(params) or method.effect is Effect.CHANGES:
            raise PermissionError(f"{method.name} does more than ask")
        request = self._prepare(method, params)
        self.pace.wait_turn()
        return self._exchange(request, self._adapter, keep)

    def _prepare(self, method: Method, params: Mapping[str, Any]) -> requests.PreparedRequest:
        """Return the request with its parameters and the token.

        Raises:
            NotConnected: the request cannot be built.
        """
        style = self._call_styles.get(method.name)
        if style is not None and method.verb == "POST":
            method = method.by(style)
        parts: dict[Place, dict[str, Any]] = {place: {} for place in Place}
        for name, value in params.items():
            if name != "token":
                parts[method.place_of(name)][name] = value
        parts[method.token]["token"] = self._token
        parts[self._body] |= parts[Place.BODY]
        url, form = self._url + method.path, list(_brackets(parts[Place.FORM]))
        try:
            query = tuple(_brackets(parts[Place.QUERY]))
            if parts[Place.JSON]:
                return self._prepare_json(method.verb, url, query, _json_object(parts[Place.JSON]))
            request = requests.Request(method.verb, url, params=query, data=form or None)
            return self._session.prepare_request(request)
        except UnicodeEncodeError:
            raise NotConnected(
                "cannot encode the request as UTF-8", hint="look for unpaired surrogates in texts"
            ) from None
        except requests.RequestException:
            raise self._not_connected() from None

    def _prepare_json(
        self, verb: str, url: str, query: tuple[tuple[str, str], ...], body: bytes
    ) -> requests.PreparedRequest:
        """Return a request with a JSON body.

        Requests of one method differ only in it: the rest is prepared once, as it takes a tenth of the CPU of a request.
        """
        prepared = self._prepared.get((verb, url, query))
        if prepared is None:
            headers = {"Content-Type": "application/json"}
            request = requests.Request(verb, url, headers=headers, params=query, data=b"{}")
            prepared = self._prepared[verb, url, query] = self._session.prepare_request(request)
        copied = prepared.copy()
        copied.body, copied.headers["Content-Length"] = body, str(len(body))
        return copied

    def _exchange(
        self,
        request: requests.PreparedRequest,
        adapter: HTTPAdapter,
        keep: KeepRow | None = None,
        is_open: bool = False,
    ) -> Answer:
        """Send the request and wait for its answer; follow no redirect.

        On a connection that `is_open`, the request comes first, so no failure proves that it was not sent.

        Raises:
            NotConnected, AnswerLost: no answer arrived.
        """
        slowdowns = self.pace.slowdowns
        try:
            with closing(adapter.send(request, timeout=self._timeout, **self._environment)) as response:
                now = self.clock.now()
                self._note_time(read_clock_lead(response.headers, now))
                data, is_empty = self._read(response, keep if response.status_code == _OK else None)
        except (requests.RequestException, HTTPError, OSError, UnicodeEncodeError) as error:
            if not is_open and never_connected(error):
                raise self._not_connected(error) from None
            raise _lost(error) from None
        self.pace.adapt(slowdowns, is_too_fast=response.status_code == _TOO_MANY)
        answer = Answer(
            response.status_code,
            data,
            readable=data is not None,
            is_empty=is_empty,
            retry_after=read_retry_after(response.headers, now),
            token=self._token,
            is_token_known=self._is_accepted_by_get and request.method == "POST",
        )
        if request.method == "GET" and answer.accepts_token:
            self._is_accepted_by_get = True
        return answer

    def _note_time(self, lead: timedelta | None) -> None:
        """Keep the smallest lead: a slow answer makes it larger."""
        if lead is not None and (self.clock_lead is None or abs(lead) < abs(self.clock_lead)):
            self.clock_lead = lead

    def _read(self, response: requests.Response, keep: KeepRow | None) -> tuple[Any, bool]:
        """Return the parsed body, None if it is not JSON, and whether there is none at all."""
        pieces = read_pieces(response, LARGEST_ANSWER if keep is None else LARGEST_LIST)
        try:
            if keep is not None:
                stream = JsonStream(hide_echoes(pieces, self._token), keep, LARGEST_ANSWER)
                return stream.read(), stream.is_empty
            content = hide_echo(hide_echo(b"".join(pieces), self._token), self._callback_path)
            return (json.loads(content), False) if content.strip() else (None, True)
        except (ValueError, RecursionError):
            return None, False

    @cached_property
    def _environment(self) -> Mapping[str, Any]:
        """Proxies and certificates from the environment.

        Reading them takes longer than building a request.
        """
        return self._session.merge_environment_settings(self._url, {}, None, None, None)

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext:
        """Loading the CA certificates takes 40 ms, so all connections share one context."""
        bundle = self._environment["verify"]
        path = DEFAULT_CA_BUNDLE_PATH if bundle is True else bundle
        context = create_urllib3_context()
        try:
            if Path(path).is_dir():
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cafile=path)
        except OSError:  # ssl.SSLError is one, too
            hint = "it is named by REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE; check that it is a readable PEM file"
            raise NotConnected(f"cannot read the CA certificates in {path}", hint=hint) from None
        return context

    def _not_connected(self, error: BaseException | None = None) -> NotConnected:
        message, hint = explain_not_connected(error, self._url)
        return NotConnected(message, hint=hint)


# A request that is built. Call it once, after taking a turn, with a connection or None; it raises like SendTransport.send.
PreparedRequest = Callable[[FreshConnection | None], Answer]


class SendTransport(ReadTransport):
    """A transport that may call every method; `connections` wait for their requests."""

    def __init__(self, url: str, token: str, **settings: Any) -> None:
        super().__init__(url, token, **settings)
        self._is_secure = self._url.lower().startswith("https://")
        self.connections = FreshConnections(self._connect, self._most_ahead, self.clock)

    def send(self, method: Method, params: Mapping[str, Any]) -> Answer:
        """Call any method once, on a new connection: a stale one would make the outcome unknown.

        Raises:
            NotConnected: certainly not sent.
            AnswerLost: perhaps sent.
        """
        request = self.prepare(method, params)
        self.pace.wait_turn()
        return request(None)

    def prepare(self, method: Method, params: Mapping[str, Any]) -> PreparedRequest:
        """Build the request of `send`.

        Raises:
            NotConnected: the request cannot be built.
        """
        return partial(self._send, method, self._prepare(method, params))

    def _send(
        self, method: Method, request: requests.PreparedRequest, connection: FreshConnection | None
    ) -> Answer:
        fault_point(f"http.before:{method.name}")
        if connection is None or not connection.is_usable(self.clock.monotonic()):
            connection = self._connect()
        with closing(connection):
            answer = self._exchange(request, connection.adapter, is_open=connection.is_open)
        fault_point(f"http.after:{method.name}")
        return answer

    def _most_ahead(self) -> int:
        return self.pace.turns_within(AHEAD) if self._is_secure else 0

    def _connect(self) -> FreshConnection:
        """Return a connection that is open up to the end of its TLS handshake.

        Without TLS, it is opened when the request is sent: opening it ahead would save tests and sandboxes one round trip.

        Raises:
            NotConnected: it cannot be opened.
        """
        adapter = BoundedAdapter(lambda: self._ssl_context, self.clock, pool_maxsize=1)
        if not self._is_secure:
            return FreshConnection(adapter)
        try:
            sock = open_connection(adapter, self._url, self._timeout, self._environment["proxies"])
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            adapter.close()
            raise self._not_connected(error) from None
        return FreshConnection(adapter, sock, self.clock.monotonic())


def _new_session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = f"smsby-deploy/{__version__}"
    session.headers["Accept"] = "application/json"  # without it, Laravel answers some errors with a page
    session.headers["Accept-Encoding"] = "gzip"
    session.auth = lambda request: request  # send no password from ~/.netrc
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # accept no cookies
    return session


def _lost(error: Exception) -> AnswerLost:
    """Return the error for an answer that did not arrive completely."""
    lost = "the answer of sms.by was lost"
    if isinstance(error, TooLarge):
        return AnswerTooLarge(f"{lost}: it holds more than {error.limit >> 20} MB", hint=NETWORK_HINT)
    if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
        return AnswerTooSlow(f"{lost}: timed out", hint=NETWORK_HINT)
    how = "it cannot be decompressed" if isinstance(error, BadEncoding) else "the connection broke"
    if isinstance(error, requests.exceptions.SSLError):
        how = "TLS failed, so this may not be an https service"
    return AnswerLost(f"{lost}: {how}", hint=NETWORK_HINT)


def _json_object(params: Mapping[str, Any]) -> bytes:
    """Return the parameters as one JSON object; a value in bytes is JSON already."""
    pieces = [b"{"]  # joined once: a value may have megabytes
    for name, value in params.items():
        written = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
        pieces += (json.dumps(name).encode(), b": ", written, b", ")
    return b"".join((*pieces[:-1], b"}")) if params else b"{}"


def _brackets(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield a nested value as PHP reads it: messages[0][delivery_list][0][phone]=….

    True is 1, false 0, None empty.
    """
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
