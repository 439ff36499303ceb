"""A crash at every fault point of an apply sends nothing twice and loses nothing.

A first run of the real command pauses at each fault point, so a new one is covered without a change here. What a run does
after a crash depends only on the files and on what sms.by has accepted. Many fault points leave the same state: each state is
made by one SIGKILL and recovered from once. With several requests in flight a pause does not show what a kill leaves, so
there every point is killed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.e2e.conftest import Run, Shop
from tests.e2e.forked import CLOCK_AHEAD
from tests.e2e.trial import (
    IN_WINDOW,
    JUDGED,
    Case,
    apply,
    finish,
    received,
    release_later,
    send_in_waves,
    start,
    unknown,
)

# Each sends at least three requests. A crashed run of a plan file is continued with and without the file, in turn, so one
# case without a file is enough. A single request is tried only with a plan file, since such a run cannot leave it half sent.
_SIZES = {"bulk": 3, "list": 2, "single": 2, "upload": 2}
CASES = [Case(via, size, plan_file=True) for via, size in _SIZES.items()]
CASES.append(Case("bulk", 3, plan_file=False))
CASES += [Case(via, 1, plan_file=True) for via in ("bulk", "single", "upload")]
CASES.append(Case("bulk", 3, plan_file=False, concurrency=2))
CASES.append(Case("single", 2, plan_file=False, concurrency=2))
CASES.append(Case("variants", 3, plan_file=True))

# What differs between two equal runs: times, checksums, process and random ids, and the ids that sms.by assigns.
_PER_RUN = re.compile(
    r'"(?:sum|at|accepted_at|pid|id|lineage|plan|folded|uuid|message_id|list_id|d_schedule)": ?(?:"[^"]*"|\d+)'
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_crash_anywhere_sends_nothing_twice(shop: Shop, tmp_path: Path, case: Case) -> None:
    """After a crash at any fault point and a recovery, each recipient has each message exactly once."""
    points = tmp_path / "points"
    start(shop, case, "crash", reconcile_seconds=0.05)
    project = _files(shop)
    counted = apply(shop, case, {"SMSBY_FAULT": f"count:{points}"})
    assert counted.code == 0, counted.err
    names = [line.split()[1] for line in points.read_text().splitlines()]
    assert len(names) > 10 * case.requests
    assert {"journal.after:intent", "http.after:" + case.method, "lock.before-rename"} <= set(names)
    expected = received(shop, "crash")
    assert set(expected.values()) == {1}
    recovered: set[str] = set()
    turns: Counter[str] = Counter()
    states: list[str | None] = [None] * len(names)
    if case.concurrency == 1:
        plan_file = ["plan.json"] if case.plan_file else []
        arguments = ["apply", *plan_file, "--auto-approve"]
        states = _states_at_points(shop, lambda: _restore(shop, project), arguments)
    assert len(states) == len(names)
    for k, name in enumerate(names, 1):
        where = f"killed at {k}: {name}"
        if states[k - 1] in recovered:
            continue
        _restore(shop, project)
        killed = apply(shop, case, {"SMSBY_FAULT": f"kill:{k}"})
        assert killed.code == -signal.SIGKILL, where
        state = _state_left(shop)
        if state in recovered:
            continue
        recovered.add(state)
        turns[name] += 1
        then = case if turns[name] % 2 else replace(case, plan_file=False)
        again = apply(shop, then, {})
        assert again.code in (0, 4, 5, 6), f"{where}\n{again.err}"
        if again.code == 5:  # the plan is used up, so only if everything was sent
            assert received(shop, "crash") == expected, where
        _check_counts(shop, case, where)
        if again.code:
            finish(shop, then, where)
        assert received(shop, "crash") == expected, where
        assert shop.run("plan", "--detailed-exitcode").code == 0, where
    assert len(recovered) > 3 * case.requests  # before, during and after each request


@pytest.mark.parametrize("waits_for", ["window", "verdict"])
def test_crash_of_approval_or_hand_over_sends_nothing_twice(
    shop: Shop, tmp_path: Path, waits_for: str
) -> None:
    """After a crash anywhere between approval and hand-over, each recipient gets each message exactly once."""
    case = Case("bulk", 1 if waits_for == "window" else 2, plan_file=False)
    start(shop, case, "crash", reconcile_seconds=0.05)
    if waits_for == "window":
        release_later(shop)
    else:
        send_in_waves(shop)
    later = str(IN_WINDOW if waits_for == "window" else JUDGED)
    approve = ("apply", "--auto-approve"), "0"
    hand_over = ("apply", "--due"), later
    expected: Counter[str] = Counter()
    project = _files(shop)

    def before_approval() -> None:
        _restore(shop, project)

    def before_hand_over() -> None:
        before_approval()
        assert shop.run(*approve[0]).code == 0

    for number, (prepare, (arguments, ahead)) in enumerate(
        ((before_approval, approve), (before_hand_over, hand_over))
    ):
        points = tmp_path / f"points{number}"
        prepare()
        counted = shop.run(*arguments, env={CLOCK_AHEAD: ahead, "SMSBY_FAULT": f"count:{points}"})
        assert counted.code == 0, counted.err
        names = [line.split()[1] for line in points.read_text().splitlines()]
        recovered: set[str] = set()
        states = _states_at_points(shop, prepare, arguments, ahead)
        assert len(states) == len(names)
        for k, name in enumerate(names, 1):
            where = f"{arguments[1]} killed at {k}: {name}"
            if states[k - 1] in recovered:
                continue
            prepare()
            killed = shop.run(*arguments, env={CLOCK_AHEAD: ahead, "SMSBY_FAULT": f"kill:{k}"})
            assert killed.code == -signal.SIGKILL, where
            if (state := _state_left(shop)) in recovered:
                continue
            recovered.add(state)
            _finish_hand_over(shop, where, later)
            got = _received_later(shop)
            assert set(got.values()) == {1}, where
            assert got == (expected := expected or got), where
        assert len(recovered) > 2


def _files(shop: Shop) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shop.root.iterdir()}


def _finish_hand_over(shop: Shop, where: str, later: str) -> None:
    """Act as cron and a truthful user until nothing waits."""
    for _ in range(6):
        assert shop.run("apply", "--auto-approve").code in (0, 6), where
        for address in unknown(shop):
            assert shop.run("lock", "resolve", address, "--not-sent", "--reason", "looked").code == 0, where
        done = shop.run("apply", "--due", env={CLOCK_AHEAD: later})
        assert done.code in (0, 1, 4, 6), f"{where}\n{done.err}"
        if {entry["state"] for entry in shop.lock()["mailings"].values()} == {"complete"}:
            return
    raise AssertionError(f"{where}: it never completed")


def _received_later(shop: Shop) -> Counter[str]:
    """Return what each phone gets when the scheduled time has come."""
    for command in ({"advance": 3 * 86400}, {"reset": True}):
        got = received(shop, "crash")
        requests.post(f"{shop.url}/_sandbox/clock", json=command, timeout=5).raise_for_status()
    return got


def _states_at_points(
    shop: Shop, prepare: Callable[[], object], arguments: Sequence[str], ahead: str = "0"
) -> list[str | None]:
    """Return the state that a kill at each fault point leaves, from a run that pauses at each."""
    prepare()
    passed = shop.root.with_name("passed")
    passed.unlink(missing_ok=True)
    Path(f"{passed}.pipe").unlink(missing_ok=True)
    os.mkfifo(f"{passed}.pipe")
    run = shop.start(*arguments, env={"SMSBY_FAULT": f"pause:{passed}", CLOCK_AHEAD: ahead})
    states: list[str | None] = []

    def is_at_next() -> bool:
        return passed.exists() and len(passed.read_text().splitlines()) > len(states)

    while _wait_for(is_at_next, run):
        writers: list[int] = []
        assert _wait_for(lambda: _opens(f"{passed}.pipe", writers), run)  # noqa: B023
        states.append(_state_left(shop))
        os.write(writers[0], b"x")
        os.close(writers[0])
    assert run.finish().code == 0
    return states


def _wait_for(condition: Callable[[], bool], run: Run) -> bool:
    """Return whether `condition` came to hold before the run ended."""
    for _ in range(20_000):
        if condition():
            return True
        if not run.is_running:
            return condition()
        threading.Event().wait(0.001)
    raise TimeoutError("the run neither goes on nor ends")


def _opens(pipe: str, writers: list[int]) -> bool:
    """Open the pipe of a fault point as soon as the run reads it."""
    try:
        writers.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _restore(shop: Shop, project: dict[str, bytes]) -> None:
    """Restore the sandbox and the project's files to the state before the first apply."""
    shop.reset()
    for path in shop.root.iterdir():
        path.unlink()
    for name, content in project.items():
        (shop.root / name).write_bytes(content)


def _state_left(shop: Shop) -> str:
    """Return everything that the next run can depend on: the files, and the requests that sms.by accepted."""
    files = {path.name: path.read_text(encoding="utf-8") for path in shop.root.iterdir()}
    accepted = [[call["method"], call["params"]] for call in shop.calls() if call["accepted"]]
    changes = [call for call in accepted if not call[0].startswith("get")]
    lines = [*(f"{name}\n{text}" for name, text in sorted(files.items())), json.dumps(changes)]
    return _PER_RUN.sub("", "\n".join(lines))


def _check_counts(shop: Shop, case: Case, where: str) -> None:
    """Check that no recipient got a message twice, and that the lock's accepted ones were sent and its unsent ones not."""
    got = received(shop, "crash")
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
        marks = {chunk["fingerprint"] for chunk in chunks}
        assert sum(call["params"]["name"].rpartition("#")[2] in marks for call in drafts) <= 1, where
    by_state: Counter[str] = Counter()
    for chunk in chunks:
        by_state[chunk["state"]] += chunk["recipients"] or 0
    if case.via == "bulk" and chunks:
        assert sum(by_state.values()) == case.recipients, where
        accepted, unknown = by_state["accepted"], by_state["unknown"]
        assert accepted <= len(got) <= accepted + unknown, where


def test_journal_left_by_a_crash_is_readable(shop: Shop) -> None:
    """Read-only commands fold in a crashed run's journal in memory, and leave it on disk for the next apply."""
    case = Case("bulk", 3, plan_file=False)
    start(shop, case, "left")
    assert apply(shop, case, {"SMSBY_FAULT": "kill:14"}).code == -signal.SIGKILL
    before = {path.name: path.read_bytes() for path in shop.root.iterdir()}
    listed = shop.run("lock", "list")
    assert listed.code == 0
    assert "sale/staff" in listed.out
    assert json.loads(shop.run("lock", "show", "sale/staff").out)["chunks"][0]["state"] == "accepted"
    assert {path.name: path.read_bytes() for path in shop.root.iterdir()} == before
