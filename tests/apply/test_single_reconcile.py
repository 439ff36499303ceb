"""What deliveries prove about a single mailing if its lock is lost or outdated."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.apply.recorder import Recorder
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.phone_states import NO_PROOF
from tests.apply.fake_smsby import LOST, PHONES, Shop, error, ok
from tests.apply.single_mailing import Inbox, called, states, to


def test_older_lock_leaves_unsent_phones_unknown(single: Shop, inbox: Inbox) -> None:
    """If a phone that the lock calls unsent has a delivery, its other unsent phones are unknown."""
    single.sms_by.script("sendSMS", error("limit exceeded"))
    single.apply()
    assert single.chunk().accepted_at is None
    inbox[PHONES[0]] += 1
    result, _ = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 u:2")
    assert single.chunk().accepted_at is not None
    assert len(called(single)) == 1


def test_lost_lock_adopts_what_was_delivered(single: Shop, inbox: Inbox) -> None:
    """If the lock is lost, phones with a delivery are accepted and the others unknown, and nothing is sent."""
    single.sms_by.script("sendSMS", inbox.take, error("limit exceeded"))
    single.apply()
    name = single.sms_by.named("createSmsMessage")[0]["name"]
    (single.root / "lock.json").unlink()
    listed = ok({"status": "success", "data": [{"id": 50, "name": name, "status": "SENT"}]})
    single.sms_by.script("getSMSMessages", listed)
    result, _ = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 u:2")
    assert len(called(single)) == 2


def test_lost_lock_adopts_the_last_message(single: Shop, inbox: Inbox) -> None:
    """If two messages have the name of the chunk, deliveries of both count, and the last one is used for the rest."""
    single.sms_by.script("sendSMS", inbox.take, error("limit exceeded"))
    single.apply()
    name = single.sms_by.named("createSmsMessage")[0]["name"]
    (single.root / "lock.json").unlink()
    rows = [{"id": number, "name": name, "status": "SENT"} for number in (70, 50)]
    single.sms_by.script("getSMSMessages", ok({"status": "success", "data": rows}))
    single.apply()
    chunk = single.chunk()
    assert (chunk.message_id, str(chunk.phones)) == (70, "a:1 u:2")
    assert "the lock was lost" in (chunk.error or "")


@pytest.mark.parametrize(
    ("before", "after", "found"), [(0, 1, True), (1, 1, False), (1, 2, True), (NO_PROOF, NO_PROOF + 1, False)]
)
def test_lost_send_is_found_by_the_next_apply(
    single: Shop, inbox: Inbox, before: int, after: int, found: bool
) -> None:
    """A lost send is found by one delivery more than before, up to the countable number; the rest needs a new plan."""
    inbox[PHONES[0]] = before
    single.sms_by.script("createSmsMessage", error("The same message exists with ID=50", 400, message_id=50))
    listed = ok({"status": "success", "data": [{"id": 50, "name": "made elsewhere", "status": "SENT"}]})
    single.sms_by.script("getSMSMessages", listed)
    single.sms_by.script("sendSMS", LOST)
    assert single.apply()[0].exit_code is ExitCode.OUTCOME_UNKNOWN
    inbox[PHONES[0]] = after
    single.apply()
    assert (states(single), len(called(single))) == ("a:1 p:2" if found else "u:1 p:2", 1)
    assert (single.chunk().error is None) is found


def test_lost_send_is_not_found_by_the_deliveries_of_others(single: Shop, inbox: Inbox) -> None:
    """If the files have other recipients by now, a lost send is not found, since its phone is not known."""
    single.sms_by.script("sendSMS", LOST)
    single.apply()
    to(single, *PHONES[3:6])
    inbox[PHONES[3]] = 1
    result, _ = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "u:1 p:2")


def test_delivery_after_not_sent_doubts_no_other(single: Shop, inbox: Inbox) -> None:
    """A delivery after `--not-sent` makes that phone accepted, and casts no doubt on other phones."""
    single.sms_by.script("sendSMS", LOST)
    single.apply()
    with single.store.held() as held:
        edit = LockEdit(held, by="anna", at="2026-11-02T09:00:00+00:00", reason="")
        edit.resolve("sale/staff", sent=False)
    inbox[PHONES[0]] = 1
    single.sms_by.script("sendSMS", inbox.take)
    result, _ = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.DONE, "a:3")
    assert called(single) == [PHONES[0], *PHONES[1:3]]


def test_message_that_is_not_found_proves_nothing(single: Shop, inbox: Inbox) -> None:
    """A message that is not found proves nothing about any phone, so what the lock says counts."""
    single.sms_by.script("sendSMS", inbox.take, LOST)
    single.apply()
    single.sms_by.script("getSmsDeliveryList", error("message not found", 404))
    result, _ = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 u:1 p:1")


class _Killed(BaseException):
    """The process ends here."""


@pytest.mark.posix
def test_crash_at_an_older_lock_leaves_phones_unknown(
    single: Shop, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk without own deliveries is recorded as unknown first, so that a crash cannot lose the doubt."""
    to(single, *PHONES[:2], f"{{phone: '{PHONES[2]}', text: Own}}")
    single.sms_by.script("sendSMS", error("limit exceeded"))
    single.apply()
    inbox[PHONES[0]] += 1
    record = Recorder.note_phones

    def record_and_die(*arguments: Any, **changes: Any) -> None:
        record(*arguments, **changes)
        raise _Killed

    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(Recorder, "note_phones", record_and_die)
        single.apply()
    single.apply()
    chunks = single.lock().mailings["sale/staff"].chunks
    assert [str(chunk.phones) for chunk in chunks] == ["a:1 u:1", "u:1"]
    assert len(called(single)) == 1
