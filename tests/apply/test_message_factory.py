"""createSmsMessage: repeated until it answers, and waiting for moderation."""

from __future__ import annotations

import pytest

from smsby_deploy.exit_codes import ExitCode
from tests.apply.fake_smsby import LOST, Reply, Shop, busy, error, ok
from tests.apply.single_mailing import called, states


def test_single_mailing_waits_for_moderation(single: Shop) -> None:
    """Nothing is sent while sms.by says `new`; the next apply uses the same message."""
    single.sms_by.script("checkSMSMessageStatus", ok({"status": "new"}))
    result, mailing = single.apply()
    assert (result.exit_code, called(single), states(single)) == (ExitCode.FAILED, [], "p:3")
    assert mailing.error is not None
    assert "message 50" in mailing.error
    assert single.clock.monotonic() >= 2
    single.sms_by.script("checkSMSMessageStatus", ok({"status": "moderated"}))
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert len(single.sms_by.named("createSmsMessage")) == 1


@pytest.mark.parametrize(
    ("answer", "calls", "code"),
    [
        (busy(3600), 1, ExitCode.UNREACHABLE),
        (busy(), 5, ExitCode.UNREACHABLE),
        (LOST, 5, ExitCode.UNREACHABLE),
        (error("token is invalid", 403), 1, ExitCode.UNREACHABLE),
        (error("incorrect arguments", 400), 1, ExitCode.FAILED),
        (error("undefined error", 500), 1, ExitCode.FAILED),
    ],
)
def test_message_is_made_again_until_it_answers(
    single: Shop, answer: Reply, calls: int, code: ExitCode
) -> None:
    """createSmsMessage is retried until it answers, but not after a Retry-After of more than a minute."""
    single.sms_by.script("createSmsMessage", answer)
    result, _ = single.apply()
    assert result.exit_code == code
    assert len(single.sms_by.named("createSmsMessage")) == calls
    assert called(single) == []


def test_retry_of_a_message_waits_as_asked(single: Shop) -> None:
    """A Retry-After of up to a minute is honored, and the mailing is sent."""
    single.sms_by.script("createSmsMessage", busy(40), ok({"message_id": 50}))
    assert single.apply()[0].exit_code == ExitCode.DONE
    assert single.clock.monotonic() >= 40
