"""The planned chunks of an apply, kept between plan and send.

They are in an unnamed file that no other process can open. Its content is not trusted: each chunk is hashed again before it
is sent, without the recipients who opted out meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from smsby_deploy.files import UnnamedFile
from smsby_deploy.plan.chunks import Chunk


class _CachedChunk(NamedTuple):
    """Where the rows of a chunk are in the file, and its mask.

    The mask is kept in memory, because no hash would reveal damage to it on disk.
    """

    place: int
    size: int
    not_suppressed: bytes


@dataclass(slots=True)
class ChunkCache:
    """Chunks by mailing, in a file in `folder`, as long as there is room for it.

    Close the cache after use.
    """

    folder: Path
    _file: UnnamedFile | None = None
    _chunks: dict[str, list[_CachedChunk]] = field(default_factory=dict)
    _is_full: bool = False

    def keep(self, address: str, chunk: Chunk) -> None:
        """Keep `chunk`; if there is no room, drop all chunks, which are then read again to send."""
        if self._is_full:
            return
        try:
            self._file = self._file or UnnamedFile(self.folder)
            place = self._file.append(chunk.rows)
        except OSError:
            self._is_full = True
            self.close()
            return
        kept = _CachedChunk(place, len(chunk.rows), bytes(chunk.not_suppressed))
        self._chunks.setdefault(address, []).append(kept)

    def close(self) -> None:
        self._chunks.clear()
        if self._file is not None:
            self._file.close()

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
            yield self._file.read(chunk.place, chunk.size), bytearray(chunk.not_suppressed)
