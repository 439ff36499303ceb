"""Which URLs may get the token."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from smsby_deploy.config.environments import (
    Environment,
    is_loopback,
    read_callback_path,
    read_freeze,
    service_url,
)
from smsby_deploy.errors import SmsbyUnavailable, UsageError
from smsby_deploy.problems import Location
from smsby_deploy.resources import load_schema

PLACE = Location("smsby.yaml", 4, 8)


def _url(written: str, **environ: str) -> str:
    return service_url(Environment(url=written, url_location=PLACE), environ)


@pytest.mark.parametrize(
    "url",
    [
        "https://app.sms.by",
        "https://app.sms.by/",
        "https://APP.sms.by:443",
        "https://app.startsend.ru",
        "http://127.0.0.1:8025",
        "http://localhost:8025",
        "http://[::1]:8025",
        "https://127.9.9.9",
    ],
)
def test_service_url_accepts_known_services(url: str) -> None:
    """sms.by, its sister service and this machine are accepted."""
    assert _url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example",
        "http://app.sms.by",
        "https://app.sms.by:8443",
        "https://app.sms.by.",
        "https://app.sms.by.elsewhere.example",
        "https://app.sms.by@elsewhere.example",
        "https://elsewhere.example\\@app.sms.by",
        "https://elsewhere.example#@app.sms.by",
        "https://elsewhere.example?@app.sms.by",
        "https://elsewhere.example/@app.sms.by",
        "http://elsewhere.example:80@127.0.0.1:9@elsewhere.example",
        "http://127.0.0.1.elsewhere.example",
        "http://127.0.0.1\n.elsewhere.example",
        "http://169.254.169.254",
        "http://ci-service",
        "http://127.0.0.1:99999",
        "https://аpp.sms.by",
        "https://app.sms.by%2eelsewhere.example",
        "https://",
    ],
)
def test_service_url_refuses_unknown_services(url: str) -> None:
    """An unknown service is refused, and the error says where the URL is and how the runner can allow it."""
    with pytest.raises(SmsbyUnavailable) as refused:
        _url(url)
    assert refused.value.location == PLACE
    assert "SMSBY_API_URL" in refused.value.hint


@given(
    st.sampled_from(["http://", "https://"]),
    st.lists(
        st.sampled_from(
            ["app.sms.by", "127.0.0.1", "[::1]", "evil.by", "@", "\\", "#", "?", "/", ":", "443", " ", "%"]
        ),
        max_size=7,
    ).map("".join),
)
def test_accepted_urls_lead_where_they_were_checked(scheme: str, rest: str) -> None:
    """The library that makes the request reads an accepted URL in the same way."""
    try:
        url = _url(scheme + rest)
    except SmsbyUnavailable:
        return
    assert parse_url(url).host in ("app.sms.by", "127.0.0.1", "[::1]")


def test_service_url_prefers_the_environment() -> None:
    """SMSBY_API_URL takes precedence, even over a URL that would be refused; an empty one counts as unset."""
    assert (
        _url("https://elsewhere.example", SMSBY_API_URL=" https://sms.example/v/ ") == "https://sms.example/v"
    )
    assert _url("https://app.sms.by", SMSBY_API_URL=" ") == "https://app.sms.by"


@pytest.mark.parametrize(
    "url", ["http://sandbox", "http://sandbox:8025", "http://localhost", "http://127.0.0.1"]
)
def test_plain_http_is_allowed_to_near_hosts(url: str) -> None:
    """Plain http is allowed to a host without a dot, such as a CI service."""
    assert _url("https://app.sms.by", SMSBY_API_URL=url) == url


@pytest.mark.parametrize(
    "url", ["http://sms.example", "http://10.0.0.5:8025", "http://[fd00::1]", "HTTP://sms.example"]
)
def test_plain_http_is_refused_to_others(url: str) -> None:
    """Plain http to other hosts is refused, since the token could be read in transit."""
    with pytest.raises(SmsbyUnavailable, match="plain http"):
        _url("https://app.sms.by", SMSBY_API_URL=url)


@pytest.mark.parametrize(
    "url", ["localhost:8025", "ftp://a", "https://", "https://a\\@b", "https://a:0", "https://a b"]
)
def test_service_url_reports_a_bad_variable(url: str) -> None:
    """A variable that is not a URL is wrong usage."""
    with pytest.raises(UsageError, match="SMSBY_API_URL"):
        _url("https://app.sms.by", SMSBY_API_URL=url)


def test_is_loopback_means_this_machine() -> None:
    """A loopback host is recognized by name or by address."""
    assert all(map(is_loopback, ["http://localhost", "http://127.1.2.3:1", "http://[::1]"]))
    assert not any(map(is_loopback, ["http://localhost.example", "http://10.0.0.1", "http://sandbox"]))


def test_read_callback_path_differs_by_secret_and_project() -> None:
    """The callback path is an HMAC of project and environment, and reveals none of the secret."""
    secrets = {"SMSBY_CALLBACK_SECRET": "a" * 32}, {"SMSBY_CALLBACK_SECRET": f" {'b' * 32}\n"}
    paths = {read_callback_path(one, scope) for one in secrets for scope in ("shop", "shop~staging", "other")}
    assert len(paths) == 6
    assert all(len(path) == 32 and int(path, 16) for path in paths)
    assert read_callback_path(secrets[0], "shop") == read_callback_path({**secrets[0], "X": "1"}, "shop")
    assert read_callback_path({"SMSBY_CALLBACK_SECRET": " "}, "shop") == ""
    with pytest.raises(UsageError, match="too short"):
        read_callback_path({"SMSBY_CALLBACK_SECRET": "a" * 31}, "shop")


def test_environments_may_replace_every_key() -> None:
    """The schema allows every top-level key under `environments`, except those that are the same everywhere."""
    keys = load_schema("project")["properties"]
    own = keys["environments"]["additionalProperties"]["properties"].keys()
    assert keys.keys() - own == {"version", "project", "environments"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", ""),
        ("freeze: wrong\n  price\n", "wrong price"),
        ("freeze: true\n", "true"),
        ("freeze: false\n", ""),
    ],
)
def test_read_freeze_returns_why(tmp_path: Path, line: str, why: str) -> None:
    """The reason of a freeze is on one line, and empty without a freeze."""
    (tmp_path / "smsby.yaml").write_text(f"version: 1\nproject: shop\n{line}", "utf-8")
    assert read_freeze(tmp_path / "smsby.yaml", "production") == why
