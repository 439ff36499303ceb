"""The list of mailings at sms.by, reused while it is recent."""

from __future__ import annotations

from collections.abc import Iterable

from smsby_deploy.apply.context import ApplyRequest
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Project
from smsby_deploy.errors import Refused
from smsby_deploy.lock.binding import check_service, find_binding
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.model import ReasonCode, with_code
from smsby_deploy.plan.remote_list_check import check_list, shows_any
from smsby_deploy.plan.remote_state import RemoteView, read_remote
from smsby_deploy.smsby.client import ReadClient


class RecentList:
    """The list read last, which counts as recent for half of `reconcile_seconds`."""

    def __init__(self, project: Project, clock: Clock) -> None:
        self._project = project
        self._clock = clock
        self._last: tuple[float, RemoteView] | None = None  # when it was asked for, and the answer

    @property
    def asked_at(self) -> float | None:
        """When the list was asked for; None if it must be read again."""
        return None if self._last is None else self._last[0]

    def kept(self, least: float = 0.0) -> RemoteView | None:
        """Return the list if it is recent, or less than `least` seconds old."""
        if self._last is None:
            return None
        asked_at, remote = self._last
        is_recent = self._clock.monotonic() - asked_at < max(least, self._project.api.reconcile_seconds / 2)
        return remote if is_recent else None

    def forget(self) -> None:
        """Make the next read ask sms.by, because something was or may have been sent."""
        self._last = None

    def ask(self, client: ReadClient, lock: Lock, ids: Iterable[int] = ()) -> RemoteView:
        """Read the list now.

        It can be searched for the mailings of `lock` and the files, and for the messages `ids`.

        Raises:
            SmsbyUnavailable, TokenRefused, ApiError: it cannot be read.
        """
        asked_at = self._clock.monotonic()
        addresses = (mailing.address for mailing in self._project.mailings)
        remote = read_remote(client, self._project.scope, lock, addresses, ids)
        self._last = asked_at, remote
        return remote


class HandOverList(RecentList):
    """The list in a hand-over, checked to be that of the lock's account."""

    def __init__(self, request: ApplyRequest, project: Project) -> None:
        super().__init__(project, request.clock)
        self._request = request

    def read(self, lock: Lock) -> RemoteView:
        """Return the recent list, or read it now.

        Raises:
            Refused: the lock belongs to another service or account.
            SmsbyUnavailable, TokenRefused, ApiError: it cannot be read.
        """
        here = self._request.here
        if here is not None:
            check_service(lock, here.service)
        remote = self.kept() or self.ask(self._request.connect(), lock)
        if here is not None:
            find_binding(lock, here, is_shown=shows_any(lock, remote))
        return remote

    def read_proven(self, lock: Lock) -> RemoteView:
        """Return the list if it shows any mailing that sms.by accepted.

        Raises as `read`, and Refused if it shows none.
        """
        remote, now = self.read(lock), self._request.clock.now()
        check = check_list(lock, remote, now=now, reconcile_seconds=self._project.api.reconcile_seconds)
        if check.is_disproved:
            raise Refused(with_code(ReasonCode.UNKNOWN, check.doubt))
        return remote
