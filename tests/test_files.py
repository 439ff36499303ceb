"""Writing files: complete or not at all, and never through a link."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import pytest

from smsby_deploy import files
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.files import UnnamedFile, refuse_link, remove_file, write_file

_MEMORY = "/dev/shm"  # noqa: S108


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file outside the project."""
    path = tmp_path / "victim"
    path.write_text("mine\n", "utf-8")
    return path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_write_file_replaces_a_link(tmp_path: Path, victim: Path) -> None:
    """A link is replaced, and its target stays unchanged."""
    path = tmp_path / "plan.json"
    path.symlink_to(victim)
    write_file(path, "new\n")
    assert (path.read_text("utf-8"), path.is_symlink()) == ("new\n", False)
    assert victim.read_text("utf-8") == "mine\n"


def test_write_file_leaves_nothing_if_the_check_fails(victim: Path) -> None:
    """If the check fails the old content stays, and no other file remains."""

    def refuse(written: Path) -> None:
        assert written.read_text("utf-8") == "new"
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        write_file(victim, "new", check=refuse)
    assert victim.read_text("utf-8") == "mine\n"
    assert list(victim.parent.iterdir()) == [victim]


def test_write_file_for_the_owner_only(victim: Path) -> None:
    """A file with phones can be read only by its owner, even if it could be read by others before."""
    victim.chmod(0o644)
    write_file(victim, "375291234567\n", is_private=True)
    assert _mode(victim) == 0o600
    write_file(victim, "1,000 recipients\n")
    assert _mode(victim) == 0o644 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.skipif(not os.access(_MEMORY, os.W_OK), reason=f"no {_MEMORY}")
def test_write_file_in_memory() -> None:
    """An ordinary file below /dev is replaced atomically, and can be private."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        path = Path(folder) / "plan.json"
        write_file(path, "old", is_private=True)
        assert _mode(path) == 0o600
        with pytest.raises(ValueError, match=r"^$"):
            write_file(path, _fail)
        assert path.read_text("utf-8") == "old"


def _fail(file: TextIO) -> None:
    file.write("new")
    raise ValueError


def test_write_file_to_a_pipe(tmp_path: Path) -> None:
    """A pipe that the user names is written to, not replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")))
    reader.start()
    write_file(pipe, "text\n")
    reader.join(10)
    assert read == ["text\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_write_file_names_what_is_full() -> None:
    """The error of a full disk names the file, as a command may have several outputs."""
    with pytest.raises(OSError) as caught:
        write_file(Path("/dev/full"), "text")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")


def test_write_file_to_standard_output(tmp_path: Path) -> None:
    """`--out /dev/stdout` works, even if stdout is a file."""
    program = "from pathlib import Path; from smsby_deploy.files import write_file; write_file(Path('/dev/stdout'), 'text')"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", program], check=True, stdout=out)
    assert (tmp_path / "out").read_text("utf-8") == "text"


def test_refuse_link_names_the_file(tmp_path: Path, victim: Path) -> None:
    """A link is refused by name; a file, or a path that does not exist, is accepted."""
    refuse_link(victim)
    refuse_link(tmp_path / "none")
    link = tmp_path / "smsby.lock.json"
    link.symlink_to(victim)
    with pytest.raises(SmsbyDeployError, match=r"smsby\.lock\.json: this file is a link"):
        refuse_link(link)


@pytest.mark.parametrize(("free", "is_written"), [(64, False), (65, True)])
def test_unnamed_file_leaves_room_for_the_journal(
    free: int, is_written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last 64 MiB of a disk are reserved for the journal, without which outcomes would be lost."""
    disk = SimpleNamespace(f_bavail=free, f_frsize=1 << 20)
    monkeypatch.setattr(os, "fstatvfs", lambda handle: disk)
    file = UnnamedFile(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with nullcontext() if is_written else pytest.raises(OSError, match="No space left on device"):
        assert file.append(b"rows") == 0
    assert file.read(0, 9) == (b"rows" if is_written else b"")


def test_unnamed_file_is_read_wherever_it_was_written_last(tmp_path: Path) -> None:
    """Reading does not change where the next bytes are appended."""
    file = UnnamedFile(tmp_path)
    assert [file.append(b"one"), file.append(b"two")] == [0, 3]
    assert file.read(0, 3) == b"one"
    assert (file.append(b"three"), file.size) == (6, 11)
    assert file.read(3, 8) == b"twothree"


def test_unnamed_file_is_read_in_several_threads(tmp_path: Path) -> None:
    """Each of several threads gets the bytes of its place."""
    file = UnnamedFile(tmp_path)
    places = {bytes([letter]) * 9: file.append(bytes([letter]) * 9) for letter in b"abcd"}

    def read_often(content: bytes) -> bool:
        return all(file.read(places[content], 9) == content for _ in range(2000))

    with ThreadPoolExecutor() as threads:
        assert all(threads.map(read_often, places))


def test_unnamed_file_that_cannot_be_created(tmp_path: Path) -> None:
    """Without its folder there is no file, and nothing to close."""
    with pytest.raises(FileNotFoundError):
        UnnamedFile(tmp_path / "gone")


@pytest.mark.parametrize("tries", [1, 5])
def test_write_file_waits_on_windows_for_a_reader(
    tries: int, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a file that another process reads cannot be replaced: that is tried again until it is closed."""
    monkeypatch.setattr(files, "_IS_WINDOWS", True)
    refusals = iter([PermissionError(errno.EACCES, "used by another process")] * tries)
    replace = Path.replace

    def replace_if_closed(source: Path, target: Path) -> Path:
        for refusal in refusals:
            raise refusal
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", replace_if_closed)
    write_file(victim, "new\n")
    assert victim.read_text("utf-8") == "new\n"
    assert list(victim.parent.iterdir()) == [victim]


@pytest.mark.parametrize("is_windows", [False, True])
def test_remove_file_says_that_it_is_used(
    is_windows: bool, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that stays open is an error: after two seconds on Windows, at once elsewhere."""
    monkeypatch.setattr(files, "_IS_WINDOWS", is_windows)
    began = SystemClock().monotonic()

    def refuse(path: Path, *, missing_ok: bool) -> None:
        raise PermissionError(errno.EACCES, "used by another process")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError):
        remove_file(victim)
    assert SystemClock().monotonic() - began == pytest.approx(2 if is_windows else 0, abs=0.1)
