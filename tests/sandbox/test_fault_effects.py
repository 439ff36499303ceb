"""What a client receives under each fault."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from smsby_deploy.sandbox.faults import MODES, SILENT
from tests.sandbox.conftest import Client


def _fault(sms: Client, **fault: Any) -> None:
    sms.control("faults", {"method": "sendBulkSms", **fault})


def _two_phones() -> dict[str, Any]:
    message = {
        "alphaname_id": "0",
        "name": "n",
        "message_type": "bulk",
        "text": "x",
        "delivery_list": ["375291111111", "375292222222"],
    }
    return {"token": "t", "messages": [message]}


def _json_or_nothing(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return ()


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in (*SILENT, "slow")])
@pytest.mark.parametrize(("when", "reached"), [("before", 0), ("after", 2)])
def test_fault_before_or_after_execution(sms: Client, mode: str, when: str, reached: int) -> None:
    """The client cannot see the difference, the inbox can; the next call succeeds."""
    _fault(sms, mode=mode, when=when)
    try:
        # A 307 to the same address would be followed into a second send.
        answer = requests.post(
            f"{sms.url}/api/v1/sendBulkSms", json=_two_phones(), timeout=5, allow_redirects=False
        )
    except requests.RequestException:
        assert mode in ("reset", "close", "timeout", "incomplete")
    else:
        assert mode not in ("reset", "close", "timeout", "incomplete")
        assert "uuid" not in _json_or_nothing(answer)
    assert len(sms.inbox()) == reached
    call = sms.view("requests")[-1]
    assert (call["accepted"], call["faults"]) == (when == "after", [mode])
    assert sms.view("faults") == []
    assert "uuid" in sms.bulk().json()


@pytest.mark.parametrize(
    ("fault", "status", "body", "headers"),
    [
        ({"mode": "500"}, 500, '{"error": "Server is not available"}', {}),
        ({"mode": "500", "text": "undefined error"}, 500, '{"error": "undefined error"}', {}),
        ({"mode": "502"}, 502, None, {}),
        ({"mode": "503"}, 503, None, {}),
        ({"mode": "504"}, 504, None, {}),
        ({"mode": "error", "status": 403, "text": "access denied"}, 403, '{"error": "access denied"}', {}),
        ({"mode": "error", "status": 200, "text": "no"}, 200, '{"error": "no"}', {}),
        ({"mode": "html"}, 200, None, {"Content-Type": "text/html; charset=utf-8"}),
        ({"mode": "html", "status": 502}, 502, None, {}),
        ({"mode": "empty"}, 200, "", {}),
        ({"mode": "empty", "status": 404}, 404, "", {}),
        ({"mode": "no-proof"}, 200, '{"success": "OK"}', {}),
        ({"mode": "429", "seconds": 7}, 429, None, {"Retry-After": "7"}),
        ({"mode": "429", "retry_after": "Tue, 01 Dec 2026"}, 429, None, {"Retry-After": "Tue, 01 Dec 2026"}),
        ({"mode": "redirect", "status": 302, "location": "/"}, 302, "", {"Location": "/"}),
    ],
)  # fmt: skip
def test_fault_answer_of_each_mode(
    sms: Client, fault: dict[str, Any], status: int, body: str | None, headers: dict[str, str]
) -> None:
    """Status, body and headers are those of the mode."""
    _fault(sms, **fault)
    answer = requests.post(
        f"{sms.url}/api/v1/sendBulkSms", json=_two_phones(), timeout=5, allow_redirects=False
    )
    assert answer.status_code == status
    if body is not None:
        assert (json.loads(answer.text) if body else answer.text) == (json.loads(body) if body else "")
    assert {name: answer.headers[name] for name in headers} == headers


def test_fault_reset_resets_the_connection(sms: Client) -> None:
    """The client sees a reset instead of an orderly end."""
    _fault(sms, mode="reset")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        sms.bulk()


def test_fault_truncated_sends_half_of_the_answer(sms: Client) -> None:
    """The JSON is truncated; with `incomplete`, so is the response."""
    _fault(sms, mode="truncated", when="after")
    assert 20 < len(sms.bulk().text) < 60
    _fault(sms, mode="incomplete", when="after")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        sms.bulk()


def test_fault_redirect_makes_a_following_client_send_twice(sms: Client) -> None:
    """A 307 to the same address makes the mistake visible in the inbox."""
    _fault(sms, mode="redirect", when="after")
    sms.bulk()
    assert {len(messages) for messages in sms.inbox().values()} == {2}


@pytest.mark.parametrize("when", ["before", "after"])
def test_fault_slow_delays_the_complete_answer(sms: Client, when: str) -> None:
    """The answer arrives, although the client may have given up by then."""
    _fault(sms, mode="slow", when=when)
    assert "uuid" in sms.bulk().json()
    assert len(sms.inbox()) == 2
