"""What most commands begin with: the project, the token, the client, the lock."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smsby_deploy.errors import TokenRefused, UsageError

if TYPE_CHECKING:
    from smsby_deploy.cli.context import Context
    from smsby_deploy.clock import Clock
    from smsby_deploy.lock.store import LockStore
    from smsby_deploy.plan.watch import Watch
    from smsby_deploy.project.declarations import Project
    from smsby_deploy.project.load import LoadedProject
    from smsby_deploy.report.progress import Progress
    from smsby_deploy.smsby.client import ReadClient


def load(context: Context) -> LoadedProject:
    """The project that the command line means.

    Raises:
        UsageError: there is none.
        FilesInvalid: its smsby.yaml can't be used.
    """
    from smsby_deploy.project.load import find_project, load_project

    return load_project(find_project(context.project, context.environ))


def read_token(environ: Mapping[str, str]) -> str:
    """The token, which only ever comes from SMSBY_TOKEN.

    Raises:
        TokenRefused: there is none.
    """
    token = environ.get("SMSBY_TOKEN", "").strip()
    if not token:
        raise TokenRefused(
            "no token: SMSBY_TOKEN is not set",
            hint="export SMSBY_TOKEN=… (the key of the API from your account at sms.by; any word for the sandbox)",
        )
    return token


def api_url(project: Project, environ: Mapping[str, str]) -> str:
    """Where sms.by is: SMSBY_API_URL wins over the project's `api.url`.

    Raises:
        UsageError: SMSBY_API_URL is no address.
    """
    asked = environ.get("SMSBY_API_URL", "").strip()
    if asked and not re.match(r"https?://[^/\s]+", asked):
        raise UsageError(
            "SMSBY_API_URL is not an http or https address",
            hint="e.g. https://app.sms.by, or what `smsby-deploy sandbox` prints",
        )
    return (asked or project.api.url).rstrip("/")


def open_reader(project: Project, environ: Mapping[str, str], clock: Clock) -> ReadClient:
    """A client that can't send.

    Raises:
        TokenRefused: there is no token.
    """
    from smsby_deploy.smsby.client import read_client

    return read_client(
        api_url(project, environ),
        read_token(environ),
        timeout=project.api.timeout_seconds,
        requests_per_second=project.api.requests_per_second,
        body=project.api.body,
        clock=clock,
    )


@contextmanager
def progress_of(context: Context, clock: Clock) -> Iterator[Progress]:
    """Progress on stderr, as the global options and the terminal want it."""
    from smsby_deploy.report.progress import open_progress

    terminal = context.environ.get("TERM", "")
    with open_progress(
        sys.stderr, color=context.color, quiet=context.quiet, clock=clock, terminal=terminal
    ) as progress:
        yield progress


def watch_with(progress: Progress) -> Watch:
    """The reading of audiences, shown as steps of `progress`."""
    from smsby_deploy.plan.watch import Watch

    def begins(address: str, number: int, count: int) -> None:
        progress.step(f"reading {address} ({number} of {count})")

    return Watch(begins, progress.advance)


def open_lock(project: Project) -> LockStore:
    """The project's lock store; nothing is read or written yet."""
    from smsby_deploy.lock.store import LockStore

    return LockStore(project.lock, project.name)
