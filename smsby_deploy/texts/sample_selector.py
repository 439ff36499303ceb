"""Selection of the texts a reviewer sees, made while the recipients stream by.

It has one text of each combination (of the sides of conditions, of defaults and of languages), the first, the most
expensive and the longest, or the requested rows. Whole batches are compared first, so that most rows are never examined
one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from itertools import compress, islice
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.declarations import Price
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.cost import cost_of
from smsby_deploy.texts.parts import UCS2_UNITS, TextSize, TextTooLong, measure_batch, measure_text
from smsby_deploy.wording import Sentence, sentence

if TYPE_CHECKING:  # it needs Jinja2, most texts do not
    from smsby_deploy.texts.branches import MailingBranches

_MOST_SAMPLES = 8
_MOST_COMBINATIONS = 1000  # counted


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may be shown; `row` counts recipients from 1, `line` is the physical line.

    Once selected, `why` has the reasons, and `recipients` the number who get the same combination; None if there is only one.
    """

    row: int
    line: int
    phone: str
    text: str
    size: TextSize
    cost: Decimal | None
    values: Mapping[str, str]
    why: tuple[Sentence, ...] = ()
    recipients: int | None = None

    @property
    def expense(self) -> tuple[Decimal, int]:
        """The sort key of "most expensive": cost, then parts."""
        return self.cost or Decimal(0), self.size.parts


@dataclass(slots=True)
class _Combination:
    """A combination of the text: the first recipient who gets it, and how many do."""

    first: Candidate
    recipients: int


class Selection(NamedTuple):
    """The samples in row order, and the number of combinations without one."""

    samples: list[Candidate]
    further: int = 0


@dataclass(slots=True)
class SampleSelector:
    """Selects samples from a stream; the selection is complete once the stream has ended.

    `limit` is the maximum number of samples, None the usual eight. If fewer have a reason, the first rows fill up to `fill`,
    which defaults to `limit`. `rows` selects recipients by number instead. `branches` distinguishes combinations, if there
    are several. `by_parts` counts the recipients whose text has 1, 2, and 3 or more parts.
    """

    price: Price | None
    limit: int | None = None
    rows: frozenset[int] = frozenset()
    branches: MailingBranches | None = None
    fill: int | None = None
    by_row: dict[int, Candidate] = field(default_factory=dict)
    by_parts: tuple[int, int, int] = (0, 0, 0)
    count: int = 0
    suppressed: int = 0
    _combinations: dict[str, _Combination] = field(default_factory=dict)
    _signatures: dict[int, str] = field(default_factory=dict)  # of the rows in the next three fields
    _head: list[Candidate] = field(default_factory=list)
    _most_expensive: Candidate | None = None
    _longest: Candidate | None = None

    def add(self, batch: Batch, texts: Sequence[str]) -> list[tuple[int, str]]:
        """Consider the next recipients with their texts; an empty text cannot be sent.

        Return the line of each text that is too long to send, and the reason.
        """
        added = _AddedBatch(batch, texts, self.count, self.price)
        self.count += len(texts)
        self.suppressed += batch.not_suppressed.count(0)
        eligible, most_parts = self._measure(added)
        requested = [row - 1 - added.offset for row in self.rows if added.offset < row <= self.count]
        for candidate in added.candidates(position for position in requested if added.can_send(position)):
            self.by_row[candidate.row] = candidate
        too_long = [(batch.lines[position], reason) for position, reason in added.too_long.items()]
        if not most_parts:
            return too_long
        room = max(self._fill_to, 1)
        if len(self._head) < room:
            positions = islice(compress(range(len(texts)), eligible), room - len(self._head))
            self._head.extend(added.candidates(positions))
        self._consider_most_expensive(added, eligible, most_parts)
        self._consider_longest(added, eligible)
        if self.branches is not None:
            self._count_combinations(added, self.branches.signatures(batch, eligible), eligible)
        return too_long

    def selected(self) -> Selection:
        """Return the samples to show, in row order, and the number of combinations without one."""
        if self.rows:
            return Selection([self.by_row[row] for row in sorted(self.by_row)])
        if self._most_expensive is None or self._longest is None:
            return Selection([])
        marked = [
            (self._head[0], sentence("first")),
            (self._most_expensive, sentence("most expensive")),
            (self._longest, sentence("longest")),
        ]
        most = _MOST_SAMPLES if self.limit is None else self.limit
        chosen: dict[int, Candidate] = {}
        shown: set[str] = set()
        found = self._choose_combinations(most) if most > 1 else ()  # one sample: the first
        for signature, combination in found:
            # One text can be the sample of its combination as well as the most expensive or longest.
            worst = (one for one, _ in (*marked[1:], marked[0]) if self._signatures[one.row] == signature)
            self._choose(next(worst, combination.first), signature, chosen, shown)
        for candidate, reason in marked:
            if candidate.row in chosen or len(chosen) < most:
                self._choose(candidate, self._signatures.get(candidate.row), chosen, shown)
                known = chosen[candidate.row]
                chosen[candidate.row] = replace(known, why=(*known.why, reason))
        for candidate in self._head:
            if len(chosen) < self._fill_to:
                self._choose(candidate, self._signatures.get(candidate.row), chosen, shown)
        samples = []
        for _, one in sorted(chosen.items()):
            is_plain = one.recipients is not None and not one.why  # a combination in which no side has a name
            samples.append(replace(one, why=(sentence("no default applies"),)) if is_plain else one)
        return Selection(samples, len(self._combinations.keys() - shown))

    def _choose(
        self, candidate: Candidate, signature: str | None, chosen: dict[int, Candidate], shown: set[str]
    ) -> None:
        """Choose a text; the first of a combination gets its names and its number of recipients."""
        if candidate.row in chosen:
            return
        combination = self._combinations.get(signature) if signature is not None else None
        if combination is None or signature is None or signature in shown or self.branches is None:
            chosen[candidate.row] = candidate
            return
        shown.add(signature)
        names = tuple(self.branches.names_of(signature))
        chosen[candidate.row] = replace(candidate, why=names, recipients=combination.recipients)

    @property
    def _fill_to(self) -> int:
        return (self.limit or 0) if self.fill is None else self.fill

    def _choose_combinations(self, most: int) -> list[tuple[str, _Combination]]:
        """Return the most frequent combinations, but first those with a side not chosen yet."""
        by_count = sorted(self._combinations.items(), key=lambda one: -one[1].recipients)
        if len(by_count) <= most:
            return by_count
        chosen: dict[str, _Combination] = {}
        if self._most_expensive is not None:  # the most expensive is never left out
            signature = self._signatures[self._most_expensive.row]
            chosen = {signature: self._combinations[signature]} if signature in self._combinations else {}
        shown = set().union(*chosen)
        for signature, combination in by_count:
            if not shown.issuperset(signature) and len(chosen) < most:
                chosen[signature] = combination
                shown.update(signature)
        for signature, combination in by_count:
            if len(chosen) < most:
                chosen.setdefault(signature, combination)
        return list(chosen.items())[:most]

    def _count_combinations(self, added: _AddedBatch, signatures: Sequence[str], eligible: bytearray) -> None:
        for signature, recipients in Counter(compress(signatures, eligible)).items():
            known = self._combinations.get(signature)
            if known is not None:
                known.recipients += recipients
            elif len(self._combinations) < _MOST_COMBINATIONS:
                positions = compress(range(len(signatures)), eligible)
                first = next(one for one in positions if signatures[one] == signature)
                (candidate,) = added.candidates([first])
                self._combinations[signature] = _Combination(candidate, recipients)
        marked = (*self._head, self._most_expensive, self._longest)
        for row in (one.row for one in marked if one is not None and one.row > added.offset):
            self._signatures[row] = signatures[row - added.offset - 1]

    def _measure(self, added: _AddedBatch) -> tuple[bytearray, int]:
        """Count parts; return a 1 for each eligible row, and the most parts among these rows."""
        texts, reached = added.texts, added.batch.not_suppressed
        # The fast way, if no text is too long, including those of suppressed recipients.
        if max(added.lengths, default=0) <= UCS2_UNITS[-1]:
            size = measure_batch(list(compress(texts, reached)) if 0 in reached else texts)
            if size is not None:
                self._count(size.by_parts)
                return reached, size.longest
        for position, text in enumerate(texts):
            if text and added.lengths[position] > UCS2_UNITS[-1]:
                try:
                    measure_text(text)
                except TextTooLong as error:
                    added.too_long[position] = error.message
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


@dataclass
class _AddedBatch:
    """A batch with its texts.

    `offset` is the number of recipients before it, `too_long` has the reason by position for each text found to be too long.
    """

    batch: Batch
    texts: Sequence[str]
    offset: int
    price: Price | None
    too_long: dict[int, str] = field(default_factory=dict)

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
        for position, values in zip(chosen, self.batch.variables_at(chosen), strict=True):
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
