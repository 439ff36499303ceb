"""What commands say and ask on stderr."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.cli.options import Context
from smsby_deploy.errors import Refused, UsageError

PLAIN = Context(environ={})


@pytest.mark.parametrize(
    ("answer", "confirms"), [("yes\n", True), ("y\n", False), ("", False), ("YES\n", False)]
)
def test_confirms_accepts_only_yes(
    answer: str, confirms: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any answer but yes, and none, does not confirm."""
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert PLAIN.confirms() is confirms
    assert 'Send now? This cannot be undone. Type "yes" to continue: ' in capsys.readouterr().err


def test_require_confirmation_refuses_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option can confirm, and otherwise the user is asked."""
    PLAIN.require_confirmation(given=True)
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    with pytest.raises(Refused, match="not approved; nothing was sent"):
        PLAIN.require_confirmation(given=False)


def test_confirms_never_asks_into_a_json_log() -> None:
    """With a JSON log nothing is asked, since a question would break its lines."""
    context = PLAIN._replace(log_format="json")
    with pytest.raises(UsageError, match="cannot ask for confirmation"):
        context.confirms()


@pytest.mark.parametrize(
    "words", [["apply", "--lock-timeout"], ["status", "--fail-under"], ["sandbox", "--delay"]]
)
def test_nan_is_in_no_range(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """NaN is in no range, since every comparison with it is false."""
    assert run([*words, "nan"]) == 64
    assert "'nan' is not a number" in capsys.readouterr().err
    assert run([*words, "ten"]) == 64
    assert "'ten' is not a valid number" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["plan", "--compare"], ["plan", "--out"], ["init"], ["lock", "pull"]])
def test_an_empty_name_is_not_this_directory(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An empty base, as from an unset variable, is refused, since it would be the project itself."""
    assert run([*words, ""]) == 64
    assert "the name is empty" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["validate"], ["apply", "--auto-approve"], ["api", "getBalance"]])
def test_an_empty_project_folder_is_not_this_one(
    words: list[str], shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty project folder is refused, since an apply could send another project's mailings."""
    monkeypatch.chdir(shop)
    assert run(["-C", "", *words]) == 64
    assert "-C: the name of the project folder is empty" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["listen", "sandbox"])
def test_an_empty_host_is_not_every_address(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty host is refused, since an unset variable must not open a port to the network."""
    assert run([command, "--port", "0", "--host", ""]) == 64
    assert "the address is empty" in capsys.readouterr().err


def test_note_is_silent_with_quiet_and_warn_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """-q hides notes but not warnings."""
    quiet = PLAIN._replace(quiet=True)
    quiet.note("saved")
    quiet.warn("interrupted", "interrupted")
    quiet.fail("max_cost", "refused")
    assert capsys.readouterr().err == "warning: interrupted\nrefused: max_cost\n"


def test_warn_writes_an_event_to_a_json_log(capsys: pytest.CaptureFixture[str]) -> None:
    """In the JSON log a warning has a name and facts for programs, and the same text."""
    PLAIN._replace(log_format="json").warn("late", "LATE", address="sale/vip")
    event = json.loads(capsys.readouterr().err)
    assert {key: event[key] for key in ("level", "event", "message", "address")} == {
        "level": "warning",
        "event": "LATE",
        "message": "late",
        "address": "sale/vip",
    }


def test_program_names_the_project() -> None:
    """A suggested command names the project and works as copied."""
    assert PLAIN._replace(project="my shop").program == "smsby-deploy -C 'my shop'"
