"""The list of sms.by in a hand-over: what is read of it is used while it is recent."""

from __future__ import annotations

from smsby_deploy.apply.context import ApplyRequest
from smsby_deploy.config.declarations import Project
from smsby_deploy.errors import Refused
from smsby_deploy.lock.binding import check_service, find_binding
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.list_check import check_list, shows_any
from smsby_deploy.plan.model import ReasonCode, with_code
from smsby_deploy.plan.remote_state import RemoteView, read_remote


class RecentList:
    """The list of one account, read again once it is older than half of `reconcile_seconds`."""

    def __init__(self, request: ApplyRequest, project: Project) -> None:
        self._request = request
        self._project = project
        self._last: tuple[float, RemoteView] | None = None  # when it was asked for, and the answer

    @property
    def kept(self) -> RemoteView | None:
        """What was read, if it is recent."""
        if self._last is None:
            return None
        asked_at, remote = self._last
        is_recent = self._request.clock.monotonic() - asked_at < self._project.api.reconcile_seconds / 2
        return remote if is_recent else None

    def forget(self) -> None:
        """Let the next read ask sms.by: something was sent."""
        self._last = None

    def read(self, lock: Lock) -> RemoteView:
        """Return the list as it is now, or was moments ago.

        Raises:
            Refused: the lock belongs to another service or account.
            SmsbyUnavailable, TokenRefused, ApiError: sms.by did not answer.
        """
        if (kept := self.kept) is not None:
            return kept
        here = self._request.here
        if here is not None:
            check_service(lock, here.service)
        asked_at = self._request.clock.monotonic()
        addresses = (mailing.address for mailing in self._project.mailings)
        remote = read_remote(self._request.connect(), lock.scope, lock, addresses)
        if here is not None:
            find_binding(lock, here, is_shown=shows_any(lock, remote))
        self._last = asked_at, remote
        return remote

    def read_proven(self, lock: Lock) -> RemoteView:
        """Return the list, if it shows something of what sms.by accepted.

        Raises as `read`, and Refused if it does not.
        """
        remote, now = self.read(lock), self._request.clock.now()
        check = check_list(lock, remote, now=now, reconcile_seconds=self._project.api.reconcile_seconds)
        if check.is_disproved:
            raise Refused(with_code(ReasonCode.UNKNOWN, check.doubt))
        return remote
