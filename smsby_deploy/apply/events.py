"""What an apply tells while it runs: for a person a line, for a program the facts of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_NAMED = 3  # addresses in a line


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is a word that stays, e.g. `request`; `line` is for people and may be worded otherwise tomorrow.

    `addresses` are the mailings it concerns; `people` how many are in the request; `outcome` what became of it.
    """

    name: str
    line: str
    addresses: tuple[str, ...] = ()
    people: int | None = None
    outcome: str | None = None
    is_warning: bool = False


def request_event(outcome: str, chunks: Iterable[tuple[str, int, int]], people: int) -> Event:
    """One request, answered. `chunks`: address, index from 0, and how many chunks that mailing has.

    `accepted      1,000 people  sale/vip [2/3]`; of many mailings in one request the first three are named.
    """
    told: dict[str, list[int]] = {}
    counts: dict[str, int] = {}
    for address, index, count in chunks:
        told.setdefault(address, []).append(index + 1)
        counts[address] = count
    names = []
    for address, numbers in told.items():
        span = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
        names.append(address if len(numbers) == counts[address] else f"{address} [{span}/{counts[address]}]")
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    line = f"{outcome:<9} {people:>9,} people  {', '.join(names[:_NAMED])}{more}"
    return Event("request", line, tuple(told), people, outcome, is_warning=outcome != "accepted")


def step_event(outcome: str, step: str, address: str, people: int | None) -> Event:
    """One step of a list mailing, answered: `draft` or `confirm`."""
    what = "drafted" if step == "draft" else "confirmed"
    told = "?" if people is None else f"{people:,}"
    line = f"{what if outcome == 'accepted' else outcome:<9} {told:>9} people  {address}"
    return Event(step, line, (address,), people, outcome, is_warning=outcome != "accepted")
