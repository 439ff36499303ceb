"""Why no connection to sms.by was made, and whether that is certain."""

from __future__ import annotations

import re
import ssl
from http import HTTPStatus
from typing import TypeVar

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError

HINT = "check api.url (or SMSBY_API_URL) and the network, then try again"
_PROXY_HINT = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY, then try again"
_LOGIN_HINT = "put the user name and password of the proxy into HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, then try again"
_CERTIFICATE_HINT = (
    "check the URL and this machine's clock; if a proxy of your network replaces certificates, name the file with its CA "
    "certificate in REQUESTS_CA_BUNDLE"
)
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})\b")
_Error = TypeVar("_Error", bound=BaseException)
_NOT_SENT = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    UnicodeEncodeError,  # a proxy's password, before anything is written
)


def never_connected(error: BaseException) -> bool:
    """Return whether the request was certainly not sent."""
    if isinstance(error, _NOT_SENT):
        return True
    reason = _reason(error)
    # urllib3 also raises ProxyError when a proxy closes the connection after the request; its cause shows the difference.
    if isinstance(reason, ProxyError):
        reason = reason.original_error
        if isinstance(reason, OSError) and str(reason).startswith("Tunnel connection failed"):
            return True
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return True
    return _find_cause(error, ssl.SSLCertVerificationError) is not None


def _find_cause(error: BaseException, kind: type[_Error]) -> _Error | None:
    """Return the error of `kind` that led to `error`, or None."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__ or cause.__context__
    return cause


def explain_not_connected(error: BaseException | None, place: str) -> tuple[str, str]:
    """Return the message and the hint for a connection that was not made.

    A proxy and a certificate are named where `error` shows that they are the reason. `place` is the part of the URL that
    may be shown. What a proxy answered is not shown, except its status.
    """
    reason = _reason(error)
    if isinstance(reason, ProxyError):
        status = _TUNNEL_STATUS.match(str(reason.original_error))
        hint = (
            _LOGIN_HINT
            if status and int(status[1]) == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
            else _PROXY_HINT
        )
        answered = f" (the proxy answered {status[1]})" if status else ""
        return f"cannot reach sms.by at {place} through the proxy{answered}", hint
    refused = None if error is None else _find_cause(error, ssl.SSLCertVerificationError)
    if refused is not None:
        return (
            f"the certificate of {place} is not trusted: {refused.verify_message.rstrip('.')}",
            _CERTIFICATE_HINT,
        )
    return f"cannot reach sms.by at {place}", HINT


def _reason(error: BaseException | None) -> object:
    """Return what made urllib3 give up."""
    reason = error.args[0] if error is not None and error.args else None
    return reason.reason if isinstance(reason, MaxRetryError) else reason
