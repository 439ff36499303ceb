"""Fault points: places where a test can kill the real program.

SMSBY_FAULT turns them on. `count:FILE` appends the name of every point that is passed to the file FILE; `kill:K` kills the
process with SIGKILL at the K-th point, counted from 1, as if the machine were lost. `pause:FILE` appends the name as
well, and then waits until a byte is written to the named pipe FILE.pipe.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

_passed = 0
_mutex = threading.Lock()  # worker threads pass the points of their requests


def fault_point(name: str) -> None:
    """Pass the fault point `name`; does nothing unless SMSBY_FAULT is set."""
    setting = os.environ.get("SMSBY_FAULT")
    if not setting:
        return
    global _passed
    mode, _, argument = setting.partition(":")
    with _mutex:
        _passed += 1
        if mode in ("count", "pause"):
            with Path(argument).open("a", encoding="utf-8") as file:
                file.write(f"{_passed} {name}\n")
        if mode == "kill" and _passed == int(argument):
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "pause":
            Path(f"{argument}.pipe").read_bytes()
