"""`status`: options that exclude each other, and the history."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli.main import run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--unmask",), "--unmask needs --format csv"),
        (("--history", "--format", "html"), "--history cannot be combined with --format html"),
        (("--history", "--fail-under", "90"), "--history lists all applies"),
        (("--history", "--watch"), "--history lists all applies"),
        (("--history", "--since", "7d"), "--history lists all applies"),
        (("--history", "--campaign", "sale"), "--history lists all applies"),
        (("--history", "sale/vip"), "--history lists all applies"),
        (("--out", "-"), "'--out': - means neither stdin nor stdout here; name a file."),
        (("--out", "/missing/status.html"), "cannot write the report: /missing is not a directory"),
        (("--since", "yesterday"), "--since"),
        (("--fail-under", "101"), "--fail-under"),
    ],
)
def test_status_refuses_options_early(
    options: tuple[str, ...],
    message: str,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Wrong usage is reported before sms.by is asked."""
    monkeypatch.setenv("SMSBY_TOKEN", "any-token")
    monkeypatch.setenv("SMSBY_API_URL", "http://127.0.0.1:9")
    assert run(["-C", str(shop), "status", *options]) == 64
    assert message in capsys.readouterr().err


def test_status_history_needs_no_token(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The history is read from the lock without a token, and --out writes it to a file."""
    assert run(["-C", str(shop), "status", "--history"]) == 0
    assert capsys.readouterr().out == "nothing has been applied yet\n"
    file = shop / "history.md"
    assert run(["-C", str(shop), "status", "--history", "--format", "markdown", "--out", str(file)]) == 0
    assert file.read_text("utf-8") == "Nothing has been applied yet.\n"
    assert capsys.readouterr() == ("", f"written to {file}\n")
