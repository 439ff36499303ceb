"""The control routes of clock and settings, and who may read the page and its data."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import NOON, PHONES, Client


def test_control_route_sets_the_clock(sms: Client) -> None:
    """The time needs an offset, and the answer is the new reading."""
    reading = sms.control("clock", {"stop": True, "set": "2027-01-01T00:00:00+03:00", "advance": 60})
    assert reading == {
        "now": "2026-12-31T21:01:00+00:00",
        "unix": 1798750860.0,
        "offset": reading["offset"],
        "stopped": True,
    }
    assert sms.view("clock") == reading


@pytest.mark.parametrize(
    "given",
    [{}, None, {"set": "2027-01-01T00:00:00"}, {"set": 5}, {"advance": "x"}, {"advance": 1e99}, {"jump": 1}]
    + [{"set": f"{year}-12-31T23:59:59-12:00"} for year in ("0001", "9999")],
)
def test_control_route_refuses_invalid_clock_commands(sms: Client, given: Any) -> None:
    """An invalid command is explained, and the clock does not move."""
    answer = requests.post(f"{sms.url}/_sandbox/clock", json=given, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert sms.view("clock")["offset"] == 0


def test_control_route_deletes_what_is_not_gone(sms: Client) -> None:
    """A deleted mailing is neither listed nor sent and costs nothing, and a gone one stays."""
    balance = float(sms.view("settings")["balance"])
    sms.bulk(schedule_time="2036-12-01T10:00:00")
    (number,) = [row["id"] for row in sms.get("getSMSMessages").json()["data"]]
    sms.control("delete", {"message_id": number})
    assert sms.get("getSMSMessages").status_code == 406
    assert float(sms.view("settings")["balance"]) == balance
    assert sms.view("inbox") == {}
    sms.bulk()
    (gone,) = [row["id"] for row in sms.get("getSMSMessages").json()["data"]]
    for other in (gone, "x", None, 10**30):
        answer = requests.post(f"{sms.url}/_sandbox/delete", json={"message_id": other}, timeout=5)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        {"delay": -1},
        {"account_timezone": "Europe/Atlantis"},
        {"error_status": 503},
        {"balance": "much"},
        {"balance": "NaN"},
        {"moderation": "yes"},
        {"rate_limit": -1},
        {"wrap": "createSmsMessage"},
        {"alphanames": ["x"]},
        {"alphanames": {"²": "x"}},
        {"account_timezone": "x" * 300},
        {"balance": "1e999999"},
        {"price": -1},
        {"list_cap": math.inf},
        {"moderation_delay": math.nan},
        {"colour": "red"},
        ["delay"],
    ],
)
def test_control_route_refuses_invalid_settings(sms: Client, given: Any) -> None:
    """One invalid setting prevents all changes of the call."""
    before = sms.view("settings")
    body = {"list_lag": 5, **given} if isinstance(given, dict) else given
    assert requests.post(f"{sms.url}/_sandbox/settings", json.dumps(body), timeout=5).status_code == 400
    assert sms.view("settings") == before


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
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/", "/_sandbox/inbox", "/_sandbox/overview", "/api/v1/getLimit?token=t"])
def test_routes_refuse_other_sites(sms: Client, path: str, headers: dict[str, str], status: int) -> None:
    """Neither a script of another site nor a host name pointed at this machine gets data."""
    assert requests.get(sms.url + path, headers=headers, timeout=5).status_code == status


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/api/v1/getLimit?token=t", 403)])
def test_routes_accept_a_link_to_the_page(sms: Client, path: str, status: int) -> None:
    """A link on another site opens the page, but calls no method."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert requests.get(sms.url + path, headers=headers, timeout=5).status_code == status


def test_routes_accept_their_own_origin(sms: Client) -> None:
    """The page itself may read the data."""
    assert (
        requests.get(f"{sms.url}/_sandbox/inbox", headers={"Origin": sms.url}, timeout=5).status_code == 200
    )


def test_routes_of_the_api_accept_any_host_name(sms: Client) -> None:
    """A client in a container can call the API by another host name."""
    answer = requests.get(f"{sms.url}/api/v1/getLimit?token=t", headers={"Host": "sandbox"}, timeout=5)
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["inbox.css", "inbox.js", "icon.svg", "index.html"])
def test_routes_serve_only_the_files_of_the_page(sms: Client, name: str) -> None:
    """Only the files of the page are served, with their content types."""
    answer = requests.get(f"{sms.url}/_sandbox/page/{name}", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert requests.get(f"{sms.url}/_sandbox/page/..%2fstore.py", timeout=5).status_code == 404


def test_inbox_of_one_phone(sms: Client) -> None:
    """The inbox of one phone is returned without the rest."""
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
    """Every answer during sends is complete, and the last one has all messages."""

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
