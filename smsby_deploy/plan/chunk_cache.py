"""The planned chunks of an apply, kept between plan and send.

They are in an unnamed file that no other process can open. Its content is not trusted: each chunk is hashed again before it
is sent, without the recipients who opted out meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from smsby_deploy.files import append_with_room
from smsby_deploy.plan.chunks import Chunk


class _CachedChunk(NamedTuple):
    """Where the rows of a chunk are in the file, and its mask.

    The mask is kept in memory, because no hash would reveal damage to it on disk.
    """

    offset: int
    size: int
    not_suppressed: bytes


@dataclass(slots=True)
class ChunkCache:
    """Chunks by mailing, in a file in `folder`, as long as there is room for it.

    Close the cache after use.
    """

    folder: Path
    _open: ExitStack = field(default_factory=ExitStack)
    _file: IO[bytes] | None = None
    _chunks: dict[str, list[_CachedChunk]] = field(default_factory=dict)
    _end: int = 0
    _is_full: bool = False

    def keep(self, address: str, chunk: Chunk) -> None:
        """Keep `chunk`; if there is no room, drop all chunks, which are then read again to send."""
        if self._is_full:
            return
        if self._write(chunk.rows):
            kept = _CachedChunk(self._end, len(chunk.rows), bytes(chunk.not_suppressed))
            self._chunks.setdefault(address, []).append(kept)
            self._end += kept.size
        else:
            self._is_full = True
            self.close()

    def close(self) -> None:
        self._chunks.clear()
        self._open.close()

    def holds(self, address: str) -> bool:
        """Whether the chunks of a mailing were kept."""
        return address in self._chunks

    def read(self, address: str) -> Iterator[tuple[bytes, bytearray]]:
        """Yield the rows of each chunk of a mailing, in order, and its mask.

        The mask is 0 for recipients who had opted out.

        Raises:
            OSError: the rows cannot be read from disk.
        """
        for chunk in self._chunks.get(address, ()):
            assert self._file is not None
            self._file.seek(chunk.offset)
            yield self._file.read(chunk.size), bytearray(chunk.not_suppressed)

    def _write(self, rows: bytes) -> bool:
        """Append `rows` if enough space stays free; return whether they were written."""
        try:
            if self._file is None:
                # Imported late: it loads all compression modules, which `validate` never needs.
                from tempfile import TemporaryFile

                unnamed = TemporaryFile(buffering=0, dir=self.folder)  # noqa: SIM115 - closed by _open
                self._file = self._open.enter_context(unnamed)
            return append_with_room(self._file, rows)
        except OSError:
            return False
