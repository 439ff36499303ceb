"""Makes files behave as on Windows, for tests on other systems.

Python imports a module of this name into every process that has this folder on PYTHONPATH. As on Windows, such a process
lacks functions that only POSIX has, cannot open a folder or sync a file that it only reads, translates the line ends of
files that are not opened as binary, and cannot replace, rename or remove a file that it has open.
"""

from __future__ import annotations

import builtins
import io
import mmap
import os
import signal
import sys
import traceback
from typing import Any

_POSIX_ONLY = {
    os: ("O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "fstatvfs", "statvfs", "sched_getaffinity", "fork", "pread"),
    signal: ("setitimer", "ITIMER_VIRTUAL", "SIGVTALRM", "pthread_sigmask", "SIGALRM"),
    mmap: ("MAP_PRIVATE", "MAP_ANONYMOUS"),
}  # fmt: skip
_WITH_OTHER_WAYS = ("filelock", "tempfile")  # on Windows, these do not remove a file that is open
_O_BINARY = 0x8000_0000  # no flag of Linux or macOS
_open_anything = io.open
_text: set[int] = set()  # open descriptors that translate line ends
_system = {
    name: getattr(os, name) for name in ("open", "write", "close", "fsync", "replace", "rename", "remove")
}


def _open_file(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    **settings: Any,
) -> Any:
    if newline is None and not {"b", "r", "+"} & set(mode):
        newline = "\r\n"
    return _open_anything(file, mode, buffering, encoding, errors, newline, **settings)


def _open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    handle: int = _system["open"](path, flags & ~_O_BINARY, mode, dir_fd=dir_fd)
    _text.discard(handle)
    if not flags & _O_BINARY:
        _text.add(handle)
    return handle


def _write(handle: int, content: bytes) -> int:
    if handle in _text:
        content = bytes(content).replace(b"\n", b"\r\n")
    return int(_system["write"](handle, content))


def _fsync(handle: Any) -> None:
    import fcntl

    if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(9, "Bad file descriptor")
    _system["fsync"](handle)


def _is_open(path: Any) -> bool:
    """Whether this process has the file at `path` open."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    for handle in range(3, 256):
        try:
            other = os.fstat(handle)
        except OSError:
            continue
        if (other.st_dev, other.st_ino) == (found.st_dev, found.st_ino):
            return True
    return False


def _refuse_open(*paths: Any) -> None:
    callers = (frame.f_globals["__name__"] for frame, _ in traceback.walk_stack(sys._getframe(1)))
    if any(name.startswith(_WITH_OTHER_WAYS) for name in callers):
        return
    for path in paths:
        if _is_open(path):
            raise PermissionError(13, "The process cannot access the file because it is being used", path)


def _replace(source: Any, target: Any, **folders: Any) -> None:
    _refuse_open(source, target)
    _system["replace"](source, target, **folders)


def _rename(source: Any, target: Any, **folders: Any) -> None:
    _refuse_open(source)
    if os.path.lexists(target):
        raise FileExistsError(17, "Cannot create a file when that file already exists", source)
    _system["rename"](source, target, **folders)


def _remove(path: Any, **folder: Any) -> None:
    if not folder:
        _refuse_open(path)
    _system["remove"](path, **folder)


for _module, _names in _POSIX_ONLY.items():
    for _name in _names:
        if hasattr(_module, _name):
            delattr(_module, _name)
io.open = builtins.open = _open_file  # type: ignore[assignment]
os.O_BINARY = _O_BINARY  # type: ignore[attr-defined, unused-ignore]
os.open, os.write, os.fsync = _open, _write, _fsync  # type: ignore[assignment]
os.replace, os.rename, os.remove, os.unlink = _replace, _rename, _remove, _remove  # type: ignore[assignment]

from smsby_deploy import files  # noqa: E402

files._IS_WINDOWS = True
