"""Who may leave: never more requests on their way than are allowed, each in its turn of the pace, and none after a bad answer
until it was looked at.

Where several may be on their way, one more waits here, made and ready, for the moment an answer comes: sms.by waits neither
for the next one to be made nor for that answer to be recorded. Nothing of it is on disk meanwhile. Its intent is written
under the lock that lets it go, by the thread whose answer makes room or by its own, once its turn has come: whoever asks
whether it left knows.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Waiting:
    leave: Callable[[], bool]
    seconds: float = 0.0  # until its turn, for which it still has to wait
    is_leaving: bool = False
    told: threading.Event = field(default_factory=threading.Event)


class SendGate:
    """Room for `width` requests at once. `take_turn` reserves a turn, in so many seconds; `pause` waits for it, until what it
    is given says that all is over."""

    def __init__(
        self,
        width: int,
        take_turn: Callable[[], float] = lambda: 0.0,
        pause: Callable[[float, Callable[[], bool]], None] = lambda seconds, is_over: None,
    ) -> None:
        self._lock = threading.Lock()
        self._width = width
        self._take_turn = take_turn
        self._pause = pause
        self._busy = 0  # requests on their way
        self._unseen = 0  # bad answers that nobody has looked at
        self._line: deque[_Waiting] = deque()
        self._is_turn_awaited = False  # by one alone: the next takes its own when that one leaves
        self._is_closed = False

    def enter(self, leave: Callable[[], bool]) -> bool:
        """Wait for room and turn; then `leave`, which is called in any thread and must not raise, says whether this one still
        leaves. It has to `exit` if it does."""
        waiting = _Waiting(leave)
        with self._lock:
            self._line.append(waiting)
            self._admit()
        waiting.told.wait()
        while waiting.seconds:
            self._pause(waiting.seconds, lambda: self._is_closed)
            with self._lock:
                waiting.told.clear()
                waiting.seconds = 0.0
                self._line.appendleft(waiting)
                self._is_turn_awaited = False
                self._admit(has_turn=True)
            waiting.told.wait()
        return waiting.is_leaving

    def exit(self, *, is_well: bool) -> None:
        """An answer came, or none ever will. Unless it `is_well`, nobody leaves until `look` was called for it."""
        with self._lock:
            self._busy -= 1
            self._unseen += not is_well
            self._admit()

    def look(self) -> None:
        """A bad answer was looked at."""
        with self._lock:
            self._unseen = max(0, self._unseen - 1)  # it may have been given up before it came
            self._admit()

    def set_width(self, width: int) -> None:
        """From now on `width` requests may be on their way."""
        with self._lock:
            self._width = width
            self._admit()

    def close(self) -> None:
        """Nobody leaves any more: who waits comes back."""
        with self._lock:
            self._is_closed = True
            self._admit()

    def stand_still(self) -> threading.Lock:
        """Nobody leaves within a `with` of it."""
        return self._lock

    def _admit(self, *, has_turn: bool = False) -> None:
        """Let go who may. A turn that has come is for the first who leaves; it is over if there is no room."""
        while self._line and (self._is_closed or self._has_room()):
            waiting = self._line.popleft()
            if not self._is_closed and not has_turn:
                waiting.seconds = self._take_turn()
            if waiting.seconds:
                self._is_turn_awaited = True
            else:
                waiting.is_leaving = not self._is_closed and waiting.leave()
                self._busy += waiting.is_leaving
                has_turn = not waiting.is_leaving
            waiting.told.set()

    def _has_room(self) -> bool:
        return self._busy < self._width and not self._unseen and not self._is_turn_awaited
