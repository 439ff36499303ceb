"""What most commands start with: the project, the token, a client, the lock, progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from smsby_deploy import __version__
from smsby_deploy.errors import SmsbyUnavailable, UsageError
from smsby_deploy.gc_tuning import collect_as_usual

if TYPE_CHECKING:
    from smsby_deploy.cli.context import Context
    from smsby_deploy.clock import Clock
    from smsby_deploy.config.declarations import ApiSettings, Mailing, Project
    from smsby_deploy.config.project_loader import LoadedProject
    from smsby_deploy.lock.binding import Binding
    from smsby_deploy.lock.edit import LockEdit
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.lock.store import LockStore
    from smsby_deploy.notify import Notification
    from smsby_deploy.output.progress import Progress
    from smsby_deploy.plan.observers import ReadProgress
    from smsby_deploy.problems import Problem
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.facts import AccountFacts
    from smsby_deploy.smsby.send_client import SendClient
    from smsby_deploy.smsby.transport import ReadTransport, SendTransport

_Transport = TypeVar("_Transport", bound="ReadTransport")
_MAX_ACTOR = 80  # characters
# The user who started a pipeline on GitHub, on GitLab, and on Jenkins with the build user vars plugin.
_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID")


def load(context: Context) -> LoadedProject:
    """Load the project that the command line names.

    Raises:
        UsageError: there is none.
        FilesInvalid: its smsby.yaml cannot be used.
    """
    from smsby_deploy.config.environments import choose_environment
    from smsby_deploy.config.project_loader import find_project, load_project

    try:
        folder = find_project(context.project, context.environ)
        return load_project(folder, context.environ, choose_environment(context.environment, context.environ))
    finally:
        collect_as_usual()


def load_api_settings(context: Context) -> ApiSettings:
    """The project's API settings, or the defaults outside a project.

    Raises:
        UsageError: a project was named, and there is none.
        FilesInvalid: its smsby.yaml cannot be used.
    """
    from smsby_deploy.config.declarations import ApiSettings
    from smsby_deploy.config.environments import built_in, choose_environment
    from smsby_deploy.config.project_loader import find_project

    try:
        find_project(context.project, context.environ)
    except UsageError:
        if context.project or context.environ.get("SMSBY_PROJECT"):
            raise
        name = choose_environment(context.environment, context.environ)
        return ApiSettings(built_in(name))
    return load(context).project.api


def open_reader(api: ApiSettings, environ: Mapping[str, str], clock: Clock) -> ReadClient:
    """A client that cannot send.

    Raises:
        TokenRefused: there is no token.
        SmsbyUnavailable: the token must not be sent to the URL.
        UsageError: SMSBY_API_URL is not a URL.
    """
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.transport import ReadTransport

    facts = facts_of(api, environ)
    return ReadClient(
        _open_transport(ReadTransport, api, environ, clock, call_styles=facts.call_styles), facts
    )


def open_sender(
    api: ApiSettings, environ: Mapping[str, str], clock: Clock, facts: AccountFacts | None = None
) -> SendClient:
    """A client that can send, by `facts` or those of the facts file; raises as open_reader."""
    from smsby_deploy.smsby.send_client import SendClient

    facts = facts or facts_of(api, environ)
    return SendClient(open_send_transport(api, environ, clock, facts), facts)


def open_send_transport(
    api: ApiSettings,
    environ: Mapping[str, str],
    clock: Clock,
    facts: AccountFacts | None = None,
    *,
    token: str | None = None,
) -> SendTransport:
    """The transport of open_sender, perhaps with another `token`; raises as open_reader."""
    from smsby_deploy.smsby.transport import SendTransport

    call_styles = (facts or facts_of(api, environ)).call_styles
    return _open_transport(SendTransport, api, environ, clock, call_styles=call_styles, token=token)


def _open_transport(
    kind: type[_Transport],
    api: ApiSettings,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    call_styles: Mapping[str, str],
    token: str | None = None,
) -> _Transport:
    from smsby_deploy.config.environments import read_token, service_url
    from smsby_deploy.smsby.parameters import CallStyle

    return kind(
        service_url(api.environment, environ),
        read_token(api.environment, environ) if token is None else token,
        timeout=api.timeout_seconds,
        requests_per_second=api.requests_per_second,
        body=api.body,
        clock=clock,
        call_styles={name: CallStyle(style) for name, style in call_styles.items()},
    )


def account_of(api: ApiSettings, environ: Mapping[str, str]) -> str:
    """The id of the account that the URL and the token belong to; raises as open_reader."""
    from smsby_deploy.config.environments import read_token, service_url
    from smsby_deploy.plan.plan_file import account_id

    return account_id(service_url(api.environment, environ), read_token(api.environment, environ))


def facts_of(api: ApiSettings, environ: Mapping[str, str]) -> AccountFacts:
    """What is known about the account.

    Raises:
        FilesInvalid: the facts file is not valid.
        TokenRefused, SmsbyUnavailable, UsageError: as open_reader.
    """
    from smsby_deploy.smsby.facts import NO_FACTS, read_facts

    return NO_FACTS if api.facts_file is None else read_facts(api.facts_file, account_of(api, environ))


def listing_seconds(api: ApiSettings, environ: Mapping[str, str]) -> float:
    """How long the account may take to list a mailing, as far as that is known without a token.

    Raises:
        FilesInvalid, UsageError: as facts_of.
    """
    try:
        return facts_of(api, environ).reconcile_seconds(api.reconcile_seconds)
    except SmsbyUnavailable:
        return api.reconcile_seconds


def binding_of(api: ApiSettings, environ: Mapping[str, str]) -> Binding:
    """Where a run sends to; raises as open_reader."""
    from smsby_deploy.config.environments import service_url
    from smsby_deploy.lock.binding import Binding, service_of

    service = service_of(service_url(api.environment, environ))
    return Binding(api.environment.name, service, account_of(api, environ))


def secret_of(api: ApiSettings, environ: Mapping[str, str]) -> str:
    """The URL and the token, which only those know who may ask; raises as open_reader."""
    from smsby_deploy.config.environments import read_token, service_url

    return f"{service_url(api.environment, environ)} {read_token(api.environment, environ)}"


def open_lock(project: Project) -> LockStore:
    """The project's lock store; opening it reads and writes nothing."""
    from smsby_deploy.lock.open_lock import open_lock_at

    return open_lock_at(project.lock_place, project.name, project.root)


def excuses_of(project: Project) -> Callable[[Mailing], bool]:
    """A function that says which mailings are gone; it reads the lock when it is first asked."""

    @cache
    def read_lock() -> Lock:
        from smsby_deploy.errors import SmsbyDeployError
        from smsby_deploy.lock.archive import with_archived
        from smsby_deploy.lock.records import Lock

        try:
            return with_archived(open_lock(project).read()).lock
        except SmsbyDeployError:  # other commands report it; errors in the files come first
            return Lock(project.name)

    def excuses(mailing: Mailing) -> bool:
        from smsby_deploy.clock import SystemClock
        from smsby_deploy.plan.gone import is_excused

        return is_excused(read_lock().mailings.get(mailing.address), mailing, SystemClock().now())

    return excuses


def report_problems(context: Context, problems: Sequence[Problem]) -> None:
    """Write `problems` to stderr, beside the data on stdout."""
    from smsby_deploy.output.json_log import log_problems
    from smsby_deploy.output.problems_text import write_problems

    if context.log is not None:
        log_problems(problems, context.log)
    elif problems:
        write_problems(problems, sys.stderr, color=context.color)


@contextmanager
def progress_of(context: Context, clock: Clock) -> Iterator[Progress]:
    """Progress on stderr, in the form that the global options and the terminal allow."""
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


def reading_progress(progress: Progress) -> ReadProgress:
    """Show the reading of each audience as a step of `progress`."""
    from smsby_deploy.plan.observers import ReadProgress

    def begin(address: str, number: int, count: int) -> None:
        progress.step(f"reading {address} ({number} of {count})")

    return ReadProgress(begin, progress.advance)


def folder_from_here(context: Context) -> str:
    """The project's folder relative to the working directory.

    CI annotations name files from there.
    """
    from smsby_deploy.config.project_loader import find_project

    root, here = find_project(context.project, context.environ).resolve(), Path.cwd()
    return root.relative_to(here).as_posix() if root.is_relative_to(here) else "."


@contextmanager
def change_lock(context: Context, reason: str, command: str) -> Iterator[LockEdit]:
    """A manual change of the project's lock, which is held meanwhile."""
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.lock.edit import LockEdit

    at = SystemClock().now().isoformat(timespec="seconds")
    with open_lock(load(context).project).held(command=command) as held:
        yield LockEdit(
            held, by=find_actor(context.environ), at=at, tool=f"smsby-deploy {__version__}", reason=reason
        )


def next_lines(context: Context, project: Project, why: str, *then: str) -> str:
    """`next:` and the commands after a manual change of the lock.

    It is committed first if it is a file of the repository.
    """
    import os
    import shlex

    lock = shlex.quote(os.path.relpath(project.lock))
    commands = [f'git add {lock} && git commit -m "{why}"'] if project.is_lock_committed else []
    return "next: " + "\n      ".join([*commands, *(f"{context.program} {command}" for command in then)])


def find_actor(environ: Mapping[str, str]) -> str:
    """The user who started the pipeline, or else the user of this machine.

    `unknown` if neither has a name.
    """
    import getpass

    from smsby_deploy.output.values import safe_line

    actor = next((environ[name] for name in _ACTORS if environ.get(name)), "")
    if not actor:
        try:
            actor = getpass.getuser()
        except (OSError, KeyError):  # in a container the user may have no name
            actor = "unknown"
    return safe_line(actor)[:_MAX_ACTOR]


def find_commit(folder: Path) -> str | None:
    """The commit checked out in `folder`; None outside a git repository or without git."""
    from smsby_deploy.git import ask_git

    return ask_git(folder, "rev-parse", "HEAD") or None


def notify(context: Context, project: Project, notification: Notification | None) -> None:
    """Send a notification to the URLs of `notify`; what fails is only a warning."""
    if notification is None:
        return
    from smsby_deploy.notify import notify_all

    for problem in notify_all(notification, project.notify, context.environ):
        context.warn(problem, "notify")
