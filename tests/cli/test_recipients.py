"""`recipients`: which recipients it lists, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli.main import run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sale/vip", "--sent", "--not-sent"), "--sent and --not-sent cannot be combined"),
        (("sale/vip", "--out", "/missing/list.csv"), "cannot write the list: /missing is not a directory"),
        (("sale/vip",), "no mailing sale/vip in the lock"),
        ((), "Missing argument 'ADDRESS'"),
    ],
)
def test_recipients_refuses_wrong_usage(
    words: tuple[str, ...], message: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage is refused before anything is written."""
    assert run(["-C", str(shop), "recipients", *words]) == 64
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
