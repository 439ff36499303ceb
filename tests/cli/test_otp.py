"""`otp`: one code by messenger, shown and confirmed before it is sent."""

from __future__ import annotations

import pytest

from smsby_deploy.cli.main import run
from tests.smsby.conftest import FakeServer, Reply

_PHONE = "375291234567"


@pytest.mark.parametrize(
    ("channel", "method"), [("telegram", "sendOtpTelegram"), ("whatsapp", "sendOtpWhatsApp")]
)
def test_otp_calls_the_method_of_its_channel(
    channel: str, method: str, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """One request has the phone in digits, and the output masks the phone and never shows the code."""
    server.answers(Reply(200, {"sms_id": 7}))
    assert run(["otp", channel, "+375 (29) 123-45-67", "0042", "--yes"]) == 0
    (asked,) = server.asked
    assert asked.path == f"/api/v1/{method}"
    assert _PHONE in str([asked.query, asked.body])
    captured = capsys.readouterr()
    assert "sms_id 7" in captured.out
    assert "a code of 4 digits" in captured.err
    assert _PHONE not in captured.out + captured.err
    assert "0042" not in captured.out + captured.err


def test_otp_refuses_a_phone_before_any_request(
    server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid phone is wrong usage, with an example, before any request."""
    assert run(["otp", "telegram", "12", "0042", "--yes"]) == 64
    assert server.asked == []
    assert "for example 375291234567" in capsys.readouterr().err


def test_otp_without_a_confirmation_sends_nothing(server: FakeServer) -> None:
    """Without --yes and without a terminal to ask on, it is refused."""
    assert run(["otp", "telegram", _PHONE, "0042"]) != 0
    assert server.asked == []
