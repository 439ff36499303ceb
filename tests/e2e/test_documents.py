"""What the program writes matches its schemas, according to its own validator and another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from smsby_deploy.resources import load_schema
from tests.e2e.conftest import Shop
from tests.e2e.documents import check_documents

CAMPAIGN = """\
version: 1
campaign: sale
alphaname: MyShop
mailings:
  - name: vip
    schedule_time: 2037-03-01T10:00:00
    recipients: ["375291111111", "375292222222", "375293333333"]
    text: Весна
  - name: personal
    recipients: [{phone: "375294444444", name: Anna}, {phone: "375295555555", text: Own text}]
    text: Hello, {{ name }}
  - name: letter
    list: Newsletter
    text: New collection
"""
STAFF = """\
version: 1
campaign: staff
mailings:
  - name: closed
    recipients: ["375291234567", "375291234568", "375291234569"]
    text: Closed
"""


def _actions(path: Path) -> dict[str, str]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return {action["address"]: action["action"] for action in document["actions"]}


def test_plans_and_locks_match_their_schemas(shop: Shop) -> None:
    """Plans with every action or with problems, also offline, and complete, unknown and settled locks match their schemas."""
    plans = [shop.root / name for name in ("first.plan", "blocked.plan", "later.plan", "offline.plan")]
    locks = [shop.root / name for name in ("unknown.lock", "settled.lock")]
    shop.write("sale.yaml", CAMPAIGN)
    shop.write("staff.yaml", STAFF)
    assert shop.run("plan", "--out", "first.plan").code == 0
    shop.fault(method="sendBulkSms", nth=2, when="before", mode="reset")
    assert shop.run("apply", "first.plan").code == 6
    locks[0].write_bytes((shop.root / "smsby.lock.json").read_bytes())
    assert shop.run("plan", "--out", "blocked.plan").code == 4
    unknown = [address for address, entry in shop.lock()["mailings"].items() if entry["state"] == "unknown"]
    assert unknown
    for address in unknown:
        assert shop.run("lock", "resolve", address, "--not-sent", "--reason", "looked").code == 0
    locks[1].write_bytes((shop.root / "smsby.lock.json").read_bytes())
    (shop.root / "staff.yaml").unlink()
    shop.write("sale.yaml", CAMPAIGN.replace('"375291111111"', '"375291111111", "375291111111"'))
    assert shop.run("plan", "--out", "later.plan").code in (0, 4)
    shop.write("wrong.yaml", STAFF.replace("Closed", "{{ missing }}").replace("staff", "wrong"))
    assert shop.run("plan", "--offline", "--out", "offline.plan").code == 3
    seen = {kind for plan in plans for kind in _actions(plan).values()}
    assert seen >= {"create", "blocked", "noop", "resume", "orphan"}
    check_documents("plan", *plans)
    check_documents("lock", *locks, shop.root / "smsby.lock.json")


def test_schemas_allow_no_phone_and_no_text(shop: Shop) -> None:
    """A schema accepts a text nowhere, and no phone number among the counts."""
    shop.write("staff.yaml", STAFF)
    assert shop.run("apply", "--auto-approve").code == 0
    lock = shop.lock()
    lock["mailings"]["staff/closed"]["phones"] = ["375291234567"]
    plan: dict[str, Any] = shop.run("plan", "--format", "json").json
    plan["text"] = "Closed"
    assert not Draft202012Validator(load_schema("lock")).is_valid(lock)
    assert not Draft202012Validator(load_schema("plan")).is_valid(plan)
