"""Who may look into the sandbox: the phones in it may be those of real people."""

from __future__ import annotations

import pytest
import requests

from tests.sandbox.conftest import Client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/_sandbox/inbox", "/_sandbox/overview"])
def test_other_sites_can_not_look_in(sms: Client, path: str, headers: dict[str, str], status: int) -> None:
    """Neither their scripts nor their names pointed to this machine."""
    assert requests.get(sms.url + path, headers=headers, timeout=5).status_code == status


def test_the_page_itself_may(sms: Client) -> None:
    """Its own origin."""
    assert (
        requests.get(f"{sms.url}/_sandbox/inbox", headers={"Origin": sms.url}, timeout=5).status_code == 200
    )


def test_the_api_is_open_to_any_name(sms: Client) -> None:
    """A client in a container calls it by a name of its own."""
    answer = requests.get(f"{sms.url}/api/v1/getLimit?token=t", headers={"Host": "sandbox"}, timeout=5)
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["inbox.css", "inbox.js", "icon.svg", "index.html"])
def test_the_pages_files_are_served(sms: Client, name: str) -> None:
    """With their types, and nothing else is."""
    answer = requests.get(f"{sms.url}/_sandbox/page/{name}", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert requests.get(f"{sms.url}/_sandbox/page/..%2fstore.py", timeout=5).status_code == 404
