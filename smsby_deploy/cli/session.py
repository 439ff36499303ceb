"""What most commands begin with: the project, the token, the client, the lock."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from smsby_deploy.errors import TokenRefused, UsageError
from smsby_deploy.gc_tuning import collect_as_usual

if TYPE_CHECKING:
    from smsby_deploy.cli.context import Context
    from smsby_deploy.clock import Clock
    from smsby_deploy.config.declarations import ApiSettings, Project
    from smsby_deploy.config.project_loader import LoadedProject
    from smsby_deploy.lock.store import LockStore
    from smsby_deploy.output.progress import Progress
    from smsby_deploy.plan.observers import ReadProgress
    from smsby_deploy.smsby.client import ReadClient, SendClient
    from smsby_deploy.smsby.transport import ReadTransport, SendTransport

_Transport = TypeVar("_Transport", bound="ReadTransport")


def load(context: Context) -> LoadedProject:
    """The project that the command line means.

    Raises:
        UsageError: there is none.
        FilesInvalid: its smsby.yaml can't be used.
    """
    from smsby_deploy.config.project_loader import find_project, load_project

    try:
        return load_project(find_project(context.project, context.environ), context.environ)
    finally:
        collect_as_usual()


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


def api_url(api: ApiSettings, environ: Mapping[str, str]) -> str:
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
    return (asked or api.url).rstrip("/")


def open_reader(api: ApiSettings, environ: Mapping[str, str], clock: Clock) -> ReadClient:
    """A client that can't send.

    Raises:
        TokenRefused: there is no token.
        UsageError: SMSBY_API_URL is no address.
    """
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.transport import ReadTransport

    return ReadClient(_open_transport(ReadTransport, api, environ, clock))


def open_sender(api: ApiSettings, environ: Mapping[str, str], clock: Clock) -> SendClient:
    """A client that sends; raises as open_reader."""
    from smsby_deploy.smsby.client import SendClient

    return SendClient(open_send_transport(api, environ, clock))


def open_send_transport(api: ApiSettings, environ: Mapping[str, str], clock: Clock) -> SendTransport:
    """What a client that sends stands on; raises as open_reader."""
    from smsby_deploy.smsby.transport import SendTransport

    return _open_transport(SendTransport, api, environ, clock)


def _open_transport(
    kind: type[_Transport], api: ApiSettings, environ: Mapping[str, str], clock: Clock
) -> _Transport:
    return kind(
        api_url(api, environ),
        read_token(environ),
        timeout=api.timeout_seconds,
        requests_per_second=api.requests_per_second,
        body=api.body,
        clock=clock,
    )


@contextmanager
def progress_of(context: Context, clock: Clock) -> Iterator[Progress]:
    """Progress on stderr, as the global options and the terminal want it."""
    from smsby_deploy.output.progress import open_progress

    terminal = context.environ.get("TERM", "")
    with open_progress(
        sys.stderr,
        color=context.color,
        quiet=context.quiet,
        clock=clock,
        terminal=terminal,
        log=context.log,
    ) as progress:
        yield progress


def watch_with(progress: Progress) -> ReadProgress:
    """The reading of audiences, shown as steps of `progress`."""
    from smsby_deploy.plan.observers import ReadProgress

    def begins(address: str, number: int, count: int) -> None:
        progress.step(f"reading {address} ({number} of {count})")

    return ReadProgress(begins, progress.advance)


def open_lock(project: Project) -> LockStore:
    """The project's lock store; nothing is read or written yet."""
    from smsby_deploy.lock.store import LockStore

    return LockStore(project.lock, project.name)
