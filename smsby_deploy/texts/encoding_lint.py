"""Characters that force a text into UCS-2: their place, cost and replacement."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from smsby_deploy.texts.parts import CYRILLIC_WORD, MAX_PARTS, TextSize, TextTooLong, measure_text
from smsby_deploy.texts.rewrite import SMART, name_character, name_replacement
from smsby_deploy.wording import counted

# Cyrillic letters and the Latin ones they look like; in a Latin text they are typing errors.
_LOOKALIKES = str.maketrans("АВЕЅІЈКМНОРСТУХаеѕіјорсух", "ABESIJKMHOPCTYXaesijopcyx")
# Signs that Unicode decomposes to nothing or to another meaning, with their usual replacements.
_SIGNS = {
    "€": "EUR", "£": "GBP", "¥": "JPY", "₽": "RUB", "₴": "UAH", "₸": "KZT", "×": "x", "÷": "/", "±": "+-", "•": "-",
    "·": "-", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≠": "<>", "≈": "~", "©": "(c)", "®": "(R)", "⁄": "/",
    "°": " deg", "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "ı": "i",
}  # fmt: skip
_SIGN_TABLE = str.maketrans(_SIGNS)
_MOST_SETS = 500  # of characters; further ones are counted with the cheapest


def may_be_expensive(text: str) -> bool:
    """Whether a UCS-2 text could be GSM-7 without a few characters."""
    return CYRILLIC_WORD.search(text) is None


@dataclass(slots=True)
class Expense:
    """What one set of characters adds for all its recipients; `row` is the first line with it."""

    recipients: int = 0
    parts: int = 0
    cost: Decimal = Decimal(0)
    row: int | None = None


@dataclass(slots=True)
class ExpensiveCharacters:
    """Expenses by set of characters, counted while the texts stream by."""

    found: dict[frozenset[str], Expense] = field(default_factory=dict)

    def count(self, text: str, size: TextSize, price: Decimal, *, recipients: int, row: int | None) -> None:
        """Count a UCS-2 text of `recipients`; `price` is the price of one part to all of them."""
        characters = frozenset(character for character in set(text) if not character.isascii())
        if sum(character.isalpha() for character in characters) > 1:
            return
        added = size.parts - _count_parts(plain_text(text))
        if added <= 0:
            return
        if characters not in self.found and len(self.found) >= _MOST_SETS:
            characters = min(self.found, key=lambda one: self.found[one].parts)
        expense = self.found.setdefault(characters, Expense(row=row))
        expense.recipients += recipients
        expense.parts += added * recipients
        expense.cost += added * price

    def by_parts_added(self) -> Iterator[tuple[frozenset[str], Expense]]:
        """The sets of characters with their expenses, the largest first."""
        yield from sorted(self.found.items(), key=lambda item: (-item[1].parts, sorted(item[0])))


def describe_expense(characters: frozenset[str], expense: Expense, currency: str | None) -> str:
    """For example `1 character (U+2014 —) adds 27,631 parts (718.41 BYN): write - instead`."""
    names = sorted(characters)
    shown = ", ".join(map(name_character, names))
    count = counted(len(names), "character")
    adds = "adds" if len(names) == 1 else "add"
    parts = counted(expense.parts, "part")
    cost = f" ({expense.cost:,.2f} {currency})" if currency else ""
    plain = list(dict.fromkeys(plain_text(name) for name in names))
    instead = " ".join(map(name_replacement, plain))
    advice = f"write {instead} instead" if any(plain) else f"leave {'it' if len(names) == 1 else 'them'} out"
    if all(name in SMART for name in names):
        advice += ", or set `smart_encoding: true`"
    return f"{count} ({shown}) {adds} {parts}{cost}: {advice}"


def plain_text(text: str) -> str:
    """`text` in ASCII: plain signs, letters without accents, and nothing for the rest."""
    latin = (
        "".join(SMART.get(character, character) for character in text)
        .translate(_LOOKALIKES)
        .translate(_SIGN_TABLE)
    )
    decomposed = unicodedata.normalize("NFKD", latin).translate(_SIGN_TABLE)  # ½ is 1⁄2
    return decomposed.encode("ascii", "ignore").decode("ascii")


def _count_parts(text: str) -> int:
    try:
        return measure_text(text).parts
    except TextTooLong:
        return MAX_PARTS
