"""Searches with the patterns of a project, none of which may go on for ever.

Patterns such as `(a|aa)+$` take time that doubles with each character of a text.
"""

from __future__ import annotations

import re
import signal
import threading
from functools import cache
from re import _parser as re_parser  # type: ignore[attr-defined]  # the only parser of its patterns
from types import FrameType
from typing import Any

MOST_SECONDS = 2.0  # of processor time, for one text
_REPEATS = (re_parser.MAX_REPEAT, re_parser.MIN_REPEAT)

_slow: set[str] = set()  # patterns that took too long once


class PatternTooSlow(Exception):
    """A search took too long."""

    def __init__(self) -> None:
        super().__init__(f"takes more than {MOST_SECONDS:.0f} s of processor time for one text; simplify it")


def is_found(pattern: str, text: str, flags: int = 0) -> bool:
    """Whether `pattern`, a valid regular expression, is found in `text`.

    A long search can be interrupted only in the main thread, and not on Windows.

    Raises:
        PatternTooSlow: the search takes too long.
    """
    if _is_quick(pattern) or not _can_interrupt():
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


@cache
def _is_quick(pattern: str) -> bool:
    """Whether a pattern repeats one character at most, as ordinary ones do: it needs no timer."""
    return sum(_count_repeats(part) for part in re_parser.parse(pattern)) <= 1


def _count_repeats(parsed: Any) -> int:
    """Count the repeats; that of more than one character counts as two."""
    if isinstance(parsed, tuple) and parsed and parsed[0] in _REPEATS:
        _, most, repeated = parsed[1]
        is_single = len(repeated) == 1 and repeated[0][0] in (re_parser.LITERAL, re_parser.IN, re_parser.ANY)
        return int(most > 1) if is_single else 2
    if not isinstance(parsed, tuple | list | re_parser.SubPattern):
        return 0
    return sum(map(_count_repeats, parsed))
