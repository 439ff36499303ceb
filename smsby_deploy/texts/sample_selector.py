"""Selection of the texts a reviewer sees, made while the recipients stream by.

Shown are the first text, the most expensive, the longest, one for each language, and one for each default that is applied,
or the rows that were asked for. Whole batches are compared first, so that most rows are never looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import compress, islice

from smsby_deploy.config.declarations import Price
from smsby_deploy.recipients.audience import Batch
from smsby_deploy.texts.cost import cost_of
from smsby_deploy.texts.parts import UCS2_UNITS, TextSize, TextTooLong, measure_batch, measure_text
from smsby_deploy.wording import sentence

_FEW_ROWS = 20  # up to this many rows of a batch, variables are looked up row by row


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may be shown.

    `row` counts recipients from 1, `line` is the physical line, `values` are the recipient's variables.
    """

    row: int
    line: int
    phone: str
    text: str
    size: TextSize
    cost: Decimal | None
    values: Mapping[str, str]

    @property
    def expense(self) -> tuple[Decimal, int]:
        """The sort key of "most expensive": cost, then parts."""
        return self.cost or Decimal(0), self.size.parts


def _ignore(reason: str, line: int) -> None:
    """Do nothing: the plan reports texts that are too long."""


@dataclass(slots=True)
class SampleSelector:
    """Selects samples from a stream; the selection is complete once the stream has ended.

    `limit` is the most samples to keep, or None for every sample that has a reason. `rows` asks for recipients by number
    instead. `pending_defaults` are the variables with a default that no recipient has used so far. `on_too_long` receives
    the reason and the line of each text that is too long to send. `languages_of` returns the language of each text of a
    batch, where there are several.

    `by_parts` counts the recipients whose text has 1, 2, and 3 or more parts.
    """

    price: Price | None
    limit: int | None = None
    rows: frozenset[int] = frozenset()
    on_too_long: Callable[[str, int], None] = _ignore
    is_personal: bool = True
    pending_defaults: set[str] = field(default_factory=set)
    languages_of: Callable[[Batch], Sequence[str]] | None = None
    by_row: dict[int, Candidate] = field(default_factory=dict)
    by_parts: tuple[int, int, int] = (0, 0, 0)
    count: int = 0
    suppressed: int = 0
    _defaulted: dict[str, Candidate] = field(default_factory=dict)
    _by_language: dict[str, Candidate] = field(default_factory=dict)
    _head: list[Candidate] = field(default_factory=list)
    _most_expensive: Candidate | None = None
    _longest: Candidate | None = None

    def add(self, batch: Batch, texts: Sequence[str]) -> None:
        """Consider the next recipients with their texts; an empty text cannot be sent."""
        added = _AddedBatch(batch, texts, self.count, self.price, self.is_personal)
        self.count += len(texts)
        self.suppressed += batch.not_suppressed.count(0)
        eligible, most_parts = self._measure(added)
        requested = [row - 1 - added.offset for row in self.rows if added.offset < row <= self.count]
        for candidate in added.candidates(position for position in requested if added.can_send(position)):
            self.by_row[candidate.row] = candidate
        if not most_parts:
            return
        room = 1 if self.limit is None else max(self.limit, 1)
        if len(self._head) < room:
            positions = islice(compress(range(len(texts)), eligible), room - len(self._head))
            self._head.extend(added.candidates(positions))
        self._consider_most_expensive(added, eligible, most_parts)
        self._consider_longest(added, eligible)
        for name in sorted(self.pending_defaults):
            self._consider_default(name, added, eligible)
        self._consider_languages(added, eligible)

    def selected(self) -> list[tuple[Candidate, list[str]]]:
        """The samples to show, in row order, each with the reasons it was selected for."""
        if self.rows:
            return [(self.by_row[row], []) for row in sorted(self.by_row)]
        if self._most_expensive is None or self._longest is None:
            return []
        reasons: dict[int, tuple[Candidate, list[str]]] = {}
        marked = [
            (self._head[0], "first"),
            *(
                (candidate, sentence("language {name}", name=name))
                for name, candidate in self._by_language.items()
            ),
            (self._most_expensive, "most expensive"),
            (self._longest, "longest"),
            *((candidate, f"default of {name}") for name, candidate in sorted(self._defaulted.items())),
        ]
        for candidate, reason in marked:
            if candidate.row in reasons or self.limit is None or len(reasons) < self.limit:
                reasons.setdefault(candidate.row, (candidate, []))[1].append(reason)
        for candidate in self._head:
            if self.limit is not None and len(reasons) < self.limit:
                reasons.setdefault(candidate.row, (candidate, []))
        return [reasons[row] for row in sorted(reasons)]

    def _measure(self, added: _AddedBatch) -> tuple[bytearray, int]:
        """Count parts; return a 1 for each eligible row, and the most parts among these rows."""
        texts, reached = added.texts, added.batch.not_suppressed
        if (
            max(added.lengths, default=0) <= UCS2_UNITS[-1]
        ):  # no text is too long, suppressed recipients included
            size = measure_batch(list(compress(texts, reached)) if 0 in reached else texts)
            if size is not None:
                self._count(size.by_parts)
                return reached, size.longest
        for position, text in enumerate(texts):
            if text and added.lengths[position] > UCS2_UNITS[-1]:
                try:
                    measure_text(text)
                except TextTooLong as error:
                    added.too_long.add(position)
                    self.on_too_long(error.message, added.batch.lines[position])
        eligible = bytearray(
            is_reached and added.can_send(position) for position, is_reached in enumerate(reached)
        )
        parts = [measure_text(text).parts for text in compress(texts, eligible)]
        ones, twos = parts.count(1), parts.count(2)
        self._count((ones, twos, len(parts) - ones - twos))
        return eligible, max(parts, default=0)

    def _count(self, by_parts: tuple[int, int, int]) -> None:
        one, two, more = self.by_parts
        self.by_parts = (one + by_parts[0], two + by_parts[1], more + by_parts[2])

    def _consider_most_expensive(self, added: _AddedBatch, eligible: bytearray, most_parts: int) -> None:
        best = self._most_expensive.expense if self._most_expensive is not None else None
        upper_bound = (cost_of(most_parts, added.highest_price) or Decimal(0), most_parts)
        if best is not None and upper_bound <= best:
            return
        winner = None
        for position in compress(range(len(added.texts)), eligible):
            expense = added.expense(position)
            if best is None or expense > best:
                best, winner = expense, position
                if best == upper_bound:
                    break
        if winner is not None:
            (self._most_expensive,) = added.candidates([winner])

    def _consider_longest(self, added: _AddedBatch, eligible: bytearray) -> None:
        longest = max(compress(added.lengths, eligible))
        if self._longest is None or longest > len(self._longest.text):
            lengths = enumerate(added.lengths)
            first = next(position for position, length in lengths if length == longest and eligible[position])
            (self._longest,) = added.candidates([first])

    def _consider_default(self, name: str, added: _AddedBatch, eligible: bytearray) -> None:
        column = added.batch.variable(name) if self.is_personal else None
        for position in compress(range(len(added.texts)), eligible):
            if column is None or not column[position]:
                self.pending_defaults.discard(name)
                (self._defaulted[name],) = added.candidates([position])
                return

    def _consider_languages(self, added: _AddedBatch, eligible: bytearray) -> None:
        languages = self.languages_of(added.batch) if self.languages_of is not None else ()
        if self._by_language.keys() >= set(languages):
            return
        for position in compress(range(len(languages)), eligible):
            language = languages[position]
            if language.strip() and language not in self._by_language:
                (self._by_language[language],) = added.candidates([position])


@dataclass
class _AddedBatch:
    """A batch with its texts.

    `offset` is the number of recipients before it, `too_long` has the positions of texts found to be too long.
    """

    batch: Batch
    texts: Sequence[str]
    offset: int
    price: Price | None
    is_personal: bool
    too_long: set[int] = field(default_factory=set)

    @cached_property
    def lengths(self) -> list[int]:
        return list(map(len, self.texts))

    @cached_property
    def highest_price(self) -> Price | None:
        """An upper bound of the price per part in this batch."""
        price = self.price
        if price is None or not price.per_prefix:
            return price
        phones = "\n" + "\n".join(self.batch.phones)
        prices = (amount for prefix, amount in price.per_prefix if f"\n{prefix}" in phones)
        return price._replace(per_part=max((price.per_part, *prices)))

    def can_send(self, position: int) -> bool:
        return bool(self.texts[position]) and position not in self.too_long

    def expense(self, position: int) -> tuple[Decimal, int]:
        parts = measure_text(self.texts[position]).parts
        return cost_of(parts, self.price, self.batch.phones[position]) or Decimal(0), parts

    def candidates(self, positions: Iterable[int]) -> Iterator[Candidate]:
        """The candidates at `positions`, each of which can be sent."""
        chosen = list(positions)
        all_values = self.batch.variables if self.is_personal and len(chosen) > _FEW_ROWS else None
        for position in chosen:
            values: Mapping[str, str] = {}
            if self.is_personal:
                values = all_values[position] if all_values is not None else self.batch.variables_of(position)
            text, phone = self.texts[position], self.batch.phones[position]
            size = measure_text(text)
            yield Candidate(
                self.offset + position + 1,
                self.batch.lines[position],
                phone,
                text,
                size,
                cost_of(size.parts, self.price, phone),
                values,
            )
