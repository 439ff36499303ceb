"""The fast path of long lists: texts rendered and measured a batch at a time.

A million people are a million texts, and what is done a text costs most: Jinja2 makes a context for each (4 µs), and each
is measured by itself. Here both are done for a whole batch (0.2 µs a text).

It only ever says "this is the text" or "I can't tell": every row of which it can't tell (an empty value would be printed,
anything failed) is rendered by the template itself, which alone knows errors and their places.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from itertools import compress, repeat
from operator import contains, not_
from typing import Any, NamedTuple

from smsby_deploy.recipients.audience import Batch
from smsby_deploy.texts.encoding_lint import CYRILLIC_WORD
from smsby_deploy.texts.parts import DOUBLED, LATIN, UNICODE, parts_by_length

# Stands where nothing may be printed. A text that holds it is rendered again, so it matters not if data hold it, too.
UNSURE = "\uffff"
# Up to here a text takes less from the template's budget than each text adds (environment.py).
_LONGEST = 20_000


class VectorizedTemplate(NamedTuple):
    """`names` are the variables that `renderer` takes, as columns, in this order. `constant` is the text of all if there are
    none. Texts that begin and end in words of the template are `is_trimmed`, and never empty."""

    names: tuple[str, ...]
    renderer: Callable[..., list[str]]
    constant: str | None = None
    is_trimmed: bool = False

    def render(self, batch: Batch) -> list[str | None] | None:
        """The text of each recipient, blank ends cut off; None for those, or instead of all, of which it can't tell."""
        if self.constant is not None:
            return [self.constant] * len(batch.phones)
        if not self.names:
            return None
        columns = [batch.variable(name) for name in self.names]
        if None in columns:
            return None
        try:
            texts = self.renderer(*columns)
        except Exception:  # noqa: BLE001 - whatever it is, the template itself raises it again, and knows where
            return None
        if not self.is_trimmed:
            texts = list(map(str.strip, texts))
        if max(map(len, texts), default=0) > _LONGEST:
            return None
        if UNSURE in "".join(texts) or not (self.is_trimmed or all(texts)):
            return [text if text and UNSURE not in text else None for text in texts]
        return list(texts)


def compile_rows(text: ast.expr, count: int, scope: dict[str, Any]) -> Callable[..., list[str]] | None:
    """A function of `count` columns that evaluates `text` for each row, whose values are v0, v1, …: `[text for v0, v1 in
    zip(c0, c1)]`. None if it is nested too deep. `scope` holds every other name in `text`."""
    arguments = ast.arguments([], [ast.arg(f"c{index}") for index in range(count)], None, [], [], None, [])
    columns: list[ast.expr] = [ast.Name(f"c{index}", ast.Load()) for index in range(count)]
    row = ast.Tuple([ast.Name(f"v{index}", ast.Store()) for index in range(count)], ast.Store())
    rows = ast.Call(ast.Name("zip", ast.Load()), columns, [])
    body = ast.ListComp(text, [ast.comprehension(row, rows, [], 0)])
    try:
        expression = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
        code = compile(expression, "<template>", "eval")
    except (RecursionError, ValueError, MemoryError):
        return None
    render: Callable[..., list[str]] = eval(code, {"__builtins__": {}, "zip": zip, **scope})  # noqa: S307
    return render


# Where none of these stands, a character is one unit, and up to three parts GSM 03.38 counts as sms.by bills.
_SPECIAL = (*DOUBLED, "~", "`", "\f")
_LATIN_PARTS, _UNICODE_PARTS = ([n for n in parts_by_length(table) if n <= 3] for table in (LATIN, UNICODE))


class BatchSize(NamedTuple):
    """What texts cost together: how many have 1, 2 and 3 billed parts, and how many are Latin."""

    split: tuple[int, int, int]
    latin: int

    @property
    def parts(self) -> int:
        """Billed parts of all of them."""
        one, two, three = self.split
        return one + 2 * two + 3 * three

    @property
    def longest(self) -> int:
        """Parts of the longest; 0 if there are no texts."""
        return max((parts for parts, count in enumerate(self.split, 1) if count), default=0)


def measure_batch(texts: Sequence[str]) -> BatchSize | None:
    """The size of `texts`, if for each of them it is only a matter of its length. None if they must be looked at one by
    one: doubled characters, over three parts, a Latin text that a character or two make unicode, or none at all."""
    joined = "".join(texts)
    if any(map(contains, repeat(joined), _SPECIAL)):
        return None
    latin: Sequence[str] = ()
    unicode: Sequence[str] = texts
    if not _are_cyrillic(texts):
        is_latin = list(map(str.isascii, texts))
        latin, unicode = list(compress(texts, is_latin)), list(compress(texts, map(not_, is_latin)))
        if not (all(latin) and _are_cyrillic(unicode)):
            return None
    if unicode and not _is_of_one_unit(joined):
        return None
    try:
        parts = list(map(_UNICODE_PARTS.__getitem__, map(len, unicode)))
        parts += map(_LATIN_PARTS.__getitem__, map(len, latin))
    except IndexError:
        return None
    return BatchSize((parts.count(1), parts.count(2), parts.count(3)), len(latin))


def _is_of_one_unit(text: str) -> bool:
    """Whether no character takes two units of UTF-16."""
    # CPython gives each character of a text as many bytes as its widest one needs: four, if that takes two units.
    if sys.getsizeof(text) < 4 * len(text):
        return True
    return len(text.encode("utf-16-le", "surrogatepass")) == 2 * len(text)


def _are_cyrillic(texts: Sequence[str]) -> bool:
    """Whether each is unicode by nature: it holds a word of Cyrillic letters. Mostly it is the same in all of them."""
    word = CYRILLIC_WORD.search(texts[0]) if texts else None
    if word is None:
        return not texts
    return all(map(contains, texts, repeat(word.group()))) or all(map(CYRILLIC_WORD.search, texts))
