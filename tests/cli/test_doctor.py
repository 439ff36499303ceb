"""`doctor` against a sandbox with each of its switches: every fact is found, or reported as not learnable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.sandbox.pytest_plugin import SandboxHandle
from smsby_deploy.smsby.facts import FactName

_PHONE = "375291111111"
_PROJECT = "version: 1\nproject: shop\nprice: {currency: BYN, per_part: 0.026}\n"
_ASK, _TO = ("--ask",), ("--to", _PHONE)
_MINSK, _UTC = 180, 0


@pytest.fixture
def smsby_sandbox_switches() -> Mapping[str, Any]:
    """A sandbox as strict as the documentation of sms.by."""
    return {"strict": True}


def _doctor(
    folder: Path, capsys: pytest.CaptureFixture[str], *options: str, project: str = _PROJECT
) -> tuple[int, dict[str, Any]]:
    """Run doctor; return its exit code, and each fact as its value or the reason why it has none."""
    (folder / "smsby.yaml").write_text(project, encoding="utf-8")
    capsys.readouterr()
    code = run(["-C", str(folder), "doctor", *options, "--format", "json"])
    captured = capsys.readouterr()
    assert _PHONE not in captured.out + captured.err
    facts = json.loads(captured.out)["facts"]
    return code, {one["name"]: one["gap"] or one["value"] for one in facts}


def test_doctor_finds_every_fact(
    tmp_path: Path, smsby_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a service as documented every fact is found, except that a callback needs a setting."""
    code, facts = _doctor(tmp_path, capsys, *_ASK, *_TO)
    clocks = {name: facts.pop(name)["offset"] for name in ("clock_in", "clock_out", "schedule_clock")}
    assert clocks == dict.fromkeys(clocks, _MINSK)
    lag = facts.pop("listing_lag")
    assert lag < 10
    assert code == 0
    assert facts == {
        "token_refusal": {"status": 403, "recognized": True},
        "currency": "BYN",
        "price_estimate": "0.026",
        "senders": 3,
        "lists": 2,
        "places": {},
        "error_style": {"status": 404, "known": True},
        "refusal_at_500": False,
        "list_size": {"count": 0, "capped": False},
        "empty_list": "documented",
        "paging": {"limit": True, "offset": True},
        "duplicates": True,
        "moderation": False,
        "unsent_listed": False,
        "part_table": "sdk",
        "refused_phone": "logged",
        "name_length": {"listed": 160, "sent": 160},
        "price": {"per_part": "0.026", "prefix": ""},
        "first_status": "NEW",
        "last_status": facts["last_status"],
        "callback": "not_set_up",
    }
    assert smsby_sandbox.texts(_PHONE)[0].startswith("smsby-deploy doctor ")
    assert {phone: len(messages) for phone, messages in smsby_sandbox.inbox().items()} == {_PHONE: 1}


@pytest.mark.parametrize(
    ("switches", "options", "expected", "code"),
    [
        ({"strict": False}, (), {"places": {}, "lists": 2}, 0),
        (
            {"call_styles": {"statusBulkSms": "post-form"}},
            (),
            {
                "places": dict.fromkeys(
                    (
                        "statusBulkSms",
                        "sendQuickSMS",
                        "sendOtpTelegram",
                        "sendOtpWhatsApp",
                    ),
                    "post-form",
                )
            },
            0,
        ),
        (
            {"call_styles": {"confirmSendMessageByList": "post-query"}},
            (),
            {"places": {"confirmSendMessageByList": "post-query", "sendSmsList": "post-query"}},
            0,
        ),
        (
            {"call_styles": {"confirmSendMessageByList": "post-json"}},
            (),
            {"places": {"confirmSendMessageByList": "post-json", "sendSmsList": "post-json"}},
            0,
        ),
        (
            {"call_styles": {"getSubscriberLists": "get"}},
            (),
            {"places": {"getSubscriberLists": "get"}, "lists": 2},
            0,
        ),
        ({"currency": "RUB"}, (), {"currency": "RUB"}, 4),
        ({"currency": "rubles"}, (), {"currency": "no_value"}, 0),
        ({"balance": 0}, (), {"price_estimate": "no_value"}, 0),
        ({"alphanames": {}}, (), {"senders": 0}, 0),
        (
            {"error_status": 200},
            (),
            {
                "token_refusal": {"status": 200, "recognized": True},
                "error_style": {"status": 200, "known": True},
            },
            0,
        ),
        (
            {"error_status": 500},
            (),
            {
                "token_refusal": {"status": 500, "recognized": True},
                "error_style": {"status": 500, "known": True},
                "refusal_at_500": True,
                "places": {},
            },
            0,
        ),
        ({"empty_list": "406-empty"}, (), {"empty_list": "documented"}, 0),
        ({"empty_list": "success"}, (), {"empty_list": "documented"}, 0),
        (
            {"empty_list": "list"},
            (),
            {"empty_list": "bare_list", "list_size": {"count": 0, "capped": False}},
            0,
        ),
        ({"empty_list": "null"}, (), {"empty_list": "null_data"}, 0),
        ({}, (), {"paging": "no_rows", "clock_out": "no_rows", "clock_in": None, "price": None}, 0),
        ({"max_rows": 1}, _ASK, {"paging": "no_rows"}, 0),
        ({"timezones": {"d_create": "UTC"}}, _ASK, {"clock_out": _UTC, "clock_in": _MINSK}, 4),
        ({"timezones": {"time": "UTC"}}, _ASK, {"clock_out": _MINSK, "clock_in": _UTC}, 4),
        ({"timezones": {"time": "Asia/Kathmandu"}}, _ASK, {"clock_in": 345}, 4),
        ({"account_timezone": "UTC"}, _ASK, {"clock_out": _UTC, "clock_in": _UTC}, 4),
        ({"call_styles": {"statusBulkSms": "post-form"}}, _ASK, {"refused_phone": "logged"}, 0),
        ({"duplicates": False}, _ASK, {"duplicates": False}, 0),
        ({"moderation": True}, _ASK, {"moderation": True}, 0),
        ({"list_messages": "created"}, _ASK, {"unsent_listed": True}, 0),
        ({"list_messages": "never"}, _ASK, {"unsent_listed": False}, 0),
        ({"part_table": "gsm"}, _ASK, {"part_table": "gsm"}, 4),
        ({"alphanames": {"7": "MyShop"}}, _ASK, {"clock_in": "refused", "part_table": "refused"}, 0),
        ({"error_status": 500}, _ASK, {"duplicates": True, "refusal_at_500": True}, 0),
        ({"wrap": True}, (*_ASK, *_TO), {"clock_in": _MINSK, "moderation": False, "part_table": "sdk"}, 0),
        (
            {"call_styles": {"statusBulkSms": "post-json"}},
            _TO,
            {"first_status": "NEW", "name_length": {"listed": 160, "sent": 160}},
            0,
        ),
        ({"list_lag": 45}, _TO, {"listing_lag": "slow"}, 4),
        ({"name_limit": 40}, _TO, {"name_length": {"listed": 40, "sent": 160}}, 4),
        ({"name_limit": 10}, _TO, {"name_length": "not_listed", "price": "not_listed"}, 0),
        ({"price": "0.03"}, _TO, {"price": {"per_part": "0.03", "prefix": ""}}, 4),
        ({"timezones": {"schedule_time": "UTC"}}, _TO, {"schedule_clock": _UTC, "last_status": "not_yet"}, 4),
        ({"fates": {_PHONE: "EXPIRED"}}, _TO, {"last_status": "EXPIRED"}, 4),
        ({"fates": {_PHONE: "SENT"}}, _TO, {"last_status": "not_yet"}, 0),
        ({"status_lag": 10_000}, _TO, {"first_status": "not_yet", "last_status": "not_yet"}, 0),
    ],
)
def test_doctor_finds_what_a_switch_does(
    switches: dict[str, Any],
    options: tuple[str, ...],
    expected: dict[str, Any],
    code: int,
    tmp_path: Path,
    smsby_sandbox: SandboxHandle,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """doctor finds what each switch does, and whether it contradicts a setting or a promise."""
    smsby_sandbox.set(**switches)
    found, facts = _doctor(tmp_path, capsys, *options)
    assert set(facts) == {str(name) for name in FactName}
    for name in ("clock_in", "clock_out", "schedule_clock"):
        facts[name] = facts[name]["offset"] if isinstance(facts[name], dict) else facts[name]
    if isinstance(facts["listing_lag"], float) and facts["listing_lag"] > 45:
        facts["listing_lag"] = "slow"
    assert {name: facts[name] for name in expected} == expected
    assert found == code
    assert sum(map(len, smsby_sandbox.inbox().values())) == ("--to" in options)


@pytest.mark.parametrize(
    ("cap", "messages", "capped"), [(10, 12, True), (10, 9, False), (0, 12, False), (13, 20, False)]
)
def test_doctor_finds_a_capped_list(
    cap: int,
    messages: int,
    capped: bool,
    tmp_path: Path,
    smsby_sandbox: SandboxHandle,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A list with as many mailings as a usual page seems capped, and one of another size does not."""
    smsby_sandbox.set(list_cap=cap)
    (tmp_path / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n"
        + "".join(f"  - {{name: m{n}, recipients: ['{_PHONE}'], text: hi {n}}}\n" for n in range(messages))
    )
    (tmp_path / "smsby.yaml").write_text(_PROJECT, encoding="utf-8")
    assert run(["-C", str(tmp_path), "apply", "--auto-approve"]) == 0
    code, facts = _doctor(tmp_path, capsys)
    assert facts["list_size"] == {"count": min(cap or messages, messages), "capped": capped}
    assert facts["empty_list"] == "documented"
    assert facts["clock_out"] == "undecided" or facts["clock_out"] == "no_rows"
    assert code == (4 if capped else 0)


def test_doctor_finds_a_list_that_is_cut_at_an_unusual_size(
    tmp_path: Path, smsby_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --to, a list that shows the SMS and has not grown is cut; later free queries remember that."""
    smsby_sandbox.set(list_cap=5)
    mailings = "".join(f"  - {{name: m{n}, recipients: ['{_PHONE}'], text: hi {n}}}\n" for n in range(7))
    (tmp_path / "sale.yaml").write_text(f"version: 1\ncampaign: sale\nmailings:\n{mailings}")
    (tmp_path / "smsby.yaml").write_text(_PROJECT, encoding="utf-8")
    assert run(["-C", str(tmp_path), "apply", "--auto-approve"]) == 0
    code, facts = _doctor(tmp_path, capsys)
    assert (code, facts["list_size"]) == (0, {"count": 5, "capped": False})
    for options in (_TO, ()):
        code, facts = _doctor(tmp_path, capsys, *options)
        assert (code, facts["list_size"]) == (4, {"count": 5, "capped": True})


def test_doctor_in_russian(
    tmp_path: Path, smsby_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `language: ru` queries, facts and consequences are in Russian, and JSON is unchanged."""
    (tmp_path / "smsby.yaml").write_text(f"language: ru\n{_PROJECT.replace('BYN', 'RUB')}", encoding="utf-8")
    assert run(["-C", str(tmp_path), "doctor", "--ask"]) == 4
    captured = capsys.readouterr()
    assert (
        "  no  валюта баланса: BYN\n      баланс в BYN, а price.currency — RUB: исправьте price\n"
        in captured.out
    )
    assert "  ok  имена отправителя: 3 имени\n" in captured.out
    assert "  -   точная цена: не спрашивали\n" in captured.out
    assert "дальше: git add" in captured.err
    assert run(["-C", str(tmp_path), "doctor", "--format", "json"]) == 4
    facts = {one["name"]: one for one in json.loads(capsys.readouterr().out)["facts"]}
    assert facts["senders"]["learned"] == "3 names"
    assert run(["-C", str(tmp_path), "doctor"]) == 4
    assert "модерация нового текста: одобряется сразу (узнано 2 ноября 2026)" in capsys.readouterr().out


def test_doctor_reads_the_clock_of_old_deliveries(
    tmp_path: Path, smsby_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clock is found without cost from old deliveries."""
    smsby_sandbox.set(timezones={"d_sent": "UTC"}, fates={_PHONE: "DELIVERED"})
    (tmp_path / "sale.yaml").write_text(
        f"version: 1\ncampaign: sale\nmailings:\n  - {{name: a, recipients: ['{_PHONE}'], text: hi}}\n"
    )
    (tmp_path / "smsby.yaml").write_text(_PROJECT, encoding="utf-8")
    assert run(["-C", str(tmp_path), "apply", "--auto-approve"]) == 0
    from smsby_deploy.clock import SystemClock

    SystemClock().sleep(7200)
    code, facts = _doctor(tmp_path, capsys)
    assert (code, facts["clock_out"]["offset"]) == (4, _UTC)


def test_doctor_in_plain_words(
    tmp_path: Path, smsby_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text has a line for each query and its result, one for its meaning, and then what to commit."""
    (tmp_path / "smsby.yaml").write_text(_PROJECT, encoding="utf-8")
    assert run(["-C", str(tmp_path), "doctor"]) == 0
    captured = capsys.readouterr()
    assert (
        "  ok  currency of the balance: BYN\n      price.currency and the balance can be compared\n"
        in captured.out
    )
    assert "  -   exact price: not asked\n" in captured.out
    assert "git add" in captured.err
    assert run(["-C", str(tmp_path), "doctor", "--ask"]) == 0
    assert "waits for approval" not in capsys.readouterr().out
    assert run(["-C", str(tmp_path), "doctor"]) == 0
    assert "moderation of a new text: approved at once (learned 2026-11-02)" in capsys.readouterr().out


def test_doctor_without_a_token_or_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token or a project nothing is asked and no file is written."""
    assert run(["-C", str(tmp_path), "doctor"]) == 64
    (tmp_path / "smsby.yaml").write_text(_PROJECT, encoding="utf-8")
    assert run(["-C", str(tmp_path), "doctor"]) == 7
    assert not (tmp_path / "smsby.facts.json").exists()


def test_doctor_that_learned_nothing_leaves_nothing_to_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If nothing was learned, no file is to be committed."""
    (tmp_path / "smsby.yaml").write_text(_PROJECT, encoding="utf-8")
    monkeypatch.setenv("SMSBY_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SMSBY_TOKEN", "0" * 32)
    assert run(["-C", str(tmp_path), "doctor"]) == 7
    assert "git add" not in capsys.readouterr().err
    assert not (tmp_path / "smsby.facts.json").exists()


def test_doctor_of_the_sandbox_leaves_nothing_to_commit(
    tmp_path: Path, smsby_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """Facts about a rehearsal's sandbox stay in .smsby/."""
    (tmp_path / "smsby.yaml").write_text(_PROJECT, encoding="utf-8")
    assert run(["-C", str(tmp_path), "--env", "sandbox", "doctor"]) == 0
    assert (tmp_path / ".smsby/sandbox.facts.json").is_file()
    assert (tmp_path / ".smsby/.gitignore").read_text() == "*\n"
    assert not (tmp_path / "smsby.facts.json").exists()
    assert "git add" not in capsys.readouterr().err


def test_doctor_gives_no_empty_hint(
    tmp_path: Path, smsby_sandbox: SandboxHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown error of sms.by has no hint."""
    (tmp_path / "smsby.yaml").write_text(_PROJECT, encoding="utf-8")
    smsby_sandbox.fault("error", method="sendBulkSms", text="out of order")
    assert run(["-C", str(tmp_path), "doctor", *_TO]) == 1
    err = capsys.readouterr().err
    assert "error: sendBulkSms: out of order\n" in err
    assert "hint:" not in err
