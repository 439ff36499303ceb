"""Mailings that need signatures, from the plan to the lock."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.campaigns import THREE
from tests.e2e.conftest import PROJECT, Shop
from tests.e2e.forked import CLOCK_AHEAD
from tests.plan.ssh_keys import Keys

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
APPROVALS = "approvals: {signers: signers.txt, rules: [{need: 2}]}\n"


@pytest.fixture
def sale(shop: Shop, keys: Keys) -> Shop:
    shutil.copy(keys.signers, shop.root / "signers.txt")
    shop.write("smsby.yaml", PROJECT + APPROVALS)
    shop.write("sale.yaml", THREE)
    return shop


def _approve(shop: Shop, keys: Keys, *names: str) -> None:
    for name in names:
        signed = shop.run("approve", "plan.json", "--key", str(keys[name]))
        assert signed.code == 0, signed.err
        assert f"signed by {name}@example.com: 1 mailing of plan" in signed.out
        assert "with all signatures: smsby-deploy apply plan.json" in signed.out
        assert "at once" not in signed.out  # sent by this apply, as the plan says, or later


def test_reviewed_plan_is_sent_once_it_is_signed(sale: Shop, keys: Keys) -> None:
    """The plan names the missing signatures; once they are added, the same file can be applied."""
    planned = sale.run("plan", "--out", "plan.json")
    assert planned.code == 4
    assert "approval: it needs 2 signatures and has 0" in planned.out
    _approve(sale, keys, "anna")
    refused = sale.run("apply", "plan.json")
    assert refused.code == 4
    assert "has 1 (anna@example.com)" in refused.out
    assert not sale.inbox()
    _approve(sale, keys, "boris")
    assert sale.run("apply", "plan.json").code == 0
    assert len(sale.inbox()) == 3
    entry = json.loads(sale.run("lock", "show", "sale/vip").out)
    assert entry["signed_by"] == ["anna@example.com", "boris@example.com"]
    assert sale.run("plan").code == 0
    plan = json.loads((sale.root / "plan.json").read_text("utf-8"))["id"]
    chain = ("--by", "mailing,plan,signed_by,applied_by,state")
    (row,) = sale.run("report", *chain, "--format", "json").json["rows"]
    by = entry_of_run(sale, plan)["by"]
    assert entry["applied"]["plan"] == plan
    assert list(row["group"].values()) == [
        "sale/vip",
        plan,
        "anna@example.com, boris@example.com",
        by,
        "complete",
    ]
    for form in ("text", "markdown", "csv", "html", "openmetrics"):
        shown = sale.run("report", *chain, "--format", form).out.replace("\u2060", "")
        assert all(value in shown for value in (plan, "anna@example.com, boris@example.com", by)), form
    assert "1 mailing with signatures: `--by mailing,plan,signed_by" in sale.run("report").out


def entry_of_run(shop: Shop, plan: str) -> dict[str, str]:
    (run,) = [one for one in shop.lock()["applies"] if one["plan"] == plan]
    return run  # type: ignore[no-any-return]


def test_signed_plan_is_stale_after_a_change(sale: Shop, keys: Keys) -> None:
    """A signature covers the mailing that was reviewed: after a change the signed plan is stale."""
    sale.run("plan", "--out", "plan.json")
    _approve(sale, keys, "anna", "boris")
    sale.write("sale.yaml", THREE.replace("Hello", "Goodbye"))
    assert sale.run("apply", "plan.json").code == 5
    assert sale.run("apply", "--auto-approve").code == 4
    assert not sale.inbox()


def test_rehearsal_needs_no_signature(sale: Shop) -> None:
    rehearsed = sale.run("--env", "sandbox", "apply", "--auto-approve")
    assert rehearsed.code == 0, rehearsed.err
    assert len(sale.inbox()) == 3


def test_due_mailing_is_verified_again(sale: Shop, keys: Keys) -> None:
    """A signer who was removed while an approved mailing waited no longer counts at the hand-over."""
    time = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0, second=0)  # noqa: TID251
    sale.write(
        "sale.yaml", THREE.replace("mailings:", f"schedule_time: {time:%Y-%m-%dT%H:%M:%S}Z\nmailings:")
    )
    sale.write("smsby.yaml", PROJECT + APPROVALS + "release: {before: 12h, at_latest: 20m}\n")
    sale.run("plan", "--out", "plan.json")
    _approve(sale, keys, "anna", "boris")
    held = sale.run("apply", "plan.json")
    assert (held.code, sale.lock()["mailings"]["sale/vip"]["state"]) == (0, "waiting"), held.out
    signers = (sale.root / "signers.txt").read_text("utf-8")
    sale.write("signers.txt", signers.splitlines(keepends=True)[0])
    in_window = {CLOCK_AHEAD: str(40 * 3600)}
    for command in (("plan",), ("apply", "--due")):  # the plan shows what the hand-over will do
        refused = sale.run(*command, env=in_window)
        assert refused.code == 4, refused.out
        assert "needs 2 signatures and has 1" in refused.out
    sale.write("signers.txt", signers)
    campaign = (sale.root / "sale.yaml").read_text("utf-8")
    sale.write("sale.yaml", campaign.replace("mailings:", "max_late: 30m\nmailings:"))
    for command in (("plan",), ("apply", "--due")):  # signed for another mailing
        refused = sale.run(*command, env=in_window)
        assert refused.code == 4, refused.out
        assert "needs 2 signatures and has 0" in refused.out
    assert not sale.has_been_called("sendBulkSms")
    sale.write("sale.yaml", campaign)
    assert sale.run("apply", "--due", env=in_window).code == 0
    assert sale.has_been_called("sendBulkSms")
    reviewed = json.loads((sale.root / "plan.json").read_text("utf-8"))["id"]
    (row,) = sale.run("report", "--by", "plan,signed_by", "--format", "json").json["rows"]
    assert row["group"] == {"plan": reviewed, "signed_by": "anna@example.com, boris@example.com"}


def test_due_mailings_count_as_they_were_approved(sale: Shop, keys: Keys) -> None:
    """Mailings approved together count together even after one was handed over, so the other still needs the signer."""
    start = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0, second=0)  # noqa: TID251
    rows = [f'recipients: ["37529123456{one}", "37529123457{one}"], text: Hello' for one in (1, 2)]
    times = [f"schedule_time: {start + timedelta(days=days):%Y-%m-%dT%H:%M:%S}Z" for days in (0, 2)]
    sale.write(
        "sale.yaml",
        "version: 1\ncampaign: sale\nmailings:\n"
        f"  - {{name: a, {times[0]}, {rows[0]}}}\n  - {{name: b, {times[1]}, {rows[1]}}}\n",
    )
    rule = APPROVALS.replace("{need: 2}", "{when: {people_over: 3}, need: 1}")
    sale.write("smsby.yaml", PROJECT + rule + "release: {before: 12h, at_latest: 20m}\n")
    sale.run("plan", "--out", "plan.json")
    signed = sale.run("approve", "plan.json", "--key", str(keys["anna"]))
    assert "2 mailings" in signed.out, signed.err
    assert sale.run("apply", "plan.json").code == 0
    assert sale.run("apply", "--due", env={CLOCK_AHEAD: str(40 * 3600)}).code == 0
    assert {sale.lock()["mailings"][f"sale/{name}"]["state"] for name in "ab"} == {"complete", "waiting"}
    sale.write("signers.txt", "")
    for command in (("plan",), ("apply", "--due")):
        refused = sale.run(*command, env={CLOCK_AHEAD: str(88 * 3600)})
        assert refused.code == 4, refused.out
        assert "the mailings of its campaign count together" in refused.out


def test_waves_count_as_they_were_approved(sale: Shop, keys: Keys) -> None:
    """Mailings of a campaign count together for their next wave even if only one of them is selected."""
    sale.settings(delay=0)
    waves = "waves: [{people: 2, after: 45m, delivered: 0}, rest]"
    rows = [", ".join(f'"3752912345{one}{two}"' for two in range(4)) for one in (1, 2)]
    sale.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\n{waves}\nmailings:\n"
        f"  - {{name: a, recipients: [{rows[0]}], text: Hello}}\n  - {{name: b, recipients: [{rows[1]}], text: Bye}}\n",
    )
    rule = APPROVALS.replace("{need: 2}", "{when: {people_over: 7}, need: 1}")
    sale.write("smsby.yaml", PROJECT + rule)
    reviewed = sale.run("plan", "--out", "plan.json", "--format", "json").json["id"]
    assert sale.run("approve", "plan.json", "--key", str(keys["anna"])).code == 0
    assert sale.run("apply", "plan.json").code == 0
    assert len(sale.inbox()) == 4
    sale.write("signers.txt", "")
    planned = sale.run("plan", "sale/a", env={CLOCK_AHEAD: "3600"})
    refused = sale.run("apply", "--due", "--select", "sale/a", env={CLOCK_AHEAD: "3600"})
    assert (planned.code, refused.code, len(sale.inbox())) == (4, 4, 4), (planned.out, refused.out)
    assert (
        "approval: it needs 1 signature and has 0; the mailings of its campaign count together" in planned.out
    )
    assert "the mailings of its campaign count together" in refused.out
    shutil.copy(keys.signers, sale.root / "signers.txt")
    assert sale.run("plan", "sale/a", env={CLOCK_AHEAD: "3600"}).code == 0
    assert sale.run("apply", "--due", "--select", "sale/a", env={CLOCK_AHEAD: "3600"}).code == 0
    assert len(sale.inbox()) == 6
    rows = sale.run("report", "--by", "plan,signed_by", "--format", "json").json["rows"]
    assert [row["group"] for row in rows] == [{"plan": reviewed, "signed_by": "anna@example.com"}]


def test_deleted_approval_blocks_the_next_wave(sale: Shop, keys: Keys) -> None:
    """If an approval is deleted between two waves, the next wave is blocked, and the plan shows the same."""
    waves = "waves: [{people: 2, after: 45m, delivered: 0}, rest]"
    sale.write("sale.yaml", THREE.replace("mailings:", f"{waves}\nmailings:"))
    sale.run("plan", "--out", "plan.json")
    _approve(sale, keys, "anna", "boris")
    assert sale.run("apply", "plan.json").code == 0
    later = {CLOCK_AHEAD: "3600"}
    assert sale.run("plan", "--format", "json", env=later).json["actions"][0]["action"] == "due"
    shutil.move(sale.root / "approvals", sale.root / "moved")
    planned = sale.run("plan", "--format", "json", env=later)
    (action,) = planned.json["actions"]
    assert (planned.code, action["reason_code"]) == (4, "approval")
    assert sale.run("apply", "--due", env=later).code == 4
    shutil.move(sale.root / "moved", sale.root / "approvals")
    sale.write("more.yaml", THREE.replace("campaign: sale", "campaign: more"))  # this one needs signatures
    actions = sale.run("plan", "--format", "json", env=later).json["actions"]
    assert {one["address"]: one["action"] for one in actions} == {"sale/vip": "due", "more/vip": "blocked"}
    assert sale.run("apply", "--due", env=later).code == 0
    assert len(sale.inbox()) == 3


def test_renamed_mailing_is_signed_again_for_its_next_wave(sale: Shop, keys: Keys) -> None:
    """A signature is for one address: the next wave of a renamed mailing needs a new plan and a new signature."""
    waves = "waves: [{people: 2, after: 45m, delivered: 0}, rest]"
    sale.write("sale.yaml", THREE.replace("mailings:", f"{waves}\nmailings:"))
    sale.run("plan", "--out", "plan.json")
    _approve(sale, keys, "anna", "boris")
    assert sale.run("apply", "plan.json").code == 0
    sale.write("sale.yaml", (sale.root / "sale.yaml").read_text().replace("name: vip", "name: best"))
    assert sale.run("lock", "move", "sale/vip", "sale/best").code == 0
    later = {CLOCK_AHEAD: "3600"}
    assert sale.run("apply", "--due", env=later).code == 4
    assert sale.run("plan", "--out", "plan.json", env=later).code == 4
    _approve(sale, keys, "anna", "boris")
    assert sale.run("apply", "--due", env=later).code == 0
    assert [len(messages) for messages in sale.inbox().values()] == [1, 1, 1]


def test_key_that_is_no_signer_is_refused(sale: Shop, keys: Keys) -> None:
    sale.run("plan", "--out", "plan.json")
    refused = sale.run("approve", "plan.json", "--key", str(keys["eve"]))
    assert refused.code == 4
    assert "would not count: signers.txt does not list it" in refused.err
    assert not (sale.root / "approvals").exists()


def test_plan_without_ssh_keygen(sale: Shop, keys: Keys, tmp_path: Path) -> None:
    """Without ssh-keygen no signature can be verified, so nothing is sent."""
    sale.run("plan", "--out", "plan.json")
    _approve(sale, keys, "anna")
    planned = sale.run("plan", env={"PATH": str(tmp_path)})
    assert planned.code == 1
    assert "ssh-keygen, which makes and verifies signatures, is not installed" in planned.err
