"""Whatever happens to a request, no recipient gets a message twice, and an unknown outcome is called unknown.

Covers every fault of the sandbox, before and after it takes the request. What follows depends only on the outcome, so every
outcome is covered at the first, a middle and the last request, and a fault that means the same as another at one of them;
tests/smsby/test_outcome.py has the meaning of each, and tests/apply/test_dispatcher.py has any outcomes in any order.
"""

from __future__ import annotations

import pytest

from tests.e2e.broken_requests import CODES, FAULTS, Fault, break_request, means_its_own, places, settle
from tests.e2e.conftest import Shop
from tests.e2e.trial import Case, apply, received, start


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_broken_request_sends_nothing_twice(shop: Shop, fault: Fault) -> None:
    """After one of three requests fails, the lock follows the outcome table; in the end each recipient got one message."""
    case = Case("bulk", 3, plan_file=False)
    for nth in places(fault):
        project = f"nth-{nth}"
        start(shop, case, project, **fault.api)
        break_request(shop, fault, "sendBulkSms", nth)
        done = apply(shop, case, {})
        assert done.code in CODES[fault.means], f"request {nth}: {done.code}\n{done.err}"
        states = [chunk["state"] for chunk in shop.lock()["mailings"]["sale/staff"]["chunks"]]
        later = "pending" if fault.means != "sent" else "accepted"
        this = "accepted" if fault.means == "sent" else fault.means
        assert states == ["accepted"] * (nth - 1) + [this] + [later] * (3 - nth)
        settle(shop, case, project, done, took=fault.when == "after")


def steps(fault: Fault, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return which requests of a list mailing fail in turn: one if the fault means the same as another."""
    # A confirmation has no proof except the answer, and changes a mailing that is already listed, so nothing can lag.
    if fault.mode == "no-proof" or "also" in fault.more:
        names = tuple(name for name in names if name != "confirm")
    return names if means_its_own(fault) else (names[FAULTS.index(fault) % len(names)],)


LIST_CASES = [(fault, step) for fault in FAULTS for step in steps(fault, ("draft", "confirm"))]


@pytest.mark.parametrize(("fault", "step"), LIST_CASES, ids=str)
def test_broken_list_mailing_is_sent_once(shop: Shop, fault: Fault, step: str) -> None:
    """A lost answer leads to no second draft, and a lost confirmation is settled by the draft's status."""
    case = Case("list", 1, plan_file=False)
    start(shop, case, "lists", **fault.api)
    params = {"confirm": "1"} if step == "confirm" else {}
    break_request(shop, fault, "confirmSendMessageByList" if params else "sendSmsList", 1, **params)
    done = apply(shop, case, {})
    if step == "draft" or fault.means == "sent" or fault.when == "after":
        assert done.code in CODES[fault.means], done.err
    else:
        # A draft that is still a draft was certainly not confirmed, so it is confirmed again.
        assert done.code in {0, 1}, done.err
    settle(shop, case, "lists", done, took=fault.when == "after")
    drafts = [call for call in shop.calls() if call["method"] == "sendSmsList" and call["accepted"]]
    assert len(drafts) == 1
    started = [c for c in shop.calls() if str(c["params"].get("confirm")) == "1" and c["accepted"]]
    assert len(started) == 1


UPLOAD_STEPS = {
    "list": ("createSubscriberList", {}),
    "contacts": ("importContacts", {}),
    "draft": ("sendSmsList", {}),
    "confirm": ("confirmSendMessageByList", {"confirm": "1"}),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_broken_upload_reaches_each_recipient_once(shop: Shop, fault: Fault) -> None:
    """Whichever of its four requests fails, an upload reaches each recipient once; failed imports are repeated."""
    case = Case("upload", 2, plan_file=False)
    for step in steps(fault, tuple(UPLOAD_STEPS)):
        method, params = UPLOAD_STEPS[step]
        project = f"up-{step}"
        before = len(shop.calls())
        start(shop, case, project, **fault.api)
        break_request(shop, fault, method, 1, **params)
        done = apply(shop, case, {})
        if step in ("list", "contacts"):
            assert done.code == (1 if fault.means == "rejected" else 0), f"{step}: {done.err}"
        elif step == "draft" or fault.means == "sent" or fault.when == "after":
            assert done.code in CODES[fault.means], f"{step}: {done.err}"
        else:
            assert done.code in {0, 1}, f"{step}: {done.err}"
        settle(shop, case, project, done, took=fault.when == "after")
        calls = [call for call in shop.calls()[before:] if call["accepted"]]
        assert sum(call["method"] == "sendSmsList" for call in calls) == 1, step
        assert sum(str(call["params"].get("confirm")) == "1" for call in calls) == 1, step


@pytest.mark.parametrize("mode", ["reset", "502", "429", "error"])
def test_four_requests_in_flight_send_nothing_twice(shop: Shop, mode: str) -> None:
    """With several requests in flight, each result is recorded, in whatever order the answers come."""
    case = Case("bulk", 12, plan_file=False)
    start(shop, case, "shop", concurrency=4)
    for nth in (2, 3, 7):
        shop.fault(
            method="sendBulkSms",
            nth=nth,
            mode=mode,
            when="before",
            **({"retry_after": "0"} if mode == "429" else {}),
        )
    shop.fault(method="sendBulkSms", nth=1, times=12, mode="slow", when="after", seconds=0.1)
    done = apply(shop, case, {})
    assert done.code == (0 if mode == "429" else 6), done.err
    states = [chunk["state"] for chunk in shop.lock()["mailings"]["sale/staff"]["chunks"]]
    assert sum(received(shop, "shop").values()) == sum(
        2 if i < 11 else 1 for i, state in enumerate(states) if state == "accepted"
    )
    settle(shop, case, "shop", done, took=False)
