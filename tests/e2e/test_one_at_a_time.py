"""Only one apply runs at a time, whatever happens to the run that holds the lock."""

from __future__ import annotations

import json
import re
import signal

from tests.e2e.conftest import Shop
from tests.e2e.trial import Case, apply, received, start

THREE = Case("bulk", 3, plan_file=False)


def _is_held(shop: Shop) -> bool:
    holder = shop.root / "smsby.lock.json.holder"
    return holder.exists() and holder.stat().st_size > 0


def test_eight_applies_at_once_send_everything_once(shop: Shop) -> None:
    """Of eight applies at once, the waiting ones find everything sent; each recipient gets one message."""
    start(shop, THREE, "shop")
    runs = [
        shop.start("apply", "--auto-approve", "--lock-timeout", "60", "--format", "json") for _ in range(8)
    ]
    results = [run.finish() for run in runs]
    assert [result.code for result in results] == [0] * 8
    assert sorted(result.json["summary"]["sent"] for result in results) == [0] * 7 + [1]
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == THREE.recipients


def test_second_apply_names_the_holder_of_the_lock(shop: Shop) -> None:
    """Without --lock-timeout a second run exits with 8 at once and names the first."""
    start(shop, THREE, "shop", timeout_seconds=60)
    shop.fault(method="sendBulkSms", mode="slow", when="before", seconds=60)
    first = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: _is_held(shop))
    pid = json.loads((shop.root / "smsby.lock.json.holder").read_text(encoding="utf-8"))["pid"]
    second = apply(shop, THREE, {})
    assert second.code == 8
    assert re.search(rf"apply, process {pid} on \S+, since \S+ \S+ \+03\n", second.err)
    assert "--lock-timeout" in second.err
    assert shop.run("lock", "resolve", "sale/staff", "--sent").code == 8
    shop.clear_faults()
    assert first.finish().code == 0
    assert apply(shop, THREE, {}).code == 0
    assert sum(received(shop, "shop").values()) == THREE.recipients


def test_second_apply_says_what_it_waits_for(shop: Shop) -> None:
    """With --lock-timeout a second run names the first, waits for it, and finds everything sent."""
    start(shop, THREE, "shop", timeout_seconds=60)
    shop.fault(method="sendBulkSms", mode="slow", when="before", seconds=60)
    first = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: _is_held(shop))
    second = shop.start("apply", "--auto-approve", "--lock-timeout", "60")
    shop.wait_until(lambda: "waiting up to 60 s for the lock: apply, process " in second.said())
    shop.clear_faults()
    assert first.finish().code == 0
    assert second.finish().code == 0
    assert sum(received(shop, "shop").values()) == THREE.recipients


def test_killed_holder_frees_the_lock(shop: Shop) -> None:
    """A killed run does not keep the lock: the system frees it, and the next run reads the journal."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="slow", when="after", seconds=30)
    first = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(received(shop, "shop").values()) == 4)
    first.signal(signal.SIGKILL)
    assert first.finish().code == -signal.SIGKILL
    assert _is_held(shop)  # the holder's name remains in the file, but the lock is free
    assert shop.run("lock", "unlock").code == 0
    assert apply(shop, THREE, {}).code == 0
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == THREE.recipients
