"""Keyed digests with the real command: which key a command needs, and key rotation without a second send."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.trial import Case, apply, finish, received, start

_OLD, _NEW = "the-old-digest-key-" * 3, "the-new-digest-key-" * 3
_SALE = "version: 1\ncampaign: sale\nmailings:\n  - {name: vip, recipients: {file: vip.csv}, text: Hello}\n"


@pytest.fixture
def keyed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Three recipients of a mailing that was recorded with the old key; their file still exists."""
    shop.write("sale.yaml", _SALE)
    shop.write("vip.csv", "phone\n375291234567\n375291234568\n375291234569\n")
    monkeypatch.setenv("SMSBY_DIGEST_KEY", _OLD)
    assert shop.run("apply", "--auto-approve").code == 0
    return shop


def _rotate(shop: Shop, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    monkeypatch.setenv("SMSBY_DIGEST_KEY", new)
    monkeypatch.setenv("SMSBY_DIGEST_KEY_OLD", old)
    done = shop.run("lock", "rekey", "--reason", "rotation")
    assert done.code == 0, done.err
    monkeypatch.delenv("SMSBY_DIGEST_KEY_OLD")


def _action(shop: Shop) -> tuple[str, str]:
    (action,) = (
        one for one in shop.run("plan", "--format", "json").json["actions"] if one["action"] != "orphan"
    )
    return action["action"], action["reason"]


@pytest.mark.parametrize(("locked", "here"), [("", _NEW), (_OLD, ""), (_OLD, _NEW)])
def test_lock_of_another_key_sends_nothing(
    shop: Shop, locked: str, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """plan, apply and import refuse a lock of another key with exit code 4 and name its id; no output shows a key."""
    shop.write("sale.yaml", _SALE)
    shop.write("vip.csv", "phone\n375291234567\n")
    monkeypatch.setenv("SMSBY_DIGEST_KEY", locked)
    assert shop.run("apply", "--auto-approve").code == 0
    needed = shop.lock().get("digest_key", "lock rekey")
    monkeypatch.setenv("SMSBY_DIGEST_KEY", here)
    shop.write("sale.yaml", _SALE.replace("name: vip", "name: gold"))
    for command in (
        ("plan",),
        ("plan", "--offline"),
        ("apply", "--auto-approve"),
        ("import", "sale/gold", "--message-id", "1"),
    ):
        refused = shop.run(*command)
        assert refused.code == 4, refused.err
        assert needed in refused.err
        assert _OLD not in refused.out + refused.err
        assert _NEW not in refused.out + refused.err
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == {"375291234567": 1}


@pytest.mark.parametrize(("then", "now"), [("", _NEW), (_OLD, ""), (_OLD, _NEW)])
def test_plan_of_another_key_is_refused(
    shop: Shop, then: str, now: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan of another key is refused with exit code 5 and the ids of both keys, and sends nothing."""
    shop.write("sale.yaml", _SALE)
    shop.write("vip.csv", "phone\n375291234567\n")
    monkeypatch.setenv("SMSBY_DIGEST_KEY", then)
    assert shop.run("plan", "--out", "plan.json").code == 0
    made = json.loads((shop.root / "plan.json").read_text()).get("digest_key", "without a digest key")
    monkeypatch.setenv("SMSBY_DIGEST_KEY", now)
    refused = shop.run("apply", "plan.json")
    assert refused.code == 5, refused.err
    assert "digest key" in refused.err
    assert made in refused.err
    assert shop.inbox() == {}


@pytest.mark.parametrize("old", ["", _OLD], ids=["no-key", "old-key"])
def test_rekeyed_lock_knows_its_mailings(shop: Shop, old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a rekey a sent mailing is unchanged, even if its file returns only later, and a renamed one is a collision."""
    shop.write("sale.yaml", _SALE)
    shop.write("vip.csv", "phone\n375291234567\n375291234568\n375291234569\n")
    monkeypatch.setenv("SMSBY_DIGEST_KEY", old)
    assert shop.run("apply", "--auto-approve").code == 0
    before = shop.lock()
    (shop.root / "vip.csv").rename(shop.root / "gone.csv")
    _rotate(shop, monkeypatch, old, _NEW)
    (shop.root / "gone.csv").rename(shop.root / "vip.csv")
    after = shop.lock()
    assert _action(shop)[0] == "noop"
    assert "AUDIENCE_CHANGED" not in shop.run("plan").out
    marks = [[c["fingerprint"] for c in one["mailings"]["sale/vip"]["chunks"]] for one in (before, after)]
    assert marks[0] == marks[1]
    shop.write("sale.yaml", _SALE.replace("name: vip", "name: gold"))
    assert _action(shop) == ("blocked", _action(shop)[1])
    assert _action(shop)[1].startswith("collision")
    assert after["resolutions"][-1]["reason"] == "rotation"


def test_listed_mailing_of_the_old_key_is_not_sent_again(
    keyed: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the lock is lost and the key changed, the name of a mailing at sms.by makes it a collision."""
    for path in keyed.root.glob("smsby.lock.json*"):
        path.unlink()
    monkeypatch.setenv("SMSBY_DIGEST_KEY", _NEW)
    action, reason = _action(keyed)
    assert (action, reason.split(":")[0]) == ("blocked", "collision")


@pytest.mark.parametrize("command", ["validate", "status", "lock list", "lock show sale/vip"])
def test_what_compares_no_digests_needs_no_key(
    keyed: Shop, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that compares no digests needs no key."""
    monkeypatch.delenv("SMSBY_DIGEST_KEY")
    done = keyed.run(*command.split())
    assert done.code == 0, done.err


def test_rekey_takes_the_key_away(keyed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lock rekey` can take the key away from a lock, but not by mistake."""
    monkeypatch.delenv("SMSBY_DIGEST_KEY")
    assert keyed.run("lock", "rekey").code == 64
    monkeypatch.setenv("SMSBY_DIGEST_KEY", _OLD)
    assert keyed.run("lock", "rekey", "--without-key").code == 0
    monkeypatch.delenv("SMSBY_DIGEST_KEY")
    assert _action(keyed)[0] == "noop"
    assert "digest_key" not in keyed.lock()


def test_short_digest_key_is_refused(shop: Shop) -> None:
    """A digest key that is short enough to guess is refused, and no output shows it."""
    refused = shop.run("plan", env={"SMSBY_DIGEST_KEY": "correct-horse"})
    assert refused.code == 64
    assert "at least 32 characters" in refused.err
    assert "correct-horse" not in refused.out + refused.err


@pytest.mark.parametrize("via", ["bulk", "single", "upload", "list"])
@pytest.mark.parametrize("first", ["", _OLD], ids=["no-key", "old-key"])
def test_rotation_after_a_crash_sends_nothing_twice(
    shop: Shop, via: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted mailing is continued with the new key, under the names that sms.by already has.

    test_crash_everywhere.py covers every moment of a crash; this test adds the key to some of them.
    """
    case = Case(via, 3, plan_file=False)
    for kill in (9, 19, 25) if first else (14, 22, 29):
        project = f"k{kill}"
        monkeypatch.setenv("SMSBY_DIGEST_KEY", first)
        start(shop, case, project)
        apply(shop, case, {"SMSBY_FAULT": f"kill:{kill}"})
        _rotate(shop, monkeypatch, first, _NEW)
        finish(shop, case, f"killed at {kill}")
        counts = received(shop, project)
        assert set(counts.values()) == {1}, (kill, counts)
        if via == "upload":  # the name of its list identifies the contacts, not the mailing
            continue
        names = set(re.findall(rf" {project}#([0-9a-f]{{10}})", str(shop.calls())))
        chunks = [chunk for entry in shop.lock()["mailings"].values() for chunk in entry["chunks"]]
        assert names == {chunk["fingerprint"] for chunk in chunks}, kill
