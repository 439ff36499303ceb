"""SIGINT and SIGTERM in the middle of anything: the request in flight is finished and recorded."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.trial import Case, finish, received, start

THREE = Case("bulk", 3, plan_file=False)


def _states(shop: Shop) -> list[str]:
    return [chunk["state"] for chunk in shop.lock()["mailings"]["sale/staff"]["chunks"]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_the_request_in_flight(shop: Shop, number: int) -> None:
    """It is recorded as accepted, nothing more leaves, and the next apply goes on: exit 6, for it went out in part."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="slow", when="after", seconds=1)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 4)
    run.signal(number)
    done = run.finish()
    assert done.code == 6, done.err
    assert "stopping after the requests in flight" in done.err
    assert "sent to 4 of 5 recipients; the rest: stopped by a signal" in " ".join(done.out.split())
    assert "next: git add" in done.out
    assert _states(shop) == ["accepted", "accepted", "pending"]
    finish(shop, THREE, "resumed")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5


def test_the_second_signal_stops_waiting(shop: Shop) -> None:
    """The answer has not come: its outcome is unknown, and the list tells the next run."""
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


def test_a_signal_ends_the_wait_for_another_try(shop: Shop) -> None:
    """While it waits as Retry-After says, a signal stops it at once: surely not sent, exit 7 or less."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=1, mode="429", when="before", retry_after="50")
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: shop.has_been_called("sendBulkSms"))
    run.signal(signal.SIGINT)
    done = run.finish(20)
    assert done.code == 1, done.err
    assert _states(shop) == ["pending"] * 3
    assert shop.run("apply", "--auto-approve").code == 0
    assert sum(received(shop, "shop").values()) == 5


def test_a_signal_before_anything_is_sent(shop: Shop) -> None:
    """While it asks for `yes`, Ctrl-C ends it: nothing was sent, no traceback."""
    start(shop, THREE, "shop")
    shop.fault(method="getSMSMessages", mode="slow", when="before", seconds=1)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: (shop.root / "smsby.lock.json.holder").exists())
    run.signal(signal.SIGINT)
    assert run.finish(20).code == 1
    assert not received(shop, "shop")
    assert shop.run("apply", "--auto-approve").code == 0
