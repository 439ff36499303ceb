"""Safe writes: links in a checkout are not followed, and space is kept for the journal."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path
from threading import Lock
from typing import TextIO

from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.problems import Location

# Flags for every os.open: no link is followed (on Windows, making one needs a privilege), and Windows translates no line end.
SAFE_OPEN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_IS_WINDOWS = sys.platform == "win32"
_SHARED, _PRIVATE = 0o644, 0o600
_NAME_BYTES = 220  # of the file's name kept in that of its temporary file; the limit is 255 in all
_RESERVED = 64 << 20  # bytes kept free on the disk, so that no other file takes the room of the journal
_TRIES, _PAUSE = 100, 0.02  # seconds between tries, while another process has a file open
_SYSTEM_FOLDERS = ("/dev/", "/proc/")
_MEMORY = "/dev/shm/"  # noqa: S108  # unlike the rest of /dev, it has ordinary files


def real_path(path: Path | str) -> Path:
    """Return the absolute path with all links followed.

    Unlike Path.resolve, it raises no error for circular links: there is no file at such a path.
    """
    return Path(os.path.realpath(path))


def may_be_file(path: Path) -> bool:
    """Whether there is a file, or its folder cannot be read; then reading the file says why."""
    try:
        return path.is_file()
    except OSError:
        return True


def change_mark(path: Path) -> tuple[int, ...] | None:
    """Return a value that changes whenever the file does; None if there is no file.

    Programs that copy a file restore its time of modification, so only the time of the last change to it is certain.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def write_file(
    path: Path,
    content: str | Callable[[TextIO], None],
    *,
    is_private: bool = False,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Replace `path` atomically: new file, fsync, check, rename, fsync.

    A link is replaced, not followed. A device or pipe, such as /dev/stdout, is written to directly.

    Args:
        path: the file to write.
        content: text to write as UTF-8, or a function that writes it.
        is_private: whether only the owner may read it, because it contains phones or texts.
        check: gets the new file before that replaces anything, and raises if it is wrong.

    Raises:
        OSError: it cannot be written; the error names the file even if the disk is full.
    """
    try:
        _write_or_replace(path, content, is_private=is_private, check=check)
    except OSError as error:
        error.filename = error.filename or os.fspath(path)
        raise


def _write_or_replace(
    path: Path,
    content: str | Callable[[TextIO], None],
    *,
    is_private: bool,
    check: Callable[[Path], None] | None,
) -> None:
    if _is_written_directly(path):
        with path.open("w", encoding="utf-8", newline="\n") as device:
            _write(content, device)
        return
    name = path.name.encode(errors="surrogateescape")[:_NAME_BYTES].decode(errors="ignore")
    temporary = path.with_name(f".{name}.{os.urandom(8).hex()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE_OPEN
    try:
        handle = os.open(temporary, flags, _PRIVATE if is_private else _SHARED)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            _write(content, file)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        _retry_while_open(lambda: temporary.replace(path))
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_file(path: Path) -> None:
    """Remove the file at `path`, if there is one."""
    _retry_while_open(lambda: path.unlink(missing_ok=True))


def _retry_while_open(change: Callable[[], object]) -> None:
    """Replace or remove a file.

    On Windows this fails as long as another process has the file open, such as a `status` that reads the lock; nothing tells
    when it is closed.
    """
    for tries_left in reversed(range(_TRIES if _IS_WINDOWS else 1)):
        try:
            change()
        except PermissionError:
            if not tries_left:
                raise
            SystemClock().sleep(_PAUSE)
        else:
            return


class UnnamedFile:
    """A temporary file that no other process can open; it leaves room for the journal.

    Raises OSError if it cannot be created, written or read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        from tempfile import TemporaryFile  # it loads all compression modules

        self._mutex = Lock()  # several threads may read it, and Windows lacks pread
        self._file = TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 - as long as this object
        self.size = 0

    def __del__(self) -> None:
        with suppress(AttributeError):  # it could not be created
            self.close()

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def append(self, content: bytes) -> int:
        """Write `content` at the end if that leaves enough room, and return its place."""
        with self._mutex:
            self._file.seek(self.size)
            if not self._has_room(len(content)) or self._file.write(content) != len(content):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            self.size += len(content)
            return self.size - len(content)

    def read(self, place: int, size: int) -> bytes:
        """Return `size` bytes from `place` on."""
        with self._mutex:
            self._file.seek(place)
            return self._file.read(size)

    def _has_room(self, size: int) -> bool:
        if _IS_WINDOWS:  # it lacks fstatvfs
            return True
        disk = os.fstatvfs(self._file.fileno())
        return disk.f_bavail * disk.f_frsize > size + _RESERVED


def _write(content: str | Callable[[TextIO], None], file: TextIO) -> None:
    if isinstance(content, str):
        file.write(content)
    else:
        content(file)


def refuse_link(path: Path) -> None:
    """Refuse a file of the lock, or its folder, if it is a link, a pipe or a device.

    A link may lead anywhere on the machine, and reading a pipe or a device may never end.

    Raises:
        SmsbyDeployError: it is neither a file nor a folder.
    """
    try:
        kind = path.lstat().st_mode
    except OSError:
        return
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISLNK(kind)):
        raise SmsbyDeployError("this is a pipe or a device", hint="remove it", location=Location(path.name))
    if stat.S_ISLNK(kind):
        what = "folder" if path.is_dir() else "file"
        raise SmsbyDeployError(
            f"this {what} is a link", hint=f"replace it with the {what} itself", location=Location(path.name)
        )


def sync_folder(folder: Path) -> None:
    """Make the name of a new, renamed or removed file in `folder` durable."""
    if _IS_WINDOWS:
        return  # it cannot open folders; NTFS keeps a journal of names
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_written_directly(path: Path) -> bool:
    if str(path).startswith(_SYSTEM_FOLDERS) and not str(path).startswith(_MEMORY):
        return True
    try:
        kind = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)
