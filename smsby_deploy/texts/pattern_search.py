"""Searches with the regular expressions of a project, with a time limit.

Patterns such as `(a|aa)+$` take time that doubles with each character of a text.
"""

from __future__ import annotations

import re
import signal
import threading
from types import FrameType

from smsby_deploy.config.scalars import is_quick
from smsby_deploy.wording import sentence

MOST_SECONDS = 2.0  # of processor time, for one text
MOST_IN_ALL = 60.0  # for all texts and all patterns of a run
_SHORTEST = 0.001

_spent: dict[str, float] = {}  # seconds, by pattern
_slow: dict[str, str] = {}  # patterns that took too long once, and how long


class PatternTooSlow(Exception):
    """A search took too long."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def begin_run() -> None:
    """Reset the time that searches have used: a watch makes many runs in one process."""
    _spent.clear()
    _slow.clear()


def is_found(pattern: str, text: str, flags: int = 0) -> bool:
    """Whether `pattern`, a valid regular expression, is found in `text`.

    A long search can be interrupted only in the main thread, and not on Windows.

    Raises:
        PatternTooSlow: the search takes too long.
    """
    if is_quick(pattern) or not _can_interrupt():
        return re.search(pattern, text, flags) is not None
    if pattern in _slow:
        raise PatternTooSlow(_slow[pattern])
    left = MOST_IN_ALL - sum(_spent.values())
    limit = max(_SHORTEST, min(MOST_SECONDS, left))  # 0 would set no timer
    previous = signal.signal(signal.SIGVTALRM, _interrupt)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, limit)
        try:
            return re.search(pattern, text, flags) is not None
        finally:
            rest, _ = signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            _spent[pattern] = _spent.get(pattern, 0.0) + limit - rest
    except _Interrupted:
        _slow[pattern] = _explain(is_for_one=limit == MOST_SECONDS)
        raise PatternTooSlow(_slow[pattern]) from None
    finally:
        signal.signal(signal.SIGVTALRM, previous)


class _Interrupted(Exception):
    """The timer of a search has expired."""


def _explain(*, is_for_one: bool) -> str:
    if is_for_one:
        return sentence(
            "takes more than {seconds:.0f} s of processor time for one text; simplify it",
            seconds=MOST_SECONDS,
        )
    return sentence(
        "takes, with the other patterns, more than {seconds:.0f} s of processor time for all texts; simplify it",
        seconds=MOST_IN_ALL,
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise _Interrupted


def _can_interrupt() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
