"""How parameters may be passed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from smsby_deploy.sandbox.methods import METHODS
from tests.sandbox.conftest import Client


@pytest.mark.parametrize("verb", ["GET", "POST"])
@pytest.mark.parametrize("place", ["query", "form", "json"])
def test_params_are_accepted_in_query_form_and_json(sms: Client, verb: str, place: str) -> None:
    """A lenient sandbox accepts parameters by any verb and in any place."""
    params = {"token": "t", "message": "Привет & пока", "phone": "375291111111"}
    given = {"query": "params", "form": "data", "json": "json"}[place]
    answer = requests.request(verb, f"{sms.url}/api/v1/sendQuickSMS", timeout=5, **{given: params})  # type: ignore[arg-type]
    assert answer.json()["status"] == "NEW"
    assert sms.inbox()["375291111111"][0]["text"] == "Привет & пока"


def test_params_of_the_body_override_the_query(sms: Client) -> None:
    """A token in the query and other parameters in the body are merged, and the body takes precedence."""
    url = f"{sms.url}/api/v1/sendQuickSMS?token=t&phone=375291111111&message=query"
    assert requests.post(url, data={"message": "form"}, timeout=5).status_code == 200
    assert requests.post(url, json={"message": "json"}, timeout=5).status_code == 200
    assert [message["text"] for message in sms.inbox()["375291111111"]] == ["form", "json"]


def test_params_with_brackets_are_lists_and_maps(sms: Client) -> None:
    """Brackets in a form make the same mailing as JSON."""
    form = {
        "token": "t",
        "messages[0][alphaname_id]": "1363",
        "messages[0][name]": "form",
        "messages[0][message_type]": "personal",
        "messages[0][delivery_list][0][phone]": "375291111111",
        "messages[0][delivery_list][0][text]": "one",
        "messages[0][delivery_list][1][phone]": "375292222222",
        "messages[0][delivery_list][1][text]": "two",
    }
    assert "uuid" in requests.post(f"{sms.url}/api/v1/sendBulkSms", data=form, timeout=5).json()
    assert {phone: [m["text"] for m in got] for phone, got in sms.inbox().items()} == {
        "375291111111": ["one"],
        "375292222222": ["two"],
    }


def test_params_in_json_need_no_content_type(sms: Client) -> None:
    """JSON is accepted without its content type, since some clients post it as text/plain."""
    body = json.dumps({"token": "t", "message": "x", "phone": "375291111111"})
    answer = requests.post(
        f"{sms.url}/api/v1/sendQuickSMS", body, headers={"Content-Type": "text/plain"}, timeout=5
    )
    assert answer.json()["status"] == "NEW"


def test_params_with_unknown_names_are_ignored(sms: Client) -> None:
    """Unknown parameters are ignored, so that clients with mistyped ones work."""
    assert sms.ok("getBalance", alfaname_id="x", sender="y")["status"] == "OK"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"token": "t", "messages": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"token": "t", "message": "\\ud800"}',
        b"9" * 5000,
        b"\xff",
    ],
)
def test_params_that_php_does_not_read(sms: Client, body: bytes) -> None:
    """A call with endless nesting, or half of a character, has no parameters, and the log stays readable."""
    answer = requests.post(f"{sms.url}/api/v1/createSmsMessage", body, timeout=5)
    assert (answer.status_code, answer.json()) == (403, {"error": "token is invalid"})
    assert [call["params"] for call in sms.view("requests")] == [{}]


def test_params_with_endless_brackets_are_ignored(sms: Client) -> None:
    """Parameters with endless brackets are ignored, as by PHP, and the others are read."""
    form = {"token": "t", "message" + "[a]" * 3000: "x"}
    answer = requests.post(f"{sms.url}/api/v1/getBalance", form, timeout=5)
    assert answer.json()["status"] == "OK"


@pytest.mark.parametrize("method", METHODS)
def test_params_of_any_kind_break_no_method(sms: Client, method: str) -> None:
    """Every method answers nonsense with JSON and without a 500."""
    names = ["message", "message_id", "messages", "phone", "uuid", "list_id", "sms_id", "name", "data"]
    names += ["field_names", "limit_rows", "limit_offset", "alphaname_id", "d_schedule", "confirm", "type"]
    names += ["time", "show_cost", "forwarding_message"]
    junk: Any
    for junk in (None, "", "x", -1, 10**30, True, [], {}, [[]], [{}], {"a": {}}, "١٢٣", "\u0000", {"²": "x"}):
        answer = sms.post(method, **dict.fromkeys(names, junk))
        assert answer.status_code < 500, (junk, answer.text)
        answer.json()


def test_params_of_a_form_are_limited_as_in_php(sms: Client) -> None:
    """Only the first 1,000 variables of a form are read, and JSON has no limit."""
    form = {"token": "t", "messages[0][alphaname_id]": "0", "messages[0][text]": "x"}
    form |= {f"messages[0][delivery_list][{n}]": f"37529{n:07}" for n in range(1500)}
    url = f"{sms.url}/api/v1/sendBulkSms"
    assert "uuid" in requests.post(url, data=form, timeout=5).json()
    assert len(sms.inbox()) == 997
    sms.control("settings", {"max_input_vars": 0})
    requests.post(url, data=form, timeout=5)
    assert len(sms.inbox()) == 1500
    sms.bulk(*(f"37533{n:07}" for n in range(1500)))
    assert len(sms.inbox()) == 3000


def test_params_of_a_form_may_be_long(sms: Client) -> None:
    """A form of three hundred personal texts of ten parts, over a megabyte, is read."""
    form = {"token": "t", "messages[0][alphaname_id]": "0", "messages[0][message_type]": "personal"}
    for n in range(300):
        form[f"messages[0][delivery_list][{n}][phone]"] = f"37529{n:07}"
        form[f"messages[0][delivery_list][{n}][text]"] = "я" * 670
    assert "uuid" in requests.post(f"{sms.url}/api/v1/sendBulkSms", data=form, timeout=5).json()
