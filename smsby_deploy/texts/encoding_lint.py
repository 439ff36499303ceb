"""Characters that make a Latin text unicode: which, where, what they cost over the whole audience, and what saves it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from smsby_deploy.texts.parts import MAX_PARTS, TextSize, TextTooLong, measure_text
from smsby_deploy.texts.rewrite import SMART
from smsby_deploy.wording import counted

# Two Cyrillic letters side by side: a text that is unicode by nature. Most texts end here.
CYRILLIC_WORD = re.compile("[\u0400-\u04ff]{2}")
# Letters that look alike; one in a Latin text is a slip of the keyboard.
_TWINS = str.maketrans("АВЕЅІЈКМНОРСТУХаеѕіјорсух", "ABESIJKMHOPCTYXaesijopcyx")
# Signs that decompose to nothing, or to another meaning, and what people write for them.
_SIGNS = {
    "€": "EUR", "£": "GBP", "¥": "JPY", "₽": "RUB", "₴": "UAH", "₸": "KZT", "×": "x", "÷": "/", "±": "+-", "•": "-",
    "·": "-", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≠": "<>", "≈": "~", "©": "(c)", "®": "(R)", "⁄": "/",
    "°": " deg", "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "ı": "i",
}  # fmt: skip
_WORDS = str.maketrans(_SIGNS)
_MOST_KINDS = 500


def may_be_expensive(text: str) -> bool:
    """Whether a unicode text may be a Latin one at heart."""
    return CYRILLIC_WORD.search(text) is None


@dataclass(slots=True)
class Expense:
    """What one set of characters adds; `texts` counts the people, `row` is the first line with it."""

    texts: int = 0
    parts: int = 0
    cost: Decimal = Decimal(0)
    row: int | None = None


@dataclass(slots=True)
class ExpensiveCharacters:
    """Counted while the texts stream by; a set of characters that stands in many texts is one entry."""

    found: dict[frozenset[str], Expense] = field(default_factory=dict)

    def look_at(self, text: str, size: TextSize, price: Decimal, *, people: int, row: int | None) -> None:
        """Count a unicode text that `people` would read; `price` is that of one part to all of them."""
        odd = frozenset(character for character in set(text) if not character.isascii())
        if sum(character.isalpha() for character in odd) > 1:
            return
        added = size.parts - _parts(plain_text(text))
        if added <= 0:
            return
        if odd not in self.found and len(self.found) >= _MOST_KINDS:
            odd = min(self.found, key=lambda kind: self.found[kind].parts)
        expense = self.found.setdefault(odd, Expense(row=row))
        expense.texts += people
        expense.parts += added * people
        expense.cost += added * price

    def dearest(self) -> Iterator[tuple[frozenset[str], Expense]]:
        """The entries, those that add most first."""
        yield from sorted(self.found.items(), key=lambda item: (-item[1].parts, sorted(item[0])))


def describe_expense(characters: frozenset[str], expense: Expense, currency: str | None) -> str:
    """`1 character, U+2014 —, adds 27,631 parts, 718.41 BYN: write - instead, or smart_encoding: true`."""
    names = sorted(characters)
    shown = ", ".join(
        f"U+{ord(name):04X} {name}" if name.isprintable() else f"U+{ord(name):04X}" for name in names
    )
    count = counted(len(names), "character")
    adds = "adds" if len(names) == 1 else "add"
    parts = counted(expense.parts, "part")
    cost = f", {expense.cost:,.2f} {currency}" if currency else ""
    plain = list(dict.fromkeys(plain_text(name) for name in names))
    instead = " ".join({"": "nothing", " ": "a space"}.get(text, text) for text in plain)
    way = f"write {instead} instead" if any(plain) else f"leave {'it' if len(names) == 1 else 'them'} out"
    if all(name in SMART for name in names):
        way += ", or `smart_encoding: true`"
    return f"{count}, {shown}, {adds} {parts}{cost}: {way}"


def plain_text(text: str) -> str:
    """`text` in ASCII as its reader would least notice: plain signs, letters without accents, nothing for the rest."""
    twins = "".join(SMART.get(character, character) for character in text).translate(_TWINS).translate(_WORDS)
    decomposed = unicodedata.normalize("NFKD", twins).translate(_WORDS)  # ½ is 1⁄2
    return decomposed.encode("ascii", "ignore").decode("ascii")


def _parts(text: str) -> int:
    try:
        return measure_text(text).parts
    except TextTooLong:
        return MAX_PARTS
