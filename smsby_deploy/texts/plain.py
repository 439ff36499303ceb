"""Texts that need no Jinja2: words, variables that are printed as they are, `{{ name }}`, and conditions on whether one is
empty, `{% if name %}…{% else %}…{% endif %}`. Most are no more.

They are taken apart here, so that neither Jinja2 is imported (five times python's own start) nor a tree is made of each
of a thousand texts. Whatever else a text holds, it is Jinja2's; so is every row that can't be rendered, as only Jinja2
explains it. tests/texts/test_plain.py holds both to each other.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from smsby_deploy.texts.batch import UNSURE, VectorizedTemplate, compile_rows
from smsby_deploy.texts.parsed import Literal, Parsed, complain_of_literals

# Names that mean something else to Jinja2, where they stand alone or in front.
RESERVED = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})
_WORDS = frozenset(
    {"true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "elif"}
)
_TAG = re.compile(
    r"\{\{\s*(?P<name>\w+)\s*\}\}|\{%\s*(?:if\s+(?P<not>not\s+)?(?P<test>\w+)|(?P<else>else)|(?P<endif>endif))\s*%\}"
)
_OF_JINJA = re.compile(r"\{[{%#]|\r")  # it makes one of all line breaks
_DEEPEST = 10  # conditions in each other: Python takes more, but not without end
_MANY = 200  # rows from which on it is worth compiling a text without conditions


@lru_cache(maxsize=256)  # a project says the same in many mailings
def parse_plain(text: str) -> Parsed | None:
    """`text` taken apart; None if it is Jinja2's."""
    try:
        read = _Reader(text)
    except _OfJinja:
        return None
    names = tuple(read.names)
    return Parsed(
        variables=frozenset(names),
        literals=tuple(read.literals),
        complaints=tuple(complain_of_literals(read.literals)),
        fast=VectorizedTemplate(names, _renderer(read), is_trimmed=read.is_trimmed)
        if names
        else VectorizedTemplate((), _never, text.strip()),
        constant=None if names else text,
    )


class _OfJinja(Exception):
    """The text holds something that only Jinja2 knows."""


class _Condition:
    """An `{% if %}` that is not closed yet: its test, and what it prints if it holds and if not."""

    def __init__(self, test: ast.expr) -> None:
        self.test = test
        self.bodies: list[list[ast.expr]] = [[]]

    def close(self) -> ast.expr:
        then, otherwise = map(ast.JoinedStr, (*self.bodies, []) if len(self.bodies) == 1 else self.bodies)
        return ast.FormattedValue(ast.IfExp(self.test, then, otherwise), -1, None)


class _Reader:
    """The tags of a text, one after the other. `pieces` are those of an f-string in which the variables are v0, v1, …, in
    the order of `names`. `form` is the text for the operator %, with the variables `order`; None if it has conditions.

    Raises:
        _OfJinja: it is Jinja2's.
    """

    def __init__(self, text: str) -> None:
        self.names: dict[str, int] = {}
        self.literals: list[Literal] = []
        self.pieces: list[ast.expr] = []
        self.order: list[int] = []
        self.form: str | None = ""
        self._open: list[_Condition] = []
        position = 0
        for tag in _TAG.finditer(text):
            self._literal(text, position, tag.start())
            position = tag.end()
            if tag["name"]:
                self._print(tag["name"])
            else:
                self.form = None
                self._condition(tag)
        self._literal(text, position, len(text))
        if self._open:
            raise _OfJinja

    @property
    def is_trimmed(self) -> bool:
        """Whether every text begins and ends in a word of the template."""
        match self.pieces[0], self.pieces[-1]:
            case ast.Constant(value=str(first)), ast.Constant(value=str(last)):
                return bool(first[:1].strip() and last[-1:].strip())
        return False

    @property
    def _body(self) -> list[ast.expr]:
        return self._open[-1].bodies[-1] if self._open else self.pieces

    def _literal(self, text: str, start: int, end: int) -> None:
        literal = text[start:end]
        # A brace before a tag makes it something else.
        if _OF_JINJA.search(literal) or (end < len(text) and literal.endswith("{")):
            raise _OfJinja
        if literal:
            self.literals.append((None, start, literal))
            self._body.append(ast.Constant(literal))
            if self.form is not None:
                self.form += literal.replace("%", "%%")

    def _print(self, name: str) -> None:
        # Blank ends are cut off: a value is empty or worth printing.
        value = ast.BoolOp(ast.Or(), [self._variable(name), ast.Name("unsure", ast.Load())])
        self._body.append(ast.FormattedValue(value, -1, None))
        if self.form is not None:
            self.form += "%s"
            self.order.append(self.names[name])

    def _condition(self, tag: re.Match[str]) -> None:
        if tag["test"]:
            if len(self._open) == _DEEPEST:
                raise _OfJinja
            test = self._variable(tag["test"])
            self._open.append(_Condition(ast.UnaryOp(ast.Not(), test) if tag["not"] else test))
        elif not self._open:
            raise _OfJinja
        elif tag["endif"]:
            closed = self._open.pop().close()
            self._body.append(closed)
        elif len(self._open[-1].bodies) == 1:
            self._open[-1].bodies.append([])
        else:
            raise _OfJinja

    def _variable(self, name: str) -> ast.expr:
        if not name.isidentifier() or name in RESERVED or name in _WORDS:
            raise _OfJinja
        return ast.Name(f"v{self.names.setdefault(name, len(self.names))}", ast.Load())


def _never() -> list[str]:
    raise AssertionError("a text without variables is its constant")


def _renderer(read: _Reader) -> Callable[..., list[str]]:
    """From columns of values to texts: a few by formatting them, many by a Python expression made for the text."""
    compiled: list[Callable[..., list[str]]] = []

    def render(*values: Sequence[str]) -> list[str]:
        if not compiled and (read.form is None or len(values[0]) >= _MANY):
            function = compile_rows(ast.JoinedStr(read.pieces), len(values), {"unsure": UNSURE})
            if function is None:
                raise RecursionError
            compiled.append(function)
        if compiled:
            return compiled[0](*values)
        assert read.form is not None
        filled = [column if all(column) else [value or UNSURE for value in column] for column in values]
        return list(map(read.form.__mod__, zip(*(filled[index] for index in read.order), strict=True)))

    return render
