"""Callbacks: POST the outcome of a finished request to its `callback_url` on this machine.

sms.by does not document what it sends. The sandbox posts JSON, `{"uuid", "result"}`, where `result` is the answer of
statusBulkSms. It never calls an address outside this machine.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from urllib.parse import urlsplit

from smsby_deploy.sandbox.methods.bulk import status_bulk_sms
from smsby_deploy.sandbox.routes_ui import is_loopback
from smsby_deploy.sandbox.service import Service

_POLL_SECONDS = 0.2
_TIMEOUT_SECONDS = 5.0


def send_callbacks(service: Service, ended: threading.Event) -> None:
    """Post one callback for each request once all its messages have their outcome, until `ended` is set."""
    # A proxy would see phones and texts.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    while not ended.wait(_POLL_SECONDS):
        account = service.account
        for uuid, url in account.store.take_callbacks(account.now() - account.settings.delay):
            if not is_callable_url(url):
                continue
            body = json.dumps({"uuid": uuid, "result": status_bulk_sms(account, {"uuid": uuid})}).encode()
            call = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # loopback
            try:
                opener.open(call, timeout=_TIMEOUT_SECONDS).close()
            except (OSError, ValueError):
                continue  # it is not documented whether sms.by tries again


def is_callable_url(url: str) -> bool:
    """Return whether `url` is an HTTP address of this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname)
    except ValueError:
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object, **more: object) -> None:
        """Follow no redirect: it could lead to another machine."""
        return
