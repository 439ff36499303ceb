"""Finished mailings in the archive next to the lock: they are never sent again and never get in the way."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import requests

from tests.e2e.conftest import Shop
from tests.e2e.trial import received

LOCK, ARCHIVE = "smsby.lock.json", "smsby.lock.json.archive.jsonl"
SALE = """\
version: 1
campaign: sale
alphaname: MyShop
mailings:
  - name: vip
    recipients: ["375291234561", "375291234562", "375291234563"]
    text: Sale shop
  - name: staff
    recipients: ["375291234569"]
    text: Closed shop
"""


def _send(shop: Shop, hours: int = 1) -> None:
    shop.write("sale.yaml", SALE)
    assert shop.run("apply", "--auto-approve").code == 0
    _pass_time(shop, hours)


def _pass_time(shop: Shop, hours: int) -> None:
    """Let sms.by deliver everything."""
    clock = {"advance": 3600 * hours}
    requests.post(f"{shop.url}/_sandbox/clock", json=clock, timeout=5).raise_for_status()


def _plan(shop: Shop, *arguments: str) -> dict[str, dict[str, object]]:
    return {one["address"]: one for one in shop.run("plan", *arguments, "--format", "json").json["actions"]}


def test_archived_mailings_are_over(shop: Shop) -> None:
    """Archived mailings leave the lock, stay noop in the files, take one line in a plan and are not asked about again."""
    _send(shop)
    done = shop.run("lock", "archive", "--older-than", "30d")
    assert (done.code, "2 mailings left" in done.err) == (0, True), done.err
    done = shop.run("lock", "archive", "--reason", "the year is over")
    assert done.code == 0, done.err
    assert "2 mailings moved to the archive" in done.err
    assert f"git add {LOCK} {ARCHIVE}" in done.err
    assert (shop.lock()["mailings"], shop.lock()["archived"]) == ({}, 2)
    assert shop.lock()["resolutions"][0]["reason"] == "the year is over"
    lines = (shop.root / ARCHIVE).read_text().splitlines()
    assert [json.loads(line)["address"] for line in lines] == ["sale/staff", "sale/vip"]
    assert "375291" not in "".join(lines)

    planned = shop.run("plan", "--detailed-exitcode")
    assert planned.code == 0, planned.out
    assert "2 mailings are archived" in planned.out
    assert {one["reason"] for one in _plan(shop).values()} == {"archived: sent, unchanged"}
    assert shop.run("apply", "--auto-approve").code == 0
    shop.write("sale.yaml", "version: 1\ncampaign: sale\nmailings: []\n")
    summary = shop.run("plan", "--format", "json").json["summary"]
    assert (summary["archived"], summary["orphan"], summary["noop"]) == (2, 0, 0)
    assert "2 mailings are archived" in shop.run("plan", "--format", "markdown").out
    assert set(received(shop, "shop").values()) == {1}
    assert shop.run("lock", "archive").code == 0  # the lock is empty
    assert "sale/vip" in shop.run("lock", "list", "--archived").out
    assert shop.run("lock", "show", "sale/vip").json["archived"]


def test_archived_mailing_is_not_sent_again(shop: Shop) -> None:
    """An archived mailing is not sent again, changed, renamed or without a lock; a raised revision warns of a second send."""
    _send(shop)
    assert shop.run("lock", "archive").code == 0
    shop.write("sale.yaml", SALE.replace("Sale shop", "Big sale shop"))
    assert _plan(shop)["sale/vip"]["reason_code"] == "changed"
    shop.write("sale.yaml", SALE.replace("name: vip", "name: gold"))
    planned = _plan(shop)["sale/gold"]
    assert planned["reason_code"] == "collision"
    assert "sale/vip, with the same text and recipients, was sent and is archived" in str(planned["reason"])
    assert shop.run("apply", "--auto-approve").code == 4
    shop.write("sale.yaml", SALE)
    lock = (shop.root / LOCK).read_text()
    (shop.root / LOCK).unlink()
    assert _plan(shop)["sale/vip"]["action"] == "noop"
    shop.write(LOCK, lock)
    assert set(received(shop, "shop").values()) == {1}

    shop.write("sale.yaml", SALE.replace("name: vip", "name: vip\n    revision: 2"))
    planned_again = shop.run("plan", "--format", "json").json
    notes = [one["message"] for one in planned_again["problems"] if one["code"] == "SENT_AGAIN"]
    assert notes == ["revision 2 will be sent to up to 3 recipients who already got revision 1"]
    assert shop.run("apply", "--auto-approve").code == 0
    shop.write("sale.yaml", SALE)
    assert _plan(shop)["sale/vip"]["reason_code"] == "changed"
    _pass_time(shop, 1)
    assert shop.run("lock", "archive").code == 0
    assert "revision 2 was sent" in str(_plan(shop)["sale/vip"]["reason"])
    assert sorted(received(shop, "shop").values()) == [1, 2, 2, 2]


def test_archived_mailing_needs_no_list(shop: Shop) -> None:
    """The recipient file of an archived mailing may be deleted."""
    shop.write("vip.csv", "phone\n375291234561\n")
    shop.write(
        "sale.yaml",
        SALE.split("  - name: vip")[0] + "  - {name: vip, recipients: {file: vip.csv}, text: Sale}\n",
    )
    assert shop.run("apply", "--auto-approve").code == 0
    _pass_time(shop, 1)
    assert shop.run("lock", "archive").code == 0
    (shop.root / "vip.csv").unlink()
    assert [shop.run(command).code for command in ("validate", "plan")] == [0, 0]


def test_archive_is_copied_with_the_lock(shop: Shop) -> None:
    """`lock pull` copies the archive with the lock; `lock path` names both for pipelines."""
    _send(shop)
    assert shop.run("lock", "archive").code == 0
    assert shop.run("lock", "path").out.split() == [LOCK, ARCHIVE]
    assert shop.run("lock", "pull", "backup.lock.json").code == 0
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "lock: backup.lock.json\n")
    assert {one["action"] for one in _plan(shop).values()} == {"noop"}


def test_only_what_is_over_is_archived(shop: Shop) -> None:
    """Only finished mailings are archived: scheduled, unknown and partly sent ones stay, each with its state."""
    shop.settings(delay=600)
    _send(shop, hours=0)
    left = shop.run("lock", "archive")
    assert (left.code, not (shop.root / ARCHIVE).exists()) == (0, True)
    assert "sale/vip left: sending" in left.err
    _pass_time(shop, 1)
    shop.write(
        "more.yaml",
        SALE.replace("campaign: sale", "campaign: more").replace("Sale", "More").replace("Closed", "Open"),
    )
    shop.fault(method="sendBulkSms", mode="reset", when="before")
    assert shop.run("apply", "--auto-approve").code == 6
    done = shop.run("lock", "archive")
    assert "2 mailings moved" in done.err
    assert "more/vip left: unknown" in done.err
    assert shop.run("lock", "archive", "sale/*").code == 64  # the pattern matches nothing in the lock


def test_archived_mailing_stays_as_it_is(shop: Shop) -> None:
    """No `lock` command and no import changes an archived mailing."""
    _send(shop)
    number = shop.lock()["mailings"]["sale/vip"]["chunks"][0]["message_id"]
    assert shop.run("lock", "archive").code == 0
    before = (shop.root / ARCHIVE).read_bytes()
    for arguments in (
        ("remove", "sale/vip"),
        ("move", "sale/vip", "sale/x"),
        ("resolve", "sale/vip", "--sent"),
    ):
        refused = shop.run("lock", *arguments)
        assert (refused.code, "sale/vip is archived" in refused.err) == (4, True), refused.err
    assert number is None or shop.run("import", "sale/vip", "--message-id", str(number)).code == 4
    assert (shop.root / ARCHIVE).read_bytes() == before


def test_plan_survives_archiving(shop: Shop) -> None:
    """A plan reviewed before the archiving can still be applied: to it, an archived mailing is a finished one.

    This includes a mailing that is no longer in the files.
    """
    gone = SALE.split("mailings:")[0].replace("campaign: sale", "campaign: gone")
    shop.write("gone.yaml", gone + "mailings: [{name: one, recipients: ['375291234568'], text: Gone shop}]\n")
    _send(shop)
    (shop.root / "gone.yaml").unlink()
    shop.write(
        "more.yaml",
        SALE.replace("campaign: sale", "campaign: more").replace("Sale", "More").replace("Closed", "Open"),
    )
    assert shop.run("plan", "--out", "plan.json").code == 0
    assert shop.run("lock", "archive").code == 0
    done = shop.run("apply", "plan.json")
    assert done.code == 0, done.err
    _pass_time(shop, 1)
    assert shop.run("lock", "archive").code == 0
    assert shop.run("apply", "plan.json").code == 5
    assert set(received(shop, "shop").values()) == {1}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes().partition(b"\n")[2])


def _edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"sale/vip", b"sale/old"))


def _merge(path: Path) -> None:
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"<<<<<<< HEAD\n" + first + b"=======\n" + second + b">>>>>>> other\n")


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (Path.unlink, "has 0 of the 2 mailings that the lock has moved there"),
        (_cut, "has 1 of the 2 mailings"),
        (_edit, ":2: the archive is damaged"),
        (_merge, "in a merge conflict, keep the lines of both sides"),
        (_link, "this file is a link"),
    ],
    ids=["lost", "cut off", "edited", "merge conflict", "link"],
)
def test_damaged_archive_is_refused(shop: Shop, damage: object, why: str) -> None:
    """A damaged archive stops plan and apply, since its mailings could otherwise be sent again."""
    _send(shop)
    assert shop.run("lock", "archive").code == 0
    assert callable(damage)
    damage(shop.root / ARCHIVE)
    for command in (("plan",), ("apply", "--auto-approve"), ("lock", "list", "--archived")):
        refused = shop.run(*command)
        assert (refused.code, why in refused.err) == (1, True), refused.err


def test_crash_while_archiving_loses_nothing(shop: Shop, tmp_path: Path) -> None:
    """After a kill at any point and a second run, each mailing is archived once and nothing is sent again."""
    _send(shop)
    before = {path.name: path.read_bytes() for path in shop.root.iterdir() if path.is_file()}
    points = tmp_path / "points"
    assert shop.run("lock", "archive", env={"SMSBY_FAULT": f"count:{points}"}).code == 0
    names = [line.split()[1] for line in points.read_text().splitlines()]
    assert {"archive.before-append", "archive.after-append", "lock.before-rename"} <= set(names)
    for k, name in enumerate(names, 1):
        for path in shop.root.iterdir():
            if path.is_file():
                path.unlink()
        for file, content in before.items():
            (shop.root / file).write_bytes(content)
        assert shop.run("lock", "archive", env={"SMSBY_FAULT": f"kill:{k}"}).code == -signal.SIGKILL
        assert shop.run("plan", "--detailed-exitcode").code == 0, name
        assert shop.run("lock", "archive").code == 0, name
        lines = (shop.root / ARCHIVE).read_text().splitlines()
        assert sorted(json.loads(line)["address"] for line in lines) == ["sale/staff", "sale/vip"], name
        assert (shop.lock()["mailings"], shop.lock()["archived"]) == ({}, 2), name


def test_full_disk_archives_nothing(shop: Shop) -> None:
    """On a full disk the lock keeps its mailings, and the next run archives each of them once."""
    _send(shop)
    before = shop.lock()["mailings"]
    full = shop.run("lock", "archive", file_limit=1000)
    assert (full.code, f"cannot write {ARCHIVE}" in full.err) == (1, True), full.err
    assert shop.lock()["mailings"] == before
    assert shop.run("plan", "--detailed-exitcode").code == 0
    assert shop.run("lock", "archive").code == 0
    assert (shop.lock()["mailings"], shop.lock()["archived"]) == ({}, 2)
