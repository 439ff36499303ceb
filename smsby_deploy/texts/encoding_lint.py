"""Characters that force a text into UCS-2, and texts rewritten without them.

Each is reported with its place, cost and replacement. `smart_encoding` and `transliterate` replace such characters before
anything is counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce

from smsby_deploy.config.sources import Rewrite
from smsby_deploy.texts.parts import CYRILLIC_WORD, MAX_PARTS, TextSize, TextTooLong, measure_text
from smsby_deploy.wording import sentence

# Quotes, dashes, spaces, zero-width characters, and the ellipsis.
SMART: dict[str, str] = {
    **dict.fromkeys("«»„“”‟″〝〞", '"'),
    **dict.fromkeys("‘’‚‛‹›′ʼ", "'"),
    **dict.fromkeys("‐‑‒–—―−⸺", "-"),
    **dict.fromkeys(
        "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
        " ",
    ),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
    "…": "...",
}
_SMART_TABLE = str.maketrans(SMART)

# Russian and Belarusian, close to the spelling in passports and on maps, without ь and ъ; and Ukrainian letters of names.
_LETTERS = {
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "yo", "є": "ye", "ж": "zh", "з": "z",
    "и": "i", "і": "i", "ї": "yi", "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
    "с": "s", "т": "t", "у": "u", "ў": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch",
    "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
# A string: `re` compiles it for the first text.
_CYRILLIC = f"[{''.join(_LETTERS)}{''.join(_LETTERS).upper()}]"
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
# Characters that take space in a text but none on the screen: soft hyphens, accents over Cyrillic letters, zero-width and
# bidirectional marks, variation selectors, which follow many emoji, line and paragraph separators, invisible operators,
# and fillers of Hangul and Braille.
INVISIBLE = (
    "\u00ad\u0300\u0301\u034f\u061c\u115f\u1160\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u2800\u3164\ufe0e\ufe0f\ufeff\uffa0"
)
_INVISIBLE_TABLE = str.maketrans("", "", INVISIBLE)
_HAS_INVISIBLE = re.compile(f"[{INVISIBLE}]")


# The apostrophe of Belarusian and Ukrainian, as in сям’я.
_APOSTROPHE = "(?<=[\u0400-\u04ff])[\u02bc\u2019](?=[\u0400-\u04ff])"


def is_composed(text: str) -> bool:
    """Whether `text` is in NFC, in which й and ё are one character each."""
    return unicodedata.normalize("NFC", text) == text  # faster than is_normalized, which does the same


class Rewriter:
    """Rewrites texts according to `options`; `replaced` collects what smart encoding replaces.

    Without `composes`, texts stay as earlier versions sent them, not composed to NFC.
    """

    def __init__(self, options: Rewrite, *, composes: bool = True) -> None:
        self.options = options
        self.composes = composes
        self.replaced: set[str] = set()

    def apply(self, text: str) -> str:
        """Return the text to send for `text`."""
        if text.isascii():
            return text
        if self.composes:
            text = unicodedata.normalize("NFC", text)
        if self.options.transliterate:
            text = transliterate(text)
        if self.options.smart_encoding:
            plain = smart_encode(text)
            if plain is not text:
                self.replaced.update(SMART.keys() & set(text))
            text = plain
        return text.strip()


def smart_encode(text: str) -> str:
    """Return `text` with plain punctuation if that makes it GSM-7, otherwise `text` itself.

    Quotes, dashes, spaces and ellipses are replaced.
    """
    if text.isascii():
        return text
    plain = text.translate(_SMART_TABLE)
    return plain if plain.isascii() else text


def transliterate(text: str) -> str:
    """`text` with Latin letters for Cyrillic ones; everything else stays the same."""
    composed = re.sub(_APOSTROPHE, "'", unicodedata.normalize("NFC", text))

    def spell(found: re.Match[str]) -> str:
        letter = found.group()
        latin = _LETTERS[letter.lower()]
        if letter.islower() or not latin:
            return latin
        start, end = found.span()
        after, before = composed[end : end + 1], composed[start - 1 : start] if start else ""
        is_capitals = after.isupper() if after.isalpha() else before.isupper()
        return latin.upper() if is_capitals else latin.capitalize()

    return re.sub(_CYRILLIC, spell, composed)


def describe_replacements(characters: set[str]) -> str:
    """`U+2014 — with -, U+00AB « with "`: what smart encoding did, in a fixed order."""
    replaced = [
        sentence(
            "{character} with {replacement}",
            character=name_character(character),
            replacement=name_replacement(SMART[character]),
        )
        for character in sorted(characters)
    ]
    return reduce(lambda first, rest: sentence("{first}, {rest}", first=first, rest=rest), replaced)


def name_character(character: str) -> str:
    """`U+2014 —`, or the code alone if the character cannot be seen."""
    code = f"U+{ord(character):04X}"
    return f"{code} {character}" if character.isprintable() and character not in INVISIBLE else code


def name_replacement(text: str) -> str:
    """Return `text` as messages show it; the empty text and a space by name."""
    return {"": sentence("nothing"), " ": sentence("a space")}.get(text, text)


def has_invisible(text: str) -> bool:
    """Whether `text` has characters that take space but are invisible."""
    return _HAS_INVISIBLE.search(text) is not None


def may_be_expensive(text: str) -> bool:
    """Whether a UCS-2 text could be GSM-7, or shorter, without a few characters."""
    return CYRILLIC_WORD.search(text) is None or has_invisible(text)


@dataclass(slots=True)
class Expense:
    """What one set of characters adds for all its recipients; `row` is the first line with it.

    `is_invisible`: the texts would be UCS-2 even without these characters.
    """

    recipients: int = 0
    parts: int = 0
    cost: Decimal = Decimal(0)
    row: int | None = None
    is_invisible: bool = False


@dataclass(slots=True)
class ExpensiveCharacters:
    """Expenses by set of characters, counted while the texts stream by."""

    found: dict[frozenset[str], Expense] = field(default_factory=dict)

    def count(self, text: str, size: TextSize, price: Decimal, *, recipients: int, row: int | None) -> None:
        """Count a UCS-2 text of `recipients`; `price` is the price of one part to all of them."""
        characters = frozenset(character for character in set(text) if not character.isascii())
        # A text that is UCS-2 because of its language stays so; only invisible characters can be left out.
        is_invisible = (
            CYRILLIC_WORD.search(text) is not None or sum(character.isalpha() for character in characters) > 1
        )
        if is_invisible:
            characters = characters.intersection(INVISIBLE)
            if not characters:
                return
        plain = text.translate(_INVISIBLE_TABLE) if is_invisible else plain_text(text)
        added = size.parts - _count_parts(plain)
        if added <= 0:
            return
        if characters not in self.found and len(self.found) >= _MOST_SETS:
            characters = min(self.found, key=lambda one: self.found[one].parts)
        expense = self.found.setdefault(characters, Expense(row=row, is_invisible=is_invisible))
        expense.recipients += recipients
        expense.parts += added * recipients
        expense.cost += added * price

    def by_parts_added(self) -> Iterator[tuple[frozenset[str], Expense]]:
        """The sets of characters with their expenses, the largest first."""
        yield from sorted(self.found.items(), key=lambda item: (-item[1].parts, sorted(item[0])))


def describe_expense(characters: frozenset[str], expense: Expense, currency: str | None) -> str:
    """For example `1 character (U+2014 —) adds 27,631 parts (718.406 BYN): write - instead`."""
    names = sorted(characters)
    shown = ", ".join(map(name_character, names))
    cost = sentence(" ({cost} {currency})", cost=expense.cost, currency=currency) if currency else ""
    plain = list(dict.fromkeys(plain_text(name) for name in names))
    advice = sentence("leave {count:|it|them} out", count=len(names))
    if any(plain):
        shorter = list(map(name_replacement, plain))
        instead = shorter[0] if len(shorter) == 1 else " ".join(shorter)
        advice = sentence("write {instead} instead", instead=instead)
    if not expense.is_invisible and all(name in SMART for name in names):
        advice = sentence("{advice}, or set `smart_encoding: true`", advice=advice)
    return sentence(
        "{count:character|characters} ({shown}) {count:|adds|add} {parts:part|parts}{cost}: {advice}",
        count=len(names),
        shown=shown,
        parts=expense.parts,
        cost=cost,
        advice=advice,
    )


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
