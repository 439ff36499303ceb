"""The real command in its own process, forked from one that has already imported the program.

Without this, a test that runs the command a thousand times would mostly wait for imports. Everything else is real:
arguments, folder, environment, files, network and the signal that ends the process. Only the backoff of retries starts at
20 ms instead of half a second (tests/smsby/test_retry.py has the real pauses), and the clock may be ahead.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import resource
import socket
import sys
import threading
from ast import literal_eval
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["smsby_deploy.__main__", "tests.e2e.preloaded", "tests.e2e.forked", "tests.e2e.sandboxes"]
)
_START_TRIES = 6000  # of 5 ms each
_FIRST_PAUSE = 0.02  # seconds
CLOCK_AHEAD = "TEST_CLOCK_AHEAD"  # environment variable: how many seconds the clock of a run is ahead


class Forked:
    """One run of `smsby-deploy ARGUMENTS` in `folder`, running as soon as the object exists."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        folder: Path,
        environ: Mapping[str, str],
        stdin: str = "",
        file_limit: int | None = None,
    ) -> None:
        self._files = TemporaryDirectory()
        base = Path(self._files.name)
        base.joinpath("in").write_text(stdin, encoding="utf-8")
        self._base = base
        self.process = SERVER.Process(
            target=_run, args=(arguments, str(folder), dict(environ), str(base), file_limit)
        )
        self.process.start()

    def said(self) -> str:
        """Return its stderr so far."""
        return self._read("err")

    def first_line(self) -> str:
        """Return the first line of its stdout once that line is complete."""
        pause = threading.Event()
        for _ in range(_START_TRIES):
            line, end, _ = self._read("out").partition("\n")
            if end:
                return line
            assert self.process.exitcode is None, self.said()
            pause.wait(0.005)
        raise TimeoutError("the command printed no line")

    def _read(self, name: str) -> str:
        path = self._base.joinpath(name)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def finish(self, timeout: float = 60) -> tuple[int, str, str]:
        """Wait for it to end; return its exit code (-9 after SIGKILL), stdout and stderr."""
        self.process.join(timeout)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise TimeoutError(f"still running after {timeout} s")
        out, err = (self._base.joinpath(name).read_text(encoding="utf-8") for name in ("out", "err"))
        self._files.cleanup()
        return code, out, err

    def kill(self) -> None:
        """Kill a command that never ends by itself."""
        self.process.kill()
        self.process.join()
        self._files.cleanup()


class ForkedProgram:
    """A command for scripts that forks the real one with its own arguments, folder, environment and streams.

    It starts in 10 ms instead of 350, because it only sends a request to this process.
    """

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._folder = TemporaryDirectory()  # a socket path must be short
        name = str(Path(self._folder.name, "wire"))
        self._socket.bind(name)
        self._socket.listen()
        path.write_text(_PROGRAM.format(python=sys.executable, socket=name), encoding="utf-8")
        path.chmod(0o755)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._folder.cleanup()

    def _serve(self) -> None:
        with suppress(OSError):  # the script has closed it
            while True:
                threading.Thread(target=self._answer, args=(self._socket.accept()[0],), daemon=True).start()

    def _answer(self, wire: socket.socket) -> None:
        with wire:
            said, streams, _, _ = socket.recv_fds(wire, 1 << 16, 3)
            while not said.endswith(b"\n"):
                said += wire.recv(1 << 16)
            arguments, folder, environ, numbers = literal_eval(said.decode())
            connections = [Connection(stream, writable=False) for stream in streams]
            attached = dict(zip(numbers, connections, strict=True))
            process = SERVER.Process(target=_run_attached, args=(arguments, folder, environ, attached))
            process.start()
            for connection in connections:
                connection.close()
            if process.sentinel not in wait([process.sentinel, wire]):
                process.terminate()  # as the program was
            process.join()
            code = process.exitcode or 0
            with suppress(OSError):
                wire.sendall(b"%d" % (code if code >= 0 else 128 - code))


@cache
def program() -> Path:
    """Return a ForkedProgram for all tests of this process: for terminals, pipes and shells."""
    folder = TemporaryDirectory()
    path = Path(folder.name, "smsby-deploy")
    atexit.register(folder.cleanup)
    atexit.register(ForkedProgram(path).close)
    return path


# Importing only what the interpreter has loaded anyway halves the start-up time.
_PROGRAM = """\
#!{python} -IS
import _socket, os, sys
wire = _socket.socket(_socket.AF_UNIX)
wire.connect({socket!r})
numbers = [number for number, one in enumerate((sys.stdin, sys.stdout, sys.stderr)) if one]  # the others are closed
said = repr((sys.argv[1:], os.getcwd(), dict(os.environ), numbers)).encode() + b"\\n"
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in numbers)
sent = wire.sendmsg([said], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
wire.sendall(said[sent:])
os._exit(int(wire.recv(3) or 1))
"""


def _run_attached(
    arguments: list[str], folder: str, environ: dict[str, str], streams: dict[int, Connection]
) -> None:
    for number in range(3):
        if stream := streams.get(number):
            os.dup2(stream.fileno(), number)
            stream.close()
        else:
            os.close(number)
    _run_here(arguments, folder, environ)


def _run(
    arguments: tuple[str, ...], folder: str, environ: dict[str, str], base: str, file_limit: int | None
) -> None:
    for number, (name, flags) in enumerate(
        [("in", os.O_RDONLY), ("out", os.O_WRONLY | os.O_CREAT), ("err", os.O_WRONLY | os.O_CREAT)]
    ):
        handle = os.open(Path(base, name), flags, 0o644)
        os.dup2(handle, number)
        os.close(handle)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    _run_here(arguments, folder, environ)


def _run_here(arguments: Sequence[str], folder: str, environ: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    _open_streams(environ.get("PYTHONIOENCODING", "utf-8"))
    sys.argv = ["smsby-deploy", *arguments]
    from smsby_deploy.__main__ import main
    from smsby_deploy.smsby import retry

    assert retry._FIRST_PAUSE > _FIRST_PAUSE
    retry._FIRST_PAUSE = _FIRST_PAUSE
    if ahead := environ.get(CLOCK_AHEAD):
        _set_clock_ahead(timedelta(seconds=float(ahead)))
    main()


def _open_streams(encoding: str) -> None:
    """Open the standard streams as a starting interpreter does, which has no stream for one that is closed."""
    streams: list[TextIO | None] = [None] * 3
    for number, errors in enumerate(("strict", "strict", "backslashreplace")):
        with suppress(OSError):
            buffering = 1 if number == 2 or os.isatty(number) else -1
            mode = "w" if number else "r"
            streams[number] = open(number, mode, buffering, encoding, errors, closefd=False)  # noqa: SIM115
    sys.stdin, sys.stdout, sys.stderr = streams  # type: ignore[assignment]


def _set_clock_ahead(ahead: timedelta) -> None:
    from smsby_deploy.clock import SystemClock

    setattr(SystemClock, "now", lambda self: datetime.now(UTC) + ahead)  # noqa: B010, TID251  # the real clock
