"""The real command in a process of its own, forked from one that has imported the program already.

A test that runs the command a thousand times would otherwise mostly wait for imports. Everything else is real: the
arguments, the folder, the environment, the files, the wire, and the signal it dies of.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["smsby_deploy.apply.run", "smsby_deploy.cli.main", "tests.e2e.preloaded"])


class Forked:
    """One run of `smsby-deploy ARGUMENTS` in `folder`; it has begun when the object is made."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        folder: Path,
        environ: Mapping[str, str],
        stdin: str,
        file_limit: int | None = None,
    ) -> None:
        self._files = TemporaryDirectory()
        base = Path(self._files.name)
        base.joinpath("in").write_text(stdin, encoding="utf-8")
        self._base = base
        self.process = _SERVER.Process(
            target=_run, args=(arguments, str(folder), dict(environ), str(base), file_limit)
        )
        self.process.start()

    def said(self) -> str:
        """Its stderr so far."""
        path = self._base.joinpath("err")
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def finish(self, timeout: float = 60) -> tuple[int, str, str]:
        """Its exit code (-9 if SIGKILL ended it), stdout and stderr."""
        self.process.join(timeout)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise TimeoutError(f"it still runs after {timeout} s")
        out, err = (self._base.joinpath(name).read_text(encoding="utf-8") for name in ("out", "err"))
        self._files.cleanup()
        return code, out, err


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
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # multiprocessing has closed the old one
    sys.argv = ["smsby-deploy", *arguments]
    from smsby_deploy.__main__ import main

    main()
