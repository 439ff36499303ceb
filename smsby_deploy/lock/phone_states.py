"""The state of each phone of a chunk that is sent one SMS at a time.

A lock contains no phone numbers: a phone is identified by its position in its chunk. The lock file and the journal store the
states as counted letters, for example `a:120 u:1 p:29`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import groupby

NO_PROOF = 9  # a count in a baseline that no later number of deliveries can exceed

_RUNS = re.compile(r"([a-z0-9]:[1-9][0-9]*( [a-z0-9]:[1-9][0-9]*)*)?")
_MAX_PHONES = 1_000_000  # per chunk; a damaged count must not fill the memory


class PhoneState(StrEnum):
    """The known state of one phone, named as in `ChunkState`.

    The values are the letters of the lock file.
    """

    PENDING = "p"
    DECLARED_UNSENT = "n"  # the user declared that a lost request was not sent
    REJECTED = "r"
    ACCEPTED = "a"
    UNKNOWN = "u"
    SUPPRESSED = "s"


UNSENT = frozenset({PhoneState.PENDING, PhoneState.DECLARED_UNSENT, PhoneState.REJECTED})  # certainly


class PhoneStates:
    """An immutable sequence with the state of each phone of a chunk, in the chunk's order.

    A state may be given as its letter.
    """

    __slots__ = ("_letters",)

    def __init__(self, states: Iterable[str] = ()) -> None:
        self._letters = "".join(states)

    @classmethod
    def uniform(cls, state: PhoneState, count: int) -> PhoneStates:
        """Return `count` phones that are all in `state`."""
        return cls([state] * count)

    @classmethod
    def parse(cls, text: str) -> PhoneStates:
        """Return the states that `str()` wrote; ValueError if `text` is not in that form."""
        return cls(map(PhoneState, parse_runs(text)))

    def __str__(self) -> str:
        return format_runs(self._letters)

    def __repr__(self) -> str:
        return f"PhoneStates.parse({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self._letters == other._letters if isinstance(other, PhoneStates) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._letters)

    def __len__(self) -> int:
        return len(self._letters)

    def __iter__(self) -> Iterator[PhoneState]:
        return map(PhoneState, self._letters)

    def __contains__(self, state: PhoneState) -> bool:
        return state.value in self._letters

    def __getitem__(self, position: int) -> PhoneState:
        return PhoneState(self._letters[position])

    def count(self, *states: PhoneState) -> int:
        """Return how many phones are in one of `states`."""
        return sum(map(self._letters.count, states))

    def has_any(self, states: Iterable[PhoneState]) -> bool:
        """Return whether at least one phone is in one of `states`."""
        return any(state in self for state in states)

    def with_state(self, position: int, state: PhoneState) -> PhoneStates:
        """Return a copy in which the phone at `position` is in `state`.

        IndexError if there is no such phone.
        """
        if not 0 <= position < len(self):
            raise IndexError(position)
        return PhoneStates(self._letters[:position] + state + self._letters[position + 1 :])

    def replacing(self, old: Iterable[PhoneState], new: PhoneState) -> PhoneStates:
        """Return a copy in which every phone in one of the `old` states is in `new`."""
        table = str.maketrans({state.value: new.value for state in old})
        return PhoneStates(self._letters.translate(table))


def format_runs(symbols: Iterable[str]) -> str:
    """Return `symbols` with equal neighbors counted: `aaap` becomes `a:3 p:1`."""
    return " ".join(f"{symbol}:{len(list(run))}" for symbol, run in groupby(symbols))


def parse_runs(text: str) -> str:
    """Return the symbols that `format_runs` wrote; ValueError if `text` is not in that form."""
    if _RUNS.fullmatch(text) is None:
        raise ValueError(f"not a list of counted phone states: {text[:20]!r}")
    runs = [(run[0], int(run[2:])) for run in text.split()]
    if sum(count for _, count in runs) > _MAX_PHONES:
        raise ValueError("more phones than a chunk can have")
    return "".join(symbol * count for symbol, count in runs)
