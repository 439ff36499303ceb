"""Mailings with `via: single` with the real command: no phone gets a message twice, and no outcome is guessed."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import Any

import pytest
import requests

from tests.e2e.broken_requests import CODES, FAULTS, Fault, break_request, means_its_own, places, settle
from tests.e2e.conftest import Shop
from tests.e2e.trial import (
    PHONES,
    Case,
    adopt_after_losing_the_lock,
    apply,
    finish,
    lose_lock,
    planned_action,
    received,
    start,
    unknown,
)

THREE = Case("single", 2, plan_file=False)  # three recipients; the second has another text


def _phones(shop: Shop) -> str:
    """Return the states of the mailing's phones as letters, in the order they are sent to."""
    chunks = shop.lock()["mailings"]["sale/staff"]["chunks"]
    runs = [run.split(":") for chunk in chunks for run in chunk.get("rows", "").split()]
    return "".join(letter * int(count) for letter, count in runs)


def _call(shop: Shop, method: str, **params: Any) -> Any:
    """Call a method as another program with the same account would."""
    answer = requests.get(f"{shop.url}/api/v1/{method}", params={"token": "other", **params}, timeout=5)
    return answer.json()


def _recipients(*texts: str, text: str = "Closed shop", more: str = "") -> str:
    rows = ", ".join(
        f'"{phone}"' if own == "" else f'{{phone: "{phone}", text: {own}}}'
        for phone, own in zip(PHONES, texts, strict=False)
    )
    return (
        "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n"
        f"  - {{name: staff, via: single, recipients: [{rows}], text: {text}{more}}}\n"
    )


def test_single_makes_one_message_for_each_text(shop: Shop) -> None:
    """Recipients with equal texts share a message; the lock has its message_id, but no phone or sms_id."""
    shop.write("sale.yaml", _recipients("A", "", "A", "", "A"))
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert done.code == 0, done.err
    assert done.json["mailings"][0]["outcome"] == "sent"
    assert len(done.json["mailings"][0]["message_ids"]) == 2
    called = Counter(call["method"] for call in shop.calls())
    assert (called["createSmsMessage"], called["sendSMS"], called["sendBulkSms"]) == (2, 5, 0)
    got = {phone: [message["text"] for message in messages] for phone, messages in shop.inbox().items()}
    assert got == {phone: ["A" if n % 2 == 0 else "Closed shop"] for n, phone in enumerate(PHONES[:5])}
    text = (shop.root / "smsby.lock.json").read_text(encoding="utf-8")
    assert not any(phone in text for phone in PHONES)
    assert "sms_id" not in text
    assert "Closed" not in text
    assert _phones(shop) == "aaaaa"
    assert planned_action(shop)[0] == "noop"
    (status,) = shop.run("status", "--format", "json").json["mailings"]
    assert status["recipients"] == 5
    assert status["delivered"] + status["undelivered"] + status["sent"] + status["pending"] == 5


def test_single_message_has_the_schedule_time(shop: Shop) -> None:
    """The message has the schedule time on the account's clock, to the minute."""
    shop.write("sale.yaml", _recipients("", "", more=", schedule_time: 2027-03-01T10:00:00"))
    assert shop.run("apply", "--auto-approve").code == 0
    (call,) = [call for call in shop.calls() if call["method"] == "createSmsMessage"]
    assert call["params"]["time"] == "2027-03-01 10:00"
    assert call["params"]["alphaname_id"] == "1363"
    assert "REMOTE_DIFFERS" not in shop.run("plan").out


def test_single_leaves_out_opt_outs(shop: Shop) -> None:
    """Opt-outs get nothing, even if added after the review, and the mailing is complete without them."""
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [out.txt]\n")
    shop.write("out.txt", "phone\n")
    shop.write("sale.yaml", _recipients("", "", ""))
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.write("out.txt", f"phone\n{PHONES[1]}\n")
    assert shop.run("apply", "plan.json").code == 0
    assert sorted(shop.inbox()) == [PHONES[0], PHONES[2]]
    assert _phones(shop) == "asa"
    assert shop.lock()["mailings"]["sale/staff"]["chunks"][0]["recipients"] == 2
    assert planned_action(shop)[0] == "noop"


# A lagging list does not matter here: lost requests are looked up among the deliveries.
@pytest.mark.parametrize("fault", [f for f in FAULTS if "also" not in f.more], ids=str)
def test_broken_send_to_one_phone_is_not_repeated(shop: Shop, fault: Fault) -> None:
    """After one of three requests fails, each phone's state follows the outcome table; in the end each got one message."""
    for nth in places(fault):
        project = f"nth-{nth}"
        start(shop, THREE, project, **fault.api)
        break_request(shop, fault, "sendSMS", nth)
        done = apply(shop, THREE, {})
        assert done.code in CODES[fault.means], f"phone {nth}: {done.code}\n{done.err}"
        this = {"sent": "a", "unknown": "u", "rejected": "r"}[fault.means]
        if fault.means == "sent":
            assert _phones(shop) == "aaa"
        else:
            assert _phones(shop) == "a" * (nth - 1) + this + "p" * (3 - nth)
        # An error for an accepted request is noticed before any more of the mailing is sent.
        if fault.means == "rejected" and fault.when == "after":
            apply(shop, THREE, {})
            assert all(count == 1 for count in received(shop, project).values())
            for address in unknown(shop):
                assert shop.run("lock", "resolve", address, "--not-sent").code == 0
        settle(shop, THREE, project, done, took=fault.when == "after" and fault.means != "rejected")


@pytest.mark.parametrize(
    ("mode", "when"),
    [
        ("reset", "before"),
        ("reset", "after"),
        ("502", "before"),
        ("502", "after"),
        ("429", "before"),
        ("error", "before"),
    ],
)
def test_four_phones_in_flight_send_nothing_twice(shop: Shop, mode: str, when: str) -> None:
    """With several requests in flight each result is recorded for its own phone, in whatever order the answers come."""
    case = Case("single", 10, plan_file=False, concurrency=4)
    start(shop, case, "shop")
    more = {"retry_after": "0"} if mode == "429" else {}
    for nth in (2, 3, 7):
        shop.fault(method="sendSMS", nth=nth, mode=mode, when=when, **more)
    shop.fault(method="sendSMS", nth=1, times=case.recipients, mode="slow", when="after", seconds=0.1)
    done = apply(shop, case, {})
    taken = mode == "429" or when == "after"
    assert done.code == (0 if taken else 6), done.err
    letters = Counter(_phones(shop))
    assert letters["a"] == sum(received(shop, "shop").values())
    assert set(received(shop, "shop").values()) == {1}
    settle(shop, case, "shop", done, took=when == "after")


# Faults with the same meaning strike before or after the message is made, in turn.
_OF_CREATE = [
    fault
    for number, fault in enumerate(FAULTS)
    if "also" not in fault.more and (means_its_own(fault) or number % 2)
]


@pytest.mark.parametrize("fault", _OF_CREATE, ids=str)
def test_broken_create_message_is_repeated(shop: Shop, fault: Fault) -> None:
    """createSmsMessage sends nothing, so it is retried, and a message that was made despite the failure is used."""
    start(shop, THREE, "made", **fault.api)
    break_request(shop, fault, "createSmsMessage", 1)
    done = apply(shop, THREE, {})
    is_answer = fault.mode in ("error", "500")
    assert done.code == (1 if is_answer else 0), done.err
    if is_answer:
        assert shop.lock()["mailings"]["sale/staff"]["chunks"][0]["state"] == "rejected"
        assert not received(shop, "made")
    finish(shop, THREE, "made")
    assert set(received(shop, "made").values()) == {1}
    assert len(received(shop, "made")) == 3


def test_create_message_gives_up_after_a_long_retry_after(shop: Shop) -> None:
    """After a Retry-After of an hour createSmsMessage is not repeated and nothing is sent: exit code 7."""
    start(shop, THREE, "busy")
    shop.fault(method="createSmsMessage", mode="429", when="before", retry_after="3600", times=9)
    done = apply(shop, THREE, {})
    assert done.code == 7, done.err
    assert sum(call["method"] == "createSmsMessage" for call in shop.calls()) == 1
    assert not received(shop, "busy")
    shop.clear_faults()
    finish(shop, THREE, "busy")
    assert set(received(shop, "busy").values()) == {1}


def test_wrong_phone_does_not_stop_the_others(shop: Shop) -> None:
    """A wrong phone is reported by line, without its number; the others get the message, and opting it out completes it."""
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [out.txt]\n")
    shop.write("out.txt", "phone\n")
    shop.write("sale.yaml", _recipients("", "", ""))
    shop.fault(method="sendSMS", nth=2, mode="error", text="incorrect phone number")
    done = shop.run("apply", "--auto-approve")
    assert done.code == 6
    assert "line 5: incorrect phone number" in done.err
    assert PHONES[1] not in done.out + done.err
    assert _phones(shop) == "ara"
    (status,) = shop.run("status", "--format", "json").json["mailings"]
    assert (status["state"], status["other"], status["recipients"]) == ("partial", {"rejected": 1}, 3)
    shop.write("out.txt", f"phone\n{PHONES[1]}\n")
    assert shop.run("apply", "--auto-approve").code == 0
    assert sorted(shop.inbox()) == [PHONES[0], PHONES[2]]


def test_single_waits_for_moderation(shop: Shop) -> None:
    """While sms.by reports a message as `new`, nothing is sent; the next apply uses the same message."""
    shop.settings(moderation=True, moderation_delay=0.1)
    shop.write("sale.yaml", _recipients("", ""))
    assert shop.run("apply", "--auto-approve").code == 0
    shop.settings(moderation_delay=-1)
    shop.write("sale.yaml", _recipients("", "", text="Open", more=", revision: 2"))
    waited = shop.run("apply", "--auto-approve", "--format", "json")
    assert waited.code == 1
    assert "not approved" in waited.json["mailings"][0]["error"]
    assert {len(messages) for messages in shop.inbox().values()} == {1}
    assert _phones(shop) == "pp"
    number = shop.lock()["mailings"]["sale/staff"]["chunks"][0]["message_id"]
    made = sum(call["method"] == "createSmsMessage" for call in shop.calls())
    requests.post(f"{shop.url}/_sandbox/moderate", json={"message_id": number}, timeout=5).raise_for_status()
    assert shop.run("apply", "--auto-approve").code == 0
    assert {len(messages) for messages in shop.inbox().values()} == {2}
    assert sum(call["method"] == "createSmsMessage" for call in shop.calls()) == made


def test_refused_moderation_stops_the_mailing(shop: Shop) -> None:
    """If sendSMS answers `access denied`, the mailing is rejected and no other phone is tried."""
    shop.write("sale.yaml", _recipients("", ""))
    shop.fault(method="sendSMS", mode="error", status=403, text="access denied")
    assert shop.run("apply", "--auto-approve").code == 1
    assert _phones(shop) == "rp"
    assert shop.inbox() == {}
    assert shop.run("apply", "--auto-approve").code == 0


def test_foreign_deliveries_of_a_message_prove_nothing(shop: Shop) -> None:
    """A message's earlier deliveries prove nothing, so a lost sendSMS to such a phone stays unknown."""
    made = _call(shop, "createSmsMessage", message="Closed shop", alphaname_id=1363)
    assert "sms_id" in _call(shop, "sendSMS", message_id=made["message_id"], phone=PHONES[0])
    shop.write("sale.yaml", _recipients("", ""))
    shop.fault(method="sendSMS", nth=1, mode="reset", when="before")
    assert shop.run("apply", "--auto-approve").code == 6
    (chunk,) = shop.lock()["mailings"]["sale/staff"]["chunks"]
    assert (chunk["message_id"], chunk["baseline"], chunk["foreign"]) == (made["message_id"], "1:1 0:1", 1)
    assert chunk["rows"] == "u:1 p:1"
    assert len(shop.inbox()[PHONES[0]]) == 1
    assert shop.run("apply", "--auto-approve").code == 6
    assert shop.run("lock", "resolve", "sale/staff", "--not-sent").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == {PHONES[0]: 2, PHONES[1]: 1}
    (status,) = shop.run("status", "--format", "json").json["mailings"]
    assert (status["recipients"], status["other"]) == (2, {"not told apart": 2})


def test_new_delivery_of_a_used_message_is_found(shop: Shop) -> None:
    """One more delivery than before proves that the lost request arrived."""
    made = _call(shop, "createSmsMessage", message="Closed shop", alphaname_id=1363)
    _call(shop, "sendSMS", message_id=made["message_id"], phone=PHONES[0])
    shop.write("sale.yaml", _recipients("", ""))
    shop.fault(method="sendSMS", nth=1, mode="reset", when="after")
    assert shop.run("apply", "--auto-approve").code == 0
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == {PHONES[0]: 2, PHONES[1]: 1}


def test_message_of_another_sender_is_not_used(shop: Shop) -> None:
    """If sms.by answers with an existing message of another sender, that message is not used."""
    _call(shop, "createSmsMessage", message="Closed shop", alphaname_id=1364)
    # The account's alphanames are swapped, so the existing message has the other one.
    shop.settings(alphanames={"0": "System name (SMS.by)", "1363": "Kvetka", "1364": "MyShop"})
    shop.write("sale.yaml", _recipients(""))
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert (done.code, done.json["mailings"][0]["outcome"]) == (1, "rejected")
    assert "whose sender is Kvetka" in done.json["mailings"][0]["error"]
    assert shop.inbox() == {}


def test_existing_message_keeps_its_own_time(shop: Shop) -> None:
    """A scheduled mailing does not use an existing message without a time."""
    _call(shop, "createSmsMessage", message="Closed shop", alphaname_id=1363)
    shop.write("sale.yaml", _recipients("", more=", schedule_time: 2027-03-01T10:00:00"))
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert (done.code, done.json["mailings"][0]["outcome"]) == (1, "rejected")
    assert "change the text" in done.json["mailings"][0]["error"]
    assert shop.inbox() == {}


def test_existing_message_with_a_later_time_differs(shop: Shop) -> None:
    """If a message that no list shows was made with a time, apply, plan and status warn once the list shows it."""
    _call(shop, "createSmsMessage", message="Closed shop", alphaname_id=1363, time="2036-03-01 10:00")
    shop.write("sale.yaml", _recipients(""))
    words = "d_schedule: intended none, to be sent at once, sms.by reports 2036-03-01T10:00:00+03:00"
    for command in (("apply", "--auto-approve"), ("plan",), ("status",)):
        done = shop.run(*command)
        assert done.code == 0, done.err
        assert words in done.out + done.err, command


def test_raised_single_revision_sends_once_more(shop: Shop) -> None:
    """A raised revision uses the same message, and sends it once more, whatever its deliveries so far."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    text = (shop.root / "sale.yaml").read_text(encoding="utf-8")
    shop.write("sale.yaml", text.replace("via: single", "via: single, revision: 2"))
    shop.fault(method="sendSMS", nth=2, mode="reset", when="before")
    assert apply(shop, THREE, {}).code == 6
    assert _phones(shop) == "aup"
    finish(shop, THREE, "second")
    assert set(received(shop, "shop").values()) == {2}
    chunks = shop.lock()["mailings"]["sale/staff"]["chunks"]
    assert [chunk["baseline"] for chunk in chunks] == ["1:2", "1:1"]


def test_lost_single_lock_is_adopted_from_deliveries(shop: Shop) -> None:
    """If the lock is lost and every phone has a delivery, the mailing is adopted and nothing is sent."""
    adopt_after_losing_the_lock(shop, THREE)


@pytest.mark.parametrize("word", ["--sent", "--not-sent"])
def test_phone_without_delivery_is_unknown_after_lost_lock(shop: Shop, word: str) -> None:
    """If the lock is lost, phones without a delivery wait for the user's decision, and get at most one message."""
    case = Case("single", 3, plan_file=False)
    start(shop, case, "shop")
    shop.fault(method="sendSMS", nth=3, mode="error", text="limit exceeded")
    assert apply(shop, case, {}).code == 6
    lose_lock(shop)
    action, reason = planned_action(shop)
    assert (action, reason.split(":")[0]) == ("blocked", "unknown")
    assert apply(shop, case, {}).code == 6
    assert _phones(shop) == "aauuu"
    assert shop.run("lock", "resolve", "sale/staff", word).code == 0
    assert apply(shop, case, {}).code == 0
    counts = received(shop, "shop")
    assert set(counts.values()) == {1}
    assert len(counts) == (2 if word == "--sent" else 5)


def test_unlisted_message_is_in_doubt_after_lost_lock(shop: Shop) -> None:
    """If no list has the message's name, its deliveries may belong to this mailing, so nothing is sent."""
    shop.settings(list_messages="never")
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    lose_lock(shop)
    assert planned_action(shop)[0] == "create"
    done = apply(shop, THREE, {})
    assert done.code == 6, done.err
    assert set(received(shop, "shop").values()) == {1}
    assert shop.run("lock", "resolve", "sale/staff", "--sent").code == 0


def test_message_shared_with_an_unknown_mailing_waits(shop: Shop) -> None:
    """While a mailing is unknown, another one that shares its message waits, since it would hide the deliveries."""
    both = _recipients("", "") + _recipients("", "").split("mailings:\n")[1].replace("staff", "team")
    shop.write("sale.yaml", both)
    shop.fault(method="sendSMS", nth=1, mode="reset", when="before")
    assert shop.run("apply", "--auto-approve").code == 6
    assert shop.inbox() == {}
    assert shop.run("lock", "resolve", "sale/staff", "--not-sent").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    assert {len(messages) for messages in shop.inbox().values()} == {2}


def test_older_single_lock_is_not_trusted(shop: Shop) -> None:
    """If deliveries contradict an outdated lock, the phones that it calls unsent become unknown."""
    case = Case("single", 3, plan_file=False)
    start(shop, case, "shop")
    shop.fault(method="sendSMS", nth=2, mode="error", text="limit exceeded")
    assert apply(shop, case, {}).code == 6
    (action,) = shop.run("plan", "--format", "json").json["actions"]
    assert (action["action"], action["recipients"], action["parts"]) == ("resume", 4, 4)
    older = (shop.root / "smsby.lock.json").read_bytes()
    shop.fault(method="sendSMS", nth=3, mode="error", text="limit exceeded")
    assert apply(shop, case, {}).code == 6
    (shop.root / "smsby.lock.json").write_bytes(older)
    assert apply(shop, case, {}).code == 6
    assert _phones(shop) == "aaauu"
    assert set(received(shop, "shop").values()) == {1}


def test_single_send_from_another_checkout_stops(shop: Shop) -> None:
    """A checkout without the lock stops at the first delivery of another one, and the other phones are unknown."""
    start(shop, THREE, "shop")
    points = shop.root / "points"
    assert apply(shop, THREE, {"SMSBY_FAULT": f"count:{points}"}).code == 0
    names = [line.split()[1] for line in points.read_text().splitlines()]
    second = [n for n, name in enumerate(names, 1) if name == "http.before:sendSMS"][1]
    start(shop, THREE, "again")
    assert apply(shop, THREE, {"SMSBY_FAULT": f"kill:{second}"}).code == -signal.SIGKILL
    lose_lock(shop)
    assert apply(shop, THREE, {}).code == 6
    assert _phones(shop) == "auu"
    assert sum(received(shop, "again").values()) == 1


def test_single_mailing_has_a_size_limit(shop: Shop) -> None:
    """A single mailing of more than 10,000 recipients is an error in the files, and nothing is sent."""
    shop.write("many.csv", "phone\n" + "".join(f"37529{n:07}\n" for n in range(10_001)))
    shop.write("sale.yaml", _recipients("").replace(f'["{PHONES[0]}"]', "{file: many.csv}"))
    done = shop.run("validate", "--format", "json")
    assert (done.code, done.json["problems"][0]["code"]) == (3, "SINGLE_SIZE")


def test_single_lock_entry_stays_small(shop: Shop) -> None:
    """A text is one chunk in the lock, whose recipients' states are stored as run lengths."""
    shop.write("many.csv", "phone\n" + "".join(f"37529{n:07}\n" for n in range(300)))
    shop.write("sale.yaml", _recipients("").replace(f'["{PHONES[0]}"]', "{file: many.csv}"))
    assert shop.run("apply", "--auto-approve").code == 0
    (chunk,) = shop.lock()["mailings"]["sale/staff"]["chunks"]
    assert (chunk["rows"], chunk["recipients"], chunk["state"]) == ("a:300", 300, "accepted")
    assert len(json.dumps(chunk)) < 500


def test_changing_via_does_not_send_again(shop: Shop) -> None:
    """A bulk mailing that was sent is not sent again as `via: single`, with or without the lock."""
    shop.write("sale.yaml", _recipients("", "", "").replace("via: single, ", ""))
    assert shop.run("apply", "--auto-approve").code == 0
    shop.write("sale.yaml", _recipients("", "", ""))
    assert planned_action(shop)[0] == "noop"
    lose_lock(shop)
    assert planned_action(shop)[0] == "blocked"
    shop.run("apply", "--auto-approve")
    assert {len(messages) for messages in shop.inbox().values()} == {1}
