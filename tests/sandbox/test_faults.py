"""Which calls a fault applies to, and the faults of the list of mailings."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.faults import ALWAYS_CARRIED_OUT, MODES, SILENT, FaultSwitch
from tests.sandbox.conftest import Client


def _fault(sms: Client, **fault: Any) -> None:
    sms.control("faults", {"method": "sendBulkSms", **fault})


def test_fault_nth_and_times_count_calls(sms: Client) -> None:
    """`nth` counts from the creation of the fault, and `times` is the number of calls in a row."""
    sms.bulk()
    _fault(sms, mode="502", nth=2, times=2)
    assert [sms.bulk().status_code for _ in range(5)] == [200, 502, 502, 200, 200]


def test_fault_applies_to_its_method_only(sms: Client) -> None:
    """A fault applies to its method in any case, or to all with `*`."""
    _fault(sms, method="GETBALANCE", mode="503")
    assert sms.bulk().status_code == 200
    assert sms.get("getBalance").status_code == 503
    _fault(sms, method="*", mode="504")
    assert sms.get("getLimit").status_code == 504


def test_fault_can_select_calls_by_parameters(sms: Client) -> None:
    """Calls of one method can be selected by parameters, such as confirm=0 and confirm=1."""
    message = sms.ok("sendSmsList", list_id=3434, message="Hi", alphaname_id=0, name="n")["result"][
        "message_id"
    ]
    _fault(sms, method="confirmSendMessageByList", params={"confirm": "1"}, mode="503")
    assert sms.post("confirmSendMessageByList", message_id=message, confirm=0).status_code == 200
    assert sms.post("confirmSendMessageByList", message_id=message, confirm=1).status_code == 503


def test_faults_of_one_call_occur_one_after_another(sms: Client) -> None:
    """Several faults of one call happen one after another, and waiting ones can be listed and removed."""
    _fault(sms, mode="502")
    _fault(sms, mode="503")
    assert sms.bulk().status_code == 502
    (waiting,) = sms.view("faults")
    assert (waiting["mode"], waiting["seen"], waiting["fired"]) == ("503", 1, 0)
    assert sms.bulk().status_code == 503
    _fault(sms, mode="502")
    sms.control("faults", verb="DELETE")
    assert sms.bulk().status_code == 200


def test_faults_can_be_added_as_a_list(sms: Client) -> None:
    """If one of them is invalid, none is added."""
    sms.control("faults", [{"mode": "502"}, {"mode": "503"}])
    assert len(sms.view("faults")) == 2
    bad = requests.post(f"{sms.url}/_sandbox/faults", json=[{"mode": "502"}, {"mode": "x"}], timeout=5)
    assert bad.status_code == 400
    assert len(sms.view("faults")) == 2


def test_fault_lag_hides_mailings_for_some_calls(sms: Client) -> None:
    """Mailings of the affected send are missing from the next two lists, and others are listed."""
    _fault(sms, mode="lag", calls=2, nth=2)
    sms.bulk(name="one")
    sms.bulk(name="two")
    assert [sms.names() for _ in range(3)] == [["one"], ["one"], ["one", "two"]]


def test_fault_lag_hides_mailings_for_some_seconds(sms: Client) -> None:
    """The mailings are hidden for seconds of the sandbox's clock."""
    _fault(sms, mode="lag", seconds=30)
    sms.bulk()
    assert sms.names() == []
    sms.control("clock", {"advance": 30})
    assert sms.names() == ["one"]


def test_fault_lag_of_the_list_itself(sms: Client) -> None:
    """A stale list shows only mailings that it showed before, however often it is requested."""
    sms.bulk(name="one")
    assert sms.names() == ["one"]
    sms.bulk(name="two")
    sms.control("faults", {"method": "getSMSMessages", "mode": "lag", "times": 2})
    assert [sms.names() for _ in range(3)] == [["one"], ["one"], ["one", "two"]]


def test_fault_lag_combines_with_a_lost_answer(sms: Client) -> None:
    """A lag, which the answer does not show, and a lost answer apply to the same call."""
    _fault(sms, mode="lag", calls=1)
    _fault(sms, mode="reset", when="after")
    with pytest.raises(requests.ConnectionError):
        sms.bulk()
    assert [sms.names() for _ in range(2)] == [[], ["one"]]


def test_fault_cut_truncates_names(sms: Client) -> None:
    """Only the mailings of the affected send have truncated names."""
    _fault(sms, mode="cut", chars=8)
    sms.bulk(name="campaign/mailing shop#0123456789")
    sms.bulk(name="campaign/mailing whole")
    assert sms.names() == ["campaign", "campaign/mailing whole"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"mode": "explode"}, "unknown mode"),
        ({"mode": "502", "method": "sendPigeon"}, "unknown method"),
        ({"mode": "502", "when": "during"}, "before or after"),
        ({"mode": "502", "nth": 0}, "not between 1"),
        ({"mode": "502", "nth": 1e999}, "infinity"),
        ({"mode": "lag", "calls": 10**30}, "not between 0"),
        ({"mode": "slow", "seconds": 1e308}, "not between 0"),
        ({"mode": "slow", "seconds": "nan"}, "not between 0"),
        ({"mode": "error", "status": 1000}, "not between 200 and 599"),
        ({"mode": "429", "retry_after": "1\r\nX: y"}, "control characters"),
        ({"mode": "redirect", "location": "http://x/\r\nX: y"}, "control characters"),
        ({"mode": "502", "sconds": 1}, "unknown field"),
        ({"mode": "502", "params": "confirm=1"}, "JSON object"),
        ({"mode": "502", "seconds": "long"}, "invalid value"),
        ({"mode": "other-values"}, "belongs to the mode other-values"),
        ({"mode": "other-values", "values": "parts"}, "must be a JSON object"),
        ({"mode": "502", "values": {"parts": 3}}, "belongs to the mode other-values"),
        (None, "JSON object"),
    ],
)
def test_fault_with_invalid_fields_is_refused(sms: Client, fault: Any, expected: str) -> None:
    """A mistyped fault is refused, since a test would otherwise run without it unnoticed."""
    answer = requests.post(f"{sms.url}/_sandbox/faults", json.dumps(fault), timeout=5)
    assert answer.status_code == 400
    assert expected in answer.json()["error"]
    assert sms.view("faults") == []


def test_fault_pause_ends_when_faults_are_cleared() -> None:
    """A slow call of an hour is answered when the faults are cleared."""
    faults = FaultSwitch()

    class ClearingClock(SystemClock):
        """Clears the faults while the call sleeps."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            faults.clear()

    clock = ClearingClock()
    start = clock.monotonic()
    faults.new_pause(clock)(3600)
    assert clock.monotonic() - start < 1
    faults.new_pause(SystemClock())(0.5)
    assert clock.monotonic() - start >= 0.5


def _effect_fault(sms: Client, **fault: Any) -> None:
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
        return answer.json() or ()
    except ValueError:
        return ()


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in (*SILENT, *ALWAYS_CARRIED_OUT)])
@pytest.mark.parametrize(("when", "reached"), [("before", 0), ("after", 2)])
def test_fault_before_or_after_execution(sms: Client, mode: str, when: str, reached: int) -> None:
    """Whether a fault is before or after the execution shows only in the inbox, and the next call succeeds."""
    _effect_fault(sms, mode=mode, when=when)
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
        ({"mode": "answer", "status": 422, "body": {"message": "no"}}, 422, '{"message": "no"}', {}),
    ],
)  # fmt: skip
def test_fault_answer_of_each_mode(
    sms: Client, fault: dict[str, Any], status: int, body: str | None, headers: dict[str, str]
) -> None:
    """Each mode has its status, body and headers."""
    _effect_fault(sms, **fault)
    answer = requests.post(
        f"{sms.url}/api/v1/sendBulkSms", json=_two_phones(), timeout=5, allow_redirects=False
    )
    assert answer.status_code == status
    if body is not None:
        assert (json.loads(answer.text) if body else answer.text) == (json.loads(body) if body else "")
    assert {name: answer.headers[name] for name in headers} == headers


def test_fault_other_values_replaces_what_the_answer_says(sms: Client) -> None:
    """The values of the answer are replaced at any depth, or added at the top, and the call is executed."""
    _effect_fault(sms, mode="other-values", values={"success": "ERROR"})
    answer = sms.bulk()
    assert (answer.status_code, answer.json()["success"]) == (200, "ERROR")
    assert len(answer.json()["uuid"]) == 36
    assert sms.names() == ["one"]
    _fault(sms, method="getSMSMessages", mode="other-values", values={"parts": "9", "limit": 5})
    listed = sms.get("getSMSMessages").json()
    assert (listed["data"][0]["parts"], listed["limit"]) == ("9", 5)


def test_fault_reset_resets_the_connection(sms: Client) -> None:
    """The client sees a reset instead of an orderly close."""
    _effect_fault(sms, mode="reset")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        sms.bulk()


def test_fault_truncated_sends_half_of_the_answer(sms: Client) -> None:
    """The JSON is truncated and, with `incomplete`, the response as well."""
    _effect_fault(sms, mode="truncated", when="after")
    assert 20 < len(sms.bulk().text) < 60
    _effect_fault(sms, mode="incomplete", when="after")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        sms.bulk()


def test_fault_redirect_makes_a_following_client_send_twice(sms: Client) -> None:
    """A client that follows a 307 to the same address sends twice, which shows in the inbox."""
    _effect_fault(sms, mode="redirect", when="after")
    sms.bulk()
    assert {len(messages) for messages in sms.inbox().values()} == {2}


@pytest.mark.parametrize("when", ["before", "after"])
def test_fault_slow_delays_the_complete_answer(sms: Client, when: str) -> None:
    """The answer arrives, though the client may have given up by then."""
    _effect_fault(sms, mode="slow", when=when)
    assert "uuid" in sms.bulk().json()
    assert len(sms.inbox()) == 2
