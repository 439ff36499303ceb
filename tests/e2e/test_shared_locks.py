"""A lock that machines share: the real command in two checkouts, against real stores."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.databases import Database
from tests.e2e.conftest import Result, Shop
from tests.shared_stores import S3_KEYS

PHONES = [f"3752912345{n:02}" for n in range(60, 65)]
CAMPAIGN = f"""\
version: 1
campaign: sale
alphaname: MyShop
mailings:
  - {{name: staff, recipients: {json.dumps(PHONES)}, text: Closed}}
"""


@dataclass(frozen=True)
class Machines:
    """Checkouts of one project on two machines, which share nothing but the store of the lock."""

    shop: Shop
    other: Path
    env: dict[str, str]
    knows_the_dead: bool  # whether the store notices at once that a run has died

    def run(self, *arguments: str, **env: str) -> Result:
        return self.shop.run(*arguments, env={**self.env, **env})

    def run_other(self, *arguments: str, **env: str) -> Result:
        return Shop(self.other, self.shop.url).run(*arguments, env={**self.env, **env})

    def received(self, text: str) -> set[int]:
        """How often the phones got a text."""
        inbox = self.shop.inbox()
        return {sum(message["text"] == text for message in inbox.get(phone, [])) for phone in PHONES}


@pytest.fixture(params=["git", "postgres", "s3"])
def machines(request: pytest.FixtureRequest, shop: Shop, tmp_path: Path) -> Iterator[Machines]:
    env: dict[str, str] = {}
    if request.param == "git":
        lock = "{git: origin}"
        subprocess.run(["git", "init", "-q", "--bare", tmp_path / "remote.git"], check=True)
        subprocess.run(["git", "init", "-q", shop.root], check=True)
        subprocess.run(["git", "remote", "add", "origin", tmp_path / "remote.git"], cwd=shop.root, check=True)
    elif request.param == "postgres":
        lock = "{postgres_env: SMSBY_LOCK_URL}"
        database: Database = request.getfixturevalue("postgres")
        env = {"SMSBY_LOCK_URL": database.url}
    else:
        lock = f"{{s3: s3://locks/{uuid4().hex}, endpoint_env: SMSBY_S3}}"
        env = {"SMSBY_S3": request.getfixturevalue("s3_server"), **S3_KEYS}
    settings = (shop.root / "smsby.yaml").read_text(encoding="utf-8")
    shop.write("smsby.yaml", f"{settings}lock: {lock}\n")
    shop.write("sale.yaml", CAMPAIGN)
    shutil.copytree(shop.root, tmp_path / "other")
    yield Machines(shop, tmp_path / "other", env, knows_the_dead=request.param == "postgres")


def test_shared_lock_knows_what_another_machine_sent(machines: Machines) -> None:
    """The second machine sends nothing, and reports what the first one sent."""
    assert machines.run("plan", "--out", "plan.json").code == 0
    applied = machines.run("apply", "plan.json")
    assert applied.code == 0, applied.err
    assert "git add" not in applied.out + applied.err
    planned = machines.run_other("plan", "--format", "json")
    assert planned.json["actions"][0]["action"] == "noop", planned.err
    assert machines.run_other("apply", "--auto-approve").code == 0
    assert machines.received("Closed") == {1}
    status = machines.run_other("status", "--format", "json").json
    assert status["mailings"][0]["recipients"] == len(PHONES)
    machines.shop.write("plan-of-before.json", (machines.shop.root / "plan.json").read_text())
    assert machines.run("apply", "plan-of-before.json").code == 5


def test_killed_run_is_resumed_on_another_machine(machines: Machines, tmp_path: Path) -> None:
    """Killed at any of its writes to the store, or at a request, it leaves nothing that is sent twice."""
    points = tmp_path / "points"
    counted = machines.run("apply", "--auto-approve", SMSBY_FAULT=f"count:{points}")
    assert counted.code == 0, counted.err
    names = [line.split()[1] for line in points.read_text().splitlines()]
    begin = names.index("journal.before:begin")
    # Of each kind the last one, when some of the mailing is sent and the rest is not.
    last = {name: k for k, name in enumerate(names) if k > begin and name.startswith(("shared.", "http."))}
    assert last.keys() >= {"shared.before-mirror", "shared.after-mirror", "shared.after-write"}
    for revision, (name, k) in enumerate(last.items(), 2):
        text = f"Closed {revision}"
        campaign = CAMPAIGN.replace("alphaname", f"revision: {revision}\nalphaname").replace("Closed", text)
        for folder in (machines.shop.root, machines.other):
            (folder / "sale.yaml").write_text(campaign, encoding="utf-8")
        killed = machines.run("apply", "--auto-approve", SMSBY_FAULT=f"kill:{k + 1}")
        assert killed.code == -signal.SIGKILL, name
        if not machines.knows_the_dead and revision == 2:
            held = machines.run_other("apply", "--auto-approve")
            assert held.code == 8, held.err
            assert "apply, process" in held.err
        again = machines.run("apply", "--auto-approve")  # the copy that it used is free
        while again.code == 6:
            assert machines.run_other("lock", "resolve", "sale/staff", "--not-sent").code == 0
            again = machines.run_other("apply", "--auto-approve")
        assert again.code == 0, f"{name}\n{again.err}"
        assert machines.received(text) == {1}, name


def test_lock_moves_from_a_file_to_a_store(machines: Machines) -> None:
    """One command takes along what was sent; the way back never overwrites another lock or a newer one."""
    settings = (machines.shop.root / "smsby.yaml").read_text(encoding="utf-8")
    machines.shop.write("smsby.yaml", settings.partition("lock:")[0])
    assert machines.run("apply", "--auto-approve").code == 0
    assert machines.run("lock", "path").out == "smsby.lock.json\n"
    machines.shop.write("smsby.yaml", settings)
    assert machines.run("lock", "path").out == ""
    pushed = machines.run("lock", "push", "smsby.lock.json")
    assert pushed.code == 0, pushed.err
    assert machines.run_other("plan", "--format", "json").json["actions"][0]["action"] == "noop"
    assert machines.run_other("lock", "pull", "copy.json").code == 0
    assert (machines.other / "copy.json").read_bytes() == (
        machines.shop.root / "smsby.lock.json"
    ).read_bytes()
    assert machines.run_other("lock", "remove", "sale/staff").code == 0
    older = machines.run("lock", "push", "smsby.lock.json")
    assert older.code == 4
    assert "a newer version of this lock is there" in older.err
    assert machines.run_other("lock", "pull", "copy.json").code == 0


def test_eight_applies_on_two_machines_send_everything_once(machines: Machines) -> None:
    """One of them has the lock, and the others wait for it or exit 8."""
    other = Shop(machines.other, machines.shop.url)
    words = ("apply", "--auto-approve", "--lock-timeout", "60")
    runs = [shop.start(*words, env=machines.env) for shop in (machines.shop, other) for _ in range(4)]
    assert {run.finish(120).code for run in runs} == {0}
    assert machines.received("Closed") == {1}
