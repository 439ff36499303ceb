"""Who may read the page and its data."""

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
def test_routes_refuse_other_sites(sms: Client, path: str, headers: dict[str, str], status: int) -> None:
    """Neither a script of another site nor its name pointed at this machine gets data."""
    assert requests.get(sms.url + path, headers=headers, timeout=5).status_code == status


def test_routes_accept_their_own_origin(sms: Client) -> None:
    """The page itself may read the data."""
    assert (
        requests.get(f"{sms.url}/_sandbox/inbox", headers={"Origin": sms.url}, timeout=5).status_code == 200
    )


def test_routes_of_the_api_accept_any_host_name(sms: Client) -> None:
    """A client in a container calls the sandbox by another name."""
    answer = requests.get(f"{sms.url}/api/v1/getLimit?token=t", headers={"Host": "sandbox"}, timeout=5)
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["inbox.css", "inbox.js", "icon.svg", "index.html"])
def test_routes_serve_only_the_files_of_the_page(sms: Client, name: str) -> None:
    """They have their content types, and no other file is served."""
    answer = requests.get(f"{sms.url}/_sandbox/page/{name}", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert requests.get(f"{sms.url}/_sandbox/page/..%2fstore.py", timeout=5).status_code == 404
