"""Who is told how far the reading of audiences is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from smsby_deploy.config.declarations import Mailing


def _begins(address: str, number: int, count: int) -> None:
    """Nobody is told."""


def read_by_nobody(people: int) -> None:
    """Nobody is told."""


class ReadProgress(NamedTuple):
    """`begins` hears the address of each mailing, its number from 1, and how many there are; `read` hears how many
    people more of it were read."""

    begins: Callable[[str, int, int], None] = _begins
    read: Callable[[int], None] = read_by_nobody

    def over(self, mailings: Sequence[Mailing]) -> Iterator[Mailing]:
        """`mailings`, each told as it begins."""
        for number, mailing in enumerate(mailings, start=1):
            self.begins(mailing.address, number, len(mailings))
            yield mailing


NOBODY = ReadProgress()
