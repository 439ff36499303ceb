"""When to ask again: retries with backoff, and polling until a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from smsby_deploy.clock import Clock

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
_FIRST_POLL_PAUSE = 0.25
_LONGEST_POLL_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retries with exponential backoff, for requests that may be repeated.

    A Retry-After replaces the backoff. One that is longer than a minute ends the retries: waiting
    that long is left to the next run.
    """

    tries: int  # the first one included

    def pause_after(self, tries: int, retry_after: float | None) -> float | None:
        """Return the seconds to wait after `tries` failed tries, or None to give up.

        Args:
            tries: how often the request was tried so far, at least 1.
            retry_after: the seconds that sms.by asked for, None if it did not.
        """
        pause = _FIRST_PAUSE * 2 ** (tries - 1) if retry_after is None else retry_after
        return None if tries >= self.tries or pause > _LONGEST_PAUSE else pause


READ_RETRIES = RetryPolicy(tries=4)
SLOW_RETRIES = RetryPolicy(tries=3)  # of a question whose answer made no progress
SEND_RETRIES = RetryPolicy(tries=5)  # only for what was certainly not sent, or reaches no recipient


def poll(seconds: float, *, clock: Clock, pause: Callable[[float], None]) -> Iterator[None]:
    """Yield at once, then after growing pauses, and once more when `seconds` have passed.

    The caller looks in the loop's body and leaves it when it has found what it looks for; the
    loop's `else` is the deadline. A signal may shorten `pause`, so check for it in the body.
    """
    deadline = clock.monotonic() + seconds
    wait = _FIRST_POLL_PAUSE
    while True:
        yield
        remaining = deadline - clock.monotonic()
        if remaining <= 0:
            return
        pause(min(wait, remaining))
        wait = min(wait * 2, _LONGEST_POLL_PAUSE)
