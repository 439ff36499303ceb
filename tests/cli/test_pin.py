"""`pin`: what it writes and prints, and what it cannot write."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run

_LIST = b"phone,name\n375291234567,Anna\n"
_DIGEST = hashlib.sha256(_LIST).hexdigest()


@pytest.fixture
def pinned(shop: Path) -> Path:
    """A project with one list that is not pinned yet."""
    (shop / "vip.csv").write_bytes(_LIST)
    _declare(shop, "{file: vip.csv}")
    return shop


def _declare(shop: Path, recipients: str) -> None:
    (shop / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n"
        f"  - name: vip\n    recipients: {recipients}  # ours\n    text: Hello\n",
        "utf-8",
    )


def test_pin_writes_the_digest_beside_the_list(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A list is pinned by its own name or that of the campaign file, and then all is up to date."""
    assert run(["-C", str(pinned), "pin", "vip.csv"]) == 0
    assert f"sale.yaml:5:24: pinned vip.csv to {_DIGEST[:12]}" in capsys.readouterr().err
    assert f"{{file: vip.csv, sha256: {_DIGEST}}}  # ours" in (pinned / "sale.yaml").read_text("utf-8")
    for path in ((), ("vip.csv",), ("sale.yaml",)):
        assert run(["-C", str(pinned), "pin", *path]) == 0
        assert "all digests are up to date" in capsys.readouterr().err


def test_pin_updates_what_is_pinned(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without PATH only pinned lists are updated."""
    assert run(["-C", str(pinned), "pin"]) == 64
    assert "no list is pinned" in capsys.readouterr().err
    _declare(pinned, "{file: vip.csv, sha256: " + "0" * 64 + "}")
    assert run(["-C", str(pinned), "pin"]) == 0
    assert _DIGEST in (pinned / "sale.yaml").read_text("utf-8")


@pytest.mark.parametrize(("path", "message"), [("other.csv", "no mailing uses the list other.csv"), ("", "")])
def test_pin_of_an_unknown_list(
    path: str, message: str, pinned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown list is wrong usage, and the known ones are named."""
    assert run(["-C", str(pinned), "pin", path or "vip"]) == 64
    found = capsys.readouterr().err
    assert message in found
    assert "as its campaign does: vip.csv" in found


def test_pin_that_cannot_be_written_says_what_to_write(
    pinned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pin behind an alias cannot be written: the digest is printed, and the exit code says that it is not done."""
    (pinned / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n"
        "  - {name: a, text: Hello, recipients: &list {file: vip.csv, sha256: &pin " + "0" * 64 + "}}\n"
        "  - {name: b, text: Hi, recipients: {file: vip.csv, sha256: *pin}}\n",
        "utf-8",
    )
    code = run(["-C", str(pinned), "pin"])
    said = capsys.readouterr().err
    assert (code, f"cannot be rewritten; write sha256: {_DIGEST} manually" in said) == (1, True), said
