"""`sandbox`: the switches of the command line."""

from __future__ import annotations

from typing import Any

import click
import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.cli.sandbox import _read_switch
from smsby_deploy.sandbox.sandbox_settings import SandboxSettings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("balance=5", 5),
        ("style=old", "old"),
        ("name=a=b", "a=b"),
        ("lists=[]", []),
        ("empty_list=404", "404"),
        ("empty_list=null", "null"),
    ],
)
def test_read_switch_parses_json_or_text(text: str, value: Any) -> None:
    """Numbers and lists are read as JSON, and words need no quotes."""
    assert _read_switch(text, SandboxSettings())[1] == value


def test_sandbox_refuses_a_bad_switch(capsys: pytest.CaptureFixture[str]) -> None:
    """A bad switch is wrong usage before a server is started."""
    with pytest.raises(click.UsageError, match="expected NAME=VALUE"):
        _read_switch("balance", SandboxSettings())
    assert run(["sandbox", "--set", "no_such_switch=1"]) == 64
    assert "no_such_switch" in capsys.readouterr().err
