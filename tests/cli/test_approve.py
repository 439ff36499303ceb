"""`approve`: which key signs, and what is refused before it does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from smsby_deploy.cli.approve import _find_signing_key
from smsby_deploy.cli.main import run
from smsby_deploy.errors import UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with two keys, and a repository that uses only that folder's git configuration."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True)
    for kind in ("rsa", "ed25519"):
        (folder / ".ssh" / f"id_{kind}").write_text("", "utf-8")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    subprocess.run(["git", "init", "-q", str(tmp_path / "shop")], check=True)
    return folder


def _find(home: Path) -> Path:
    return _find_signing_key(home.parent / "shop", {"HOME": str(home)})


def test_key_of_git_comes_first(home: Path) -> None:
    """The key configured in git comes first, else the first kind that ssh-keygen makes, if it exists."""
    assert _find(home) == home / ".ssh" / "id_ed25519"
    mine = home / "mine"
    mine.write_text("", "utf-8")
    config = home / ".gitconfig"
    config.write_text("[user]\n  signingKey = ~/mine\n", "utf-8")
    assert _find(home) == mine
    config.write_text("[user]\n  signingKey = 0x1234ABCD\n", "utf-8")  # a key of GnuPG
    assert _find(home) == home / ".ssh" / "id_ed25519"


def test_no_key_is_wrong_usage(home: Path) -> None:
    for key in (home / ".ssh").iterdir():
        key.unlink()
    with pytest.raises(UsageError, match="no SSH key to sign with") as caught:
        _find(home)
    assert "--key" in (caught.value.hint or "")


def test_plan_that_cannot_be_read_is_not_signed(
    shop: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan that cannot be read is refused before any key is looked for."""
    assert run(["-C", str(shop), "approve", str(shop / "missing.json")]) == 5
    (shop / "plan.json").write_text("{}", "utf-8")
    assert run(["-C", str(shop), "approve", str(shop / "plan.json")]) == 5
    assert "plan.json" in capsys.readouterr().err
    assert not (shop / "approvals").exists()


def test_project_without_rules_needs_no_signature(
    shop: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project without rules needs neither a signature nor a key."""
    for key in (home / ".ssh").iterdir():
        key.unlink()
    plan = str(shop / "plan.json")
    assert run(["-C", str(shop), "plan", "--offline", "--out", plan]) == 0
    capsys.readouterr()
    assert run(["-C", str(shop), "approve", plan]) == 4
    assert "smsby.yaml has no `approvals`, so no signature is needed" in capsys.readouterr().err
    assert not (shop / "approvals").exists()
