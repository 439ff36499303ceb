"""A long list read ahead by a process of its own, while this one renders and hashes what was read.

An apply that keeps its plan waits for nothing but this before the first request leaves, and holds the lock meanwhile; two
cores halve the wait. `plan` reads in its own process: that takes less memory, and less of the machine in all.
"""

from __future__ import annotations

import marshal
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import compress
from typing import IO, Any, NoReturn

from smsby_deploy.config.declarations import RecipientsFile
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.recipients.audience import AudienceReport, Batch

_WORTH_IT = 8_000_000  # bytes of a list: about 0.3 s of reading
_MOST_HANDLES = 4096
_PIPE = 1 << 20  # bytes: some blocks, so that neither side waits for the other's every block
_CELL_END = "\n"
_WITHOUT_REFERENCES = 2  # marshal's version: none of these values stands twice


class ReaderEnded(SmsbyDeployError):
    """The process that reads a list was ended from outside."""

    exit_code = ExitCode.FAILED


def is_worth_it(audience: object) -> bool:
    """Whether `audience` is long enough, and this machine can do two things at once."""
    if not isinstance(audience, RecipientsFile) or not hasattr(os, "fork"):
        return False
    try:
        return audience.path.stat().st_size >= _WORTH_IT and len(os.sched_getaffinity(0)) > 1
    except (OSError, AttributeError):
        return False


def read_ahead(stream: Callable[[], Iterator[Batch]], report: AudienceReport) -> Iterator[Batch]:
    """The batches of `stream`, which counts into `report`, made by a process of its own.

    Raises:
        ReaderEnded: it did not come to its end.
    """
    reading, writing = os.pipe()
    # Only Linux has pipes of any width; elsewhere the two wait for each other more often.
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE)
    # Blocked in the child for good: a signal is its parent's, who then ends it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        child: int | None = os.fork()
    except OSError:  # no process more, or no memory for one
        child = None
    if child == 0:
        _read(stream, report, writing)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            if child is None:
                yield from stream()
                return
            while isinstance(found := _next(pipe), bytes):
                yield _unpack(found)
        if isinstance(found, BaseException):
            raise found
        for name in report.__dataclass_fields__:
            setattr(report, name, getattr(found, name))
    finally:
        if child is not None:
            _end(child)


def _end(child: int) -> None:
    """It is at its end, or nobody wants what it reads. It may be gone already: where SIGCHLD is ignored, as some launchers
    leave it, the system does not keep it for us."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _next(pipe: IO[bytes]) -> Any:
    try:
        return pickle.load(pipe)  # noqa: S301 - our own child wrote it
    except (EOFError, pickle.UnpicklingError):  # nothing more, or only a beginning
        hint = "nothing was sent; see why the system ended it (memory?), and run the command again"
        raise ReaderEnded("the process that reads the recipients was ended", hint=hint) from None


def _read(stream: Callable[[], Iterator[Batch]], report: AudienceReport, writing: int) -> NoReturn:
    """All that the child does. It never comes back, and holds nothing that its parent may want to let go of, the lock
    above all."""
    try:
        os.closerange(0, writing)
        os.closerange(writing + 1, _MOST_HANDLES)
        with os.fdopen(writing, "wb", buffering=1 << 18) as pipe:
            end: object = report
            try:
                for batch in stream():
                    pickle.dump(_pack(batch), pipe)
            except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
                end = error
            pickle.dump(end, pipe)
    finally:
        os._exit(0)


def _pack(batch: Batch) -> bytes:
    """A batch as it goes through the pipe: of its rows only the recipients, and never a phone twice. marshal, for it is
    the fastest, and both ends are the same Python; a column as one text, for that is faster still."""
    values: list[str | Sequence[str]] = []
    for name, column in zip(batch.names, batch.values, strict=True):
        if name == "phone":  # that variable is always the number, so what was written is not wanted
            values.append(())
        else:
            values.append(_join(list(column if batch.kept is None else compress(column, batch.kept))))
    texts = list(batch.texts) if batch.has_own_texts else None
    packed = (_join(batch.phones), batch.names, values, texts, list(batch.lines), batch.reached)
    return marshal.dumps(packed, _WITHOUT_REFERENCES)


def _unpack(packed: bytes) -> Batch:
    phones, names, values, texts, lines, reached = marshal.loads(packed)  # noqa: S302 - our own child wrote it
    phones = _split(phones)
    values = [_split(column) or phones for column in values]
    return Batch(phones, names, values, texts or [None] * len(phones), lines, bytearray(reached))


def _join(cells: list[str]) -> str | list[str]:
    """Some cells as one text, or as they are if that could not be taken apart again."""
    joined = _CELL_END.join(cells)
    return joined if joined.count(_CELL_END) == len(cells) - 1 else cells


def _split(cells: str | list[str]) -> list[str]:
    return cells.split(_CELL_END) if isinstance(cells, str) else cells
