"""Every fault of the sandbox by the request it breaks, its meaning, and what must hold after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests

from tests.e2e.conftest import Result, Shop
from tests.e2e.trial import Case, apply, finish, received, unknown

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
    # The error lies: a listed chunk is never sent again even so.
    Fault("error", "after", "rejected"),
    Fault("error", "before", "unknown", {"status": 500}),
    Fault("error", "after", "sent", {"status": 500}),
]
CODES = {"sent": {0}, "unknown": {6}, "rejected": {1, 6}}  # 6: rejected after a part was sent
_LAG = 1.5  # seconds
# One fault per outcome and path to it: lost, found, found late, repeated, refused, and refused although accepted.
_EVERYWHERE = {
    "reset-before",
    "reset-after",
    "slow-after-1",
    "429-before-0",
    "error-before",
    "error-after",
}


def places(fault: Fault) -> tuple[int, ...]:
    """Return which of three requests fail, one in each run."""
    return (1, 2, 3) if str(fault) in _EVERYWHERE else (1 + FAULTS.index(fault) % 3,)


# Modes whose meaning depends on the request: whether its answer has a proof, and what its error says.
_OWN_MEANING = ("no-proof", "incomplete", "error")


def means_its_own(fault: Fault) -> bool:
    """Return whether no other fault means the same at every request."""
    return fault.mode in _OWN_MEANING or "also" in fault.more or str(fault) in _EVERYWHERE


def break_request(shop: Shop, fault: Fault, method: str, nth: int, **params: str) -> None:
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


def settle(shop: Shop, case: Case, project: str, done: Result, *, took: bool) -> None:
    """Check that no recipient ever has a message twice, and that each has it exactly once when all is settled.

    `done` is the apply that got the failing answer. If it settled everything, a plan says that no later apply sends.
    """
    assert all(count == 1 for count in received(shop, project).values())
    if took and unknown(shop):  # an accepted request is found without a user's decision once it is listed
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
