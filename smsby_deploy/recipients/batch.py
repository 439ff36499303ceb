"""Consecutive recipients of an audience, and the variables that templates read from them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import compress, count, islice
from typing import NamedTuple
from unicodedata import normalize

from smsby_deploy.config.sources import FalseText

_FEW_ROWS = 20


class Batch(NamedTuple):
    """Consecutive recipients, column by column.

    Index `i` is the same recipient in every column.

    `texts` are the recipients' own texts (None: the mailing's text), `lines` their physical lines. `not_suppressed` holds
    0 for a recipient who opted out, otherwise 1. `values` are the columns `names`, as written; if rows were dropped,
    `selected` holds 1 for each row that is a recipient. If `is_typed`, values may be FalseText.
    """

    phones: list[str]
    names: tuple[str, ...]
    values: Sequence[Sequence[str]]
    texts: Sequence[str | None]
    lines: Sequence[int]
    not_suppressed: bytearray
    selected: bytearray | None = None
    is_typed: bool = False

    def variable(self, name: str) -> list[str] | None:
        """Return each recipient's value of the template variable `name`, stripped.

        None if there is no such column.

        A column is looked up by its name as written, then in lower case, then by the name a template can use for it
        (`_as_variable`). `phone` is always the normalized number.
        """
        if name == "phone":
            return self.phones
        column = self.column(name)
        return None if column is None else self._cells(column)

    def _cells(self, column: Sequence[str]) -> list[str]:
        """Each recipient's value in `column`, stripped."""
        cells = column if self.selected is None else compress(column, self.selected)
        if self.is_typed and FalseText in set(map(type, cells := list(cells))):
            return [cell if type(cell) is FalseText else cell.strip() for cell in cells]
        return list(map(str.strip, cells))

    def only(self, mask: bytearray) -> Batch:
        """Return the recipients for whom `mask` holds 1."""
        selected = mask
        if self.selected is not None:
            selected = bytearray(len(self.selected))
            for row in compress(compress(count(), self.selected), mask):
                selected[row] = 1
        return self._replace(
            phones=list(compress(self.phones, mask)),
            texts=list(compress(self.texts, mask)),
            lines=list(compress(self.lines, mask)),
            not_suppressed=bytearray(compress(self.not_suppressed, mask)),
            selected=selected,
        )

    def column(self, name: str) -> Sequence[str] | None:
        """Return the column that `variable` reads: as written, including dropped rows."""
        index = _positions_of(self.names).get(name)
        return None if index is None else self.values[index]

    @property
    def variables(self) -> list[dict[str, str]]:
        """All template variables of each recipient, `phone` normalized and values stripped."""
        names, positions = self._variable_names(), _positions_of(self.names)
        columns = [
            self.phones if name == "phone" else self._cells(self.values[positions[name]]) for name in names
        ]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    @property
    def has_own_texts(self) -> bool:
        return list(self.texts).count(None) < len(self.texts)

    def variables_at(self, positions: Sequence[int]) -> Iterator[dict[str, str]]:
        """Yield the variables of the recipients at `positions`; a few are looked up individually."""
        rows = self.variables if len(positions) > _FEW_ROWS else None
        return (self.variables_of(one) if rows is None else rows[one] for one in positions)

    def variables_of(self, index: int) -> dict[str, str]:
        row = index if self.selected is None else next(islice(compress(count(), self.selected), index, None))
        values = [[column[row]] for column in self.values]
        one = Batch([self.phones[index]], self.names, values, [None], [0], bytearray(1), None, self.is_typed)
        return one.variables[0]

    def _variable_names(self) -> tuple[str, ...]:
        written = set(self.names)
        lower = [name.lower() for name in self.names if name.lower() not in written]
        aliases = (alias for some in _aliases_of(self.names) for alias in some)
        return tuple(dict.fromkeys((*self.names, *lower, "phone", *aliases)))


@lru_cache(maxsize=16)  # a faulty mailing asks once per row, and a table can have thousands of columns
def _positions_of(names: tuple[str, ...]) -> Mapping[str, int]:
    """Return the index of the column for each name under which a template finds it."""
    aliases = {alias: index for index, some in enumerate(_aliases_of(names)) for alias in some}
    lower = {written.lower(): index for index, written in enumerate(names)}
    return aliases | lower | {written: index for index, written in enumerate(names)}


def _aliases_of(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return each column's additional template names; no two columns share one."""
    aliases = [_as_variable(name) for name in names]
    taken = {*names, *map(str.lower, names), "phone"}
    counts = Counter(alias for some in aliases for alias in set(some))
    return [tuple(alias for alias in some if counts[alias] == 1 and alias not in taken) for some in aliases]


_GAP = re.compile(r"[\s.\-\u2010-\u2015\u2212]")


def _as_variable(name: str) -> tuple[str, ...]:
    """Return variable names for a column: `Сумма_покупок`, `сумма_покупок` of `Сумма покупок`.

    Empty if the name needs no other. Some systems write the й of a header as two characters, hence NFC.
    """
    written = normalize("NFC", _GAP.sub("_", name))
    return () if written == name else (written, written.lower())
