"""A lock, journal, plan or rescue file that an attacker wrote, with valid checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.config.one_campaign import CAMPAIGN
from tests.e2e.conftest import Result, Shop

EVIL = "evil\x1b[2J\x9b31m\u202e\x00"
COMMANDS = (
    ["plan"],
    ["plan", "--format", "json"],
    ["plan", "--format", "markdown"],
    ["apply", "--auto-approve"],
    ["status"],
    ["status", "--history"],
    ["status", "--format", "csv"],
    ["lock", "list"],
    ["lock", "show", "sale/vip"],
    ["import", "sale/vip", "--message-id", "1"],
)
_ALWAYS = (["plan"], ["apply", "--auto-approve"])
FORGERIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "address": lambda lock: lock["mailings"].update({EVIL: lock["mailings"]["sale/vip"]}),
    "long address": lambda lock: lock["mailings"].update({"a/" + "b" * 99: lock["mailings"]["sale/vip"]}),
    "project": lambda lock: lock.update(project=EVIL),
    "unknown key": lambda lock: lock.update({EVIL: 1}),
    "version": lambda lock: lock.update(version=EVIL),
    "text": lambda lock: lock["mailings"]["sale/vip"].update(transport=EVIL),
    "error": lambda lock: lock["mailings"]["sale/vip"]["chunks"][0].update(error=EVIL),
    "state": lambda lock: lock["mailings"]["sale/vip"].update(state=EVIL),
    "time": lambda lock: lock["mailings"]["sale/vip"].update(schedule_time="9999-99-99T99:99:99Z"),
    "user": lambda lock: lock["applies"][0].update(by=EVIL),
    "huge number": lambda lock: lock.update(serial=10**4_000),
    "infinite number": lambda lock: lock.update(serial=1e999),
}


def _commands_for(name: str, names: Iterable[str]) -> list[list[str]]:
    """Return two commands for every forgery, and three of the others in turn: all read the lock the same way."""
    turn = 3 * list(names).index(name)
    others = [command for command in COMMANDS if command not in _ALWAYS]
    return [*_ALWAYS, *(others[(turn + more) % len(others)] for more in range(3))]


@pytest.fixture
def sent(shop: Shop) -> Shop:
    """A shop that has sent its one mailing."""
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("apply", "--auto-approve").code == 0
    return shop


def _seal(document: dict[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _check(done: Result, code: int) -> None:
    shown = done.out + done.err
    assert done.code == code, shown
    assert len([line for line in done.err.splitlines() if line.startswith("error: ")]) == 1, done.err
    assert "evil" not in shown
    assert "".join(shown.split("\n")).isprintable(), shown


def _is_about_lock(done: Result) -> bool:
    return "smsby.lock.json" in done.err


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_lock(sent: Shop, name: str) -> None:
    """Every command refuses a forged lock (1), and shows none of it."""
    lock = sent.lock()
    del lock["seal"]
    FORGERIES[name](lock)
    sent.write("smsby.lock.json", json.dumps({**lock, "seal": _seal(lock)}))
    for command in _commands_for(name, FORGERIES):
        done = sent.run(*command)
        _check(done, 1)
        assert _is_about_lock(done), (command, done.err)
    assert len(sent.inbox()["375291234567"]) == 1


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": "smsby-lock", "version": ' + "9" * 5_000 + "}"])
def test_lock_that_no_parser_takes(sent: Shop, text: str) -> None:
    """A lock with deep nesting or numbers of 5,000 digits is damaged, not a crash."""
    sent.write("smsby.lock.json", text)
    _check(sent.run("plan"), 1)


FORGED_EVENTS: dict[str, dict[str, Any]] = {
    "kind": {"event": EVIL},
    "address": {"event": "remove", "address": EVIL},
    "move": {"event": "move", "address": "sale/vip", "to": EVIL},
    "change": {"event": "chunk", "chunks": [["sale/vip", 0]], "changes": {"state": "accepted", EVIL: 1}},
    "error": {"event": "chunk", "chunks": [["sale/vip", 0]], "changes": {"state": "rejected", "error": EVIL}},
    "reason": {
        "event": "resolve",
        "resolution": {"address": "*", "what": EVIL, "at": "2027-01-01T00:00:00Z", "by": "x", "reason": ""},
    },
}


@pytest.mark.parametrize("name", FORGED_EVENTS)
def test_forged_journal(sent: Shop, name: str) -> None:
    """A forged journal is refused like a lock, and none of it gets into the lock."""
    before = sent.lock()
    begin = {
        "event": "begin",
        "id": "j",
        "lineage": before["lineage"],
        "plan": None,
        "at": "2027-01-01T00:00:00Z",
        "commit": None,
        "tool": "x",
    }
    lines, previous = "", ""
    for event in (begin, FORGED_EVENTS[name]):
        body = json.dumps(event)
        previous = hashlib.sha256((previous + body).encode()).hexdigest()[:16]
        lines += f'{{"sum":"{previous}",{body[1:]}\n'
    sent.write("smsby.lock.json.journal", lines)
    for command in _commands_for(name, FORGED_EVENTS):
        _check(sent.run(*command), 1)
    assert sent.lock() == before


PLANS: dict[str, Callable[[dict[str, Any]], object]] = {
    "address": lambda plan: plan["actions"][0].update(address=EVIL),
    "action": lambda plan: plan["actions"][0].update(action=EVIL),
    "reason": lambda plan: plan["actions"][0].update(reason=EVIL),
    "sender": lambda plan: plan["actions"][0]["alphaname"].update(name=EVIL),
    "unknown key": lambda plan: plan["actions"][0]["audience"].update({EVIL: 1}),
    "missing key": lambda plan: plan.pop("inputs"),
    "input": lambda plan: plan["inputs"].update({EVIL: "0" * 64}),
    "lock entry": lambda plan: plan["lock"]["entries"].update({EVIL: "0" * 64}),
    "problem": lambda plan: plan["problems"].append({"message": EVIL}),
    "version": lambda plan: plan.update(version=EVIL),
    "huge cost": lambda plan: plan["actions"][0].update(cost="9" * 5_000),
    "huge number": lambda plan: plan["actions"][0].update(recipients=10**4_000),
}


@pytest.mark.parametrize("name", PLANS)
def test_forged_plan(shop: Shop, name: str) -> None:
    """apply and --compare refuse a forged plan (5 and 64), and nothing is sent."""
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("plan", "--out", "plan.json").code == 0
    plan = json.loads((shop.root / "plan.json").read_text("utf-8"))
    del plan["digest"]
    PLANS[name](plan)
    shop.write("plan.json", json.dumps({**plan, "digest": _seal(plan)}))
    _check(shop.run("apply", "plan.json"), 5)
    _check(shop.run("plan", "--format", "markdown", "--compare", "plan.json"), 64)
    assert not shop.inbox()


def test_plan_that_no_parser_takes(shop: Shop) -> None:
    """A plan with deep nesting or numbers of 5,000 digits is unreadable (5)."""
    for text in ("[" * 100_000, '{"format": ' + "9" * 5_000 + "}", '{"format": NaN}', "[]", "1"):
        shop.write("plan.json", text)
        _check(shop.run("apply", "plan.json"), 5)


@pytest.mark.parametrize(
    "results",
    [
        [{"chunks": [[EVIL, 0, "0" * 10]], "changes": {}}],
        [{"chunks": [["sale/vip", 0, EVIL]], "changes": {}}],
        [{"chunks": [["sale/vip", -1, "0" * 10]], "changes": {}}],
        [{"chunks": [["sale/vip", 0, "0" * 10]], "changes": {EVIL: 1}}],
        [{"chunks": [["sale/vip", 0, "0" * 10]], "changes": {"state": EVIL}}],
        [{"chunks": 1, "changes": {}}],
        [EVIL],
        EVIL,
    ],
)
def test_forged_rescue_file(sent: Shop, results: object) -> None:
    """`lock rescue FILE` refuses a forged file (64) and changes nothing."""
    before = sent.lock()
    rescue = {
        "format": "smsby-rescue",
        "project": "shop",
        "lineage": before["lineage"],
        "results": results,
    }
    sent.write("rescue.json", json.dumps(rescue))
    _check(sent.run("lock", "rescue", "rescue.json"), 64)
    assert sent.lock() == before


def test_holder_note_is_cleaned(sent: Shop) -> None:
    """The note on the lock's holder, which can be a file of the checkout, is cleaned before it is shown."""
    for holder in ({"command": EVIL, "pid": EVIL, "host": EVIL}, ["evil"], EVIL):
        sent.write("smsby.lock.json.holder", json.dumps(holder))
        done = sent.run("status")
        assert done.code == 0
        assert "".join((done.out + done.err).split("\n")).isprintable()


def test_nothing_unreadable_is_recorded(sent: Shop) -> None:
    """User input is recorded so that the next command can read it."""
    sent.fault(method="sendBulkSms", mode="reset", when="after", times=1)
    sent.write("sale.yaml", CAMPAIGN.replace("text: Hello", "text: Hello\n    revision: 2"))
    sent.run("apply", "--auto-approve")
    assert sent.run("lock", "move", "sale/vip", EVIL.strip("\x00")).code == 64
    assert sent.run("import", "sale/vip", "--message-id", "9" * 30).code == 64
    reason = "seen\x1b[2J\x9b" + "x" * 200_000
    assert sent.run("lock", "bind", "--reason", reason[:100_000]).code == 0
    for command in (["plan"], ["status"], ["lock", "list"]):
        assert sent.run(*command).code == 0, command


def test_forged_record_of_final_chunks(shop: Shop) -> None:
    """Counts that were written without the token are not trusted, and sms.by is asked."""
    shop.write("sale.yaml", CAMPAIGN)
    shop.settings(delay=0, fates={"375291234567": "UNDELIVERED"})
    assert shop.run("apply", "--auto-approve").code == 0
    record = shop.root / ".smsby/smsby.lock.json.status"
    assert shop.run("status", "--format", "json").json["mailings"][0]["undelivered"] == 1
    head, _, body = record.read_text().partition("\n")
    forged = body.replace("UNDELIVERED", "DELIVERED")
    checksum = hashlib.sha256(forged.encode()).hexdigest()
    for first in (head, checksum, f"smsby-status 1 {checksum}", ""):
        record.write_text(f"{first}\n{forged}")
        assert shop.run("status", "--format", "json").json["mailings"][0]["undelivered"] == 1
