"""Recipients, opt-outs and guardrails with the real command: realistic files, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.lock.serialization import read_lock, write_lock
from tests.e2e.campaigns import FROM_A_FILE, TO_A_LIST
from tests.e2e.conftest import Shop


def _bytes(shop: Shop, name: str, content: bytes) -> None:
    path = shop.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_excel_list_is_sent_as_it_reads(shop: Shop) -> None:
    """A cp1251 file with semicolons, CRLF, blank lines and a header in capitals works; validate -v says how it was read."""
    text = "PHONE;Name;\r\n+375 (29) 111-11-11;Анна;\r\n8 033 222-22-22;Борис;\r\n;;\r\n\r\n"
    _bytes(shop, "lists/vip.csv", text.encode("cp1251"))
    shop.write("sale.yaml", FROM_A_FILE)
    shown = shop.run("validate", "-v")
    assert shown.code == 0, shown.out
    assert "lists/vip.csv: read as csv, cp1251, delimiter ';'" in shown.err
    assert shop.run("-v", "validate").err == shown.err
    assert shop.run("validate").err == ""
    assert shop.run("apply", "--auto-approve").code == 0
    inbox = {phone: [m["text"] for m in messages] for phone, messages in shop.inbox().items()}
    assert inbox == {"375291111111": ["Анна, hello"], "375332222222": ["Борис, hello"]}


def test_only_the_first_twenty_bad_rows_are_shown(shop: Shop) -> None:
    """The first twenty bad rows are shown and the rest counted; JSON has all, and with `drop` the plan counts them."""
    rows = "".join(f"{number},x\n" for number in range(30))
    shop.write("lists/vip.csv", f"phone,name\n{rows}375291111111,Anna\n80291111111,Olga\n")
    shop.write("sale.yaml", FROM_A_FILE)
    shown = shop.run("validate")
    assert shown.code == 3
    assert shown.out.count("error PHONE") == 21
    assert (
        "lists/vip.csv:21:1: error PHONE sale/vip: only 2 digits; a phone number has at least 7" in shown.out
    )
    assert (
        "lists/vip.csv: error PHONE sale/vip: 10 more like these; use --format json to list them all"
        in shown.out
    )
    problems = shop.run("validate", "--format", "json").json["problems"]
    assert [p["line"] for p in problems if p["code"] == "PHONE"] == list(range(2, 32))
    shop.write("sale.yaml", FROM_A_FILE + "    on_invalid: drop\n")
    planned = shop.run("plan")
    assert planned.code == 0
    assert "32 rows, 30 invalid, 1 duplicate → 1 recipient" in planned.out
    found = {p["code"]: p for p in shop.run("plan", "--format", "json").json["problems"]}
    assert (found["DUPLICATE"]["severity"], found["DUPLICATE_DIFFERS"]["severity"]) == ("note", "warning")
    assert found["DUPLICATE_DIFFERS"]["line"] == 33


def test_late_opt_out_is_honored_and_reported(shop: Shop) -> None:
    """A recipient added to the opt-outs after the plan gets no message; the plan stays valid and the result reports it."""
    shop.write("lists/out.txt", "")
    settings = (shop.root / "smsby.yaml").read_text() + "suppress: [lists/out.txt]\n"
    shop.write("smsby.yaml", settings)
    shop.write("lists/vip.csv", "phone,name\n375291111111,Anna\n375332222222,Boris\n")
    held_back = (
        FROM_A_FILE[FROM_A_FILE.index("  - name") :].replace("vip", "all", 1)
        + "    expect_recipients: {min: 9}\n"
    )
    shop.write("sale.yaml", FROM_A_FILE + held_back)
    assert shop.run("plan", "--out", "plan.json").code == 4
    shop.write("lists/out.txt", "8 (033) 222-22-22\n")
    applied = shop.run("apply", "plan.json", "--auto-approve")
    assert applied.code == 4, applied.err
    assert "1 recipient opted out since this plan was made" in applied.err
    assert set(shop.inbox()) == {"375291111111"}


@pytest.mark.parametrize(
    "text",
    [
        "text: Hi",
        'text: "{{ phone }}"',
        'text: "{{ phone }}"\n    via: single',
        "text: Hi\n    via: single",
        "text: Hi\n    upload: true",
    ],
)
@pytest.mark.parametrize(
    "out", [["375291111111", "375291111112"], ["375291111111", "375291111112", "375291111113"]]
)
def test_chunk_of_late_opt_outs_is_done_without_a_request(shop: Shop, text: str, out: list[str]) -> None:
    """A chunk of late opt-outs alone needs no request, by any transport; the lock counts only the other recipients."""
    everyone = ["375291111111", "375291111112", "375291111113"]
    shop.write("out.txt", "")
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [out.txt]\n")
    shop.write(
        "sale.yaml",
        FROM_A_FILE[: FROM_A_FILE.index("    recip")] + f"    recipients: {everyone}\n    {text}\n",
    )
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.write("out.txt", "\n".join(out))
    applied = shop.run("apply", "plan.json")
    assert applied.code == 0, applied.err
    assert f"{len(out)} recipients opted out since this plan was made" in applied.err
    left = set(everyone) - set(out)
    assert set(shop.inbox()) == left
    entry = shop.lock()["mailings"]["sale/vip"]
    cost = {0: "0.00", 1: "0.026"}[len(left)]
    assert (entry["state"], entry["recipients"], entry["parts"], entry["cost"]) == (
        "complete",
        len(left),
        len(left),
        cost,
    )
    again = shop.run("plan", "--format", "json").json
    assert [action["action"] for action in again["actions"]] == ["noop"]


def test_guardrail_refuses_with_key_figure_and_limit(shop: Shop) -> None:
    """A broken guardrail stops plan and apply with exit code 4; once its limit is raised the mailing is sent."""
    base = (shop.root / "smsby.yaml").read_text()
    shop.write("lists/vip.csv", "phone,name\n375291111111,Anna\n375332222222,Boris\n")
    shop.write("sale.yaml", FROM_A_FILE)
    for rail, sentence in (
        (
            "budget: 0.05",
            "budget: 0.052 planned and 0.00 spent this month make 0.052, the limit is 0.05",
        ),
        ("expect_recipients: {max: 1}", "expect_recipients: 2 recipients, expected at most 1"),
        ("allowed_alphanames: [MyShop]", "allowed_alphanames: the sender is 0, allowed are MyShop"),
        ("forbidden_words: [boris]", "forbidden_words: `boris` occurs in 1 text, the limit is 0"),
    ):
        shop.write("smsby.yaml", f"{base}guardrails: {{{rail}}}\n")
        planned = shop.run("plan", "--format", "json")
        assert planned.code == 4
        assert planned.json["actions"][0]["reason"] == f"guardrail: {sentence}"
        applied = shop.run("apply", "--auto-approve", "--format", "json")
        assert applied.code == 4
        assert sentence in applied.json["mailings"][0]["error"]
    assert shop.inbox() == {}
    shop.write("smsby.yaml", f"{base}guardrails: {{budget: 0.06}}\n")
    assert shop.run("apply", "--auto-approve").code == 0
    assert len(shop.inbox()) == 2
    shop.write("sale.yaml", FROM_A_FILE + "    revision: 2\n")
    again = shop.run("plan", "--format", "json")
    assert again.code == 4
    assert "0.052 planned and 0.052 spent" in again.json["actions"][0]["reason"]


def test_suppression_files_are_inputs_that_may_change(shop: Shop) -> None:
    """A changed opt-out file makes no plan stale, unless it is also a source of recipients."""
    shop.write("out.csv", "phone\n")
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [./out.csv]\n")
    shop.write("lists/vip.csv", "phone,name\n375291111111,Anna\n")
    shop.write("sale.yaml", FROM_A_FILE)
    planned = shop.run("plan", "--out", "plan.json", "--format", "json")
    assert set(planned.json["inputs"]) == {"smsby.yaml", "sale.yaml", "lists/vip.csv", "out.csv"}
    shop.write("out.csv", "phone\n375290000000\n")
    assert shop.run("apply", "plan.json", "--auto-approve").code == 0
    assert set(shop.inbox()) == {"375291111111"}


def test_late_mailing_is_sent_at_once(shop: Shop) -> None:
    """With max_late a passed time is not sent to sms.by; the plan warns, and reports no difference."""
    shop.write("lists/vip.csv", "phone,name\n375291111111,Anna\n")
    now = datetime.now(ZoneInfo("Europe/Minsk"))  # noqa: TID251  # the command's own process has the real clock
    late = now - timedelta(minutes=10)
    shop.write("sale.yaml", FROM_A_FILE + f"    schedule_time: {late:%Y-%m-%dT%H:%M:%S}\n    max_late: 30m\n")
    planned = shop.run("plan", "--format", "json")
    assert [problem["code"] for problem in planned.json["problems"]] == ["LATE"]
    assert shop.run("apply", "--auto-approve").code == 0
    assert set(shop.inbox()) == {"375291111111"}
    after = shop.run("plan", "--format", "json").json
    assert [action["action"] for action in after["actions"]] == ["noop"]
    assert after["problems"] == []


def test_list_guardrails_apply_before_the_confirmation(shop: Shop) -> None:
    """expect_recipients and budget stop a draft before it is confirmed: exit code 4, and nothing is sent."""
    base = (shop.root / "smsby.yaml").read_text()
    shop.write("news.yaml", TO_A_LIST)
    for rail, key in (
        ("expect_recipients: {max: 1}", "expect_recipients: "),
        ("budget: 0.01", "budget: 0.65 planned"),
    ):
        shop.write("smsby.yaml", f"{base}guardrails: {{{rail}}}\n")
        assert shop.run("plan").code == 0
        applied = shop.run("apply", "--auto-approve", "--format", "json")
        assert applied.code == 4, applied.out
        assert f"guardrail: {key}" in applied.json["mailings"][0]["error"]
    assert shop.inbox() == {}
    shop.write("smsby.yaml", base)
    assert shop.run("apply", "--auto-approve").code == 0
    assert shop.inbox()


def test_budget_starts_again_with_the_month(shop: Shop) -> None:
    """The budget counts the spending of this month, and not that of the previous month."""
    settings = (shop.root / "smsby.yaml").read_text() + "guardrails: {budget: 0.05}\n"
    shop.write("smsby.yaml", settings)
    shop.write("lists/vip.csv", "phone,name\n375291111111,Anna\n")
    shop.write("sale.yaml", FROM_A_FILE)
    assert shop.run("apply", "--auto-approve").code == 0
    shop.write("sale.yaml", FROM_A_FILE.replace("campaign: sale", "campaign: sale\nrevision: 2"))
    refused = shop.run("apply", "--auto-approve")
    assert refused.code == 4
    assert "0.026 planned and 0.026 spent this month make 0.052, the limit is 0.05" in refused.out
    _last_month(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    assert len(shop.inbox()["375291111111"]) == 2


def _last_month(shop: Shop) -> None:
    """Change the lock so that everything was sent 32 days ago."""
    path = shop.root / "smsby.lock.json"
    lock = read_lock(path.read_text(encoding="utf-8"), path.name)

    def before(at: str | None) -> str:
        assert at is not None
        return (datetime.fromisoformat(at) - timedelta(days=32)).isoformat()

    for address, entry in lock.mailings.items():
        chunks = tuple(replace(chunk, accepted_at=before(chunk.accepted_at)) for chunk in entry.chunks)
        applied = replace(entry.applied, at=before(entry.applied.at))
        lock = lock.with_entry(address, replace(entry, chunks=chunks, applied=applied))
    path.write_text(write_lock(lock), encoding="utf-8")


def test_price_in_another_currency_refuses(shop: Shop) -> None:
    """A budget in BYN and a price in USD cannot be compared: nothing is sent, and the key to correct is named."""
    shop.settings(currency="USD")
    shop.write("lists/vip.csv", "phone,name\n375291111111,Anna\n")
    shop.write("sale.yaml", FROM_A_FILE)
    refused = shop.run("apply", "--auto-approve", "--format", "json", "--report", "result.json")
    assert (refused.code, shop.inbox()) == (4, {})
    assert refused.json["summary"]["skipped"] == 1
    assert (shop.root / "result.json").read_text("utf-8") == refused.out  # a refused apply prints it, too
    assert "balance: cannot compare: this apply costs 0.026 BYN, the account has 1000.00 USD" in refused.err
    assert "hint: set price.currency in smsby.yaml" in refused.err


def test_invalid_word_rule_is_an_error_in_the_files(shop: Shop) -> None:
    """plan and apply report an invalid word rule as an error in the files, even if all other files can be read."""
    settings = (shop.root / "smsby.yaml").read_text() + "guardrails: {forbidden_words: ['(']}\n"
    shop.write("smsby.yaml", settings)
    shop.write("lists/vip.csv", "phone,name\n375291111111,Anna\n")
    shop.write("sale.yaml", FROM_A_FILE)
    for command in (["plan"], ["apply", "--auto-approve"]):
        found = shop.run(*command)
        assert found.code == 3
        assert (
            "smsby.yaml:5:32: error GUARDRAIL forbidden_words: not a valid regular" in found.out + found.err
        )


@pytest.mark.parametrize("transport", ["", "    via: single\n", "    upload: true\n"])
def test_unreadable_opt_out_sends_nothing(shop: Shop, transport: str) -> None:
    """An unreadable opt-out stops the apply, even if added after the review, by any transport: exit code 3 with its line."""
    shop.write("lists/vip.csv", "phone\n375291111111\n375292222222\n")
    shop.write("sale.yaml", FROM_A_FILE.replace("{{ name }}, hello", "hello") + transport)
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")
    shop.write("out.csv", "phone\n375292222222\n")
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.write("out.csv", "phone\n375292222222\n375291111111 (Anna)\n")
    ran = shop.run("apply", "plan.json", "--auto-approve")
    assert ran.code == 3, ran.out + ran.err
    assert "out.csv:3:1" in ran.out + ran.err
    assert not shop.inbox()
    shop.write(
        "smsby.yaml",
        (shop.root / "smsby.yaml").read_text().replace("[out.csv]", "[{file: out.csv, on_invalid: drop}]"),
    )
    ran = shop.run("apply", "--auto-approve")
    assert ran.code == 0, ran.out + ran.err
    assert list(shop.inbox()) == ["375291111111"]


def test_opt_outs_without_a_header_are_honored(shop: Shop) -> None:
    """A .csv file that is a plain column of phones suppresses each of them, including the first."""
    shop.write("lists/vip.csv", "phone\n375291111111\n375292222222\n375293333333\n")
    shop.write("sale.yaml", FROM_A_FILE.replace("{{ name }}, hello", "hello"))
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [out.csv]\n")
    shop.write("out.csv", "+375 (29) 111-11-11\n375292222222\n")
    ran = shop.run("apply", "--auto-approve")
    assert ran.code == 0, ran.out + ran.err
    assert list(shop.inbox()) == ["375293333333"]
