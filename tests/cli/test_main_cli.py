from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run


def test_help_imports_nothing_heavy() -> None:
    """`--help` stays instant: no heavy library is imported for it."""
    code = (
        "import sys; from smsby_deploy.cli.main import run; code = run(['--help']);"
        "heavy = {'requests', 'jsonschema', 'rich', 'jinja2', 'flask', 'phonenumbers'} & set(sys.modules);"
        "sys.exit(code or bool(heavy))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
    )


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["--nonsense"], ["--log-format", "json"], ["schema", "nonsense"]]
)
def test_wrong_usage_is_64(arguments: list[str]) -> None:
    """click's own code 2 never comes out: it means something else here."""
    assert run(arguments) == 64


@pytest.mark.parametrize(
    ("typed", "offered"), [("pl", "plan"), ("status --fo", "--format"), ("lock res", "resolve")]
)
def test_a_shell_completes_commands_and_options(typed: str, offered: str) -> None:
    """What bash asks at Tab, as docs/ci.md has it set up."""
    words = f"smsby-deploy {typed}"
    asked = {
        "_SMSBY_DEPLOY_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "smsby_deploy"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"plain,{offered}" in done.stdout.splitlines()


def test_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `init` in the same folder fails and changes nothing."""
    assert run(["init", str(tmp_path)]) == 0
    (tmp_path / "smsby.yaml").write_text("mine")
    assert run(["init", str(tmp_path)]) == 1
    assert (tmp_path / "smsby.yaml").read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_a_misspelt_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """`pln` is wrong usage, and the sentence names `plan`."""
    assert run(["pln"]) == 64
    assert "Did you mean 'plan'?" in capsys.readouterr().err


def test_without_a_project_the_way_on_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty folder: wrong usage, and how to start a project."""
    monkeypatch.chdir(tmp_path)
    assert run(["validate"]) == 64
    told = capsys.readouterr().err
    assert "neither this folder nor campaigns/ holds a smsby.yaml" in told
    assert "smsby-deploy init" in told


def test_an_address_of_sms_by_that_is_none_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told by the variable's name, before anything is asked."""
    assert run(["init", str(tmp_path)]) == 0
    monkeypatch.setenv("SMSBY_API_URL", "localhost:8025")
    monkeypatch.setenv("SMSBY_TOKEN", "any")
    assert run(["-C", str(tmp_path), "plan"]) == 64
    assert "SMSBY_API_URL is not an http or https address" in capsys.readouterr().err
