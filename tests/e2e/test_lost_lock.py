"""The lock is lost, too old, or the files changed meanwhile: nothing is sent again without a person's word."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.trial import PHONES, Case, apply, finish, received, start

THREE = Case("bulk", 3, plan_file=False)
LIST = Case("list", 1, plan_file=False)


def _lose(shop: Shop) -> None:
    for path in shop.root.glob("smsby.lock.json*"):
        path.unlink()


def _edit(shop: Shop, old: str, new: str, name: str = "sale.yaml") -> None:
    path = shop.root / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _send_two_of_three(shop: Shop) -> None:
    """The runner dies before its third request leaves."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {"SMSBY_FAULT": "kill:21"}).code == -signal.SIGKILL
    assert sum(received(shop, "shop").values()) == 4


def _action(shop: Shop) -> tuple[str, str]:
    (action,) = shop.run("plan", "--format", "json").json["actions"]
    return action["action"], action["reason"]


@pytest.mark.parametrize("case", [THREE, LIST], ids=str)
def test_a_mailing_that_is_there_is_adopted(shop: Shop, case: Case) -> None:
    """A runner died with its disk after everything was sent: the next one records it, and sends nothing."""
    start(shop, case, "shop")
    assert apply(shop, case, {}).code == 0
    _lose(shop)
    assert _action(shop)[0] == "adopt"
    adopted = shop.run("apply", "--auto-approve", "--format", "json")
    assert (adopted.code, adopted.json["summary"]["adopted"]) == (0, 1)
    assert _action(shop)[0] == "noop"
    assert set(received(shop, "shop").values()) == {1}
    assert all(chunk["message_id"] for e in shop.lock()["mailings"].values() for chunk in e["chunks"])


@pytest.mark.parametrize("word", ["--sent", "--not-sent"])
def test_what_is_missing_of_a_mailing_that_is_there_in_part_is_unknown(shop: Shop, word: str) -> None:
    """Two of three chunks are listed: they count as accepted, the third waits for a person's word."""
    _send_two_of_three(shop)
    _lose(shop)
    action, reason = _action(shop)
    assert (action, reason.split(":")[0]) == ("blocked", "unknown")
    assert shop.run("plan").code == 4
    assert apply(shop, THREE, {}).code == 6
    assert [c["state"] for c in shop.lock()["mailings"]["sale/staff"]["chunks"]] == ["accepted"] * 2 + [
        "unknown"
    ]
    assert sum(received(shop, "shop").values()) == 4
    before = shop.lock()
    for said in ((), ("--sent", "--not-sent")):  # nothing, or both: nothing is settled
        refused = shop.run("lock", "resolve", "sale/staff", *said)
        assert (refused.code, "--sent, or --not-sent" in refused.err, shop.lock() == before) == (
            64,
            True,
            True,
        )
    assert shop.run("lock", "resolve", "sale/staff", word, "--reason", "asked them").code == 0
    assert shop.lock()["resolutions"][-1]["reason"] == "asked them"
    assert apply(shop, THREE, {}).code == 0
    counts = received(shop, "shop")
    assert set(counts.values()) == {1}
    assert len(counts) == (4 if word == "--sent" else 5)


def test_a_mailing_under_another_fingerprint_is_a_collision(shop: Shop) -> None:
    """The lock was lost and the text changed since: what is at sms.by is ours and is not what the files say."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    _lose(shop)
    _edit(shop, "Closed", "Closed today")
    action, reason = _action(shop)
    assert (action, reason.split(":")[0]) == ("blocked", "collision")
    assert apply(shop, THREE, {}).code == 4
    assert sum(received(shop, "shop").values()) == 5
    _edit(shop, "name: staff", "name: staff, revision: 2")
    assert apply(shop, THREE, {}).code == 0
    assert sum(received(shop, "shop").values()) == 10


def test_another_checkout_finds_what_the_first_sent(shop: Shop, tmp_path: Path) -> None:
    """Two checkouts that share no lock: the second adopts."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    other = Shop(tmp_path / "other", shop.url)
    for name in ("smsby.yaml", "sale.yaml"):
        other.write(name, (shop.root / name).read_text(encoding="utf-8"))
    assert other.run("apply", "--auto-approve", "--format", "json").json["summary"]["adopted"] == 1
    assert sum(received(shop, "shop").values()) == 5


def test_an_older_lock_learns_what_was_sent_since(shop: Shop) -> None:
    """CI sent the rest and could not push: with the older lock everything that is listed is recorded, not sent."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", when="before")
    assert apply(shop, THREE, {}).code == 6
    older = (shop.root / "smsby.lock.json").read_bytes()
    assert apply(shop, THREE, {}).code == 0
    (shop.root / "smsby.lock.json").write_bytes(older)
    assert _action(shop)[0] == "adopt"
    assert apply(shop, THREE, {}).code == 0
    assert set(received(shop, "shop").values()) == {1}


def test_an_older_lock_makes_what_is_not_listed_unknown(shop: Shop) -> None:
    """The same, but the list lags: a lock that was wrong of one chunk is not believed of the next."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", when="before")
    assert apply(shop, THREE, {}).code == 6
    older = (shop.root / "smsby.lock.json").read_bytes()
    shop.fault(method="sendBulkSms", nth=2, mode="lag", when="after", seconds=600)
    assert apply(shop, THREE, {}).code == 0
    (shop.root / "smsby.lock.json").write_bytes(older)
    assert _action(shop)[1].startswith("unknown")
    assert apply(shop, THREE, {}).code == 6
    assert set(received(shop, "shop").values()) == {1}
    assert shop.run("lock", "resolve", "sale/staff", "--sent").code == 0
    assert apply(shop, THREE, {}).code == 0
    assert sum(received(shop, "shop").values()) == 5


def test_not_sent_that_was_said_too_early_sends_nothing_twice(shop: Shop) -> None:
    """The list lagged, a person said --not-sent; directly before the request the list is read once more."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="reset", when="after")
    shop.fault(method="sendBulkSms", nth=2, mode="lag", when="after", seconds=1)
    assert apply(shop, THREE, {}).code == 6
    assert shop.run("lock", "resolve", "sale/staff", "--not-sent").code == 0
    shop.wait_until(lambda: "2 of 3" in _action(shop)[1])
    assert apply(shop, THREE, {}).code == 0
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5


def test_a_list_that_fills_between_plan_and_request_stops_the_mailing(shop: Shop) -> None:
    """Another checkout's request shows up only when we look directly before ours: nothing more of it leaves."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {"SMSBY_FAULT": "kill:13"}).code == -signal.SIGKILL
    _lose(shop)
    # The first answer is stale, as if the plan had been made before: the second shows the chunk.
    shop.fault(method="getSMSMessages", mode="error", status=406, nth=1, when="before", text="")
    done = apply(shop, THREE, {})
    assert done.code == 6, done.err
    states = [chunk["state"] for chunk in shop.lock()["mailings"]["sale/staff"]["chunks"]]
    assert states == ["accepted", "unknown", "unknown"]
    assert sum(received(shop, "shop").values()) == 2


def test_a_renamed_mailing_is_moved_not_sent_anew(shop: Shop) -> None:
    """The same text to the same people under a new name is a collision; `lock move` takes the record along."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    _edit(shop, "name: staff", "name: team")
    actions = {a["address"]: a for a in shop.run("plan", "--format", "json").json["actions"]}
    assert actions["sale/staff"]["action"] == "orphan"
    assert actions["sale/team"]["reason"].startswith("collision")
    assert "lock move sale/staff sale/team" in actions["sale/team"]["reason"]
    assert apply(shop, THREE, {}).code == 4
    assert shop.run("lock", "move", "sale/staff", "sale/team").code == 0
    assert _action(shop)[0] == "noop"
    assert sum(received(shop, "shop").values()) == 5


def test_a_name_that_sms_by_cut_short_is_a_collision(shop: Shop) -> None:
    """A cut-off beginning of ours bears no fingerprint: it may be this mailing, and is never sent over."""
    start(shop, THREE, "shop")
    shop.settings(name_limit=20)
    assert apply(shop, THREE, {}).code == 0
    assert _action(shop)[0] == "noop"
    _lose(shop)
    assert _action(shop)[1].startswith("collision")
    assert apply(shop, THREE, {}).code == 4
    assert sum(received(shop, "shop").values()) == 5


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("smsby.yaml", '"recipients_per_request": 2', '"recipients_per_request": 3'),
        ("sale.yaml", f'"{PHONES[3]}", "{PHONES[4]}"', f'"{PHONES[4]}", "{PHONES[3]}"'),
        ("sale.yaml", f'"{PHONES[4]}"', '"375291111111"'),
        ("sale.yaml", "Closed", "Open"),
        ("smsby.yaml", '"requests_per_second"', '"body": "form", "requests_per_second"'),
    ],
    ids=["chunk-size", "row-order", "recipient", "text", "body"],
)
def test_a_change_after_a_partial_send_sends_nothing(shop: Shop, name: str, old: str, new: str) -> None:
    """Sent in part and changed since: blocked, until the files are put back; then the rest goes out."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", when="before")
    assert apply(shop, THREE, {}).code == 6
    _edit(shop, old, new, name)
    assert _action(shop)[1].startswith("changed")
    assert apply(shop, THREE, {}).code == 4
    assert sum(received(shop, "shop").values()) == 2
    _edit(shop, new, old, name)
    finish(shop, THREE, "put back")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5


def test_what_is_unknown_can_not_be_forgotten(shop: Shop) -> None:
    """`lock remove` of an unknown mailing would let it go out twice."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="reset", when="before")
    assert apply(shop, THREE, {}).code == 6
    removed = shop.run("lock", "remove", "sale/staff")
    assert removed.code == 64
    assert "lock resolve sale/staff" in removed.err
    assert shop.run("lock", "show", "sale/staff").json["state"] == "unknown"
