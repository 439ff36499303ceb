"""A mailing with `via: single`, and an sms.by that accepts it; conftest.py exports the fixtures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import LOST, PHONES, Shop, ok

THREE = PHONES[:3]


class Inbox(Counter[str]):
    """The deliveries of every message, by phone."""

    def take(self, params: Mapping[str, Any]) -> Answer:
        self[params["phone"]] += 1
        return ok({"sms_id": 1000 + sum(self.values()), "status": "NEW"})

    def take_and_lose(self, params: Mapping[str, Any]) -> Answer:
        self.take(params)
        raise LOST

    def read(self, params: Mapping[str, Any]) -> Answer:
        if params["limit_offset"]:
            return Answer(406, is_empty=True)
        rows = [{"phone": f"+{phone}", "status": "Delivered"} for phone in self.elements()]
        return ok({"result": rows}) if rows else Answer(406, is_empty=True)


@pytest.fixture
def inbox() -> Inbox:
    """The deliveries of all messages."""
    return Inbox()


@pytest.fixture
def single(shop: Shop, inbox: Inbox) -> Shop:
    """A mailing to three phones, and an sms.by that accepts it."""
    to(shop, *THREE)
    shop.sms_by.script("createSmsMessage", ok({"status": "new", "message_id": 50}))
    shop.sms_by.script("sendSMS", inbox.take)
    shop.sms_by.script("getSmsDeliveryList", inbox.read)
    return shop


def to(shop: Shop, *recipients: str, more: str = "") -> None:
    shop.mailing(f"via: single, recipients: [{', '.join(recipients)}], text: Closed{more}")


def states(shop: Shop) -> str:
    return str(shop.chunk().phones)


def called(shop: Shop) -> list[str]:
    """Return the phones of every sendSMS, in order."""
    return [params["phone"] for params in shop.sms_by.named("sendSMS")]
