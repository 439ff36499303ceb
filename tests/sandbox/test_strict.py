"""A strict sandbox accepts each method only as documented, and a refused call sends nothing."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.methods import METHODS
from smsby_deploy.sandbox.protocol import PLACES, Refusal
from smsby_deploy.sandbox.sandbox_settings import CALL_STYLES
from smsby_deploy.smsby.methods import METHODS as CALLED
from smsby_deploy.smsby.transport import SendTransport
from tests.documented import DOCUMENT, Documented
from tests.sandbox.conftest import Client

PHONE = "375291111111"
_MESSAGE = {"alphaname_id": "0", "name": "n", "message_type": "bulk", "text": "Hi", "delivery_list": [PHONE]}
VALUES: dict[str, Any] = {
    "messages": [_MESSAGE],
    "callback_url": "",
    "message": "1234",
    "phone": PHONE,
    "alphaname_id": "1363",
    "show_cost": "1",
    "forwarding_message": "1",
    "forwarding_time": "30",
    "vibername_id": "7",
    "name": "MyShop",
    "time": "2026-12-01 16:00",
    "d_schedule": "2026-12-01 16:00",
    "list_id": "3434",
    "confirm": "1",
    "limit_offset": "0",
    "limit_rows": "10",
    "type": "API",
    "field_names": ["phone"],
    "data": [[PHONE]],
    "code": "1234",
    "attempt": "3",
    "time_valid": "90",
}


def _call(sms: Client, name: str, **sent: dict[str, Any]) -> requests.Response:
    """Call a method by its verb with parameters by place."""
    served = METHODS[name]
    arguments: Any = {"params": sent.get("query"), "data": sent.get("form"), "json": sent.get("json")}
    return sms.session.request(served.verb, f"{sms.url}/api/{served.version}/{name}", timeout=5, **arguments)


def _places(name: str, params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters by their documented places, with JSON if any place is allowed."""
    sent: dict[str, dict[str, Any]] = {}
    for key, value in params.items():
        sent.setdefault(METHODS[name].places[key][-1], {})[key] = value
    return sent


def _params(sms: Client, name: str) -> dict[str, Any]:
    """Return values of all parameters that make a call succeed."""
    made: dict[str, Any] = {"token": "t"}
    if name in ("sendSMS", "checkSMSMessageStatus", "getSmsDeliveryList", "confirmSendMessageByList"):
        method = "sendSmsList" if name.startswith("confirm") else "createSmsMessage"
        draft = _call(sms, method, **_places(method, _params(sms, method))).json()
        made["message_id"] = draft.get("message_id") or draft["result"]["message_id"]
    if name == "checkSMS":
        sent = _call(sms, "sendQuickSMS", **_places("sendQuickSMS", _params(sms, "sendQuickSMS")))
        made["sms_id"] = sent.json()["sms_id"]
    if name == "sendSmsMessageWithCode":
        form = _call(sms, "createPasswordObject", query={"token": "t", "type_id": "both", "len": 4})
        made |= {"password_object_id": form.json()["result"]["password_object_id"], "message": "Code: %CODE%"}
    if name == "statusBulkSms":
        made["uuid"] = _call(sms, "sendBulkSms", json={"token": "t", **VALUES}).json()["uuid"]
    if name == "getSMSMessages":
        _call(sms, "sendBulkSms", json={"token": "t", **VALUES})
    return made | {key: VALUES[key] for key in METHODS[name].places if key not in made}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("row", DOCUMENT, ids=lambda row: f"{row.method}-{row.name}")
def test_strict_method_reads_a_parameter_from_its_place_only(row: Documented, place: str) -> None:
    """A parameter is read only from its place, except in sendBulkSms, which is documented as one nested object."""
    method = METHODS[row.method]
    sent = {one: {row.name: "x"} if one == place else {} for one in PLACES}
    read = method.read(row.verb, f"/api/v1/{row.method}", sent, None)
    assert read == ({row.name: "x"} if row.place in (place, "body") else {})


@pytest.mark.parametrize("name", dict.fromkeys(row.method for row in DOCUMENT))
def test_strict_method_wants_its_verb_and_required_parameters(strict: Client, name: str) -> None:
    """Each of the 14 methods is accepted when complete, and refused by another verb or without a required parameter."""
    params = _params(strict, name)
    path = f"/api/v1/{name}"
    with pytest.raises(Refusal, match="not supported"):
        METHODS[name].read("PUT", path, {place: {} for place in PLACES}, None)
    with pytest.raises(Refusal, match="Page not found"):
        METHODS[name].read(METHODS[name].verb, f"/api/v2/{name}", {place: {} for place in PLACES}, None)
    for row in DOCUMENT:
        if row.method == name and row.is_required:
            rest = {key: value for key, value in params.items() if key != row.name}
            refused = _call(strict, name, **_places(name, rest))
            assert refused.status_code == (403 if row.name == "token" else 400), (row, refused.text)
    complete = _call(strict, name, **_places(name, params))
    assert complete.status_code == 200, complete.text


@pytest.mark.parametrize("body", ["json", "form"])
@pytest.mark.parametrize("name", CALLED)
def test_strict_method_accepts_the_calls_of_the_client(strict: Client, name: str, body: Any) -> None:
    """The client's requests, written from its own table, are accepted by this one."""
    transport = SendTransport(
        strict.url, "t", timeout=5, requests_per_second=1e6, body=body, clock=SystemClock()
    )
    params = _params(strict, name)
    del params["token"]
    answer = transport.send(CALLED[name], params)
    assert (answer.status, answer.error) == (200, None)


_SENDS = ("sendBulkSms", "sendQuickSMS", "sendOtpTelegram", "sendOtpWhatsApp", "sendSMS", "confirmSendMessageByList",
          "sendSmsMessageWithCode", "flashCall")  # fmt: skip
_BAD_VALUES = {
    "phone": ["12", ""],
    "alphaname_id": ["MyShop", "77"],
    "message": ["", "я" * 671],
    "messages": [[], [_MESSAGE | {"delivery_list": [PHONE, "12"]}], [_MESSAGE, _MESSAGE | {"text": ""}],
                 [_MESSAGE | {"schedule_time": "2026-12-02 10:00"}]],
    "show_cost": ["2"],
    "forwarding_time": ["4"],
    "vibername_id": ["x"],
    "confirm": ["2", "x"],
    "message_id": ["1", "x"],
    "password_object_id": ["1"],
}  # fmt: skip


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("name", _SENDS)
def test_refused_call_sends_nothing(strict: Client, name: str, status: int) -> None:
    """Whatever is wrong with a call, and however sms.by says so, nothing is delivered or charged."""
    strict.control("settings", {"error_status": status})
    params = _params(strict, name)
    before = strict.inbox(), strict.view("settings")["balance"]
    for key in params:
        for bad in _BAD_VALUES.get(key, []):
            answer = _call(strict, name, **_places(name, {**params, key: bad}))
            assert "error" in answer.json(), (key, bad, answer.text)
        rest = {other: value for other, value in params.items() if other != key}
        if key in METHODS[name].required or key == "token":
            assert "error" in _call(strict, name, **_places(name, rest)).json(), key
    strict.control("settings", {"balance": 0})
    assert "error" in _call(strict, name, **_places(name, params)).json()
    strict.control("settings", {"balance": before[1]})
    assert (strict.inbox(), strict.view("settings")["balance"]) == before


@pytest.mark.parametrize("style", CALL_STYLES)
def test_call_styles_change_one_method(strict: Client, style: str) -> None:
    """A service that reads parameters elsewhere accepts them from that place alone, or from any."""
    strict.control("settings", {"call_styles": {"statusBulkSms": style}})
    verbs = {"get": "GET"}
    accepted = []
    for verb, place in (("GET", "params"), ("POST", "params"), ("POST", "data"), ("POST", "json")):
        given: Any = {place: {"token": "t", "uuid": "u"}}
        answer = strict.session.request(verb, f"{strict.url}/api/v1/statusBulkSms", timeout=5, **given)
        accepted += [(verb, place)] if answer.status_code == 200 else []
    place = {"get": "params", "post-query": "params", "post-form": "data", "post-json": "json"}.get(style)
    assert len(accepted) == 4 if style == "any" else accepted == [(verbs.get(style, "POST"), place)]
    assert requests.get(f"{strict.url}/api/v1/getBalance", {"token": "t"}, timeout=5).status_code == 200


def test_phones_that_fail_later_are_not_charged(strict: Client) -> None:
    """A partly bad list is accepted, and statusBulkSms reports the wrong phones under `errors`."""
    strict.control("settings", {"bad_phones": "later"})
    message = _MESSAGE | {"delivery_list": [PHONE, "12", "abc"]}
    uuid = _call(
        strict, "sendBulkSms", json={"token": "t", "callback_url": "", "messages": [message]}
    ).json()["uuid"]
    strict.control("clock", {"advance": 20})
    (mailing,) = _call(strict, "statusBulkSms", query={"token": "t", "uuid": uuid}).json()
    assert [one["phone"] for one in mailing["success"]] == [PHONE]
    assert mailing["errors"] == [
        {"phone": "12", "error": "incorrect phone number"},
        {"phone": "abc", "error": "incorrect phone number"},
    ]
    (row,) = strict.get("getSMSMessages").json()["data"]
    assert (row["count_phones"], row["cost"]) == (1, "0.02600")
    assert list(strict.inbox()) == [PHONE]
    rows = strict.get("getSmsDeliveryList", message_id=mailing["message_id"]).json()["result"]
    assert [one["phone"] for one in rows] == [int(PHONE)]


def test_list_cap_shows_the_latest(strict: Client) -> None:
    """A capped list hides the oldest mailings; whether the real list is capped is not known."""
    strict.control("settings", {"list_cap": 2})
    for name in ("one", "two", "three"):
        message = _MESSAGE | {"name": name}
        _call(strict, "sendBulkSms", json={"token": "t", "callback_url": "", "messages": [message]})
    assert strict.names() == ["two", "three"]


@pytest.mark.parametrize(
    ("form", "status", "body"),
    [
        ("406", 406, {"error": "Content not found"}),
        ("406-empty", 406, None),
        ("404", 404, {"error": "Content not found"}),
        ("empty", 200, None),
        ("success", 200, {"status": "success", "data": []}),
        ("null", 200, {"status": "success", "data": None}),
        ("list", 200, []),
    ],
)
def test_empty_list_has_several_forms(strict: Client, form: str, status: int, body: Any) -> None:
    """The body of the documented 406 is not known, so it has several forms."""
    strict.control("settings", {"empty_list": form})
    answer = strict.get("getSMSMessages")
    assert (answer.status_code, answer.json() if answer.content else None) == (status, body)


@pytest.mark.parametrize(
    ("text", "sdk", "gsm"),
    [
        ("a" * 160, 1, 1), ("a" * 161, 2, 2), ("a" * 628, 4, 5), ("a" * 942, 6, 7), ("я" * 70, 1, 1), ("я" * 71, 2, 2),
        ("я" * 253, 5, 4), ("я" * 402, 7, 6), ("\n" * 80 + "a" * 80, 2, 1), ("~" * 160, 1, 3), ("é" * 160, 3, 1),
        ("`" * 71, 1, 2), ("😀" * 36, 1, 2),
    ],
)  # fmt: skip
def test_part_table_of_the_sdks_or_of_the_standard(strict: Client, text: str, sdk: int, gsm: int) -> None:
    """The tables differ at 4 to 6 parts and in some characters."""
    strict.control("settings", {"duplicates": False})
    counts = []
    for table in ("sdk", "gsm"):
        strict.control("settings", {"part_table": table})
        counts.append(strict.get("createSmsMessage", message=text).json()["parts"])
    assert counts == [sdk, gsm]


def test_error_status_may_be_500(strict: Client) -> None:
    """Rejections can be HTTP 500 as in 2017, and a wrong verb or path is unchanged."""
    strict.control("settings", {"error_status": 500})
    refused = strict.get("checkSMS", sms_id=1)
    assert (refused.status_code, refused.json()) == (500, {"error": "not found"})
    assert strict.post("checkSMS", sms_id=1).status_code == 405
