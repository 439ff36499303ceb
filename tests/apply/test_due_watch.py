"""due_watch hands over what waits when its window opens, and waits for outages to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.apply.context import ApplyRequest
from smsby_deploy.apply.due_watch import watch_due
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import LockHeld, OutcomeUnknown, StoreUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.git_store import GitStore
from smsby_deploy.lock.records import EntryState
from smsby_deploy.lock.shared import SharedLockStore
from smsby_deploy.smsby.response import Answer
from smsby_deploy.texts import pattern_search
from tests.apply.fake_dispatch import VirtualClock
from tests.apply.fake_smsby import EMPTY_LIST, OFFLINE, PHONES, Shop, ok
from tests.apply.waiting_mailings import (
    ACCEPTED,
    HOUR,
    Waves,
    approve,
    listed,
    outcomes,
    state,
    to,
    write_sale,
)
from tests.shared_stores import limit_remote


def _at(shop: Shop, seconds: float, what: Callable[[], object]) -> None:
    assert isinstance(shop.clock, VirtualClock)
    shop.clock.at(seconds, lambda: [what(), None][1])


def test_watch_waits_for_every_window(waiting: Shop) -> None:
    """A watch hands over what is due now, later or approved meanwhile, and ends when nothing waits."""
    waiting.sms_by.script("getSMSMessages", lambda params: listed(waiting))
    first, second = to(PHONES[0]), to(PHONES[1], more=", release: {before: 40m, at_latest: 30m}")
    approve(waiting, a=first, b=second)
    _at(waiting, 600, lambda: approve(waiting, a=first, b=second, c=to(PHONES[2])))
    result = watch_due(waiting.request())
    assert outcomes(result) == {"a": "sent", "c": "sent", "b": "sent"}
    assert result.exit_code is ExitCode.DONE
    assert {action.address for action in result.plan.actions} == {"sale/a", "sale/b", "sale/c"}
    assert HOUR <= waiting.clock.monotonic() - 1200 < HOUR + 60


def test_watch_counts_no_searches_of_earlier_runs(waiting: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern's time in an earlier run does not count in a later run of the same watch."""
    monkeypatch.setattr(pattern_search, "_spent", {})
    monkeypatch.setattr(pattern_search, "_slow", {})
    waiting.configure(release="{before: 1h, at_latest: 30m}", guardrails="{required_words: ['(H|He)+llo']}")
    approve(waiting, a=to(PHONES[0]))
    pattern_search._slow["(H|He)+llo"] = "took too long"
    assert outcomes(watch_due(waiting.request())) == {"a": "sent"}


def test_watch_ends_by_a_signal(waiting: Shop) -> None:
    """After a signal the result has what was done, and what waits is left to the next run."""
    approve(waiting, a=to(PHONES[0]))
    _at(waiting, 600, lambda: signal.raise_signal(signal.SIGTERM))
    result = watch_due(waiting.request())
    assert (result.mailings, result.exit_code) == ((), ExitCode.DONE)
    assert waiting.clock.monotonic() < 601
    assert state(waiting, "a") is EntryState.WAITING


def test_watch_ends_by_a_signal_within_a_hand_over(waiting: Shop) -> None:
    """A signal lets the request in flight be recorded; the mailing of the next plan is left to the next run."""

    def take(params: object) -> Answer:
        signal.raise_signal(signal.SIGTERM)
        return ACCEPTED

    waiting.sms_by.script("sendBulkSms", take)
    approve(waiting, a=to(PHONES[0]))
    approve(waiting, a=to(PHONES[0]), b=to(PHONES[1]))
    result = watch_due(waiting.request())
    assert outcomes(result) == {"a": "sent"}
    assert waiting.clock.monotonic() < HOUR + 60
    assert (state(waiting, "a"), state(waiting, "b")) == (EntryState.COMPLETE, EntryState.WAITING)
    assert len(waiting.sms_by.named("sendBulkSms")) == 1


@pytest.mark.parametrize("method", ["getSMSMessages", "sendBulkSms"])
def test_watch_tries_again_until_the_window_is_over(method: str, waiting: Shop) -> None:
    """After a short outage the hand-over is tried again, and only a mailing's last result counts."""
    approve(waiting, a=to(PHONES[0]))
    good = EMPTY_LIST if method == "getSMSMessages" else ACCEPTED
    waiting.sms_by.script(method, OFFLINE)
    _at(waiting, HOUR + 300, lambda: waiting.sms_by.script(method, good))
    result = watch_due(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "sent"}, ExitCode.DONE)
    assert HOUR + 300 <= waiting.clock.monotonic() < HOUR + 400
    assert sum("trying again until" in line for line in waiting.lines) == 1


def test_watch_ends_with_what_it_missed(waiting: Shop) -> None:
    """After an outage as long as the window, the watch ends and reports the missed mailing."""
    approve(waiting, a=to(PHONES[0]))
    waiting.sms_by.script("getSMSMessages", OFFLINE)
    result = watch_due(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.REFUSED)
    assert (result.mailings[0].error or "").startswith("expired: ")
    assert waiting.sms_by.changes() == []


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [("UNDELIVERED", "partial", ExitCode.REFUSED), ("SENT", "sent", ExitCode.DONE)],
)
def test_watch_reports_a_wave_before_a_stop(word: str, outcome: str, code: ExitCode, waves: Waves) -> None:
    """The result has a wave that the watch sent, even if the next one was stopped or has no verdict yet."""
    shop, made = waves
    made |= {"u-0": "DELIVERED", "u-1": "DELIVERED", "u-2": word}
    _at(shop, 2.5 * HOUR, lambda: signal.raise_signal(signal.SIGTERM))
    result = watch_due(shop.request())
    assert (outcomes(result), result.exit_code) == ({"vip": outcome}, code)
    assert "u-2" in result.mailings[0].uuids
    assert bool(result.mailings[0].error) is (outcome == "partial")


def test_watch_counts_every_wave_that_it_sent(waves: Waves) -> None:
    """The result has the recipients and the cost of all waves that the watch sent, not only of the last one."""
    shop, made = waves
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "price: {currency: BYN, per_part: 1}\n")
    made |= {"u-0": "DELIVERED", "u-1": "DELIVERED", "u-2": "DELIVERED"}
    result = watch_due(shop.request())
    assert (outcomes(result), result.mailings[0].recipients) == ({"vip": "sent"}, 2)
    assert len(result.mailings[0].uuids) == 4
    assert result.sent is not None
    assert (result.sent.recipients, result.sent.recipients_now, result.sent.cost) == (2, 2, 2)


def test_watch_reports_every_revision_for_itself(waiting: Shop) -> None:
    """If a later revision fails in the same watch, its result has no ids of the one that was sent."""
    waiting.sms_by.script("getSMSMessages", lambda params: listed(waiting))
    later = to(PHONES[1], more=", schedule_time: 2026-12-01T15:00:00")
    approve(waiting, a=to(PHONES[0]), b=later)

    def raise_revision() -> None:
        again = to(PHONES[0], more=", revision: 2, schedule_time: 2026-12-01T14:00:00")
        write_sale(waiting, a=again, b=later)
        apply_plan(waiting.request())
        write_sale(waiting, a=again.replace("Hello", "Bye"), b=later)

    _at(waiting, 2 * HOUR + 600, raise_revision)
    result = watch_due(waiting.request())
    found = [(one.address, one.outcome.value, one.uuids) for one in result.mailings]
    assert found == [
        ("sale/a", "sent", ["cc9c8043"]),
        ("sale/a", "skipped", []),
        ("sale/b", "sent", ["cc9c8043"]),
    ]
    assert result.exit_code is ExitCode.REFUSED


def test_watch_adds_up_what_each_revision_cost(waiting: Shop) -> None:
    """The totals have the recipients and the cost of both revisions; only the one that is not gone is scheduled."""
    waiting.sms_by.script("getSMSMessages", lambda params: listed(waiting))
    later = to(PHONES[1], more=", schedule_time: 2026-12-01T15:00:00")
    approve(waiting, a=to(*PHONES), b=later)
    again = to(PHONES[0], more=", revision: 2, schedule_time: 2026-12-01T14:50:00")
    _at(
        waiting,
        2 * HOUR + 600,
        lambda: [write_sale(waiting, a=again, b=later), apply_plan(waiting.request())],
    )
    result = watch_due(waiting.request())
    sizes = [(one.address, one.revision, one.recipients) for one in result.mailings if one.outcome == "sent"]
    assert sizes == [("sale/a", 1, len(PHONES)), ("sale/a", 2, 1), ("sale/b", 1, 1)]
    assert result.sent is not None
    assert (result.sent.recipients_now, result.sent.cost) == (len(PHONES) + 2, len(PHONES) + 2)
    assert result.scheduled == {("sale/a", 2), ("sale/b", 1)}


def test_watch_waits_for_another_run(waiting: Shop) -> None:
    """A held lock is tried again while a mailing waits; if none does, it is an error."""
    approve(waiting, a=to(PHONES[0]))
    other = waiting.store.held()
    _at(waiting, 60, other.__enter__)
    _at(waiting, HOUR + 300, lambda: other.__exit__(None, None, None))
    result = watch_due(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "sent"}, ExitCode.DONE)
    assert any("another run holds the lock" in line for line in waiting.lines)
    with pytest.raises(LockHeld), waiting.store.held():
        apply_plan(waiting.request())


def _in_git(shop: Shop, checkout: Path) -> ApplyRequest:
    """Return the request for an apply whose lock is in a git branch."""
    git = GitStore(checkout, "origin", "refs/heads/smsby-lock", "shop.production", os.environ)
    path = shop.root / ".smsby" / "production.shared.lock.json"
    lock = SharedLockStore(path, "shop", "production", shared=git, clock=SystemClock())
    return replace(shop.request(), store=lock)


def _approved_in_git(shop: Shop, checkout: Path) -> ApplyRequest:
    """Return the request for a watch in which a mailing waits for two more minutes."""
    request = _in_git(shop, checkout)
    write_sale(shop, a=to(PHONES[0]))
    assert apply_plan(request).exit_code is ExitCode.DONE
    shop.clock.sleep(HOUR - 120)
    return request


def test_watch_waits_for_a_store_that_is_away(waiting: Shop, git_remote: Path) -> None:
    """A shared lock that cannot be read is read again, unless it is not known whether any mailing waits."""
    request = _approved_in_git(waiting, git_remote)
    remote, away = git_remote.parent / "remote.git", git_remote.parent / "away.git"
    _at(waiting, HOUR - 60, lambda: remote.rename(away))
    _at(waiting, HOUR + 300, lambda: away.rename(remote))
    result = watch_due(request)
    assert (outcomes(result), result.exit_code) == ({"a": "sent"}, ExitCode.DONE)
    assert HOUR + 300 <= waiting.clock.monotonic() < HOUR + 400
    assert sum("cannot read the lock" in line for line in waiting.lines) == 1
    remote.rename(away)
    with pytest.raises(StoreUnavailable):
        watch_due(request)


def test_watch_waits_for_a_store_that_goes_away_later(waiting: Shop, git_remote: Path) -> None:
    """If the store fails before the first intent, nothing was sent, so the watch waits for it."""
    request = _approved_in_git(waiting, git_remote)
    remote, away = git_remote.parent / "remote.git", git_remote.parent / "away.git"
    waiting.clock.sleep(120)

    def go_away(params: object) -> Answer:
        if not away.exists() and waiting.clock.monotonic() < HOUR + 300:
            remote.rename(away)
        return EMPTY_LIST

    waiting.sms_by.script("getSMSMessages", go_away)
    _at(waiting, HOUR + 300, lambda: away.rename(remote))
    result = watch_due(request)
    assert (outcomes(result), result.exit_code) == ({"a": "sent"}, ExitCode.DONE)
    assert HOUR + 300 <= waiting.clock.monotonic() < HOUR + 400
    assert len(waiting.sms_by.named("sendBulkSms")) == 1
    assert any("cannot write the journal" in line for line in waiting.lines)


def test_watch_keeps_what_it_sent_before_the_store_went_away(waiting: Shop, git_remote: Path) -> None:
    """A hand-over before the store failed stays in the result, and the mailing of the other plan is tried again."""
    request = _approved_in_git(waiting, git_remote)
    write_sale(waiting, a=to(PHONES[0]), b=to(PHONES[1]))
    assert apply_plan(request).exit_code is ExitCode.DONE
    remote = git_remote.parent / "remote.git"
    waiting.clock.sleep(120)

    def fill_before_second(params: object) -> Answer:
        if len(waiting.sms_by.named("sendBulkSms")) == 1:
            limit_remote(remote, 0 if waiting.clock.monotonic() < HOUR + 300 else None)
        return ok({"balance": "100.00", "currency": "BYN"})

    waiting.sms_by.script("getSMSMessages", lambda params: listed(waiting))
    waiting.sms_by.script("getBalance", fill_before_second)
    _at(waiting, HOUR + 300, lambda: limit_remote(remote, None))
    result = watch_due(request)
    assert (outcomes(result), result.exit_code) == ({"a": "sent", "b": "sent"}, ExitCode.DONE)
    assert len(waiting.sms_by.named("sendBulkSms")) == 2
    assert any("cannot write the journal" in line for line in waiting.lines)


def test_report_has_what_could_not_be_judged(waves: Waves, git_remote: Path) -> None:
    """If the store fails after one mailing was reported, the remaining ones are reported, too."""
    shop, made = waves
    request, campaign = _in_git(shop, git_remote), shop.root / "sale.yaml"
    campaign.write_text(campaign.read_text().replace("    text:", "    revision: 2\n    text:"))
    shop.write(
        "late.yaml",
        "version: 1\ncampaign: late\nschedule_time: 2026-12-01T12:00:00\nmailings:\n"
        f"  - {{name: b, text: Hi, recipients: ['{PHONES[5]}'], release: {{before: 1h, at_latest: 30m}}}}\n",
    )
    assert apply_plan(request).exit_code is ExitCode.DONE
    shop.clock.sleep(1.7 * HOUR)  # the window of late/b is over, and the wave may be judged

    def fill_and_report(params: Mapping[str, Any]) -> Answer:
        limit_remote(git_remote.parent / "remote.git", 0)
        return made.report(params)

    made.update(dict.fromkeys(made.names, "DELIVERED"))
    shop.sms_by.script("statusBulkSms", fill_and_report)
    result = hand_over(request)
    assert outcomes(result) == {"late/b": "skipped", "vip": "skipped"}
    assert "cannot write the lock" in (result.mailings[1].error or "")
    assert len(made.names) == 4


def test_watch_ends_if_the_store_goes_away_after_a_send(waiting: Shop, git_remote: Path) -> None:
    """If the store fails after a send the watch ends, since no later result would show what was sent."""
    request = _approved_in_git(waiting, git_remote)

    def list_and_fill(params: object) -> Answer:
        if waiting.sms_by.named("sendBulkSms"):
            limit_remote(git_remote.parent / "remote.git", 0)
        return listed(waiting)

    waiting.sms_by.script("getSMSMessages", list_and_fill)
    with pytest.raises(StoreUnavailable, match="cannot write the lock to refs/heads/smsby-lock of origin"):
        watch_due(request)
    assert len(waiting.sms_by.named("sendBulkSms")) == 1


def test_watch_ends_if_a_result_is_not_recorded(waiting: Shop, git_remote: Path) -> None:
    """If a result cannot be recorded the watch ends: a user must settle it, and the next look would not know it."""
    request = _approved_in_git(waiting, git_remote)
    remote = git_remote.parent / "remote.git"

    def accept_when_full(params: object) -> Answer:
        limit_remote(remote, 0)
        return ACCEPTED

    waiting.sms_by.script("sendBulkSms", accept_when_full)
    with pytest.raises(OutcomeUnknown):
        watch_due(request)
    assert len(waiting.sms_by.named("sendBulkSms")) == 1


def test_watch_shows_what_it_sent_before_it_failed(waiting: Shop) -> None:
    """What was handed over is in the result even if the watch ends with an error."""
    waiting.sms_by.script("getSMSMessages", lambda params: listed(waiting))
    late = to(PHONES[1], more=", release: {before: 40m, at_latest: 30m}")
    approve(waiting, a=to(PHONES[0]), b=late)
    _at(waiting, HOUR + 60, lambda: waiting.configure(colour="red"))
    _at(waiting, HOUR + 900, lambda: signal.raise_signal(signal.SIGTERM))
    result = watch_due(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "sent"}, ExitCode.FILES_INVALID)
    assert any("unknown key colour" in line for line in waiting.lines)
