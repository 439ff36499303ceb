"""The control routes under /_sandbox.

They are the request log, faults, settings, the clock and the stored state.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Flask, Response, jsonify, request

from smsby_deploy.sandbox.account import MovableClock
from smsby_deploy.sandbox.faults import BadFault, parse_fault
from smsby_deploy.sandbox.service import Service
from smsby_deploy.sandbox.settings import BadSetting

_CLOCK_COMMANDS = ("advance", "reset", "run", "set", "stop")


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
        given = _json_body()
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
        given = _json_body()
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
            _change_clock(service.account.clock, _json_body())
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
        given, account = _json_body(), service.account
        number = given.get("message_id") if isinstance(given, dict) else None
        message = account.store.find(number) if isinstance(number, int) else None
        if message is None or message.kind != "message":
            return _error("`message_id` must be a number that createSmsMessage returned", 404)
        account.store.moderate(message.id, account.now() if given.get("approve", True) else None)
        return _done()

    @app.post("/_sandbox/delete")
    def delete() -> Response:
        given, account = _json_body(), service.account
        number = given.get("message_id") if isinstance(given, dict) else None
        mailing = account.store.find(number) if isinstance(number, int) else None
        if mailing is None or (mailing.status != "DRAFT" and mailing.due <= account.now()):
            return _error("`message_id` must be a number of getSMSMessages that is not gone yet", 404)
        account.store.delete(mailing)
        return _done()

    @app.post("/_sandbox/reset")
    def reset() -> Response:
        service.reset()
        return _done()


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


def _json_body() -> Any:
    return request.get_json(force=True, silent=True)


def _done() -> Response:
    return jsonify({"status": "OK"})


def _error(text: str, status: int = 400) -> Response:
    response = jsonify({"error": text})
    response.status_code = status
    return response
