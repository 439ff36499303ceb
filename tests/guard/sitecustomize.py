"""An audit hook for tests: it forbids connections beyond loopback, and opening files in the real home.

tests/conftest.py imports it for the tests. Python imports a module of this name into every child process that has this
folder on PYTHONPATH, so the hook also guards the real command.
"""

from __future__ import annotations

import os
import site
import sys
import tempfile
from typing import Any

_LOOPBACK = ("127.", "0x7f", "localhost", "::1")


def _real_home() -> str | None:
    """Return the home of the user, whatever HOME says, or None in a container without one."""
    try:
        import pwd
    except ImportError:  # Windows: tests do not change USERPROFILE
        return os.path.realpath(os.path.expanduser("~"))
    try:
        home = os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None
    return home if home != "/" else None


_HOME = _real_home()
_CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
# Folders that a developer may have at home and tests need: checkout, interpreter, packages.
_ALLOWED = tuple(
    os.path.realpath(path)
    for path in (
        _CHECKOUT,
        sys.prefix,
        sys.base_prefix,
        site.getusersitepackages(),
        tempfile.gettempdir(),
        *filter(None, sys.path),
    )
)


class ReachedOut(AssertionError):
    """A test tried to leave its sandbox."""


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _check_host(host: object) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if isinstance(name, str) and name and not name.startswith(_LOOPBACK):
        raise ReachedOut(f"a test tried to connect to {name}")


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        if isinstance(arguments[1], tuple):
            _check_host(arguments[1][0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        _check_host(arguments[0])
    elif event == "open" and _HOME is not None and isinstance(arguments[0], str | bytes):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if _below(path, _HOME) and not any(_below(path, folder) for folder in _ALLOWED):
            raise ReachedOut(f"a test tried to open {path} in the real home")


sys.addaudithook(_guard)
