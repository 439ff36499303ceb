"""SIGINT and SIGTERM at any time: the request in flight finishes and is recorded."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.trial import Case, finish, received, start

THREE = Case("bulk", 3, plan_file=False)


def _states(shop: Shop) -> list[str]:
    return [chunk["state"] for chunk in shop.lock()["mailings"]["sale/staff"]["chunks"]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_before_the_first_send_ends_the_run(shop: Shop, number: int) -> None:
    """A signal before the first request ends the run: exit code 1, nothing sent, and the lock is free."""
    start(shop, THREE, "shop", timeout_seconds=60)
    shop.fault(method="getSMSMessages", mode="slow", when="after", seconds=60)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: any(call["method"] == "getSMSMessages" for call in shop.calls()))
    run.signal(number)
    done = run.finish(20)
    assert (done.code, received(shop, "shop")) == (1, {}), done.err
    assert done.err.endswith(
        "error: interrupted\nhint: run `smsby-deploy plan` to see what remains to be done\n"
    )
    assert not (shop.root / "smsby.lock.json.holder").exists()
    shop.clear_faults()
    finish(shop, THREE, "resumed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_finishes_the_request_in_flight(shop: Shop, number: int) -> None:
    """A first signal lets the request in flight finish and be recorded: exit code 6, and the next apply continues."""
    start(shop, THREE, "shop", timeout_seconds=60)
    shop.fault(method="sendBulkSms", nth=2, mode="slow", when="after", seconds=60)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 4)
    run.signal(number)
    shop.wait_until(lambda: "stopping after the requests in flight" in run.said())
    shop.clear_faults()
    done = run.finish()
    assert done.code == 6, done.err
    assert "sent to 4 of 5 recipients; the rest: stopped by a signal" in " ".join(done.out.split())
    assert done.out.startswith("partial ") and "skipped" not in done.out
    assert "next: git add" in done.out
    assert _states(shop) == ["accepted", "accepted", "pending"]
    finish(shop, THREE, "resumed")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5


def test_second_signal_stops_waiting(shop: Shop) -> None:
    """After a second signal the unanswered request is unknown, and the next run finds it in the list."""
    start(shop, THREE, "shop", timeout_seconds=60)
    shop.fault(method="sendBulkSms", nth=2, mode="slow", when="after", seconds=30)
    shop.fault(method="sendBulkSms", nth=2, mode="lag", when="after", calls=3)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 4)
    run.signal(signal.SIGTERM)
    run.signal(signal.SIGINT)
    # Two signals of different kinds are never merged by the system.
    done = run.finish(20)
    assert done.code == 6, done.err
    assert _states(shop) in (["accepted", "unknown", "pending"], ["accepted", "accepted", "pending"])
    shop.wait_until(lambda: shop.run("apply", "--auto-approve").code == 0)
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_pause_before_a_retry(shop: Shop, number: int) -> None:
    """A signal during the pause of a Retry-After stops the run at once, with the request certainly not sent."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=1, mode="429", when="before", retry_after="50")
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: shop.has_been_called("sendBulkSms"))
    run.signal(number)
    done = run.finish(20)
    assert done.code == 1, done.err
    assert _states(shop) == ["pending"] * 3
    assert shop.run("apply", "--auto-approve").code == 0
    assert sum(received(shop, "shop").values()) == 5


def test_signal_ends_the_pause_of_a_question(shop: Shop) -> None:
    """A signal before the first send does not wait for the Retry-After of the list query."""
    start(shop, THREE, "shop")
    shop.fault(method="getSMSMessages", nth=2, mode="429", when="before", retry_after="50")
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(call["method"] == "getSMSMessages" for call in shop.calls()) == 2)
    run.signal(signal.SIGTERM)
    done = run.finish(20)
    assert done.code == 1, done.err
    assert "stopped by a signal" in done.out
    assert not received(shop, "shop")
    assert shop.run("apply", "--auto-approve").code == 0


def test_signal_during_the_question_sends_nothing(shop: Shop) -> None:
    """Ctrl-C at the question ends the run without a traceback, and nothing is sent."""
    start(shop, THREE, "shop")
    shop.fault(method="getSMSMessages", mode="slow", when="before", seconds=1)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: (shop.root / "smsby.lock.json.holder").exists())
    run.signal(signal.SIGINT)
    assert run.finish(20).code == 1
    assert not received(shop, "shop")
    assert shop.run("apply", "--auto-approve").code == 0
