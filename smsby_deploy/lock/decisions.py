"""Decisions recorded about a mailing: its approval, the verdicts on waves, its ending."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum

from smsby_deploy.clock import Window
from smsby_deploy.wording import sentence


@dataclass(frozen=True, slots=True)
class Approval:
    """The apply that approved a mailing for later, and its window.

    It may be handed over to sms.by between `opens` and `closes`, times in ISO format with offset. If it is `fresh`, its
    audience may have changed by then, as long as its recipients come from the same `source`, which older locks do not
    record, and everything under `suppress` is still subtracted.
    """

    at: str
    plan: str
    by: str | None
    opens: str
    closes: str
    fresh: bool = False
    source: str | None = None  # only if it is fresh: the digest of where its recipients come from
    suppress: tuple[str, ...] = ()  # only if it is fresh: digests of the names under `suppress`

    @property
    def window(self) -> Window:
        return Window.parse(self.opens, self.closes)


def signature_of(by: str, at: str, reason: str) -> str:
    """Say who made a decision, when and why: `by anna on 2026-11-24 10:00 UTC (wrong price)`."""
    time = datetime.fromisoformat(at)
    if reason:
        return sentence("by {by} on {time} ({why})", by=by, time=time, why=reason)
    return sentence("by {by} on {time}", by=by, time=time)


def _in_zone(at: str, zone: tzinfo) -> str:
    return datetime.fromisoformat(at).astimezone(zone).isoformat()


class EndingKind(StrEnum):
    """How a mailing was ended."""

    WITHDRAWN = "withdrawn"  # none of it is sent: it waited, or was deleted at sms.by
    ABANDONED = "abandoned"  # the rest of it is never sent
    LAPSED = "lapsed"  # withdrawn until it is approved again: its files changed while it waited


@dataclass(frozen=True, slots=True)
class Ending:
    """The decision that no more of a mailing is sent, by whom and why."""

    kind: EndingKind
    at: str
    by: str
    reason: str

    @property
    def signature(self) -> str:
        """Who made the decision, when and why."""
        return signature_of(self.by, self.at, self.reason)

    def in_zone(self, zone: tzinfo) -> Ending:
        """Return a copy with the time in `zone`."""
        return replace(self, at=_in_zone(self.at, zone))

    def __str__(self) -> str:
        if self.kind is EndingKind.LAPSED:
            return sentence("withdrawn {signature}, until it is approved again", signature=self.signature)
        if self.kind is EndingKind.WITHDRAWN:
            return sentence("withdrawn {signature}", signature=self.signature)
        return sentence("abandoned {signature}", signature=self.signature)


class VerdictKind(StrEnum):
    """The verdict on a wave."""

    GO = "go"  # the next wave is sent
    STOP = "stop"  # nothing more is sent, unless a user decides otherwise


@dataclass(frozen=True, slots=True)
class WaveVerdict:
    """The verdict on a wave: what sms.by reported about its messages, or what a user decided.

    `by` is the user, None if the figures decided. `recipients` is how many the wave was sent to.
    """

    wave: int
    kind: VerdictKind
    at: str
    recipients: int
    delivered: int
    undelivered: int
    by: str | None = None
    reason: str = ""

    @property
    def is_users_go(self) -> bool:
        """Whether a user decided to send the next wave."""
        return self.kind is VerdictKind.GO and self.by is not None

    def in_zone(self, zone: tzinfo) -> WaveVerdict:
        """Return a copy with the time in `zone`."""
        return replace(self, at=_in_zone(self.at, zone))

    @property
    def signature(self) -> str:
        """Who made the decision, when and why; empty if the figures did."""
        return "" if self.by is None else signature_of(self.by, self.at, self.reason)


# The address of a manual change that concerns:
EVERY_MAILING = "*"  # the whole lock (`lock bind`)
EVERY_DIGEST = "digests"  # all digests (`lock rekey`)
EVERY_FINAL = "archive"  # mailings moved to the archive


@dataclass(frozen=True, slots=True)
class Resolution:
    """A manual change to the lock: what was changed, by whom and why."""

    address: str
    what: str
    at: str
    by: str
    reason: str
