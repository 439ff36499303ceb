"""Searches with the patterns of a project, none of which may go on for ever.

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

_slow: set[str] = set()  # patterns that took too long once


class PatternTooSlow(Exception):
    """A search took too long."""

    def __init__(self) -> None:
        super().__init__(
            sentence(
                "takes more than {seconds:.0f} s of processor time for one text; simplify it",
                seconds=MOST_SECONDS,
            )
        )


def is_found(pattern: str, text: str, flags: int = 0) -> bool:
    """Whether `pattern`, a valid regular expression, is found in `text`.

    A long search can be interrupted only in the main thread, and not on Windows.

    Raises:
        PatternTooSlow: the search takes too long.
    """
    if is_quick(pattern) or not _can_interrupt():
        return re.search(pattern, text, flags) is not None
    if pattern in _slow:
        raise PatternTooSlow
    previous = signal.signal(signal.SIGVTALRM, _interrupt)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
        try:
            return re.search(pattern, text, flags) is not None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except PatternTooSlow:
        _slow.add(pattern)
        raise
    finally:
        signal.signal(signal.SIGVTALRM, previous)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise PatternTooSlow


def _can_interrupt() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
