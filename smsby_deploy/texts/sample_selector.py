"""Which texts of a mailing a reviewer is shown: the first, the most expensive, the longest, one for each default that is
applied, or those of the rows that were asked for. Chosen a batch at a time: of most rows nothing is looked at alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import compress, islice

from smsby_deploy.config.declarations import Price
from smsby_deploy.recipients.audience import Batch
from smsby_deploy.texts.batch import measure_batch
from smsby_deploy.texts.parts import UNICODE, TextSize, TextTooLong, measure_text
from smsby_deploy.texts.price import cost_of

_FEW = 20  # rows of a batch, of which each is looked up for itself


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text that may be shown. `row` counts the recipients from 1, `values` are the variables of its reader."""

    row: int
    line: int
    phone: str
    text: str
    size: TextSize
    cost: Decimal | None
    values: Mapping[str, str]

    @property
    def expense(self) -> tuple[Decimal, int]:
        """What the most expensive one has most of."""
        return self.cost or Decimal(0), self.size.parts


@dataclass(slots=True)
class SampleSelector:
    """Keeps what may be shown of a stream of any length; complete when it is at its end.

    `waiting` are variables with a default that nobody has got yet. `told` hears of each text that is too long to be sent:
    why, and its line. `split` counts texts of 1, 2, and 3 or more parts.
    """

    limit: int | None
    rows: frozenset[int]
    price: Price | None
    told: Callable[[str, int], None]
    waiting: set[str] = field(default_factory=set)
    by_row: dict[int, Candidate] = field(default_factory=dict)
    split: list[int] = field(default_factory=lambda: [0, 0, 0])
    count: int = 0
    suppressed: int = 0
    _defaulted: dict[str, Candidate] = field(default_factory=dict)
    _head: list[Candidate] = field(default_factory=list)
    _dearest: Candidate | None = None
    _longest: Candidate | None = None

    def offer(self, batch: Batch, texts: Sequence[str], *, has_values: bool) -> None:
        """The next recipients with their texts, "" where there is none; without values all read the same."""
        offered = _Offered(batch, texts, self.count, self.price, has_values)
        self.count += len(texts)
        self.suppressed += batch.reached.count(0)
        eligible, most_parts = self._measure(offered)
        wanted = [row - 1 - offered.before for row in self.rows if offered.before < row <= self.count]
        for candidate in offered.candidates(position for position in wanted if offered.may_be_sent(position)):
            self.by_row[candidate.row] = candidate
        if not most_parts:
            return
        room = 1 if self.limit is None else max(self.limit, 1)
        if len(self._head) < room:
            positions = islice(compress(range(len(texts)), eligible), room - len(self._head))
            self._head.extend(offered.candidates(positions))
        self._offer_dearest(offered, eligible, most_parts)
        self._offer_longest(offered, eligible)
        for name in sorted(self.waiting):
            self._offer_default(name, offered, eligible)

    def finish(self) -> list[tuple[Candidate, list[str]]]:
        """What is shown, in the order of the rows, and why."""
        if self.rows:
            return [(self.by_row[row], []) for row in sorted(self.by_row)]
        if self._dearest is None or self._longest is None:
            return []
        reasons: dict[int, tuple[Candidate, list[str]]] = {}
        marked = [(self._head[0], "first"), (self._dearest, "most expensive"), (self._longest, "longest")]
        marked += [(candidate, f"default of {name}") for name, candidate in sorted(self._defaulted.items())]
        for candidate, why in marked:
            if candidate.row in reasons or self.limit is None or len(reasons) < self.limit:
                reasons.setdefault(candidate.row, (candidate, []))[1].append(why)
        for candidate in self._head:
            if self.limit is not None and len(reasons) < self.limit:
                reasons.setdefault(candidate.row, (candidate, []))
        return [reasons[row] for row in sorted(reasons)]

    def _measure(self, offered: _Offered) -> tuple[bytearray, int]:
        """Count parts: a 1 for each row that may be chosen, and the parts of the longest of these."""
        texts, reached = offered.texts, offered.batch.reached
        if max(offered.lengths, default=0) <= UNICODE[-1]:  # also of those who opted out none is too long
            size = measure_batch(list(compress(texts, reached)) if 0 in reached else texts)
            if size is not None:
                self._count(size.split)
                return reached, size.longest
        for position, text in enumerate(texts):
            if text and offered.lengths[position] > UNICODE[-1]:
                try:
                    measure_text(text)
                except TextTooLong as error:
                    offered.too_long.add(position)
                    self.told(error.message, offered.batch.lines[position])
        eligible = bytearray(
            is_reached and offered.may_be_sent(position) for position, is_reached in enumerate(reached)
        )
        parts = [measure_text(text).parts for text in compress(texts, eligible)]
        ones, twos = parts.count(1), parts.count(2)
        self._count((ones, twos, len(parts) - ones - twos))
        return eligible, max(parts, default=0)

    def _count(self, split: Iterable[int]) -> None:
        self.split = [before + more for before, more in zip(self.split, split, strict=True)]

    def _offer_dearest(self, offered: _Offered, eligible: bytearray, most_parts: int) -> None:
        best = self._dearest.expense if self._dearest is not None else None
        dearest = (cost_of(most_parts, offered.highest_price) or Decimal(0), most_parts)
        if best is not None and dearest <= best:
            return  # whoever has the most parts, at the highest price
        winner = None
        for position in compress(range(len(offered.texts)), eligible):
            expense = offered.expense(position)
            if best is None or expense > best:
                best, winner = expense, position
                if best == dearest:
                    break
        if winner is not None:
            (self._dearest,) = offered.candidates([winner])

    def _offer_longest(self, offered: _Offered, eligible: bytearray) -> None:
        longest = max(compress(offered.lengths, eligible))
        if self._longest is None or longest > len(self._longest.text):
            lengths = enumerate(offered.lengths)
            first = next(position for position, length in lengths if length == longest and eligible[position])
            (self._longest,) = offered.candidates([first])

    def _offer_default(self, name: str, offered: _Offered, eligible: bytearray) -> None:
        column = offered.batch.variable(name) if offered.has_values else None
        for position in compress(range(len(offered.texts)), eligible):
            if column is None or not column[position]:
                self.waiting.discard(name)
                (self._defaulted[name],) = offered.candidates([position])
                return


@dataclass
class _Offered:
    """A batch with its texts; `before` so many recipients went before. `too_long` are positions, as far as any is."""

    batch: Batch
    texts: Sequence[str]
    before: int
    price: Price | None
    has_values: bool
    too_long: set[int] = field(default_factory=set)

    @cached_property
    def lengths(self) -> list[int]:
        return list(map(len, self.texts))

    @cached_property
    def highest_price(self) -> Price | None:
        """The most that a part costs to anybody in the batch, at least."""
        price = self.price
        if price is None or not price.per_prefix:
            return price
        phones = "\n" + "\n".join(self.batch.phones)
        prices = (amount for prefix, amount in price.per_prefix if f"\n{prefix}" in phones)
        return price._replace(per_part=max((price.per_part, *prices)))

    def may_be_sent(self, position: int) -> bool:
        return bool(self.texts[position]) and position not in self.too_long

    def expense(self, position: int) -> tuple[Decimal, int]:
        parts = measure_text(self.texts[position]).parts
        return cost_of(parts, self.price, self.batch.phones[position]) or Decimal(0), parts

    def candidates(self, positions: Iterable[int]) -> Iterator[Candidate]:
        """Of each of `positions`, which may be sent."""
        wanted = list(positions)
        everybody = self.batch.variables if self.has_values and len(wanted) > _FEW else None
        for position in wanted:
            values: Mapping[str, str] = {}
            if self.has_values:
                values = everybody[position] if everybody is not None else self.batch.variables_of(position)
            text, phone = self.texts[position], self.batch.phones[position]
            size = measure_text(text)
            yield Candidate(
                self.before + position + 1,
                self.batch.lines[position],
                phone,
                text,
                size,
                cost_of(size.parts, self.price, phone),
                values,
            )
