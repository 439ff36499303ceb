"""The calls of --ask: what messages that are never sent show, and that nothing else is left behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import pytest

from smsby_deploy.doctor.examination import Examination
from smsby_deploy.doctor.unsent_messages import leave_rows
from smsby_deploy.smsby.facts import FactName, Gap
from smsby_deploy.smsby.parsers import AccountName
from smsby_deploy.smsby.response import Answer
from smsby_deploy.texts.parts import measure_gsm
from tests.apply.fake_smsby import EMPTY_LIST, error, ok
from tests.doctor.examples import UsualTransport, fact_found

_OURS = "smsby-deploy doctor"


@pytest.fixture
def transport() -> UsualTransport:
    transport = UsualTransport()
    transport.script("checkSMSMessageStatus", ok({"status": "moderated"}))
    return transport


def test_unsent_messages_of_an_ordinary_account(look: Examination, transport: UsualTransport) -> None:
    """Every message names its maker, and the only list is doctor's own, with an invalid phone."""
    leave_rows(look, ())
    assert {name: fact_found(look, name) for name in look.facts if name is not FactName.CLOCK_IN} == {
        FactName.DUPLICATES: True,
        FactName.MODERATION: False,
        FactName.CLOCK_OUT: Gap.NOT_LISTED,
        FactName.PART_TABLE: "sdk",
        FactName.REFUSED_PHONE: "counted",
        FactName.UNSENT_LISTED: False,
    }
    assert fact_found(look, FactName.CLOCK_IN)["offset"] == 180
    assert all(
        one["message"].startswith(f"{_OURS} 0a1b2c3d4e") for one in transport.named("createSmsMessage")
    )
    assert [name for name in transport.changes() if name != "createSmsMessage"] == [
        "createSubscriberList",
        "importContacts",
    ]
    assert [one["data"] for one in transport.named("importContacts")] == [[["0"]]]


def test_existing_list_of_its_own_is_used_again(look: Examination, transport: UsualTransport) -> None:
    """doctor reuses its own list, and never a list of the shop."""
    leave_rows(look, (AccountName(3, "Newsletter"), AccountName(5, _OURS)))
    assert not transport.named("createSubscriberList")
    assert [one["list_id"] for one in transport.named("importContacts")] == [5]


def test_message_that_is_refused_leaves_its_facts_open(look: Examination, transport: UsualTransport) -> None:
    """If no message can be created, its facts stay open, and nothing is asked about it."""
    transport.script("createSmsMessage", error("access denied", 403))
    leave_rows(look, ())
    for name in (FactName.CLOCK_IN, FactName.MODERATION, FactName.UNSENT_LISTED, FactName.PART_TABLE):
        assert fact_found(look, name) is Gap.REFUSED
    assert not transport.named("checkSMSMessageStatus")
    assert not transport.named("getSMSMessages")


def _create(parts: Callable[[str], int | None]) -> Callable[[Mapping[str, Any]], Answer]:
    return lambda params: ok({"message_id": 9, "parts": parts(params["message"]), "time": 0})


@pytest.mark.parametrize(
    ("parts", "table"),
    [
        (lambda text: measure_gsm(text).parts, "gsm"),
        (lambda text: 1, "other"),
        (lambda text: None, Gap.NO_VALUE),
    ],
)
def test_part_table_by_disputed_texts(
    parts: Callable[[str], int | None], table: object, look: Examination, transport: UsualTransport
) -> None:
    """The billing table is found by texts on which the tables differ."""
    transport.script("createSmsMessage", _create(parts))
    leave_rows(look, ())
    assert fact_found(look, FactName.PART_TABLE) == table
    assert fact_found(look, FactName.DUPLICATES) is False  # the same text was made twice
    assert fact_found(look, FactName.CLOCK_IN) is Gap.NO_VALUE


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"inserted": 0, "updated": 0, "invalid": 1, "log": [{"phone": "0", "error": "bad"}]}, "logged"),
        ({"inserted": 0, "updated": 0, "invalid": 1, "log": []}, "counted"),
        ({"inserted": 1, "updated": 0, "invalid": 0, "log": []}, "accepted"),
        ({"inserted": 0, "updated": 0, "invalid": 0, "log": []}, Gap.NO_VALUE),
        (None, Gap.REFUSED),
    ],
)
def test_phone_that_is_none(
    answer: object, found: object, look: Examination, transport: UsualTransport
) -> None:
    """An invalid phone shows whether an upload names what it refuses."""
    transport.script("importContacts", error("limit exceeded") if answer is None else ok({"result": answer}))
    leave_rows(look, ())
    assert fact_found(look, FactName.REFUSED_PHONE) == found


def test_list_that_cannot_be_made(look: Examination, transport: UsualTransport) -> None:
    """If no list can be created, no contacts are imported."""
    transport.script("createSubscriberList", error("limit exceeded"))
    leave_rows(look, (AccountName(3, "Newsletter"),))
    assert fact_found(look, FactName.REFUSED_PHONE) is Gap.REFUSED
    assert not transport.named("importContacts")


@pytest.mark.parametrize(("status", "waits"), [("NEW", True), ("moderated", False), ("odd", Gap.NO_VALUE)])
def test_message_that_waits_for_approval(
    status: str, waits: object, look: Examination, transport: UsualTransport
) -> None:
    now = look.clock.now().astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds")
    transport.script("checkSMSMessageStatus", ok({"status": status}))
    transport.script("getMessagesList", ok({"result": [{"message_id": 9, "d_create": now}]}))
    leave_rows(look, ())
    assert fact_found(look, FactName.MODERATION) == waits
    assert fact_found(look, FactName.CLOCK_OUT)["offset"] == 0


@pytest.mark.parametrize(
    ("answer", "is_listed"),
    [
        (ok({"status": "success", "data": [{"id": 9, "name": "x"}]}), True),
        (EMPTY_LIST, False),
        (error("odd", 400), Gap.REFUSED),
    ],
)
def test_unsent_message_in_the_list(
    answer: Answer, is_listed: object, look: Examination, transport: UsualTransport
) -> None:
    """A message that is listed without being sent must not be mistaken for a sent one."""
    transport.script("getSMSMessages", answer)
    leave_rows(look, ())
    assert fact_found(look, FactName.UNSENT_LISTED) == is_listed


@pytest.mark.parametrize(
    ("before", "is_capped", "found"), [(1, False, (1, True)), (0, False, (0, False)), (0, True, (1, False))]
)
def test_list_with_a_new_message_that_is_not_longer_is_cut(
    before: int, is_capped: bool, found: tuple[int, bool], look: Examination, transport: UsualTransport
) -> None:
    """A list that has a new message and has not grown is cut, whatever its size."""
    look.know(FactName.LIST_SIZE, {"count": before, "capped": is_capped}, "getSMSMessages")
    transport.script("getSMSMessages", ok({"status": "success", "data": [{"id": 9, "name": "x"}]}))
    leave_rows(look, ())
    assert fact_found(look, FactName.LIST_SIZE) == dict(zip(("count", "capped"), found, strict=True))
