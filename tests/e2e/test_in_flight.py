"""Several requests in flight: one problem stops further requests, and an unsent request is never called unknown."""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.trial import Case, apply, finish, received, start

FOUR = Case("bulk", 12, plan_file=False, concurrency=4)


def _states(shop: Shop) -> Counter[str]:
    return Counter(chunk["state"] for chunk in shop.lock()["mailings"]["sale/staff"]["chunks"])


def _sends(shop: Shop) -> list[float]:
    """Return the times at which sms.by received each request that sends."""
    return sorted(call["at"] for call in shop.calls() if call["method"] == "sendBulkSms")


@pytest.mark.parametrize(("mode", "state"), [("error", "rejected"), ("reset", "unknown"), ("502", "unknown")])
def test_no_request_is_sent_after_a_bad_answer(shop: Shop, mode: str, state: str) -> None:
    """After a rejected or unknown request, only requests of the mailing that were already in flight are sent."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=3, mode="slow", when="after", seconds=0.5)
    shop.fault(method="sendBulkSms", nth=4, mode=mode, when="before")
    done = apply(shop, FOUR, {})
    assert done.code == 6, done.err
    assert len(_sends(shop)) == 4
    assert _states(shop) == {state: 1, "accepted": 3, "pending": 8}
    finish(shop, FOUR, "resumed")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == FOUR.recipients


def test_retry_after_pauses_all_requests(shop: Shop) -> None:
    """After a 429 nothing is sent for as long as Retry-After says, then everything is."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=3, mode="slow", when="after", seconds=0.5)
    shop.fault(method="sendBulkSms", nth=4, mode="429", when="before", retry_after="2")
    done = apply(shop, FOUR, {})
    assert done.code == 0, done.err
    sends = _sends(shop)
    assert len(sends) == 13
    assert sum(at < sends[3] + 2 for at in sends) == 4
    assert set(received(shop, "shop").values()) == {1}


def test_retry_after_pauses_a_request_waiting_for_its_turn(shop: Shop) -> None:
    """A Retry-After also holds back a request that waits for its rate-limit slot, and then halves the rate."""
    start(shop, FOUR, "shop", requests_per_second=5)
    shop.fault(method="sendBulkSms", nth=3, mode="429", when="before", retry_after="2")
    done = apply(shop, FOUR, {})
    assert done.code == 0, done.err
    sends = _sends(shop)
    assert len(sends) == 13
    assert sum(at < sends[2] + 1.9 for at in sends) == 3
    assert sends[4] - sends[3] > 0.3
    assert set(received(shop, "shop").values()) == {1}


def test_refused_token_stops_waiting_requests(shop: Shop) -> None:
    """After a refused token nothing more is sent, and the waiting requests stay unsent."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=3, mode="slow", when="after", seconds=0.5)
    shop.fault(method="sendBulkSms", nth=4, mode="error", when="before", text="incorrect token")
    done = apply(shop, FOUR, {})
    assert done.code == 6, done.err
    assert len(_sends(shop)) == 4
    assert _states(shop) == {"accepted": 3, "pending": 9}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_finishes_requests_in_flight(shop: Shop, number: int) -> None:
    """A signal lets the four requests in flight finish and be recorded; the waiting one is not sent."""
    start(shop, FOUR, "shop", timeout_seconds=60)
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="slow", when="after", seconds=60)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: len(_sends(shop)) == 4)
    run.signal(number)
    shop.wait_until(lambda: "stopping after the requests in flight" in run.said())
    shop.clear_faults()
    done = run.finish()
    assert done.code == 6, done.err
    assert len(_sends(shop)) == 4
    assert _states(shop) == {"accepted": 4, "pending": 8}


def test_second_signal_makes_only_sent_requests_unknown(shop: Shop) -> None:
    """A second signal makes the four unanswered requests unknown until they are found; the waiting one stays unsent."""
    start(shop, FOUR, "shop", timeout_seconds=60)
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="slow", when="after", seconds=30)
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="lag", when="after", calls=9)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 8)
    run.signal(signal.SIGTERM)
    run.signal(signal.SIGINT)
    done = run.finish(20)
    assert done.code == 6, done.err
    assert len(_sends(shop)) == 4
    assert _states(shop) == {"unknown": 4, "pending": 8}


def test_crash_makes_only_sent_requests_unknown(shop: Shop) -> None:
    """A kill leaves no line in the journal for a request that was still waiting."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="slow", when="after", seconds=30)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 8)
    run.signal(signal.SIGKILL)
    assert run.finish(20).code == -signal.SIGKILL
    lines = (shop.root / "smsby.lock.json.journal").read_text(encoding="utf-8").splitlines()
    assert Counter(json.loads(line)["event"] for line in lines) == {
        "begin": 1,
        "bind": 1,
        "mailing": 1,
        "intent": 4,
    }
    shop.clear_faults()
    finish(shop, FOUR, "resumed")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == FOUR.recipients


def test_request_waiting_for_its_turn_has_no_intent(shop: Shop) -> None:
    """At one request per second, a kill after the first request leaves only that one unknown."""
    start(shop, FOUR, "shop", requests_per_second=1)
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="slow", when="after", seconds=30)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 2)
    run.signal(signal.SIGKILL)
    assert run.finish(20).code == -signal.SIGKILL
    lines = (shop.root / "smsby.lock.json.journal").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines].count("intent") == 1


def test_request_waiting_for_its_turn_stops_after_a_rejection(shop: Shop) -> None:
    """A request that waits for its rate-limit slot is not sent once its mailing is rejected."""
    start(shop, FOUR, "shop", requests_per_second=4)
    shop.fault(method="sendBulkSms", nth=1, mode="error", when="before")
    done = apply(shop, FOUR, {})
    assert done.code == 1, done.err
    assert len(_sends(shop)) == 1
    assert _states(shop) == {"rejected": 1, "pending": 11}
