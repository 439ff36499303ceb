"""The inbox as JSON."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.sandbox.conftest import NOON, PHONES, Client


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
