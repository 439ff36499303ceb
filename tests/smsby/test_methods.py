"""The methods of sms.by: which of them send, and which calls are refused before a request."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.errors import UsageError
from smsby_deploy.smsby.methods import (
    METHODS,
    check_params,
    complete_params,
    contacts_per_form,
    find_method,
    fits_form,
    recipients_per_form,
    unknown_params,
)
from smsby_deploy.smsby.parameters import CallStyle, ValueForm
from tests.documented import DOCUMENT, Documented

_NUMBERS = {ValueForm.NUMBER, ValueForm.SWITCH, ValueForm.MINUTES}
_CODE = {"phone": "375291234567"}
_BULK = {"alphaname_id": "0", "schedule_time": "2026-12-01T10:00:00", "delivery_list": ["375291234567"]}
_QUICK = {"message": "hi", "phone": "375291234567", "alphaname_id": 0}
_IMPORT = {"list_id": 7, "field_names": ["phone"], "data": [["375291234567"]]}


@pytest.mark.parametrize("row", DOCUMENT, ids=lambda row: f"{row.method}-{row.name}")
def test_methods_have_each_parameter_where_the_document_has_it(row: Documented) -> None:
    """Verb, places, required parameters and integers are as documented."""
    method = METHODS[row.method]
    assert (method.verb, method.path) == (row.verb, f"/api/v1/{row.method}")
    assert method.place_of(row.name) == row.place
    if row.name == "token":
        assert method.token == row.place
        return
    (found,) = [one for one in method.parameters if one.name == row.name]
    assert found.is_required == row.is_required
    assert (found.form in _NUMBERS) == (row.type == "integer")


def test_methods_have_no_parameter_that_the_document_lacks() -> None:
    """The 14 documented methods have no other parameters."""
    documented = {(row.method, row.name) for row in DOCUMENT if row.name != "token"}
    methods = [METHODS[name] for name in dict.fromkeys(row.method for row in DOCUMENT)]
    assert len(methods) == 14
    assert {(method.name, one.name) for method in methods for one in method.parameters} == documented


@pytest.mark.parametrize("style", CallStyle)
def test_method_called_in_another_style_has_all_in_one_place(style: CallStyle) -> None:
    """A GET in another style has all parameters in its query, and undocumented ones go where the token does."""
    moved = METHODS["sendQuickSMS"].by(style)
    assert moved.verb == ("GET" if style is CallStyle.GET else "POST")
    assert {moved.place_of(name) for name in ("token", "phone", "forwarding_time", "other")} == {style.place}


def test_methods_that_send_are_the_documented_ones() -> None:
    """The list of methods that send is complete, since any other can be called without a confirmation."""
    assert {name for name, method in METHODS.items() if method.sends} == {
        "sendBulkSms", "sendQuickSMS", "sendOtpTelegram", "sendOtpWhatsApp", "createSmsMessage", "sendSMS", "sendSmsList",
        "confirmSendMessageByList",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("confirm", "sends"), [("0", False), (0, False), (" 0 ", False), ("1", True), (1, True), (None, True)]
)
def test_sends_with_knows_that_confirm_0_only_asks(confirm: object, sends: bool) -> None:
    """A confirmation with any value but 0, or without one, sends."""
    params = {} if confirm is None else {"confirm": confirm}
    assert METHODS["confirmSendMessageByList"].sends_with(params) is sends


def test_find_method_ignores_case() -> None:
    """A method is found in any case, as by sms.by."""
    assert find_method("GETBALANCE").name == "getBalance"


def test_find_method_suggests_a_similar_name() -> None:
    """An unknown method suggests a similar name, and lists all others."""
    with pytest.raises(UsageError, match="unknown method 'getBalanse'") as caught:
        find_method("getBalanse")
    assert caught.value.hint.startswith("did you mean getBalance?")
    assert "sendBulkSms" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("sendQuickSMS", {"message": "hi"}, "missing parameters phone, alphaname_id"),
        ("statusBulkSms", {"uuid": ""}, "missing parameter uuid"),
        ("getMessagesList", {"limit_offset": 5}, "limit_rows is required"),
        ("sendOtpTelegram", {**_CODE, "message": "12a"}, "1 to 16 digits"),
        ("sendOtpWhatsApp", {**_CODE, "message": "1" * 17}, "1 to 16 digits"),
        ("sendOtpTelegram", {**_CODE, "message": "٣"}, "1 to 16 digits"),
        ("sendQuickSMS", {**_QUICK, "forwarding_time": 4}, "from 5 to 60"),
        ("sendQuickSMS", {**_QUICK, "forwarding_time": "61"}, "from 5 to 60"),
        ("confirmSendMessageByList", {"message_id": 5, "confirm": 2}, "confirm must be 0 or 1"),
        ("confirmSendMessageByList", {"message_id": "5a", "confirm": 1}, "message_id must be a number"),
        ("sendQuickSMS", {**_QUICK, "show_cost": "yes"}, "show_cost must be 0 or 1"),
        ("getSMSMessages", {"type": "api"}, "type must be WEB or API"),
        ("createSmsMessage", {"message": "hi", "time": "2026-12-01T10:00"}, "written as 2026-12-01 10:00"),
        ("createSmsMessage", {"message": "hi", "time": "2026-13-01 10:00"}, "time must be a time"),
        ("sendBulkSms", {"messages": "[]"}, "must be a list of objects"),
        ("sendBulkSms", {"messages": [["375291234567"]]}, "must be a list of objects"),
        ("sendBulkSms", {"messages": [_BULK, {**_BULK, "delivery_list": []}]}, "message 2: delivery_list must be a list"),
        ("sendBulkSms", {"messages": [{**_BULK, "delivery_list": [_CODE]}]}, "a bulk delivery_list has phones"),
        ("sendBulkSms", {"messages": [{**_BULK, "message_type": "personal"}]}, "has objects with phone and text"),
        ("sendBulkSms", {"messages": [{**_BULK, "message_type": "mass"}]}, "message_type must be bulk or personal"),
        ("sendBulkSms", {"messages": [{**_BULK, "schedule_time": "2026-12-01 10:00"}]}, "schedule_time must be a time"),
        ("sendBulkSms", {"messages": [{**_BULK, "alphaname_id": "MyShop"}]}, "message 1: alphaname_id must be a number"),
        ("importContacts", {**_IMPORT, "data": "375291234567"}, "must be lists"),
        ("importContacts", {**_IMPORT, "field_names": ["name"]}, "must contain phone or email"),
        ("importContacts", {**_IMPORT, "field_names": ["phone", *map(str, range(31))]}, "at most 30"),
        ("importContacts", {**_IMPORT, "data": [["375291234567"]] * 501}, "at most 500 contacts per call, got 501"),
    ],
)  # fmt: skip
def test_check_params_refuses(name: str, params: dict[str, Any], message: str) -> None:
    """A call that the documentation rules out is wrong usage."""
    with pytest.raises(UsageError, match=message):
        check_params(METHODS[name], params)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("sendOtpTelegram", {**_CODE, "message": "1" * 16}),
        ("sendQuickSMS", {**_QUICK, "forwarding_time": 5}),
        ("sendQuickSMS", {**_QUICK, "forwarding_time": "60"}),
        ("importContacts", {**_IMPORT, "data": [["375291234567"]] * 500}),
        ("getMessagesList", {"limit_offset": 0, "limit_rows": 10}),
        ("getSMSMessages", {"type": "WEB"}),
        ("getSMSMessages", {"type": ""}),
        ("createSmsMessage", {"message": "hi", "alphaname_id": "0", "time": "2026-12-01 10:00"}),
        ("confirmSendMessageByList", {"message_id": "5", "confirm": False}),
        ("sendBulkSms", {"messages": [_BULK]}),
        ("sendBulkSms", {"messages": b"[not looked at]"}),
        (
            "sendBulkSms",
            {"messages": [{"message_type": "personal", "schedule_time": "", "delivery_list": [_CODE]}]},
        ),
    ],
)
def test_check_params_accepts_the_limits(name: str, params: dict[str, Any]) -> None:
    """The last values inside each documented range are accepted."""
    check_params(METHODS[name], params)


def test_complete_params_adds_what_is_required_and_may_be_empty() -> None:
    """callback_url of sendBulkSms, which the document requires and its sample leaves empty, is added."""
    assert complete_params(METHODS["sendBulkSms"], {"messages": []}) == {"messages": [], "callback_url": ""}
    assert complete_params(METHODS["sendBulkSms"], {"callback_url": "u"}) == {"callback_url": "u"}
    assert complete_params(METHODS["getSMSMessages"], {}) == {}


def test_unknown_params_ignores_the_index_of_an_array() -> None:
    """The index of an array, as in name[0][key], is ignored when looking for unknown parameters."""
    assert unknown_params(METHODS["sendBulkSms"], {"messages[0][name]": 1, "massages": 1}) == ["massages"]


@pytest.mark.parametrize("is_personal", [False, True])
def test_recipients_per_form_fit_one_form(is_personal: bool) -> None:
    """The largest chunk fits into a form, and twice as many recipients do not: PHP would drop some."""
    most = recipients_per_form(personal=is_personal)
    assert fits_form([(most, is_personal)])
    assert not fits_form([(2 * most, is_personal)])


def test_contacts_per_form_counts_the_fields() -> None:
    """A contact takes one variable of a form, and one more for each custom field."""
    assert contacts_per_form(0) == 960
    assert contacts_per_form(1) == 480
