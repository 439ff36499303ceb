"""Notices that smsby.yaml was frozen while an apply runs."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.clock import Clock
from smsby_deploy.config.environments import read_freeze
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.files import change_mark
from smsby_deploy.plan.model import ReasonCode, with_code
from smsby_deploy.plan.reasons import frozen
from smsby_deploy.wording import sentence

_PATIENCE = 2.0  # seconds: an editor or a checkout may be writing the file just now
_PAUSE = 0.1


class FreezeWatch:
    """Says why a running apply must stop: `freeze` was added to the file at `path`.

    The file is read only when it has changed. One that cannot be read any more, or is not valid, stops the apply as well:
    someone in a hurry may have frozen it with a mistake, and what is not sent now the next apply sends.
    """

    def __init__(self, path: Path, environment: str, clock: Clock) -> None:
        self._path = path
        self._environment = environment
        self._clock = clock
        self._seen: tuple[int, ...] | None = None
        self._why = ""

    def why(self) -> str:
        """Return why nothing more may be sent; empty if it may."""
        has_changed = self._seen is None or change_mark(self._path) != self._seen
        if not self._why and has_changed and (why := self._read()):
            self._why = with_code(ReasonCode.FROZEN, frozen(why))
        return self._why

    def _read(self) -> str:
        deadline = self._clock.monotonic() + _PATIENCE
        while True:
            self._seen = change_mark(self._path)  # before it is read, so that no later change is missed
            try:
                return read_freeze(self._path, self._environment)
            except SmsbyDeployError as error:
                if self._clock.monotonic() >= deadline:
                    return sentence(
                        "{file} changed meanwhile, and is not valid: {why}",
                        file=self._path.name,
                        why=error.summary,
                    )
            self._clock.sleep(_PAUSE)
