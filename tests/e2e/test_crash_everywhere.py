"""The process dies with SIGKILL at every boundary, and nobody gets a message twice.

The boundaries are counted by a first run of the real command, so a new one is covered without a change here.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Result, Shop

_PHONES = [f"37529123456{n}" for n in range(5)]


@dataclass(frozen=True)
class Case:
    """`requests` of 2 recipients each, or that many lists kept at sms.by, with or without a saved plan."""

    via: str
    requests: int
    plan_file: bool

    def __str__(self) -> str:
        return f"{self.via}-{self.requests}-{'plan-file' if self.plan_file else 'no-file'}"

    def campaign(self, project: str) -> str:
        if self.via == "list":
            mailings = [
                f"  - {{name: letter{n}, list: Newsletter, text: News {n} {project}}}"
                for n in range(self.requests)
            ]
        else:
            phones = ", ".join(f'"{phone}"' for phone in _PHONES[: 2 * self.requests - 1])
            mailings = [f"  - {{name: staff, recipients: [{phones}], text: Closed {project}}}"]
        head = "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n"
        return head + "\n".join(mailings) + "\n"


CASES = [Case(via, n, file) for via in ("bulk", "list") for n in (1, 3) for file in (False, True)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_crash_anywhere_sends_nothing_twice_and_loses_nothing(
    shop: Shop, tmp_path: Path, case: Case
) -> None:
    """Dead at boundary k, run again, settled by a person: each message exactly once, whatever k was."""
    points = tmp_path / "points"
    _start(shop, case, "counted")
    counted = _apply(shop, case, {"SMSBY_FAULT": f"count:{points}"})
    assert counted.code == 0, counted.err
    names = [line.split()[1] for line in points.read_text().splitlines()]
    assert len(names) > 10 * case.requests
    assert {"journal.after:intent", "http.after:" + _method(case), "lock.before-rename"} <= set(names)
    expected = _received(shop, "counted")
    assert set(expected.values()) == {1}
    for k, name in enumerate(names, 1):
        _start(shop, case, f"kill-{k}")
        where = f"killed at {k}: {name}"
        killed = _apply(shop, case, {"SMSBY_FAULT": f"kill:{k}"})
        assert killed.code == -signal.SIGKILL, where
        again = _apply(shop, case, {})
        assert again.code in (0, 4, 5, 6), f"{where}\n{again.err}"
        _check_counts(shop, case, f"kill-{k}", where)
        _finish(shop, case, where)
        assert _received(shop, f"kill-{k}") == expected, where
        assert shop.run("plan", "--detailed-exitcode").code == 0, where


def _method(case: Case) -> str:
    return "sendSmsList" if case.via == "list" else "sendBulkSms"


def _start(shop: Shop, case: Case, project: str) -> None:
    """A project of its own at the same sms.by; its name ends every text, so that messages are told apart."""
    for old in shop.root.iterdir():
        old.unlink()
    shop.write(
        "smsby.yaml",
        f"version: 1\nproject: {project}\n"
        "api: {requests_per_second: 1000, recipients_per_request: 2, timeout_seconds: 5, reconcile_seconds: 0.2}\n",
    )
    shop.write("sale.yaml", case.campaign(project))
    if case.plan_file:
        assert shop.run("plan", "--out", "plan.json").code == 0


def _apply(shop: Shop, case: Case, env: dict[str, str]) -> Result:
    arguments = ["plan.json"] if case.plan_file else []
    return shop.run("apply", *arguments, "--auto-approve", env=env)


def _received(shop: Shop, project: str) -> Counter[str]:
    """How often each message of `project` reached each phone."""
    received = [
        f"{phone}: {message['text'].removesuffix(project)}"
        for phone, messages in shop.inbox().items()
        for message in messages
        if message["text"].endswith(f" {project}")
    ]
    return Counter(received)


def _check_counts(shop: Shop, case: Case, project: str, where: str) -> None:
    """Nobody twice; and what the lock calls sent is there, what it calls unsent is not."""
    received = _received(shop, project)
    assert all(count == 1 for count in received.values()), where
    if not (shop.root / "smsby.lock.json").exists():
        return
    chunks = [chunk for entry in shop.lock()["mailings"].values() for chunk in entry["chunks"]]
    by_state: dict[str, int] = {}
    for chunk in chunks:
        by_state[chunk["state"]] = by_state.get(chunk["state"], 0) + (chunk["recipients"] or 0)
    if case.via == "bulk" and chunks:
        assert sum(by_state.values()) == 2 * case.requests - 1, where
        accepted, unknown = by_state.get("accepted", 0), by_state.get("unknown", 0)
        assert accepted <= len(received) <= accepted + unknown, where


def _finish(shop: Shop, case: Case, where: str) -> None:
    """What a person does: say what is found out of the unknown, and apply until all is sent."""
    for _ in range(2 * case.requests + 1):
        for address in _unknown(shop):
            # The list at this sms.by does not lag: what is not in it was not sent.
            assert shop.run("lock", "resolve", address, "--not-sent", "--reason", "looked").code == 0, where
        done = shop.run("apply", "--auto-approve")
        if done.code == 0:
            return
        assert done.code == 6, f"{where}\n{done.err}"
    raise AssertionError(f"{where}: it was never done")


def _unknown(shop: Shop) -> list[str]:
    if not (shop.root / "smsby.lock.json").exists():
        return []
    mailings: dict[str, Any] = shop.lock()["mailings"]
    return [address for address, entry in mailings.items() if entry["state"] == "unknown"]


def test_what_crashed_between_is_still_readable(shop: Shop) -> None:
    """A journal that a dead run left is folded in memory by commands that only read, and stays for the next apply."""
    case = Case("bulk", 3, plan_file=False)
    _start(shop, case, "left")
    assert _apply(shop, case, {"SMSBY_FAULT": "kill:12"}).code == -signal.SIGKILL
    before = {path.name: path.read_bytes() for path in shop.root.iterdir()}
    listed = shop.run("lock", "list")
    assert listed.code == 0
    assert "sale/staff" in listed.out
    assert json.loads(shop.run("lock", "show", "sale/staff").out)["chunks"][0]["state"] == "accepted"
    assert {path.name: path.read_bytes() for path in shop.root.iterdir()} == before
