"""The cost of texts: money, expensive characters, and the count by GSM 03.38."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from smsby_deploy.config.declarations import Mailing, Price
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.texts.encoding_lint import (
    ExpensiveCharacters,
    describe_expense,
    describe_replacements,
    may_be_expensive,
)
from smsby_deploy.texts.parts import Encoding, TextSize, measure_gsm
from smsby_deploy.texts.template import Template
from smsby_deploy.wording import sentence

_MOST_WARNINGS = 5  # for sets of expensive characters
# Without these characters and outside 4 to 7 parts, the GSM 03.38 count is what sms.by bills (docs/api-facts.md).
_DIFFERENT_IN_GSM7 = re.compile(r"[~`\f\n]")
_DIFFERENT_IN_UCS2 = re.compile("[\n\\[\\]\\\\^{}|\U00010000-\U0010ffff]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")


@dataclass(slots=True)
class CostReport:
    """Totals of the texts counted so far: billed `parts`, and `gsm_parts` by GSM 03.38."""

    price: Price | None = None
    parts: int = 0
    gsm_parts: int = 0
    replaced: set[str] = field(default_factory=set)
    expensive: ExpensiveCharacters = field(default_factory=ExpensiveCharacters)
    _cost_by_prefix: Decimal = Decimal(0)

    def count(self, text: str, size: TextSize, phones: Sequence[str], row: int | None = None) -> None:
        """Count a text sent to all of `phones`; `row` is the line of a single recipient."""
        recipients = len(phones)
        self.parts += size.parts * recipients
        self.gsm_parts += count_gsm_parts(text, size) * recipients
        if self.price is not None and self.price.per_prefix:
            self._cost_by_prefix += size.parts * self._price_of_part(phones)
        if size.encoding is Encoding.UCS2 and may_be_expensive(text):
            self.expensive.count(text, size, self._price_of_part(phones), recipients=recipients, row=row)

    @property
    def is_by_parts(self) -> bool:
        """Whether the cost of a text depends on its parts only, not on the recipient's phone."""
        return self.price is None or not self.price.per_prefix

    def count_parts(self, parts: int) -> None:
        """Count the parts of texts measured by `measure_batch`.

        GSM 03.38 counts the same number of parts for them, and no character in them is expensive.
        """
        self.parts += parts
        self.gsm_parts += parts

    @property
    def cost(self) -> Decimal | None:
        """The cost of all texts; None without a price."""
        if self.price is None:
            return None
        return self._cost_by_prefix if self.price.per_prefix else self.parts * self.price.per_part

    def _price_of_part(self, phones: Sequence[str]) -> Decimal:
        """The price of one part sent to each of `phones`; 0 without a price."""
        if self.price is None:
            return Decimal(0)
        if not self.price.per_prefix:
            return self.price.per_part * len(phones)
        return sum(map(self.price.for_phone, phones), Decimal(0))

    def problems(self, mailing: Mailing, template: Template, file: str) -> Iterator[Problem]:
        """Warnings and notes for a reviewer; `file` contains the recipients."""
        currency = self.price.currency if self.price else None
        for characters, expense in islice(self.expensive.by_parts_added(), _MOST_WARNINGS):
            places = map(template.find_literal, sorted(characters))
            location = next(filter(None, places), None)  # None if they come from the data
            message = describe_expense(characters, expense, currency)
            if location is None and expense.row is not None:
                message = sentence(
                    "{message} (from the data, first at {place})",
                    message=message,
                    place=Location(file, expense.row),
                )
            place = location or mailing.text_location
            yield Problem(Severity.WARNING, "EXPENSIVE_CHARACTER", message, mailing.address, place)
        if self.replaced:
            message = sentence(
                "smart_encoding replaced {characters}", characters=describe_replacements(self.replaced)
            )
            yield Problem(Severity.NOTE, "SMART_ENCODING", message, mailing.address, mailing.text_location)
        if self.gsm_parts != self.parts:
            message = sentence(
                "GSM 03.38 counts {gsm:part|parts}, sms.by bills {parts:,}",
                gsm=self.gsm_parts,
                parts=self.parts,
            )
            yield Problem(Severity.NOTE, "GSM_PARTS", message, mailing.address, mailing.text_location)


def count_gsm_parts(text: str, size: TextSize) -> int:
    """Count the parts of `text` by GSM 03.38.

    Most texts are not measured again, because the count is known to equal `size.parts`.
    """
    if size.units > size.capacity:
        return size.parts
    if size.encoding is Encoding.GSM7:
        if not 4 <= size.parts <= 6 and _DIFFERENT_IN_GSM7.search(text) is None:
            return size.parts
    elif not 4 <= size.parts <= 7 and _CYRILLIC.search(text) and _DIFFERENT_IN_UCS2.search(text) is None:
        return size.parts
    return measure_gsm(text).parts


def cost_of(parts: int, price: Price | None, phone: str | None = None) -> Decimal | None:
    """The cost of `parts`, to `phone` if its prefix has its own price; None without a price."""
    if price is None:
        return None
    return parts * (price.per_part if phone is None else price.for_phone(phone))
