"""`import` with the real command: a mailing that was sent elsewhere is recorded and never sent again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PROJECT, Result, Shop, running_sandbox
from tests.e2e.trial import PHONES

CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - {name: staff, recipients: [PHONES], text: Closed}
  - {name: other, recipients: ["375297777777"], text: Open}
"""


def _write(shop: Shop, recipients: int = 2) -> None:
    phones = ", ".join(f'"{phone}"' for phone in PHONES[:recipients])
    shop.write("sale.yaml", CAMPAIGN.replace("PHONES", phones))


def _send_elsewhere(shop: Shop, *names: str) -> tuple[str, list[int]]:
    """Send one mailing to two recipients for each name, as another program; return the request's uuid and message ids."""
    messages = [
        {
            "alphaname_id": "0",
            "name": name,
            "message_type": "bulk",
            "text": "Closed",
            "delivery_list": PHONES[:2],
        }
        for name in names
    ]
    shop.write("request.json", json.dumps({"messages": messages}))
    uuid = shop.run("api", "sendBulkSms", "--input", "request.json", "--yes").json["uuid"]
    shown = shop.run("api", "statusBulkSms", f"uuid={uuid}").json
    return uuid, [mailing["message_id"] for mailing in shown]


def _actions(shop: Shop) -> dict[str, Any]:
    return {a["address"]: a for a in shop.run("plan", "--format", "json").json["actions"]}


def _import(shop: Shop, *options: str) -> Result:
    before = sum(map(len, shop.inbox().values()))
    done = shop.run("import", "sale/staff", *options)
    assert sum(map(len, shop.inbox().values())) == before
    return done


@pytest.mark.parametrize("by", ["--message-id", "--uuid"])
def test_imported_mailing_is_not_sent(shop: Shop, by: str) -> None:
    """An imported mailing is recorded as planned, with user, time and reason; the plan says noop, and status finds it."""
    _write(shop)
    uuid, (number,) = _send_elsewhere(shop, "manually")
    planned = _actions(shop)["sale/staff"]
    assert _import(shop, by, uuid if by == "--uuid" else str(number), "--reason", "sent manually").code == 0
    entry = shop.lock()["mailings"]["sale/staff"]
    assert (entry["state"], entry["content_digest"]) == ("complete", planned["content_digest"])
    assert entry["audience_digest"] == planned["audience_digest"]
    (chunk,) = entry["chunks"]
    assert (chunk["fingerprint"], chunk["digest"]) == tuple(
        planned["chunks"][0][key] for key in ("fingerprint", "digest")
    )
    assert chunk["message_id"] == number
    resolution = shop.lock()["resolutions"][-1]
    assert (resolution["address"], resolution["reason"]) == ("sale/staff", "sent manually")
    assert resolution["by"]
    assert _actions(shop)["sale/staff"]["action"] == "noop"
    assert shop.run("apply", "--select", "sale/staff", "--auto-approve").code == 0
    assert [len(shop.inbox()[phone]) for phone in PHONES[:2]] == [1, 1]
    (shown,) = shop.run("status", "sale/staff", "--format", "json").json["mailings"]
    assert (shown["recipients"], sum(shown[k] for k in ("delivered", "undelivered", "sent", "pending"))) == (
        2,
        2,
    )


def test_one_imported_message_covers_several_chunks(shop: Shop) -> None:
    """One imported message that covers three planned chunks completes all of them, and the counts of status add up."""
    _write(shop, recipients=5)
    _, (number,) = _send_elsewhere(shop, "manually")
    done = _import(shop, "--message-id", str(number))
    assert done.code == 0
    assert "count_phones: intended 5, sms.by reports 2" in done.err
    assert len(shop.lock()["mailings"]["sale/staff"]["chunks"]) == 3
    assert _actions(shop)["sale/staff"]["action"] == "noop"
    (shown,) = shop.run("status", "sale/staff", "--format", "json").json["mailings"]
    assert (shown["recipients"], shown["other"]) == (5, {"not taken": 3})


def test_import_settles_a_collision(shop: Shop) -> None:
    """Importing a collision after a lost lock and a changed text requires all messages of the mailing."""
    _write(shop, recipients=3)
    assert shop.run("apply", "--auto-approve", "--select", "sale/staff").code == 0
    ours = [row["id"] for row in shop.run("api", "getSMSMessages").json["data"]]
    (shop.root / "smsby.lock.json").unlink()
    text = (shop.root / "sale.yaml").read_text(encoding="utf-8")
    shop.write("sale.yaml", text.replace("Closed", "Closed!"))
    reason = _actions(shop)["sale/staff"]["reason"]
    assert reason.startswith("collision")
    named = " ".join(f"--message-id {number}" for number in ours)
    assert f"smsby-deploy import sale/staff {named}" in reason
    part = _import(shop, "--message-id", str(ours[0]))
    assert part.code == 4
    assert "1 of its 2 messages are missing" in part.err
    assert _import(shop, *(word for number in ours for word in ("--message-id", str(number)))).code == 0
    assert _actions(shop)["sale/staff"]["action"] == "noop"
    (shown,) = shop.run("status", "sale/staff", "--format", "json").json["mailings"]
    assert shown["recipients"] == 3


def test_import_in_another_environment_reads_the_names(shop: Shop) -> None:
    """The names of another environment show as well that a message is a part, or of another mailing."""
    _write(shop, recipients=3)
    test = {"SMSBY_ENV": "test"}
    shop.write("smsby.yaml", f"{PROJECT}environments: {{test: {{lock: test.lock.json}}}}\n")
    assert shop.run("apply", "--auto-approve", "--select", "sale/staff", env=test).code == 0
    (shop.root / "test.lock.json").unlink()
    for address, said in (
        ("sale/staff", "1 of its 2 messages are missing"),
        ("sale/other", "belongs to sale/staff"),
    ):
        done = shop.run("import", address, "--message-id", str(shop.ids()[0]), env=test)
        assert (done.code, said in done.err) == (4, True)


def test_import_does_not_replace_a_sent_mailing(shop: Shop) -> None:
    """A complete mailing is not replaced, and the lock stays as it is."""
    _write(shop)
    assert shop.run("apply", "--auto-approve", "--select", "sale/staff").code == 0
    before = (shop.root / "smsby.lock.json").read_bytes()
    _, (number,) = _send_elsewhere(shop, "manually")
    again = _import(shop, "--message-id", str(number))
    assert (again.code, "already recorded (complete)" in again.err) == (4, True)
    assert (shop.root / "smsby.lock.json").read_bytes() == before


def test_import_does_not_replace_an_unknown_mailing(shop: Shop) -> None:
    """An unknown mailing cannot be imported: its outcome must be settled with `lock resolve`."""
    _write(shop)
    shop.fault(method="sendBulkSms", mode="reset", when="before")
    assert shop.run("apply", "--auto-approve", "--select", "sale/staff").code == 6
    _, (number,) = _send_elsewhere(shop, "manually")
    refused = _import(shop, "--message-id", str(number))
    assert (refused.code, "lock resolve sale/staff" in refused.err) == (4, True)


def test_import_replaces_a_rejected_mailing(shop: Shop) -> None:
    """A mailing that was rejected and then sent manually can be imported."""
    _write(shop)
    shop.fault(method="sendBulkSms", mode="error", when="before")
    assert shop.run("apply", "--auto-approve", "--select", "sale/staff").code == 1
    _, (number,) = _send_elsewhere(shop, "manually")
    assert _import(shop, "--message-id", str(number)).code == 0
    assert _actions(shop)["sale/staff"]["action"] == "noop"


@pytest.mark.parametrize("by", [["--message-id", "99"], ["--uuid", "cc9c8043-8caf-11ef-b035-9e8f47954dec"]])
def test_import_needs_a_message_that_sms_by_knows(shop: Shop, by: list[str]) -> None:
    """An unknown message or request is refused, and no lock is written."""
    _write(shop)
    assert _import(shop, *by).code == 4
    assert not (shop.root / "smsby.lock.json").exists()


@pytest.mark.parametrize("cut", [0, 5])
@pytest.mark.parametrize("by", ["--message-id", "--uuid"])
def test_import_refuses_a_message_of_another_mailing(shop: Shop, by: str, cut: int) -> None:
    """A message of another mailing is refused, recognized by the fingerprint in its name or the recorded request."""
    _write(shop)
    shop.settings(name_limit=cut)
    assert shop.run("apply", "--auto-approve", "--select", "sale/other").code == 0
    (chunk,) = shop.lock()["mailings"]["sale/other"]["chunks"]
    number = shop.run("api", "getSMSMessages").json["data"][0]["id"]
    refused = _import(shop, by, chunk["uuid"] if by == "--uuid" else str(number))
    assert (refused.code, "sale/other" in refused.err) == (4, True)
    assert "sale/staff" not in shop.lock()["mailings"]


def test_import_takes_a_message_once(shop: Shop) -> None:
    """A message recorded for one mailing is refused for another."""
    _write(shop)
    _, (number,) = _send_elsewhere(shop, "manually")
    assert shop.run("import", "sale/other", "--message-id", str(number)).code == 0
    refused = _import(shop, "--message-id", str(number))
    assert (refused.code, f"{number} is already recorded for sale/other" in refused.err) == (4, True)


def test_removal_of_an_imported_mailing_warns(shop: Shop) -> None:
    """Removing an imported mailing warns that it cannot be found again, as sms.by has another name for it."""
    _write(shop)
    _, (number,) = _send_elsewhere(shop, "manually")
    assert _import(shop, "--message-id", str(number)).code == 0
    removed = shop.run("lock", "remove", "sale/staff")
    assert (removed.code, "then the next apply sends it again" in removed.err) == (0, True)
    assert _actions(shop)["sale/staff"]["action"] == "create"
    assert shop.run("apply", "--auto-approve", "--select", "sale/other").code == 0
    removed = shop.run("lock", "remove", "sale/other")
    assert (removed.code, "sends it again" in removed.err) == (0, False)
    assert _actions(shop)["sale/other"]["action"] == "adopt"


def test_import_does_not_guess_among_messages(shop: Shop) -> None:
    """A request with several foreign messages is wrong usage, and the error lists their ids."""
    _write(shop)
    uuid, (first, second) = _send_elsewhere(shop, "manually", "another")
    unclear = _import(shop, "--uuid", uuid)
    assert (unclear.code, f"one of {first}, {second}" in unclear.err) == (64, True)
    assert _import(shop, "--message-id", str(second)).code == 0


def test_imported_list_has_the_count_of_sms_by(shop: Shop) -> None:
    """An imported list mailing gets the recipient count that sms.by reports."""
    shop.write(
        "sale.yaml",
        "version: 1\ncampaign: sale\nmailings:\n  - {name: staff, list: Newsletter, text: News}\n",
    )
    fields = ["name=x", "message=News", "d_schedule=2020-01-01 10:00", "list_id=3434", "alphaname_id=0"]
    number = shop.run("api", "sendSmsList", *fields, "--yes").json["result"]["message_id"]
    confirm = ["confirmSendMessageByList", f"message_id={number}", "confirm=1", "--yes"]
    assert shop.run("api", *confirm).code == 0
    assert _import(shop, "--message-id", str(number)).code == 0
    assert shop.lock()["mailings"]["sale/staff"]["recipients"] == 25
    assert _actions(shop)["sale/staff"]["action"] == "noop"


def test_import_of_a_later_revision_keeps_the_earlier(shop: Shop) -> None:
    """Importing a later revision keeps the record of the earlier one, whose message is not accepted again."""
    _write(shop)
    assert shop.run("apply", "--auto-approve", "--select", "sale/staff").code == 0
    first = shop.run("api", "getSMSMessages").json["data"][0]["id"]
    text = (shop.root / "sale.yaml").read_text(encoding="utf-8")
    shop.write("sale.yaml", text.replace("name: staff", "name: staff, revision: 2"))
    refused = _import(shop, "--message-id", str(first))
    assert (refused.code, "sale/staff" in refused.err) == (4, True)
    _, (number,) = _send_elsewhere(shop, "manually")
    assert _import(shop, "--message-id", str(number)).code == 0
    entry = shop.lock()["mailings"]["sale/staff"]
    assert (entry["revision"], [old["revision"] for old in entry["earlier"]]) == (2, [1])
    assert _actions(shop)["sale/staff"]["action"] == "noop"


def test_crash_leaves_an_import_done_or_not(shop: Shop) -> None:
    """After a crash at any fault point, a repeated import records the mailing once, and nothing is sent."""
    _write(shop)
    _, (number,) = _send_elsewhere(shop, "manually")
    arguments = ("import", "sale/staff", "--message-id", str(number))
    for point in range(1, 100):
        (shop.root / "smsby.lock.json").unlink(missing_ok=True)
        code = shop.run(*arguments, env={"SMSBY_FAULT": f"kill:{point}"}).code
        if code == 0:
            break
        again = shop.run(*arguments)
        assert again.code == 0 or "already recorded (complete)" in again.err, point
        assert _actions(shop)["sale/staff"]["action"] == "noop", point
    assert point > 5
    assert [len(messages) for messages in shop.inbox().values()] == [1, 1]


def test_import_refuses_a_draft(shop: Shop) -> None:
    """A draft cannot be imported: none of it was sent, and its text was not reviewed."""
    _write(shop)
    fields = ["name=x", "message=hi", "d_schedule=2030-01-01 10:00", "list_id=3434", "alphaname_id=0"]
    draft = shop.run("api", "sendSmsList", *fields, "--yes").json["result"]["message_id"]
    refused = _import(shop, "--message-id", str(draft))
    assert (refused.code, "draft" in refused.err) == (4, True)


def test_import_finds_an_unlisted_message(shop: Shop) -> None:
    """A createSmsMessage message is found by its deliveries; one without deliveries is refused."""
    _write(shop)
    shop.settings(list_messages="never")
    made = shop.run("api", "createSmsMessage", "message=Closed", "alphaname_id=0", "--yes").json["message_id"]
    assert _import(shop, "--message-id", str(made)).code == 4
    assert shop.run("api", "sendSMS", f"message_id={made}", f"phone={PHONES[0]}", "--yes").code == 0
    assert _import(shop, "--message-id", str(made)).code == 0


def test_import_refuses_wrong_usage(shop: Shop) -> None:
    """Missing, contradictory or misspelled arguments are wrong usage, and invalid files are reported first."""
    _write(shop)
    assert shop.run("import", "sale/staff").code == 64
    assert shop.run("import", "sale/staff", "--message-id", "1", "--uuid", "u").code == 64
    missing = shop.run("import", "sale/stuff", "--message-id", "1")
    assert (missing.code, "did you mean sale/staff" in missing.err) == (64, True)
    shop.write("sale.yaml", CAMPAIGN.replace("PHONES", '"12"'))
    assert shop.run("import", "sale/staff", "--message-id", "1").code == 3


def test_import_records_where_the_lock_belongs(shop: Shop, tmp_path: Path) -> None:
    """The first import binds the lock to its service, and a lock of another service is refused before any request."""
    _write(shop)
    _, numbers = _send_elsewhere(shop, "manually")
    assert _import(shop, "--message-id", str(numbers[0])).code == 0
    lock = shop.lock()
    assert (lock["environment"], lock["service"]) == ("production", shop.url)
    assert lock["account"]
    folder = tmp_path / "other"
    folder.mkdir()
    with running_sandbox(folder) as url:
        env = {"SMSBY_API_URL": url}
        refused = shop.run("import", "sale/other", "--message-id", "1", env=env)
        assert (refused.code, shop.url in refused.err, url in refused.err) == (4, True, True), refused.err
    assert shop.lock() == lock


def test_import_refuses_another_account(shop: Shop) -> None:
    """A token whose list shows none of our mailings is refused; a new token of the same account is recorded."""
    _write(shop)
    _, numbers = _send_elsewhere(shop, "manually", "again")
    assert _import(shop, "--message-id", str(numbers[0])).code == 0
    account = shop.lock()["account"]
    again = ("import", "sale/other", "--message-id", str(numbers[1]))
    assert shop.run(*again, env={"SMSBY_TOKEN": "replaced"}).code == 0
    assert shop.lock()["account"] not in (account, None)
    shop.reset()
    refused = shop.run("import", "sale/other", "--message-id", "1")
    assert (refused.code, "lock bind" in refused.err) == (4, True), refused.err
