"""Decides on the next wave by what sms.by reports about the last one.

Callbacks are ignored: they are only a file in the checkout, and a forged one must not cause a send.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Mailing, Wave
from smsby_deploy.lock.decisions import VerdictKind, WaveVerdict
from smsby_deploy.lock.records import Entry, Lock
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.waves import WaveFigures, WaveProgress
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.deliveries import DeliveryStatus
from smsby_deploy.status.delivery_counts import DeliveryCounts
from smsby_deploy.status.remote_reports import RemoteReports


class WaveToJudge(NamedTuple):
    """A mailing whose last wave is to be judged."""

    mailing: Mailing
    entry: Entry
    progress: WaveProgress


class WaveJudge:
    """Reads what sms.by reports about waves."""

    def __init__(self, lock: Lock, client: ReadClient, remote: RemoteView) -> None:
        """Judge by the list `remote`, and by the deliveries that `client` reads."""
        self._reports = RemoteReports(lock, client, lambda uuid: (), list_missed=False, remote=remote)

    def judge(self, wave: WaveToJudge, now: datetime) -> tuple[WaveFigures, WaveVerdict | None]:
        """Return the figures of a wave, and its verdict; None if there is none yet.

        Raises:
            SmsbyUnavailable, TokenRefused: sms.by did not answer.
        """
        number, window = wave.progress.judged, wave.progress.window
        assert number is not None and window is not None and wave.mailing.waves is not None
        figures = self._count(wave.entry, number)
        self._reports.require_answers(to_all=True)
        kind = judge(figures, wave.mailing.waves.steps[number - 1], window, now)
        at = now.isoformat(timespec="seconds")
        return figures, None if kind is None else WaveVerdict(number, kind, at, *figures)

    def _count(self, entry: Entry, number: int) -> WaveFigures:
        """Add up the reports of a wave.

        Messages without a report are neither delivered nor undelivered. If a chunk has reports on more messages than it
        has recipients, some belong to other mailings, so all are ignored.
        """
        counts, recipients = DeliveryCounts(), 0
        for chunk in entry.chunks:
            if chunk.wave == number and chunk.was_sent:
                recipients += chunk.recipients or 0
                reported = self._reports.count_deliveries(chunk)
                if reported.total <= (chunk.recipients or 0):
                    counts.add(reported)
        documented, _ = counts.by_status()
        undelivered = documented[DeliveryStatus.UNDELIVERED] + counts.failed.total()
        return WaveFigures(recipients, documented[DeliveryStatus.DELIVERED], undelivered)


def judge(figures: WaveFigures, step: Wave, window: Window, now: datetime) -> VerdictKind | None:
    """Return the verdict on a wave; None if there is none yet.

    Messages that sms.by does not report do not count as delivered. Once `window` is over, there is no "go" any more: a
    runner that was down must not send the rest days later.
    """
    sent, delivered, undelivered = figures
    least = step.delivered if step.delivered is not None else 100 - (step.undelivered or 0)
    most = min(one for one in (step.undelivered, 100 - least) if one is not None)
    if not sent or undelivered * 100 > most * sent or window.is_over(now):
        return VerdictKind.STOP
    return VerdictKind.GO if delivered * 100 >= least * sent else None
