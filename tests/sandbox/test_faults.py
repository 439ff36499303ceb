"""The fault switch: each mode on the wire, and which call it meets."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from smsby_deploy.sandbox.faults import MODES, SILENT
from tests.sandbox.conftest import Client


def _fault(sms: Client, **fault: Any) -> None:
    sms.door("faults", {"method": "sendBulkSms", **fault})


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in (*SILENT, "slow")])
@pytest.mark.parametrize(("when", "reached"), [("before", 0), ("after", 2)])
def test_a_fault_comes_before_or_after_acceptance(sms: Client, mode: str, when: str, reached: int) -> None:
    """The caller can't tell; the inbox can. The next call is whole again."""
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
    call = sms.look("requests")[-1]
    assert (call["accepted"], call["faults"]) == (when == "after", [mode])
    assert sms.look("faults") == []
    assert "uuid" in sms.bulk().json()


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
def test_what_is_answered(
    sms: Client, fault: dict[str, Any], status: int, body: str | None, headers: dict[str, str]
) -> None:
    """Status, body and headers of each mode that answers at all."""
    _fault(sms, **fault)
    answer = requests.post(
        f"{sms.url}/api/v1/sendBulkSms", json=_two_phones(), timeout=5, allow_redirects=False
    )
    assert answer.status_code == status
    if body is not None:
        assert (json.loads(answer.text) if body else answer.text) == (json.loads(body) if body else "")
    assert {name: answer.headers[name] for name in headers} == headers


def test_a_reset_is_one_on_the_wire(sms: Client) -> None:
    """The client sees its connection reset, not an orderly end."""
    _fault(sms, mode="reset")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        sms.bulk()


def test_half_of_the_true_answer_arrives(sms: Client) -> None:
    """Truncated JSON that once was the acceptance: whole by its headers, or cut in the middle."""
    _fault(sms, mode="truncated", when="after")
    assert 20 < len(sms.bulk().text) < 60
    _fault(sms, mode="incomplete", when="after")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        sms.bulk()


def test_who_follows_a_redirect_sends_twice(sms: Client) -> None:
    """A 307 goes to the same address unless told otherwise, so the mistake shows in the inbox."""
    _fault(sms, mode="redirect", when="after")
    sms.bulk()
    assert {len(messages) for messages in sms.inbox().values()} == {2}


@pytest.mark.parametrize("when", ["before", "after"])
def test_slow_is_late_but_whole(sms: Client, when: str) -> None:
    """The answer comes; the caller may be gone by then."""
    _fault(sms, mode="slow", when=when)
    assert "uuid" in sms.bulk().json()
    assert len(sms.inbox()) == 2


def test_the_nth_call_and_those_after_it(sms: Client) -> None:
    """`nth` counts from the setting of the fault, `times` are the calls in a row."""
    sms.bulk()
    _fault(sms, mode="502", nth=2, times=2)
    assert [sms.bulk().status_code for _ in range(5)] == [200, 502, 502, 200, 200]


def test_faults_meet_their_own_method_only(sms: Client) -> None:
    """In whatever case either is written; `*` is any method."""
    _fault(sms, method="GETBALANCE", mode="503")
    assert sms.bulk().status_code == 200
    assert sms.get("getBalance").status_code == 503
    _fault(sms, method="*", mode="504")
    assert sms.get("getLimit").status_code == 504


def test_faults_can_look_at_parameters(sms: Client) -> None:
    """confirm=0 and confirm=1 are one method."""
    message = sms.ok("sendSmsList", list_id=3434, message="Hi", alphaname_id=0, name="n")["result"][
        "message_id"
    ]
    _fault(sms, method="confirmSendMessageByList", params={"confirm": "1"}, mode="503")
    assert sms.post("confirmSendMessageByList", message_id=message, confirm=0).status_code == 200
    assert sms.post("confirmSendMessageByList", message_id=message, confirm=1).status_code == 503


def test_two_faults_for_one_call_come_one_after_the_other(sms: Client) -> None:
    """None is lost unseen; what waits can be read, and taken back."""
    _fault(sms, mode="502")
    _fault(sms, mode="503")
    assert sms.bulk().status_code == 502
    (waiting,) = sms.look("faults")
    assert (waiting["mode"], waiting["seen"], waiting["fired"]) == ("503", 1, 0)
    assert sms.bulk().status_code == 503
    _fault(sms, mode="502")
    sms.door("faults", verb="DELETE")
    assert sms.bulk().status_code == 200


def test_several_faults_in_one_call_of_the_switch(sms: Client) -> None:
    """A list of them; if one is bad none is taken."""
    sms.door("faults", [{"mode": "502"}, {"mode": "503"}])
    assert len(sms.look("faults")) == 2
    bad = requests.post(f"{sms.url}/_sandbox/faults", json=[{"mode": "502"}, {"mode": "x"}], timeout=5)
    assert bad.status_code == 400
    assert len(sms.look("faults")) == 2


def test_a_lagging_list_by_calls(sms: Client) -> None:
    """What that send made is missing in the next two lists; what others made is not."""
    _fault(sms, mode="lag", calls=2, nth=2)
    sms.bulk(name="one")
    sms.bulk(name="two")
    assert [sms.names() for _ in range(3)] == [["one"], ["one"], ["one", "two"]]


def test_a_lagging_list_by_seconds(sms: Client) -> None:
    """By the sandbox's clock."""
    _fault(sms, mode="lag", seconds=30)
    sms.bulk()
    assert sms.names() == []
    sms.door("clock", {"advance": 30})
    assert sms.names() == ["one"]


def test_a_stale_list(sms: Client) -> None:
    """A lag of getSMSMessages itself: nothing that was not shown before, however often it was asked."""
    sms.bulk(name="one")
    assert sms.names() == ["one"]
    sms.bulk(name="two")
    sms.door("faults", {"method": "getSMSMessages", "mode": "lag", "times": 2})
    assert [sms.names() for _ in range(3)] == [["one"], ["one"], ["one", "two"]]


def test_a_lag_together_with_a_lost_answer(sms: Client) -> None:
    """A silent fault and a loud one meet the same call."""
    _fault(sms, mode="lag", calls=1)
    _fault(sms, mode="reset", when="after")
    with pytest.raises(requests.ConnectionError):
        sms.bulk()
    assert [sms.names() for _ in range(2)] == [[], ["one"]]


def test_names_cut_short(sms: Client) -> None:
    """For what one send made, in the list and in statusBulkSms."""
    _fault(sms, mode="cut", chars=8)
    sms.bulk(name="campaign/mailing shop#0123456789")
    sms.bulk(name="campaign/mailing whole")
    assert sms.names() == ["campaign", "campaign/mailing whole"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"mode": "explode"}, "unknown mode"),
        ({"mode": "502", "method": "sendPigeon"}, "unknown method"),
        ({"mode": "502", "when": "during"}, "before or after"),
        ({"mode": "502", "nth": 0}, "under 1"),
        ({"mode": "502", "sconds": 1}, "unknown field"),
        ({"mode": "502", "params": "confirm=1"}, "JSON object"),
        ({"mode": "502", "seconds": "long"}, "can't be"),
        (None, "JSON object"),
    ],
)
def test_a_fault_that_can_not_be_is_refused(sms: Client, fault: Any, told: str) -> None:
    """A fault set wrongly must not pass for a test without faults."""
    answer = requests.post(f"{sms.url}/_sandbox/faults", json=fault, timeout=5)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
    assert sms.look("faults") == []
