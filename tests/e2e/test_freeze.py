"""`freeze` in smsby.yaml: nothing more is sent, not even by a running apply."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import PROJECT, Shop
from tests.e2e.trial import Case, finish, received, start


def _freeze(shop: Shop, line: str = "freeze: wrong price\n") -> str:
    """Freeze the project, and return the smsby.yaml from before."""
    before = (shop.root / "smsby.yaml").read_text("utf-8")
    shop.write("smsby.yaml", before + line)
    return before


@pytest.mark.parametrize("via", ["bulk", "single", "upload"])
def test_running_apply_notices_a_freeze(shop: Shop, via: str) -> None:
    """A running apply that notices a freeze records the request in flight and stops; a later one sends the rest."""
    case = Case(via, 3, plan_file=False)
    start(shop, case, "shop", timeout_seconds=60)
    shop.fault(method=case.method, nth=2, mode="slow", when="after", seconds=60)
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(call["method"] == case.method for call in shop.calls()) == 2)
    before = _freeze(shop)
    shop.clear_faults()
    done = run.finish()
    assert "frozen: wrong price (`freeze` in smsby.yaml)" in " ".join(done.out.split())
    assert done.code == (4 if via == "upload" else 6), done.err
    got = sum(received(shop, "shop").values())
    assert got == {"bulk": 4, "single": 2, "upload": 0}[via]

    frozen = shop.run("apply", "--auto-approve")
    assert frozen.code == 4
    assert sum(received(shop, "shop").values()) == got
    shop.write("smsby.yaml", before)
    finish(shop, case, "lifted")
    assert sorted(received(shop, "shop").values()) == [1] * case.recipients


def test_freeze_blocks_what_would_be_sent(shop: Shop) -> None:
    """A freeze blocks a new mailing (4) in every environment that inherits it; a sent one stays `noop`."""
    shop.write(
        "sale.yaml",
        'version: 1\ncampaign: sale\nmailings:\n  - {name: a, recipients: ["375291234567"], text: A}\n',
    )
    assert shop.run("apply", "--auto-approve").code == 0
    more = '  - {name: b, recipients: ["375291234568"], text: B}\n'
    shop.write("sale.yaml", (shop.root / "sale.yaml").read_text("utf-8") + more)
    _freeze(
        shop,
        "freeze: wrong price\nenvironments: {staging: {lock: a.lock.json}, open: {lock: b.lock.json, freeze: false}}\n",
    )
    plan = shop.run("plan", "--format", "json")
    assert plan.code == 4
    actions = {
        action["address"]: (action["action"], action["reason_code"]) for action in plan.json["actions"]
    }
    assert actions == {"sale/a": ("noop", None), "sale/b": ("blocked", "frozen")}
    assert "frozen: wrong price" in shop.run("--env", "staging", "plan").out
    assert shop.run("--env", "open", "plan", "sale/b").code == 0
    assert shop.run("apply", "--auto-approve").code == 4
    assert "375291234568" not in shop.inbox()


def test_frozen_project_still_records_what_was_sent(shop: Shop) -> None:
    """A freeze does not stop an apply that only records: with the lock lost, sent mailings are still adopted."""
    shop.write(
        "sale.yaml",
        'version: 1\ncampaign: sale\nmailings:\n  - {name: a, recipients: ["375291234567"], text: A}\n',
    )
    assert shop.run("apply", "--auto-approve").code == 0
    (shop.root / "smsby.lock.json").unlink()
    shop.write("smsby.yaml", PROJECT + "freeze: wrong price\n")
    assert shop.run("apply", "--auto-approve").code == 0
    assert shop.lock()["mailings"]["sale/a"]["state"] == "complete"


def test_plan_from_before_a_freeze_is_stale(shop: Shop) -> None:
    """A plan from before a freeze is stale (5) during the freeze, and valid again when smsby.yaml is restored."""
    case = Case("bulk", 1, plan_file=True)
    start(shop, case, "shop")
    before = _freeze(shop)
    assert shop.run("apply", "plan.json").code == 5
    shop.write("smsby.yaml", before)
    assert shop.run("apply", "plan.json").code == 0
