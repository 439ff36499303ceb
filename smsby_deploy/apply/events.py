"""What an apply reports while it runs: a line for the user, the same facts for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_NAMED = 3  # addresses in a line


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is stable, e.g. `request`; the wording of `line` is not.

    `addresses` are the mailings concerned, `recipients` how many the request has, and `outcome`
    what became of it.
    """

    name: str
    line: str
    addresses: tuple[str, ...] = ()
    recipients: int | None = None
    outcome: str | None = None
    is_warning: bool = False


def request_event(outcome: str, chunks: Iterable[tuple[str, int, int]], recipients: int) -> Event:
    """Return the event of one answered request.

    The line is like `accepted      1,000 recipients  sale/vip [2/3]`; it names three mailings at most.

    Args:
        outcome: the word for its outcome.
        chunks: for each chunk its address, its index from 0, and how many chunks the mailing has.
        recipients: how many recipients the request has.
    """
    indices: dict[str, list[int]] = {}
    counts: dict[str, int] = {}
    for address, index, count in chunks:
        indices.setdefault(address, []).append(index + 1)
        counts[address] = count
    names = []
    for address, numbers in indices.items():
        span = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
        names.append(address if len(numbers) == counts[address] else f"{address} [{span}/{counts[address]}]")
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    line = f"{outcome:<9} {_column(recipients)}  {', '.join(names[:_NAMED])}{more}"
    return Event("request", line, tuple(indices), recipients, outcome, is_warning=outcome != "accepted")


def step_event(outcome: str, step: str, address: str, recipients: int | None) -> Event:
    """Return the event of one answered step of a list mailing: `draft` or `confirm`."""
    success = "drafted" if step == "draft" else "confirmed"
    line = f"{success if outcome == 'accepted' else outcome:<9} {_column(recipients)}  {address}"
    return Event(step, line, (address,), recipients, outcome, is_warning=outcome != "accepted")


def _column(recipients: int | None) -> str:
    """Return a count of recipients, padded so that the addresses after it are aligned."""
    count = "?" if recipients is None else f"{recipients:,}"
    return f"{count:>9} {'recipient ' if recipients == 1 else 'recipients'}"
