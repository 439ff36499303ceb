"""callback_url: tell a client of this machine what became of its request.

What sms.by sends there is not documented; here it is a POST of JSON, `{"uuid", "result"}`, the result being what
statusBulkSms answers. Addresses beyond this machine are never called.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from urllib.parse import urlsplit

from smsby_deploy.sandbox.methods.bulk import status_bulk_sms
from smsby_deploy.sandbox.routes_ui import is_loopback
from smsby_deploy.sandbox.service import Service

_LOOK_SECONDS = 0.2
_TIMEOUT_SECONDS = 5.0


def send_callbacks(service: Service, ended: threading.Event) -> None:
    """Call back for every request whose messages are all handled, until `ended`; each once, whatever the answer."""
    # No proxy: it would be asked to carry phones and texts.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    while not ended.wait(_LOOK_SECONDS):
        account = service.account
        for uuid, url in account.store.take_callbacks(account.now() - account.settings.delay):
            if not can_be_called(url):
                continue
            body = json.dumps({"uuid": uuid, "result": status_bulk_sms(account, {"uuid": uuid})}).encode()
            call = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # checked
            try:
                opener.open(call, timeout=_TIMEOUT_SECONDS).close()
            except (OSError, ValueError):
                continue  # nobody there, or an error: whether the real service tries again is not known


def can_be_called(url: str) -> bool:
    """Whether an address is one of this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname)
    except ValueError:
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object, **more: object) -> None:
        """Follow none: it could lead off this machine."""
        return
