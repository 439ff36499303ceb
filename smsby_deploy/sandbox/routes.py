"""The routes of the sandbox besides the API: control, the page, the guard against other sites.

Control routes are the request log, faults, settings, the clock and the stored state. The page may show phones and texts of
real recipients, so requests from other sites are refused.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import asdict
from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request

from smsby_deploy.sandbox.account import Account, MovableClock
from smsby_deploy.sandbox.faults import BadFault, parse_fault
from smsby_deploy.sandbox.methods.listing import is_listed
from smsby_deploy.sandbox.models import DELIVERED, UNDELIVERED, SandboxMailing, Sms
from smsby_deploy.sandbox.protocol import read_json
from smsby_deploy.sandbox.sandbox_settings import BadSetting
from smsby_deploy.sandbox.service import Service

_CLOCK_COMMANDS = ("advance", "reset", "run", "set", "stop")
_MAX_ROWS = 200
_LARGEST_ID = 2**63  # of SQLite
_EXCERPT = 120  # characters of a text in the list of phones
_CONTENT_TYPES = {
    "index.html": "text/html",
    "inbox.css": "text/css",
    "inbox.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def serve_control(app: Flask, service: Service) -> None:
    """Serve all control routes."""
    _serve_log(app, service)
    _serve_faults(app, service)
    _serve_settings(app, service)
    _serve_clock(app, service)
    _serve_state(app, service)


def _serve_log(app: Flask, service: Service) -> None:
    @app.get("/_sandbox/requests")
    def requests_log() -> Response:
        return jsonify([asdict(call) for call in service.calls()])

    @app.delete("/_sandbox/requests")
    def clear_requests() -> Response:
        service.clear_calls()
        return _done()


def _serve_faults(app: Flask, service: Service) -> None:
    @app.get("/_sandbox/faults")
    def list_faults() -> Response:
        return jsonify(service.faults.as_json())

    @app.post("/_sandbox/faults")
    def add_faults() -> Response:
        given = read_json(request)
        try:
            parsed = [parse_fault(one) for one in (given if isinstance(given, list) else [given])]
        except BadFault as error:
            return _error(str(error))
        for fault in parsed:
            service.faults.add(fault)
        return _done()

    @app.delete("/_sandbox/faults")
    def clear_faults() -> Response:
        service.faults.clear()
        return _done()


def _serve_settings(app: Flask, service: Service) -> None:
    @app.get("/_sandbox/settings")
    def show_settings() -> Response:
        account = service.account
        return jsonify(account.settings.as_json() | {"balance": str(account.store.balance)})

    @app.post("/_sandbox/settings")
    def change_settings() -> Response:
        given = read_json(request)
        if not isinstance(given, dict):
            return _error("expected a JSON object of settings")
        try:
            service.change_settings(given)
        except BadSetting as error:
            return _error(str(error))
        return _done()


def _serve_clock(app: Flask, service: Service) -> None:
    @app.get("/_sandbox/clock")
    def show_clock() -> Response:
        return _clock_reading(service.account.clock)

    @app.post("/_sandbox/clock")
    def move_clock() -> Response:
        try:
            _change_clock(service.account.clock, read_json(request))
        except (ValueError, TypeError, OverflowError) as error:
            return _error(str(error))
        account = service.account
        account.store.write("clock_offset", str(account.clock.offset))
        return _clock_reading(service.account.clock)


def _serve_state(app: Flask, service: Service) -> None:
    @app.get("/_sandbox/lists")
    def show_lists() -> Response:
        store = service.account.store
        return jsonify(
            [
                {"list_id": number, "name": name, "contacts": store.contacts(number)}
                for number, name in store.lists().items()
            ]
        )

    @app.post("/_sandbox/moderate")
    def moderate() -> Response:
        given, account = read_json(request), service.account
        message = _mailing_named(given, account)
        if message is None or message.kind != "message":
            return _error("`message_id` must be a number that createSmsMessage returned", 404)
        account.store.moderate(message.id, account.now() if given.get("approve", True) else None)
        return _done()

    @app.post("/_sandbox/delete")
    def delete() -> Response:
        account = service.account
        mailing = _mailing_named(read_json(request), account)
        if mailing is None or (mailing.status != "DRAFT" and mailing.due <= account.now()):
            return _error("`message_id` must be that of a listed mailing that has not been sent yet", 404)
        account.store.delete(mailing)
        return _done()

    @app.post("/_sandbox/reset")
    def reset() -> Response:
        service.reset()
        return _done()


def _mailing_named(given: Any, account: Account) -> SandboxMailing | None:
    """Return the mailing with the `message_id` of a JSON object."""
    number = given.get("message_id") if isinstance(given, dict) else None
    return account.store.find(number) if isinstance(number, int) and number < _LARGEST_ID else None


def _change_clock(clock: MovableClock, given: Any) -> None:
    """Apply the commands in `given`, a JSON object. Raises ValueError or TypeError."""
    if not isinstance(given, dict) or not given or set(given) - set(_CLOCK_COMMANDS):
        raise ValueError(f"expected a JSON object with some of {', '.join(_CLOCK_COMMANDS)}")
    if given.get("reset"):
        clock.reset()
    if given.get("stop"):
        clock.stop()
    if "set" in given:
        moment = datetime.fromisoformat(given["set"])
        if moment.tzinfo is None:
            raise ValueError("`set` needs an offset, for example 2026-12-01T10:00:00+03:00")
        clock.set(moment)
    if "advance" in given:
        clock.advance(float(given["advance"]))
    if given.get("run"):
        clock.run()


def _clock_reading(clock: MovableClock) -> Response:
    now = clock.now()
    return jsonify(
        {"now": now.isoformat(), "unix": now.timestamp(), "offset": clock.offset, "stopped": clock.is_stopped}
    )


def _done() -> Response:
    return jsonify({"status": "OK"})


def _error(text: str, status: int = 400) -> Response:
    response = jsonify({"error": text})
    response.status_code = status
    return response


def read_inbox(account: Account, phone: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the messages of each phone (or of one), the oldest first, without drafts."""
    messages = account.store.sent_sms(phone)
    # Read after the messages, so that the mailing of each message is there even while more are being sent.
    mailings = {mailing.id: mailing for mailing in account.store.mailings()}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for sms in messages:
        found[sms.phone].append(_message(account, sms, mailings[sms.mailing]))
    return dict(found)


def _message(account: Account, sms: Sms, mailing: SandboxMailing) -> dict[str, Any]:
    status, since = account.status_of(sms, mailing)
    return {
        "id": sms.id,
        "text": sms.text,
        "sender": mailing.alphaname,
        "mailing": mailing.name,
        "message_id": mailing.id,
        "at": sms.due,
        "parts": sms.parts,
        "channel": sms.channel,
        "status": status,
        "status_at": since,
    }


def read_overview(account: Account, search: str) -> dict[str, Any]:
    """Return the data of the page: account, latest mailings, and latest phones.

    The phones contain the digits of `search`.
    """
    digits = "".join(character for character in search if character.isdigit())
    latest = [
        (phone, count, account.store.find_sms(last))
        for phone, count, last in account.store.latest_phones(digits, _MAX_ROWS)
    ]
    mailings = account.store.mailings()
    by_id = {mailing.id: mailing for mailing in mailings}
    phones = []
    for phone, count, sms in latest:
        if sms is not None and sms.mailing in by_id:
            shown = _message(account, sms, by_id[sms.mailing]) | {"text": sms.text[:_EXCERPT]}
            phones.append({"phone": phone, "messages": count, "last": shown})
    rows = [mailing for mailing in mailings if mailing.kind in ("bulk", "list", "message")]
    return {
        "now": account.now(),
        "clock_moved": account.clock.is_stopped or abs(account.clock.offset) > 1,
        "timezone": account.settings.account_timezone,
        "currency": account.settings.currency,
        "balance": str(account.store.balance),
        "phones": phones,
        "mailings": [_mailing(account, mailing) for mailing in reversed(rows[-_MAX_ROWS:])],
        "mailings_in_all": len(rows),
    }


def _mailing(account: Account, mailing: SandboxMailing) -> dict[str, Any]:
    is_draft = mailing.status == "DRAFT"
    outcomes = account.store.count_outcomes(account.now() - account.settings.delay, mailing.id)
    return {
        "id": mailing.id,
        "kind": mailing.kind,
        "name": mailing.name,
        "sender": mailing.alphaname,
        "state": _state(account, mailing, sum(outcomes.values())),
        "created": mailing.created,
        "due": mailing.due,
        "phones": mailing.phones,
        "parts": mailing.parts,
        "cost": str(mailing.cost),
        "delivered": 0 if is_draft else outcomes.get(DELIVERED, 0),
        "undelivered": 0 if is_draft else outcomes.get(UNDELIVERED, 0),
        "listed": is_listed(account, mailing),
    }


def _state(account: Account, mailing: SandboxMailing, finished: int) -> str:
    """Return the state that the page shows.

    `finished` is the number of messages with their outcome.
    """
    if mailing.status == "DRAFT":
        return "draft"
    if mailing.kind == "message" and not account.is_moderated(mailing):
        return "awaiting moderation"
    if mailing.kind == "message" and not mailing.phones:
        return "not sent yet"
    if mailing.due > account.now():
        return "scheduled"
    return "sent" if finished == mailing.phones else "sending"


def serve_page(app: Flask, service: Service) -> None:
    """Serve the page at /, its files and its data; guard every route, including those of /api."""
    _guard(app)

    @app.get("/")
    def page() -> Response:
        return _page_file("index.html")

    @app.get("/_sandbox/page/<name>")
    def page_file(name: str) -> Response:
        return _page_file(name) if name in _CONTENT_TYPES else Response("", 404)

    @app.get("/_sandbox/inbox")
    def inbox() -> Response:
        return jsonify(read_inbox(service.account, request.args.get("phone")))

    @app.get("/_sandbox/overview")
    def overview() -> Response:
        return jsonify(read_overview(service.account, request.args.get("search", "")))


def _guard(app: Flask) -> None:
    @app.before_request
    def refuse_other_sites() -> Response | None:
        if _is_from_own_site():
            return None
        return _error("the sandbox only answers under its own address, and not to other sites", 403)

    @app.after_request
    def add_security_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _CONTENT_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response


def _is_from_own_site() -> bool:
    """Return whether the request comes from the sandbox's own page, or from no page.

    Scripts of other sites are refused, and so are public names of this machine (DNS rebinding). A name without a dot is
    not public: pipelines give their services such names.
    """
    origin = request.headers.get("Origin")
    is_from_elsewhere = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    if is_from_elsewhere and (request.path != "/" or request.headers.get("Sec-Fetch-Mode") != "navigate"):
        return False  # an image or a script of another site, which has no Origin; a link to the page is fine
    try:
        if origin is not None and urlsplit(origin).netloc != request.host:
            return False
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False
    return not is_loopback(request.remote_addr) or is_loopback(host) or "." not in (host or ".")


def is_loopback(host: str | None) -> bool:
    """Return whether `host`, a name or an address, is this machine."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _page_file(name: str) -> Response:
    content = (files("smsby_deploy.sandbox") / "page" / name).read_bytes()
    return Response(content, mimetype=_CONTENT_TYPES[name])
