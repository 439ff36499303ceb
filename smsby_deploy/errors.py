"""Every error a user can meet, and its exit code.

SmsbyDeployError                1   failed
├── UsageError                 64   wrong usage
├── FilesInvalid                3   the project's files are not valid (carries the problems)
├── PlanRefused                 5   a plan file that is stale, used, edited or unreadable
├── OutcomeUnknown              6   a send whose outcome is not known
├── SmsbyUnavailable            7   sms.by can't be reached
│   └── TokenRefused            7   ... or does not take the token
├── Refused                     4   a guardrail, the balance, a missing approval
├── LockHeld                    8   another run holds the lock
├── LockDamaged                 1   the lock file or its journal can't be trusted
└── ApiError                    1   sms.by answered with an error
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smsby_deploy.problems import Location, Problem


class SmsbyDeployError(Exception):
    """One clear sentence, where it happened, what to do next, and the exit code."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "", location: Location | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location

    def __str__(self) -> str:
        return f"{self.location}: {self.message}" if self.location else self.message


class UsageError(SmsbyDeployError):
    """The command line makes no sense."""

    exit_code = ExitCode.WRONG_USAGE


class FilesInvalid(SmsbyDeployError):
    """The project's files are not valid; `problems` holds every one found."""

    exit_code = ExitCode.FILES_INVALID

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{counted(len(problems), 'problem')} in the project's files")
        self.problems = tuple(problems)


class PlanRefused(SmsbyDeployError):
    """A plan file that must not be applied: stale, used, edited or unreadable."""

    exit_code = ExitCode.PLAN_REFUSED


class OutcomeUnknown(SmsbyDeployError):
    """A send left, and whether sms.by took it is not known."""

    exit_code = ExitCode.OUTCOME_UNKNOWN


class SmsbyUnavailable(SmsbyDeployError):
    """sms.by can't be reached, or did not answer a question that reaches nobody. `retry_after` are the seconds after
    which it wants to be asked again, None if it did not say."""

    exit_code = ExitCode.UNREACHABLE
    retry_after: float | None = None


class TokenRefused(SmsbyUnavailable):
    """sms.by does not take the token, or there is none."""


class Refused(SmsbyDeployError):
    """The tool will not do it: a guardrail, the balance, a missing approval."""

    exit_code = ExitCode.REFUSED


class LockHeld(SmsbyDeployError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCK_HELD


class LockDamaged(SmsbyDeployError):
    """The lock file or its journal can't be trusted; nothing is guessed from it."""


class ApiError(SmsbyDeployError):
    """sms.by answered a question with an error; `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
