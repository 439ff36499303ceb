"""The methods of the local sms.by."""

from __future__ import annotations

import re
import socket
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, Response, jsonify, request

from smsby_deploy.clock import Clock
from smsby_deploy.sandbox.params import read_params
from smsby_deploy.sandbox.store import Accepted, Store, fate_of

_LATIN = (160, 306, 459, 628, 785, 942, 1071, 1224, 1377, 1530)
_UNICODE = (70, 134, 201, 252, 315, 378, 469, 536, 603, 670)
_PRICE = Decimal("0.026")
_PHONE = re.compile(r"\+?\d{9,15}")


@dataclass(slots=True)
class SandboxSettings:
    """How this sms.by behaves. `delay` is the seconds until a message that is due is handled."""

    delay: float = 0.5
    account_timezone: str = "Europe/Minsk"
    balance: Decimal = Decimal("1000.00")
    error_status: int = 400  # 200: errors come as HTTP 200 with `error`
    list_lag: float = 0.0  # seconds until a mailing appears in getSMSMessages
    alphanames: dict[str, str] = field(
        default_factory=lambda: {"0": "System name (SMS.by)", "1363": "MyShop", "1364": "Kvetka"}
    )
    lists: dict[int, tuple[str, int]] = field(
        default_factory=lambda: {3434: ("Newsletter", 25), 3435: ("Regulars", 8)}
    )


class _ApiFault(Exception):
    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class _Fault:
    method: str
    nth: int
    when: str
    mode: str
    seconds: float


class Sandbox:
    """One account at the local sms.by."""

    def __init__(self, store: Store, settings: SandboxSettings, clock: Clock) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.faults: list[_Fault] = []
        self.calls: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._methods: dict[str, Callable[[dict[str, Any]], Any]] = {
            name.removeprefix("do_").replace("_", ""): getattr(self, name)
            for name in dir(self)
            if name.startswith("do_")
        }

    def now(self) -> float:
        return self.clock.now().timestamp()

    # --- calls and faults --------------------------------------------------------------------------------------

    def call(self, method: str) -> Response:
        """Answer one call, faults first."""
        params = read_params(request)
        fault = self._next_fault(method.lower())
        shown = {name: value for name, value in params.items() if name != "token"}
        with self._lock:
            self.calls.append({"method": method, "verb": request.method, "params": shown})
        if fault is not None and fault.when == "before":
            return _break(fault)
        response = self._answer(method, params)
        return _break(fault, response) if fault is not None else response

    def _answer(self, method: str, params: dict[str, Any]) -> Response:
        handler = self._methods.get(method.lower())
        try:
            if handler is None:
                return _json({"error": "Page not found"}, 404)
            if not params.get("token") or params["token"] == "bad":
                raise _ApiFault("token is invalid", 403)
            return _json(handler(params))
        except _ApiFault as error:
            return _json({"error": str(error)}, error.status or self.settings.error_status)

    def _next_fault(self, method: str) -> _Fault | None:
        with self._lock:
            hit = None
            for fault in list(self.faults):
                if fault.method.lower() == method:
                    fault.nth -= 1
                    if fault.nth == 0 and hit is None:
                        hit = fault
                        self.faults.remove(fault)
            return hit

    # --- sending -----------------------------------------------------------------------------------------------

    def do_send_bulk_sms(self, params: dict[str, Any]) -> Any:
        messages = params.get("messages")
        if not isinstance(messages, list) or not messages:
            raise _ApiFault("incorrect arguments")
        number = str(uuid.uuid1())
        made = [self._mailing(message, number) for message in messages]
        cost = sum((Decimal(fields["cost"]) for fields, _ in made), Decimal(0))
        if cost > self.store.balance:
            raise _ApiFault("limit exceeded")
        self.store.add(made, cost)
        return {"uuid": number, "success": "OK"}

    def _mailing(self, message: Any, number: str) -> tuple[dict[str, Any], list[tuple[str, str, int]]]:
        if not isinstance(message, dict):
            raise _ApiFault("incorrect arguments")
        personal = message.get("message_type") == "personal"
        rows = message.get("delivery_list")
        if not isinstance(rows, list) or not rows:
            raise _ApiFault("incorrect arguments")
        sms = []
        for row in rows:
            phone = row.get("phone") if isinstance(row, dict) else row
            text = row.get("text") if personal and isinstance(row, dict) else message.get("text")
            if not text:
                raise _ApiFault("incorrect arguments")
            sms.append((_phone(phone), str(text), count_parts(str(text))))
        when = str(message.get("schedule_time") or "")
        fields = self._fields(str(message.get("name") or ""), message.get("alphaname_id"), sms, when)
        return fields | {"uuid": number, "status": "NEW", "kind": "bulk"}, sms

    def _fields(
        self, name: str, alphaname: Any, sms: list[tuple[str, str, int]], when: str
    ) -> dict[str, Any]:
        known = self.settings.alphanames.get(str(alphaname))
        if known is None:
            raise _ApiFault("Wrong alphaname. Check it is correct and approved.")
        parts = sum(part for _, _, part in sms)
        return {
            "name": name,
            "alphaname_id": int(str(alphaname)),
            "alphaname": known,
            "created": self.now(),
            "goes_out": self._time(when) if when else self.now(),
            "scheduled": int(bool(when)),
            "parts": parts,
            "phones": len(sms),
            "cost": str(parts * _PRICE),
        }

    def _time(self, text: str) -> float:
        """A textual date in the account's clock."""
        try:
            when = datetime.fromisoformat(text)
        except ValueError as error:
            raise _ApiFault("incorrect arguments") from error
        return when.replace(tzinfo=ZoneInfo(self.settings.account_timezone)).timestamp()

    def do_send_sms_list(self, params: dict[str, Any]) -> Any:
        found = self.settings.lists.get(int(str(params.get("list_id") or 0)))
        text = str(params.get("message") or "")
        if found is None or not text:
            raise _ApiFault("incorrect arguments")
        sms = [(f"37529{index:07d}", text, count_parts(text)) for index in range(1, found[1] + 1)]
        fields = self._fields(
            str(params.get("name") or ""),
            params.get("alphaname_id"),
            sms,
            str(params.get("d_schedule") or ""),
        )
        (number,) = self.store.add([(fields | {"status": "DRAFT", "kind": "list"}, sms)], Decimal(0))
        return {"status": "OK", "result": {"message_id": number}}

    def do_confirm_send_message_by_list(self, params: dict[str, Any]) -> Any:
        mailing = self._find(params.get("message_id"))
        if str(params.get("confirm")) == "1" and mailing.status == "DRAFT":
            if mailing.cost > self.store.balance:
                raise _ApiFault("Insufficient funds to continue", 400)
            self.store.start_draft(mailing.id, max(mailing.goes_out, self.now()))
            mailing = self._find(mailing.id)
        return {
            "status": "OK",
            "result": {
                "message_id": mailing.id,
                "status": mailing.status,
                "count_phones": mailing.phones,
                "parts": str(mailing.parts),
                "cost": f"{mailing.cost:.5f}",
            },
        }

    def _find(self, number: Any) -> Accepted:
        text = str(number)
        mailing = self.store.find(int(text)) if text.isdigit() else None
        if mailing is None:
            raise _ApiFault("message_id not found", 404)
        return mailing

    # --- reading -----------------------------------------------------------------------------------------------

    def _status(self, mailing: Accepted, phone: str) -> str:
        handled = mailing.status != "DRAFT" and self.now() >= mailing.goes_out + self.settings.delay
        return fate_of(phone) if handled else "NEW"

    def do_status_bulk_sms(self, params: dict[str, Any]) -> Any:
        zone = ZoneInfo(self.settings.account_timezone)
        return [
            {
                "message_id": mailing.id,
                "name": mailing.name,
                "alphaname_id": mailing.alphaname_id,
                "success": [
                    {
                        "delivery_id": number,
                        "phone": phone,
                        "status": self._status(mailing, phone),
                        "status_time": f"{datetime.fromtimestamp(mailing.goes_out, zone):%Y-%m-%d %H:%M:%S.%f}",
                    }
                    for number, phone, _ in self.store.messages(mailing.id)
                ],
            }
            for mailing in self.store.mailings("where uuid = ?", str(params.get("uuid")))
        ]

    def do_get_sms_messages(self, params: dict[str, Any]) -> Any:
        visible = [m for m in self.store.mailings() if self.now() - m.created >= self.settings.list_lag]
        wanted = str(params.get("type") or "API").upper()
        if not visible or wanted != "API":
            raise _ApiFault("Content not found", 406)
        return {
            "status": "success",
            "data": [
                {
                    "id": m.id,
                    "name": m.name,
                    "d_create": int(m.created),
                    "d_schedule": int(m.goes_out),
                    "type": "API",
                    "parts": str(m.parts),
                    "count_phones": m.phones,
                    "status": m.status,
                    "sms_delivered": str(
                        sum(
                            self._status(m, phone) == "DELIVERED" for _, phone, _ in self.store.messages(m.id)
                        )
                    ),
                    "cost": f"{m.cost:.5f}",
                    "alphaname": m.alphaname,
                }
                for m in visible
            ],
        }

    def do_get_sms_delivery_list(self, params: dict[str, Any]) -> Any:
        mailing = self._find(params.get("message_id"))
        zone = ZoneInfo(self.settings.account_timezone)
        rows = self.store.messages(mailing.id)
        first = int(str(params.get("limit_offset") or 0))
        count = int(str(params.get("limit_rows") or len(rows)))
        return {
            "result": [
                {
                    "phone": int(phone),
                    "status": self._status(mailing, phone).lower(),
                    "d_sent": f"{datetime.fromtimestamp(mailing.goes_out, zone):%Y-%m-%d %H:%M:%S}",
                }
                for _, phone, _ in rows[first : first + count]
            ]
        }

    def do_get_alphanames(self, params: dict[str, Any]) -> Any:
        return self.settings.alphanames

    def do_get_alphaname_id(self, params: dict[str, Any]) -> Any:
        for number, name in self.settings.alphanames.items():
            if name == params.get("name"):
                return {"id": int(number)}
        raise _ApiFault("not found", 404)

    def do_get_subscriber_lists(self, params: dict[str, Any]) -> Any:
        return {
            "status": "OK",
            "result": [{"list_id": n, "name": v[0]} for n, v in self.settings.lists.items()],
        }

    def do_get_balance(self, params: dict[str, Any]) -> Any:
        return {"status": "OK", "currency": "BYN", "result": [{"balance": f"{self.store.balance:.5f}"}]}

    def do_get_limit(self, params: dict[str, Any]) -> Any:
        return {"limit": int(self.store.balance / _PRICE)}

    # --- looking in ----------------------------------------------------------------------------------------------

    def inbox(self) -> dict[str, list[dict[str, Any]]]:
        """What each phone got or is to get: drafts reach nobody."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for mailing in self.store.mailings("where status != 'DRAFT'"):
            for _, phone, text in self.store.messages(mailing.id):
                found[phone].append(
                    {
                        "text": text,
                        "sender": mailing.alphaname,
                        "mailing": mailing.name,
                        "at": mailing.goes_out,
                    }
                )
        return found


def create_app(sandbox: Sandbox) -> Flask:
    """The service as a Flask application."""
    app = Flask("sandbox")

    @app.route("/api/<version>/<method>", methods=["GET", "POST"])
    def api(version: str, method: str) -> Response:
        return sandbox.call(method)

    @app.get("/_sandbox/inbox")
    def inbox() -> Response:
        return jsonify(sandbox.inbox())

    @app.get("/_sandbox/requests")
    def requests_log() -> Response:
        return jsonify(sandbox.calls)

    @app.post("/_sandbox/faults")
    def add_fault() -> Response:
        fault = request.get_json()
        seconds = float(fault.get("seconds", 1))
        sandbox.faults.append(
            _Fault(fault["method"], int(fault.get("nth", 1)), fault["when"], fault["mode"], seconds)
        )
        return _json({"status": "OK"})

    @app.delete("/_sandbox/faults")
    def clear_faults() -> Response:
        sandbox.faults.clear()
        return _json({"status": "OK"})

    @app.post("/_sandbox/settings")
    def change_settings() -> Response:
        changes = request.get_json()
        if "balance" in changes:
            sandbox.store.set_balance(Decimal(str(changes["balance"])))
        sandbox.settings.list_lag = float(changes.get("list_lag", sandbox.settings.list_lag))
        sandbox.settings.error_status = int(changes.get("error_status", sandbox.settings.error_status))
        return _json({"status": "OK"})

    return app


def count_parts(text: str) -> int:
    """Parts by the provider's table; over 10 is refused."""
    table = _LATIN if text.isascii() else _UNICODE
    units = len(text) + (sum(text.count(c) for c in "\n[]\\^{}|") if text.isascii() else 0)
    for parts, most in enumerate(table, 1):
        if units <= most:
            return parts
    if len(text) <= table[-1]:
        return len(table)
    raise _ApiFault("Message is too long. Allowed size: 1530 chars for 10 sms")


def _phone(value: Any) -> str:
    text = str(value or "")
    if not _PHONE.fullmatch(text):
        raise _ApiFault("incorrect phone number")
    return text.lstrip("+")


def _json(data: Any, status: int = 200) -> Response:
    response = jsonify(data)
    response.status_code = status
    return response


def _break(fault: _Fault, response: Response | None = None) -> Response:
    """The answer that a fault leaves of a call; `response` is what would have been answered."""
    match fault.mode:
        case "reset":
            _hang_up()
        case "timeout":
            time.sleep(fault.seconds)
            _hang_up()
        case "slow":
            time.sleep(fault.seconds)
            return response or _json({"error": "slow"}, 500)
        case "500":
            return _json({"error": "Server is not available"}, 500)
        case "html":
            return Response("<html>502 Bad Gateway</html>", 502, mimetype="text/html")
        case "truncated":
            return Response('{"uuid": "cc9c80', 200, mimetype="application/json")
        case "429":
            return Response("", 429, {"Retry-After": f"{fault.seconds:.0f}"})
        case "redirect":
            return Response("", 302, {"Location": "/"})
    return Response("", 500)


def _hang_up() -> None:
    """Close the connection without an answer."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
