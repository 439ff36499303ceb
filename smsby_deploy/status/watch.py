"""Wait until nothing changes any more, asking gently: ever more seldom, and only what is not settled."""

from __future__ import annotations

from collections.abc import Callable

from smsby_deploy.clock import Clock
from smsby_deploy.status.report import StatusReport

_FIRST_SECONDS = 3.0
_LONGEST_SECONDS = 60.0
_GROWTH = 1.5


def watch_status(
    collect: Callable[[StatusReport | None], StatusReport],
    show: Callable[[StatusReport], None],
    clock: Clock,
) -> StatusReport:
    """The first report of which everything is settled; each one on the way goes to `show`.

    `collect` gets the report before, so that it asks only what can have changed. The pause grows by half from 3 s to
    60 s, and starts anew when something changed.

    Raises:
        SmsbyUnavailable, TokenRefused, ApiError: sms.by did not answer.
    """
    report = collect(None)
    pause = _FIRST_SECONDS
    while True:
        show(report)
        if report.is_settled:
            return report
        clock.sleep(pause)
        before, report = report, collect(report)
        changed = before.mailings != report.mailings
        pause = _FIRST_SECONDS if changed else min(pause * _GROWTH, _LONGEST_SECONDS)
