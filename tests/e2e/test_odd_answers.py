"""A service that answers differently from the sandbox: unlisted drafts, lost confirmations, missing figures."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.e2e.conftest import Result, Shop

LOST = (502, "")
Answer = tuple[int, Any]

LETTER = """\
version: 1
campaign: sale
mailings:
  - {name: letter, list: News, text: Closed}
"""

ONE = 'version: 1\ncampaign: sale\nmailings: [{name: a, recipients: ["375291111111"], text: x}]\n'


@dataclass
class Service:
    """sms.by with one list and no memory: it lists what `listed` has, and `answers` replace those of a method."""

    answers: dict[str, Callable[[dict[str, Any]], Answer]] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, method: str, params: dict[str, Any]) -> Answer:
        self.calls.append((method, params))
        if method in self.answers:
            return self.answers[method](params)
        match method:
            case "getSMSMessages":
                return (200, {"data": self.listed}) if self.listed else (406, "")
            case "getSubscriberLists":
                return 200, {"7": "News"}
            case "sendSmsList":
                return 200, {"data": {"message_id": "15"}}
            case "sendBulkSms":
                return 200, [{"uuid": "u-1"}]
            case "confirmSendMessageByList":
                return 200, {"status": "OK", "result": {"count": "3", "cost": "0.078"}}
        return 404, {"error": "not found"}

    def count(self, method: str, **params: str) -> int:
        return sum(
            name == method and all(str(given.get(key)) == value for key, value in params.items())
            for name, given in self.calls
        )


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_json = self.headers.get_content_type() == "application/json"
            params = dict(parse_qsl(url.query)) | (
                json.loads(body) if is_json else dict(parse_qsl(body.decode()))
            )
            status, data = service.answer(url.path.rsplit("/", 1)[1], params)
            content = data.encode() if isinstance(data, str) else json.dumps(data).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "3600")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  # the name http.server looks for

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield service, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def odd(service: tuple[Service, str], tmp_path: Path) -> tuple[Service, Shop]:
    """The service, and a project with a mailing to its list."""
    root = tmp_path / "project"
    root.mkdir()
    shop = Shop(root, service[1])
    configure(shop)
    shop.write("sale.yaml", LETTER)
    return service[0], shop


def configure(shop: Shop, more: str = "") -> None:
    shop.write(
        "smsby.yaml",
        "version: 1\nproject: shop\napi: {requests_per_second: 1000, reconcile_seconds: 0.3}\n"
        f"price: {{currency: BYN, per_part: 0.026}}\n{more}",
    )


def _apply(shop: Shop) -> tuple[Result, dict[str, Any]]:
    result = shop.run("apply", "--auto-approve", "--format", "json")
    mailing: dict[str, Any] = result.json["mailings"][0]
    return result, mailing


def _lose_first_confirmation(service: Service, status: str | None) -> None:
    """Lose the first confirm=1; from then on confirm=0 reports `status`."""

    def confirm(params: dict[str, Any]) -> Answer:
        lost = service.count("confirmSendMessageByList", confirm="1")
        if str(params["confirm"]) == "1":
            return LOST if lost == 1 else (200, {"status": "OK"})
        shown = {"status": status} if status and lost else {}
        return 200, {"status": "OK", "result": {"count": 3, "cost": "0.078", **shown}}

    service.answers["confirmSendMessageByList"] = confirm


@pytest.mark.parametrize("status", ["NEW", "moderated", "SENT"])
def test_lost_confirmation_is_settled_by_confirm_0(odd: tuple[Service, Shop], status: str) -> None:
    """If confirm=0 reports any status but DRAFT, the unlisted draft was confirmed, and is not confirmed again."""
    service, shop = odd
    _lose_first_confirmation(service, status)
    result, mailing = _apply(shop)
    assert (result.code, mailing["outcome"], mailing["message_ids"]) == (0, "sent", [15]), result.err
    assert service.count("confirmSendMessageByList", confirm="1") == 1


@pytest.mark.parametrize("status", ["DRAFT", "draft", " Draft "])
def test_draft_by_confirm_0_is_confirmed_again(odd: tuple[Service, Shop], status: str) -> None:
    """A draft that is still DRAFT after reconcile_seconds is confirmed again."""
    service, shop = odd
    _lose_first_confirmation(service, status)
    result, mailing = _apply(shop)
    assert (result.code, mailing["outcome"]) == (0, "sent"), result.err
    assert service.count("confirmSendMessageByList", confirm="1") == 2
    assert service.count("sendSmsList") == 1


def test_unreported_confirmation_stays_unknown(
    odd: tuple[Service, Shop],
) -> None:
    """Without a reported status the confirmation stays unknown until sms.by reports one."""
    service, shop = odd
    _lose_first_confirmation(service, None)
    for _ in range(2):
        result, mailing = _apply(shop)
        assert (result.code, mailing["outcome"]) == (6, "unknown"), result.err
    service.answers["confirmSendMessageByList"] = lambda params: (200, {"data": {"status": "SENT"}})
    result, mailing = _apply(shop)
    assert mailing["outcome"] == "adopted", result.err
    assert service.count("confirmSendMessageByList", confirm="1") == 1
    assert shop.run("plan").code == 0


@pytest.mark.parametrize("status", ["NEW", "moderated"])
def test_new_draft_is_confirmed_whatever_its_status(odd: tuple[Service, Shop], status: str) -> None:
    """A draft that this run made is confirmed whatever its status: it cannot have been confirmed before."""
    service, shop = odd
    service.answers["confirmSendMessageByList"] = lambda params: (
        200,
        {"data": {"status": status, "count": 3}},
    )
    result, mailing = _apply(shop)
    assert (result.code, mailing["outcome"], mailing["recipients"]) == (0, "sent", 3), result.err
    assert service.count("confirmSendMessageByList", confirm="1") == 1


@pytest.mark.parametrize("rail", ["max_recipients: 10", "max_cost: 10.0", "expect_recipients: {max: 9}"])
def test_unjudged_list_guardrail_refuses(odd: tuple[Service, Shop], rail: str) -> None:
    """Figures that sms.by does not report are null, and a guardrail that needs them refuses."""
    service, shop = odd
    service.answers["confirmSendMessageByList"] = lambda params: (200, {"status": "OK"})
    configure(shop, f"guardrails: {{{rail}}}\n")
    result, mailing = _apply(shop)
    assert (result.code, mailing["outcome"]) == (4, "skipped"), result.err
    assert rail.split(":")[0] in mailing["error"]
    assert service.count("confirmSendMessageByList", confirm="1") == 0
    configure(shop)
    result, mailing = _apply(shop)
    assert (result.code, mailing["outcome"], mailing["recipients"]) == (0, "confirmed", None), result.err
    assert "sms.by does not report these figures of its list: recipients, parts, cost" in result.err


def test_list_cost_is_estimated_without_a_report(odd: tuple[Service, Shop]) -> None:
    """An unreported list cost is estimated: 1,000 recipients at 0.026 exceed a limit of 20, and not one of 30."""
    service, shop = odd
    service.answers["confirmSendMessageByList"] = lambda params: (200, {"status": "OK", "count": "1000"})
    configure(shop, "guardrails: {max_cost: 20.0}\n")
    result, mailing = _apply(shop)
    assert (result.code, "max_cost" in mailing["error"]) == (4, True), result.err
    configure(shop, "guardrails: {max_cost: 30.0}\n")
    assert _apply(shop)[0].code == 0


def test_empty_list_is_not_confirmed(odd: tuple[Service, Shop]) -> None:
    """A list of 0 recipients is not confirmed, even without a guardrail."""
    service, shop = odd
    service.answers["confirmSendMessageByList"] = lambda params: (200, {"data": {"count": 0, "cost": "0"}})
    result, mailing = _apply(shop)
    assert (result.code, mailing["outcome"]) == (4, "skipped"), result.err
    assert "an empty audience never means all recipients" in mailing["error"]
    assert service.count("confirmSendMessageByList", confirm="1") == 0


def test_estimated_list_cost_counts_for_the_budget(
    odd: tuple[Service, Shop],
) -> None:
    """An estimated list cost counts toward the budget, is recorded, and counts in the next apply."""
    service, shop = odd
    service.answers["confirmSendMessageByList"] = lambda params: (200, {"data": {"count": 1000}})
    configure(shop, "guardrails: {budget: 26}\n")
    result, mailing = _apply(shop)
    assert (result.code, mailing["recipients"]) == (0, 1000), result.err
    assert {entry["cost"] for entry in shop.lock()["mailings"].values()} == {"26.00"}


def test_rejected_confirmation_leaves_a_draft(odd: tuple[Service, Shop]) -> None:
    """After a 400 without a reason the result says that the draft exists, and a later apply confirms it."""
    service, shop = odd

    def confirm(params: dict[str, Any]) -> Answer:
        broke = str(params["confirm"]) == "1"
        return (400, "") if broke else (200, {"status": "OK", "result": {"count": 3, "status": "DRAFT"}})

    service.answers["confirmSendMessageByList"] = confirm
    result, mailing = _apply(shop)
    assert (result.code, mailing["outcome"]) == (1, "skipped"), result.err
    assert "not confirmed" in mailing["error"]
    service.answers["confirmSendMessageByList"] = lambda params: (
        200,
        {"success": "OK"} if str(params["confirm"]) == "1" else {"data": {"count": 3, "status": "DRAFT"}},
    )
    assert _apply(shop)[0].code == 0
    assert service.count("sendSmsList") == 1


def test_apply_gives_up_after_a_long_retry_after(odd: tuple[Service, Shop]) -> None:
    """After a Retry-After of an hour apply neither waits nor repeats the request; the next apply sends it."""
    service, shop = odd
    shop.write("sale.yaml", ONE)
    service.answers["getBalance"] = lambda params: (200, {"result": [{"balance": "9"}]})
    service.answers["sendBulkSms"] = lambda params: (429, {"error": "Request limit exceeded"})
    result, mailing = _apply(shop)
    assert (result.code, mailing["outcome"]) == (7, "skipped"), result.err
    assert service.count("sendBulkSms") == 1
    del service.answers["sendBulkSms"]
    result, mailing = _apply(shop)
    assert (result.code, mailing["uuids"]) == (0, ["u-1"]), result.err


def test_status_of_an_unknown_request_hides_no_other(odd: tuple[Service, Shop]) -> None:
    """A uuid that is `not found` is reported and counts as pending, and the other requests are still shown."""
    service, shop = odd
    shop.write("sale.yaml", ONE)
    service.answers["getBalance"] = lambda params: (200, {"result": [{"balance": "9"}]})
    assert _apply(shop)[0].code == 0
    service.answers["statusBulkSms"] = lambda params: (404, {"error": "not found"})
    result = shop.run("status", "--format", "json")
    assert result.code == 0, result.err
    assert [(one["state"], one["pending"]) for one in result.json["mailings"]] == [("sending", 1)]


def test_report_path_is_checked_before_sending(odd: tuple[Service, Shop]) -> None:
    """A report that cannot be written is reported before anything is sent."""
    service, shop = odd
    assert shop.run("apply", "--auto-approve", "--report", "missing/report.json").code == 64
    assert service.count("sendSmsList") == 0


def test_refused_apply_still_writes_one_json_document(odd: tuple[Service, Shop]) -> None:
    """A refused apply writes one JSON document to stdout: every mailing is skipped, with the reason."""
    service, shop = odd
    shop.write("sale.yaml", ONE)
    configure(shop, "guardrails: {max_cost: 0.01}\n")
    too_dear, mailing = _apply(shop)
    assert (too_dear.code, mailing["outcome"], "max_cost" in mailing["error"]) == (4, "skipped", True)
    configure(shop)
    service.answers["getBalance"] = lambda params: (200, {"balance": "0.01"})
    too_poor, mailing = _apply(shop)
    assert (too_poor.code, mailing["outcome"], "balance" in mailing["error"]) == (4, "skipped", True)
    service.answers["getBalance"] = lambda params: (200, {"balance": "9"})
    not_approved = shop.run("apply", "--format", "json", stdin="no\n")
    assert (not_approved.code, not_approved.json["summary"]["skipped"]) == (4, 1)
    assert service.count("sendBulkSms") == 0


@pytest.mark.parametrize("was_there", [True, False])
def test_found_list_needs_a_count_from_sms_by(odd: tuple[Service, Shop], was_there: bool) -> None:
    """A list with our name that this run did not make is sent to only if sms.by reports its number of contacts."""
    service, shop = odd
    shop.write("sale.yaml", ONE.replace("{name: a,", "{name: a, upload: true,"))
    lists: dict[str, str] = {}

    def make(params: dict[str, Any]) -> Answer:
        lists["8"] = params["name"]
        return LOST if was_there else (200, {"status": "OK", "result": {"list_id": 8}})

    service.answers |= {
        "createSubscriberList": make,
        "getSubscriberLists": lambda params: (200, lists),
        "getBalance": lambda params: (200, {"currency": "BYN", "result": [{"balance": "9"}]}),
        "importContacts": lambda params: (200, {"result": {"inserted": 1, "updated": 0, "invalid": 0}}),
        "confirmSendMessageByList": lambda params: (200, {"status": "OK"}),
    }
    result, mailing = _apply(shop)
    if was_there:
        assert (result.code, mailing["outcome"]) == (4, "skipped"), result.err
        assert "does not report how many recipients it has" in mailing["error"]
    else:
        assert (result.code, mailing["outcome"]) == (0, "sent"), result.err
    assert service.count("confirmSendMessageByList", confirm="1") == (0 if was_there else 1)
