from __future__ import annotations

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


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["schema", "nonsense"]])
def test_wrong_usage_is_64(arguments: list[str]) -> None:
    """click's own code 2 never comes out: it means something else here."""
    assert run(arguments) == 64


def test_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `init` in the same folder fails and changes nothing."""
    assert run(["init", str(tmp_path)]) == 0
    (tmp_path / "smsby.yaml").write_text("mine")
    assert run(["init", str(tmp_path)]) == 1
    assert (tmp_path / "smsby.yaml").read_text() == "mine"
    assert "exists already" in capsys.readouterr().err
