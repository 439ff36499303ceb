"""The caller's request for an apply, and the context that all senders share.

Events describe the progress of a run, as a line for a terminal and as fields for a JSON log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.apply.recorder import Recorder
from smsby_deploy.apply.shutdown import ShutdownSignal
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.store import HeldLock, LockStore
from smsby_deploy.plan.account_names import AccountNames
from smsby_deploy.plan.model import Action, Plan
from smsby_deploy.smsby.send_client import SendClient

_NAMED = 3  # addresses in a line


@dataclass(frozen=True, slots=True)
class Event:
    """One step in the progress of a run.

    `name` is stable, e.g. `request`; the wording of `line` is not. `addresses` are the mailings concerned, `recipients` is
    how many the request has, and `outcome` what happened to it.
    """

    name: str
    line: str
    addresses: tuple[str, ...] = ()
    recipients: int | None = None
    outcome: str | None = None
    is_warning: bool = False


def request_event(outcome: str, chunks: Iterable[tuple[str, int, int]], recipients: int) -> Event:
    """Return the event of one answered request.

    The line looks like `accepted      1,000 recipients  sale/vip [2/3]` and names at most three mailings.

    Args:
        outcome: the word for its outcome.
        chunks: for each chunk its address, its index from 0, and how many chunks the mailing has.
        recipients: how many recipients the request has.
    """
    indices: dict[str, list[int]] = {}
    counts: dict[str, int] = {}
    for address, index, count in chunks:
        indices.setdefault(address, []).append(index + 1)
        counts[address] = count
    names = []
    for address, numbers in indices.items():
        span = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
        names.append(address if len(numbers) == counts[address] else f"{address} [{span}/{counts[address]}]")
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    line = f"{outcome:<9} {_column(recipients)}  {', '.join(names[:_NAMED])}{more}"
    return Event("request", line, tuple(indices), recipients, outcome, is_warning=outcome != "accepted")


def step_event(outcome: str, step: str, address: str, recipients: int | None) -> Event:
    """Return the event of one answered step of a list mailing: `draft` or `confirm`."""
    success = "drafted" if step == "draft" else "confirmed"
    line = f"{success if outcome == 'accepted' else outcome:<9} {_column(recipients)}  {address}"
    return Event(step, line, (address,), recipients, outcome, is_warning=outcome != "accepted")


def _column(recipients: int | None) -> str:
    """Return a count of recipients, padded so that the addresses after it are aligned."""
    count = "?" if recipients is None else f"{recipients:,}"
    return f"{count:>9} {'recipient ' if recipients == 1 else 'recipients'}"


def _ignore(value: object) -> None:
    """Do nothing: the default of a callback."""


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What to apply, and what the run needs for it.

    `load` reads the project once the lock is held, `reviewed` reads the plan to apply, if there is one, and `connect` opens
    the client of `account` (None if unknown). Each is called only after all earlier checks have passed. `planned` receives
    the plan before it can be refused as a whole. `approve` is asked once, with the plan; without it, only a `reviewed` plan
    is applied. `say` receives every event, `advance` the number of further recipients done.
    """

    load: Callable[[], LoadedProject]
    store: LockStore
    connect: Callable[[], SendClient]
    account: str | None
    clock: Clock
    here: Binding | None = None  # where the lock must belong; None: not checked
    select: tuple[str, ...] = ()
    reviewed: Callable[[], Plan] | None = None
    planned: Callable[[Plan], object] = _ignore
    approve: Callable[[Plan], bool] | None = None
    say: Callable[[Event], None] = _ignore
    advance: Callable[[int], None] = _ignore
    commit: str | None = None
    by: str | None = None  # the user who runs it, for the record
    lock_timeout: float = 0.0

    @contextmanager
    def hold_lock(self) -> Iterator[HeldLock]:
        """Hold the lock; if another run does, say which, and wait up to `lock_timeout` seconds.

        Raises as LockStore.held.
        """
        running = self.store.read_running() if self.lock_timeout else None
        if running is not None:
            self.say(Event("lock", f"waiting up to {self.lock_timeout:g} s for the lock: {running.holder}"))
        with self.store.held(self.lock_timeout) as held:
            yield held


@dataclass(frozen=True, slots=True)
class ApplyContext:
    """What the parts of one apply share.

    `mailings` are those in the files, `runs` those of the plan, both by address.
    """

    project: Project  # with its queries limited to the planned results
    mailings: Mapping[str, Mailing]
    client: SendClient
    clock: Clock
    recorder: Recorder
    shutdown: ShutdownSignal
    runs: Mapping[str, MailingRun]
    names: AccountNames  # of the account, as far as the plan needed them
    opt_outs: OptOutWatch  # made before the plan
    say: Callable[[Event], None]
    advance: Callable[[int], None]

    def action_of(self, mailing: Mailing) -> Action:
        """Return what the plan does with a mailing."""
        return self.runs[mailing.address].action
