"""Manual changes of the lock: wrong usage, and an empty lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli.main import run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("resolve", "sale/vip", "--sent", "--message-id", "0"), "a positive number of at most 18 digits"),
        (("resolve", "sale/vip", "--sent", "--message-id", "9" * 19), "of at most 18 digits"),
        (("resolve", "sale/vip", "--not-sent", "--message-id", "5"), "--message-id needs --sent"),
        (("resolve", "sale/vip", "--go", "--message-id", "5"), "--message-id needs --sent"),
        (("resolve", "sale/vip"), "say which one applies: --sent, --not-sent or --go"),
        (
            ("resolve", "sale/vip", "--sent", "--not-sent"),
            "say which one applies: --sent, --not-sent or --go",
        ),
        (("move", "sale/vip", "sale/gold"), "no mailing sale/vip in the lock"),
        (("abandon", "sale/vip"), "no mailing sale/vip in the lock"),
        (("withdraw", "sale/vip", "--anyway"), "no mailing sale/vip in the lock"),
    ],
)
def test_lock_changes_refuse_what_is_not_recorded(
    words: tuple[str, ...], message: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty lock has nothing to resolve or withdraw, and two decisions at once are wrong usage."""
    assert run(["-C", str(shop), "lock", *words]) == 64
    assert message in capsys.readouterr().err
    assert not (shop / "smsby.lock.json").exists()
