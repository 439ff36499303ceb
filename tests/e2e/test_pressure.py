"""No recipient gets more messages within a span than `guardrails.pressure` allows."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smsby_deploy.smsby.retry import READ_RETRIES
from tests.e2e.conftest import PROJECT, Result, Shop
from tests.e2e.forked import CLOCK_AHEAD
from tests.e2e.trial import PHONES

ANNA, BORIS, VERA, OLGA = PHONES[:4]
_SIX = PHONES[:6]


def _mailing(name: str, *phones: str, more: str = "") -> str:
    rows = ", ".join(f'"{phone}"' for phone in phones)
    return f"  - {{name: {name}, recipients: [{rows}], text: Hello from {name}{more}}}\n"


def _write(shop: Shop, *mailings: str, pressure: str = "{messages: 1, within: 7d, on_excess: drop}") -> None:
    shop.write("smsby.yaml", f"{PROJECT}guardrails: {{pressure: {pressure}}}\n")
    shop.write("sale.yaml", "version: 1\ncampaign: sale\nmailings:\n" + "".join(mailings))


def _action(result: Result, address: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in result.json["actions"] if one["address"] == address)
    return found


def _texts(shop: Shop) -> dict[str, list[str]]:
    return {phone: [one["text"] for one in messages] for phone, messages in shop.inbox().items()}


@pytest.fixture
def sent(shop: Shop) -> Shop:
    """A project whose mailing sale/one was sent to Anna and Boris."""
    _write(shop, _mailing("one", ANNA, BORIS))
    assert shop.run("apply", "--auto-approve").code == 0
    return shop


def test_capped_recipients_are_left_out(sent: Shop) -> None:
    """A recipient who already got a message does not get a second one; the others do."""
    _write(sent, _mailing("one", ANNA, BORIS), _mailing("two", BORIS, VERA, OLGA))
    planned = sent.run("plan", "--out", "plan.json", "--format", "json")
    two = _action(planned, "sale/two")
    assert (planned.code, two["action"], two["recipients"], two["parts"]) == (0, "create", 2, 2)
    assert two["audience"] == {
        "rows": 3,
        "invalid": 0,
        "duplicate": 0,
        "suppressed": 0,
        "capped": 1,
        "final": 2,
    }
    codes = {problem["code"] for problem in planned.json["problems"]}
    assert {"PRESSURE", "OVERLAP"} <= codes
    assert sent.run("apply", "plan.json").code == 0
    assert {phone: len(texts) for phone, texts in _texts(sent).items()} == {
        ANNA: 1,
        BORIS: 1,
        VERA: 1,
        OLGA: 1,
    }


def test_plan_counts_capped_recipients_even_if_there_are_none(shop: Shop) -> None:
    """With `pressure` the plan has the count of capped recipients even if it is 0, so the key is always present."""
    _write(shop, _mailing("one", ANNA, BORIS))
    assert _action(shop.run("plan", "--format", "json"), "sale/one")["audience"]["capped"] == 0
    shop.write("smsby.yaml", PROJECT)
    assert "capped" not in _action(shop.run("plan", "--format", "json"), "sale/one")["audience"]


def test_capped_recipients_are_left_out_phone_by_phone(sent: Shop) -> None:
    """Capped recipients of `via: single` are left out, and a mailing whose recipients are all capped sends nothing."""
    single = ", via: single"
    _write(sent, _mailing("two", BORIS, VERA, more=single), _mailing("zz", ANNA, BORIS, more=single))
    applied = sent.run("apply", "--auto-approve")
    assert applied.code == 0, applied.err
    assert {phone: len(texts) for phone, texts in _texts(sent).items()} == {ANNA: 1, BORIS: 1, VERA: 1}
    assert sent.run("plan").code == 0


def test_mailing_whose_recipients_are_all_capped(sent: Shop) -> None:
    """If all recipients are capped, the plan warns that the mailing reaches none of them, and gives that as its reason."""
    sent.write("stop.csv", f"phone\n{VERA}\n")
    _write(sent, _mailing("one", ANNA, BORIS), _mailing("two", ANNA, BORIS, VERA))
    sent.write("smsby.yaml", (sent.root / "smsby.yaml").read_text() + "suppress: [stop.csv]\n")
    planned = sent.run("plan", "--format", "json")
    two = _action(planned, "sale/two")
    why = (
        "all of its recipients (2) would get more than 1 message within 7d and are left out; nothing is sent"
    )
    assert (two["action"], two["recipients"], two["reason"]) == ("create", 0, why)
    (warning,) = [one for one in planned.json["problems"] if one["code"] == "ALL_SUPPRESSED"]
    assert (warning["severity"], warning["message"], warning["line"]) == ("warning", why, 5)
    assert "PRESSURE" not in {one["code"] for one in planned.json["problems"]}


def test_checkout_is_compared_without_what_is_capped(sent: Shop) -> None:
    """`--compare` measures both sides without contact pressure, so a cap is not reported as a change of the files."""
    _write(sent, _mailing("one", ANNA, BORIS), _mailing("two", BORIS, VERA, OLGA), _mailing("zz", ANNA))
    base = sent.root.parent / "base"
    shutil.copytree(sent.root, base)

    def changes() -> dict[str, str]:
        compared = sent.run("plan", "--compare", str(base), "--format", "markdown").out
        table = [line.split(" | ") for line in compared.splitlines() if line.startswith("| **sale/")]
        cost = compared.partition("**Cost ")[2].partition("**")[0]
        return {row[0].strip("| *"): row[-1].strip(" |") for row in table} | {"cost": cost}

    same = dict.fromkeys(("sale/one", "sale/two", "sale/zz"), "same")
    assert changes() == {**same, "cost": "0.052 BYN (0.000 compared with the base)"}
    more = _mailing("two", BORIS, VERA, *PHONES[3:6])
    _write(sent, _mailing("one", ANNA, BORIS), more, _mailing("zz", ANNA))
    cost = "0.104 BYN (+0.052 compared with the base)"
    assert changes() == {**same, "sale/two": "+2 recipients, +2 parts, +0.052 BYN", "cost": cost}


def test_excess_blocks(sent: Shop) -> None:
    _write(sent, _mailing("two", BORIS, VERA), pressure="{messages: 1, within: 7d}")
    planned = sent.run("plan", "--format", "json")
    two = _action(planned, "sale/two")
    assert (planned.code, two["action"], two["reason_code"]) == (4, "blocked", "guardrail")
    assert two["reason"] == "guardrail: pressure: 1 recipient would get more than 1 message within 7d"


def test_limit_is_counted(sent: Shop) -> None:
    """With two messages allowed, the second one is sent and the third is not."""
    limit = "{messages: 2, within: 7d}"
    _write(sent, _mailing("two", BORIS), pressure=limit)
    assert sent.run("apply", "--auto-approve").code == 0
    _write(sent, _mailing("three", BORIS), pressure=limit)
    assert sent.run("plan").code == 4


def test_mailings_of_one_plan_count(shop: Shop) -> None:
    """In one plan, a recipient of two mailings gets the first, or the one with the higher priority."""
    _write(shop, _mailing("a", ANNA, BORIS), _mailing("b", BORIS, VERA))
    planned = shop.run("plan", "--format", "json")
    assert [_action(planned, f"sale/{name}")["recipients"] for name in "ab"] == [2, 1]
    assert [one["code"] for one in planned.json["problems"]] == [
        "PRESSURE"
    ]  # no OVERLAP: the recipient of both is left out
    _write(shop, _mailing("a", ANNA, BORIS), _mailing("b", BORIS, VERA, more=", priority: 5"))
    planned = shop.run("plan", "--format", "json")
    assert [_action(planned, f"sale/{name}")["recipients"] for name in "ab"] == [1, 2]
    assert shop.run("apply", "--auto-approve").code == 0
    assert _texts(shop) == {ANNA: ["Hello from a"], BORIS: ["Hello from b"], VERA: ["Hello from b"]}


def test_warning_of_the_same_recipients_counts_them_alike(shop: Shop) -> None:
    """The warning about the same recipients counts all of them, even those left out under contact pressure."""
    _write(shop, _mailing("a", ANNA, BORIS), _mailing("b", BORIS, ANNA))
    problems = shop.run("plan", "--format", "json").json["problems"]
    warnings = [one["message"] for one in problems if one["code"] == "SAME_PEOPLE"]
    assert len(warnings) == 2
    assert all("2 recipients are in both" in one for one in warnings)


def _send_elsewhere(shop: Shop, phone: str) -> None:
    """Send a message without this project."""
    message = {
        "alphaname_id": "0",
        "name": "other",
        "message_type": "bulk",
        "text": "Hi",
        "delivery_list": [phone],
    }
    shop.write("other.json", json.dumps({"callback_url": "", "messages": [message]}))
    assert shop.run("api", "sendBulkSms", "--input", "other.json", "--yes").code == 0


@pytest.mark.parametrize("waits", [False, True])
def test_exchanged_capped_recipients_make_a_plan_stale(shop: Shop, waits: bool) -> None:
    """A plan or an approval does not hold if a capped recipient would now get the mailing and another is capped instead."""
    time = datetime.now(UTC) + timedelta(hours=10)  # noqa: TID251
    scheduled = f", schedule_time: '{time:%Y-%m-%dT%H:%M}:00+00:00'"
    release = f"{scheduled}, release: {{before: 5h, at_latest: 20m}}" if waits else ""
    _write(shop, _mailing("a", BORIS, more=scheduled), _mailing("b", BORIS, VERA, more=release))
    assert shop.run("apply", "--auto-approve", "--select", "sale/a").code == 0
    planned = shop.run("plan", "sale/b", "--out", "plan.json", "--format", "json")
    assert _action(planned, "sale/b")["audience"]["capped"] == 1
    if waits:
        assert shop.run("apply", "plan.json").code == 0
    shop.delete_all()
    # Withdrawing is refused until a list that lacks the mailing proves that it was deleted.
    shop.wait_until(lambda: shop.run("lock", "withdraw", "sale/a").code == 0)
    _send_elsewhere(shop, VERA)
    words, env = (("--due",), {CLOCK_AHEAD: "21600"}) if waits else (("plan.json",), {})
    refused = shop.run("apply", *words, env=env)
    assert refused.code == (4 if waits else 5)
    assert "left out under contact pressure" in refused.out + refused.err
    assert BORIS not in _texts(shop)


def test_other_mailings_of_the_account_count(shop: Shop) -> None:
    """Messages that other programs sent from the account count as well."""
    _send_elsewhere(shop, ANNA)
    _write(shop, _mailing("two", ANNA, VERA))
    planned = shop.run("plan", "--format", "json")
    assert _action(planned, "sale/two")["recipients"] == 1


def test_final_mailing_is_asked_about_once(sent: Shop) -> None:
    """A final mailing is asked about once: its recipients are cached as keyed hashes for the next plan."""
    _write(sent, _mailing("two", BORIS, VERA))
    assert sent.run("plan").code == 0
    asked = sum(call["method"] == "statusBulkSms" for call in sent.calls())
    assert asked == 1
    again = sent.run("plan", "--format", "json")
    assert _action(again, "sale/two")["recipients"] == 1
    assert sum(call["method"] == "statusBulkSms" for call in sent.calls()) == asked
    kept = sent.root / ".smsby" / "smsby.lock.json.contacts"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert BORIS not in kept.read_text("utf-8")


@pytest.mark.parametrize(
    "damage", [lambda text: text.replace("A", "B"), lambda text: "smsby-contacts 1 forged\n"]
)
def test_forged_cache_is_not_believed(sent: Shop, damage: Any) -> None:
    """A forged cache cannot cap a recipient or lift a cap."""
    _write(sent, _mailing("two", BORIS, VERA))
    sent.run("plan")
    kept = sent.root / ".smsby" / "smsby.lock.json.contacts"
    kept.write_text(damage(kept.read_text("utf-8")), "utf-8")
    assert _action(sent.run("plan", "--format", "json"), "sale/two")["recipients"] == 1


def test_unreported_recipients_block(sent: Shop) -> None:
    """The next mailing is blocked if the files changed and sms.by does not report yet who got the last one."""
    _write(sent, _mailing("one", ANNA, OLGA), _mailing("two", BORIS, VERA))
    sent.fault(method="statusBulkSms", mode="empty", times=10)
    planned = sent.run("plan", "--format", "json")
    two = _action(planned, "sale/two")
    assert (two["action"], two["reason_code"]) == ("blocked", "guardrail")
    assert "sms.by does not report yet who got or gets sale/one" in two["reason"]


@pytest.mark.parametrize("limit", [1, 9])
@pytest.mark.parametrize("mode", ["500", "error", "html", "reset"])
def test_unreadable_report_blocks(sent: Shop, mode: str, limit: int) -> None:
    """If the report of a mailing is unreadable, its recipients are not known from sms.by, and no more is sent."""
    pressure = f"{{messages: {limit}, within: 7d, on_excess: drop}}"
    _write(sent, _mailing("one", ANNA, BORIS), _mailing("two", BORIS, VERA), pressure=pressure)
    sent.fault(method="statusBulkSms", mode=mode, times=100)
    planned = sent.run("plan", "--format", "json")
    two = _action(planned, "sale/two")
    assert (planned.code, two["action"], two["reason_code"]) == (4, "blocked", "guardrail")
    assert "no usable answer about who got sale/one" in two["reason"]
    assert sent.run("apply", "--auto-approve").code == 4
    assert VERA not in sent.inbox()


def test_unanswered_question_is_the_last_one(sent: Shop) -> None:
    """If sms.by does not answer, it is not asked about the remaining requests of a long lock."""
    pressure = "{messages: 9, within: 7d}"
    _write(sent, _mailing("one", ANNA, BORIS), _mailing("two", ANNA), pressure=pressure)
    assert sent.run("apply", "--auto-approve").code == 0
    (sent.root / ".smsby" / "smsby.lock.json.contacts").unlink()
    _write(sent, _mailing("three", BORIS), pressure=pressure)
    sent.fault(method="statusBulkSms", mode="reset", times=READ_RETRIES.tries)
    assert _action(sent.run("plan", "--format", "json"), "sale/three")["reason_code"] == "guardrail"


@pytest.mark.parametrize("fault", [{"mode": "empty"}, {"mode": "error", "text": "not found"}])
def test_unreported_recipients_are_taken_from_the_files(sent: Shop, fault: dict[str, str]) -> None:
    """The recipients of a mailing that sms.by does not report yet are taken from the unchanged files."""
    _write(sent, _mailing("one", ANNA, BORIS), _mailing("two", BORIS, VERA))
    sent.fault(method="statusBulkSms", times=10, **fault)
    assert _action(sent.run("plan", "--format", "json"), "sale/two")["recipients"] == 1


def test_resumed_mailing_leaves_them_out_too(sent: Shop) -> None:
    """After a crash between two requests, the rest is not sent to recipients who are capped by now."""
    _write(sent, _mailing("two", VERA, OLGA, BORIS, PHONES[4]))
    sent.fault(method="sendBulkSms", mode="429", times=100, nth=2)
    assert sent.run("apply", "--auto-approve").code in (6, 7)
    sent.clear_faults()
    assert sent.run("apply", "--auto-approve").code == 0
    assert len(_texts(sent)[BORIS]) == 1
    assert len(_texts(sent)[PHONES[4]]) == 1


def test_hand_over_reaches_only_reviewed_recipients(shop: Shop) -> None:
    """A hand-over is refused if recipients who were capped at the approval would now get the mailing."""
    time = datetime.now(UTC) + timedelta(hours=10)  # noqa: TID251
    head = (
        f"\nschedule_time: {time:%Y-%m-%dT%H:%M}:00+00:00\nrelease: {{before: 5h, at_latest: 20m}}\nmailings:"
    )
    _write(shop, _mailing("a", ANNA, BORIS), _mailing("b", ANNA, BORIS, VERA))
    shop.write("sale.yaml", (shop.root / "sale.yaml").read_text().replace("\nmailings:", head))
    planned = shop.run("plan", "--format", "json", "--out", "plan.json").json["actions"]
    assert [one["recipients"] for one in planned] == [2, 1]
    assert shop.run("apply", "plan.json").code == 0
    shop.run("lock", "withdraw", "sale/a")
    planned_again = shop.run("plan", "sale/b", env={CLOCK_AHEAD: "21600"})
    done = shop.run("apply", "--due", env={CLOCK_AHEAD: "21600"})
    assert (done.code, _texts(shop)) == (4, {}), done.out
    assert "2 recipients were left out under contact pressure when it was approved" in done.out
    assert planned_again.code == 4, planned_again.out
    assert "2 recipients were left out under contact pressure when it was approved" in planned_again.out


@pytest.mark.parametrize(("on_excess", "code", "recipients"), [("drop", 0, 1), ("block", 4, 2)])
def test_plan_shows_what_a_hand_over_would_do(on_excess: str, code: int, recipients: int, shop: Shop) -> None:
    """plan shows what a hand-over would do, even if a recipient got another message since the approval."""
    time = datetime.now(UTC) + timedelta(hours=10)  # noqa: TID251
    limit = f"{{messages: 1, within: 7d, on_excess: {on_excess}}}"
    release = f", schedule_time: '{time:%Y-%m-%dT%H:%M}:00+00:00', release: {{before: 5h, at_latest: 20m}}"
    waiting = _mailing("b", ANNA, BORIS, more=release)
    _write(shop, waiting, pressure=limit)
    assert shop.run("apply", "--auto-approve").code == 0
    _write(shop, waiting, _mailing("c", ANNA, more=", priority: 5"), pressure="{messages: 9, within: 1h}")
    assert shop.run("apply", "--auto-approve", "--select", "sale/c").code == 0
    _write(shop, waiting, _mailing("d", BORIS, more=", priority: 5"), pressure=limit)
    later = {CLOCK_AHEAD: "21600"}
    due = _action(shop.run("plan", "--format", "json", env=later), "sale/b")
    assert (due["action"], due["recipients"]) == ("blocked" if code else "due", recipients)
    done = shop.run("apply", "--due", "--format", "json", env=later)
    (handed_over,) = done.json["mailings"]
    assert (done.code, handed_over["recipients"]) == (code, recipients), done.err
    assert not code or handed_over["error"] == due["reason"]


@pytest.mark.parametrize(
    ("others", "said"), [(5, "1 sent; 1 recipient, 0.026 BYN"), (6, "1 sent; 0 recipients, 0.000 BYN")]
)
def test_wave_costs_what_it_sends(shop: Shop, others: int, said: str) -> None:
    """The budget counts only the recipients that a later wave reaches, not those it leaves out."""
    more = ", waves: [{people: 2, after: 45m, delivered: 80}, rest]"
    _write(shop, _mailing("two", *_SIX, more=more))
    shop.settings(delay=0, fates=dict.fromkeys(_SIX, "DELIVERED"))
    assert shop.run("apply", "--auto-approve").code == 0
    first = _texts(shop)
    got_another = [*(phone for phone in _SIX if phone not in first), *first][: others - 2]
    shop.write("mate.yaml", "version: 1\ncampaign: mate\nmailings:\n" + _mailing("one", *got_another))
    shop.write("smsby.yaml", PROJECT)
    assert shop.run("apply", "--auto-approve", "--select", "mate/one").code == 0
    _write(shop, _mailing("two", *_SIX, more=more))
    done = shop.run("apply", "--due", env={CLOCK_AHEAD: "2760"})
    assert (done.code, said in done.out) == (0, True), done.out


def test_rehearsal_is_not_limited(sent: Shop) -> None:
    _write(sent, _mailing("two", BORIS, VERA), pressure="{messages: 1, within: 7d}")
    assert sent.run("--env", "sandbox", "apply", "--auto-approve").code == 0
    assert json.loads((sent.root / ".smsby/sandbox.lock.json").read_text("utf-8"))["mailings"]


@pytest.mark.parametrize("is_selected", [False, True])
def test_mailing_that_only_sms_by_knows_counts(sent: Shop, is_selected: bool) -> None:
    """Without the lock, mailings found at sms.by are adopted, and their recipients get no second message."""
    for path in sent.root.glob("smsby.lock.json*"):
        path.unlink()
    _write(sent, _mailing("one", ANNA, BORIS), _mailing("two", BORIS, VERA))
    select = ["--select", "sale/two"] if is_selected else []
    assert sent.run("apply", *select, "--auto-approve").code == 0
    assert {phone: len(texts) for phone, texts in _texts(sent).items()} == {ANNA: 1, BORIS: 1, VERA: 1}


def test_resumed_mailing_does_not_count_its_own_messages(sent: Shop) -> None:
    """A resumed mailing does not count its own first request, even if the lock was lost and only the list has it."""
    more = {"pressure": "{messages: 1, within: 7d}"}
    _write(sent, _mailing("two", VERA, OLGA, *PHONES[4:8]), **more)
    sent.fault(method="sendBulkSms", mode="429", times=100, nth=2)
    assert sent.run("apply", "--auto-approve").code in (6, 7)
    sent.clear_faults()
    for path in sent.root.glob("smsby.lock.json*"):
        path.unlink()
    reason = _action(sent.run("plan", "--format", "json"), "sale/two")["reason"]
    assert "pressure" not in reason


def test_draft_that_waits_for_its_confirmation_counts(sent: Shop) -> None:
    """The recipients of an unconfirmed draft count, since the next apply confirms it."""
    upload = "  - {name: up, upload: true, recipients: {file: up.csv}, text: Hello from up}\n"
    sent.write("up.csv", f"phone\n{VERA}\n{OLGA}\n")
    _write(sent, upload)
    sent.fault(method="confirmSendMessageByList", mode="500", times=20, when="before")
    assert sent.run("apply", "--auto-approve").code != 0
    sent.clear_faults()
    _write(sent, upload, _mailing("zz", VERA, PHONES[4]))
    planned = sent.run("plan", "--format", "json")
    assert _action(planned, "sale/up")["action"] == "confirm"
    assert _action(planned, "sale/zz")["recipients"] == 1


def test_span_is_counted_from_the_last_chunk(shop: Shop) -> None:
    """The span of a spread mailing is counted from its last chunk, which is sent hours after the first."""
    now = datetime.now(UTC)  # noqa: TID251  # the run has the real clock
    one = (now + timedelta(days=2)).replace(microsecond=0)
    two = one + timedelta(hours=12)

    def at(time: datetime) -> str:
        return f", schedule_time: '{time:%Y-%m-%dT%H:%M:%S}Z'"

    rest = _mailing("two", OLGA, PHONES[4], more=at(two))
    spread = _mailing("one", ANNA, BORIS, VERA, OLGA, more=f"{at(one)}, spread: {{over: 8h}}")
    limit = "{messages: 1, within: 10h, on_excess: drop}"
    _write(shop, spread, rest, pressure=limit)
    assert _action(shop.run("plan", "--format", "json"), "sale/two")["recipients"] == 1
    _write(shop, spread, pressure=limit)
    assert shop.run("apply", "--auto-approve").code == 0
    _write(shop, spread, rest, pressure=limit)
    assert _action(shop.run("plan", "--format", "json"), "sale/two")["recipients"] == 1


def test_recipients_names_who_got_the_rest_of_a_wave(shop: Shop) -> None:
    """`recipients` names who got the rest of a wave, even if opt-outs were exchanged and others capped before it was sent."""
    more = ", waves: [{people: 6, after: 45m, delivered: 80}, rest]"

    def write(opted_out: str) -> None:
        _write(shop, _mailing("two", *PHONES[:8], more=more))
        shop.write("smsby.yaml", f"{(shop.root / 'smsby.yaml').read_text('utf-8')}suppress: [out.csv]\n")
        shop.write("out.csv", f"phone\n{opted_out}\n")

    write(PHONES[6])
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="limit exceeded")
    assert shop.run("apply", "--auto-approve").code == 6
    shop.write("mate.yaml", "version: 1\ncampaign: mate\nmailings:\n" + _mailing("one", PHONES[2]))
    assert shop.run("apply", "--auto-approve", "--select", "mate/one").code == 0
    write(PHONES[3])
    assert shop.run("apply", "--auto-approve", "--select", "sale/two").code == 0
    got = {phone for phone, texts in _texts(shop).items() if "Hello from two" in texts}
    lists = [shop.run("recipients", "sale/two", which, "--unmask").out for which in ("--sent", "--not-sent")]
    certain, missed = ({line.split(",")[0] for line in text.splitlines()[1:]} for text in lists)
    assert {PHONES[6]} <= certain <= got
    assert {PHONES[3]} <= missed <= {*PHONES[:8]} - got
