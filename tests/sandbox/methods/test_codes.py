"""Password objects and flash calls."""

from __future__ import annotations

import pytest
import requests

from tests.sandbox.conftest import Client

PHONE = "375291111111"


def test_password_objects_are_made_changed_and_deleted(strict: Client) -> None:
    """The answers are those that the SDKs of sms.by quote."""
    made = strict.get("createPasswordObject", type_id="both", len=10).json()
    assert made == {"result": {"password_object_id": 243}}
    assert (
        strict.get("createPasswordObject", type_id="numbers", len=4).json()["result"]["password_object_id"]
        == 244
    )
    assert strict.get("editPasswordObject", id=243, type_id="letters", len=6).json() == {"result": "1"}
    shown = strict.get("getPasswordObject", id=243).json()["result"]
    assert shown == [{"id": 243, "type_id": "letters", "len": 6, "d_create": "2026-12-01 15:00:00"}]
    assert strict.get("deletePasswordObject", id=243).json() == {"result": "1"}
    assert strict.get("deletePasswordObject", id=243).json() == {"error": "not found"}
    assert [one["id"] for one in strict.get("getPasswordObjects").json()["result"]] == [244]


@pytest.mark.parametrize(
    ("kind", "length", "error"),
    [
        ("both", 17, "len value must be beetwen 1 and 16"),
        ("both", 0, "len value"),
        ("emoji", 4, "incorrect arguments"),
    ],
)
def test_password_object_refuses_other_forms(strict: Client, kind: str, length: int, error: str) -> None:
    """A password object may have letters, numbers or both, 1 to 16 of them."""
    assert error in strict.get("createPasswordObject", type_id=kind, len=length).json()["error"]


def test_code_is_sent_in_a_text(strict: Client) -> None:
    """The answer has the code that the recipient gets in the text."""
    number = strict.get("createPasswordObject", type_id="numbers", len=5).json()["result"][
        "password_object_id"
    ]
    sent = strict.get(
        "sendSmsMessageWithCode", message="Code: %CODE%", password_object_id=number, phone=PHONE
    ).json()
    assert (sent["status"], sent["parts"], sent["len"], len(sent["code"])) == ("ok", 1, 11, 5)
    assert strict.inbox()[PHONE][0]["text"] == f"Code: {sent['code']}"
    assert strict.get("checkSMS", sms_id=sent["sms_id"]).json()["status"] == "NEW"


def _flash_call(sms: Client, method: str, **params: object) -> tuple[int, dict[str, object]]:
    answer = requests.post(f"{sms.url}/api/v1/{method}", data={"token": "t", **params}, timeout=5)
    return answer.status_code, answer.json()


def test_flash_call_is_confirmed_by_its_code(strict: Client) -> None:
    """A flash call can be confirmed while it is valid and has attempts left."""
    _, made = _flash_call(strict, "flashCall", phone=PHONE, code="5575", attempt=2)
    assert made == {
        "status": "success",
        "data": {"code": "5575", "phone": PHONE, "time_valid": "90", "fclid": 243, "attempt": 2},
    }
    wrong = {"phone": PHONE, "code": "1111", "fclid": 243}
    right = {**wrong, "code": "5575"}
    assert _flash_call(strict, "confirmFlashCall", **wrong) == (421, {"error": "Data not verified"})
    status, confirmed = _flash_call(strict, "confirmFlashCall", **right)
    assert (status, confirmed["status"]) == (200, "success")
    assert _flash_call(strict, "confirmFlashCall", **right)[0] == 421
    assert strict.inbox()[PHONE][0]["channel"] == "flashcall"


def test_flash_call_expires(strict: Client) -> None:
    """A generated code has six digits, and is refused after `time_valid`."""
    _, made = _flash_call(strict, "flashCall", phone=PHONE, time_valid=30)
    call = made["data"]
    assert isinstance(call, dict) and len(call["code"]) == 6
    strict.control("clock", {"advance": 31})
    late = {"phone": PHONE, "code": call["code"], "fclid": call["fclid"]}
    assert _flash_call(strict, "confirmFlashCall", **late)[0] == 421
