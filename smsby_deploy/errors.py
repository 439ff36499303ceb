"""Every error that a user can see, and its exit code.

SmsbyDeployError                1   failed
├── UsageError                 64   wrong usage
├── FilesInvalid                3   the project's files are not valid (carries the problems)
├── PlanRefused                 5   the plan file is stale, used, edited or unreadable
├── OutcomeUnknown              6   the outcome of a send is unknown
├── SmsbyUnavailable            7   sms.by cannot be reached
│   ├── UnusableAnswer          7   ... or fails to answer a question
│   └── TokenRefused            7   ... or refuses the token
├── Refused                     4   a guardrail, the balance, a missing approval
├── LockHeld                    8   another run holds the lock
├── LockDamaged                 1   the lock file or its journal is damaged
├── StoreUnavailable            1   the store of a shared lock cannot be read or written
├── OutputLost                  1   stdout is closed or full; or the worse code of the result
└── ApiError                    1   sms.by answered with an error
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.wording import did_you_mean, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from smsby_deploy.problems import Location, Problem


class SmsbyDeployError(Exception):
    """An error: one clear sentence, its place in a file, what to do next, and an exit code."""

    exit_code: ExitCode = ExitCode.FAILED  # of the class; an error that ends a run may have a worse one

    def __init__(self, message: str, *, hint: str = "", location: Location | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location

    @property
    def summary(self) -> str:
        """What happened, in one sentence; for invalid files, the first error."""
        return self.message

    def __str__(self) -> str:
        return f"{self.location}: {self.message}" if self.location else self.message


class UsageError(SmsbyDeployError):
    """The command line is wrong."""

    exit_code = ExitCode.WRONG_USAGE


def missing_package(error: ModuleNotFoundError) -> SmsbyDeployError:
    """Return the error for an installation that lacks a package it needs."""
    hint = "its installation was interrupted or has changed; install smsby-deploy again with pip"
    return SmsbyDeployError(f"smsby-deploy needs the package {error.name}, which is missing", hint=hint)


def unknown_address(address: str, known: Iterable[str]) -> UsageError:
    """Return the error for an `address` that the lock does not have; `known` are those it has."""
    hint = did_you_mean(address, known) or "`smsby-deploy lock list` shows all of them"
    return UsageError(f"no mailing {address} in the lock", hint=hint)


class FilesInvalid(SmsbyDeployError):
    """The project's files are not valid; `problems` are all that were found."""

    exit_code = ExitCode.FILES_INVALID

    def __init__(self, problems: Sequence[Problem]) -> None:
        errors = sum(problem.is_error for problem in problems)
        super().__init__(sentence("{count:problem|problems} in the project's files", count=errors))
        self.problems = tuple(problems)

    @property
    def summary(self) -> str:
        first = next((problem for problem in self.problems if problem.is_error), None)
        if first is None or first.location is None:
            return self.message if first is None else first.message
        return sentence("{name}: {message}", name=str(first.location), message=first.message)


_LOST_RESULT = (
    "run `smsby-deploy status` to see what was sent, and `smsby-deploy plan` to see what remains to be done"
)


class OutputLost(SmsbyDeployError):
    """Stdout is closed or full, so the output of a command cannot be written."""

    def __init__(self, why: str, *, result: str = "", exit_code: ExitCode = ExitCode.FAILED) -> None:
        """Take the worse of 1 and the command's own `exit_code`.

        `result` says in a line what the output would have said; empty if the command sends nothing.
        """
        super().__init__(
            f"cannot write the output: {why}{f'; the result: {result}' if result else ''}",
            hint=_LOST_RESULT if result else "",
        )
        self.why = why
        self.exit_code = first_exit_code([ExitCode.FAILED, exit_code])


class PlanRefused(SmsbyDeployError):
    """The plan file is stale, used, edited or unreadable, so it must not be applied."""

    exit_code = ExitCode.PLAN_REFUSED


@contextmanager
def unknown_first(is_unknown: Callable[[], bool]) -> Iterator[None]:
    """Let an error exit with 6 if an earlier outcome `is_unknown` and 6 precedes its code."""
    try:
        yield
    except SmsbyDeployError as error:
        if is_unknown():
            error.exit_code = first_exit_code([error.exit_code, ExitCode.OUTCOME_UNKNOWN])
        raise


class OutcomeUnknown(SmsbyDeployError):
    """A request was sent, and it is unknown whether sms.by accepted it."""

    exit_code = ExitCode.OUTCOME_UNKNOWN


class SmsbyUnavailable(SmsbyDeployError):
    """sms.by cannot be reached, or did not answer a request that reaches no recipient.

    `retry_after` is the number of seconds that sms.by asked to wait, None if it did not.
    """

    exit_code = ExitCode.UNREACHABLE
    retry_after: float | None = None


class UnusableAnswer(SmsbyUnavailable):
    """sms.by answered one query with a server error, or with an answer that cannot be read.

    It may answer others.
    """


# The client does not know the environment that it works for.
CHECK_TOKEN = (
    "check the token: it is in SMSBY_TOKEN, or in the variable that `token_env` of this environment names"
)


class TokenRefused(SmsbyUnavailable):
    """sms.by refuses the token, or there is none."""


class Refused(SmsbyDeployError):
    """A guardrail, the balance or a missing approval forbids the command."""

    exit_code = ExitCode.REFUSED


class LockHeld(SmsbyDeployError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCK_HELD


class LockDamaged(SmsbyDeployError):
    """The lock file or its journal is damaged; nothing is guessed from it."""


class StoreUnavailable(SmsbyDeployError):
    """The store of a shared lock cannot be read or written; no result is lost.

    `has_sent`: the run that it ended had sent something.
    """

    has_sent = False


class ApiError(SmsbyDeployError):
    """sms.by answered with an error; `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
