"""Features for large sends: `spread` and `variants`."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import PROJECT, Result, Shop
from tests.e2e.forked import CLOCK_AHEAD

_NOW = datetime.now(UTC)  # noqa: TID251
_TIME = (_NOW + timedelta(days=2)).replace(hour=9, minute=0, second=0, microsecond=0)
_MIDDLE = _TIME + timedelta(hours=1, minutes=30)  # between the second and the third chunk
_PHONES = [f"3752912345{number:02}" for number in range(6)]


def _write(shop: Shop, *, text: str = "Hello", spread: str = "3h", more: str = "", phones: int = 6) -> None:
    rows = ", ".join(f'"{phone}"' for phone in _PHONES[:phones])
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\nschedule_time: {_TIME:%Y-%m-%dT%H:%M:%S}Z\ntimezone: UTC\n"
        f"mailings:\n  - {{name: vip, recipients: [{rows}], text: {text}, spread: {{over: {spread}}}{more}}}\n",
    )


def _at(shop: Shop, time: datetime, *arguments: str) -> Result:
    ahead = time - datetime.now(UTC)  # noqa: TID251  # the runs are ahead of the real clock
    return shop.run(*arguments, env={CLOCK_AHEAD: str(max(0.0, ahead.total_seconds()))})


def _action(shop: Shop, time: datetime = _NOW) -> dict[str, Any]:
    (action,) = _at(shop, time, "plan", "--format", "json").json["actions"]
    return action  # type: ignore[no-any-return]


def _chunks(shop: Shop) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = shop.lock()["mailings"]["sale/vip"]["chunks"]
    return chunks


def test_spread_mailing_has_a_time_for_each_chunk(shop: Shop) -> None:
    """Each chunk of a spread mailing has its own time everywhere; the mailing is gone only with its last chunk."""
    _write(shop)
    times = [_TIME + timedelta(hours=hours) for hours in range(3)]
    pace = f"{_TIME:%Y-%m-%d} 09:00 UTC to 11:00: 3 chunks, one every 60 min, about 2 recipients per hour"
    for form in ("text", "markdown", "html"):
        assert pace in shop.run("plan", "--format", form).out
    planned = shop.run("plan", "--out", "plan.json", "--format", "json").json["actions"][0]
    assert [datetime.fromisoformat(one["schedule_time"]) for one in planned["chunks"]] == times
    assert shop.run("apply", "plan.json").code == 0
    listed = shop.run("api", "getSMSMessages").json["data"]
    assert sorted(one["d_schedule"] for one in listed) == [time.timestamp() for time in times]
    assert [datetime.fromisoformat(one["schedule_time"]) for one in _chunks(shop)] == times

    again = shop.run("plan", "--format", "json").json
    assert ([one["reason"] for one in again["actions"]], again["problems"]) == (["scheduled, unchanged"], [])
    assert "scheduled, unchanged" in _action(shop, _MIDDLE)["reason"]
    assert "sent, unchanged" in _action(shop, _MIDDLE + timedelta(hours=1))["reason"]
    (status,) = shop.run("status", "--format", "json").json["mailings"]
    assert status["state"] == "scheduled"
    assert [datetime.fromisoformat(status["spread"][key]) for key in ("first", "last")] == [
        times[0],
        times[2],
    ]
    for form in ("text", "markdown", "html"):
        shown = shop.run("status", "--format", form).out
        assert "09:00 +00:00 to 11:00" in shown
        assert "3 chunks, one every 60 min" in shown


def test_changed_spread_is_a_change(shop: Shop) -> None:
    """A changed spread blocks a scheduled mailing; once a part is gone, no hint says that the rest can be withdrawn."""
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    _write(shop, spread="4h")
    action = _action(shop)
    assert (action["action"], action["reason_code"]) == ("blocked", "changed")
    assert f"send from {_TIME:%Y-%m-%d} 09:00 UTC to 11:00" in action["reason"]
    assert "lock withdraw" in action["reason"]
    assert "lock withdraw" not in _action(shop, _MIDDLE)["reason"]
    refused = _at(shop, _MIDDLE, "lock", "withdraw", "sale/vip", "--anyway")
    assert (refused.code, "2 of the 3 chunks of sale/vip can no longer be withdrawn" in refused.err) == (
        4,
        True,
    )


def test_deleted_part_of_a_spread_mailing_stays_accepted(shop: Shop) -> None:
    """A chunk deleted in the account stays accepted; `status` counts it as undelivered, and `recipients` as accepted."""
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    shop.delete_all(but=2)
    assert "does not list 1 of its 3 chunks" in _at(shop, _MIDDLE, "plan").out
    refused = _at(shop, _MIDDLE, "lock", "withdraw", "sale/vip")
    assert (refused.code, "`smsby-deploy recipients` still as accepted" in refused.err) == (4, True)
    ended = _at(shop, _MIDDLE, "lock", "abandon", "sale/vip")
    assert (ended.code, "lock withdraw" in ended.err) == (4, False)  # which would refuse it as well
    counted = _at(shop, _TIME + timedelta(days=5), "status", "--format", "json").json["mailings"][0]
    assert (counted["recipients"], counted["undelivered"]) == (6, 6)
    assert shop.run("recipients", "sale/vip", "--sent").out.count(",accepted,") == 6


@pytest.mark.parametrize("rail", ["quiet_hours: {from: '10:30', to: '12:00'}", "min_lead_minutes: 60"])
def test_guardrails_hold_for_every_chunk(shop: Shop, rail: str) -> None:
    """Quiet hours and minimum lead apply to the last chunk of a spread mailing as they do to the first."""
    shop.write("smsby.yaml", f"{PROJECT}guardrails: {{{rail}}}\n")
    _write(shop)
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="limit exceeded")
    time = _MIDDLE - timedelta(minutes=40) if "lead" in rail else _NOW
    if "lead" in rail:
        assert shop.run("apply", "--auto-approve").code != 0
    action = _action(shop, time)
    assert (action["action"], action["reason_code"]) == ("blocked", "guardrail"), action
    assert "a chunk" in action["reason"]


def test_rest_of_a_spread_mailing_is_sent_in_its_own_time(shop: Shop) -> None:
    """An interrupted spread mailing continues at its planned times; a chunk whose time has passed needs max_late."""
    _write(shop)
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="limit exceeded")
    assert shop.run("apply", "--auto-approve").code == 6
    assert [one["state"] for one in _chunks(shop)] == ["accepted", "rejected", "pending"]
    before = _at(shop, _MIDDLE - timedelta(hours=1), "plan", "--format", "json").json["actions"][0]
    assert (before["action"], before["recipients"]) == ("resume", 4)
    late = _action(shop, _MIDDLE)
    assert (late["action"], late["reason_code"]) == ("blocked", "expired")
    assert "10:00 UTC, has passed; with `max_late`" in late["reason"]

    _write(shop, more=", max_late: 2h")
    planned = _at(shop, _MIDDLE, "plan", "--format", "json").json
    assert [one["action"] for one in planned["actions"]] == ["resume"]
    (late,) = [one["message"] for one in planned["problems"] if one["code"] == "LATE"]
    assert re.fullmatch(
        r"the time of 1 chunk passed 3\d min ago; it is sent at once \(max_late allows 120 min\)", late
    )
    assert _at(shop, _MIDDLE, "apply", "--auto-approve").code == 0
    bodies = [call["params"]["messages"] for call in shop.calls() if call["method"].lower() == "sendbulksms"]
    times = [message.get("schedule_time") for messages in bodies[-2:] for message in messages]
    assert [time is not None and time.endswith("14:00:00") for time in times] == [False, True]


_FATES = {f"3752912345{number:02}": "DELIVERED" for number in range(40)}
_TEXTS = {"a": "Hello", "b": "Sale for {{ name }}"}


def _write_variants(
    shop: Shop, shares: dict[str, int], *, texts: dict[str, str] = _TEXTS, rows: int = 40
) -> None:
    shop.write("list.csv", "phone,name\n" + "".join(f"3752912345{n:02},Anna\n" for n in range(rows)))
    variants = "".join(
        f"      - {{name: {name}, share: {share}, {f'text: {texts[name]!r}' if name in texts else 'send: false'}}}\n"
        for name, share in shares.items()
    )
    head = "version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    recipients: {file: list.csv}\n"
    shop.write("sale.yaml", f"{head}    variants:\n{variants}")


def _rows(shop: Shop, *arguments: str) -> dict[str, tuple[str, str]]:
    """Return the outcome and the variant of each recipient."""
    listed = shop.run("recipients", "sale/vip", "--unmask", *arguments)
    assert listed.code == 0, listed.err
    return {row["phone"]: (row["outcome"], row["variant"]) for row in csv.DictReader(io.StringIO(listed.out))}


@pytest.mark.parametrize("key", ["", "k" * 40])
def test_variants_are_sent_as_planned(shop: Shop, key: str) -> None:
    """Each recipient gets the text of their variant once, the control group nothing; all figures agree."""
    shop.settings(delay=0, fates=_FATES)
    shop.write("smsby.yaml", f"{PROJECT}suppress: [out.csv]\n".replace("request: 2", "request: 10"))
    shop.write("out.csv", "phone\n375291234500\n375291234501\n375291234502\n")
    _write_variants(shop, {"a": 40, "b": 40, "control": 20})
    env = {"SMSBY_DIGEST_KEY": key} if key else {}
    plan = shop.run("plan", "--out", "plan.json", "--format", "json", env=env)
    (action,) = plan.json["actions"]
    audience, variants = action["audience"], {one["name"]: one for one in action["variants"]}
    assert 2 <= audience["control"] <= 16
    assert audience["rows"] == 40 == audience["final"] + audience["suppressed"] + audience["control"]
    assert action["recipients"] == audience["final"] == sum(one["recipients"] for one in variants.values())
    assert {chunk["variant"] for chunk in action["chunks"]} == variants.keys() == {"a", "b"}
    assert shop.run("apply", "plan.json", env=env).code == 0
    inbox = shop.inbox()
    listed = shop.run("recipients", "sale/vip", "--unmask", env=env)
    rows = list(csv.DictReader(io.StringIO(listed.out)))
    assert Counter(row["variant"] for row in rows if row["outcome"] == "accepted") == {
        name: one["recipients"] for name, one in variants.items()
    }
    texts = {"a": ["Hello"], "b": ["Sale for Anna"]}
    for row in rows:
        got = [message["text"] for message in inbox.get(row["phone"], [])]
        assert got == (texts[row["variant"]] if row["outcome"] == "accepted" else []), row
    assert sum(row["outcome"] == "control" for row in rows) == audience["control"]
    assert sum(row["outcome"] == "opted out" for row in rows) == audience["suppressed"]
    chunks = shop.lock()["mailings"]["sale/vip"]["chunks"]
    assert [chunk["variant"] for chunk in chunks] == [chunk["variant"] for chunk in action["chunks"]]
    (status,) = shop.run("status", "--format", "json", env=env).json["mailings"]
    assert [(one["name"], one["delivered"]) for one in status["variants"]] == [
        (name, one["recipients"]) for name, one in variants.items()
    ]
    for form in ("text", "markdown", "html", "junit"):
        assert (
            f"variant b: {variants['b']['recipients']} of"
            in shop.run("status", "--format", form, env=env).out
        )
    for form in ("text", "markdown"):
        assert (
            "control group" in shop.run("plan", "--offline", "--format", form, env=env).out or form == "text"
        )


def test_report_has_a_row_for_each_variant(shop: Shop) -> None:
    """`report` has a row with sends, billed parts and deliveries for each variant, even once archived."""
    shop.settings(delay=0, fates=_FATES | {"375291234500": "UNDELIVERED"})
    shop.write("smsby.yaml", PROJECT.replace("request: 2", "request: 10"))
    _write_variants(shop, {"a": 40, "b": 40, "control": 20}, texts={"a": "Hello", "b": "Long" * 50})
    planned = shop.run("plan", "--out", "plan.json", "--format", "json").json["actions"][0]
    assert shop.run("apply", "plan.json").code == 0
    by = ("report", "--by", "mailing,variant", "--format")
    before = {row["group"]["variant"]: row for row in shop.run(*by, "json").json["rows"]}
    assert [(row["recipients"], row["parts"], row["planned"]) for row in (before["a"], before["b"])] == [
        (one["recipients"], one["parts"], one["cost"]) for one in planned["variants"]
    ]
    assert before["b"]["parts"] == 2 * before["b"]["recipients"]
    assert (before["a"]["delivered"], before["a"]["missing"]["delivered"]) == (None, 1)
    control = before["control"]
    assert (control["recipients"], control["not_sent"]) == (0, planned["audience"]["control"])
    status = shop.run("status", "--format", "json").json["mailings"][0]
    counts = [(one["delivered"], one["undelivered"]) for one in status["variants"]]
    assert sorted(one[1] for one in counts) == [0, 1]
    for command in ("status", "lock archive"):
        assert shop.run(*command.split()).code == 0
        without_token = {"SMSBY_TOKEN": ""} if command == "lock archive" else {}
        rows = shop.run(*by, "json", env=without_token).json["rows"]
        assert [(row["delivered"], row["undelivered"]) for row in rows] == [*counts, (0, 0)]
        one_of_them = next(row for row in rows if row["undelivered"])
        share = one_of_them["delivered"] * 1000 // one_of_them["recipients"] / 10
        assert one_of_them["percent_delivered"] == share
        for form in ("text", "markdown", "html"):
            shown = shop.run(*by, form, env=without_token).out
            assert f"{share:.1f}%" in shown
            assert "not sent" in shown
        table = csv.DictReader(io.StringIO(shop.run(*by, "csv", env=without_token).out))
        assert [(row["delivered"], row["not_sent"]) for row in table] == [
            *((str(one[0]), "0") for one in counts),
            ("0", str(control["not_sent"])),
        ]
        assert "smsby_delivered{" in shop.run(*by, "openmetrics", env=without_token).out
        assert "1 mailing with variants: `--by mailing,variant`" in shop.run("report", env=without_token).out


def test_variants_do_not_change_with_other_rows_or_texts(shop: Shop) -> None:
    """A later mailing of the campaign has the same control group, whatever the order or number of rows."""
    _write_variants(shop, {"a": 40, "b": 40, "control": 20})
    assert shop.run("apply", "--auto-approve").code == 0
    before = {phone: variant for phone, (_, variant) in _rows(shop).items()}
    _write_variants(shop, {"a": 40, "b": 40, "control": 20}, texts={"a": "Bye", "b": "Bye bye"}, rows=60)
    lines = (shop.root / "list.csv").read_text().splitlines()
    shop.write("list.csv", "\n".join((lines[0], *reversed(lines[1:]))) + "\n")
    campaign = (shop.root / "sale.yaml").read_text().replace("name: vip", "name: late")
    shop.write("sale.yaml", campaign)
    assert shop.run("apply", "--auto-approve").code == 0
    listed = shop.run("recipients", "sale/late", "--unmask")
    after = {row["phone"]: row["variant"] for row in csv.DictReader(io.StringIO(listed.out))}
    assert {phone: after[phone] for phone in before} == before


def test_changed_variant_blocks_the_rest(shop: Shop) -> None:
    """A changed variant blocks the rest of a partly sent mailing; once restored, each recipient gets one variant only."""
    _write_variants(shop, {"a": 50, "b": 50}, rows=12)
    shop.fault(method="sendBulkSms", nth=3, mode="error", text="limit exceeded")
    assert shop.run("apply", "--auto-approve").code == 6
    for shares, texts in (({"a": 50, "b": 50}, _TEXTS | {"b": "Other"}), ({"a": 60, "b": 40}, _TEXTS)):
        _write_variants(shop, shares, texts=texts, rows=12)
        action = _action(shop)
        assert (action["action"], action["reason_code"]) == ("blocked", "changed")
    _write_variants(shop, {"a": 50, "b": 50}, rows=12)
    assert _action(shop)["action"] == "resume"
    assert shop.run("apply", "--auto-approve").code == 0
    assert [len(messages) for messages in shop.inbox().values()] == [1] * 12


def test_csv_of_status_has_variants(shop: Shop) -> None:
    """The csv of status has the variant of each recipient without a delivery."""
    shop.settings(delay=0, fates=_FATES | {"375291234503": "UNDELIVERED"})
    _write_variants(shop, {"a": 50, "b": 50}, rows=12)
    assert shop.run("apply", "--auto-approve").code == 0
    shown = shop.run("status", "--format", "csv", "--unmask")
    (row,) = csv.DictReader(io.StringIO(shown.out))
    assert (row["phone"], row["variant"]) == ("375291234503", _rows(shop)["375291234503"][1])
