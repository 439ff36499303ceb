"""Codes that sms.by makes and sends: password objects for two-factor login, flash calls."""

from __future__ import annotations

import json
import random
import string
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.methods.single import send_at_once
from smsby_deploy.sandbox.protocol import Params, Refusal, incorrect_arguments, int_of, text_of

_OBJECTS, _CALLS = "password_objects", "flash_calls"  # where the store keeps them, by id
_ALPHABETS = {
    "letters": string.ascii_uppercase,
    "numbers": string.digits,
    "both": string.ascii_uppercase + string.digits,
}
_LONGEST = 16
_FIRST_ID = 243
_CODE_LENGTH, _ATTEMPTS, _SECONDS_VALID = 6, 3, 90  # of a flash call
_random = random.Random(243)  # noqa: S311  # codes of a sandbox are repeatable and protect nothing


def create_password_object(account: Account, params: Params) -> Any:
    """Create the form of a code: its characters and its length."""
    number = _add(
        account, _OBJECTS, _form_of(params) | {"d_create": account.format_time(account.now(), "d_create")}
    )
    return {"result": {"password_object_id": number}}


def get_password_objects(account: Account, params: Params) -> Any:
    return {"result": [_shown(number, one) for number, one in _read(account, _OBJECTS).items()]}


def get_password_object(account: Account, params: Params) -> Any:
    number, one = _find(account, params, "id")
    return {"result": [_shown(number, one)]}


def edit_password_object(account: Account, params: Params) -> Any:
    number, one = _find(account, params, "id")
    _write(account, _OBJECTS, number, one | _form_of(params))
    return {"result": "1"}


def delete_password_object(account: Account, params: Params) -> Any:
    number, _ = _find(account, params, "id")
    _write(account, _OBJECTS, number, None)
    return {"result": "1"}


def send_sms_message_with_code(account: Account, params: Params) -> Any:
    """Send a text with a new code in place of %CODE%."""
    text = text_of(params, "message")
    _, form = _find(account, params, "password_object_id")
    if "%CODE%" not in text:
        raise incorrect_arguments()
    sender, name = account.alphaname(params)
    code = _new_code(form["type_id"], form["len"])
    text = text.replace("%CODE%", code)
    sms = account.new_sms(params.get("phone"), text)
    sent = send_at_once(account, sms, "quick", sender, name)
    return {"status": "ok", "parts": sms.parts, "len": len(text), "sms_id": sent["sms_id"], "code": code}


def flash_call(account: Account, params: Params) -> Any:
    """Call a phone from a number that ends in the code."""
    code = text_of(params, "code", _new_code("numbers", _CODE_LENGTH))
    attempts = int_of(params, "attempt", _ATTEMPTS)
    seconds = int_of(params, "time_valid", _SECONDS_VALID)
    sms = account.new_sms(params.get("phone"), code, "flashcall")
    send_at_once(account, sms, "otp", 0, "Flash call")
    call = {"phone": sms.phone, "code": code, "attempt": attempts, "until": account.now() + seconds}
    number = _add(account, _CALLS, call)
    shown = {
        "code": code,
        "phone": sms.phone,
        "time_valid": str(seconds),
        "fclid": number,
        "attempt": attempts,
    }
    return {"status": "success", "data": shown}


def confirm_flash_call(account: Account, params: Params) -> Any:
    """Check the code that a user entered, within the attempts and the time of the call."""
    phone, code = account.phone(params.get("phone")), text_of(params, "code")
    number = int_of(params, "fclid")
    call = _read(account, _CALLS).get(number)
    if call is None or call["phone"] != phone or call["attempt"] < 1 or account.now() > call["until"]:
        raise _not_verified()
    _write(account, _CALLS, number, call | {"attempt": call["attempt"] - 1})
    if call["code"] != code:
        raise _not_verified()
    activated = account.format_time(account.now(), "activated_at")
    return {"status": "success", "data": {"phone": phone, "fclid": number, "activated_at": activated}}


def _not_verified() -> Refusal:
    return Refusal("Data not verified", 421)


def _form_of(params: Params) -> dict[str, Any]:
    kind, length = text_of(params, "type_id"), int_of(params, "len")
    if kind not in _ALPHABETS:
        raise incorrect_arguments()
    if not 1 <= length <= _LONGEST:
        raise Refusal("len value must be beetwen 1 and 16")  # sic
    return {"type_id": kind, "len": length}


def _shown(number: int, one: dict[str, Any]) -> dict[str, Any]:
    return {"id": number, **one}


def _new_code(kind: str, length: int) -> str:
    return "".join(_random.choices(_ALPHABETS[kind], k=length))


def _find(account: Account, params: Params, name: str) -> tuple[int, dict[str, Any]]:
    number = int_of(params, name)
    one = _read(account, _OBJECTS).get(number)
    if one is None:
        raise Refusal("not found", 404)
    return number, one


def _read(account: Account, what: str) -> dict[int, dict[str, Any]]:
    stored: dict[str, dict[str, Any]] = json.loads(account.store.read(what) or "{}")
    return {int(number): one for number, one in stored.items()}


def _add(account: Account, what: str, one: dict[str, Any]) -> int:
    last = int(account.store.read(f"last_{what}") or _FIRST_ID - 1) + 1
    account.store.write(f"last_{what}", str(last))
    _write(account, what, last, one)
    return last


def _write(account: Account, what: str, number: int, one: dict[str, Any] | None) -> None:
    """Store one object, or remove it."""
    stored = _read(account, what) | {number: one}
    account.store.write(what, json.dumps({key: value for key, value in stored.items() if value is not None}))
