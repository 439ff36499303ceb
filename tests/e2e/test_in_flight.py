"""Several requests on their way, and one that waits for its turn: it leaves only while all is well, and what did not leave is
never called unknown."""

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
    """When each request that sends came to sms.by."""
    return sorted(call["at"] for call in shop.calls() if call["method"] == "sendBulkSms")


@pytest.mark.parametrize(("mode", "state"), [("error", "rejected"), ("reset", "unknown"), ("502", "unknown")])
def test_nothing_leaves_after_a_bad_answer(shop: Shop, mode: str, state: str) -> None:
    """Of a mailing that is refused, or of which something is unknown, no more leaves than was on its way."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=3, mode="slow", when="after", seconds=0.5)
    shop.fault(method="sendBulkSms", nth=4, mode=mode, when="before")
    done = apply(shop, FOUR, {})
    assert done.code == 6, done.err
    assert len(_sends(shop)) == 4
    assert _states(shop) == {state: 1, "accepted": 3, "pending": 8}
    finish(shop, FOUR, "resumed")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == FOUR.people


def test_all_of_them_slow_down(shop: Shop) -> None:
    """429 with Retry-After: what was on its way arrives, and nothing more for as long as it says; then all is sent."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=3, mode="slow", when="after", seconds=0.5)
    shop.fault(method="sendBulkSms", nth=4, mode="429", when="before", retry_after="2")
    done = apply(shop, FOUR, {})
    assert done.code == 0, done.err
    sends = _sends(shop)
    assert len(sends) == 13
    assert sum(at < sends[3] + 2 for at in sends) == 4
    assert set(received(shop, "shop").values()) == {1}


def test_at_a_slow_pace_too_nothing_leaves_while_sms_by_wants_a_pause(shop: Shop) -> None:
    """One waits for its turn when the third is told to slow down: it stays here. Then the pace is halved."""
    start(shop, FOUR, "shop", requests_per_second=5)
    shop.fault(method="sendBulkSms", nth=3, mode="429", when="before", retry_after="2")
    done = apply(shop, FOUR, {})
    assert done.code == 0, done.err
    sends = _sends(shop)
    assert len(sends) == 13
    assert sum(at < sends[2] + 1.9 for at in sends) == 3
    assert sends[4] - sends[3] > 0.3
    assert set(received(shop, "shop").values()) == {1}


def test_a_refused_token_stops_what_waits(shop: Shop) -> None:
    """Nothing more leaves, and what waited is as unsent as before."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=3, mode="slow", when="after", seconds=0.5)
    shop.fault(method="sendBulkSms", nth=4, mode="error", when="before", text="incorrect token")
    done = apply(shop, FOUR, {})
    assert done.code == 6, done.err
    assert len(_sends(shop)) == 4
    assert _states(shop) == {"accepted": 3, "pending": 9}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_what_is_on_its_way(shop: Shop, number: int) -> None:
    """All four are recorded; the one that waited stays here."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="slow", when="after", seconds=1)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: len(_sends(shop)) == 4)
    run.signal(number)
    done = run.finish()
    assert done.code == 6, done.err
    assert len(_sends(shop)) == 4
    assert _states(shop) == {"accepted": 4, "pending": 8}


def test_a_second_signal_makes_unknown_only_what_left(shop: Shop) -> None:
    """No answer has come: the four are unknown until they are found, the one that waited surely was not sent."""
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


def test_a_crash_leaves_unknown_only_what_left(shop: Shop) -> None:
    """Killed with four on their way and one waiting: of that one there is no line in the journal."""
    start(shop, FOUR, "shop")
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="slow", when="after", seconds=30)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 8)
    run.signal(signal.SIGKILL)
    assert run.finish(20).code == -signal.SIGKILL
    lines = (shop.root / "smsby.lock.json.journal").read_text(encoding="utf-8").splitlines()
    assert Counter(json.loads(line)["event"] for line in lines) == {"begin": 1, "mailing": 1, "intent": 4}
    shop.clear_faults()
    finish(shop, FOUR, "resumed")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == FOUR.people


def test_what_waits_for_its_turn_has_no_intent(shop: Shop) -> None:
    """At one request a second: killed after the first, only that one is unknown, with room for three more."""
    start(shop, FOUR, "shop", requests_per_second=1)
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="slow", when="after", seconds=30)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 2)
    run.signal(signal.SIGKILL)
    assert run.finish(20).code == -signal.SIGKILL
    lines = (shop.root / "smsby.lock.json.journal").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines].count("intent") == 1


def test_what_waits_for_its_turn_does_not_leave_after_a_refusal(shop: Shop) -> None:
    start(shop, FOUR, "shop", requests_per_second=4)
    shop.fault(method="sendBulkSms", nth=1, mode="error", when="before")
    done = apply(shop, FOUR, {})
    assert done.code == 1, done.err
    assert len(_sends(shop)) == 1
    assert _states(shop) == {"rejected": 1, "pending": 11}
