"""How far a mailing with waves has come, what it waits for, and why it stopped.

Everything follows from its chunks and the recorded verdicts, so a crash leaves a mailing in the wave where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum, auto
from typing import NamedTuple

from smsby_deploy.clock import Window, full_minute
from smsby_deploy.config.declarations import Wave
from smsby_deploy.lock.decisions import VerdictKind, WaveVerdict
from smsby_deploy.lock.records import DONE, SURELY_NOT_SENT, ChunkState, Entry
from smsby_deploy.wording import sentence

_VERDICT_LASTS = timedelta(days=1)  # longer than any quiet hours


class Gate(Enum):
    """What must happen before a wave is sent."""

    OPEN = auto()  # nothing: it is the first wave, or the verdict on the previous one is go
    EARLY = auto()  # the previous wave was sent too recently to be judged
    JUDGE = auto()  # the previous wave must be judged
    STOPPED = auto()  # a user must decide: the verdict on the previous wave is stop, or too old


class WaveProgress(NamedTuple):
    """The wave that is sent next, or that was sent in part.

    Its `number` is 0 if all is sent at once; there are `total` waves. `judged` is the previous wave, None if there is none,
    `window` is when it can be judged, and `verdict` the last verdict on it. `is_begun`: a part of this wave was sent.
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
        """Whether the previous wave was sent completely, and nothing of this one."""
        return self.judged is not None and not self.is_begun


class WaveFigures(NamedTuple):
    """What sms.by reports about the messages of a wave."""

    recipients: int
    delivered: int
    undelivered: int


def find_progress(
    waves: Sequence[int | None],
    entry: Entry | None,
    states: Sequence[ChunkState],
    steps: Sequence[Wave],
    now: datetime,
    zone: tzinfo,
) -> WaveProgress:
    """Return how far a mailing has come.

    `waves` and `states` are those of its chunks; `steps` are its waves in the files, () if it has none. `entry` is None if
    none of it was sent. Times are shown in `zone`.
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
    window = Window(start + step.after, start + step.give_up)
    verdict = last_verdict(entry, before)
    if verdict is not None:
        is_open = sent[number] or _holds(verdict, now)
        gate = Gate.OPEN if verdict.kind is VerdictKind.GO and is_open else Gate.STOPPED
    else:
        gate = Gate.EARLY if now < window.opens else Gate.JUDGE
    return WaveProgress(number, len(steps), gate, before, window, verdict, is_begun=sent[number])


def last_verdict(entry: Entry, wave: int) -> WaveVerdict | None:
    """Return the latest verdict on `wave`, which counts; None if there is none."""
    return next((one for one in reversed(entry.verdicts) if one.wave == wave), None)


def _holds(verdict: WaveVerdict, now: datetime) -> bool:
    """Whether a verdict still holds: a computed one lasts a day, a user's forever."""
    return verdict.by is not None or now < datetime.fromisoformat(verdict.at) + _VERDICT_LASTS


def has_later_wave(entry: Entry) -> bool:
    """Whether the first wave of a recorded mailing was sent, and another one remains."""
    numbers = [chunk.wave for chunk in entry.chunks if chunk.wave is not None]
    first = (chunk.state in DONE for chunk in entry.chunks if chunk.wave == min(numbers))
    return bool(numbers) and all(first) and not entry.is_complete


def would_go_on(entry: Entry) -> bool:
    """Whether a recorded mailing has later waves, no ending, and no unknown outcome."""
    return has_later_wave(entry) and entry.ending is None and not entry.has_unknown


def recorded_progress(entry: Entry, steps: Sequence[Wave], now: datetime, zone: tzinfo = UTC) -> WaveProgress:
    """Return how far a recorded mailing has come, according to the lock alone."""
    states = [chunk.state for chunk in entry.chunks]
    return find_progress([chunk.wave for chunk in entry.chunks], entry, states, steps, now, zone)


def count_unsent(entry: Entry) -> int | None:
    """Return how many recipients are in waves that were not sent; all if it has no later wave."""
    if not has_later_wave(entry):
        return entry.recipients
    return sum(chunk.recipients or 0 for chunk in entry.chunks if chunk.state not in DONE)


def plan_of(entry: Entry) -> str:
    """Return the plan that approved a mailing, not the plan of its hand-over."""
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


def describe_figures(verdict: WaveVerdict | WaveFigures) -> str:
    """`180 of 200 recipients delivered (90.0%), 4 undelivered, 16 open`."""
    sent, delivered, undelivered = verdict.recipients, verdict.delivered, verdict.undelivered
    return sentence(
        "{delivered:,} of {count:recipient|recipients} delivered ({share:.1f}%), {undelivered:,} undelivered, {open:,} open",
        delivered=delivered,
        count=sent,
        share=delivered * 1000 // sent / 10 if sent else 0.0,
        undelivered=undelivered,
        open=max(0, sent - delivered - undelivered),
    )


def why_stopped(progress: WaveProgress, address: str) -> str:
    """Say why nothing more is sent, and what a user can do."""
    assert progress.verdict is not None
    assert progress.window is not None
    window = progress.window
    at = datetime.fromisoformat(progress.verdict.at).astimezone(window.closes.tzinfo)
    is_late = progress.verdict.by is None and window.is_over(at)
    late = sentence(", but it had no verdict until {time}", time=window.closes) if is_late else ""
    if progress.verdict.kind is VerdictKind.GO:
        late = sentence(
            ", but wave {next} was not sent within a day of {time}", next=progress.number, time=at
        )
    return sentence(
        "stopped after {number} of {count} waves: {figures}{late}, so nothing more is sent; to send wave {next} anyway, "
        "run `smsby-deploy lock resolve {address} --go`; to end the mailing, run `smsby-deploy lock abandon {address}`",
        number=progress.judged,
        count=progress.total,
        figures=describe_figures(progress.verdict),
        late=late,
        next=progress.number,
        address=address,
    )


def why_removed(entry: Entry, address: str) -> str:
    """Say which waves of a removed mailing are not sent, and what a user can do."""
    numbers = [chunk.wave for chunk in entry.chunks if chunk.wave is not None]
    unsent = {chunk.wave for chunk in entry.chunks if chunk.wave is not None and chunk.state not in DONE}
    first, last = min(unsent), max(unsent)
    which = str(first) if first == last else f"{first}-{last}"
    if entry.verdicts and entry.verdicts[-1].kind is VerdictKind.STOP:
        return sentence(
            "it stopped after {number} of {total} waves, and then it was removed from the files, so "
            "{count:recipient|recipients} of {waves:|wave|waves} {which} {count:|does|do} not get it; "
            "end it with `smsby-deploy lock abandon {address}`",
            number=entry.verdicts[-1].wave,
            total=max(numbers),
            count=count_unsent(entry) or 0,
            waves=len(unsent),
            which=which,
            address=address,
        )
    return sentence(
        "it was removed from the files while {waves:|wave|waves} {which} of {total} waited, so {count:recipient|recipients} "
        "{count:|does|do} not get it; restore its file to continue, or end it with `smsby-deploy lock abandon {address}`",
        waves=len(unsent),
        which=which,
        total=max(numbers),
        count=count_unsent(entry) or 0,
        address=address,
    )


def why_waiting(progress: WaveProgress) -> str:
    """Say when the last wave is judged."""
    assert progress.window is not None
    return sentence(
        "wave {number} of {count} was sent; `apply --due` judges it from {time} on, and then sends wave {next} or stops",
        number=progress.judged,
        count=progress.total,
        time=full_minute(progress.window.opens),
        next=progress.number,
    )


def why_due(progress: WaveProgress) -> str:
    """Say what `apply --due` does now."""
    assert progress.window is not None
    if progress.gate is Gate.OPEN:
        return sentence(
            "the verdict on wave {number} of {count} is go; `apply --due` sends wave {next}",
            number=progress.judged,
            count=progress.total,
            next=progress.number,
        )
    return sentence(
        "wave {number} of {count} was sent; `apply --due` judges it until {time}, and then sends wave {next} or stops",
        number=progress.judged,
        count=progress.total,
        time=progress.window.closes,
        next=progress.number,
    )


def why_no_verdict(progress: WaveProgress, figures: WaveFigures) -> str:
    """Say what a wave without a verdict has reached, and until when it can be judged."""
    assert progress.window is not None
    return sentence(
        "wave {number} of {count}: {figures}; no verdict yet, `apply --due` asks again until {time}",
        number=progress.judged,
        count=progress.total,
        figures=describe_figures(figures),
        time=progress.window.closes,
    )
