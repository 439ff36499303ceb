"""Mailings in waves: each is sent after a verdict on the one before, and nothing is sent twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from smsby_deploy.wording import money
from tests.e2e.conftest import PROJECT, Result, Shop
from tests.e2e.forked import CLOCK_AHEAD

_PHONES = [f"3752912345{number:02}" for number in range(20)]
_PRICE = Decimal("0.026")
_DELIVERED = dict.fromkeys(_PHONES, "DELIVERED")
_FIRST = "{people: 6, after: 45m, give_up: 6h, delivered: 80}"
_SECOND = "{share: 30, after: 2h, delivered: 80}"
_AFTER, _LATER, _GIVEN_UP = 46 * 60.0, 3 * 3600.0, 7 * 3600.0


def _write(
    shop: Shop, *, waves: str = f"[{_FIRST}, {_SECOND}, rest]", text: str = "Hello", more: str = ""
) -> None:
    shop.write("list.csv", "phone\n" + "".join(f"{phone}\n" for phone in _PHONES))
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\ntimezone: UTC\nmailings:\n  - name: vip\n    recipients: {{file: list.csv}}\n"
        f"    text: {text}\n    waves: {waves}\n{more}",
    )


def _at(shop: Shop, seconds: float, *arguments: str, code: int | None = 0) -> Result:
    done = shop.run(*arguments, env={CLOCK_AHEAD: str(seconds)})
    assert code is None or done.code == code, (done.code, done.out, done.err)
    return done


def _due(shop: Shop, seconds: float, code: int = 0) -> dict[str, Any]:
    (mailing,) = _at(shop, seconds, "apply", "--due", "--format", "json", code=code).json["mailings"]
    return mailing  # type: ignore[no-any-return]


def _action(shop: Shop, seconds: float = 0.0) -> dict[str, Any]:
    (action,) = _at(shop, seconds, "plan", "--format", "json", code=None).json["actions"]
    return action  # type: ignore[no-any-return]


def _sent(shop: Shop) -> set[str]:
    """Return the phones that got the message, none of them twice."""
    inbox = shop.inbox()
    assert {len(messages) for messages in inbox.values()} <= {1}
    return set(inbox)


def _verdicts(shop: Shop) -> list[tuple[int, str, str | None]]:
    entry = shop.lock()["mailings"]["sale/vip"]
    return [(one["wave"], one["kind"], one["by"]) for one in entry.get("verdicts", ())]


@pytest.fixture
def begun(shop: Shop) -> Shop:
    """A project whose first wave of six recipients was sent and delivered."""
    shop.settings(delay=0, fates=_DELIVERED)
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    return shop


def test_each_wave_is_sent_after_a_verdict(shop: Shop) -> None:
    """The plan shows all waves; one apply approves them, and `apply --due` sends one after another."""
    shop.settings(delay=0, fates=_DELIVERED)
    _write(shop)
    planned = shop.run("plan", "--out", "plan.json", "--format", "json").json["actions"][0]
    sizes = {one["wave"]: one["recipients"] for one in planned["waves"]}
    assert (sizes[1], sum(sizes.values()), planned["recipients"]) == (6, 20, 20)
    assert [one["cost"] for one in planned["waves"]] == [money(size * _PRICE) for size in sizes.values()]
    assert {one["wave"] for one in planned["chunks"]} == set(sizes)
    for form, between in (("text", "; "), ("markdown", "; "), ("html", "\n")):
        assert f"1: 6 recipients, 6 parts, 0.156{between}2: " in shop.run("plan", "--format", form).out
    done = shop.run("apply", "plan.json")
    assert (done.code, "6 recipients  sale/vip" in done.out, "0.156 BYN" in done.out) == (0, True, True)
    assert "wave 1 of 3 was sent; `apply --due` judges it from" in done.out
    assert "apply --due" in done.out.partition("next:")[2]
    first = _sent(shop)
    assert len(first) == 6

    assert _action(shop)["action"] == "waiting"
    assert "nothing is due; the next window opens" in _at(shop, 0, "apply", "--due").out
    again = shop.run("apply", "plan.json")
    assert (again.code, "wave 1 of 3 was sent; `apply --due`" in again.out) == (0, True)
    assert _action(shop, _AFTER)["action"] == "due"
    said = _at(shop, _AFTER, "plan", "sale/vip", "--out", "due.json").out
    assert "1 due; nothing to send by `apply`; 1 mailing is due for `apply --due`\n" in said
    assert said.endswith("next: smsby-deploy apply --due --select sale/vip\n")
    assert _at(shop, _AFTER, "apply", "--auto-approve").code == 0
    assert _sent(shop) == first  # only a hand-over records verdicts
    second = _due(shop, _AFTER)
    assert (second["outcome"], second["recipients"]) == ("sent", sizes[2])
    assert len(_sent(shop)) == 6 + sizes[2]
    third = _due(shop, _AFTER + _LATER)
    assert (third["outcome"], third["recipients"], "waits" in third) == ("sent", sizes[3], False)
    assert _sent(shop) == set(_PHONES)
    assert _verdicts(shop) == [(1, "go", None), (2, "go", None)]
    assert shop.lock()["mailings"]["sale/vip"]["state"] == "complete"
    assert _action(shop)["action"] == "noop"
    assert "nothing to do" in _at(shop, _AFTER + 2 * _LATER, "apply", "--due").out


def test_first_wave_does_not_follow_the_file(begun: Shop) -> None:
    """Waves are chosen by a hash of the recipient, not by the order of the rows."""
    assert _sent(begun) != set(_PHONES[:6])


def test_bad_wave_stops_the_mailing(shop: Shop) -> None:
    """If more messages than allowed are undelivered, no more waves are sent, every format says why, and a user may go on."""
    shop.settings(delay=0, fates=dict.fromkeys(_PHONES, "UNDELIVERED"))
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    stopped = _due(shop, _AFTER, code=4)
    assert stopped["outcome"] == "skipped"
    said = "wave: stopped after 1 of 3 waves: 0 of 6 recipients delivered (0.0%), 6 undelivered"
    assert (stopped["error"].startswith(said), stopped["recipients"]) == (True, 14)
    action = _action(shop, _AFTER)
    assert (action["action"], action["reason_code"], action["recipients"]) == ("blocked", "wave", 20)
    assert "lock resolve sale/vip --go" in action["reason"]
    assert _due(shop, _AFTER + 60, code=4)["error"] == stopped["error"]
    applied = _at(shop, _AFTER, "apply", "--auto-approve", "--format", "json", code=4).json["mailings"][0]
    assert (applied["error"], applied["recipients"]) == (
        stopped["error"],
        14,
    )  # not the phones of the first wave
    status = _at(shop, _AFTER, "status", code=6)
    assert "wave 1: 0 of 6 recipients delivered (0.0%), verdict stop" in status.out
    assert len(_sent(shop)) == 6

    shop.settings(fates=_DELIVERED)
    resolved = shop.run("lock", "resolve", "sale/vip", "--go", "--reason", "the list was old")
    assert (resolved.code, "apply --due" in resolved.err) == (0, True)
    assert [(wave, kind) for wave, kind, _ in _verdicts(shop)] == [(1, "stop"), (1, "go")]
    assert _verdicts(shop)[-1][2] is not None
    assert shop.run("lock", "resolve", "sale/vip", "--go").code == 64
    assert _action(shop, _AFTER)["action"] == "due"
    assert _due(shop, _AFTER + 120)["outcome"] == "sent"
    assert re.search(r"verdict go by .* \+03 \(the list was old\)", _at(shop, _AFTER, "status").out)
    assert shop.run("lock", "abandon", "sale/vip").code == 0
    assert re.search(
        r"abandoned by .* \+03\n", _at(shop, _AFTER, "status").out
    )  # in neither the time zone of the campaign nor UTC


def test_wave_without_reports_reaches_no_verdict(shop: Shop) -> None:
    """Without delivery reports there is no verdict; after `give_up` the mailing stops, even if reports come then."""
    shop.settings(delay=10**7, fates=_DELIVERED)
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    waiting = _due(shop, _AFTER)
    assert (waiting["outcome"], waiting["error"]) == ("skipped", None)
    assert "0 of 6 recipients delivered (0.0%), 0 undelivered, 6 open; no verdict yet" in waiting["waits"]
    assert waiting["recipients"] == 14
    status = _at(shop, _AFTER, "status").out
    assert "6 pending, 14 in later waves" in status and "· in later waves" in status
    assert "status --watch` waits until every message that was sent is final" in status
    (shown,) = _at(shop, _AFTER, "status", "--format", "json").json["mailings"]
    assert (shown["pending"], shown["other"]) == (6, {"in later waves": 14})
    assert _verdicts(shop) == []
    assert "no verdict yet" in _at(shop, _AFTER, "apply", "--due").out
    shop.settings(delay=0)
    late = _due(shop, _GIVEN_UP, code=4)
    assert (
        "6 of 6 recipients delivered (100.0%), 0 undelivered, 0 open, but it had no verdict until "
        in late["error"]
    )
    assert (_verdicts(shop), len(_sent(shop))) == ([(1, "stop", None)], 6)


@pytest.mark.parametrize("mode", ["error", "reset"])
def test_unreadable_reports_are_no_verdict(begun: Shop, mode: str) -> None:
    """An error of statusBulkSms or a lost connection neither sends a wave nor stops the mailing."""
    begun.fault(method="statusBulkSms", mode=mode, times=9)
    begun.fault(method="getSmsDeliveryList", mode="error", times=9)
    done = _at(begun, _AFTER, "apply", "--due", code=None)
    assert done.code == (0 if mode == "error" else 7), done.err
    assert (_verdicts(begun), len(_sent(begun))) == ([], 6)


def test_interrupted_wave_is_continued(begun: Shop) -> None:
    """A partly sent wave is continued by the next hand-over, without another verdict."""
    begun.fault(method="sendBulkSms", nth=2, mode="error", text="limit exceeded")
    assert _due(begun, _AFTER, code=6)["outcome"] in ("skipped", "rejected")
    action = _action(begun, _AFTER)
    sizes = {one["wave"]: one["recipients"] for one in action["waves"]}
    assert (action["action"], action["recipients"]) == ("resume", sizes[2] - 2)
    assert _due(begun, _AFTER + 60)["outcome"] == "sent"
    assert _verdicts(begun) == [(1, "go", None)]
    waves = {one["wave"]: one["state"] for one in begun.lock()["mailings"]["sale/vip"]["chunks"]}
    assert waves == {1: "accepted", 2: "accepted", 3: "pending"}
    _sent(begun)


def test_interrupted_first_wave_is_sent_by_its_plan(shop: Shop) -> None:
    """An interrupted first wave is resumed by an apply, not by a hand-over, and no later wave is sent with it."""
    shop.settings(delay=0, fates=_DELIVERED)
    _write(shop)
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="limit exceeded")
    assert shop.run("apply", "--auto-approve").code == 6
    assert "nothing to do" in _at(shop, _AFTER, "apply", "--due").out
    assert shop.run("apply", "--auto-approve").code == 0
    assert len(_sent(shop)) == 6


def test_lost_answer_in_a_wave_is_unknown(begun: Shop) -> None:
    """After a lost answer in a wave, later waves wait until a user has settled it."""
    begun.fault(method="sendBulkSms", mode="reset", when="before")
    begun.settings(list_messages="never")
    assert _at(begun, _AFTER, "apply", "--due", code=6)
    assert _action(begun, _AFTER)["reason_code"] == "unknown"
    assert _at(begun, _AFTER + _LATER, "apply", "--due", code=6)
    assert len(_sent(begun)) == 6
    assert begun.run("lock", "resolve", "sale/vip", "--not-sent").code == 0
    assert _due(begun, _AFTER + _LATER)["outcome"] == "sent"
    _sent(begun)


@pytest.mark.parametrize("change", ["text", "waves", "list"])
def test_changed_mailing_is_not_continued(begun: Shop, change: str) -> None:
    """A changed mailing gets no further wave; once its files are restored it continues."""
    waves = f"[{_FIRST}, {_SECOND.replace('80', '10')}, rest]" if change == "waves" else None
    _write(begun, text="Other" if change == "text" else "Hello", **({"waves": waves} if waves else {}))
    if change == "list":
        begun.write("list.csv", (begun.root / "list.csv").read_text() + "375297654321\n")
    assert _due(begun, _AFTER, code=4)["error"].startswith("changed: ")
    assert _action(begun, _AFTER)["reason_code"] == "changed"
    assert len(_sent(begun)) == 6
    _write(begun)
    assert _due(begun, _AFTER)["outcome"] == "sent"


def test_changed_percentages_reach_no_verdict(shop: Shop) -> None:
    """Verdicts use the approved percentages: while changed ones are in the files, no verdict is reached."""
    shop.settings(delay=0, fates=dict.fromkeys(_PHONES, "UNDELIVERED"))
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    _write(shop, waves=f"[{_FIRST.replace('80', '0')}, {_SECOND}, rest]")
    assert _due(shop, _AFTER, code=4)["error"].startswith("changed: ")
    assert _verdicts(shop) == []
    _write(shop)
    assert _due(shop, _AFTER, code=4)["error"].startswith("wave: ")
    assert len(_sent(shop)) == 6


def test_removed_or_abandoned_mailing_is_not_continued(begun: Shop) -> None:
    """A mailing that is removed, cancelled or abandoned gets no further wave."""
    text = (begun.root / "sale.yaml").read_text()
    begun.write("sale.yaml", f"{text}    cancelled: wrong price\n")
    assert "nothing to do" in _at(begun, _AFTER, "apply", "--due").out
    assert "apply --due" not in _at(begun, _AFTER, "apply", "--auto-approve").out
    (begun.root / "sale.yaml").unlink()
    assert _due(begun, _AFTER, code=4)["error"].startswith(
        "wave: it was removed from the files while waves 2-3"
    )
    begun.write("sale.yaml", text)
    assert begun.run("lock", "abandon", "sale/vip", "--reason", "wrong price").code == 0
    assert "nothing to do" in _at(begun, _AFTER, "apply", "--due").out
    assert len(_sent(begun)) == 6


@pytest.mark.parametrize("more", ["    cancelled: wrong price\n", "    revision: 2\n"])
def test_status_promises_no_wave_that_is_not_sent(begun: Shop, more: str) -> None:
    """status does not announce the later waves of a cancelled mailing or an earlier revision."""
    begun.settings(delay=10**7)
    _write(begun, more=more)
    if "revision" in more:
        assert _at(begun, 60, "apply", "--auto-approve").code == 0
    first = _at(begun, 60, "status", "--format", "json", code=None).json["mailings"][0]
    assert (first["revision"], first["state"]) == (1, "partial")
    assert "apply --due" not in str(first["notes"])


def test_later_wave_waits_for_open_hours(begun: Shop) -> None:
    """A verdict at night is recorded, and the wave is sent in the morning, within the open hours."""
    now = datetime.now(UTC)  # noqa: TID251  # the runs are ahead of the real clock
    begin = now + timedelta(seconds=_AFTER) - timedelta(minutes=10)
    hours = f"{{from: '{begin:%H:%M}', to: '{begin + timedelta(hours=1):%H:%M}'}}"
    begun.write("smsby.yaml", f"{PROJECT}guardrails: {{quiet_hours: {hours}}}\n")
    assert _action(begun, _AFTER)["action"] == "due"
    night = _due(begun, _AFTER)
    assert night["waits"].startswith("quiet_hours: it would be sent at ")
    assert (_verdicts(begun), len(_sent(begun))) == ([(1, "go", None)], 6)
    assert _due(begun, _AFTER + 3600)["outcome"] == "sent"


def test_late_opt_out_is_honored_in_later_waves(begun: Shop) -> None:
    """A recipient who opts out between two waves gets nothing."""
    begun.write("smsby.yaml", f"{PROJECT}suppress: [out.csv]\n")
    (waiting,) = {one for one in _PHONES if one not in _sent(begun)} - set(
        sorted(set(_PHONES) - _sent(begun))[1:]
    )
    begun.write("out.csv", f"phone\n{waiting}\n")
    _due(begun, _AFTER)
    _due(begun, _AFTER + _LATER)
    assert _sent(begun) == set(_PHONES) - {waiting}
    assert "19 of 19 recipients delivered" in (said := begun.run("status").out)
    assert "intended" not in said


def test_wave_of_late_opt_outs_reaches_no_verdict(shop: Shop) -> None:
    """If all recipients of a wave have opted out, there is nothing to judge, and the mailing stops."""
    shop.settings(delay=0, fates=_DELIVERED)
    _write(shop)
    shop.run("apply", "--auto-approve")
    first = _sent(shop)
    requests.post(f"{shop.url}/_sandbox/reset", json={}, timeout=5).raise_for_status()
    (shop.root / "smsby.lock.json").unlink()
    shop.write("smsby.yaml", f"{PROJECT}suppress: [out.csv]\n")
    shop.write("out.csv", "phone\n" + "".join(f"{phone}\n" for phone in first))
    said = shop.run("apply", "--auto-approve").out
    assert "wave 1 of 3 was sent; `apply --due` judges it from" in said, said
    assert _due(shop, _AFTER, code=4)["outcome"] == "skipped"
    assert not _sent(shop)


def test_opt_outs_that_are_gone_stop_later_waves(shop: Shop) -> None:
    """A recipient who had opted out when the waves were approved is not in a later wave without a new approval."""
    shop.settings(delay=0, fates=_DELIVERED)
    shop.write("smsby.yaml", f"{PROJECT}suppress: [out.csv]\n")
    out = "phone\n" + "".join(f"{phone}\n" for phone in _PHONES[::2])
    shop.write("out.csv", out)
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    before = _sent(shop)
    shop.write("out.csv", "phone\n")
    assert _action(shop)["reason_code"] == _action(shop, _AFTER)["reason_code"] == "changed"
    assert "restore the opt-outs" in _due(shop, _AFTER, code=4)["error"]
    assert _sent(shop) == before
    shop.write("out.csv", out)
    assert _due(shop, _AFTER)["outcome"] == "sent"


def test_lost_lock_sends_no_wave(begun: Shop) -> None:
    """If the lock is lost, no wave is sent until a user says whether the unlisted ones were."""
    (begun.root / "smsby.lock.json").unlink()
    assert _action(begun, _AFTER)["reason_code"] == "unknown"
    assert _at(begun, _AFTER, "apply", "--auto-approve", code=6)
    assert len(_sent(begun)) == 6
    assert begun.run("lock", "resolve", "sale/vip", "--not-sent").code == 0
    assert (
        _action(begun, _AFTER)["action"] == "waiting"
    )  # the time it was sent is not known, so it counts from now
    assert _due(begun, _AFTER * 2 + 60)["outcome"] == "sent"
    _sent(begun)


def test_renamed_mailing_is_found_without_the_lock(begun: Shop) -> None:
    """After a rename and a lost lock, the first wave is found under its old name, and none of its recipients gets another."""
    (begun.root / "smsby.lock.json").unlink()
    begun.write("sale.yaml", (begun.root / "sale.yaml").read_text().replace("name: vip", "name: best"))
    assert _action(begun)["reason_code"] == "collision"
    assert begun.run("apply", "--auto-approve").code == 4
    assert len(_sent(begun)) == 6


def test_waves_with_variants_and_a_window(shop: Shop) -> None:
    """In a mailing with waves and variants each chunk has one wave and one variant, and each recipient gets one text."""
    shop.settings(delay=0, fates=_DELIVERED)
    time = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)  # noqa: TID251
    _write(shop, waves=f"[{_FIRST}, {_SECOND.replace('share: 30', 'people: 6')}, rest]")
    text = (shop.root / "sale.yaml").read_text()
    variants = "[{name: a, share: 40, text: Hello}, {name: b, share: 40, text: Bye}, {name: control, share: 20, send: false}]"
    head = f"schedule_time: {time:%Y-%m-%dT%H:%M:%S}Z\nrelease: {{before: 12h, at_latest: 20m}}\nmailings:"
    shop.write("sale.yaml", text.replace("text: Hello", f"variants: {variants}").replace("mailings:", head))
    assert _action(shop)["action"] == "hold"
    assert shop.run("apply", "--auto-approve").code == 0
    opened = 40 * 3600.0
    assert _due(shop, opened)["outcome"] == "sent"
    command = {"set": (time + timedelta(minutes=1)).isoformat()}
    requests.post(f"{shop.url}/_sandbox/clock", json=command, timeout=5).raise_for_status()
    assert (
        _action(shop, opened)["action"] == "waiting"
    )  # the first wave is scheduled, so it is judged after its time
    said = _at(shop, opened, "status").out
    shares = re.findall(
        r"variant [ab]: (\d+) of (\d+) recipients? delivered \(100.0%\), \d+ recipients? in later", said
    )
    assert sum(int(size) for _, size in shares) == 6, said  # only recipients whose wave has come
    ahead = 48 * 3600.0 + _AFTER
    second = _due(shop, ahead)
    assert second["outcome"] == "sent", second
    assert _due(shop, ahead + _LATER)["outcome"] == "sent"
    chunks = shop.lock()["mailings"]["sale/vip"]["chunks"]
    assert {(one["wave"], one["variant"]) for one in chunks} >= {(1, "a"), (1, "b"), (3, "a"), (3, "b")}
    rows = shop.run("recipients", "sale/vip", "--unmask").out
    assert rows.count("accepted") == len(_sent(shop)) == 20 - rows.count("control") // 2


def test_rehearsal_has_no_waves(shop: Shop) -> None:
    """In a sandbox a rehearsal sends all waves at once."""
    shop.settings(delay=0, fates=_DELIVERED)
    _write(shop)
    assert "ONE_WAVE" not in shop.run("--env", "sandbox", "plan").out
    done = shop.run("--env", "sandbox", "apply", "--auto-approve", "--format", "json")
    assert (done.code, done.json["mailings"][0]["recipients"]) == (0, 20), done.err
    assert _sent(shop) == set(_PHONES)


def test_go_of_the_figures_holds_for_a_day(begun: Shop) -> None:
    """The go-ahead by delivery figures is valid for a day: a wave that was held up longer needs a user."""
    begun.write("smsby.yaml", f"{PROJECT}freeze: the shop is closed\n")
    assert _due(begun, _AFTER, code=4)["error"].startswith("frozen: ")
    assert [kind for _, kind, _ in _verdicts(begun)] == ["go"]
    begun.write("smsby.yaml", PROJECT)
    late = _AFTER + 25 * 3600
    assert "but wave 2 was not sent within a day of" in _due(begun, late, code=4)["error"]
    assert _action(begun, late)["reason_code"] == "wave"
    assert len(_sent(begun)) == 6
    assert begun.run("lock", "resolve", "sale/vip", "--go", "--reason", "open again").code == 0
    assert _due(begun, late)["outcome"] == "sent"
