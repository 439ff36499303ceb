"""The sandbox as a web application: sms.by under /api, the control routes under /_sandbox, the inbox page at /."""

from __future__ import annotations

from flask import Flask, Response, request

from smsby_deploy.sandbox.fault_effects import break_reply, send_reply
from smsby_deploy.sandbox.params import read_params
from smsby_deploy.sandbox.replies import Reply
from smsby_deploy.sandbox.routes_control import serve_control
from smsby_deploy.sandbox.routes_ui import serve_page
from smsby_deploy.sandbox.service import Service


def create_app(service: Service) -> Flask:
    """Return the Flask application of `service`."""
    app = Flask("sandbox", static_folder=None)
    app.config["MAX_FORM_MEMORY_SIZE"] = None  # the setting max_input_vars limits forms
    serve_page(app, service)
    serve_control(app, service)
    _serve_api(app, service)
    return app


def _serve_api(app: Flask, service: Service) -> None:
    @app.route("/api/<version>/<method>", methods=["GET", "POST"])
    def api(version: str, method: str) -> Response:
        params = read_params(request, service.account.settings.max_input_vars)
        outcome = service.call(method, request.method, request.path, params)
        if outcome.fault is None:
            response = send_reply(outcome.reply or Reply(500, {}))
        else:
            response = break_reply(outcome.fault, outcome.reply, service.account.clock)
        outcome.logged.status = response.status_code
        return response
