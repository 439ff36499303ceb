"""Rules of the architecture that import-linter cannot express, because it does not see which names are imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent / "smsby_deploy"
_SENDING = {"SendClient", "SendTransport", "call_raw"}
# The client itself, apply, and the one place that opens a client for apply and the commands `api`, `test-send` and `otp`.
_MAY_SEND = ("smsby/", "apply/", "cli/session.py", "cli/api.py")


def _used_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_architecture_only_apply_reaches_a_sending_client() -> None:
    """No other room can send by mistake, because it has no name for a client that sends."""
    users = {
        path.relative_to(_PACKAGE).as_posix()
        for path in _PACKAGE.rglob("*.py")
        if _SENDING & set(_used_names(path))
    }
    assert {name for name in users if not name.startswith(_MAY_SEND)} == set()
    assert {"apply/context.py", "cli/session.py", "cli/api.py"} <= users
