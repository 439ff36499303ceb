"""Mailings that wait for their windows or verdicts: approved at 10:00 in Minsk, to be sent at 12:00 or in waves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.apply.apply_result import ApplyResult
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import EntryState
from smsby_deploy.smsby.response import Answer
from tests.apply.fake_dispatch import VirtualClock
from tests.apply.fake_smsby import EMPTY_LIST, PHONES, PROJECT, Shop, ok

ACCEPTED = ok({"uuid": "cc9c8043", "success": "OK"})
HOUR = 3600.0  # the clock starts at 10:00 in Minsk; windows open an hour later, and close half an hour after that


def write_sale(shop: Shop, **mailings: str) -> None:
    head = "version: 1\ncampaign: sale\nschedule_time: 2026-12-01T12:00:00\nmailings:\n"
    rows = (f"  - {{name: {name}, {text}}}\n" for name, text in mailings.items())
    shop.write("sale.yaml", head + "".join(rows))


def to(*phones: str, text: str = "Hello", more: str = "") -> str:
    return f"text: {text}, recipients: [{', '.join(map(repr, phones))}]{more}"


def approve(shop: Shop, **mailings: str) -> None:
    write_sale(shop, **mailings)
    result = apply_plan(shop.request())
    assert result.exit_code is ExitCode.DONE
    assert shop.sms_by.changes() == []


def outcomes(result: ApplyResult) -> dict[str, str]:
    return {one.address.removeprefix("sale/"): one.outcome.value for one in result.mailings}


def state(shop: Shop, name: str) -> EntryState:
    return shop.lock().mailings[f"sale/{name}"].state


@pytest.fixture
def waiting(tmp_path: Path) -> Shop:
    """A shop whose mailings are to be sent at 12:00, in a window from an hour to half an hour before."""
    shop = Shop(tmp_path, clock=VirtualClock())
    shop.configure(price="{currency: BYN, per_part: 1}", release="{before: 1h, at_latest: 30m}")
    shop.sms_by.script("sendBulkSms", ACCEPTED)
    return shop


def listed(shop: Shop) -> Answer:
    """Return what sms.by lists of everything that was sent."""
    sent = [m for call in shop.sms_by.named("sendBulkSms") for m in json.loads(call["messages"])]
    rows = [{"id": n, "name": one["name"], "status": "NEW"} for n, one in enumerate(sent, 1)]
    return ok(rows) if rows else EMPTY_LIST


class Requests(dict[str, str]):
    """The status that statusBulkSms reports for the one recipient of each request, by its uuid."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, str] = {}

    def take(self, params: Mapping[str, Any]) -> Answer:
        (message,) = json.loads(params["messages"])
        uuid = f"u-{len(self.names)}"
        self.names[uuid] = message["name"]
        return ok({"uuid": uuid, "success": "OK"})

    def report(self, params: Mapping[str, Any]) -> Answer:
        uuid = params["uuid"]
        if self.get(uuid) == "unusable":
            return Answer(200)
        phones = [{"phone": PHONES[0], "status": self.get(uuid, "SENT")}]
        return ok([{"message_id": 7, "name": self.names[uuid], "success": phones}])


Waves = tuple[Shop, Requests]


@pytest.fixture
def waves(tmp_path: Path) -> Waves:
    """A shop that sends each recipient in a separate request; the first of three waves, of two recipients, was sent."""
    shop, made = Shop(tmp_path, clock=VirtualClock()), Requests()
    shop.sms_by.script("sendBulkSms", made.take)
    shop.sms_by.script("statusBulkSms", made.report)
    shop.sms_by.script("getSMSMessages", lambda params: listed(shop))
    shop.write("smsby.yaml", PROJECT.replace("seconds: 2", "seconds: 2, recipients_per_request: 1"))
    rows = ", ".join(f"'{phone}'" for phone in PHONES[:4])
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    recipients: [{rows}]\n    text: Hello\n"
        "    waves: [{people: 2, after: 1h, give_up: 3h, delivered: 50},"
        " {people: 1, after: 1h, give_up: 3h, delivered: 100}, rest]\n",
    )
    assert apply_plan(shop.request()).exit_code is ExitCode.DONE
    assert len(made.names) == 2
    return shop, made
