"""Why no connection was made: what is named, and that nothing of what a proxy says is shown."""

from __future__ import annotations

import ssl

import pytest
import requests
from urllib3.exceptions import MaxRetryError, ProxyError, SSLError

from smsby_deploy.smsby.connection_errors import HINT, explain_not_connected, never_connected

_PLACE = "https://app.sms.by"


def _gave_up(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


def _refused(message: str) -> requests.ConnectionError:
    cause = ssl.SSLCertVerificationError(message)
    cause.verify_message = message
    error = _gave_up(SSLError(cause))
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (None, "cannot reach sms.by at https://app.sms.by", HINT),
        (requests.ConnectTimeout(), "cannot reach sms.by at https://app.sms.by", HINT),
        (
            _gave_up(ProxyError("x", OSError("Tunnel connection failed: 407 call 375291234567"))),
            "cannot reach sms.by at https://app.sms.by through the proxy (the proxy answered 407)",
            "put the user name and password of the proxy into HTTPS_PROXY",
        ),
        (
            _gave_up(ProxyError("x", OSError("Tunnel connection failed: 403 Forbidden"))),
            "cannot reach sms.by at https://app.sms.by through the proxy (the proxy answered 403)",
            "check HTTPS_PROXY",
        ),
        (
            _refused("certificate is not valid for 'app.sms.by'."),
            "the certificate of https://app.sms.by is not trusted: certificate is not valid for 'app.sms.by'",
            "check the URL and this machine's clock",
        ),
    ],
)
def test_explain_not_connected(error: Exception | None, message: str, hint: str) -> None:
    """The reason is named where it is known, with its own hint, and the request was not sent."""
    said, advice = explain_not_connected(error, _PLACE)
    assert (said, advice.startswith(hint)) == (message, True)
    assert error is None or never_connected(error)


def test_never_connected_is_not_sure_of_a_proxy_that_hung_up() -> None:
    """It may have passed the request on."""
    assert not never_connected(_gave_up(ProxyError("x", ConnectionResetError("reset"))))
