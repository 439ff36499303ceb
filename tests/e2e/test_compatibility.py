"""A project with a lock and a plan of version 0.1.0 works with the present commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop

PROJECT = Path(__file__).parents[1] / "lock" / "fixtures" / "project"


@pytest.fixture
def old(shop: Shop) -> Shop:
    """A shop whose folder was used with version 0.1.0; http://sms is its sandbox."""
    shutil.rmtree(shop.root)
    shutil.copytree(PROJECT, shop.root)
    return shop


def _env(shop: Shop) -> dict[str, str]:
    return {"SMSBY_API_URL": "http://sms", "http_proxy": shop.url}


def test_old_lock_can_be_read_by_lock_list_and_lock_show(old: Shop) -> None:
    """`lock list` and `lock show` read the lock of 0.1.0 without changing anything on disk."""
    before = (old.root / "smsby.lock.json").read_bytes()
    mailings = old.lock()["mailings"]
    listed = [line.split()[:2] for line in old.run("lock", "list").out.splitlines()]
    assert listed == [[entry["state"], address] for address, entry in sorted(mailings.items())]
    for address in ("sent/again", "wrong/unsent", "wrong/one-unknown"):
        assert old.run("lock", "show", address).json == {"address": address, **mailings[address]}
    assert (old.root / "smsby.lock.json").read_bytes() == before


def test_old_lock_gives_the_same_actions_offline(old: Shop) -> None:
    """With the lock of 0.1.0 a sent mailing is not planned again, and an unsent one is."""
    actions = {
        a["address"]: a["action"] for a in old.run("plan", "--offline", "--format", "json").json["actions"]
    }
    assert actions == {
        "imported/web": "noop",
        "next/bulk": "create",
        "next/list": "create",
        "next/single": "create",
        "next/upload": "upload",
        "sent/again": "noop",
        "sent/bulk": "noop",
        "sent/later": "noop",
        "sent/list": "noop",
        "sent/new-name": "noop",
        "sent/opted-out": "noop",
        "sent/personal": "noop",
        "sent/single": "noop",
        "sent/upload": "noop",
        "wrong/draft": "confirm",
        "wrong/one-rejected": "resume",
        "wrong/one-unknown": "blocked",
        "wrong/one-unsent": "resume",
        "wrong/partial": "resume",
        "wrong/rejected": "create",
        "wrong/resolved": "noop",
        "wrong/unknown": "blocked",
        "wrong/unsent": "create",
    }


def test_old_plan_is_applied(old: Shop) -> None:
    """A plan reviewed with 0.1.0 is not stale: it sends once what it covers, and nothing that it blocks.

    It has the name of a contact list but not its id, so it does not say which list was reviewed.

    The sandbox knows nothing of what the lock records, so `lock bind` confirms its list.
    """
    assert old.run("lock", "bind", env=_env(old)).code == 0
    done = old.run("apply", "plan.json", "--format", "json", env=_env(old))
    outcomes = {mailing["address"]: mailing["outcome"] for mailing in done.json["mailings"]}
    assert outcomes == {
        "next/bulk": "sent",
        "next/list": "skipped",
        "next/single": "sent",
        "next/upload": "sent",
        "sent/bulk": "skipped",
        "wrong/partial": "sent",
        "wrong/unknown": "unknown",
        "wrong/unsent": "sent",
    }, done.err
    numbers = {
        phone[-2:]: len(messages) for phone, messages in old.inbox().items() if phone.startswith("3752912345")
    }
    assert "89" not in numbers  # opted out
    assert (numbers["72"], numbers["76"], numbers["62"]) == (1, 1, 2)
    assert "70" not in numbers  # one of the accepted chunk, one of the unknown chunk
    inbox = old.inbox()
    again = old.run("apply", "plan.json", "--format", "json", env=_env(old))
    assert again.code == 6, again.err  # one outcome is not settled, so the plan is not used up yet
    assert old.inbox() == inbox
    assert json.loads((old.root / "smsby.lock.json").read_text())["serial"] > 17
