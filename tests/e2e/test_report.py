"""`report` with the real command: from the lock and its archive, for all environments, offline."""

from __future__ import annotations

import csv
import io

from tests.e2e.conftest import Shop

_PROJECT = """\
version: 1
project: shop
price: {currency: BYN, per_part: 0.026}
test_phones: ["375331234567"]
environments:
  staging: {lock: staging.lock.json, only_to: test_phones}
"""
_CAMPAIGN = """\
version: 1
campaign: sale
labels: {owner: anna}
mailings:
  - name: vip
    recipients: ["375291234561", "375331234567"]
    text: Hello
  - {name: letter, list: Newsletter, text: News}
"""


def test_report_adds_up_lock_and_archive(shop: Shop) -> None:
    """report compares planned with billed figures, archived or not, without a token; the lock has no phones."""
    shop.write("smsby.yaml", _PROJECT)
    shop.write("sale.yaml", _CAMPAIGN)
    assert shop.run("apply", "--auto-approve").code == 0
    entry = shop.lock()["mailings"]["sale/vip"]
    assert entry["labels"] == {"owner": "anna"}
    assert entry["billed"] == {"parts": 2, "cost": "0.052"}
    one = {"recipients": 1, "parts": 1, "cost": "0.026"}
    assert entry["prefixes"] == {"37529": one, "37533": one}
    before = shop.run("report", "--by", "label:owner", "--format", "json", env={"SMSBY_TOKEN": ""}).json
    (row,) = before["rows"]
    assert (row["group"], row["mailings"], row["planned"], row["billed"]) == (
        {"label:owner": "anna"},
        2,
        "0.702",
        "0.702",
    )
    shop.run("status")
    archived = shop.run("lock", "archive")
    assert archived.code == 0, archived.err
    after = shop.run("report", "--by", "label:owner", "--format", "json").json
    (archived_row,) = after["rows"]
    deliveries = ("delivered", "undelivered", "missing")
    assert {**archived_row, **{key: row[key] for key in deliveries}} == row
    assert archived_row["delivered"] == 2


def test_report_of_all_environments(shop: Shop) -> None:
    """`--by environment` is required for all environments, and a missing lock counts as empty."""
    shop.write("smsby.yaml", _PROJECT)
    shop.write("sale.yaml", _CAMPAIGN)
    assert shop.run("--env", "staging", "apply", "--auto-approve", "--select", "sale/vip").code == 0
    found = csv.DictReader(io.StringIO(shop.run("report", "--by", "environment", "--format", "csv").out))
    assert [(row["environment"], row["recipients"]) for row in found] == [("staging", "1")]
    assert "nothing was sent" in shop.run("report").out
    assert shop.run("report", "--by", "week").code == 64
