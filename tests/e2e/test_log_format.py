"""`--log-format json`: stderr is for machines, stdout is unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import Shop

CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: ["+375291234567", "+375291234568", "+375291234569"]
    text: Hello
  - name: letter
    list: Newsletter
    text: Good morning
"""


def events(err: str) -> list[dict[str, Any]]:
    """Return each line of stderr, which must be an object with the three keys that are always present."""
    shown = [json.loads(line) for line in err.splitlines()]
    assert all(list(event)[:3] == ["time", "level", "event"] and event["time"][10] == "T" for event in shown)
    assert "375291234567" not in err
    return shown


def test_json_log_has_each_request_and_each_mailing(shop: Shop) -> None:
    """The log has the requests with address, recipients and outcome, then the mailings, then the end."""
    shop.write("sale.yaml", CAMPAIGN)
    done = shop.run("--log-format", "json", "apply", "--auto-approve", "--format", "json")
    shown = events(done.err)
    requests = [(e["address"], e["people"], e["outcome"]) for e in shown if e["event"] == "request"]
    assert requests == [("sale/vip", 2, "accepted"), ("sale/vip", 1, "accepted")]
    assert [e["event"] for e in shown if e.get("address") == "sale/letter"] == ["draft", "confirm", "mailing"]
    assert shown[-1]["event"] == "applied"
    assert shown[-1]["plan"] == done.json["plan"]
    assert shop.run("-q", "--log-format=json", "status").err == ""


def test_json_log_warns_of_a_lost_answer(shop: Shop) -> None:
    """A lost answer is logged as a warning with the mailing's address, so that monitoring can alert on it."""
    shop.write("sale.yaml", CAMPAIGN)
    shop.fault(method="sendBulkSms", nth=1, mode="reset", when="before")
    done = shop.run("-q", "--log-format", "json", "apply", "--auto-approve")
    assert done.code == 6
    shown = events(done.err)
    assert [(e["level"], e["event"], e["address"], e["outcome"]) for e in shown] == [
        ("warning", "lost", "sale/vip", "unknown"),
        ("warning", "request", "sale/vip", "unknown"),
        ("warning", "mailing", "sale/vip", "unknown"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["plann"], 64),
        (["apply", "no-such-plan.json"], 5),
        (["plan"], 3),
        (["-C", "/nowhere", "plan"], 64),
    ],
)
def test_json_log_writes_errors_as_objects(shop: Shop, arguments: list[str], code: int) -> None:
    """Each problem in the files is its own line with its location, and the last line has the exit code."""
    # Invalid files come before an unreadable plan file, which needs valid files to be shown.
    shop.write("sale.yaml", CAMPAIGN if code == 5 else CAMPAIGN.replace("text: Hello", "texxt: Hello", 1))
    done = shop.run("--log-format", "json", *arguments)
    assert done.code == code
    assert all(event["level"] != "error" or event["exit_code"] == code for event in events(done.err))


def test_json_log_never_asks(shop: Shop) -> None:
    """With the JSON log apply never asks: without approval it refuses before anything is sent."""
    shop.write("sale.yaml", CAMPAIGN)
    refused = shop.run("--log-format", "json", "apply", stdin="yes\n")
    assert refused.code == 64
    assert events(refused.err)[-1]["hint"]
    assert not shop.inbox()
