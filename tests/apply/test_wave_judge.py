"""Verdicts on a wave by what sms.by reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.apply.apply_result import ApplyResult
from smsby_deploy.apply.due_watch import watch_due
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.apply.wave_judge import judge
from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Wave
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.decisions import VerdictKind
from smsby_deploy.lock.records import Entry
from smsby_deploy.plan.waves import WaveFigures
from tests.apply.fake_dispatch import VirtualClock
from tests.apply.fake_smsby import OFFLINE, PHONES, Shop, error, ok
from tests.apply.waiting_mailings import Waves


@pytest.fixture
def begun(tmp_path: Path) -> Shop:
    """A shop whose first wave of two was sent with the uuid cc9c8043, and is listed."""
    shop = Shop(tmp_path, clock=VirtualClock())
    shop.sms_by.script("sendBulkSms", ok({"uuid": "cc9c8043", "success": "OK"}))
    rows = ", ".join(f"'{phone}'" for phone in PHONES[:4])
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\nmailings:\n  - name: vip\n    recipients: [{rows}]\n    text: Hello\n"
        "    waves: [{people: 2, after: 1h, give_up: 3h, delivered: 50, undelivered: 0}, rest]\n",
    )
    assert apply_plan(shop.request()).exit_code is ExitCode.DONE
    shop.sms_by.script("getSMSMessages", ok([{"id": 7, "name": _name(shop), "status": "NEW"}]))
    return shop


def _entry(shop: Shop) -> Entry:
    return shop.lock().mailings["sale/vip"]


def _name(shop: Shop) -> str:
    """Return the name of the chunk of the first wave."""
    chunks = _entry(shop).chunks
    (index,) = (index for index, chunk in enumerate(chunks) if chunk.wave == 1)
    return f"sale/vip [{index + 1}/{len(chunks)}] shop#{chunks[index].fingerprint}"


def _report(shop: Shop, *words: str) -> None:
    phones = [{"phone": phone, "status": word} for phone, word in zip(PHONES, words, strict=False)]
    shop.sms_by.script("statusBulkSms", ok([{"message_id": 7, "name": _name(shop), "success": phones}]))


def _due(shop: Shop, seconds: float = 3600.0) -> ApplyResult:
    shop.clock.sleep(seconds)
    return hand_over(shop.request())


def test_verdict_does_not_follow_from_messages_of_others(begun: Shop) -> None:
    """If sms.by reports more messages than the wave has recipients, there is no verdict, as any could be another's."""
    _report(begun, "DELIVERED", "SENT", "SENT")
    result = _due(begun)
    assert _entry(begun).verdicts == ()
    assert "0 of 2 recipients delivered" in result.mailings[0].waits


@pytest.mark.parametrize(
    ("words", "kinds", "sends"),
    [
        (("DELIVERED", "SENT"), ["go"], 2),
        (("DELIVERED",), ["go"], 2),  # the other one is not reported yet
        (("SENT", "NEW"), [], 1),
        (("odd word", "SENT"), [], 1),
        ((), [], 1),
        (("DELIVERED", "UNDELIVERED"), ["stop"], 1),
    ],
)
def test_verdict_follows_from_reports(
    begun: Shop, words: tuple[str, ...], kinds: list[str], sends: int
) -> None:
    """The reports decide between go, stop and no verdict yet, and only a "go" sends the next wave."""
    _report(begun, *words)
    result = _due(begun)
    assert [one.kind for one in _entry(begun).verdicts] == kinds
    assert begun.sms_by.changes().count("sendBulkSms") == sends
    assert result.exit_code is (ExitCode.REFUSED if kinds == ["stop"] else ExitCode.DONE)
    (mailing,) = result.mailings
    assert bool(mailing.waits) == (not kinds)
    assert mailing.was_judged == (kinds == ["stop"])


def test_failures_under_another_key_are_undelivered(begun: Shop) -> None:
    """An entry of statusBulkSms outside `success` is final and undelivered."""
    failed = [{"phone": PHONES[0], "error": "blocked"}]
    begun.sms_by.script("statusBulkSms", ok([{"message_id": 7, "name": _name(begun), "rejected": failed}]))
    assert _due(begun).exit_code is ExitCode.REFUSED
    (verdict,) = _entry(begun).verdicts
    assert (verdict.kind, verdict.recipients, verdict.delivered, verdict.undelivered) == ("stop", 2, 0, 1)


def test_wave_is_not_judged_without_an_answer(begun: Shop) -> None:
    """An error of sms.by is not a verdict, and an outage has its own exit code."""
    begun.sms_by.script("statusBulkSms", error("internal"))
    result = _due(begun)
    assert (result.exit_code, _entry(begun).verdicts) == (ExitCode.DONE, ())
    begun.sms_by.script("statusBulkSms", OFFLINE)
    result = _due(begun, 60.0)
    assert (result.exit_code, _entry(begun).verdicts) == (ExitCode.UNREACHABLE, ())
    assert begun.sms_by.changes().count("sendBulkSms") == 1


def test_wave_is_judged_by_its_own_messages(waves: Waves) -> None:
    """A wave is judged by its own messages: after a delivered first wave, an undelivered second one stops the rest."""
    shop, made = waves
    made.update({"u-0": "DELIVERED", "u-1": "DELIVERED", "u-2": "UNDELIVERED"})
    assert _due(shop).exit_code is ExitCode.DONE
    assert _due(shop).exit_code is ExitCode.REFUSED
    figures = [(one.kind, one.recipients, one.delivered) for one in _entry(shop).verdicts]
    assert figures == [("go", 2, 2), ("stop", 1, 0)]
    assert len(made.names) == 3


@pytest.mark.parametrize("unread", [["u-0"], ["u-0", "u-1"]])
def test_wave_with_an_unread_report_is_not_judged(unread: list[str], waves: Waves) -> None:
    """A wave with an unreadable report is neither judged nor, when its time is over, stopped."""
    shop, made = waves
    made.update({"u-1": "DELIVERED"} | dict.fromkeys(unread, "unusable"))
    for seconds in (3600.0, 10_000.0):
        result = _due(shop, seconds)
        assert (result.exit_code, _entry(shop).verdicts) == (ExitCode.UNREACHABLE, ())
    assert len(made.names) == 2


def test_nothing_is_asked_before_a_wave_can_be_judged(begun: Shop) -> None:
    """Before a wave can be judged, no request is made, so a run every minute costs nothing."""
    asked = len(begun.sms_by.calls)
    result = _due(begun, 3000.0)
    assert (len(begun.sms_by.calls), result.mailings) == (asked, ())
    assert result.next_opening is not None


def test_reports_of_another_mailing_do_not_count(begun: Shop) -> None:
    """Only messages with the name or id of the chunk count for its wave, though a request may have several mailings."""
    phones = [{"phone": phone, "status": "DELIVERED"} for phone in PHONES[:2]]
    begun.sms_by.script(
        "statusBulkSms", ok([{"message_id": 8, "name": "sale/other shop#0123456789", "success": phones}])
    )
    assert _due(begun).exit_code is ExitCode.DONE
    assert _entry(begun).verdicts == ()


@pytest.mark.parametrize(("seconds", "reads"), [(0.0, 3), (1.5, 4)], ids=["at once", "slow answer"])
def test_plan_uses_the_list_of_the_verdict(begun: Shop, seconds: float, reads: int) -> None:
    """The plan uses the list of the verdict for half of `reconcile_seconds`; before a wave is sent it is read anew."""
    phones = [{"phone": PHONES[0], "status": "DELIVERED"}]
    answer = ok([{"message_id": 7, "name": _name(begun), "success": phones}])
    begun.sms_by.script("statusBulkSms", lambda params: [begun.clock.sleep(seconds), answer][1])
    before = len(begun.sms_by.named("getSMSMessages"))
    assert _due(begun).mailings[0].outcome == "sent"
    assert len(begun.sms_by.named("getSMSMessages")) - before == reads


def test_watch_sends_all_waves(begun: Shop) -> None:
    """A watch asks again until there is a verdict, and ends with the last wave."""
    phones = [{"phone": PHONES[0], "status": "DELIVERED"}]
    answers = [ok([])] * 3 + [ok([{"message_id": 7, "name": _name(begun), "success": phones}])]
    begun.sms_by.script("statusBulkSms", *answers)
    result = watch_due(begun.request())
    assert result.exit_code is ExitCode.DONE
    assert _entry(begun).is_complete
    assert any("no verdict yet" in line for line in begun.lines)


_HOUR = timedelta(hours=1)
_NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
_STEP = Wave(size=2, after=_HOUR, give_up=6 * _HOUR, delivered=90, undelivered=5)
_OPEN = Window(_NOW - _HOUR, _NOW + _HOUR)


@pytest.mark.parametrize(
    ("figures", "step", "verdict"),
    [
        ((100, 90, 5), _STEP, "go"),
        ((100, 89, 5), _STEP, None),  # the last ones can still be delivered
        ((100, 90, 6), _STEP, "stop"),
        ((99, 94, 5), _STEP, "stop"),  # 5.05 are more than 5
        ((100, 0, 0), _STEP, None),
        ((0, 0, 0), _STEP, "stop"),  # no recipient got it, so nothing is known
        ((100, 89, 10), Wave(delivered=90), None),
        ((100, 89, 11), Wave(delivered=90), "stop"),  # 90 can no longer be reached
        ((100, 90, 10), Wave(delivered=90), "go"),
        ((100, 0, 5), Wave(undelivered=5), None),  # no reports are not a success
        ((100, 94, 5), Wave(undelivered=5), None),
        ((100, 95, 5), Wave(undelivered=5), "go"),
        ((100, 95, 6), Wave(undelivered=5), "stop"),
        ((3, 2, 0), Wave(delivered=67), None),  # 66.7 is less than 67
        ((100, 100, 0), Wave(delivered=100, undelivered=0), "go"),
        ((100, 99, 1), Wave(delivered=100), "stop"),
    ],
)
def test_judge(figures: tuple[int, int, int], step: Wave, verdict: str | None) -> None:
    """A wave is judged as go, stop, or no verdict yet."""
    assert judge(WaveFigures(*figures), step, _OPEN, _NOW) == verdict


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50))
def test_no_verdict_after_the_last_moment_is_go(delivered: int, undelivered: int, open_: int) -> None:
    """At the last moment a wave without a "go" stops the mailing, whatever the figures are."""
    figures = WaveFigures(delivered + undelivered + open_, delivered, undelivered)
    assert judge(figures, _STEP, _OPEN, _OPEN.closes) is VerdictKind.STOP


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 100), st.integers(0, 100))
def test_more_reports_never_reverse_a_verdict(
    sent: int, delivered: int, undelivered: int, least: int, most: int
) -> None:
    """A stop by figures is never reversed by further deliveries, so a verdict can be given early."""
    delivered = min(delivered, sent)
    undelivered = min(undelivered, sent - delivered)
    step = Wave(delivered=least, undelivered=most)
    all_delivered = WaveFigures(sent, sent - undelivered, undelivered)
    if judge(WaveFigures(sent, delivered, undelivered), step, _OPEN, _NOW) is VerdictKind.STOP:
        assert judge(all_delivered, step, _OPEN, _NOW) is VerdictKind.STOP
