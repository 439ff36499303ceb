"""Where a run sends to: the URL of sms.by, and which URLs may get the token.

The author of a pull request writes smsby.yaml, and must not be able to read the pipeline's token. Only the environment
of the process may therefore name a service that is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from smsby_deploy.config.declarations import Environment
from smsby_deploy.errors import SmsbyUnavailable, UsageError
from smsby_deploy.problems import Location

API_URL = "SMSBY_API_URL"
KNOWN_SERVICES = ("https://app.sms.by", "https://app.startsend.ru")
# Nothing that two parsers could read differently: `https://a\@b` is the host b for one, and a for another.
_URL = re.compile(
    r"https?://(?:[^\s/\\?#@\[\]]*@)?(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s\\?#]*)?",
    re.ASCII | re.IGNORECASE,
)


def service_url(environment: Environment, environ: Mapping[str, str]) -> str:
    """Return the URL that gets the requests and the token.

    That is SMSBY_API_URL, or else the URL in the files.

    Raises:
        UsageError: SMSBY_API_URL is not a URL.
        SmsbyUnavailable: the token must not be sent there.
    """
    override = environ.get(API_URL, "").strip()
    if not override:
        _check_written(environment.url, environment.url_location)
        return environment.url.rstrip("/")
    if not _URL.fullmatch(override) or not _has_port(override):
        raise UsageError(
            f"{API_URL} is not an http or https URL",
            hint="for example https://app.sms.by, or what `smsby-deploy sandbox` prints",
        )
    if urlsplit(override).scheme == "http" and not _may_be_plain(override):
        raise SmsbyUnavailable(
            f"{API_URL} is plain http, which would show the token to the network",
            hint="use https; http is allowed only to this machine and to a host name without a dot",
        )
    return override.rstrip("/")


def is_loopback(url: str) -> bool:
    """Return whether `url` leads to this machine."""
    host = _host(url)
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_written(url: str, place: Location) -> None:
    """Check that a URL of the repository may get the token.

    Raises:
        SmsbyUnavailable: it is neither a known service nor this machine.
    """
    if _URL.fullmatch(url) and _has_port(url):
        from smsby_deploy.lock.binding import service_of

        if service_of(url) in KNOWN_SERVICES or is_loopback(url):
            return
    raise SmsbyUnavailable(
        "the token is not sent to the URL in the project's files: it is not a known service",
        hint=f"known are {', '.join(KNOWN_SERVICES)} and this machine; if it is right, set it as {API_URL} where the "
        "token is set",
        location=place,
    )


def _may_be_plain(url: str) -> bool:
    host = _host(url)
    return is_loopback(url) or not ("." in host or ":" in host)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _has_port(url: str) -> bool:
    """Return whether the port of `url`, if it names one, exists."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
