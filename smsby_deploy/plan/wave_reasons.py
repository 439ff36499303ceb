"""The sentences of waves: what a mailing waits for, or why nothing more of it is sent, and what to do."""

from __future__ import annotations

from datetime import datetime

from smsby_deploy.lock.decisions import VerdictKind, WaveVerdict
from smsby_deploy.lock.records import DONE, Entry
from smsby_deploy.plan.wave_progress import Gate, WaveFigures, WaveProgress, count_unsent
from smsby_deploy.wording import sentence


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
        "stopped after wave {number} of {count}: {figures}{late}, so nothing more is sent; to send wave {next} all the same, "
        "run `smsby-deploy lock resolve {address} --go`, to end it `smsby-deploy lock abandon {address}`",
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
            "it stopped after wave {number} of {total}, and then it was removed from the files; {count:recipient|recipients} "
            "of {waves:|wave|waves} {which} {count:|does|do} not get it; end it with `smsby-deploy lock abandon {address}`",
            number=entry.verdicts[-1].wave,
            total=max(numbers),
            count=count_unsent(entry) or 0,
            waves=len(unsent),
            which=which,
            address=address,
        )
    return sentence(
        "it was removed from the files while {waves:|wave|waves} {which} of {total} waited, so {count:recipient|recipients} "
        "{count:|does|do} not get it; restore its file to go on, or end it with `smsby-deploy lock abandon {address}`",
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
        time=progress.window.opens,
        next=progress.number,
    )


def why_due(progress: WaveProgress) -> str:
    """Say what `apply --due` does now."""
    assert progress.window is not None
    if progress.gate is Gate.OPEN:
        return sentence(
            "the verdict about wave {number} of {count} is go; `apply --due` sends wave {next}",
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
    """Say what a wave that cannot be judged yet has reached, and how long it may."""
    assert progress.window is not None
    return sentence(
        "wave {number} of {count}: {figures}; no verdict yet, `apply --due` asks again until {time}",
        number=progress.judged,
        count=progress.total,
        figures=describe_figures(figures),
        time=progress.window.closes,
    )
