"""Whatever happens to a request: no recipient gets a message twice, and an unknown outcome is called unknown.

Covers every fault of the sandbox, before and after it takes the request. What follows depends only on the outcome, so every
outcome is covered at the first, a middle and the last request, and a fault that means the same as another at one of them;
tests/smsby/test_outcome.py has what each means, and tests/apply/test_dispatcher.py has any outcomes in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.e2e.conftest import Result, Shop
from tests.e2e.trial import Case, apply, finish, received, start, unknown

LOST = (
    "reset",
    "close",
    "timeout",
    "500",
    "502",
    "503",
    "504",
    "html",
    "empty",
    "no-proof",
    "truncated",
    "incomplete",
    "redirect",
)


@dataclass(frozen=True)
class Fault:
    """A failing call, and its outcome by the outcome table: sent, unknown or rejected."""

    mode: str
    when: str
    means: str
    more: dict[str, Any] = field(default_factory=dict)
    api: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.mode, self.when, *map(str, self.more.values())])


FAULTS = [
    *(Fault(mode, "before", "unknown") for mode in LOST),
    *(Fault(mode, "after", "sent") for mode in LOST),
    Fault("reset", "after", "sent", {"also": "lag"}, {"reconcile_seconds": 5}),
    Fault("reset", "after", "unknown", {"also": "long lag"}),
    Fault("slow", "before", "sent", {"seconds": 0.3}),
    Fault("slow", "after", "sent", {"seconds": 0.3}),
    Fault("slow", "after", "sent", {"seconds": 1}, {"timeout_seconds": 0.3, "reconcile_seconds": 3}),
    Fault("429", "before", "sent", {"retry_after": "0"}),
    Fault("429", "before", "sent", {"retry_after": ""}),
    Fault("error", "before", "rejected"),
    Fault("error", "before", "rejected", {"status": 200}),
    Fault(
        "error", "after", "rejected"
    ),  # the error is wrong: a listed chunk is never sent again all the same
    Fault("error", "before", "unknown", {"status": 500}),
    Fault("error", "after", "sent", {"status": 500}),
]
CODES = {"sent": {0}, "unknown": {6}, "rejected": {1, 6}}  # 6: rejected after a part was sent
_LAG = 1.5  # seconds
# One for each outcome and way to it: lost, found, found late, repeated, refused, and refused although accepted.
_EVERYWHERE = {
    "reset-before",
    "reset-after",
    "slow-after-1",
    "429-before-0",
    "error-before",
    "error-after",
}


def places(fault: Fault) -> tuple[int, ...]:
    """Which of three requests fail, one in each run."""
    return (1, 2, 3) if str(fault) in _EVERYWHERE else (1 + FAULTS.index(fault) % 3,)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_broken_request_sends_nothing_twice(shop: Shop, fault: Fault) -> None:
    """After one failed request of three, the lock follows the outcome table; in the end each recipient got it once."""
    case = Case("bulk", 3, plan_file=False)
    for nth in places(fault):
        project = f"nth-{nth}"
        start(shop, case, project, **fault.api)
        _break(shop, fault, "sendBulkSms", nth)
        done = apply(shop, case, {})
        assert done.code in CODES[fault.means], f"request {nth}: {done.code}\n{done.err}"
        states = [chunk["state"] for chunk in shop.lock()["mailings"]["sale/staff"]["chunks"]]
        later = "pending" if fault.means != "sent" else "accepted"
        this = "accepted" if fault.means == "sent" else fault.means
        assert states == ["accepted"] * (nth - 1) + [this] + [later] * (3 - nth)
        _settle(shop, case, project, done, took=fault.when == "after")


# Modes that mean something else for each request: whether its answer has a proof, and what its error says.
_OWN_MEANING = ("no-proof", "incomplete", "error")


def means_its_own(fault: Fault) -> bool:
    """Whether no other fault means the same for every request."""
    return fault.mode in _OWN_MEANING or "also" in fault.more or str(fault) in _EVERYWHERE


def steps(fault: Fault, names: tuple[str, ...]) -> tuple[str, ...]:
    """The requests of a list mailing that fail in turn; only one if the fault means the same as another."""
    # A confirmation has no proof except the answer, and changes a mailing that is already listed, so nothing can lag.
    if fault.mode == "no-proof" or "also" in fault.more:
        names = tuple(name for name in names if name != "confirm")
    return names if means_its_own(fault) else (names[FAULTS.index(fault) % len(names)],)


LIST_CASES = [(fault, step) for fault in FAULTS for step in steps(fault, ("draft", "confirm"))]


@pytest.mark.parametrize(("fault", "step"), LIST_CASES, ids=str)
def test_broken_list_mailing_is_sent_once(shop: Shop, fault: Fault, step: str) -> None:
    """A lost answer makes no second draft; a lost confirmation is settled by the draft's status."""
    case = Case("list", 1, plan_file=False)
    start(shop, case, "lists", **fault.api)
    params = {"confirm": "1"} if step == "confirm" else {}
    _break(shop, fault, "confirmSendMessageByList" if params else "sendSmsList", 1, **params)
    done = apply(shop, case, {})
    if step == "draft" or fault.means == "sent" or fault.when == "after":
        assert done.code in CODES[fault.means], done.err
    else:
        # A draft that is still a draft was certainly not confirmed, so it is confirmed again.
        assert done.code in {0, 1}, done.err
    _settle(shop, case, "lists", done, took=fault.when == "after")
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
    """Whichever of its four requests fails; those that fill the list reach no recipient and are repeated."""
    case = Case("upload", 2, plan_file=False)
    for step in steps(fault, tuple(UPLOAD_STEPS)):
        method, params = UPLOAD_STEPS[step]
        project = f"up-{step}"
        before = len(shop.calls())
        start(shop, case, project, **fault.api)
        _break(shop, fault, method, 1, **params)
        done = apply(shop, case, {})
        if step in ("list", "contacts"):
            assert done.code == (1 if fault.means == "rejected" else 0), f"{step}: {done.err}"
        elif step == "draft" or fault.means == "sent" or fault.when == "after":
            assert done.code in CODES[fault.means], f"{step}: {done.err}"
        else:
            assert done.code in {0, 1}, f"{step}: {done.err}"
        _settle(shop, case, project, done, took=fault.when == "after")
        calls = [call for call in shop.calls()[before:] if call["accepted"]]
        assert sum(call["method"] == "sendSmsList" for call in calls) == 1, step
        assert sum(str(call["params"].get("confirm")) == "1" for call in calls) == 1, step


def _break(shop: Shop, fault: Fault, method: str, nth: int, **params: str) -> None:
    more = dict(fault.more)
    also = more.pop("also", None)
    target = {"method": method, "nth": nth, **({"params": params} if params else {})}
    shop.fault(
        mode=fault.mode,
        when=fault.when,
        **target,
        **({"seconds": 0.1} if fault.mode == "timeout" else {}),
        **more,
    )
    if also:
        shop.fault(
            mode="lag", when="after", **target, **({"calls": 2} if also == "lag" else {"seconds": _LAG})
        )


def _settle(shop: Shop, case: Case, project: str, done: Result, *, took: bool) -> None:
    """No recipient has a message twice, and once everything is settled each has it exactly once.

    `done` is the apply that got the failing answer. If it settled everything, a plan says that no later apply sends.
    """
    assert all(count == 1 for count in received(shop, project).values())
    if took and unknown(shop):  # an accepted request is found without a user's decision, once it is listed
        requests.post(f"{shop.url}/_sandbox/clock", json={"advance": _LAG}, timeout=5).raise_for_status()
        apply(shop, case, {})
        assert not unknown(shop)
    if done.code == 0:
        assert shop.run("plan", "--detailed-exitcode").code == 0
    else:
        finish(shop, case, project)
    counts = received(shop, project)
    assert set(counts.values()) == {1}
    assert len(counts) == (25 if case.via == "list" else case.recipients)


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
    _settle(shop, case, "shop", done, took=False)
