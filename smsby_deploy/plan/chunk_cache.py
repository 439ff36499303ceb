"""The chunks of a plan, kept from the moment they were hashed until they are sent.

Without them apply would read, clean and render everybody a second time. They lie in a file without a name: no other
process can open it, and it is gone with this one, however that ends. Nothing is taken on trust: a chunk is hashed again
before it leaves, and who opted out meanwhile is left out of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from smsby_deploy.plan.chunks import Chunk

Keep = Callable[[str, Chunk], None]  # the mailing's address, and one of its chunks
_LEFT_FREE = 64 << 20  # bytes of the disk: the journal of what is sent must never lack room for this


class _Place(NamedTuple):
    """Where the rows of a chunk lie, in bytes; who was reached is not in the file: no hash would tell its damage."""

    offset: int
    size: int
    reached: bytes


def keep_nothing(address: str, chunk: Chunk) -> None:
    """For who only plans."""


@dataclass(slots=True)
class ChunkCache:
    """What was kept of each mailing, in a file in `folder`, as long as there is room for it. Close it in the end.

    `opt_outs` tells the suppression files apart from others (`hash_opt_outs`), from before they were read.
    """

    folder: Path
    opt_outs: str
    _open: ExitStack = field(default_factory=ExitStack)
    _file: IO[bytes] | None = None
    _places: dict[str, list[_Place]] = field(default_factory=dict)
    _end: int = 0
    _is_full: bool = False

    def keep(self, address: str, chunk: Chunk) -> None:
        """Keep `chunk`. Without room for it everything is given up, and is read anew when it is sent."""
        if self._is_full:
            return
        size = len(chunk.rows)
        try:
            if self._file is None:
                # It loads all the ways of compressing, which `validate` has no use for.
                from tempfile import TemporaryFile

                unnamed = TemporaryFile(buffering=0, dir=self.folder)  # noqa: SIM115 - it outlives this call
                self._file = self._open.enter_context(unnamed)
            disk = os.fstatvfs(self._file.fileno())
            is_kept = (
                disk.f_bavail * disk.f_frsize > size + _LEFT_FREE and self._file.write(chunk.rows) == size
            )
        except OSError:
            is_kept = False
        if is_kept:
            self._places.setdefault(address, []).append(_Place(self._end, size, bytes(chunk.reached)))
            self._end += size
        else:
            self._is_full = True
            self.close()

    def close(self) -> None:
        """Forget everything."""
        self._places.clear()
        self._open.close()

    def holds(self, address: str) -> bool:
        """Whether the chunks of a mailing were kept."""
        return address in self._places

    def read(self, address: str) -> Iterator[tuple[bytes, bytearray]]:
        """The rows of each chunk of a mailing, in order, as they were hashed, and who of them was reached by the plan.

        Raises:
            OSError: the disk does not give them back.
        """
        for place in self._places.get(address, ()):
            assert self._file is not None
            self._file.seek(place.offset)
            yield self._file.read(place.size), bytearray(place.reached)
