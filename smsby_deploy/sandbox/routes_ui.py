"""The inbox page, and who may look at it: the phones and texts in it may be those of real people."""

from __future__ import annotations

import ipaddress
from importlib.resources import files
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request

_TYPES = {
    "index.html": "text/html",
    "inbox.css": "text/css",
    "inbox.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def serve_page(app: Flask) -> None:
    """The page at / with its files, and a guard for everything but the API."""

    @app.before_request
    def guard() -> Response | None:
        if request.path.startswith("/api/") or _is_at_home():
            return None
        response = jsonify({"error": "this page and /_sandbox are for the sandbox's own address only"})
        response.status_code = 403
        return response

    @app.get("/")
    def page() -> Response:
        return _file("index.html")

    @app.get("/_sandbox/page/<name>")
    def page_file(name: str) -> Response:
        return _file(name) if name in _TYPES else Response("", 404)

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response


def _is_at_home() -> bool:
    """Not another site's script, and not another site's name that was made to point to this machine."""
    origin = request.headers.get("Origin")
    try:
        if origin is not None and urlsplit(origin).netloc != request.host:
            return False
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False
    return not is_loopback(request.remote_addr) or is_loopback(host)


def is_loopback(host: str | None) -> bool:
    """Whether a host, as it stands in an address, is this machine."""
    if host is None or host == "localhost" or host.endswith(".localhost"):
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _file(name: str) -> Response:
    content = (files("smsby_deploy.sandbox") / "page" / name).read_bytes()
    return Response(content, mimetype=_TYPES[name])
