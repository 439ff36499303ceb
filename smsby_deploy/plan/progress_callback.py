"""Callbacks that hear how far the reading of audiences is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from smsby_deploy.config.declarations import Mailing


class ReadProgress(NamedTuple):
    """`begin` gets the address of each mailing, its number from 1 and how many there are; `advance` gets how many more
    recipients were read."""

    begin: Callable[[str, int, int], None] = lambda address, number, count: None
    advance: Callable[[int], None] = lambda recipients: None

    def over(self, mailings: Sequence[Mailing]) -> Iterator[Mailing]:
        """Yield `mailings`, reporting each as it begins."""
        for number, mailing in enumerate(mailings, start=1):
            self.begin(mailing.address, number, len(mailings))
            yield mailing


NO_PROGRESS = ReadProgress()
