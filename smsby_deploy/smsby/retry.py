"""The timing of requests: rate limit, retries with backoff, polling, and headers with times."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from math import ceil

from smsby_deploy.clock import Clock

_MAX_SLOWDOWN = 8  # times the configured interval between two requests
_SPEEDUP = 0.9  # of the interval, after each answer that does not ask to slow down
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
_DAY = 86_400  # seconds; a longer Retry-After is shown as no more than that
_FIRST_POLL_PAUSE = 0.25
_LONGEST_POLL_PAUSE = 5.0


class Pace:
    """The rate limit of one client; safe to share between threads.

    A 429 doubles the interval between requests, and every other answer shortens it by a tenth.
    """

    def __init__(self, requests_per_second: float, clock: Clock) -> None:
        self._clock = clock
        self._interval = self._shortest = 1 / requests_per_second
        self._mutex = threading.Lock()
        self._last = float("-inf")  # the last turn that was taken
        self.slowdowns = 0  # how often sms.by asked to slow down

    def seconds_until_turn(self) -> float:
        """Return the seconds until the next turn; reserves nothing."""
        with self._mutex:
            return max(0.0, self._last + self._interval - self._clock.monotonic())

    def take_turn(self) -> float:
        """Reserve the next turn and return the seconds until it comes."""
        with self._mutex:
            now = self._clock.monotonic()
            self._last = max(now, self._last + self._interval)
            return self._last - now

    def turns_within(self, seconds: float) -> int:
        """Return how many turns may come within that time, at least one."""
        return max(1, int(seconds / self._interval))

    def wait_turn(self) -> None:
        """Reserve the next turn and wait for it."""
        if seconds := self.take_turn():
            self._clock.sleep(seconds)

    def adapt(self, slowdowns: int, *, is_too_fast: bool) -> None:
        """Adapt to the answer of a request; `slowdowns` is the count when it was sent.

        Of several requests in flight, only the first 429 counts.
        """
        with self._mutex:
            if not is_too_fast:
                self._interval = max(self._shortest, self._interval * _SPEEDUP)
            elif slowdowns == self.slowdowns:
                self.slowdowns += 1
                self._interval = min(self._interval * 2, self._shortest * _MAX_SLOWDOWN)


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


def when_to_retry(retry_after: float | None) -> str:
    """Return when a user should try again by a Retry-After: `later`, or such as `in 2 h 5 min`."""
    if retry_after is None:
        return "later"
    if retry_after > _DAY:
        return "in more than a day"
    if retry_after <= _LONGEST_PAUSE:
        return f"in {retry_after:.0f} s"
    hours, minutes = divmod(ceil(retry_after / 60), 60)
    return "in " + " ".join(f"{count} {unit}" for count, unit in ((hours, "h"), (minutes, "min")) if count)


def with_wait(error: str, retry_after: float | None) -> str:
    """Return the text of a 429, with the Retry-After if no run waits that long."""
    is_long = retry_after is not None and retry_after > _LONGEST_PAUSE
    return f"{error}; sms.by says to try again {when_to_retry(retry_after)}" if is_long else error


READ_RETRIES = RetryPolicy(tries=4)
SLOW_RETRIES = RetryPolicy(tries=3)  # for a query whose answer made no progress
SEND_RETRIES = RetryPolicy(tries=5)  # only for requests that were certainly not sent, or reach no recipient


def poll(seconds: float, *, clock: Clock, pause: Callable[[float], None]) -> Iterator[None]:
    """Yield at once, then after growing pauses, and once more when `seconds` have passed.

    The caller checks in the loop's body and breaks out once it has succeeded; the loop's `else` is the
    deadline. A signal may shorten `pause`, so check for it in the body.
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


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of Retry-After, which is a number of seconds or an HTTP date.

    None if neither.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    lead = _lead_over(value, now)
    return None if lead is None else max(0.0, -lead.total_seconds())


def read_clock_lead(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how far `now` is ahead of the time at sms.by; negative if it is behind.

    None if the answer does not say, or comes from a cache.
    """
    return None if "Age" in headers else _lead_over(headers.get("Date", ""), now)


def _lead_over(date: str, now: datetime) -> timedelta | None:
    try:
        return now - parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
