"""What deliveries prove about a single mailing without a lock, or with an older one."""

from __future__ import annotations

from typing import Any

import pytest

from smsby_deploy.apply.recorder import Recorder
from smsby_deploy.exit_codes import ExitCode
from tests.apply.fake_smsby import PHONES, Shop, error, ok
from tests.apply.single_mailing import Inbox, called, states, to


def test_older_lock_leaves_unsent_phones_unknown(single: Shop, inbox: Inbox) -> None:
    """If deliveries show a phone that the lock calls unsent, the lock's other unsent phones are unknown."""
    single.sms_by.script("sendSMS", error("limit exceeded"))
    single.apply()
    inbox[PHONES[0]] += 1
    result, _ = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 u:2")
    assert len(called(single)) == 1


def test_lost_lock_adopts_what_was_delivered(single: Shop, inbox: Inbox) -> None:
    """Without a lock, phones with a delivery are accepted and the others unknown; nothing is sent."""
    single.sms_by.script("sendSMS", inbox.take, error("limit exceeded"))
    single.apply()
    name = single.sms_by.named("createSmsMessage")[0]["name"]
    (single.root / "lock.json").unlink()
    listed = ok({"status": "success", "data": [{"id": 50, "name": name, "status": "SENT"}]})
    single.sms_by.script("getSMSMessages", listed)
    result, _ = single.apply()
    assert (result.exit_code, states(single)) == (ExitCode.OUTCOME_UNKNOWN, "a:1 u:2")
    assert len(called(single)) == 2


class _Killed(BaseException):
    """The process ends here."""


def test_crash_at_an_older_lock_leaves_phones_unknown(
    single: Shop, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk whose own deliveries do not show it is recorded first, as after a crash nothing else would doubt it."""
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
