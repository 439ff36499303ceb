"""Chunks that are sent phone by phone: a letter of state for each, by its place in the chunk, and never the phone itself.

p pending · n said not to be sent · r rejected · a accepted · u unknown · s suppressed. In the lock file and the journal
equal letters are counted: `a:120 u:1 p:29`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from typing import Any

from smsby_deploy.lock.records import SAID_NOT_SENT, ChunkRecord, ChunkState

UNSENT = frozenset("pnr")  # surely
NO_PROOF = "9"  # a baseline that no number of deliveries exceeds

_LETTERS = {
    ChunkState.PENDING: "p",
    ChunkState.REJECTED: "r",
    ChunkState.ACCEPTED: "a",
    ChunkState.UNKNOWN: "u",
    ChunkState.SUPPRESSED: "s",
}
_RUNS = re.compile(r"([a-z0-9]:[1-9][0-9]*( [a-z0-9]:[1-9][0-9]*)*)?")
_MOST = 1_000_000  # phones of a chunk that are believed; a damaged count must not fill the memory


def state_of(rows: str) -> ChunkState:
    """The state of a chunk whose phones stand as `rows`."""
    letters = set(rows)
    if "u" in letters:
        return ChunkState.UNKNOWN
    if not letters & UNSENT:
        return ChunkState.ACCEPTED if "a" in letters else ChunkState.SUPPRESSED
    if "a" in letters:
        return ChunkState.PARTIAL
    return ChunkState.REJECTED if "r" in letters else ChunkState.PENDING


def with_row(chunk: ChunkRecord, row: int, state: ChunkState, **changes: Any) -> ChunkRecord:
    """`chunk` after something became known of its phone number `row`."""
    assert chunk.rows is not None
    if not 0 <= row < len(chunk.rows):
        raise IndexError(row)
    rows = chunk.rows[:row] + _LETTERS[state] + chunk.rows[row + 1 :]
    return with_rows(chunk, rows, **changes)


def with_rows(chunk: ChunkRecord, rows: str, **changes: Any) -> ChunkRecord:
    """`chunk` with all its phones as `rows`. What was said of some phones stays told until all are done."""
    if "error" in changes and changes["error"] is None and set(rows) & {"r", "u"}:
        del changes["error"]
    return replace(chunk, **{**changes, "rows": rows, "state": state_of(rows), "step": None})


def with_state(chunk: ChunkRecord, state: ChunkState, **changes: Any) -> ChunkRecord:
    """`chunk` after something became known of all of it: of its unknown phones if there are any, else of the unsent."""
    if chunk.rows is None:
        return replace(chunk, state=state, **changes)
    letter = _LETTERS[state]
    if state is ChunkState.PENDING and changes.get("error") == SAID_NOT_SENT:
        letter = "n"
    concerned = UNSENT | {"u"} if state is ChunkState.UNKNOWN or "u" not in chunk.rows else {"u"}
    rows = "".join(letter if old in concerned else old for old in chunk.rows)
    return with_rows(chunk, rows, **changes)


def count_runs(letters: str) -> str:
    """`aaap` as `a:3 p:1`."""
    return " ".join(f"{letter}:{len(list(run))}" for letter, run in groupby(letters))


def read_runs(text: str) -> str:
    """What `count_runs` wrote; ValueError if it did not."""
    if _RUNS.fullmatch(text) is None:
        raise ValueError(f"no phones: {text[:20]!r}")
    runs = [(run[0], int(run[2:])) for run in text.split()]
    if sum(count for _, count in runs) > _MOST:
        raise ValueError("more phones than a chunk can have")
    return "".join(letter * count for letter, count in runs)
