"""Texts by language: one mailing, of which each recipient gets the text in their language.

A batch is split by language and each part rendered as a batch, so nothing is slower than with one text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress

from smsby_deploy.config.sources import TextsByLanguage
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.template import RenderedBatch, Template, TextTemplate
from smsby_deploy.wording import counted

_NONE = ""  # the language of a recipient for whom there is no text
_OWN = " "  # that of a recipient with a text of their own


def languages_of(source: TextsByLanguage, batch: Batch) -> list[str]:
    """Return the language of each recipient's text, a key of the texts of `source`.

    It is "" where there is none, and a blank for a recipient with a text of their own.
    """
    values = _values_of(source, batch)
    chosen = {value: _choose(source, value) for value in set(values)}
    languages = [chosen[value] for value in values]
    if not batch.has_own_texts:
        return languages
    return [name if own is None else _OWN for name, own in zip(languages, batch.texts, strict=True)]


def _values_of(source: TextsByLanguage, batch: Batch) -> Sequence[str]:
    return batch.variable(source.column) or [""] * len(batch.phones)


def _choose(source: TextsByLanguage, value: str) -> str:
    """Return the language for a recipient whose column has `value`."""
    if value in source.texts:
        return value
    folded = value.casefold()
    return next((name for name in source.texts if name.casefold() == folded), source.default or _NONE)


class LanguageTemplates(Template):
    """The texts of a mailing by language."""

    def __init__(self, source: TextsByLanguage, templates: Mapping[str, TextTemplate]) -> None:
        self.variables = frozenset().union(*(one.variables for one in templates.values()))
        self.inputs = {name: text for one in templates.values() for name, text in one.inputs.items()}
        self.languages = self._counts = Counter(dict.fromkeys(templates, 0))
        self._defaulted = 0  # recipients who got the text of the default because theirs has none
        self._source = source
        self._templates = templates
        self._has_column = False
        self._is_reported = False  # that rows have no language at all
        self._first_default: int | None = None

    @property
    def is_personal(self) -> bool:
        """Always: recipients get different texts."""
        return True

    @property
    def texts(self) -> tuple[TextTemplate, ...]:
        """The texts in the order of the file."""
        return tuple(self._templates.values())

    def pick(self, values: Mapping[str, str]) -> TextTemplate | None:
        """Return the text for a recipient with the variables `values`.

        None if there is none in their language.
        """
        return self._templates.get(_choose(self._source, values.get(self._source.column, "")))

    def render_batch(self, batch: Batch, *, rows_file: str, address: str) -> RenderedBatch:
        """Return the text of each recipient in their language, without white space at its ends.

        A recipient's own text takes precedence, whatever their language.
        """
        languages = languages_of(self._source, batch)
        self._count_defaults(batch, languages)
        rendered: dict[str, Iterator[str]] = {}
        problems: list[Problem] = []
        found = sorted(set(languages))
        for language in found:
            some = batch
            if len(found) > 1:
                some = batch.only(bytearray(map(language.__eq__, languages)))
            if language == _NONE:
                rendered[language] = iter([""] * len(some.phones))
                problems += self._unknown(some, rows_file, address)
                continue
            template = self._templates.get(language, self.texts[0])  # own texts need any of them
            one = template.render_batch(some, rows_file=rows_file, address=address)
            rendered[language] = iter(one.texts)
            problems += one.problems
            if language != _OWN:
                self._counts[language] += some.not_suppressed.count(1)
        return RenderedBatch([next(rendered[language]) for language in languages], problems, self.replaced)

    def find_problems(self, address: str, rows_file: str) -> Iterator[Problem]:
        """Yield a note on the recipients who get the text of the default.

        If no row has the column, it is an error instead.
        """
        default, source = self._source.default, self._source
        if default is None or self._first_default is None:
            return
        if not self._has_column:
            message = f"language names the column {source.column!r}, which no recipient has"
            yield Problem(Severity.ERROR, "LANGUAGE", message, address, source.column_location)
            return
        message = (
            f"{counted(self._defaulted, 'recipient')} with no text in their language get the {default} text, "
            f"the default; the first is {rows_file}:{self._first_default}"
        )
        yield Problem(Severity.NOTE, "LANGUAGE", message, address, source.location)

    def _count_defaults(self, batch: Batch, languages: Sequence[str]) -> None:
        values = _values_of(self._source, batch)
        self._has_column = self._has_column or batch.column(self._source.column) is not None
        known = set(map(str.casefold, self._templates))
        others = {value for value in set(values) if value.casefold() not in known}
        if not others or self._source.default is None:
            return
        rows = zip(values, languages, batch.not_suppressed, strict=True)
        mask = [value in others and language != _OWN and bool(kept) for value, language, kept in rows]
        self._defaulted += sum(mask)
        if self._first_default is None:
            self._first_default = next(compress(batch.lines, mask), None)

    def _unknown(self, batch: Batch, rows_file: str, address: str) -> Iterator[Problem]:
        """Yield an error for each recipient of `batch`, or one for all without the column."""
        source = self._source
        if batch.column(source.column) is None and len(batch.phones) > 1:
            if self._is_reported:
                return
            self._is_reported = True
            message = f"language names the column {source.column!r}, which recipients lack ({rows_file}:{batch.lines[0]})"
            yield Problem(Severity.ERROR, "LANGUAGE", message, address, source.column_location)
            return
        known = ", ".join(self._templates)
        message = f"unknown language in the column {source.column!r}: use one of {known}, or add `default` to the texts"
        for line in batch.lines:
            yield Problem(Severity.ERROR, "LANGUAGE", message, address, Location(rows_file, line))
