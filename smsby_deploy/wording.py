"""Wording for users: translatable sentences, counts, money, and times.

Control characters are removed from names and texts here as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from shlex import quote
from string import Formatter

# DEL, C1, bidi marks, the separators that break lines in some viewers, and halves of surrogate pairs.
BEYOND_C0 = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROLS = rf"[\x00-\x09\x0b-\x1f{BEYOND_C0}]"
_MOST_KNOWN = 100  # names that a mistyped one is compared with; a folder or a table may have thousands


class Sentence(str):
    """A sentence in English that can be translated, because it keeps its template and values."""

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object]

    def __new__(cls, text: str, template: str = "", values: Mapping[str, object] | None = None) -> Sentence:
        made = super().__new__(cls, text)
        made.template, made.values = template, values or {}
        return made

    def with_values(self, values: Mapping[str, object]) -> Sentence:
        """The same sentence with other values."""
        return Sentence(fill(self.template, values, _show), self.template, values)

    def map_values(self, change: Callable[[object], object]) -> Sentence:
        """The same sentence with each value changed, including those of nested sentences."""
        if not self.template:
            return self
        return self.with_values(
            {
                name: value.map_values(change) if isinstance(value, Sentence) else change(value)
                for name, value in self.values.items()
            }
        )


def sentence(template: str, **values: object) -> Sentence:
    """Fill `template`, and keep it with its values for translation.

    Placeholders are those of `str.format`, with plain names. With `|`, one is a count and its noun, in as many forms as the
    language has: `{count:part|parts}` is `1 part` or `2,000 parts`; a leading `|` leaves out the count. A value may be a
    Sentence, a time, or money. tests/output/test_translation.py finds the templates that have no translation.
    """
    return Sentence(fill(template, values, _show), template, values)


def fill(template: str, values: Mapping[str, object], show: Callable[[object, str], str]) -> str:
    """Return `template` with each placeholder replaced by `show(value, format)`."""
    return "".join(
        text if name is None else text + show(values[name], form) for text, name, form in _pieces(template)
    )


@cache
def _pieces(template: str) -> tuple[tuple[str, str | None, str], ...]:
    return tuple((text, name, form or "") for text, name, form, _ in Formatter().parse(template))


def _show(value: object, form: str) -> str:
    if "|" in form and isinstance(value, int):
        forms = form.removeprefix("|").split("|")
        word = forms[0] if value == 1 else forms[-1]
        return word if form.startswith("|") else f"{value:,} {word}"
    if form:
        return format(value, form)
    if isinstance(value, datetime):
        return time_text(value)
    return money(value) if isinstance(value, Decimal) else str(value)


def join_sentences(sentences: Sequence[str]) -> str:
    """Return several sentences as one, with semicolons between them."""
    first, *rest = sentences
    return sentence("{first}; {rest}", first=first, rest=join_sentences(rest)) if rest else first


def counted(count: int, one: str) -> str:
    """Return `1 part` or `27,631 parts`."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def money(amount: Decimal, decimals: int = 2) -> str:
    """`amount` with at least `decimals` digits after the point and no exponent: 0.26, 718.406."""
    whole, _, fraction = f"{amount:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(decimals, '0')}"


def money_or_none(amount: Decimal | None) -> str | None:
    """Return an amount as written in locks and documents; None if it is unknown."""
    return None if amount is None else money(amount)


def read_money(written: str | Decimal | None) -> Decimal | None:
    """Parse an amount written by `money_or_none`."""
    return None if written is None else Decimal(written)


def time_text(moment: datetime, *, has_seconds: bool = False) -> str:
    """Return `2027-03-01 10:00 +03`, in the moment's own zone.

    With `has_seconds`, seconds are shown unless they are zero.
    """
    text = moment.isoformat(sep=" ", timespec="seconds")
    clock, offset = text[:19].removesuffix(":00") if has_seconds else text[:16], text[19:]
    return f"{clock} {'UTC' if offset == '+00:00' else offset.removesuffix(':00')}".rstrip()


def first_of(names: Sequence[str], most: int = 1) -> str:
    """Return the first `most` of `names`, and how many more there are: `a and 2 more`."""
    shown, rest = names[0] if most == 1 else ", ".join(names[:most]), len(names) - most
    return sentence("{names} and {count:,} more", names=shown, count=rest) if rest > 0 else shown


def shorten(text: str, most: int) -> str:
    """Return `text` cut to a number of characters, the last one `…` if it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def escape_controls(text: str) -> str:
    """Return the name of a file with each control character or bidi mark escaped.

    They become `\\u202e` or `\\x1b`; so do line breaks and bytes that are not UTF-8.
    """
    return text if text.isprintable() else re.sub(rf"{_CONTROLS}|\n", _escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def remove_controls(text: str) -> str:
    """Return `text` with a blank for each control character or bidi mark; line breaks stay."""
    return text if text.replace("\n", "").isprintable() else re.sub(_CONTROLS, " ", text)


@lru_cache(maxsize=1024)  # every row of a list has the same mistake
def closest(word: str, known: tuple[str, ...]) -> str | None:
    """Return the name among `known` that is closest to a mistyped `word`, if any is close.

    If there are many names, only those with the same first character are compared.
    """
    from difflib import get_close_matches  # only mistakes need it

    if len(known) > _MOST_KNOWN:
        known = tuple(name for name in known if name[:1].lower() == word[:1].lower())[:_MOST_KNOWN]
    by_lower = {name.lower(): name for name in reversed(known)}  # Windows and macOS ignore the case of files
    return next((by_lower[near] for near in get_close_matches(word.lower(), by_lower, n=1)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint with the name closest to `word`, quoted for a shell, or ""."""
    near = closest(word, tuple(known))
    return f"did you mean {quote(near)}?" if near else ""


def with_suggestion(message: str, word: str, known: Iterable[object]) -> str:
    """Add to `message` the name among `known` closest to `word`, if any is close."""
    near = closest(word, tuple(map(str, known)))
    return sentence("{message}; did you mean {near}?", message=message, near=near) if near else message
