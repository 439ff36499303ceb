"""What a mailing's texts come to, beside their parts: money, characters that cost, the count by GSM 03.38."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from smsby_deploy.config.declarations import Mailing, Price
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.texts.encoding_lint import ExpensiveCharacters, describe_expense, may_be_expensive
from smsby_deploy.texts.parts import Encoding, TextSize, measure_gsm
from smsby_deploy.texts.rewrite import describe_replacements
from smsby_deploy.texts.template import Template
from smsby_deploy.wording import counted

_MOST_TOLD = 5  # sets of expensive characters
# Where neither these characters nor 4 to 7 parts are, GSM 03.38 counts as sms.by bills (docs/api-facts.md).
_OTHERWISE_LATIN = re.compile(r"[~`\f\n]")
_OTHERWISE_UNICODE = re.compile("[\n\\[\\]\\\\^{}|\U00010000-\U0010ffff]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")


@dataclass(slots=True)
class CostReport:
    """Counted while the texts stream by; `parts` are billed ones."""

    price: Price | None = None
    parts: int = 0
    gsm_parts: int = 0
    replaced: set[str] = field(default_factory=set)
    expensive: ExpensiveCharacters = field(default_factory=ExpensiveCharacters)
    _by_prefix: Decimal = Decimal(0)

    def count(self, text: str, size: TextSize, phones: Sequence[str], row: int | None = None) -> None:
        """Count a text that all of `phones` get; `row` is the line of the only one."""
        people = len(phones)
        self.parts += size.parts * people
        self.gsm_parts += gsm_parts(text, size) * people
        if self.price is not None and self.price.per_prefix:
            self._by_prefix += size.parts * self._for_a_part(phones)
        if size.encoding is Encoding.UCS2 and may_be_expensive(text):
            self.expensive.look_at(text, size, self._for_a_part(phones), people=people, row=row)

    @property
    def is_by_parts(self) -> bool:
        """Whether nothing but its parts tells what a text costs."""
        return self.price is None or not self.price.per_prefix

    def count_alike(self, parts: int) -> None:
        """Count texts of `parts` parts together, of which GSM 03.38 counts as many, and that hold nothing expensive."""
        self.parts += parts
        self.gsm_parts += parts

    @property
    def cost(self) -> Decimal | None:
        """What all of them cost; None without a price."""
        if self.price is None:
            return None
        return self._by_prefix if self.price.per_prefix else self.parts * self.price.per_part

    def _for_a_part(self, phones: Sequence[str]) -> Decimal:
        """What one part to each of `phones` costs; 0 without a price."""
        if self.price is None:
            return Decimal(0)
        if not self.price.per_prefix:
            return self.price.per_part * len(phones)
        return sum(map(self.price.for_phone, phones), Decimal(0))

    def problems(self, mailing: Mailing, template: Template | None, file: str) -> Iterator[Problem]:
        """What a reviewer should know of the texts; `file` is where the recipients stand."""
        begins = mailing.text.location if mailing.text else mailing.location

        def told(severity: Severity, code: str, message: str, place: Location) -> Problem:
            return Problem(severity, code, message, mailing.address, place)

        currency = self.price.currency if self.price else None
        for index, (characters, expense) in enumerate(self.expensive.dearest()):
            if index == _MOST_TOLD:
                break
            place = _find(template, sorted(characters))
            message = describe_expense(characters, expense, currency)
            if place is None and expense.row is not None:
                message += f" (from the data, first at {file}:{expense.row})"
            yield told(Severity.WARNING, "EXPENSIVE_CHARACTER", message, place or begins)
        if self.replaced:
            message = f"smart_encoding replaced {describe_replacements(self.replaced)}"
            yield told(Severity.NOTE, "SMART_ENCODING", message, begins)
        if self.gsm_parts != self.parts:
            message = (
                f"by GSM 03.38 it would be {counted(self.gsm_parts, 'part')}, sms.by bills {self.parts:,}"
            )
            yield told(Severity.NOTE, "GSM_PARTS", message, begins)


def gsm_parts(text: str, size: TextSize) -> int:
    """Parts of `text` by GSM 03.38, as cheaply as it can be told; of a text that is too long the billed ones."""
    if size.units > size.capacity:
        return size.parts
    if size.encoding is Encoding.GSM7:
        if not 4 <= size.parts <= 6 and _OTHERWISE_LATIN.search(text) is None:
            return size.parts
    elif not 4 <= size.parts <= 7 and _CYRILLIC.search(text) and _OTHERWISE_UNICODE.search(text) is None:
        return size.parts
    return measure_gsm(text).parts


def _find(template: Template | None, characters: Iterable[str]) -> Location | None:
    if template is None:
        return None
    return next((place for character in characters if (place := template.find_literal(character))), None)
