"""The process dies with SIGKILL at every boundary, and nobody gets a message twice.

The boundaries are counted by a first run of the real command, so a new one is covered without a change here.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.trial import Case, apply, finish, received, start

CASES = [
    Case(via, n, file)
    for via in ("bulk", "list", "single", "upload")
    for n in (1, 3)
    for file in (False, True)
]
CASES.append(Case("bulk", 5, plan_file=False, concurrency=2))
CASES.append(Case("single", 3, plan_file=False, concurrency=3))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_crash_anywhere_sends_nothing_twice_and_loses_nothing(
    shop: Shop, tmp_path: Path, case: Case
) -> None:
    """Dead at boundary k, run again, settled by a person: each message exactly once, whatever k was."""
    points = tmp_path / "points"
    start(shop, case, "counted")
    counted = apply(shop, case, {"SMSBY_FAULT": f"count:{points}"})
    assert counted.code == 0, counted.err
    names = [line.split()[1] for line in points.read_text().splitlines()]
    assert len(names) > 10 * case.requests
    assert {"journal.after:intent", "http.after:" + case.method, "lock.before-rename"} <= set(names)
    expected = received(shop, "counted")
    assert set(expected.values()) == {1}
    for k, name in enumerate(names, 1):
        start(shop, case, f"kill-{k}")
        where = f"killed at {k}: {name}"
        killed = apply(shop, case, {"SMSBY_FAULT": f"kill:{k}"})
        assert killed.code == -signal.SIGKILL, where
        again = apply(shop, case, {})
        assert again.code in (0, 4, 5, 6), f"{where}\n{again.err}"
        _check_counts(shop, case, f"kill-{k}", where)
        finish(shop, case, where)
        assert received(shop, f"kill-{k}") == expected, where
        assert shop.run("plan", "--detailed-exitcode").code == 0, where


def _check_counts(shop: Shop, case: Case, project: str, where: str) -> None:
    """Nobody twice; and what the lock calls sent is there, what it calls unsent is not."""
    got = received(shop, project)
    assert all(count == 1 for count in got.values()), where
    if not (shop.root / "smsby.lock.json").exists():
        return
    chunks = [chunk for entry in shop.lock()["mailings"].values() for chunk in entry["chunks"]]
    if case.via == "single":
        rows = [run.split(":") for chunk in chunks for run in chunk.get("rows", "").split()]
        by_letter: Counter[str] = Counter()
        for letter, count in rows:
            by_letter[letter] += int(count)
        assert by_letter["a"] <= len(got) <= by_letter["a"] + by_letter["u"], where
    if case.via == "upload":
        drafts = [call for call in shop.calls() if call["method"] == "sendSmsList" and call["accepted"]]
        assert (
            sum(
                call["params"]["name"].endswith(f" {project}#{c['fingerprint']}")
                for call in drafts
                for c in chunks
            )
            <= 1
        )
    by_state: dict[str, int] = {}
    for chunk in chunks:
        by_state[chunk["state"]] = by_state.get(chunk["state"], 0) + (chunk["recipients"] or 0)
    if case.via == "bulk" and chunks:
        assert sum(by_state.values()) == case.people, where
        accepted, unknown = by_state.get("accepted", 0), by_state.get("unknown", 0)
        assert accepted <= len(got) <= accepted + unknown, where


def test_what_crashed_between_is_still_readable(shop: Shop) -> None:
    """A journal that a dead run left is folded in memory by commands that only read, and stays for the next apply."""
    case = Case("bulk", 3, plan_file=False)
    start(shop, case, "left")
    assert apply(shop, case, {"SMSBY_FAULT": "kill:12"}).code == -signal.SIGKILL
    before = {path.name: path.read_bytes() for path in shop.root.iterdir()}
    listed = shop.run("lock", "list")
    assert listed.code == 0
    assert "sale/staff" in listed.out
    assert json.loads(shop.run("lock", "show", "sale/staff").out)["chunks"][0]["state"] == "accepted"
    assert {path.name: path.read_bytes() for path in shop.root.iterdir()} == before
