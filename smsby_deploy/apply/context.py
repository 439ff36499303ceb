"""What an apply works with: what the caller asked for, and what all of its senders share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from smsby_deploy.apply.events import Event
from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.apply.recorder import Recorder
from smsby_deploy.apply.shutdown import ShutdownSignal
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.lock.store import LockStore
from smsby_deploy.plan.model import Plan
from smsby_deploy.smsby.client import SendClient


def _ignore(value: object) -> None:
    """Do nothing: the default of a callback."""


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What to apply, and with what.

    `load` reads the project once the lock is held, `reviewed` the plan to apply if there is one, and
    `connect` opens the client of `account`, which is None if that is not known: each is called when
    all that comes before it was found good. `planned` gets the plan before it is refused as a whole;
    `approve` is asked once, with the plan. Every event goes to `on_event`, and its line to `tell`.
    `advance` gets how many more recipients are done.
    """

    load: Callable[[], LoadedProject]
    store: LockStore
    connect: Callable[[], SendClient]
    account: str | None
    clock: Clock
    select: tuple[str, ...] = ()
    reviewed: Callable[[], Plan] | None = None
    planned: Callable[[Plan], object] = _ignore
    approve: Callable[[Plan], bool] = lambda plan: True
    tell: Callable[[str], None] = _ignore
    on_event: Callable[[Event], None] = _ignore
    advance: Callable[[int], None] = _ignore
    commit: str | None = None
    by: str | None = None  # the user who runs it, for the record
    lock_timeout: float = 0.0

    def say(self, event: Event) -> None:
        self.on_event(event)
        self.tell(event.line)


@dataclass(frozen=True, slots=True)
class ApplyContext:
    """What the parts of one apply share. `runs` holds the mailings of the plan by address."""

    project: Project
    client: SendClient
    clock: Clock
    recorder: Recorder
    shutdown: ShutdownSignal
    runs: Mapping[str, MailingRun]
    inputs: Mapping[str, str]  # of the plan
    say: Callable[[Event], None]
    advance: Callable[[int], None]
