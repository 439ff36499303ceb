"""The sandbox as a web application: sms.by under /api, its own doors under /_sandbox, the inbox page at /."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Flask, Response, jsonify, request

from smsby_deploy.sandbox.clock import MovableClock
from smsby_deploy.sandbox.fault_effects import break_reply, write_reply
from smsby_deploy.sandbox.faults import BadFault, read_fault
from smsby_deploy.sandbox.inbox import read_inbox, read_overview
from smsby_deploy.sandbox.params import read_params
from smsby_deploy.sandbox.routes_ui import serve_page
from smsby_deploy.sandbox.service import Reply, Service
from smsby_deploy.sandbox.settings import BadSetting


def create_app(service: Service) -> Flask:
    """The service as a Flask application."""
    app = Flask("sandbox", static_folder=None)
    app.config["MAX_FORM_MEMORY_SIZE"] = None  # the limit of a form is max_input_vars
    serve_page(app)
    _serve_api(app, service)
    _serve_views(app, service)
    _serve_switches(app, service)
    return app


def _serve_api(app: Flask, service: Service) -> None:
    @app.route("/api/<version>/<method>", methods=["GET", "POST"])
    def api(version: str, method: str) -> Response:
        params = read_params(request, service.account.settings.max_input_vars)
        outcome = service.call(method, request.method, request.path, params)
        if outcome.fault is None:
            response = write_reply(outcome.reply or Reply(500, {}))
        else:
            response = break_reply(outcome.fault, outcome.reply, service.account.clock)
        outcome.logged.status = response.status_code
        return response


def _serve_views(app: Flask, service: Service) -> None:
    @app.get("/_sandbox/inbox")
    def inbox() -> Response:
        return jsonify(read_inbox(service.account, request.args.get("phone")))

    @app.get("/_sandbox/overview")
    def overview() -> Response:
        return jsonify(read_overview(service.account, request.args.get("search", "")))

    @app.get("/_sandbox/requests")
    def requests_log() -> Response:
        return jsonify([asdict(call) for call in service.calls()])

    @app.delete("/_sandbox/requests")
    def clear_requests() -> Response:
        service.clear_calls()
        return _done()

    @app.get("/_sandbox/lists")
    def lists() -> Response:
        store = service.account.store
        return jsonify(
            [
                {"list_id": number, "name": name, "contacts": store.contacts(number)}
                for number, name in store.lists().items()
            ]
        )


def _serve_switches(app: Flask, service: Service) -> None:
    account = service.account

    @app.get("/_sandbox/faults")
    def faults() -> Response:
        return jsonify(service.faults.as_json())

    @app.post("/_sandbox/faults")
    def add_fault() -> Response:
        given = _body()
        try:
            wanted = [read_fault(one) for one in (given if isinstance(given, list) else [given])]
        except BadFault as error:
            return _refused(str(error))
        for fault in wanted:
            service.faults.add(fault)
        return _done()

    @app.delete("/_sandbox/faults")
    def clear_faults() -> Response:
        service.faults.clear()
        return _done()

    @app.get("/_sandbox/settings")
    def settings() -> Response:
        return jsonify(account.settings.as_json() | {"balance": str(account.store.balance)})

    @app.post("/_sandbox/settings")
    def change_settings() -> Response:
        given = _body()
        if not isinstance(given, dict):
            return _refused("settings are a JSON object")
        try:
            service.change_settings(given)
        except BadSetting as error:
            return _refused(str(error))
        return _done()

    @app.get("/_sandbox/clock")
    def clock() -> Response:
        return _clock_told(account.clock)

    @app.post("/_sandbox/clock")
    def move_clock() -> Response:
        given = _body()
        try:
            _move(account.clock, given)
        except (ValueError, TypeError, OverflowError) as error:
            return _refused(str(error))
        account.store.write("clock_offset", str(account.clock.offset))
        return _clock_told(account.clock)

    @app.post("/_sandbox/moderate")
    def moderate() -> Response:
        given = _body()
        number = given.get("message_id") if isinstance(given, dict) else None
        message = account.store.find(number) if isinstance(number, int) else None
        if message is None or message.kind != "message":
            return _refused("`message_id` is a number that createSmsMessage gave", 404)
        account.store.moderate(message.id, account.now() if given.get("approve", True) else None)
        return _done()

    @app.post("/_sandbox/reset")
    def reset() -> Response:
        service.reset()
        return _done()


def _move(clock: MovableClock, given: Any) -> None:
    """Do what is asked of the clock. Raises ValueError or TypeError."""
    known = {"advance", "set", "stop", "run", "reset"}
    if not isinstance(given, dict) or not given or set(given) - known:
        raise ValueError(f"the clock takes a JSON object with some of {', '.join(sorted(known))}")
    if given.get("reset"):
        clock.reset()
    if given.get("stop"):
        clock.stop()
    if "set" in given:
        moment = datetime.fromisoformat(given["set"])
        if moment.tzinfo is None:
            raise ValueError("`set` needs an offset, as 2026-12-01T10:00:00+03:00")
        clock.set(moment)
    if "advance" in given:
        clock.advance(float(given["advance"]))
    if given.get("run"):
        clock.run()


def _clock_told(clock: MovableClock) -> Response:
    now = clock.now()
    return jsonify(
        {"now": now.isoformat(), "unix": now.timestamp(), "offset": clock.offset, "stopped": clock.is_stopped}
    )


def _body() -> Any:
    return request.get_json(force=True, silent=True)


def _done() -> Response:
    return jsonify({"status": "OK"})


def _refused(text: str, status: int = 400) -> Response:
    response = jsonify({"error": text})
    response.status_code = status
    return response
