"""Work that every run of the command or the sandbox does sooner or later, done once for all forked runs.

Everything is imported, and the commands run once on a small project: a fork inherits compiled patterns and validators,
which are a good part of the work of a command on a small project.
"""

import gc
import importlib
import io
import os
import pkgutil
import threading
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import smsby_deploy

_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: [{phone: "375291234567", name: Anna}]
    text: "Hello {{ name }}"
  - {name: staff, recipients: {file: staff.csv}, text: Closed}
"""
_COMMANDS = (
    "validate",
    "plan --out plan.json",
    "apply plan.json",
    "status --format json",
    "lock list",
    "plan --format json",
)

_THREAD_SECONDS = 60  # the server's threads end on their own


def _import_everything() -> None:
    for module in pkgutil.walk_packages(smsby_deploy.__path__, "smsby_deploy."):
        if module.name not in ("smsby_deploy.__main__", "smsby_deploy.sandbox.pytest_plugin"):
            importlib.import_module(module.name)
    for name in (
        "encodings.idna",
        "filelock",
        "jinja2",
        "jsonschema",
        "obstore.store",
        "phonenumbers",
        "psycopg",
        "pygal",
        "requests",
        "rich.console",
        "rich.table",
        "sqlalchemy.dialects.postgresql",
        "sqlalchemy.dialects.sqlite",
        "yaml",
        "zoneinfo",
    ):
        importlib.import_module(name)


def _run_everything() -> None:
    from smsby_deploy.cli.main import run
    from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
    from smsby_deploy.sandbox.server import make_service, serving

    with TemporaryDirectory() as name, serving(make_service(SandboxSettings(delay=0))) as url:
        folder = Path(name)
        (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n", encoding="utf-8")
        (folder / "sale.yaml").write_text(_CAMPAIGN, encoding="utf-8")
        (folder / "staff.csv").write_text("phone\n375291234567\n", encoding="utf-8")
        environ = {"SMSBY_API_URL": url, "SMSBY_TOKEN": "warm-up-token", "SMSBY_PROJECT": name}
        with (
            patch.dict(os.environ, environ),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()) as said,
        ):
            for command in _COMMANDS:
                arguments = [str(folder / word) if word == "plan.json" else word for word in command.split()]
                code = run(arguments)
                assert code == 0, f"{command}: {code} {said.getvalue()}"


def _wait_for_threads() -> None:
    """Wait until no other thread can hold a lock: a fork has only the thread that made it."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(_THREAD_SECONDS)
    assert threading.active_count() == 1, threading.enumerate()


_import_everything()
_run_everything()
_wait_for_threads()
gc.collect()
gc.freeze()
