"""The inbox page, its data, and the guard against other sites: it may show phones and texts of real recipients."""

from __future__ import annotations

import ipaddress
from importlib.resources import files
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request

from smsby_deploy.sandbox.inbox import read_inbox, read_overview
from smsby_deploy.sandbox.service import Service

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


def serve_page(app: Flask, service: Service) -> None:
    """Serve the page at /, its files and its data; guard every route outside /api."""
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
        if request.path.startswith("/api/") or _is_from_own_site():
            return None
        response = jsonify(
            {"error": "this page and /_sandbox are only served under the address of the sandbox"}
        )
        response.status_code = 403
        return response

    @app.after_request
    def add_security_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _CONTENT_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response


def _is_from_own_site() -> bool:
    """Return whether neither a script of another site nor a foreign name for this machine (DNS rebinding) asks."""
    origin = request.headers.get("Origin")
    try:
        if origin is not None and urlsplit(origin).netloc != request.host:
            return False
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False
    return not is_loopback(request.remote_addr) or is_loopback(host)


def is_loopback(host: str | None) -> bool:
    """Return whether `host`, a name or an address, is this machine."""
    if host is None or host == "localhost" or host.endswith(".localhost"):
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _page_file(name: str) -> Response:
    content = (files("smsby_deploy.sandbox") / "page" / name).read_bytes()
    return Response(content, mimetype=_CONTENT_TYPES[name])
