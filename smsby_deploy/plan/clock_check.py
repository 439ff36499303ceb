"""Whether the clock of this machine is right: it decides about send times, windows and quiet hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from smsby_deploy.config.environments import is_loopback
from smsby_deploy.lock.binding import Binding
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient  # an offline plan has none

_TOLERATED = timedelta(minutes=2)  # an answer may take that long; times are in minutes


def find_wrong_clock(client: ReadClient | None, here: Binding | None) -> Iterator[Problem]:
    """Warn that sms.by has another time than this machine; a sandbox on it may have its own."""
    lead = None if client is None else client.clock_lead
    if lead is None or abs(lead) <= _TOLERATED or here is None or is_loopback(here.service):
        return
    message = sentence(
        "the clock of this machine differs from that of sms.by by {minutes:minute|minutes}; it decides about send times, "
        "windows and quiet hours, so set it before anything is sent",
        minutes=round(abs(lead).total_seconds() / 60),
    )
    yield Problem(Severity.WARNING, "CLOCK", message)
