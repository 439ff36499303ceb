"""What one run of a command needs: project, lock, progress, the user, notifications."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import Refused, SmsbyDeployError, UsageError
from smsby_deploy.files import real_path
from smsby_deploy.gc_tuning import collect_as_usual

if TYPE_CHECKING:
    from smsby_deploy.cli.options import Context
    from smsby_deploy.config.declarations import ApiSettings, Mailing, Project
    from smsby_deploy.config.project_loader import LoadedProject
    from smsby_deploy.lock.edit import LockEdit
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.lock.store import LockStore
    from smsby_deploy.notify import Notification
    from smsby_deploy.output.progress import Progress
    from smsby_deploy.plan.measure import ReadProgress
    from smsby_deploy.problems import Problem
    from smsby_deploy.status.collect import CollectProgress

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
        if context.project is not None or context.environ.get("SMSBY_PROJECT"):
            raise
        name = choose_environment(context.environment, context.environ)
        return ApiSettings(built_in(name))
    return load(context).project.api


def refuse_to_overwrite(project: Project, *outputs: Path | None, plan: Path | None = None) -> None:
    """Refuse to overwrite a file that decides or records what is sent, or another output.

    Raises:
        UsageError: one of `outputs` is such a file, or the file of the `plan` in use.
    """
    written = [path for path in outputs if path is not None]
    if not written:
        return
    from smsby_deploy.lock.store import LockStore

    place = project.lock_place
    # Only its files are named here: a shared lock need not be reachable.
    store = LockStore(place.path, project.name, place.environment)
    record = {store.path, store.journal_path, store.archive_path}
    taken = {real_path(path) for path in record}  # even before the first apply, which writes them
    kept = record | _inputs(project) if any(path.exists() for path in written) else set()
    if plan is not None:
        kept.add(plan)  # a run that fails needs it again
    hint = "nothing was written; name another file"
    seen: set[Path] = set()
    for path in written:
        is_input = path.exists() and any(one.exists() and one.samefile(path) for one in kept)
        if is_input or real_path(path) in taken:
            raise UsageError(f"{path} is a file of the project and would be overwritten", hint=hint)
        if path.is_file() or not path.exists():  # a pipe or /dev/null takes both
            if real_path(path) in seen:
                raise UsageError(f"{path} cannot take two outputs", hint=hint)
            seen.add(real_path(path))


def _inputs(project: Project) -> set[Path]:
    """The files that decide what is sent."""
    from smsby_deploy.plan.staleness import input_paths

    campaigns = (project.root / campaign.file for campaign in project.campaigns)
    inputs = {*campaigns, *input_paths(project, project.mailings)}
    if project.api.facts_file is not None:
        inputs.add(project.api.facts_file)
    if project.approvals is not None:
        inputs.add(project.approvals.path)
    return inputs


def open_lock(project: Project) -> LockStore:
    """The project's lock store; opening it reads and writes nothing."""
    from smsby_deploy.lock.opening import open_lock_at

    store = open_lock_at(project.lock_place, project.name, project.root)
    store.zone = project.zone
    return store


def note_running(context: Context, project: Project) -> None:
    """Report the run that holds the lock, if any: what it is sending looks unknown.

    A store that cannot be reached is ignored.
    """
    with suppress(SmsbyDeployError):
        if (running := open_lock(project).read_running()) is not None:
            context.note(
                f"in progress: another run holds the lock: {running.holder}; wait until it has ended"
            )


def refuse_damaged_lock(project: Project) -> None:
    """Refuse to run with a damaged lock, in commands that do not read it otherwise.

    A lock in a shared store is not read, because these commands work offline.

    Raises:
        LockDamaged: the lock file or its journal is damaged.
    """
    if project.shared_lock is None and project.lock_place.has_files:
        with suppress(Refused):  # the lock of another environment: an error only where it is used
            open_lock(project).read()


def excuses_of(project: Project) -> Callable[[Mailing], bool]:
    """Return a check for mailings that are gone; it reads the lock on its first call."""

    @cache
    def read_lock() -> Lock:
        from smsby_deploy.lock.archive import with_archived
        from smsby_deploy.lock.records import Lock

        try:
            return with_archived(open_lock(project).read()).lock
        except SmsbyDeployError:  # other commands report it; errors in the files come first
            return Lock(project.name)

    def excuses(mailing: Mailing) -> bool:
        from smsby_deploy.plan.gone import is_excused

        return is_excused(read_lock().mailings.get(mailing.address), mailing, SystemClock().now())

    return excuses


def report_problems(context: Context, problems: Sequence[Problem]) -> None:
    """Write `problems` to stderr, next to the data on stdout."""
    from smsby_deploy.output.json_log import log_problems
    from smsby_deploy.output.problems_text import write_problems

    if context.log is not None:
        log_problems(problems, context.log)
    elif problems:
        write_problems(problems, sys.stderr, color=context.color)


def progress_of(context: Context) -> AbstractContextManager[Progress]:
    """Progress on stderr, in the form that the global options and the terminal allow."""
    from smsby_deploy.output.progress import open_progress

    return open_progress(
        sys.stderr,
        color=context.color,
        quiet=context.quiet,
        clock=SystemClock(),
        terminal=context.environ.get("TERM", ""),
        log=context.log,
    )


def reading_progress(progress: Progress) -> ReadProgress:
    """Show the reading of each audience as a step of `progress`."""
    from smsby_deploy.plan.measure import ReadProgress

    def begin(address: str, number: int, count: int) -> None:
        progress.step(f"reading {address} ({number} of {count})")

    return ReadProgress(begin, progress.advance)


def asking_progress(progress: Progress) -> CollectProgress:
    """Show the queries about deliveries as a step of `progress`."""
    from smsby_deploy.status.collect import CollectProgress

    def begin(recipients: int) -> None:
        progress.step("asking sms.by", recipients or None)

    return CollectProgress(begin, progress.advance)


def folder_from_here(context: Context) -> str:
    """The project's folder relative to the working directory.

    CI annotations name files from there.
    """
    from smsby_deploy.config.project_loader import find_project

    root, here = real_path(find_project(context.project, context.environ)), Path.cwd()
    return root.relative_to(here).as_posix() if root.is_relative_to(here) else "."


@contextmanager
def change_lock(context: Context, reason: str, command: str) -> Iterator[LockEdit]:
    """A manual change of the project's lock, which is held meanwhile."""
    from smsby_deploy.lock.edit import LockEdit

    at = SystemClock().now().isoformat(timespec="seconds")
    with open_lock(load(context).project).held(command=command) as held:
        yield LockEdit(held, by=find_actor(context.environ), at=at, reason=reason)


def note_change(context: Context, said: str, why: str, then: str) -> None:
    """Print what a manual change of the lock recorded, and the next commands.

    These are a commit with the message `why`, unless the lock is outside the repository, and `then`.
    """
    project = load(context).project
    lock = shlex.quote(os.path.relpath(project.lock))
    commands = [f'git add {lock} && git commit -m "{why}"'] if project.is_lock_committed else []
    steps = "\n      ".join([*commands, f"{context.program} {then}"])
    context.note(f"{said}\nnext: {steps}")


def find_actor(environ: Mapping[str, str]) -> str:
    """Return the user who started the pipeline, otherwise the user of this machine.

    `unknown` if neither has a name.
    """
    import getpass

    from smsby_deploy.output.terminal import safe_line

    actor = next((environ[name] for name in _ACTORS if environ.get(name)), "")
    if not actor:
        try:
            actor = getpass.getuser()
        except (
            OSError,
            KeyError,
            ImportError,
        ):  # in a container, or as a service of Windows, the user may have no name
            actor = "unknown"
    return safe_line(actor)[:_MAX_ACTOR]


def find_commit(folder: Path) -> str | None:
    """The commit checked out in `folder`; None outside a git repository or without git."""
    from smsby_deploy.git import ask_git

    return ask_git(folder, "rev-parse", "HEAD") or None


def notify(context: Context, project: Project, notification: Notification | None) -> None:
    """Send a notification to the URLs of `notify`; a failure is only a warning."""
    if notification is None:
        return
    from smsby_deploy.notify import notify_all

    for problem in notify_all(notification, project.notify, context.environ):
        context.warn(problem, "notify")
