"""What applies to every call: log, rate limit, errors, reset."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.conftest import Client


def test_service_reset_removes_everything_but_settings(sms: Client) -> None:
    """After a reset there are no mailings, calls or faults, and the balance is the opening one."""
    sms.bulk()
    sms.control("faults", {"mode": "502", "method": "getLimit"})
    sms.control("settings", {"error_status": 200})
    sms.control("reset")
    assert sms.inbox() == {}
    assert sms.view("requests") == []
    assert sms.view("faults") == []
    assert sms.ok("getBalance")["result"][0]["balance"] == "1000.00000"
    assert sms.view("settings")["error_status"] == 200
    lists = [(one["list_id"], one["name"]) for one in sms.ok("getSubscriberLists")["result"]]
    assert lists == [(3434, "Newsletter"), (3435, "Regulars")]


def test_service_executes_calls_one_by_one(sms: Client) -> None:
    """Ten concurrent calls spend no more than the balance."""
    sms.control("settings", {"balance": "0.13"})
    with ThreadPoolExecutor(10) as pool:
        answers: list[requests.Response] = list(pool.map(lambda n: sms.bulk(f"37529111111{n}"), range(10)))
    assert sum(answer.status_code == 200 for answer in answers) == 5
    assert sms.view("settings")["balance"] == "0.000"


@pytest.mark.parametrize("spelling", ["getBalance", "getbalance", "GETBALANCE", "GetBalance"])
def test_service_ignores_the_case_of_a_method(sms: Client, spelling: str) -> None:
    """A method is found in any case, since clients spell it in several ways."""
    assert sms.get(spelling).json()["result"][0]["balance"] == "1000.00000"


@pytest.mark.parametrize("token", [None, "", "bad"])
def test_service_refuses_calls_without_a_token(sms: Client, token: str | None) -> None:
    """Any token is accepted except `bad`."""
    answer = requests.get(
        f"{sms.url}/api/v1/getBalance", {} if token is None else {"token": token}, timeout=5
    )
    assert (answer.status_code, answer.json()) == (403, {"error": "token is invalid"})


@pytest.mark.parametrize(("style", "expected"), [(400, (400, 403, 404)), (200, (200, 200, 200))])
def test_service_has_two_error_styles(sms: Client, style: int, expected: tuple[int, int, int]) -> None:
    """Errors are HTTP 4xx, or HTTP 200 with `error`."""
    sms.control("settings", {"error_status": style})
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


def test_service_unknown_method_is_404_in_both_styles(sms: Client) -> None:
    """An unknown method is a 404 in both styles."""
    for style in (400, 200):
        sms.control("settings", {"error_status": style})
        assert sms.get("sendPigeon").status_code == 404


def test_service_can_wrap_answers_in_a_list(sms: Client) -> None:
    """A setting wraps answers, and errors, in one-element lists as in old versions."""
    sms.control("settings", {"wrap": True})
    made = sms.ok("createSmsMessage", message="Hi")
    assert made[0]["status"] == "ok"
    assert sms.post("createSmsMessage", message="Hi").json()[0]["message_id"] == made[0]["message_id"]
    assert isinstance(sms.ok("getBalance"), dict)
    sms.control("settings", {"wrap": ["getBalance"]})
    assert isinstance(sms.ok("getBalance"), list)


def test_service_logs_calls_without_their_token(sms: Client) -> None:
    """/_sandbox/requests has each call, its time and its status."""
    sms.get("getbalance")
    (call,) = sms.view("requests")
    assert call["method"] == "getbalance"
    assert call["verb"] == "GET"
    assert call["params"] == {}
    assert (call["accepted"], call["status"]) == (True, 200)
    sms.control("requests", verb="DELETE")
    assert sms.view("requests") == []


def test_service_log_drops_the_oldest_calls(sms: Client) -> None:
    """The log drops the oldest calls, so that a sandbox does not grow forever."""
    sms.control("settings", {"keep_requests": 2})
    for method in ("getBalance", "getLimit", "getAlphanames"):
        sms.get(method)
    assert [call["method"] for call in sms.view("requests")] == ["getLimit", "getAlphanames"]


def test_service_rate_limit_answers_429_with_retry_after(sms: Client) -> None:
    """Calls over the limit are not executed."""
    sms.control("settings", {"rate_limit": 3})
    answers = [sms.bulk(f"37529111111{index}") for index in range(5)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses
    assert next(a for a in answers if a.status_code == 429).headers["Retry-After"] == "1"
    assert len(sms.inbox()) == statuses.count(200)
