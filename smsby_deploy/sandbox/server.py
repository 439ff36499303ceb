"""The sandbox as a server on loopback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from werkzeug.serving import make_server

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.app import Sandbox, SandboxSettings, create_app
from smsby_deploy.sandbox.store import Store


def serve(
    host: str, port: int, settings: SandboxSettings, data: Path | None, on_ready: Callable[[str], None]
) -> None:
    """Serve until the process ends; port 0 takes a free one. `on_ready` hears the URL once it can be called."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    sandbox = Sandbox(Store(data, settings.balance), settings, SystemClock())
    server = make_server(host, port, create_app(sandbox), threaded=True)
    on_ready(f"http://{host}:{server.server_port}")
    server.serve_forever()
