"""How far a mailing with waves has come.

Everything follows from its chunks and the recorded verdicts, so a crash leaves a mailing in the wave where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum, auto
from typing import NamedTuple

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Wave
from smsby_deploy.lock.decisions import VerdictKind, WaveVerdict
from smsby_deploy.lock.records import DONE, SURELY_NOT_SENT, ChunkState, Entry

_LASTS = timedelta(days=1)  # longer than any quiet hours


class Gate(Enum):
    """What must happen before anything of a wave is sent."""

    OPEN = auto()  # nothing: it is the first one, or the verdict about the one before is go
    EARLY = auto()  # the wave before was sent too recently to be judged
    JUDGE = auto()  # the wave before is to be judged
    STOPPED = auto()  # a user must decide: the verdict about the wave before is stop, or too old


class WaveProgress(NamedTuple):
    """The wave that is sent next, or of which a part was sent.

    Its `number` is 0 if all is sent at once; there are `total` waves. `judged` is the wave before it, None if there is none,
    and `window` when that can be judged. `verdict` is the last one about it. `is_begun`: a part of this wave was sent.
    """

    number: int
    total: int
    gate: Gate = Gate.OPEN
    judged: int | None = None
    window: Window | None = None
    verdict: WaveVerdict | None = None
    is_begun: bool = False

    @property
    def waits_from(self) -> int | None:
        """The first wave that waits for a verdict or a hand-over; None if none does."""
        if not self.number or self.gate is Gate.STOPPED:
            return None
        return self.number if self.is_next else self.number + 1

    @property
    def is_next(self) -> bool:
        """Whether all of a wave was sent, and nothing of this one."""
        return self.judged is not None and not self.is_begun


class WaveFigures(NamedTuple):
    """What sms.by reports of the messages of a wave."""

    recipients: int
    delivered: int
    undelivered: int


def find_progress(
    waves: Sequence[int | None],
    entry: Entry | None,
    states: Sequence[ChunkState],
    steps: Sequence[Wave],
    now: datetime,
    zone: tzinfo = UTC,
) -> WaveProgress:
    """Return how far a mailing has come.

    `waves` are those of its chunks, `states` their states, `steps` its waves in the files, () if it has none. `entry` is None
    if nothing of it was sent. Times are shown in `zone`.
    """
    numbers = sorted({one for one in waves if one is not None}) if steps else []
    if entry is None or not numbers:
        return WaveProgress(numbers[0] if numbers else 0, len(steps))
    done = dict.fromkeys(numbers, True)
    sent = dict.fromkeys(numbers, False)
    for number, state in zip(waves, states, strict=True):
        if number is not None:
            done[number] &= state in DONE
            sent[number] |= state not in SURELY_NOT_SENT
    number = next((one for one in numbers if not done[one]), numbers[-1])
    before = max((one for one in numbers if one < number), default=None)
    if before is None or before > len(steps):
        return WaveProgress(number, len(steps), is_begun=sent[number])
    start, step = when_sent(entry, before).astimezone(zone), steps[before - 1]
    window = Window(_full_minute(start + step.after), start + step.give_up)
    verdict = next((one for one in reversed(entry.verdicts) if one.wave == before), None)
    if verdict is not None:
        is_open = sent[number] or _holds(verdict, now)
        gate = Gate.OPEN if verdict.kind is VerdictKind.GO and is_open else Gate.STOPPED
    else:
        gate = Gate.EARLY if now < window.opens else Gate.JUDGE
    return WaveProgress(number, len(steps), gate, before, window, verdict, is_begun=sent[number])


def _full_minute(moment: datetime) -> datetime:
    """Return the first full minute at or after `moment`.

    Messages show times without seconds, and what is due at a time must be due then.
    """
    return moment + timedelta(seconds=-(moment.second + moment.microsecond / 1e6) % 60)


def _holds(verdict: WaveVerdict, now: datetime) -> bool:
    """Whether a verdict is not too old: that of figures lasts a day, that of a user for ever."""
    return verdict.by is not None or now < datetime.fromisoformat(verdict.at) + _LASTS


def has_later_wave(entry: Entry) -> bool:
    """Whether the first wave of a recorded mailing was sent, and another one remains."""
    numbers = [chunk.wave for chunk in entry.chunks if chunk.wave is not None]
    first = (chunk.state in DONE for chunk in entry.chunks if chunk.wave == min(numbers))
    return bool(numbers) and all(first) and not entry.is_complete


def would_go_on(entry: Entry) -> bool:
    """Whether a recorded mailing has later waves, and neither an ending nor a doubt."""
    return has_later_wave(entry) and entry.ending is None and not entry.has_unknown


def recorded_progress(entry: Entry, steps: Sequence[Wave], now: datetime, zone: tzinfo = UTC) -> WaveProgress:
    """Return how far a recorded mailing has come, by the lock alone."""
    states = [chunk.state for chunk in entry.chunks]
    return find_progress([chunk.wave for chunk in entry.chunks], entry, states, steps, now, zone)


def count_unsent(entry: Entry) -> int | None:
    """Return how many recipients are in waves that were not sent; all if it has no later wave."""
    if not has_later_wave(entry):
        return entry.recipients
    return sum(chunk.recipients or 0 for chunk in entry.chunks if chunk.state not in DONE)


def plan_of(entry: Entry) -> str:
    """Return the plan that approved a mailing; a hand-over has a plan of its own."""
    return entry.applied.plan if entry.approval is None else entry.approval.plan


def when_sent(entry: Entry, wave: int) -> datetime:
    """Return when the last message of a wave was sent, as far as that is known."""
    found = [datetime.fromisoformat(entry.applied.at)]
    for chunk in entry.chunks:
        if chunk.wave == wave:
            time = entry.time_of(chunk)
            accepted = None if chunk.accepted_at is None else datetime.fromisoformat(chunk.accepted_at)
            found += [one for one in (time, accepted) if one is not None]
    return max(found[1:], default=found[0])
