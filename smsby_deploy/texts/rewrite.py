"""Texts rewritten to cost less: with plain punctuation, or in Latin letters.

Both happen only if a mailing asks for it, and before parts are counted. Smart encoding never changes a letter, and leaves
a text alone that would stay UCS-2, since it would save nothing.
"""

from __future__ import annotations

import re
import unicodedata

from smsby_deploy.config.declarations import Rewrite

# Quotes, dashes, spaces, zero-width characters, and the ellipsis.
SMART: dict[str, str] = {
    **dict.fromkeys("«»„“”‟″〝〞", '"'),
    **dict.fromkeys("‘’‚‛‹›′", "'"),
    **dict.fromkeys("‐‑‒–—―−⸺", "-"),
    **dict.fromkeys(
        "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
        " ",
    ),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
    "…": "...",
}
_SMART_TABLE = str.maketrans(SMART)

# Russian and Belarusian, similar to the spelling of passports and maps, without ь and ъ; and Ukrainian letters of names.
_LETTERS = {
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "yo", "є": "ye", "ж": "zh", "з": "z",
    "и": "i", "і": "i", "ї": "yi", "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
    "с": "s", "т": "t", "у": "u", "ў": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch",
    "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
_CYRILLIC = (
    f"[{''.join(_LETTERS)}{''.join(_LETTERS).upper()}]"  # a string: `re` compiles it for the first text
)


class Rewriter:
    """Rewrites texts according to `options`; `replaced` collects what smart encoding replaces."""

    def __init__(self, options: Rewrite) -> None:
        self.options = options
        self.replaced: set[str] = set()

    def apply(self, text: str) -> str:
        """Return the text to send for `text`."""
        if text.isascii():
            return text
        if self.options.transliterate:
            text = transliterate(text)
        if self.options.smart_encoding:
            plain = smart_encode(text)
            if plain is not text:
                self.replaced.update(SMART.keys() & set(text))
            text = plain
        return text.strip()


def smart_encode(text: str) -> str:
    """`text` with plain quotes, dashes, spaces and ellipses if that makes it GSM-7, else `text`."""
    if text.isascii():
        return text
    plain = text.translate(_SMART_TABLE)
    return plain if plain.isascii() else text


def transliterate(text: str) -> str:
    """`text` with Latin letters for Cyrillic ones; everything else stays the same."""
    composed = unicodedata.normalize("NFC", text)

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
    return ", ".join(
        f"{name_character(character)} with {name_replacement(SMART[character])}"
        for character in sorted(characters)
    )


def name_character(character: str) -> str:
    """`U+2014 —`, or the code alone if the character is not printable."""
    code = f"U+{ord(character):04X}"
    return f"{code} {character}" if character.isprintable() else code


def name_replacement(text: str) -> str:
    """`text` as messages show it; nothing and a space by their names."""
    return {"": "nothing", " ": "a space"}.get(text, text)
