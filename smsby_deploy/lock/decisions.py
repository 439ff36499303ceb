"""What users decided about a mailing: that it may be sent later, and that nothing more of it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from smsby_deploy.clock import Window
from smsby_deploy.wording import sentence


@dataclass(frozen=True, slots=True)
class Approval:
    """The apply that approved a mailing for later, and its window.

    It may be handed over to sms.by between `opens` and `closes`, times in ISO format with offset. If it is `fresh`, its
    audience may have changed by then.
    """

    at: str
    plan: str
    by: str | None
    opens: str
    closes: str
    fresh: bool = False

    @property
    def window(self) -> Window:
        return Window.parse(self.opens, self.closes)


class EndingKind(StrEnum):
    """How a mailing was ended."""

    WITHDRAWN = "withdrawn"  # nothing of it is sent: it waited, or was deleted at sms.by
    ABANDONED = "abandoned"  # what was not sent of it never will be
    LAPSED = "lapsed"  # withdrawn until it is approved again: its files changed while it waited


@dataclass(frozen=True, slots=True)
class Ending:
    """The decision that nothing more of a mailing is sent, by whom and why."""

    kind: EndingKind
    at: str
    by: str
    reason: str

    @property
    def signature(self) -> str:
        """Who decided it, when and why: `by anna on 2026-11-24 10:00 UTC (wrong price)`."""
        time = datetime.fromisoformat(self.at)
        if self.reason:
            return sentence("by {by} on {time} ({why})", by=self.by, time=time, why=self.reason)
        return sentence("by {by} on {time}", by=self.by, time=time)

    def __str__(self) -> str:
        if self.kind is EndingKind.LAPSED:
            return sentence("withdrawn {signature}, until it is approved again", signature=self.signature)
        if self.kind is EndingKind.WITHDRAWN:
            return sentence("withdrawn {signature}", signature=self.signature)
        return sentence("abandoned {signature}", signature=self.signature)
