"""Errors that a user sees: their place and their exit codes."""

from __future__ import annotations

import pytest

from smsby_deploy import errors
from smsby_deploy.errors import ApiError, FilesInvalid, SmsbyDeployError, unknown_address
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.problems import Location, Problem, Severity


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SmsbyDeployError", 1), ("UsageError", 64), ("FilesInvalid", 3), ("PlanRefused", 5), ("OutcomeUnknown", 6),
        ("SmsbyUnavailable", 7), ("TokenRefused", 7), ("Refused", 4), ("LockHeld", 8), ("LockDamaged", 1), ("ApiError", 1),
    ],
)  # fmt: skip
def test_error_has_its_documented_exit_code(name: str, code: int) -> None:
    """Each error has its documented exit code, by which pipelines decide."""
    assert getattr(errors, name).exit_code == ExitCode(code)


def test_unrecorded_address_has_a_suggestion() -> None:
    """The error for an address that is not in the lock names the closest one, or else says how to list them."""
    assert unknown_address("sale/vop", ["sale/vip", "news/all"]).hint == "did you mean sale/vip?"
    assert "lock list" in unknown_address("sale/vop", ["news/all"]).hint


def test_error_begins_with_its_place() -> None:
    """An error begins with its place, and without one is only its sentence."""
    assert str(SmsbyDeployError("wrong", location=Location("sale.yaml", 3, 5))) == "sale.yaml:3:5: wrong"
    assert str(ApiError("wrong", status=500)) == "wrong"


def test_files_invalid_counts_its_problems() -> None:
    """The error of invalid files has all problems, and counts those that make the files invalid."""
    problem = Problem(Severity.ERROR, "CODE", "wrong")
    warning = Problem(Severity.WARNING, "CODE", "odd")
    assert str(FilesInvalid([problem, warning])) == "1 problem in the project's files"
    assert FilesInvalid([problem] * 2).problems == (problem, problem)


def test_summary_of_invalid_files_is_the_first_error() -> None:
    """The summary of invalid files is the first error, ignoring warnings, as a watch has room for one sentence."""
    warning = Problem(Severity.WARNING, "CODE", "odd")
    error = Problem(Severity.ERROR, "CODE", "wrong", location=Location("sale.yaml", 3))
    assert FilesInvalid([warning, error]).summary == "sale.yaml:3:1: wrong"
    assert FilesInvalid([Problem(Severity.ERROR, "CODE", "wrong")]).summary == "wrong"
    assert SmsbyDeployError("wrong").summary == "wrong"
