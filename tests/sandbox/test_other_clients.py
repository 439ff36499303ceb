"""Requests as existing clients of sms.by send them, and what these clients read from the answers.

Written from the public sources of the clients, without their code.
"""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Client

TOKEN = "9e107d9d372bb6826bd81d3542a419d6"


def _query_post(sms: Client, command: str, **params: Any) -> Any:
    """Call like the vendor's Python and Java SDKs: a POST with everything in the query and no body."""
    query = urllib.parse.urlencode({"token": TOKEN, **params})
    return requests.post(f"{sms.url}/api/v1/{command}?{query}", timeout=5).json()


def _php_get(sms: Client, command: str, **params: Any) -> Any:
    """Call like the vendor's PHP SDK: always a GET."""
    query = urllib.parse.urlencode({"token": TOKEN, **params})
    return requests.get(f"{sms.url}/api/v1/{command}?{query}", timeout=5).json()


def test_other_clients_vendor_sdks_post_in_the_query(sms: Client) -> None:
    """Methods documented as GET are accepted as POST."""
    balance = _query_post(sms, "getBalance")
    assert (balance["status"], balance["currency"]) == ("OK", "BYN")
    assert float(balance["result"][0]["balance"]) == 1000
    assert _query_post(sms, "getLimit")["limit"] == 38461
    created = _query_post(sms, "createSMSMessage", message="Привет & до свидания", alphaname_id=0)
    sent = _query_post(sms, "sendSms", message_id=created["message_id"], phone="375291111111")
    assert sent["status"] == "NEW"
    assert _query_post(sms, "checkSMS", sms_id=sent["sms_id"])["sms_id"] == sent["sms_id"]
    assert sms.inbox()["375291111111"][0]["text"] == "Привет & до свидания"


def test_other_clients_vendor_python_sends_a_plus(sms: Client) -> None:
    """A plus sign before the phone, as in the Python SDK's examples, is ignored."""
    assert "sms_id" in _query_post(sms, "sendQuickSMS", message="x", phone="+79061234567")
    assert list(sms.inbox()) == ["79061234567"]


def test_other_clients_vendor_java_spells_methods_differently(sms: Client) -> None:
    """The Java SDK's getAlphaNameId is accepted for the documented getAlphanameId."""
    assert _query_post(sms, "getAlphaNameId", name="MyShop") == {"id": 1363}
    assert _query_post(sms, "getAlphanames")["0"] == "System name (SMS.by)"


def test_other_clients_vendor_php_gets_without_sender(sms: Client) -> None:
    """The PHP SDK sends without alphaname_id, and reads only `error`."""
    answer = _php_get(sms, "sendQuickSms", message="Код: 12 & 34", phone="375291111111")
    assert not answer.get("error")
    assert answer["sms_id"]
    assert sms.inbox()["375291111111"][0]["sender"] == "System name (SMS.by)"


@pytest.mark.parametrize("style", [200, 400])
def test_other_clients_vendor_sdks_read_error_from_the_body(sms: Client, style: int) -> None:
    """The body is JSON with `error` for every HTTP status."""
    sms.control("settings", {"error_status": style})
    assert _php_get(sms, "sendQuickSms", message="x", phone="12")["error"] == "incorrect phone number"
    assert (
        requests.get(f"{sms.url}/api/v1/getBalance?token=bad", timeout=5).json()["error"]
        == "token is invalid"
    )


def test_other_clients_vendor_node_posts_json(sms: Client) -> None:
    """The Node SDK sends application/json, and reads only the HTTP status."""
    body = json.dumps({"token": TOKEN, "message": "Hi", "phone": "375291111111"})
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{sms.url}/api/v1/sendQuickSMS", body, headers=headers, timeout=5)
    assert answer.ok
    assert answer.json()["parts"] == 1


def test_other_clients_old_ones_read_a_list(sms: Client) -> None:
    """A setting restores the old shape for clients that read `$res[0]->message_id`."""
    sms.control("settings", {"wrap": True})
    created = _php_get(sms, "createSMSMessage", message="x")
    sent = _php_get(sms, "sendSMS", message_id=created[0]["message_id"], phone="375291111111")
    assert sent[0]["sms_id"]


def test_other_clients_java_reuses_a_moderated_message(sms: Client) -> None:
    """The Java client reads the id from the duplicate error, and sends only `moderated` messages."""
    sms.control("settings", {"moderation": True, "moderation_delay": 30})
    first = _php_get(sms, "createSMSMessage", message="x")["message_id"]
    again = _php_get(sms, "createSMSMessage", message="x")
    assert again["error"].startswith("The same message exists with ID=")
    assert again["message_id"] == first
    assert _php_get(sms, "checkSMSMessageStatus", message_id=first)["status"] == "new"
    assert _php_get(sms, "sendSms", message_id=first, phone="375291111111")["error"] == "access denied"
    sms.control("clock", {"advance": 30})
    assert _php_get(sms, "checkSMSMessageStatus", message_id=first)["status"] == "moderated"
    assert "sms_id" in _php_get(sms, "sendSms", message_id=first, phone="375291111111")


def test_other_clients_php_reads_times_as_integers(sms: Client) -> None:
    """`sent` and `delivered` are never missing, since the PHP client passes them to int arguments."""
    answer = _php_get(sms, "sendQuickSMS", message="x", phone="375291111111", alphaname_id=0)
    check = _php_get(sms, "checkSMS", sms_id=answer["sms_id"])
    assert isinstance(check["sent"], int)
    assert isinstance(check["delivered"], int)
    assert check["status"] in ("NEW", "SENT", "DELIVERED", "UNDELIVERED")


def test_other_clients_php_sends_forwarding_in_the_query(sms: Client) -> None:
    """Forwarding parameters are accepted in the query, though documented as form data."""
    params = {"forwarding_message": 1, "forwarding_time": 30, "vibername_id": 12, "show_cost": 1}
    answer = _query_post(sms, "sendQuickSMS", message="x", phone="375291111111", alphaname_id=0, **params)
    assert answer["cost"] == "0.02600"


def test_other_clients_may_mistype_parameters(sms: Client) -> None:
    """The mistyped `alfaname_id`, `sender` and `alphaname` are ignored, not refused."""
    for name in ("alfaname_id", "sender", "alphaname"):
        assert "sms_id" in _php_get(
            sms, "sendQuickSms", message="x", phone="375291111111", **{name: "MyShop"}
        )


def test_other_clients_get_404_for_a_wrong_path(sms: Client) -> None:
    """A wrong path is a 404 whose body need not be JSON."""
    for path in ("/api/v1/send", "/v1/send", "/api/v1/sendBulkSms/now"):
        assert requests.post(f"{sms.url}{path}", timeout=5).status_code == 404


def test_other_clients_cannot_use_a_bearer_token(sms: Client) -> None:
    """A token in the Authorization header is ignored, as by the real service."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.get(f"{sms.url}/api/v1/getBalance", headers=headers, timeout=5)
    assert answer.json() == {"error": "token is invalid"}


def test_other_clients_can_send_the_documented_sample(sms: Client) -> None:
    """The sample of sendBulkSms, as strict JSON: two scheduled mailings, one personal and one bulk."""
    messages = [
        {
            "alphaname_id": "1363",
            "name": "mailing list 1",
            "message_type": "personal",
            "schedule_time": "2026-12-31T23:59:59",
            "delivery_list": [
                {"phone": "375299999999", "text": "personal message 1"},
                {"phone": "375298888888", "text": "personal message 2"},
            ],
        },
        {
            "alphaname_id": "1364",
            "name": "mailing list 2",
            "message_type": "bulk",
            "text": "message text 2",
            "schedule_time": "2026-12-31T23:59:59",
            "delivery_list": ["375297777777", "375295555555"],
        },
    ]
    answer = sms.ok("sendBulkSms", callback_url="", messages=messages)
    assert (set(answer), answer["success"]) == ({"uuid", "success"}, "OK")
    sms.control("clock", {"advance": 20})
    status = sms.ok("statusBulkSms", uuid=answer["uuid"])
    assert [mailing["name"] for mailing in status] == ["mailing list 1", "mailing list 2"]
    assert set(status[0]["success"][0]) == {"delivery_id", "phone", "status", "status_time"}
