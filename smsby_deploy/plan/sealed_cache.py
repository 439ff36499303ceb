"""Caches in the folder `.smsby` next to the lock, each a file of lines: a key and a text.

A cache is trusted only if it was written with the same secret, because the author of a pull request could write it as well.
Without it, everything is queried again.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TextIO, TypeVar

from smsby_deploy.files import write_file
from smsby_deploy.lock.store import make_private_folder

_Value = TypeVar("_Value")


class SealedCache(NamedTuple):
    """The cache at `path`; it begins with its `format` and `seal`, updated with all lines."""

    path: Path
    format: str
    seal: hmac.HMAC

    def read(self, decode: Callable[[str], _Value]) -> dict[str, _Value]:
        """Return the values by key; empty if the file is missing or damaged.

        A file of another secret counts as damaged, and so does one for which `decode` raises ValueError.
        """
        known: dict[str, _Value] = {}
        with suppress(OSError, ValueError):
            if self.path.is_symlink() or self.path.parent.is_symlink():
                return {}
            with self.path.open(encoding="utf-8", newline="\n") as file:
                head, seal = file.readline(), self.seal.copy()
                for line in file:
                    seal.update(line.encode())
                    key, _, text = line.removesuffix("\n").partition(" ")
                    known[key] = decode(text)
            if hmac.compare_digest(head.encode(), self._head(seal).encode()):
                return known
        return {}

    def write(self, known: Mapping[str, _Value], encode: Callable[[_Value], str]) -> bool:
        """Replace the file, and return whether that succeeded."""
        if self.path.parent.is_symlink():
            return False

        def lines() -> Iterator[str]:
            return (f"{key} {encode(value)}\n" for key, value in known.items())

        seal = self.seal.copy()
        for line in lines():
            seal.update(line.encode())

        def write(file: TextIO) -> None:
            file.write(self._head(seal))
            file.writelines(lines())

        make_private_folder(self.path.parent)
        try:
            write_file(self.path, write, is_private=True)
        except OSError:
            return False
        return True

    def _head(self, seal: hmac.HMAC) -> str:
        return f"{self.format} {seal.hexdigest()}\n"
