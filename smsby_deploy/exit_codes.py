"""The exit codes of the command line. They are frozen: pipelines depend on them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The result of a run; docs/exit-codes.md explains each code to users."""

    DONE = 0
    FAILED = 1  # or sms.by rejected a mailing
    CHANGES_TO_APPLY = 2  # only from `plan --detailed-exitcode`
    FILES_INVALID = 3
    REFUSED = 4  # a guardrail, the balance, a blocked mailing, a missing approval
    PLAN_REFUSED = 5  # the plan file is stale, used, edited or unreadable
    OUTCOME_UNKNOWN = 6  # or a mailing was sent only in part
    UNREACHABLE = 7  # sms.by cannot be reached, refuses the token, or kept answering 429
    LOCK_HELD = 8
    WRONG_USAGE = 64


_PRECEDENCE = (
    ExitCode.WRONG_USAGE,
    ExitCode.FILES_INVALID,
    ExitCode.LOCK_HELD,
    ExitCode.PLAN_REFUSED,
    ExitCode.OUTCOME_UNKNOWN,
    ExitCode.UNREACHABLE,
    ExitCode.REFUSED,
    ExitCode.FAILED,
    ExitCode.CHANGES_TO_APPLY,
    ExitCode.DONE,
)


def first_exit_code(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code to exit with when several apply; DONE if none does."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.DONE)
