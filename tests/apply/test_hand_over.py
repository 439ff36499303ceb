"""hand_over sends approved mailings within their windows, and a problem with one does not stop others."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from smsby_deploy.apply.apply_result import NextStep
from smsby_deploy.apply.hand_over import hand_over
from smsby_deploy.apply.run import apply_plan
from smsby_deploy.errors import SmsbyDeployError, UsageError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock import journal
from smsby_deploy.lock.records import ChunkState, EntryState
from tests.apply.fake_smsby import EMPTY_LIST, LOST, OFFLINE, PHONES, Shop, error, ok
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
from tests.permissions import ordinary_permissions


def _pass(shop: Shop, seconds: float) -> None:
    shop.clock.sleep(seconds)


def test_hand_over_does_what_was_approved(waiting: Shop) -> None:
    """Nothing is sent before the window; within it one request sends all, and the lock keeps the approval."""
    approve(waiting, a=to(PHONES[0]), b=to(PHONES[1]))
    approved = {address: entry.approval for address, entry in waiting.lock().mailings.items()}
    early = hand_over(waiting.request())
    assert (early.mailings, early.exit_code) == ((), ExitCode.DONE)
    assert early.next_opening is not None and early.next_opening.isoformat() == "2026-12-01T11:00:00+03:00"
    _pass(waiting, HOUR)
    done = hand_over(replace(waiting.request(), approve=None))  # it existed before
    assert outcomes(done) == {"a": "sent", "b": "sent"}
    assert (done.exit_code, done.next_opening) == (ExitCode.DONE, None)
    assert waiting.sms_by.changes() == ["sendBulkSms"]
    assert {address: entry.approval for address, entry in waiting.lock().mailings.items()} == approved
    assert [run.plan for run in waiting.lock().applies][1:] == [done.plan.id]
    calls = len(waiting.sms_by.calls)
    assert hand_over(waiting.request()).mailings == ()
    assert len(waiting.sms_by.calls) == calls


def test_hand_over_selects(waiting: Shop) -> None:
    """Only mailings that SELECT matches are handed over; a pattern without a match is an error."""
    approve(waiting, a=to(PHONES[0]), b=to(PHONES[1]))
    _pass(waiting, HOUR)
    request = replace(waiting.request(), select=("sale/b",))
    assert outcomes(hand_over(request)) == {"b": "sent"}
    with pytest.raises(UsageError):
        hand_over(replace(waiting.request(), select=("sale/c",)))


def test_hand_over_of_each_plan_is_judged_by_itself(waiting: Shop) -> None:
    """`max_cost` applies to each approved plan separately, not to all mailings of a hand-over."""
    waiting.configure(
        price="{currency: BYN, per_part: 1}",
        release="{before: 1h, at_latest: 30m}",
        guardrails="{max_cost: 1}",
    )
    approve(waiting, a=to(PHONES[0]))
    approve(waiting, a=to(PHONES[0]), b=to(PHONES[1]))
    _pass(waiting, HOUR)
    assert outcomes(hand_over(waiting.request())) == {"a": "sent", "b": "sent"}


def test_rejected_hand_over_is_recorded(waiting: Shop) -> None:
    """A mailing that sms.by rejects is in the lock, which the user must commit."""
    approve(waiting, a=to(PHONES[0]))
    _pass(waiting, HOUR)
    waiting.sms_by.script("sendBulkSms", error("limit exceeded"))
    result = hand_over(waiting.request())
    assert outcomes(result) == {"a": "rejected"}
    assert NextStep.COMMIT_LOCK in result.next_steps


def test_hand_over_is_one_run_in_the_history(waiting: Shop) -> None:
    """The history has one run per hand-over, however many plans it covers and whatever time passes."""
    first, second = to(PHONES[0]), to(PHONES[1])
    approve(waiting, a=first)
    approve(waiting, a=first, b=second)
    approve(waiting, a=first, b=second, c=to(PHONES[2]))
    _pass(waiting, HOUR)
    write_sale(waiting, a=first, b=second, c=to(PHONES[2], text="Changed"))
    waiting.sms_by.script("sendBulkSms", lambda params: [waiting.clock.sleep(2), ACCEPTED][1])
    assert outcomes(hand_over(waiting.request())) == {"a": "sent", "b": "sent", "c": "skipped"}
    assert waiting.lock().mailings["sale/c"].ending is not None
    assert [(run.mailings, run.recipients) for run in waiting.lock().applies[3:]] == [(2, 2)]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda shop: shop.sms_by.script("getBalance", ok({"balance": "0.5", "currency": "BYN"})), "REFUSED"),
        (lambda shop: shop.sms_by.script("getSMSMessages", OFFLINE), "UNREACHABLE"),
        (lambda shop: shop.sms_by.script("sendBulkSms", OFFLINE), "UNREACHABLE"),
        (lambda shop: shop.sms_by.script("sendBulkSms", error("No such alphaname", 400)), "FAILED"),
    ],
    ids=["balance", "list", "send", "rejected"],
)
def test_hand_over_is_tried_again(spoil: Callable[[Shop], None], code: str, waiting: Shop) -> None:
    """A hand-over that failed and was certainly not sent is repeated by a later run while the window is open."""
    approve(waiting, a=to(PHONES[0]))
    _pass(waiting, HOUR)
    spoil(waiting)
    failed = hand_over(waiting.request())
    assert failed.exit_code is ExitCode[code]
    assert failed.mailings[0].error
    assert failed.next_opening is not None
    for method, answer in (
        ("getBalance", ok({"balance": "9", "currency": "BYN"})),
        ("getSMSMessages", EMPTY_LIST),
    ):
        waiting.sms_by.script(method, answer)
    waiting.sms_by.script("sendBulkSms", ACCEPTED)
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}


def test_unreachable_service_leaves_a_lost_hand_over_unknown(waiting: Shop) -> None:
    """A lost part of a hand-over stays unknown (6) while sms.by is unreachable (7), and 6 is the exit code."""
    project = (waiting.root / "smsby.yaml").read_text()
    waiting.write("smsby.yaml", project.replace("api: {", "api: {recipients_per_request: 1, "))
    approve(waiting, a=to(PHONES[0], PHONES[1]))
    _pass(waiting, HOUR)
    waiting.sms_by.script("sendBulkSms", ACCEPTED, LOST)
    assert outcomes(hand_over(waiting.request())) == {"a": "unknown"}
    waiting.sms_by.script("getSMSMessages", OFFLINE)
    result = hand_over(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
    assert (result.mailings[0].recipients, result.mailings[0].counted) == (2, 1)
    assert waiting.sms_by.changes() == ["sendBulkSms"] * 2


def test_hand_over_without_the_files_of_another(waiting: Shop) -> None:
    """Of two mailings of one approved plan, the one whose sender is gone waits, and the other is handed over."""
    waiting.sms_by.script("getAlphanames", ok({"7": "MyShop", "8": "Other"}))
    approve(waiting, a=to(PHONES[0], more=", alphaname: Other"), b=to(PHONES[1], more=", alphaname: MyShop"))
    waiting.sms_by.script("getAlphanames", ok({"7": "MyShop"}))
    _pass(waiting, HOUR)
    result = hand_over(waiting.request())
    assert outcomes(result) == {"a": "skipped", "b": "sent"}
    assert result.exit_code is ExitCode.FILES_INVALID
    assert state(waiting, "a") is EntryState.WAITING


def test_campaign_that_is_a_broken_link_is_not_removed(waiting: Shop) -> None:
    """A campaign file that is a broken link keeps its approval, fails in its window, and is sent once the link works."""
    approve(waiting, a=to(PHONES[0]))
    (waiting.root / "sale.yaml").rename(waiting.root / "sale")
    (waiting.root / "sale.yaml").symlink_to("nothing")
    assert hand_over(waiting.request()).mailings == ()
    _pass(waiting, HOUR)
    result = hand_over(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.FILES_INVALID)
    assert state(waiting, "a") is EntryState.WAITING
    (waiting.root / "sale.yaml").unlink()
    (waiting.root / "sale.yaml").symlink_to("sale")
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}


@pytest.mark.posix
def test_campaign_in_an_unreadable_folder_is_not_removed(waiting: Shop) -> None:
    """A campaign in an unreadable folder keeps its approval, and fails in its window."""
    approve(waiting, a=to(PHONES[0]))
    folder = waiting.root / "campaigns"
    folder.mkdir()
    (waiting.root / "sale.yaml").rename(folder / "sale.yaml")
    folder.chmod(0)
    _pass(waiting, HOUR)
    with ordinary_permissions():
        result = hand_over(waiting.request())
    folder.chmod(0o700)
    assert (outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.FILES_INVALID)
    assert result.mailings[0].error == "campaigns: cannot read the folder: Permission denied"
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}


def test_hand_over_without_its_own_file(waiting: Shop) -> None:
    """A mailing whose file cannot be read is reported in its window, not before, and keeps its approval."""
    approve(waiting, a=to(PHONES[0]))
    text = (waiting.root / "sale.yaml").read_text()
    waiting.write("sale.yaml", text + "  - [\n")
    assert hand_over(waiting.request()).mailings == ()
    _pass(waiting, HOUR)
    result = hand_over(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.FILES_INVALID)
    waiting.write("sale.yaml", text)
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}


def test_lost_answer_of_a_hand_over_is_never_repeated(waiting: Shop) -> None:
    """After a lost answer, later runs look for the mailing and send nothing."""
    approve(waiting, a=to(PHONES[0]))
    mark = waiting.lock().mailings["sale/a"].chunks[0].fingerprint
    _pass(waiting, HOUR)
    waiting.sms_by.script("sendBulkSms", LOST)
    lost = hand_over(waiting.request())
    assert (outcomes(lost), lost.exit_code) == ({"a": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
    again = hand_over(waiting.request())
    assert (outcomes(again), again.exit_code) == ({"a": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
    waiting.sms_by.script("getSMSMessages", ok([{"id": 7, "name": f"sale/a shop#{mark}", "status": "NEW"}]))
    found = hand_over(waiting.request())
    assert (outcomes(found), found.exit_code) == ({"a": "adopted"}, ExitCode.DONE)
    assert waiting.sms_by.changes() == ["sendBulkSms"]


def test_older_lock_hands_nothing_over_twice(waiting: Shop) -> None:
    """With a lock from before the hand-over, the list of sms.by shows that the mailing was sent, so it is not sent again."""
    approve(waiting, a=to(PHONES[0]))
    older = waiting.store.path.read_bytes()
    mark = waiting.lock().mailings["sale/a"].chunks[0].fingerprint
    _pass(waiting, HOUR)
    hand_over(waiting.request())
    waiting.store.path.write_bytes(older)
    waiting.sms_by.script("getSMSMessages", ok([{"id": 7, "name": f"sale/a shop#{mark}", "status": "NEW"}]))
    assert outcomes(hand_over(waiting.request())) == {"a": "adopted"}
    assert waiting.sms_by.changes() == ["sendBulkSms"]
    assert state(waiting, "a") is EntryState.COMPLETE


def test_raised_revision_replaces_what_waits(waiting: Shop) -> None:
    """A raised revision makes the waiting one withdrawn, and only the new one is handed over."""
    approve(waiting, a=to(PHONES[0]))
    approve(waiting, a=to(PHONES[0], text="Better", more=", revision: 2"))
    (older,) = waiting.lock().mailings["sale/a"].earlier
    assert older.state is EntryState.WITHDRAWN
    _pass(waiting, HOUR)
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}
    (sent,) = waiting.sms_by.named("sendBulkSms")
    assert b"Better" in sent["messages"] and b" r2 " in sent["messages"]


def test_revision_that_is_taken_back_lapses(waiting: Shop) -> None:
    """If the files go back to an older revision, the newer one is not handed over."""
    approve(waiting, a=to(PHONES[0], more=", revision: 2"))
    write_sale(waiting, a=to(PHONES[0]))
    _pass(waiting, HOUR)
    result = hand_over(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.REFUSED)
    assert state(waiting, "a") is EntryState.WITHDRAWN


@pytest.mark.parametrize("text", ["text: Better", "text: Hello, revision: 2"])
def test_changed_mailing_lapses_before_its_window(text: str, waiting: Shop) -> None:
    """A changed mailing lapses before its window; its recipients are not read, and sms.by is only asked for the list."""
    approve(waiting, a=to(PHONES[0]))
    write_sale(waiting, a=to(PHONES[0]).replace("text: Hello", text))
    calls = len(waiting.sms_by.calls)
    result = hand_over(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.REFUSED)
    assert state(waiting, "a") is EntryState.WITHDRAWN
    assert hand_over(waiting.request()).exit_code is ExitCode.DONE
    assert [name for name, _ in waiting.sms_by.calls[calls:]] == ["getSMSMessages"]


@pytest.mark.parametrize(
    "change",
    [("text: Hello", "text: 'Dear {{ missing }}'"), ("text: Hello", "text: Better, on_invalid: drop")],
)
def test_change_that_is_not_valid_takes_nothing_back(change: tuple[str, str], waiting: Shop) -> None:
    """Before its window an invalid change withdraws nothing: it is not certain what mailing is meant."""
    good = "text: Hello, recipients: {file: list.csv}"
    waiting.write("list.csv", f"phone\n{PHONES[0]}\n")
    approve(waiting, a=good)
    write_sale(waiting, a=good.replace(*change))
    if "Better" in change[1]:
        (waiting.root / "list.csv").unlink()
    assert hand_over(waiting.request()).mailings == ()
    assert state(waiting, "a") is EntryState.WAITING


def test_setting_that_moved_changes_nothing(waiting: Shop) -> None:
    """Moving a setting from the campaign to the mailing does not change the approved mailing."""
    approve(waiting, a=to(PHONES[0]))
    write_sale(waiting, a=to(PHONES[0], more=", schedule_time: 2026-12-01T12:00:00"))
    assert hand_over(waiting.request()).mailings == ()
    assert state(waiting, "a") is EntryState.WAITING


def test_lapsed_approval_makes_no_plan_stale(waiting: Shop) -> None:
    """A hand-over between the merge of a change and its apply does not make the reviewed plan stale."""
    approve(waiting, a=to(PHONES[0]))
    write_sale(waiting, a=to(PHONES[0], text="Better"))
    reviewed = waiting.plan()
    assert outcomes(hand_over(waiting.request())) == {"a": "skipped"}
    assert outcomes(apply_plan(waiting.request(reviewed))) == {"a": "held"}
    _pass(waiting, HOUR)
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}


def test_frozen_project_hands_nothing_over(waiting: Shop) -> None:
    """In a frozen project an approved mailing is not handed over, and keeps waiting."""
    approve(waiting, a=to(PHONES[0]))
    waiting.configure(freeze="'wrong price'", release="{before: 1h, at_latest: 30m}")
    _pass(waiting, HOUR)
    result = hand_over(waiting.request())
    assert (outcomes(result), result.exit_code) == ({"a": "skipped"}, ExitCode.REFUSED)
    assert "wrong price" in (result.mailings[0].error or "")
    assert state(waiting, "a") is EntryState.WAITING


@pytest.mark.parametrize("failures", [1, 99])
def test_full_disk_stops_before_anything_is_sent(
    failures: int, waiting: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a withdrawal cannot be recorded, it is an error before anything is sent, and the next run records it."""
    approve(waiting, a=to(PHONES[0]), b=to(PHONES[1]))
    write_sale(waiting, a=to(PHONES[0], text="Changed"), b=to(PHONES[1]))
    _pass(waiting, HOUR)

    synced: list[int] = []

    def fail(handle: int) -> None:
        synced.append(handle)
        if len(synced) <= failures:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(journal, "os", SimpleNamespace(**{**vars(os), "fsync": fail}))
        with pytest.raises(SmsbyDeployError, match="cannot write the journal next to the lock"):
            hand_over(waiting.request())
    assert waiting.sms_by.changes() == []
    assert outcomes(hand_over(waiting.request())) == {"a": "skipped", "b": "sent"}
    assert state(waiting, "a") is EntryState.WITHDRAWN


def test_hand_over_by_an_older_lock_records_what_is_listed(waiting: Shop) -> None:
    """With an outdated lock a listed mailing is recorded, not sent or called expired; an unlisted one was missed."""
    waiting.sms_by.script("getSMSMessages", lambda params: listed(waiting))
    more = ", release: {before: 1h, at_latest: 58m}"
    approve(waiting, a=to(PHONES[0], more=more), b=to(PHONES[1]))
    older = waiting.store.path.read_bytes()
    _pass(waiting, HOUR)
    assert outcomes(hand_over(replace(waiting.request(), select=("sale/a",)))) == {"a": "sent"}
    waiting.store.path.write_bytes(older)
    _pass(waiting, HOUR)
    again = hand_over(waiting.request())
    assert (outcomes(again), again.exit_code) == ({"a": "adopted", "b": "skipped"}, ExitCode.REFUSED)
    assert state(waiting, "a") is EntryState.COMPLETE
    assert waiting.sms_by.changes() == ["sendBulkSms"]
    waiting.sms_by.script("getSMSMessages", OFFLINE)
    assert outcomes(hand_over(waiting.request())) == {"b": "skipped"}


def test_older_lock_sends_nothing_to_a_phone_without_a_delivery(waiting: Shop) -> None:
    """With an outdated lock a listed message is recorded as handed over, even if no delivery is reported yet."""
    waiting.sms_by.script("createSmsMessage", ok({"status": "new", "message_id": 50}))
    waiting.sms_by.script("sendSMS", ok({"sms_id": 1, "status": "NEW"}))
    waiting.sms_by.script("getSmsDeliveryList", ok({"result": []}))
    approve(waiting, a=to(*PHONES[:2], more=", via: single"))
    older = waiting.store.path.read_bytes()
    _pass(waiting, HOUR)
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}
    waiting.store.path.write_bytes(older)
    name = waiting.sms_by.named("createSmsMessage")[0]["name"]
    waiting.sms_by.script("getSMSMessages", ok([{"id": 50, "name": name, "status": "SENT"}]))
    done = hand_over(waiting.request())
    assert (outcomes(done), done.exit_code) == ({"a": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
    assert len(waiting.sms_by.named("sendSMS")) == 2


@pytest.mark.parametrize("word", ["SENT", "UNDELIVERED"])
def test_older_lock_reaches_no_verdict_again(word: str, waves: Waves) -> None:
    """With an outdated lock a listed wave is recorded, whatever verdict that lock has or waits for.

    Whether the last wave was sent is not known.
    """
    shop, made = waves
    before = shop.store.path.read_bytes()
    made.update({"u-0": word, "u-1": word})
    _pass(shop, HOUR)
    hand_over(shop.request())
    older = shop.store.path.read_bytes()
    shop.store.path.write_bytes(before)
    made.update({"u-0": "DELIVERED", "u-1": "DELIVERED"})
    assert outcomes(hand_over(shop.request())) == {"vip": "sent"}
    shop.store.path.write_bytes(older)
    made.update({"u-0": word, "u-1": word})
    again = hand_over(shop.request())
    assert (outcomes(again), again.exit_code) == ({"vip": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
    entry = shop.lock().mailings["sale/vip"]
    assert [one.kind for one in entry.verdicts] == ([] if word == "SENT" else ["stop"])
    assert sorted(chunk.state.value for chunk in entry.chunks) == [*["accepted"] * 3, "unknown"]
    assert len(made.names) == 3


@pytest.mark.parametrize("is_older", [False, True])
def test_removed_mailing_gets_no_further_wave(is_older: bool, waves: Waves) -> None:
    """A removed mailing gets no further wave: the unsent ones are reported, and a listed one is recorded."""
    shop, made = waves
    older = shop.store.path.read_bytes()
    if is_older:
        made.update({"u-0": "DELIVERED", "u-1": "DELIVERED"})
        _pass(shop, HOUR)
        assert outcomes(hand_over(shop.request())) == {"vip": "sent"}
        shop.store.path.write_bytes(older)
    (shop.root / "sale.yaml").unlink()
    shop.sms_by.script("getSMSMessages", OFFLINE)
    assert hand_over(shop.request()).exit_code is ExitCode.UNREACHABLE
    shop.sms_by.script("getSMSMessages", lambda params: listed(shop))
    result = hand_over(shop.request())
    entry = shop.lock().mailings["sale/vip"]
    if is_older:  # whether the last wave was sent as well is not known
        assert (outcomes(result), result.exit_code) == ({"vip": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
        assert sorted(chunk.state.value for chunk in entry.chunks) == [*["accepted"] * 3, "unknown"]
    else:
        assert (outcomes(result), result.exit_code) == ({"vip": "skipped"}, ExitCode.REFUSED)
        assert "waves 2-3 of 3 waited, so 2 recipients do not get it" in (result.mailings[0].error or "")
    assert len(made.names) == (3 if is_older else 2)


def test_quiet_hours_put_off_a_wave(waves: Waves) -> None:
    """Quiet hours delay a wave that has no set time; the verdict on the wave before it is kept."""
    shop, made = waves
    made.update({"u-0": "DELIVERED", "u-1": "DELIVERED"})
    project = (shop.root / "smsby.yaml").read_text()
    shop.write("smsby.yaml", f"{project}guardrails: {{quiet_hours: {{from: '10:30', to: '11:30'}}}}\n")
    _pass(shop, HOUR)
    result = hand_over(shop.request())
    (mailing,) = result.mailings
    assert (result.exit_code, len(made.names)) == (ExitCode.DONE, 2)
    assert mailing.waits.startswith("quiet_hours: ")
    _pass(shop, HOUR)
    assert outcomes(hand_over(shop.request())) == {"vip": "sent"}
    assert len(made.names) == 3


def test_quiet_hours_put_off_no_scheduled_mailing(waiting: Shop) -> None:
    """A scheduled mailing is handed over even during quiet hours, if its time is after them."""
    waiting.configure(
        release="{before: 1h, at_latest: 30m}", guardrails="{quiet_hours: {from: '10:30', to: '11:30'}}"
    )
    approve(waiting, a=to(PHONES[0]))
    _pass(waiting, HOUR)
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}


@pytest.mark.parametrize("via", ["bulk", "single"])
@pytest.mark.parametrize("is_readable", [False, True])
def test_missed_mailing_that_is_listed(via: str, is_readable: bool, waiting: Shop) -> None:
    """A mailing that an outdated lock calls missed is recorded as sms.by lists it, even without its file."""
    waiting.sms_by.script("createSmsMessage", ok({"status": "new", "message_id": 50}))
    waiting.sms_by.script("sendSMS", ok({"sms_id": 1, "status": "NEW"}))
    waiting.sms_by.script("getSmsDeliveryList", ok({"result": []}))
    approve(waiting, a=to(*PHONES[:2], more=f", via: {via}"))
    older = waiting.store.path.read_bytes()
    _pass(waiting, HOUR)
    assert outcomes(hand_over(waiting.request())) == {"a": "sent"}
    waiting.store.path.write_bytes(older)
    _pass(waiting, HOUR)
    name = f"sale/a shop#{waiting.lock().mailings['sale/a'].chunks[0].fingerprint}"
    waiting.sms_by.script("getSMSMessages", ok([{"id": 50, "name": name, "status": "SENT"}]))
    if not is_readable:
        waiting.write("sale.yaml", "version: 1\ncampaign: sale\nmailings: [{name: a\n")
    before = waiting.sms_by.changes()
    result = hand_over(waiting.request())
    (chunk,) = waiting.lock().mailings["sale/a"].chunks
    if via == "bulk":
        assert (outcomes(result), result.exit_code) == ({"a": "adopted"}, ExitCode.DONE)
        assert chunk.state is ChunkState.ACCEPTED
        assert (result.mailings[0].error is None) is is_readable
    else:  # no delivery is reported yet, which proves nothing
        assert (outcomes(result), result.exit_code) == ({"a": "unknown"}, ExitCode.OUTCOME_UNKNOWN)
        assert chunk.state is ChunkState.UNKNOWN
    assert waiting.sms_by.changes() == before
