"""How calls may be written and how they are answered, whatever the method."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from smsby_deploy.sandbox.methods import METHODS
from tests.sandbox.conftest import Client


@pytest.mark.parametrize("spelling", ["getBalance", "getbalance", "GETBALANCE", "GetBalance"])
def test_the_case_of_a_method_does_not_matter(sms: Client, spelling: str) -> None:
    """Clients in the wild spell methods in their own way."""
    assert sms.get(spelling).json()["result"] == [{"balance": "1000.00000"}]


@pytest.mark.parametrize("verb", ["GET", "POST"])
@pytest.mark.parametrize("place", ["query", "form", "json"])
def test_parameters_may_stand_anywhere(sms: Client, verb: str, place: str) -> None:
    """The verb and the place of parameters are loose, as with the real service."""
    params = {"token": "t", "message": "Привет & пока", "phone": "375291111111"}
    given = {"query": "params", "form": "data", "json": "json"}[place]
    answer = requests.request(verb, f"{sms.url}/api/v1/sendQuickSMS", timeout=5, **{given: params})  # type: ignore[arg-type]
    assert answer.json()["status"] == "NEW"
    assert sms.inbox()["375291111111"][0]["text"] == "Привет & пока"


def test_the_three_places_are_merged_and_the_body_wins(sms: Client) -> None:
    """A token in the query and the rest in the body; of two values the body's counts."""
    url = f"{sms.url}/api/v1/sendQuickSMS?token=t&phone=375291111111&message=query"
    assert requests.post(url, data={"message": "form"}, timeout=5).status_code == 200
    assert requests.post(url, json={"message": "json"}, timeout=5).status_code == 200
    assert [message["text"] for message in sms.inbox()["375291111111"]] == ["form", "json"]


def test_brackets_are_lists_and_maps(sms: Client) -> None:
    """A form as PHP reads it makes the same mailing as JSON."""
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


def test_json_is_read_whatever_its_content_type(sms: Client) -> None:
    """Some clients post JSON as text/plain."""
    body = json.dumps({"token": "t", "message": "x", "phone": "375291111111"})
    answer = requests.post(
        f"{sms.url}/api/v1/sendQuickSMS", body, headers={"Content-Type": "text/plain"}, timeout=5
    )
    assert answer.json()["status"] == "NEW"


@pytest.mark.parametrize("token", [None, "", "bad"])
def test_a_call_without_a_token_is_refused(sms: Client, token: str | None) -> None:
    """Any token will do, but one there must be; `bad` is always refused."""
    answer = requests.get(
        f"{sms.url}/api/v1/getBalance", {} if token is None else {"token": token}, timeout=5
    )
    assert (answer.status_code, answer.json()) == (403, {"error": "token is invalid"})


@pytest.mark.parametrize(("style", "expected"), [(400, (400, 403, 404)), (200, (200, 200, 200))])
def test_errors_come_in_both_styles(sms: Client, style: int, expected: tuple[int, int, int]) -> None:
    """HTTP 4xx with `error`, or HTTP 200 with it."""
    sms.door("settings", {"error_status": style})
    answers = (
        sms.bulk("not a phone"),
        sms.get("getBalance", token="bad"),
        sms.get("sendSMS", message_id=1, phone="375291111111"),
    )
    assert tuple(answer.status_code for answer in answers) == expected
    assert [answer.json()["error"] for answer in answers] == [
        "incorrect phone number",
        "token is invalid",
        "message_id not found",
    ]


def test_an_unknown_method_is_404_in_either_style(sms: Client) -> None:
    """There is no page there."""
    for style in (400, 200):
        sms.door("settings", {"error_status": style})
        assert sms.get("sendPigeon").status_code == 404


def test_once_wrapped_answers_can_be_wrapped_again(sms: Client) -> None:
    """Old answers were one-element lists; the switch brings them back, errors too."""
    sms.door("settings", {"wrap": True})
    made = sms.ok("createSmsMessage", message="Hi")
    assert made[0]["status"] == "ok"
    assert sms.post("createSmsMessage", message="Hi").json()[0]["message_id"] == made[0]["message_id"]
    assert isinstance(sms.ok("getBalance"), dict)
    sms.door("settings", {"wrap": ["getBalance"]})
    assert isinstance(sms.ok("getBalance"), list)


def test_unknown_parameters_are_ignored(sms: Client) -> None:
    """As clients with misspelt ones survive."""
    assert sms.ok("getBalance", alfaname_id="x", sender="y")["status"] == "OK"


def test_every_call_is_logged_without_its_token(sms: Client) -> None:
    """/_sandbox/requests tells what came, when, and what was answered."""
    sms.get("getbalance")
    (call,) = sms.look("requests")
    assert call["method"] == "getbalance"
    assert call["verb"] == "GET"
    assert call["params"] == {}
    assert (call["accepted"], call["status"]) == (True, 200)
    sms.door("requests", verb="DELETE")
    assert sms.look("requests") == []


def test_the_log_forgets_the_oldest_calls(sms: Client) -> None:
    """So that a sandbox left running does not grow for ever."""
    sms.door("settings", {"keep_requests": 2})
    for method in ("getBalance", "getLimit", "getAlphanames"):
        sms.get(method)
    assert [call["method"] for call in sms.look("requests")] == ["getLimit", "getAlphanames"]


def test_the_rate_limit_answers_429_with_retry_after(sms: Client) -> None:
    """More calls in a second than the limit are not carried out."""
    sms.door("settings", {"rate_limit": 3})
    answers = [sms.bulk(f"37529111111{index}") for index in range(5)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    assert next(a for a in answers if a.status_code == 429).headers["Retry-After"] == "1"
    assert len(sms.inbox()) == statuses.count(200)


@pytest.mark.parametrize("method", METHODS)
def test_hostile_parameters_never_break_a_method(sms: Client, method: str) -> None:
    """Every method answers nonsense with JSON, and none with a 500."""
    names = ["message", "message_id", "messages", "phone", "uuid", "list_id", "sms_id", "name", "data"]
    names += ["field_names", "limit_rows", "limit_offset", "alphaname_id", "d_schedule", "confirm", "type"]
    names += ["time", "show_cost", "forwarding_message"]
    junk: Any
    for junk in (None, "", "x", -1, 10**30, True, [], {}, [[]], [{}], {"a": {}}, "١٢٣", "\u0000"):
        answer = sms.post(method, **dict.fromkeys(names, junk))
        assert answer.status_code < 500, (junk, answer.text)
        answer.json()


def test_a_form_is_read_as_far_as_php_reads_it(sms: Client) -> None:
    """The first 1,000 variables; whoever sends more loses the rest without a word. JSON has no such limit."""
    form = {"token": "t", "messages[0][alphaname_id]": "0", "messages[0][text]": "x"}
    form |= {f"messages[0][delivery_list][{n}]": f"37529{n:07}" for n in range(1500)}
    url = f"{sms.url}/api/v1/sendBulkSms"
    assert "uuid" in requests.post(url, data=form, timeout=5).json()
    assert len(sms.inbox()) == 997
    sms.door("settings", {"max_input_vars": 0})
    requests.post(url, data=form, timeout=5)
    assert len(sms.inbox()) == 1500
    sms.bulk(*(f"37533{n:07}" for n in range(1500)))
    assert len(sms.inbox()) == 3000


def test_long_texts_fit_into_a_form(sms: Client) -> None:
    """Three hundred personal texts of ten parts are over a megabyte in a form."""
    form = {"token": "t", "messages[0][alphaname_id]": "0", "messages[0][message_type]": "personal"}
    for n in range(300):
        form[f"messages[0][delivery_list][{n}][phone]"] = f"37529{n:07}"
        form[f"messages[0][delivery_list][{n}][text]"] = "я" * 670
    assert "uuid" in requests.post(f"{sms.url}/api/v1/sendBulkSms", data=form, timeout=5).json()
