"""A mailing with `upload: true`, and an sms.by that accepts it; conftest.py exports the fixtures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from smsby_deploy.smsby.response import Answer
from tests.apply.fake_smsby import PHONES, Reply, Shop, ok

RECIPIENTS = PHONES[:5]


def taken(params: Mapping[str, Any]) -> Answer:
    """Return the answer of importContacts that inserted every contact."""
    return ok({"result": {"inserted": len(params["data"]), "updated": 0, "invalid": 0}})


def invalid(*errors: tuple[int, str], count: int | None = None) -> Reply:
    """Return the answer of importContacts that calls some contacts invalid."""
    log = [{"index": index, "error_message": text} for index, text in errors]
    return ok({"result": {"inserted": 0, "updated": 0, "invalid": count or len(log), "log": log}})


def lists(*named: tuple[int, str]) -> Answer:
    return ok({"result": [{"list_id": number, "name": name} for number, name in named]})


class ListOf(dict[int, str]):
    """The lists at sms.by by id, to which createSubscriberList adds one."""

    def create(self, params: Mapping[str, Any]) -> Answer:
        self[70 + len(self)] = params["name"]
        return ok({"result": {"list_id": max(self)}})

    def read(self, params: Mapping[str, Any]) -> Answer:
        return lists(*self.items())


@pytest.fixture
def known() -> ListOf:
    """The contact lists at sms.by."""
    return ListOf()


@pytest.fixture
def uploaded(shop: Shop, known: ListOf) -> Shop:
    """An uploaded mailing to five recipients, two in each importContacts, and an sms.by that accepts it."""
    shop.write(
        "smsby.yaml", "version: 1\nproject: shop\napi: {reconcile_seconds: 2, recipients_per_request: 2}\n"
    )
    shop.write("recipients.csv", "phone,name\n" + "".join(f"{phone},Anna\n" for phone in RECIPIENTS))
    shop.mailing("upload: true, recipients: {file: recipients.csv}, text: Closed")
    shop.sms_by.script("getSubscriberLists", known.read)
    shop.sms_by.script("createSubscriberList", known.create)
    shop.sms_by.script("importContacts", taken)
    shop.sms_by.script("sendSmsList", ok({"result": {"message_id": 90}}))
    counted(shop, 5)
    return shop


def counted(shop: Shop, recipients: int | None) -> None:
    """Make confirm=0 report that many recipients, and confirm=1 succeed."""

    def reply(params: Mapping[str, Any]) -> Answer:
        if params["confirm"] == 1:
            return ok({"status": "OK"})
        return ok({"result": {"count": recipients, "status": "DRAFT"}})

    shop.sms_by.script("confirmSendMessageByList", reply)
