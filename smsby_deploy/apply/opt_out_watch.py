"""Notices opt-outs that come while a run sends."""

from __future__ import annotations

from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Project
from smsby_deploy.config.sources import RecipientsFile
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.files import change_mark
from smsby_deploy.problems import has_errors
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.smsby.retry import poll
from smsby_deploy.wording import sentence

_BETWEEN_QUERIES = 60.0  # seconds from the end of one to the next
_PATIENCE = 2.0  # seconds: a program may be writing the file just now


class OptOutWatch:
    """Tracks who has opted out since it was made, which is before the run is planned.

    The files are checked before each request, and all sources are read again if one has changed; with a query, also once a
    minute. An opt-out seen once counts for the whole run, because a file may be truncated while it is being written.
    """

    def __init__(self, project: Project, clock: Clock) -> None:
        self._project = project
        self._clock = clock
        sources = [entry.source for entry in project.suppress]
        self._paths = [source.path for source in sources if isinstance(source, RecipientsFile)]
        self._has_query = len(self._paths) < len(sources)
        self._marks = self._mark()
        # The marks at which the files stayed unreadable.
        self._given_up: list[tuple[int, ...] | None] | None = None
        self._read_at = clock.monotonic()
        self._found: PhoneSet | None = None

    def later(self, *, between: float = _BETWEEN_QUERIES) -> PhoneSet | None:
        """Return the current opt-outs; None if they are still those that the plan read.

        A query is run again if its last run was more than `between` seconds ago.

        Raises:
            FilesChanged: they can no longer be read.
        """
        is_due = self._has_query and self._clock.monotonic() - self._read_at >= between
        if is_due or self._mark() != self._marks:
            found = self._read()
            self._found = found if self._found is None else self._found.union(found)
            self._read_at = self._clock.monotonic()
        return self._found

    def current(self, capped: PhoneSet | None = None, *, between: float = _BETWEEN_QUERIES) -> PhoneSet:
        """Return the phones that get nothing: the current opt-outs and, if given, `capped` ones.

        `between` and errors as in `later`.
        """
        found = self.later(between=between)
        if found is None:
            found = self._found = self._read()
        return found if capped is None else capped.union(found)

    def _mark(self) -> list[tuple[int, ...] | None]:
        return [*map(change_mark, self._paths)]

    def _read(self) -> PhoneSet:
        for _ in poll(_PATIENCE, clock=self._clock, pause=self._clock.sleep):
            marks = self._mark()  # before the files are read, so that no later change is missed
            found, problems = load_suppression(self._project.suppress, self._project.only_to)
            if not has_errors(problems):
                self._marks, self._given_up = marks, None
                return found
            if marks == self._given_up:
                break
        self._given_up = marks
        raise FilesChanged(sentence("cannot read the opt-outs: {why}", why=FilesInvalid(problems).summary))
