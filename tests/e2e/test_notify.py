"""`notify` with the real command: what a web hook receives, and that its failure fails nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import requests

from tests.e2e.conftest import Shop

pytest.importorskip("apprise")

_PROJECT = "version: 1\nproject: shop\nnotify: [SHOP_NOTIFY_URL]\nstatus: {settle_after: 72h}\n"
_PROJECT += "api: {reconcile_seconds: 0.3}\n"
_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: [{phone: "375291111111", name: Secretova}, "375292222222"]
    text: "Confidential {{ name | default('you', true) }}"
"""


@dataclass
class Receiver:
    """A web hook server, and what it received."""

    url: str
    received: list[dict[str, Any]] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.received]


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if "broken" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        receiver.url = f"json://127.0.0.1:{http.server_port}"
        yield receiver
        http.shutdown()


@pytest.fixture
def receiver(server: Receiver, shop: Shop) -> Receiver:
    server.received.clear()
    shop.write("smsby.yaml", _PROJECT)
    shop.write("sale.yaml", _CAMPAIGN)
    return server


def test_apply_and_what_was_not_sent_are_notified(shop: Shop, receiver: Receiver) -> None:
    """A merged but unsent mailing and a finished one are each notified once, without a phone, text or value."""
    env = {"SHOP_NOTIFY_URL": f"{receiver.url}/hook"}
    assert shop.run("plan", "--detailed-exitcode", "--out", "plan.json", env=env).code == 2
    assert receiver.titles == []  # the plan of a pull request
    assert shop.run("plan", "--detailed-exitcode", env=env).code == 2
    assert receiver.titles == ["shop: 1 mailing merged but not sent"]
    done = shop.run("apply", "plan.json", env=env)
    assert (done.code, done.err.count("warning")) == (0, 0)
    assert receiver.titles[1:] == ["shop: an apply has finished"]
    assert receiver.received[1]["type"] == "success"
    assert "sale/vip: sent" in receiver.received[1]["message"]
    assert shop.run("plan", "--detailed-exitcode", env=env).code == 0
    assert shop.run("apply", "--auto-approve", env=env).code == 0
    assert shop.run("apply", "--due", env=env).code == 0
    assert len(receiver.received) == 2
    everything = json.dumps(receiver.received)
    for secret in ("37529", "Secretova", "Confidential", "secret-token"):
        assert secret not in everything


@pytest.mark.parametrize(
    ("fault", "code", "title", "kind"),
    [
        ({"mode": "reset", "when": "after"}, 6, "the outcome of a send is unknown", "failure"),
        (
            {"mode": "error", "text": "375291111111: Confidential"},
            1,
            "an apply did not send everything",
            "failure",
        ),
    ],
)
def test_bad_outcome_is_notified(
    fault: dict[str, str], code: int, title: str, kind: str, shop: Shop, receiver: Receiver
) -> None:
    """A bad outcome is notified without the error of sms.by, which could contain a phone or a text."""
    shop.settings(list_lag=60)
    shop.fault(method="sendBulkSms", **{k: int(v) if v.isdigit() else v for k, v in fault.items()})
    env = {"SHOP_NOTIFY_URL": receiver.url}
    done = shop.run("apply", "--auto-approve", env=env)
    assert done.code == code, done.err
    assert receiver.titles == [f"shop: {title}"]
    assert receiver.received[0]["type"] == kind
    assert "37529" not in receiver.received[0]["message"]
    assert "Confidential" not in receiver.received[0]["message"]


def test_refused_apply_is_notified(shop: Shop, receiver: Receiver) -> None:
    """A refused apply is notified, unless its user was asked and declined."""
    shop.write("smsby.yaml", f"{_PROJECT}guardrails: {{max_recipients: 1}}\n")
    env = {"SHOP_NOTIFY_URL": receiver.url}
    assert shop.run("apply", "--auto-approve", env=env).code == 4
    assert shop.run("apply", "gone.json", env=env).code == 5
    assert [title.partition(": ")[2] for title in receiver.titles] == [
        "an apply ended with exit code 4",
        "an apply was refused",
    ]
    shop.write("smsby.yaml", _PROJECT)
    assert shop.run("apply", env=env, stdin="no\n").code == 4
    assert len(receiver.received) == 2


def test_low_delivery_is_notified(shop: Shop, receiver: Receiver) -> None:
    """Delivery of final mailings below `--fail-under` is notified, unless `SMSBY_NOTIFY=off`."""
    env = {"SHOP_NOTIFY_URL": receiver.url}
    shop.settings(fates={"375291111111": "DELIVERED", "375292222222": "UNDELIVERED"})
    assert shop.run("apply", "--auto-approve", env={**env, "SMSBY_NOTIFY": "off"}).code == 0
    requests.post(f"{shop.url}/_sandbox/clock", json={"advance": 3600}, timeout=5).raise_for_status()
    assert shop.run("status", "--fail-under", "50", env=env).code == 0
    assert receiver.titles == []
    low = shop.run("status", "--fail-under", "90", env=env)
    assert low.code == 1
    assert "error: less than 90% of the recipients of final mailings got the SMS\n" in low.err
    assert receiver.titles == ["shop: 50.0% delivered, less than 90%"]
    assert "sale/vip: 1 of 2 recipients" in receiver.received[0]["message"]


def test_end_of_a_watch_is_notified(shop: Shop, receiver: Receiver) -> None:
    """The end of a watch, when every mailing is final, is notified, and a status without --watch is not."""
    env = {"SHOP_NOTIFY_URL": receiver.url}
    shop.settings(fates={"375291111111": "DELIVERED", "375292222222": "UNDELIVERED"})
    assert shop.run("apply", "--auto-approve", env={**env, "SMSBY_NOTIFY": "off"}).code == 0
    requests.post(f"{shop.url}/_sandbox/clock", json={"advance": 3600}, timeout=5).raise_for_status()
    assert shop.run("status", env=env).code == 0
    assert receiver.titles == []
    assert shop.run("status", "--watch", env=env).code == 0
    assert receiver.titles == ["shop: 1 mailing is final"]
    assert "sale/vip: 1 of 2 recipients" in receiver.received[0]["message"]
    assert receiver.received[0]["type"] == "success"
    assert "37529" not in receiver.received[0]["message"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("{url}/broken?secret=hush", "did not accept it"),
        ("json://127.0.0.1:9/hush", "did not accept it, or cannot be reached"),
        ("hush://nowhere", "no URL that Apprise knows"),
        ("", "it is not set"),
    ],
)
def test_failing_notification_fails_nothing(url: str, why: str, shop: Shop, receiver: Receiver) -> None:
    """A notification that fails is a warning that names the variable, never its value."""
    env = {"SHOP_NOTIFY_URL": url.format(url=receiver.url)}
    done = shop.run("apply", "--auto-approve", env=env)
    assert done.code == 0
    assert "warning: no notification to SHOP_NOTIFY_URL: " in done.err
    assert why in done.err
    assert "hush" not in done.out + done.err
