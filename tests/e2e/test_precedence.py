"""If several exit codes apply, the first in the documented order wins: 64, 3, 8, 5, 6, 7, 4, 1, 2."""

from __future__ import annotations

from collections.abc import Iterator

import filelock
import pytest

from tests.e2e.conftest import Shop

SALE = """\
version: 1
campaign: sale
mailings:
  - name: one
    recipients: ["375291111111"]
    text: Closed
"""
NOWHERE = {"SMSBY_API_URL": "http://127.0.0.1:9"}
NO_TOKEN = {"SMSBY_TOKEN": ""}


@pytest.fixture
def held(shop: Shop) -> Iterator[None]:
    """Let another run hold the lock of the project."""
    with filelock.FileLock(shop.root / "smsby.lock.json.lock"):
        yield


def _invalidate(shop: Shop) -> None:
    shop.write("sale.yaml", SALE.replace("Closed", "Dear {{ missing }}"))


@pytest.mark.parametrize("command", [["plan"], ["apply"], ["apply", "missing.json"]])
@pytest.mark.parametrize("env", [{}, NO_TOKEN, NOWHERE], ids=["", "no token", "no service"])
def test_invalid_files_precede_service_and_plan_file(
    shop: Shop, command: list[str], env: dict[str, str]
) -> None:
    """Invalid files are reported first, even if the service is unreachable and the plan file is bad."""
    _invalidate(shop)
    result = shop.run(*command, env=env)
    assert (result.code, "'missing' is undefined" in result.out + result.err) == (3, True), result.err


def test_invalid_files_precede_a_stale_plan(shop: Shop) -> None:
    """Files that are invalid, and thereby make the plan stale, are reported as invalid."""
    shop.write("sale.yaml", SALE)
    assert shop.run("plan", "--out", "plan.json").code == 0
    _invalidate(shop)
    assert shop.run("apply", "plan.json").code == 3


@pytest.mark.usefixtures("held")
def test_invalid_files_precede_a_held_lock(shop: Shop) -> None:
    """Invalid files are reported even while another run holds the lock."""
    _invalidate(shop)
    assert shop.run("apply", "--auto-approve").code == 3


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("env", [{}, NO_TOKEN, NOWHERE], ids=["", "no token", "no service"])
@pytest.mark.parametrize("command", [["apply", "--auto-approve"], ["apply", "missing.json"]])
def test_held_lock_precedes_plan_file_and_service(
    shop: Shop, command: list[str], env: dict[str, str]
) -> None:
    """A held lock is reported even if the plan is stale and sms.by is unreachable."""
    shop.write("sale.yaml", SALE)
    assert shop.run(*command, env=env).code == 8


@pytest.mark.parametrize(
    "env", [NO_TOKEN, NOWHERE, {"SMSBY_TOKEN": "another", **NOWHERE}], ids=["no token", "no service", "other"]
)
def test_stale_plan_precedes_the_service(shop: Shop, env: dict[str, str]) -> None:
    """Staleness is reported without asking sms.by; a plan that merely cannot be applied now is not called stale."""
    shop.write("sale.yaml", SALE)
    assert shop.run("plan", "--out", "plan.json").code == 0
    assert shop.run("apply", "plan.json", env=NO_TOKEN).code == 7
    shop.write("sale.yaml", SALE + "# a comment\n")
    assert shop.run("apply", "plan.json", env=env).code == 5


def test_unknown_outcome_precedes_the_service(shop: Shop) -> None:
    """An unknown outcome of a selected mailing comes first, in apply and status, if sms.by cannot be asked about it."""
    shop.write("sale.yaml", SALE + "  - {name: two, recipients: ['375291111112'], text: Open}\n")
    assert shop.run("apply", "--select", "sale/two", "--auto-approve").code == 0
    shop.fault(method="sendBulkSms", mode="502")
    assert shop.run("apply", "--auto-approve").code == 6
    for env in ({}, NO_TOKEN):
        shop.fault(method="getSMSMessages", mode="html", times=99)
        assert shop.run("status", env=env).code == 6
        assert shop.run("status", "sale/two", env=env).code == 7
        assert shop.run("apply", "--auto-approve", env=env).code == 6


def test_pattern_without_a_match_precedes_everything(shop: Shop) -> None:
    """A pattern without a match is wrong usage, which comes before every other error."""
    _invalidate(shop)
    assert shop.run("apply", "--select", "other/*", env=NO_TOKEN).code == 64
    assert shop.run("plan", "other/*", env=NO_TOKEN).code == 64
