"""`test-send`: one text of a mailing, shown with its cost before it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli.main import run
from tests.smsby.conftest import FakeServer, Reply

_MINE = "375291111111"


def test_test_send_sends_the_text_of_a_recipient(
    server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rendered text is sent to the phone of --to, not to the recipient's, and no lock is written."""
    server.answers(Reply(200, {"sms_id": 7, "parts": 1}))
    assert run(["test-send", "sale/vip", "--to", _MINE, "--yes"]) == 0
    (asked,) = server.asked
    assert asked.path == "/api/v1/sendQuickSMS"
    sent = str([asked.query, asked.body])
    assert "Hello Anna" in sent
    assert _MINE in sent
    assert "375291234567" not in sent
    captured = capsys.readouterr()
    assert "Hello Anna" in captured.err
    assert _MINE not in captured.out + captured.err
    assert not Path("smsby.lock.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [["sale/nope", "--to", _MINE], ["sale/vip", "--to", "12"], ["sale/vip", "--to", _MINE, "--row", "9"]],
)
def test_test_send_with_wrong_usage_sends_nothing(arguments: list[str], server: FakeServer) -> None:
    """An unknown mailing, an invalid phone or a missing row is wrong usage, and nothing is sent."""
    assert run(["test-send", *arguments, "--yes"]) == 64
    assert server.asked == []


def test_test_send_without_a_confirmation_sends_nothing(server: FakeServer) -> None:
    """Without --yes and without a terminal to ask on, it is refused."""
    assert run(["test-send", "sale/vip", "--to", _MINE]) != 0
    assert server.asked == []
