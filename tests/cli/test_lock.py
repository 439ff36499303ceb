"""`lock`: what an empty lock shows, and wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli.main import run


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("list",), 0, "the lock records no mailing"),
        (("unlock",), 0, "the lock is free"),
        (("pull", "copy.json"), 64, "there is no lock to copy"),
        (("show", "sale/vip"), 64, "the lock has no mailing sale/vip"),
    ],
)
def test_lock_of_a_new_project(
    words: tuple[str, ...], code: int, message: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to show and nothing to copy."""
    assert run(["-C", str(shop), "lock", *words]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
