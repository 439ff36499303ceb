"""The project's own workflows: CI and the release."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

_ROOT = Path(__file__).resolve().parent.parent.parent
_WORKFLOWS = sorted((_ROOT / ".github/workflows").glob("*.yml"))
_names = [path.name for path in _WORKFLOWS]
_PYPA = "pypa/gh-action-pypi-publish@release/v1"  # PyPA recommends this branch


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="actionlint has no wheel"
)
def test_workflows_pass_actionlint() -> None:
    """actionlint and the shellcheck it runs find nothing."""
    tool, shellcheck = (str(Path(sys.executable).with_name(name)) for name in ("actionlint", "shellcheck"))
    command = [tool, "-no-color", "-shellcheck", shellcheck, *map(str, _WORKFLOWS)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", _WORKFLOWS, ids=_names)
def test_workflows_start_without_permissions(path: Path) -> None:
    """Each job requests the permissions it needs, and none for write access to the repository's contents."""
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"].get("contents", "read") == "read"
        assert job["timeout-minutes"] <= 45


@pytest.mark.parametrize("path", _WORKFLOWS, ids=_names)
def test_workflows_pin_actions_by_commit(path: Path) -> None:
    """Actions are pinned by commit, so that a moved tag of a third party cannot change what runs."""
    used = re.findall(r"uses: (\S+)", path.read_text("utf-8"))
    assert used
    for action in used:
        assert action == _PYPA or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action


def test_workflows_cover_the_promised_systems() -> None:
    """CI runs on Linux, macOS and Windows; a release is attested, has an SBOM and needs no token."""
    ci = (_ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    assert all(system in ci for system in ("ubuntu-latest", "macos-latest", "windows-latest"))
    release = yaml.safe_load((_ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    assert release["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    steps = [step for job in release["jobs"].values() for step in job["steps"]]
    assert any("sbom-path" in step.get("with", {}) for step in steps)
    assert not any("password" in step.get("with", {}) for step in steps)


def test_ci_audits_what_users_install() -> None:
    """pip-audit checks every extra, also weekly, and fails the job unless PyPI is unreachable."""
    workflow = yaml.safe_load((_ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    assert workflow[True]["schedule"]  # YAML takes `on` for a truth value
    commands = "\n".join(step.get("run", "") for step in workflow["jobs"]["dependencies"]["steps"])
    with (_ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"].keys() - {"dev", "docs"}
    (installed,) = re.findall(r"'\.\[([a-z0-9,]+)\]'", commands)
    assert set(installed.split(",")) == extras
    assert commands.rstrip().splitlines()[-1].startswith("pip-audit --path ")
