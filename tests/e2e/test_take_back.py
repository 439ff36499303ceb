"""`lock withdraw` and `lock abandon`: what was not sent stays unsent until the revision is raised."""

from __future__ import annotations

import re
import signal

import pytest

from tests.e2e.campaigns import SCHEDULED
from tests.e2e.conftest import Shop
from tests.e2e.trial import PHONES, Case, lose_lock, received, start

_WITHDRAW = ("lock", "withdraw", "sale/vip", "--reason", "wrong price")


@pytest.fixture
def scheduled(shop: Shop) -> Shop:
    """A shop with one mailing that sms.by scheduled longer than reconcile_seconds ago."""
    shop.write("sale.yaml", SCHEDULED.format(text="Hi", revision=1))
    assert shop.run("apply", "--auto-approve").code == 0
    shop.wait_until(lambda: "moments ago" not in shop.run(*_WITHDRAW).err)
    return shop


def test_scheduled_mailing_is_withdrawn_once_it_is_deleted(scheduled: Shop) -> None:
    """A scheduled mailing can be withdrawn once it is deleted; after that only a raised revision is sent."""
    shop = scheduled
    refused = shop.run(*_WITHDRAW)
    assert refused.code == 4
    assert "sms.by still lists sale/vip, and will send it at 2036-12-01 10:00" in refused.err
    assert f"(id {shop.ids()[0]}) in the account" in " ".join(refused.err.split())
    shop.delete_all()
    assert "lock withdraw sale/vip" in shop.run("plan").out
    (status,) = shop.run("status", "--format", "json").json["mailings"]
    assert any(
        "sms.by does not list it" in note and "lock withdraw sale/vip" in note for note in status["notes"]
    )
    assert shop.run(*_WITHDRAW).code == 0

    plan = shop.run("plan", "--format", "json")
    assert plan.code == 4
    assert plan.json["actions"][0]["reason_code"] == "withdrawn"
    assert "(wrong price); to send it after all, raise `revision` to 2" in plan.json["actions"][0]["reason"]
    assert not [problem for problem in plan.json["problems"] if problem["code"] == "REMOTE_MISSING"]
    listed = shop.run("lock", "list").out
    assert "withdrawn sale/vip r1  2 recipients" in listed
    assert (listed.count("+03"), listed.count("UTC")) == (
        2,
        0,
    )  # the times it was applied and ended, as `status` shows them
    assert shop.lock()["mailings"]["sale/vip"]["ending"]["reason"] == "wrong price"
    status = shop.run("status", "--format", "json")
    assert status.code == 0
    assert (status.json["mailings"][0]["state"], status.json["mailings"][0]["other"]) == (
        "withdrawn",
        {"withdrawn": 2},
    )
    for form in ("text", "markdown", "html", "junit"):
        assert "wrong price" in shop.run("status", "--format", form).out, form
    assert shop.run("apply", "--auto-approve").code == 4
    assert not shop.inbox()

    shop.write("sale.yaml", SCHEDULED.format(text="Hi", revision=2))
    raised = shop.run("plan", "--format", "json")
    assert [(a["action"], a["reason"]) for a in raised.json["actions"]] == [("create", "revision 2")]
    assert not raised.json["problems"]
    assert shop.run("apply", "--auto-approve").code == 0
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == {
        "375291234567": 1,
        "375291234568": 1,
    }


def test_withdrawal_names_the_time_that_sms_by_has(shop: Shop) -> None:
    """If sms.by will send a mailing earlier than intended, its time is the deadline to delete it."""
    shop.settings(timezones={"schedule_time": "Asia/Tokyo"})
    shop.write("sale.yaml", SCHEDULED.format(text="Hi", revision=1))
    assert shop.run("apply", "--auto-approve").code == 0
    shop.wait_until(lambda: "moments ago" not in shop.run(*_WITHDRAW).err)
    assert "and will send it at 2036-12-01 04:00 +03" in shop.run(*_WITHDRAW).err
    shop.write("sale.yaml", SCHEDULED.format(text="Hello", revision=1))
    assert "accepted and will send at 2036-12-01 04:00 +03" in shop.run("plan").out


def test_withdrawal_anyway_does_not_read_the_list(scheduled: Shop) -> None:
    """`lock withdraw --anyway` does not ask for the list; plan and status warn as long as the mailing is listed."""
    shop = scheduled
    before = sum(call["method"] == "getSMSMessages" for call in shop.calls())
    assert shop.run("lock", "withdraw", "sale/vip", "--anyway").code == 0
    assert sum(call["method"] == "getSMSMessages" for call in shop.calls()) == before
    assert "but sms.by still lists it and will send it at 2036-12-01 10:00" in " ".join(
        shop.run("plan").out.split()
    )
    assert "messages in the list" in shop.run("status").out
    again = shop.run("lock", "withdraw", "sale/vip", "--anyway")
    assert again.code == 4
    assert re.search(
        r"already withdrawn by \S+ on \S+ \S+ \+03\n", again.err
    )  # in the time zone of the project


def test_withdrawn_record_can_be_moved_and_removed(scheduled: Shop) -> None:
    """Moving or removing a withdrawn record keeps or drops the decision with it."""
    shop = scheduled
    shop.delete_all()
    assert shop.run(*_WITHDRAW).code == 0
    assert shop.run("lock", "move", "sale/vip", "sale/gold").code == 0
    assert shop.lock()["mailings"]["sale/gold"]["state"] == "withdrawn"
    orphan = shop.run("plan", "--format", "json").json["actions"]
    assert [(one["address"], one["action"]) for one in orphan] == [
        ("sale/vip", "create"),
        ("sale/gold", "orphan"),
    ]
    assert shop.run("lock", "remove", "sale/gold").code == 0
    assert not shop.lock()["mailings"]


@pytest.mark.parametrize("via", ["bulk", "single"])
def test_abandoned_rest_is_never_sent(shop: Shop, via: str) -> None:
    """An abandoned mailing is over: no apply resumes it, and a raised revision is sent to all recipients."""
    case = Case(via, 3, plan_file=False)
    start(shop, case, "shop")
    shop.fault(method=case.method, nth=2, mode="429", when="before", retry_after="50")
    run = shop.start("apply", "--auto-approve")
    shop.wait_until(lambda: sum(call["method"] == case.method for call in shop.calls()) == 2)
    run.signal(signal.SIGTERM)
    assert run.finish(20).code == 6
    shop.clear_faults()
    got = sum(received(shop, "shop").values())
    done = shop.run("lock", "abandon", "sale/staff", "--reason", "wrong text")
    assert done.code == 0, done.err
    assert f"sms.by accepted it for {got} recipient" in " ".join(done.err.split())

    plan = shop.run("plan", "--format", "json")
    assert plan.code == 0
    assert plan.json["actions"][0]["action"] == "noop"
    assert plan.json["actions"][0]["reason"].startswith("abandoned by ")
    assert (
        f"(wrong text); sms.by accepted it for {got} of 5 recipients" in plan.json["problems"][0]["message"]
    )
    assert shop.run("apply", "--auto-approve").code == 0
    status = shop.run("status", "--format", "json")
    assert (status.code, status.json["mailings"][0]["state"]) == (0, "abandoned")
    assert status.json["mailings"][0]["other"] == {"not sent": 5 - got}
    assert sum(received(shop, "shop").values()) == got
    assert shop.run("lock", "abandon", "sale/staff").code == 4

    text = (shop.root / "sale.yaml").read_text("utf-8")
    shop.write("sale.yaml", text.replace("campaign: sale", "campaign: sale\nrevision: 2"))
    assert shop.run("apply", "--auto-approve").code == 0
    counts = received(shop, "shop")
    assert sum(counts.values()) == got + 5
    assert {key.split(":")[0] for key in counts} == set(PHONES[:5])


def test_abandoned_draft_says_what_to_delete(shop: Shop) -> None:
    """Abandoning a list mailing names its draft at sms.by, which could still be confirmed there."""
    start(shop, Case("list", 1, plan_file=False), "shop")
    shop.fault(
        method="confirmSendMessageByList", nth=2, mode="error", when="before", text="Insufficient funds"
    )
    assert shop.run("apply", "--auto-approve").code == 1
    (number,) = shop.ids()
    done = shop.run("lock", "abandon", "sale/letter0")
    assert done.code == 0, done.err
    assert f"warning: sale/letter0: delete its draft {number} in the account" in done.err
    assert shop.run("plan").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    assert not received(shop, "shop")


@pytest.mark.parametrize("command", ["withdraw", "abandon"])
def test_unknown_outcome_is_never_taken_back(shop: Shop, command: str) -> None:
    """An unknown outcome must be resolved (4) before the mailing can be withdrawn or abandoned; a held lock is 8."""
    case = Case("bulk", 2, plan_file=False)
    start(shop, case, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="502", when="before")
    assert shop.run("apply", "--auto-approve").code == 6
    refused = shop.run("lock", command, "sale/staff", *(["--anyway"] if command == "withdraw" else []))
    assert refused.code == 4
    assert "resolve it first: `smsby-deploy lock resolve sale/staff" in refused.err
    assert "ending" not in shop.lock()["mailings"]["sale/staff"]


@pytest.mark.parametrize("command", ["withdraw", "abandon"])
def test_decision_survives_a_crash_at_any_point(shop: Shop, command: str) -> None:
    """A killed command has recorded its decision or not; the lock stays readable, nothing is sent, and it can be repeated."""
    shop.write("sale.yaml", SCHEDULED.format(text="Hi", revision=1))
    if command == "withdraw":
        assert shop.run("apply", "--auto-approve").code == 0
    else:
        shop.fault(method="sendBulkSms", mode="error", when="before", text="No such alphaname")
        assert shop.run("apply", "--auto-approve").code == 1
    path = shop.root / "smsby.lock.json"
    before, endings = path.read_bytes(), []
    arguments = ("lock", command, "sale/vip", *(["--anyway"] if command == "withdraw" else []))
    state = {"withdraw": "withdrawn", "abandon": "abandoned"}[command]
    for k in range(1, 100):
        for leftover in shop.root.glob("smsby.lock.json*"):
            leftover.unlink()
        path.write_bytes(before)
        code = shop.run(*arguments, env={"SMSBY_FAULT": f"kill:{k}"}).code
        listed = shop.run("lock", "list")
        assert listed.code == 0, (k, listed.err)
        endings.append(listed.out.startswith(state))
        if code == 0:
            break
        assert shop.run(*arguments).code == (4 if endings[-1] else 0), k
        assert shop.run("lock", "list").out.startswith(state)
    assert k > 3
    assert endings == sorted(endings)  # a recorded decision stays
    assert endings[-1]
    assert len(shop.calls()) < 20


def test_recipients_of_an_abandoned_mailing_can_be_sent_to(shop: Shop) -> None:
    """The recipients who got an abandoned mailing and those who did not are two files, each usable as recipients."""
    case = Case("bulk", 3, plan_file=False)
    start(shop, case, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", when="before", text="Server is not available")
    assert shop.run("apply", "--auto-approve").code == 6
    assert shop.run("lock", "abandon", "sale/staff").code == 0
    shop.clear_faults()

    everyone = shop.run("recipients", "sale/staff")
    assert everyone.code == 0, everyone.err
    rows = [line.split(",") for line in everyone.out.splitlines()]
    assert rows[0] == ["phone", "outcome", "line"]
    assert [row[1] for row in rows[1:]] == ["accepted", "accepted", "rejected", "rejected", "not sent"]
    assert not any(phone in everyone.out for phone in PHONES)
    assert "5 recipients: 2 accepted, 1 not sent, 2 rejected" in everyone.err

    for option, name in (("--sent", "got.csv"), ("--not-sent", "rest.csv")):
        assert shop.run("recipients", "sale/staff", option, "--unmask", "--out", name).code == 0
        assert (shop.root / name).stat().st_mode & 0o777 == 0o600
    again = "".join(
        f"  - {{name: {name}, recipients: {{file: {name}.csv}}, text: {name} shop}}\n"
        for name in ("got", "rest")
    )
    shop.write("again.yaml", f"version: 1\ncampaign: again\nmailings:\n{again}")
    assert shop.run("apply", "--auto-approve").code == 0
    sent = {key for key in received(shop, "shop") if not key.endswith("Closed ")}
    assert sent == {f"{phone}: got " for phone in PHONES[:2]} | {f"{phone}: rest " for phone in PHONES[2:5]}


def test_recipients_says_what_it_cannot_list(shop: Shop) -> None:
    """Unknown recipients are in neither list; a changed text is an error (1) without a file, and both options are 64."""
    start(shop, Case("bulk", 3, plan_file=False), "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="502", when="before")
    assert shop.run("apply", "--auto-approve").code == 6
    both = [shop.run("recipients", "sale/staff", option) for option in ("--sent", "--not-sent")]
    assert [len(one.out.splitlines()) for one in both] == [3, 2]
    assert "unknown whether 2 recipients got it" in both[0].err
    shop.write("sale.yaml", (shop.root / "sale.yaml").read_text("utf-8").replace("Closed", "Open"))
    changed = shop.run("recipients", "sale/staff", "--out", "all.csv")
    assert changed.code == 1
    assert "1-3 of 3 chunks of sale/staff cannot be listed" in changed.err
    assert not (shop.root / "all.csv").exists()
    assert shop.run("recipients", "sale/staff", "--sent", "--not-sent").code == 64


@pytest.mark.parametrize(
    ("keys", "method"), [("", "sendBulkSms"), ("via: single, ", "sendSMS"), ("waits", "sendBulkSms")]
)
def test_recipients_asks_what_another_checkout_has_sent(keys: str, method: str, shop: Shop) -> None:
    """`recipients` refuses to list as unsent what another checkout sent; without a token it warns that it did not ask."""
    phones = ", ".join(f'"{phone}"' for phone in PHONES[:4])
    more = (
        keys
        if keys != "waits"
        else "schedule_time: 2036-12-01T10:00:00, release: {before: 1h, at_latest: 1m}, "
    )
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\nmailings:\n  - {{name: a, {more}recipients: [{phones}], text: Hi}}\n",
    )
    shop.write(
        "smsby.yaml", "version: 1\nproject: shop\napi: {recipients_per_request: 2, reconcile_seconds: 0.3}\n"
    )
    shop.fault(method=method, nth=2, mode="error", when="before", text="Server is not available")
    shop.run("apply", "--auto-approve")
    shop.clear_faults()
    path = shop.root / "smsby.lock.json"
    older = path.read_bytes()
    before = shop.run("recipients", "sale/a", "--not-sent")
    assert (before.code, len(before.out.splitlines()) > 1) == (0, True), before.err
    assert "warning" not in before.err

    if keys == "waits":
        shop.write(
            "sale.yaml",
            (shop.root / "sale.yaml").read_text().replace(", release: {before: 1h, at_latest: 1m}", ""),
        )
        path.unlink()
    assert shop.run("apply", "--auto-approve").code == 0
    path.write_bytes(older)
    for option in ([], ["--not-sent"]):
        refused = shop.run("recipients", "sale/a", *option, "--out", "list.csv")
        assert (refused.code, refused.out) == (4, "")
        assert "sms.by has more of sale/a than the lock: another checkout may have sent it" in refused.err
        assert not (shop.root / "list.csv").exists()
    assert shop.run("recipients", "sale/a", "--sent").code == 0
    offline = shop.run("recipients", "sale/a", "--not-sent", env={"SMSBY_TOKEN": ""})
    assert (offline.code, offline.out) == (0, before.out)
    assert "without a token, sms.by was not asked whether another checkout has sent more" in offline.err
    if keys != "waits":
        shop.run("apply", "--auto-approve")
        assert len(shop.run("recipients", "sale/a", "--not-sent").out.splitlines()) == 1


def test_recipients_lists_what_is_certain_after_a_lost_answer(shop: Shop) -> None:
    """A lost request that sms.by lists by now does not count as another checkout's."""
    start(shop, Case("bulk", 3, plan_file=False), "shop")
    shop.settings(list_lag=3600)
    shop.fault(method="sendBulkSms", nth=2, mode="reset", when="after")
    assert shop.run("apply", "--auto-approve").code == 6
    shop.settings(list_lag=0)
    counts = [
        len(shop.run("recipients", "sale/staff", *option).out.splitlines()) - 1
        for option in ([], ["--sent"], ["--not-sent"])
    ]
    assert counts == [5, 2, 1]


def test_recipients_refuses_a_list_that_does_not_fit(shop: Shop) -> None:
    """`recipients` refuses if sms.by lists other chunks of the mailing than the lock, or none of the accepted ones."""
    start(shop, Case("bulk", 3, plan_file=False), "shop")
    shop.fault(method="sendBulkSms", mode="error", when="before", text="Server is not available")
    assert shop.run("apply", "--auto-approve").code == 1
    shop.clear_faults()
    path, campaign = shop.root / "smsby.lock.json", (shop.root / "sale.yaml").read_text()
    later = campaign.replace("mailings:", "schedule_time: 2036-12-01T10:00:00\nmailings:")
    rejected = path.read_bytes()
    assert shop.run("recipients", "sale/staff").code == 0
    path.unlink()
    shop.write("sale.yaml", later)
    shop.fault(method="sendBulkSms", nth=2, mode="error", when="before", text="Server is not available")
    assert shop.run("apply", "--auto-approve").code == 6
    partial = path.read_bytes()
    shop.write("sale.yaml", campaign)
    path.write_bytes(rejected)
    assert "sms.by has more of sale/staff than the lock" in shop.run("recipients", "sale/staff").err

    shop.write("sale.yaml", later)
    path.write_bytes(partial)
    shop.delete_all()
    shop.wait_until(lambda: shop.run("recipients", "sale/staff").code == 4)
    assert "shows 0 of them; check the account" in shop.run("recipients", "sale/staff").err


@pytest.mark.parametrize("keys", ["", "upload: true, "])
def test_recipients_are_certain_whatever_opt_outs_there_are_now(keys: str, shop: Shop) -> None:
    """Exchanged opt-outs never make `recipients` list a phone as certain that is not."""
    phones = ", ".join(f'"{phone}"' for phone in PHONES[:2])
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\nmailings:\n  - {{name: a, {keys}recipients: [{phones}], text: Hi}}\n",
    )
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text("utf-8") + "suppress: [stop.csv]\n")
    shop.write("stop.csv", f"phone\n{PHONES[0]}\n")
    assert shop.run("apply", "--auto-approve").code == 0
    assert [*shop.inbox()] == [PHONES[1]]
    shop.write("stop.csv", f"phone\n{PHONES[1]}\n")
    whole = [line.split(",")[1] for line in shop.run("recipients", "sale/a").out.splitlines()[1:]]
    assert whole == (["unknown", "unknown"] if keys else ["not sent", "accepted"])

    lose_lock(shop)
    assert shop.run("apply", "--auto-approve").code == 0  # adopted: who had opted out is no longer known
    both = [shop.run("recipients", "sale/a", option).out.splitlines() for option in ("--sent", "--not-sent")]
    assert [len(lines) for lines in both] == [1, 1]
