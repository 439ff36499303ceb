"""Attacks by links and hidden paths in a checkout: nothing secret is read, and nothing outside is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.config.sources import RecipientsFile, RecipientsParquet
from smsby_deploy.lock.store import LockStore
from smsby_deploy.recipients.rows import RecipientsError, SourceFacts
from smsby_deploy.recipients.source_reader import read_source
from tests.e2e.conftest import Shop

_SECRET = "credential-of-the-pipeline"
_MAILING = "version: 1\ncampaign: sale\nmailings:\n  - {{name: vip, recipients: {recipients}, {text}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / ".git").mkdir(parents=True)
    (root / "lists").mkdir()
    (root / "templates").mkdir()
    (root / ".git/config").write_text(f"phone {_SECRET}\n", "utf-8")
    (root / "lists/link").symlink_to("../.git/config")
    (root / "templates/link").symlink_to("../.git/config")
    (root / "templates/.hidden").write_text(_SECRET, "utf-8")
    (root / ".smsby").mkdir()
    (root / ".smsby/cache").write_text(_SECRET, "utf-8")
    (root / "lists/opt-outs.csv").write_text("phone\n375291234567\n", "utf-8")
    (root / ".link").symlink_to("lists")
    (root / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    return root


@pytest.mark.parametrize(
    ("recipients", "text"),
    [
        ("['375291234567']", "text_file: .git/config"),
        ("['375291234567']", "text_file: lists/../.git/config"),
        ("['375291234567']", "text_file: lists/link"),
        ("['375291234567']", "text: \"{% include '.hidden' %}\""),
        ("['375291234567']", "text: \"{% include 'link' %}\""),
        ("{file: .git/config}", "text: Hi"),
        ("{file: lists/link}", "text: Hi"),
        ("{file: .smsby/cache}", "text: Hi"),
        ("['375291234567']", "text_file: .smsby/cache"),
        ("{parquet: .git/config}", "text: Hi"),
    ],
)
@pytest.mark.parametrize("command", [["plan", "--offline", "--format", "markdown"], ["render", "*"]])
def test_hidden_file_is_not_read(
    command: list[str], recipients: str, text: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hidden file such as .git/config is not read, even through a link or a detour, so it gets into no comment."""
    (project / "sale.yaml").write_text(_MAILING.format(recipients=recipients, text=text), "utf-8")
    assert run(["-C", str(project), *command]) == 3
    captured = capsys.readouterr()
    assert _SECRET not in captured.out + captured.err
    assert "hidden" in captured.out + captured.err or "outside" in captured.out + captured.err


@pytest.mark.parametrize(
    ("circle", "arguments", "code"),
    [
        ("lists/vip.csv", ["validate"], 3),
        ("templates/a.j2", ["validate"], 3),
        ("templates", ["validate"], 3),
        ("smsby.lock.json", ["plan", "--offline"], 1),
        ("plan.json", ["plan", "--offline", "--out", "plan.json"], 0),
    ],
)
def test_link_in_a_circle_is_a_missing_file(
    circle: str,
    arguments: list[str],
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A link in a circle is a missing file, not an error of the program."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    is_list = circle == "lists/vip.csv"
    recipients = f"{{file: {circle}}}" if is_list else "['375291234567']"
    text = "text: \"{% include 'a.j2' %}\"" if circle.startswith("templates") else "text: Hi"
    (tmp_path / "sale.yaml").write_text(_MAILING.format(recipients=recipients, text=text), "utf-8")
    (tmp_path / circle).parent.mkdir(exist_ok=True)
    (tmp_path / circle).symlink_to(Path(circle).name)
    assert run(arguments) == code
    captured = capsys.readouterr()
    assert "internal error" not in captured.out + captured.err
    assert "RuntimeError" not in captured.out + captured.err


@pytest.mark.parametrize("command", [["validate"], ["plan", "--offline"], ["status"], ["lock", "list"]])
def test_linked_settings_of_another_place_are_not_shown(
    command: list[str], project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If smsby.yaml is a link out of the project, no key of its target is shown."""
    (tmp_path / "hosts.yml").write_text(f"{_SECRET}: {{}}\n", "utf-8")
    (project / "smsby.yaml").unlink()
    (project / "smsby.yaml").symlink_to("../hosts.yml")
    assert run(["-C", str(project), *command]) == 3
    captured = capsys.readouterr()
    assert _SECRET not in captured.out + captured.err
    assert "smsby.yaml is outside the project folder" in captured.out + captured.err


@pytest.mark.parametrize(
    ("pipe", "code"), [("smsby.lock.json", 1), ("smsby.facts.json", 1), ("lists/vip.csv", 3)]
)
def test_pipe_in_place_of_a_file_is_refused(
    pipe: str, code: int, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe in place of a file, which would be waited for forever, is refused."""
    os.mkfifo(project / pipe)
    (project / "sale.yaml").write_text(
        _MAILING.format(recipients="{file: lists/vip.csv}", text="text: Hi"), "utf-8"
    )
    if pipe != "lists/vip.csv":
        (project / "lists/vip.csv").write_text("phone\n375291234567\n", "utf-8")
    assert run(["-C", str(project), "plan", "--offline"]) == code
    captured = capsys.readouterr()
    assert "is a pipe or a device" in captured.out + captured.err


@pytest.mark.parametrize("command", ["render sale/vip", "validate", "plan --offline", "pin {pipe}"])
@pytest.mark.parametrize("pipe", ["a.csv", "a.jsonl", "a.txt", "a.parquet"])
def test_pipe_in_place_of_a_list_is_refused(
    pipe: str, command: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe in place of a list is refused by every command, once."""
    os.mkfifo(project / pipe)
    campaign = _MAILING.format(recipients=f"{{file: {pipe}}}", text="text: Hi")
    (project / "sale.yaml").write_text(campaign, "utf-8")
    assert run(["-C", str(project), *command.format(pipe=pipe).split()]) == (1 if "pin" in command else 3)
    assert "".join(capsys.readouterr()).count(f"{pipe} is a pipe or a device, expected a file") == 1


@pytest.mark.parametrize("pipe", ["a.csv", "a.parquet"])
def test_pipe_in_place_of_a_list_that_was_checked_is_refused(pipe: str, project: Path) -> None:
    """A pipe in place of the list of a gone mailing, which need not be valid, is refused by `recipients`."""
    (project / pipe).write_text("", "utf-8")
    campaign = _MAILING.format(recipients=f"{{file: {pipe}}}", text="text: Hi")
    (project / "sale.yaml").write_text(campaign, "utf-8")
    source = load_project(project).project.mailings[0].audience
    (project / pipe).unlink()
    os.mkfifo(project / pipe)
    assert isinstance(source, RecipientsFile | RecipientsParquet)
    with pytest.raises(RecipientsError, match="is a pipe or a device"):
        list(read_source(source, SourceFacts()))


@pytest.mark.parametrize(
    "setting",
    [
        "suppress: [.git/config]",
        "lock: .git/smsby.lock.json",
        "suppress: [.smsby/cache]",
        "lock: lists/../.git/lock",
        "campaigns: [.git/*.yaml]",
        "campaigns: ['**/.smsby/*.yaml']",
        "suppress: [.link/opt-outs.csv]",
    ],
)
def test_hidden_file_of_the_project_is_refused(
    setting: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hidden file in the project is refused as opt-outs, and as the lock, which would be written."""
    (project / "smsby.yaml").write_text(f"version: 1\nproject: shop\n{setting}\n", "utf-8")
    assert run(["-C", str(project), "validate"]) == 3
    assert "PATH_HIDDEN" in capsys.readouterr().out


def test_own_folder_may_hold_the_lock(project: Path) -> None:
    """.smsby/ may contain locks, and nothing else."""
    (project / "smsby.yaml").write_text("version: 1\nproject: shop\nlock: .smsby/my.lock.json\n", "utf-8")
    assert run(["-C", str(project), "validate"]) == 0


@pytest.mark.parametrize("suffix", ["", ".journal", ".holder", ".lock", ".callbacks.jsonl"])
def test_link_in_place_of_a_file_of_the_lock(suffix: str, shop: Shop, tmp_path: Path) -> None:
    """A link in place of a lock file is neither read nor written by apply and status."""
    victim = tmp_path / "victim"
    victim.write_text("mine\n", "utf-8")
    shop.write("sale.yaml", _MAILING.format(recipients="['375291234567']", text="text: Hi"))
    (shop.root / f"smsby.lock.json{suffix}").symlink_to(victim)
    shop.settings(status_lag=100_000, list_lag=100_000)  # so that status looks for callbacks
    applied = shop.run("apply", "--auto-approve")
    if suffix != ".callbacks.jsonl":
        assert (applied.code, "is a link" in applied.err) == (1, True)
        assert shop.inbox() == {}
    assert shop.run("status").code in ((0, 1) if suffix in (".holder", ".lock") else (1,))
    assert victim.read_text("utf-8") == "mine\n"


@pytest.mark.parametrize("command", [("apply", "--auto-approve"), ("lock", "bind"), ("status",)])
def test_link_in_place_of_the_private_folder(command: tuple[str, ...], shop: Shop, tmp_path: Path) -> None:
    """A link in place of .smsby/ is not followed: a .gitignore there would hide that folder's files from git."""
    victim = tmp_path / "victim"
    victim.mkdir()
    shop.write("sale.yaml", _MAILING.format(recipients="['375291234567']", text="text: Hi"))
    (shop.root / ".smsby").symlink_to(victim)
    done = shop.run("--env", "sandbox", *command)
    assert command == ("status",) or (done.code, "this folder is a link" in done.err) == (1, True), done.err
    assert list(victim.iterdir()) == [] and shop.inbox() == {}


def test_link_in_place_of_a_new_lock(tmp_path: Path) -> None:
    """The name of a new lock file is unpredictable, so that no link can wait for it."""
    store = LockStore(tmp_path / "smsby.lock.json", "shop")
    with store.held():
        names = {path.name for path in tmp_path.iterdir()}
    assert names <= {"smsby.lock.json.lock", "smsby.lock.json.holder"}


def test_out_does_not_write_through_a_link(shop: Shop, tmp_path: Path) -> None:
    """A plan, a status page or a report replaces a link of its name."""
    victim = tmp_path / "victim"
    victim.write_text("mine\n", "utf-8")
    shop.write("sale.yaml", _MAILING.format(recipients="['375291234567']", text="text: Hi"))
    for name in ("plan.json", "status.html", "report.json"):
        (shop.root / name).symlink_to(victim)
    assert shop.run("plan", "--out", "plan.json").code == 0
    assert shop.run("apply", "plan.json", "--auto-approve", "--report", "report.json").code == 0
    assert shop.run("status", "--format", "html", "--out", "status.html").code == 0
    assert victim.read_text("utf-8") == "mine\n"
    assert not any((shop.root / name).is_symlink() for name in ("plan.json", "status.html", "report.json"))
