"""SSH keys for tests: two signers and a stranger."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Keys:
    """Private keys of anna, boris and eve, and the file of signers, which has anna and boris."""

    folder: Path
    signers: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


def make_keys(folder: Path) -> Keys:
    for name in ("anna", "boris", "eve"):
        arguments = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL)
    signers = folder / "signers.txt"
    signers.write_text("".join(signer_line(folder / name) for name in ("anna", "boris")), "utf-8")
    return Keys(folder, signers)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


def signer_line(key: Path, options: str = 'namespaces="smsby-deploy"', name: str = "") -> str:
    """Return the line of a key in the file of signers."""
    public = " ".join(key.with_suffix(".pub").read_text("utf-8").split()[:2])
    return f"{name or f'{key.name}@example.com'} {options} {public}\n"
