"""The parts of a mailing in a status report: its variants and its waves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

from smsby_deploy.config.declarations import Wave
from smsby_deploy.lock.decisions import WaveVerdict
from smsby_deploy.lock.records import Entry
from smsby_deploy.plan.waves import (
    Gate,
    WaveProgress,
    why_due,
    why_removed,
    why_stopped,
    why_waiting,
    would_go_on,
)
from smsby_deploy.status.missed_recipients import Missed
from smsby_deploy.wording import sentence


@dataclass(frozen=True, slots=True)
class VariantStatus:
    """The recipients of one variant by kind, as those of the mailing; `missed` as in `Details`."""

    name: str
    recipients: int
    delivered: int
    undelivered: int
    sent: int
    pending: int
    other: int
    missed: Collection[Missed] = ()

    @property
    def line(self) -> str:
        """`variant a: 1,050 of 1,080 recipients delivered (97.2%)`."""
        if not self.recipients:
            return sentence("variant {name}: no recipients", name=self.name)
        return sentence(
            "variant {name}: {delivered:,} of {recipients:recipient|recipients} delivered ({share:.1f}%)",
            name=self.name,
            delivered=self.delivered,
            recipients=self.recipients,
            share=self.delivered * 1000 // self.recipients / 10,
        )


@dataclass(frozen=True, slots=True)
class WaveStatus:
    """The recipients of one wave, and the verdict about it, None if there is none."""

    number: int
    recipients: int
    delivered: int
    undelivered: int
    was_sent: bool
    verdict: WaveVerdict | None = None

    @property
    def line(self) -> str:
        """`wave 1: 185 of 200 recipients delivered (92.5%), verdict go`."""
        if not self.was_sent:
            return sentence(
                "wave {number}: {count:recipient|recipients}, not sent",
                number=self.number,
                count=self.recipients,
            )
        said = sentence(
            "wave {number}: {delivered:,} of {recipients:recipient|recipients} delivered ({share:.1f}%)",
            number=self.number,
            delivered=self.delivered,
            recipients=self.recipients,
            share=self.delivered * 1000 // self.recipients / 10 if self.recipients else 0.0,
        )
        if self.verdict is None:
            return said
        kind, signature = self.verdict.kind, self.verdict.signature
        if not signature:
            return sentence("{wave}, verdict {kind}", wave=said, kind=kind)
        return sentence("{wave}, verdict {kind} {signature}", wave=said, kind=kind, signature=signature)


class WavesInFiles(NamedTuple):
    """The waves of a mailing in the files; `is_removed`: no file has it."""

    steps: tuple[Wave, ...] = ()
    is_removed: bool = False

    def why_waiting(self, entry: Entry, progress: WaveProgress, address: str) -> str:
        """Say what the next wave waits for; empty if nothing waits."""
        if entry.ending is not None or entry.has_unknown:
            return ""
        if self.is_removed and would_go_on(entry):
            return why_removed(entry, address)
        if not progress.is_next:
            return ""
        if progress.gate is Gate.STOPPED:
            return why_stopped(progress, address)
        return why_waiting(progress) if progress.gate is Gate.EARLY else why_due(progress)


NO_WAVES = WavesInFiles()


def summarize_wave(counts: VariantStatus, entry: Entry, zone: tzinfo) -> WaveStatus:
    """Return the status of the wave that `counts` are about, with its times in `zone`."""
    number = int(counts.name)
    was_sent = any(chunk.was_sent for chunk in entry.chunks if chunk.wave == number)
    verdict = next((one for one in reversed(entry.verdicts) if one.wave == number), None)
    verdict = None if verdict is None else verdict.in_zone(zone)
    return WaveStatus(number, counts.recipients, counts.delivered, counts.undelivered, was_sent, verdict)
