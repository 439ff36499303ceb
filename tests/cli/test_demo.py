"""`demo` with a failing step. tests/e2e/test_demo.py runs all of it."""

from __future__ import annotations

import sys

import pytest

from smsby_deploy.cli import demo
from smsby_deploy.cli.main import run


def _replace_command(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Run `program` where the demo would run smsby-deploy."""
    monkeypatch.setattr(demo, "_command_line", lambda arguments: [sys.executable, "-c", program, *arguments])


def test_demo_without_the_sandbox_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the sandbox prints no URL it did not start, and the error names the extra to install."""
    _replace_command(monkeypatch, "print('no server here')")
    assert run(["demo"]) == 1
    error = capsys.readouterr().err
    assert "the sandbox did not start" in error
    assert "smsby-deploy[sandbox]" in error


def test_demo_stops_at_the_first_failed_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failed step is named with its exit code, and later steps do not run."""
    program = (
        "import sys\nif 'sandbox' in sys.argv:\n"
        " print('http://127.0.0.1:1/', flush=True); sys.stdin.read()\nsys.exit(3)"
    )
    _replace_command(monkeypatch, program)
    assert run(["demo"]) == 1
    captured = capsys.readouterr()
    assert "`smsby-deploy validate` failed with exit code 3" in captured.err
    assert "smsby-deploy plan" not in captured.out
