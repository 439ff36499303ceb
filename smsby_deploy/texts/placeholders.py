"""Placeholders of other tools, which recipients would read literally.

These are *|FNAME|*, {name}, %NAME%, [[name]] and ${name}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

# Each begins with a literal character, so that a long text is searched fast.
_FOREIGN = tuple(
    re.compile(pattern)
    for pattern in (
        r"\*\|[^|\n]{1,80}\|\*",  # also *|FNAME:friend|* and *|IF:FNAME|*
        r"\$\{\s*[\w.]+\s*\}",
        r"\{\s*[\w.]+\s*\}",
        r"%[^\W\d]{3,}%",  # letters of any script; 10%или20% does not match
        r"\[\[\s*[\w.]+\s*\]\]",
    )
)
# A rendered text must not contain Jinja2 tags either: they come from values and from texts that are used literally.
_UNRENDERED = (*_FOREIGN, re.compile(r"\{\{.*?\}\}"), re.compile(r"\{%.*?%\}"))
_MARKS = ("{", "%", "[", "*")  # each pattern contains one of them


def find_placeholder(text: str, *, rendered: bool = False) -> re.Match[str] | None:
    """The first placeholder in `text`; with `rendered` also one of Jinja2's."""
    found = [match for pattern in (_UNRENDERED if rendered else _FOREIGN) if (match := pattern.search(text))]
    return min(found, key=lambda match: match.start(), default=None)


def find_placeholders(text: str) -> Iterator[re.Match[str]]:
    """Yield the placeholders in literal `text` from left to right, none nested in another."""
    found = [match for pattern in _FOREIGN for match in pattern.finditer(text)]
    end = 0
    for match in sorted(found, key=lambda match: (match.start(), -match.end())):
        if match.start() >= end:
            yield match
            end = match.end()


def rows_with_placeholders(texts: Sequence[str]) -> Iterable[int]:
    """The indexes of the rendered texts that contain a placeholder."""
    joined = "\n".join(texts)
    if not any(mark in joined for mark in _MARKS):  # much faster than the patterns
        return
    if any(pattern.search(joined) for pattern in _UNRENDERED):
        for index, text in enumerate(texts):
            if find_placeholder(text, rendered=True):
                yield index
