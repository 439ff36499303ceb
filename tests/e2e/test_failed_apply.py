"""An apply without a result still writes one JSON document to stdout and to the report."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from smsby_deploy.apply.apply_result import MailingOutcome
from tests.e2e.campaigns import STAFF
from tests.e2e.conftest import PROJECT, Result, Shop
from tests.e2e.trial import Case, start

ASK = ("apply", "--format", "json", "--report", "report.json", "--comment", "comment.md")
NO_SERVER = {"SMSBY_API_URL": "http://127.0.0.1:9"}
NOTHING = {str(outcome): 0 for outcome in MailingOutcome if outcome is not MailingOutcome.PARTIAL}


def _change(shop: Shop) -> Result:
    shop.write("staff.yaml", STAFF.replace("closed", "open"))
    return shop.run(*ASK, "plan.json")


def _use_twice(shop: Shop) -> Result:
    assert shop.run("apply", "plan.json").code == 0
    return shop.run(*ASK, "plan.json")


def _break(shop: Shop) -> Result:
    shop.write("smsby.yaml", PROJECT + "colour: red\n")
    return shop.run(*ASK, "--auto-approve")


ENDS: dict[str, tuple[int, bool, Callable[[Shop], Result]]] = {
    "a changed text": (5, True, _change),
    "a plan that was used": (5, True, _use_twice),
    "a plan of another service": (5, True, lambda shop: shop.run(*ASK, "plan.json", env=NO_SERVER)),
    "no plan file": (5, False, lambda shop: shop.run(*ASK, "none.json")),
    "no server": (7, False, lambda shop: shop.run(*ASK, "--auto-approve", env=NO_SERVER)),
    "no token": (7, False, lambda shop: shop.run(*ASK, "--auto-approve", env={"SMSBY_TOKEN": ""})),
    "an unknown key in smsby.yaml": (3, False, _break),
}


def _document(shop: Shop, done: Result) -> dict[str, Any]:
    document: dict[str, Any] = done.json
    assert json.loads((shop.root / "report.json").read_text(encoding="utf-8")) == document
    assert [*document] == ["plan", "error", "summary", "mailings"]
    assert document["error"] in done.err
    assert f"exit code {done.code}" in (shop.root / "comment.md").read_text(encoding="utf-8")
    return document


@pytest.mark.parametrize(("code", "has_plan", "end"), ENDS.values(), ids=ENDS.keys())
def test_apply_without_a_result_is_one_document(
    code: int, has_plan: bool, end: Callable[[Shop], Result], shop: Shop
) -> None:
    """An apply that fails before sending lists the mailings of its plan file, if readable, as skipped."""
    shop.write("staff.yaml", STAFF)
    assert shop.run("plan", "--out", "plan.json").code == 0
    done = end(shop)
    document = _document(shop, done)
    assert done.code == code, done.err
    assert document["summary"] == NOTHING | {"skipped": int(has_plan)}
    if has_plan:
        assert document["plan"] == json.loads((shop.root / "plan.json").read_text(encoding="utf-8"))["id"]
        (mailing,) = document["mailings"]
        assert (mailing["outcome"], mailing["error"]) == ("skipped", document["error"])
    else:
        assert (document["plan"], document["mailings"]) == (None, [])


def test_apply_beside_another_run_is_one_document(shop: Shop) -> None:
    """An apply during another run exits with 8 and still writes one document."""
    start(shop, Case("bulk", 3, plan_file=False), "shop", timeout_seconds=60)
    shop.fault(method="sendBulkSms", mode="slow", when="before", seconds=60)
    first = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: shop.has_been_called("sendBulkSms"))
    second = shop.run(*ASK, "--auto-approve")
    assert second.code == 8
    assert "another run holds the lock" in _document(shop, second)["error"]
    shop.clear_faults()
    assert first.finish().code == 0


def test_apply_that_is_interrupted_is_one_document(shop: Shop) -> None:
    """A pipeline that is cancelled still leaves its report: exit code 1."""
    start(shop, Case("bulk", 3, plan_file=False), "shop", timeout_seconds=60)
    shop.fault(method="getSMSMessages", mode="slow", when="after", seconds=60)
    run = shop.start(*ASK, "--auto-approve")
    shop.wait_until(lambda: shop.has_been_called("getSMSMessages"))
    run.signal(signal.SIGTERM)
    done = run.finish(20)
    document = _document(shop, done)
    assert (done.code, document["error"], document["summary"]) == (1, "interrupted", NOTHING)
    shop.clear_faults()


def test_apply_of_an_unreadable_project_writes_no_report(shop: Shop) -> None:
    """An apply of an unreadable project writes no report, because it cannot know which files it must not overwrite."""
    shop.write("smsby.yaml", "version: [")
    done = shop.run(*ASK, "--auto-approve")
    assert (done.code, done.json["summary"]) == (3, NOTHING)
    assert not (shop.root / "report.json").exists()
