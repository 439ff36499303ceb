"""Texts that need no Jinja2: words, and variables that are printed as they are, `{{ name }}`. Most are no more.

They are taken apart here, so that neither Jinja2 is imported (five times python's own start) nor a tree is made of each
of a thousand texts. Whatever else a text holds, it is Jinja2's; so is every row that can't be rendered, as only Jinja2
explains it. tests/message/test_plain.py holds both to each other.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from smsby_deploy.message.batch import UNSURE, FastTemplate, compile_rows
from smsby_deploy.message.parsed import Parsed, complain_of_literals

# Names that mean something else to Jinja2, where they stand alone or in front.
RESERVED = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})
_WORDS = frozenset(
    {"true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "elif"}
)
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_OF_JINJA = re.compile(r"\{[{%#]|\r")  # it makes one of all line breaks
_MANY = 200  # rows from which on it is worth compiling a text


@lru_cache(maxsize=256)  # a project says the same in many mailings
def parse_plain(text: str) -> Parsed | None:
    """`text` taken apart; None if it is Jinja2's."""
    pieces = _VARIABLE.split(text)  # literal, name, literal, …
    literals, names = pieces[::2], pieces[1::2]
    # A brace before `{{ name }}` makes it something else.
    if any(map(_OF_JINJA.search, literals)) or any(literal.endswith("{") for literal in literals[:-1]):
        return None
    if not all(name.isidentifier() and name not in RESERVED and name not in _WORDS for name in names):
        return None
    offsets = [0, *(found.end() for found in _VARIABLE.finditer(text))]
    placed = tuple(
        (None, offset, literal) for offset, literal in zip(offsets, literals, strict=True) if literal
    )
    columns = tuple(dict.fromkeys(names))
    return Parsed(
        variables=frozenset(columns),
        literals=placed,
        complaints=tuple(complain_of_literals(placed)),
        fast=FastTemplate(
            columns,
            _renderer(literals, names, columns),
            is_trimmed=bool(literals[0][:1].strip() and literals[-1][-1:].strip()),
        )
        if names
        else FastTemplate((), _never, text.strip()),
        constant=None if names else text,
    )


def _never() -> list[str]:
    raise AssertionError("a text without variables is its constant")


def _renderer(
    literals: Sequence[str], names: Sequence[str], columns: Sequence[str]
) -> Callable[..., list[str]]:
    """From columns of values to texts: a few by formatting them, many by a Python expression made for the text."""
    form = "%s".join(literal.replace("%", "%%") for literal in literals)
    order = [columns.index(name) for name in names]
    compiled: list[Callable[..., list[str]]] = []

    def render(*values: Sequence[str]) -> list[str]:
        if len(values[0]) >= _MANY and not compiled:
            compiled.extend(filter(None, [_compile(literals, order, len(columns))]))
        if compiled:
            return compiled[0](*values)
        # Blank ends are cut off: a value is empty or worth printing.
        filled = [column if all(column) else [value or UNSURE for value in column] for column in values]
        return list(map(form.__mod__, zip(*(filled[index] for index in order), strict=True)))

    return render


def _compile(literals: Sequence[str], order: Sequence[int], count: int) -> Callable[..., list[str]] | None:
    """`lambda c0, c1: [f"Hi {v0 or unsure}, …" for v0, v1 in zip(c0, c1)]`"""
    pieces: list[ast.expr] = [ast.Constant(literals[0])]
    for index, literal in zip(order, literals[1:], strict=True):
        value = ast.BoolOp(ast.Or(), [ast.Name(f"v{index}", ast.Load()), ast.Name("unsure", ast.Load())])
        pieces += [ast.FormattedValue(value, -1, None), ast.Constant(literal)]
    return compile_rows(ast.JoinedStr(pieces), count, {"unsure": UNSURE})
