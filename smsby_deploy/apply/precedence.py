"""Of several reasons to refuse, the one that the documented order of exit codes names first: 64, 3, 8, 5, 7.

Looked at only once something was refused, before anything was sent: what goes well pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from smsby_deploy.clock import Clock
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import (
    FilesInvalid,
    LockDamaged,
    LockHeld,
    PlanRefused,
    SmsbyDeployError,
    SmsbyUnavailable,
)
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.store import LockStore
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.plan_file import find_outdated, reviewed_addresses, stale_plan
from smsby_deploy.plan.planner import make_plan


def first_that_fits(
    error: SmsbyDeployError,
    *,
    load: Callable[[], LoadedProject],
    store: LockStore,
    clock: Clock,
    select: tuple[str, ...] = (),
    reviewed: Plan | None = None,
    account: str | None = None,
    lock_timeout: float | None = None,
) -> SmsbyDeployError:
    """`error`, or what goes before it: invalid files, a lock that is held (unless `lock_timeout` is None: it is not
    needed), a plan file that must not be applied. `account` is None if nobody knows it.

    Raises:
        UsageError: a pattern of `select` fits nothing.
        FilesInvalid: the project's own file can't be used.
    """
    loaded = load()
    try:
        lock = store.read()
    except LockDamaged:
        lock = Lock(loaded.project.name)
    refused = error
    if reviewed is not None:
        try:
            select = reviewed_addresses(reviewed, loaded, lock)
        except PlanRefused as refusal:
            refused = refusal
    now = make_plan(
        loaded, select=select, client=None, account=None, lock=lock, clock=clock, new_id="offline"
    )
    if now.has_errors and not (reviewed is not None and reviewed.has_errors):
        return FilesInvalid(now.problems)
    if reviewed is not None and refused is error and isinstance(error, SmsbyUnavailable):
        outdated = find_outdated(reviewed, replace(now, account=account or reviewed.account))
        if outdated:
            refused = stale_plan(outdated)
    return _held_first(refused, store, lock_timeout)


def _held_first(error: SmsbyDeployError, store: LockStore, lock_timeout: float | None) -> SmsbyDeployError:
    """`error`, or that another run holds the lock."""
    if isinstance(error, LockHeld) or lock_timeout is None:
        return error
    try:
        with store.held(lock_timeout):
            return error
    except LockHeld as held:
        return held
    except SmsbyDeployError:  # e.g. it is damaged, which comes last
        return error
