"""`lock`: what an empty lock shows, and wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli import clients
from smsby_deploy.cli.main import run
from smsby_deploy.status import archivable
from smsby_deploy.status.collect import StatusOptions


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("list",), 0, "the lock records no mailing"),
        (("unlock",), 0, "the lock is free"),
        (("pull", "copy.json"), 64, "there is no lock to copy"),
        (("pull", "/dev/full"), 64, "/dev/full is not a regular file"),  # it never ends
        (("push", "/dev/zero"), 64, "/dev/zero is not a regular file"),
        (("show", "sale/vip"), 64, "no mailing sale/vip in the lock"),
    ],
)
def test_lock_of_a_new_project(
    words: tuple[str, ...], code: int, message: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty lock has nothing to show or to copy."""
    assert run(["-C", str(shop), "lock", *words]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("verb", "content", "message"),
    [
        ("push", None, "copy.json does not exist"),
        ("push", b"", "copy.json is not a lock file"),
        ("push", b"\xff\xfe", "copy.json is not a lock file"),
        ("push", b'{"format": "smsby-plan"}', "copy.json is not a lock file"),
        ("pull", b"a,b\n", "copy.json is not a lock file"),
    ],
)
def test_lock_push_and_pull_refuse_another_file(
    verb: str, content: bytes | None, message: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of another kind is refused, not called a damaged lock, and left unchanged."""
    file = shop / "copy.json"
    if content is not None:
        file.write_bytes(content)
    assert run(["-C", str(shop), "lock", verb, str(file)]) == 64
    assert f"{message}\nhint: name " in capsys.readouterr().err
    assert (file.read_bytes() if file.exists() else None) == content


def test_lock_push_calls_a_damaged_lock_damaged(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged lock is called damaged, even if it is truncated."""
    (shop / "copy.json").write_text('{\n  "format": "smsby-lock",\n  "version": 1,\n', "utf-8")
    assert run(["-C", str(shop), "lock", "push", str(shop / "copy.json")]) == 1
    assert "copy.json is damaged: not JSON, or truncated" in capsys.readouterr().err


def test_lock_archive_waits_as_long_as_the_account_lists(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lock archive` waits for as long as doctor found the list to lag, as `status` does."""
    seen: list[StatusOptions] = []

    def find(*arguments: object, options: StatusOptions, **more: object) -> archivable.Archivable:
        seen.append(options)
        return archivable.Archivable((), (), 0)

    monkeypatch.setattr(archivable, "find_archivable", find)
    monkeypatch.setattr(clients.AccountAccess, "listing_seconds", lambda account: 77.0)
    assert run(["-C", str(shop), "-e", "sandbox", "lock", "archive"]) == 0
    assert [one.reconcile_seconds for one in seen] == [77.0]
