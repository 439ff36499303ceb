"""SSH signatures by the real ssh-keygen."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.plan.ssh_signatures import find_signer, sign
from tests.plan.ssh_keys import Keys, signer_line

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
_NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
_TEXT = b'{"address":"sale/vip"}'


def test_find_signer_names_the_key(keys: Keys) -> None:
    signature = sign(_TEXT, keys["anna"])
    assert find_signer(_TEXT, signature, keys.signers, _NOW) == ("anna@example.com",)


@pytest.mark.parametrize("text", [b"", _TEXT + b" ", _TEXT[:-1]])
def test_find_signer_of_another_text(keys: Keys, text: bytes) -> None:
    assert find_signer(text, sign(_TEXT, keys["anna"]), keys.signers, _NOW) == ()


def test_find_signer_of_a_stranger(keys: Keys) -> None:
    assert find_signer(_TEXT, sign(_TEXT, keys["eve"]), keys.signers, _NOW) == ()


@pytest.mark.parametrize(
    "signature", ["", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"]
)
def test_find_signer_of_no_signature(keys: Keys, signature: str) -> None:
    assert find_signer(_TEXT, signature, keys.signers, _NOW) == ()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ('valid-before="20261123"', ()),
        ('valid-before="20261230"', ("anna@example.com",)),
        ('valid-after="20261130"', ()),
        ('namespaces="git"', ()),
    ],
)
def test_find_signer_by_the_options(keys: Keys, tmp_path: Path, options: str, names: tuple[str, ...]) -> None:
    """A key counts while it is valid, and only for mailings."""
    signers = tmp_path / "signers.txt"
    signers.write_text(signer_line(keys["anna"], options), "utf-8")
    assert find_signer(_TEXT, sign(_TEXT, keys["anna"]), signers, _NOW) == names


def test_find_signer_whose_key_was_removed(keys: Keys, tmp_path: Path) -> None:
    signers = tmp_path / "signers.txt"
    signers.write_text(signer_line(keys["boris"]), "utf-8")
    assert find_signer(_TEXT, sign(_TEXT, keys["anna"]), signers, _NOW) == ()


def test_pattern_is_no_name(keys: Keys, tmp_path: Path) -> None:
    """By a pattern any user could be the author, or none."""
    signers = tmp_path / "signers.txt"
    signers.write_text(signer_line(keys["anna"], name="*@example.com"), "utf-8")
    assert find_signer(_TEXT, sign(_TEXT, keys["anna"]), signers, _NOW) == ()


def test_sign_without_ssh_keygen(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SmsbyDeployError, match="ssh-keygen is missing") as caught:
        sign(_TEXT, keys["anna"])
    assert "OpenSSH" in caught.value.hint


def test_sign_with_a_file_that_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key", "utf-8")
    with pytest.raises(SmsbyDeployError, match="did not sign with key"):
        sign(_TEXT, tmp_path / "key")
