"""A full disk or a damaged file: no record is lost, and no outcome is guessed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.trial import Case, apply, finish, received, start

SIX = Case("bulk", 6, plan_file=False)
THREE = Case("bulk", 3, plan_file=False)
LIST = Case("list", 3, plan_file=False)


FLYING = Case("bulk", 8, plan_file=False, concurrency=4)


@pytest.mark.parametrize("case", [SIX, LIST, FLYING], ids=str)
def test_full_disk_loses_no_result(shop: Shop, tmp_path: Path, case: Case) -> None:
    """Wherever the journal stops growing, `lock rescue` restores the last answer, and each recipient gets one message."""
    rescued = 0
    for number, limit in enumerate(range(2086, 9000, 310)):
        project = f"full-{number}"
        start(shop, case, project)
        full = shop.run("apply", "--auto-approve", "--format", "json", file_limit=limit)
        assert full.code in (0, 1, 6), full.err
        if full.code == 0:
            break
        assert "cannot write" in full.err
        if full.code == 6:  # only the lock and the rescue file know what was sent; 0 would be a guess
            assert (full.json["summary"], full.json["mailings"]) == (None, [])
        before = received(shop, project)
        assert all(count == 1 for count in before.values())
        named = re.search(r"`smsby-deploy (lock rescue [^`]+)`", full.err)
        if named:
            assert full.code == 6
            rescued += 1
            taken = shop.run(*shlex.split(named[1]))
            assert taken.code == 0, taken.err
            states = [c["state"] for e in shop.lock()["mailings"].values() for c in e["chunks"]]
            assert "unknown" not in states
            again = shop.run(*shlex.split(named[1]))
            assert again.code == 0
            assert "0 chunk" in again.err
        finish(shop, case, project)
        counts = received(shop, project)
        assert set(counts.values()) == {1}
        assert len(counts) == (75 if case.via == "list" else case.recipients)
    assert rescued > 1
    assert number > 5


def test_full_disk_within_a_mailing_exits_with_6(shop: Shop) -> None:
    """If the disk fills up within a mailing, the exit code is 6, even if no result is lost and the next apply continues."""
    loses_nothing = 0
    for number, limit in enumerate(range(2300, 3500, 100)):
        project = f"full-{number}"
        start(shop, THREE, project)
        full = shop.run("apply", "--auto-approve", file_limit=limit)
        is_partial = 0 < len(received(shop, project)) < THREE.recipients
        loses_nothing += is_partial and "nothing is lost" in full.err
        assert full.code == 6 or not is_partial, full.err
    assert loses_nothing


def test_full_disk_ends_the_run_with_lost_answers(shop: Shop) -> None:
    """If the disk fills up while all answers are lost, the run ends, and later each recipient gets the message once."""
    for number, limit in enumerate(range(3500, 5000, 150)):
        project = f"full-{number}"
        start(shop, FLYING, project)
        shop.fault(method="sendBulkSms", nth=1, times=4, mode="reset", when="after")
        full = shop.start("apply", "--auto-approve", file_limit=limit).finish(20)
        assert full.code in (1, 6), full.err
        shop.clear_faults()
        if "cannot write" not in full.err:
            break
        finish(shop, FLYING, project)
        assert set(received(shop, project).values()) == {1}
        assert sum(received(shop, project).values()) == FLYING.recipients
    assert number > 5


def test_unwritable_lock_folder_sends_nothing(shop: Shop) -> None:
    """If the lock's folder is a file, the run is refused before anything is sent."""
    start(shop, THREE, "shop")
    text = (shop.root / "smsby.yaml").read_text(encoding="utf-8")
    shop.write("smsby.yaml", text + "lock: sale.yaml/smsby.lock.json\n")
    refused = apply(shop, THREE, {})
    assert refused.code == 1
    assert "smsby.lock.json" in refused.err
    assert not received(shop, "shop")


@pytest.mark.parametrize("name", ["smsby.lock.json", "smsby.lock.json.journal"])
def test_damaged_file_makes_every_command_refuse(shop: Shop, name: str) -> None:
    """A damaged lock is never treated as empty: exit code 1 and the way to recover it; nothing on disk changes."""
    start(shop, THREE, "shop")
    kill = {"SMSBY_FAULT": "kill:13"} if name.endswith("journal") else {}
    apply(shop, THREE, kill)
    path = shop.root / name
    content = path.read_bytes()
    sent = received(shop, "shop")
    for damaged in (
        content[:40] + b"#" + content[41:],
        content[: len(content) // 2] + b"\n",
        b"\x00" * len(content),
        b"{}\n",
    ):
        path.write_bytes(damaged)
        before = _files(shop.root)
        for command in (
            ["validate"],
            ["validate", "--format", "json"],
            ["render", "*"],
            ["test"],
            ["plan"],
            ["apply", "--auto-approve"],
            ["status"],
            ["report"],
            ["test-send", "sale/staff", "--to", "375291234567", "--yes"],
            ["pin"],
            ["doctor"],
            ["lock", "list"],
            ["lock", "resolve", "a/b", "--sent"],
        ):
            refused = shop.run(*command)
            assert refused.code == 1, (command, refused.err)
            assert name in refused.err
            assert "hint:" in refused.err
        assert _files(shop.root) == before
    assert received(shop, "shop") == sent
    path.write_bytes(content)
    finish(shop, THREE, "restored")
    assert set(received(shop, "shop").values()) == {1}


@pytest.mark.parametrize("damaged", range(6))
def test_damaged_journal_can_be_rescued(shop: Shop, damaged: int) -> None:
    """Whichever journal line is damaged, the readable ones are kept, the rest is unknown, and nothing is sent twice."""
    start(shop, THREE, "shop")
    apply(shop, THREE, {"SMSBY_FAULT": "kill:17"})  # the second request is in flight
    path = shop.root / "smsby.lock.json.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[min(damaged, len(lines) - 1)] = b"spoilt\n"
    path.write_bytes(b"".join(lines))
    refused = apply(shop, THREE, {})
    assert refused.code == 1
    assert "`smsby-deploy lock rescue`" in refused.err
    rescued = shop.run("lock", "rescue")
    assert rescued.code == 0
    assert (
        "a new mailing that only a damaged line named is not in the lock: before the next apply, look"
        in rescued.err
    )
    assert [p.name for p in shop.root.glob("*.damaged-*")]
    assert shop.run("lock", "rescue").code == 64  # no damage remains
    assert apply(shop, THREE, {}).code in (0, 4, 6)
    assert all(count == 1 for count in received(shop, "shop").values())
    finish(shop, THREE, "rescued")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == THREE.recipients


def _files(folder: Path) -> dict[str, bytes]:
    """The files in `folder` except the lock's holder file."""
    return {
        file.name: file.read_bytes() for file in folder.iterdir() if file.suffix not in (".lock", ".holder")
    }


def test_insufficient_funds_leave_a_draft(shop: Shop) -> None:
    """A draft that was too expensive is confirmed once there is money, and no second draft is made."""
    case = Case("list", 1, plan_file=False)
    start(shop, case, "shop")
    shop.settings(balance=0)
    poor = apply(shop, case, {})
    assert poor.code == 1, poor.err
    assert "funds" in poor.out
    assert shop.lock()["mailings"]["sale/letter0"]["state"] == "draft"
    (action,) = shop.run("plan", "--format", "json").json["actions"]
    assert action["action"] == "confirm"
    shop.settings(balance=1000)
    rich = shop.run("apply", "--auto-approve", "--format", "json")
    assert (rich.code, rich.json["summary"]["confirmed"]) == (0, 1)
    assert len(received(shop, "shop")) == 25
    assert len([c for c in shop.calls() if c["method"] == "sendSmsList"]) == 1
