"""Who may read the page and its data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.conftest import NOON, PHONES, Client


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
@pytest.mark.parametrize("path", ["/", "/_sandbox/inbox", "/_sandbox/overview", "/api/v1/getLimit?token=t"])
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


def test_inbox_of_one_phone(sms: Client) -> None:
    """A large inbox need not be read completely."""
    sms.bulk()
    answer = requests.get(f"{sms.url}/_sandbox/inbox", {"phone": PHONES[0]}, timeout=5).json()
    assert list(answer) == [PHONES[0]]
    assert answer[PHONES[0]][0] | {"id": 0, "message_id": 0} == {
        "id": 0,
        "message_id": 0,
        "text": "Hi",
        "sender": "MyShop",
        "mailing": "one",
        "at": NOON.timestamp(),
        "parts": 1,
        "channel": "sms",
        "status": "NEW",
        "status_at": NOON.timestamp(),
    }


def test_inbox_can_be_read_during_sends(sms: Client) -> None:
    """Every answer is complete, and the last one has all messages."""

    def send(n: int) -> int:
        return sms.bulk(f"3752911111{n:02}").status_code

    with ThreadPoolExecutor(4) as pool:
        sends = pool.map(send, range(40))
        looks = [len(sms.inbox()) for _ in range(20)]
        overviews = [len(sms.view("overview")["phones"]) for _ in range(20)]
        assert set(sends) == {200}
    assert looks == sorted(looks)
    assert overviews == sorted(overviews)
    assert len(sms.inbox()) == len(sms.view("overview")["phones"]) == 40
