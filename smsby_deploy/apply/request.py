"""What an apply is asked for, and with what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smsby_deploy.apply.events import Event
from smsby_deploy.clock import Clock
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.lock.store import LockStore
from smsby_deploy.plan.model import Plan
from smsby_deploy.smsby.client import SendClient


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What to apply, and with what. `load` reads the project again once the lock is held; `approve` is asked once, with
    the plan; `tell` hears a line per event, `on_event` the event itself."""

    load: Callable[[], LoadedProject]
    store: LockStore
    client: SendClient
    account: str
    clock: Clock
    select: tuple[str, ...] = ()
    plan_file: Plan | None = None
    planned: Callable[[Plan], object] = lambda plan: (
        None
    )  # hears the plan before anything of it is refused or approved
    approve: Callable[[Plan], bool] = lambda plan: True
    tell: Callable[[str], None] = lambda line: None
    on_event: Callable[[Event], None] = lambda event: None
    advance: Callable[[int], None] = lambda people: None  # hears of so many people more that are done
    commit: str | None = None
    by: str | None = None  # who runs it, for the record
    lock_timeout: float = 0.0

    def say(self, event: Event) -> None:
        self.on_event(event)
        self.tell(event.line)
