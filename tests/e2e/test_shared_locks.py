"""A lock shared between machines: the real command in two checkouts, against real stores."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from tests.databases import Database
from tests.e2e.conftest import Result, Shop
from tests.e2e.forked import CLOCK_AHEAD
from tests.shared_stores import S3_KEYS, LimitedS3, empty_bucket, limit_database, limit_remote

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
    """Checkouts of one project on two machines, which share nothing except the store of the lock."""

    shop: Shop
    other: Path
    env: dict[str, str]
    knows_the_dead: bool  # whether the store notices at once that a run has died
    limit: Callable[[int | None], object]  # limits how many more writes the store accepts; no limit if None
    lose: Callable[[], object]  # deletes everything in the store

    def run(self, *arguments: str, **env: str) -> Result:
        return self.shop.run(*arguments, env={**self.env, **env})

    def run_other(self, *arguments: str, **env: str) -> Result:
        return Shop(self.other, self.shop.url).run(*arguments, env={**self.env, **env})

    def received(self, text: str) -> set[int]:
        """Return how many messages with a text each phone got, as a set of counts."""
        inbox = self.shop.inbox()
        return {sum(message["text"] == text for message in inbox.get(phone, [])) for phone in PHONES}


@pytest.fixture(params=["git", "postgres", "s3"])
def machines(request: pytest.FixtureRequest, shop: Shop, tmp_path: Path) -> Iterator[Machines]:
    env: dict[str, str] = {}
    limit: Callable[[int | None], object]
    lose: Callable[[], object]
    clean_up = ExitStack()
    if request.param == "git":
        lock = "{git: origin}"
        subprocess.run(["git", "init", "-q", "--bare", tmp_path / "remote.git"], check=True)
        subprocess.run(["git", "init", "-q", shop.root], check=True)
        subprocess.run(["git", "remote", "add", "origin", tmp_path / "remote.git"], cwd=shop.root, check=True)
        limit = partial(limit_remote, tmp_path / "remote.git")
        delete = ["git", "update-ref", "-d", "refs/heads/smsby-lock"]
        lose = partial(subprocess.run, delete, cwd=tmp_path / "remote.git", check=True)
    elif request.param == "postgres":
        lock = "{postgres_env: SMSBY_LOCK_URL}"
        database: Database = request.getfixturevalue("postgres")
        env = {"SMSBY_LOCK_URL": database.url}
        limit = partial(limit_database, database)
        lose = partial(database.run, "delete from smsby_lock")
    else:
        prefix = uuid4().hex
        lock = f"{{s3: s3://locks/{prefix}, endpoint_env: SMSBY_S3}}"
        server = LimitedS3(request.getfixturevalue("s3_server"))
        clean_up.enter_context(server.serving())
        env = {"SMSBY_S3": server.url, **S3_KEYS}
        limit = partial(setattr, server, "writes_left")
        lose = partial(empty_bucket, server.url, prefix)
    settings = (shop.root / "smsby.yaml").read_text(encoding="utf-8")
    shop.write("smsby.yaml", f"{settings}lock: {lock}\n")
    shop.write("sale.yaml", CAMPAIGN)
    shutil.copytree(shop.root, tmp_path / "other")
    with clean_up:
        yield Machines(shop, tmp_path / "other", env, request.param == "postgres", limit, lose)


def test_shared_lock_knows_what_another_machine_sent(machines: Machines) -> None:
    """The second machine sees what the first one sent, reports it, and sends nothing."""
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


_A_DEAD_RUN = {CLOCK_AHEAD: "900"}  # seconds: with a clock that far ahead no lease needs a proof


def _send_in_two_requests(machines: Machines, revision: int) -> str:
    """Write the next revision on both machines, and return its text."""
    text = f"Closed {revision}"
    campaign = CAMPAIGN.replace("alphaname", f"revision: {revision}\nalphaname").replace("Closed", text)
    for folder in (machines.shop.root, machines.other):
        (folder / "sale.yaml").write_text(campaign, encoding="utf-8")
        settings = (folder / "smsby.yaml").read_text(encoding="utf-8")
        settings = settings.replace("recipients_per_request: 2", "recipients_per_request: 3")
        (folder / "smsby.yaml").write_text(settings, encoding="utf-8")
    return text


def _finish(run: Callable[..., Result], where: str) -> None:
    """Act as a truthful user until nothing is unknown: everything that sms.by accepted is in its list."""
    again = run("apply", "--auto-approve")
    for _ in range(3):
        if again.code != 6:
            break
        assert run("lock", "resolve", "sale/staff", "--not-sent").code == 0, where
        again = run("apply", "--auto-approve")
    assert again.code == 0, f"{where}\n{again.err}"


@pytest.mark.parametrize("is_elsewhere", [True, False], ids=["elsewhere", "here"])
def test_killed_run_is_resumed_on_another_machine(
    machines: Machines, tmp_path: Path, is_elsewhere: bool
) -> None:
    """After a kill at any fault point another machine resumes the run, and nothing is sent twice or lost.

    Another machine sees what is in the store and at sms.by: each such state is recovered from there. The machine itself also
    has what the store lacks: each of these is recovered from on it.
    """
    points = tmp_path / "points"
    _send_in_two_requests(machines, 1)
    counted = machines.run("apply", "--auto-approve", SMSBY_FAULT=f"count:{points}")
    assert counted.code == 0, counted.err
    names = [line.split()[1] for line in points.read_text().splitlines()]
    reached = ("shared.after-", "http.after:send")
    elsewhere = [1, *(k for k, name in enumerate(names, 1) if name.startswith(reached))]
    here = [k for k, name in enumerate(names, 1) if name.startswith("shared.before-")]
    assert names.count("shared.after-mirror") == 3  # one for each request, and the last result
    assert len(elsewhere) >= 7
    assert len(here) >= 4
    run = machines.run_other if is_elsewhere else machines.run
    for revision, k in enumerate(elsewhere if is_elsewhere else here, 2):
        where = f"killed at {k}: {names[k - 1]}"
        text = _send_in_two_requests(machines, revision)
        killed = machines.run("apply", "--auto-approve", SMSBY_FAULT=f"kill:{k}")
        assert killed.code == -signal.SIGKILL, where
        if is_elsewhere and not machines.knows_the_dead and revision == 2:
            held = machines.run_other("apply", "--auto-approve")
            assert held.code == 8, held.err
            assert "apply, process" in held.err
        _finish(partial(run, **(_A_DEAD_RUN if is_elsewhere else {})), where)
        assert machines.received(text) == {1}, where
    assert machines.run("plan", "--detailed-exitcode").code == 0


def test_full_store_loses_no_result(machines: Machines) -> None:
    """Whichever write the store refuses, no request is sent without its intent, and `lock rescue` has the last answer."""
    _send_in_two_requests(machines, 1)
    assert machines.run("apply", "--auto-approve").code == 0
    codes = []
    for revision in range(2, 30):
        text = _send_in_two_requests(machines, revision)
        machines.limit(revision - 2)
        full = machines.run("apply", "--auto-approve")
        machines.limit(None)
        codes.append(full.code)
        if full.code == 0:
            break
        assert machines.received(text) <= {0, 1}
        if named := re.search(r"`smsby-deploy (lock rescue [^`]+)`", full.err):
            assert full.code == 6
            taken = machines.run(*shlex.split(named[1]))
            assert taken.code == 0, taken.err
            assert "unknown" not in machines.run("lock", "list").out
        _finish(machines.run, f"after {revision - 2} writes")
        assert machines.received(text) == {1}
    assert codes[-1] == 0
    assert codes.count(6) >= 2, codes


def test_full_disk_loses_no_result(machines: Machines) -> None:
    """If the local copy cannot grow, nothing more is sent, and the last answer is in a rescue file."""
    codes = []
    for revision, limit in enumerate(
        (1150, 1650, 1500, 1800), 2
    ):  # bytes: full before an intent, or at a result
        text = _send_in_two_requests(machines, revision)
        full = machines.shop.run("apply", "--auto-approve", env=machines.env, file_limit=limit)
        codes.append(full.code)
        if named := re.search(r"`smsby-deploy (lock rescue [^`]+)`", full.err):
            assert machines.run(*shlex.split(named[1])).code == 0
        _finish(machines.run, f"disk of {limit}")
        assert machines.received(text) == {1}
        if full.code == 6:
            break
        assert machines.run("lock", "remove", "sale/staff").code == 0
    assert (codes[0], codes[-1]) == (1, 6)
    full = machines.shop.run("plan", env=machines.env, file_limit=500)  # not even the lock can be copied
    assert full.code == 1
    assert "hint:" in full.err


def test_lock_moves_from_a_file_to_a_store(machines: Machines) -> None:
    """`lock push` moves a file lock to a store, `lock pull` copies it back, and an older lock replaces no newer one."""
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
    assert "the target has a newer version of this lock" in older.err
    assert machines.run_other("lock", "pull", "copy.json").code == 0


def test_lost_lock_is_restored_from_the_copy_of_a_run(machines: Machines) -> None:
    """A lost shared lock stops every send until it is restored from a run's copy, even while the list of sms.by lags."""
    machines.shop.fault(method="sendBulkSms", mode="lag", when="after", seconds=600, times=9)
    assert machines.run("apply", "--auto-approve").code == 0
    machines.lose()
    for words in (("plan",), ("apply", "--auto-approve"), ("apply", "--due"), ("lock", "list")):
        refused = machines.run(*words)
        assert refused.code == 1, words
        assert "was deleted" in refused.err
    restored = re.search(r"`smsby-deploy (lock push [^`]+)`", refused.err)
    assert restored is not None
    assert machines.run(*shlex.split(restored[1])).code == 0
    assert machines.run_other("plan", "--format", "json").json["actions"][0]["action"] == "noop"
    assert machines.run("apply", "--auto-approve").code == 0
    assert machines.received("Closed") == {1}


def test_eight_applies_on_two_machines_send_everything_once(machines: Machines) -> None:
    """Of eight applies on two machines, one sends and the others wait; each recipient gets one message."""
    other = Shop(machines.other, machines.shop.url)
    words = ("apply", "--auto-approve", "--lock-timeout", "60")
    runs = [shop.start(*words, env=machines.env) for shop in (machines.shop, other) for _ in range(4)]
    assert {run.finish(120).code for run in runs} == {0}
    assert machines.received("Closed") == {1}
