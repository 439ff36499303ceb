"""Fault points: places where a test lets the real program die.

Off unless SMSBY_FAULT is set: `count:FILE` appends the name of every point passed to FILE; `kill:K` dies with
SIGKILL at the K-th point (counted from 1), as a lost runner would.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

_passed = 0
_one_at_a_time = threading.Lock()  # requests pass their points in threads of their own


def fault_point(name: str) -> None:
    """Pass the fault point `name`; does nothing in ordinary life."""
    setting = os.environ.get("SMSBY_FAULT")
    if not setting:
        return
    global _passed
    mode, _, argument = setting.partition(":")
    with _one_at_a_time:
        _passed += 1
        if mode == "count":
            with Path(argument).open("a", encoding="utf-8") as file:
                file.write(f"{_passed} {name}\n")
        elif mode == "kill" and _passed == int(argument):
            os.kill(os.getpid(), signal.SIGKILL)
