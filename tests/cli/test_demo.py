"""`demo` with a failing step, and without the extra of the sandbox. tests/e2e/test_demo.py runs all of it."""

from __future__ import annotations

import sys

import pytest

from smsby_deploy.cli import demo
from smsby_deploy.cli.main import run


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_a_sandbox_without_its_extra(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without Flask, the error names the extra to install, and nothing is run."""
    for name in [name for name in sys.modules if name.startswith("smsby_deploy.sandbox.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "flask", None)
    assert run([command]) == 1
    captured = capsys.readouterr()
    assert "the sandbox needs Flask" in captured.err
    assert "smsby-deploy[sandbox]" in captured.err
    assert captured.out == ""


def test_demo_stops_at_the_first_failed_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failed step is named with its exit code, and later steps do not run."""
    failing = [sys.executable, "-c", "import sys; sys.exit(3)"]
    monkeypatch.setattr(demo, "_command_line", lambda arguments: failing)
    assert run(["demo"]) == 1
    captured = capsys.readouterr()
    assert "`smsby-deploy validate` failed with exit code 3" in captured.err
    assert "smsby-deploy plan" not in captured.out
