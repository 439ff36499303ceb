"""Texts by language and by variant: which text each recipient of a mailing gets.

A batch is split and each part is rendered as a batch, so this is as fast as a single text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, compress

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import TextsByLanguage, TextsByVariant, TextSource
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.waves_and_variants import assign_variants
from smsby_deploy.texts.template import RenderedBatch, Template, TextTemplate, rows_file
from smsby_deploy.wording import Sentence, sentence

_NONE = ""  # the language of a recipient for whom there is no text
_OWN = " "  # the language of a recipient with their own text
TextKey = tuple[str, str]  # variant and language of a text, "" where it has none


def languages_of(source: TextsByLanguage, batch: Batch) -> list[str]:
    """Return the language of each recipient's text, a key of the texts of `source`.

    It is "" if there is none, and a blank for a recipient with their own text.
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


class _SeveralTexts(Template):
    """Texts by name, in file order; each recipient gets one of them."""

    def __init__(self, templates: Mapping[str, Template]) -> None:
        self.variables = frozenset().union(*(one.variables for one in templates.values()))
        self.inputs = {name: text for one in templates.values() for name, text in one.inputs.items()}
        self.by_name = templates

    @property
    def is_personal(self) -> bool:
        return True

    @property
    def texts(self) -> tuple[TextTemplate, ...]:
        return tuple(chain(*(one.texts for one in self.by_name.values())))


class LanguageTemplates(_SeveralTexts):
    """The texts of a mailing by language."""

    def __init__(self, source: TextsByLanguage, templates: Mapping[str, TextTemplate]) -> None:
        super().__init__(templates)
        self.languages = self._counts = Counter(dict.fromkeys(templates, 0))
        self._defaulted = 0  # recipients who got the default text because their language has none
        self._source = source
        self._templates = templates
        self._has_column = False
        self._is_reported = False  # that the column is missing
        self._first_default: int | None = None

    def pick(self, values: Mapping[str, str]) -> TextTemplate | None:
        """Return the text for the variables `values`; None if there is none in their language."""
        return self._templates.get(_choose(self._source, values.get(self._source.column, "")))

    def render_batch(self, batch: Batch, mailing: Mailing) -> RenderedBatch:
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
                problems += self._unknown(some, mailing)
                continue
            template = self._templates.get(language, self.texts[0])  # for own texts, any will do
            one = template.render_batch(some, mailing)
            rendered[language] = iter(one.texts)
            problems += one.problems
            if language != _OWN:
                self._counts[language] += some.not_suppressed.count(1)
        return RenderedBatch([next(rendered[language]) for language in languages], problems)

    def find_problems(self, mailing: Mailing) -> Iterator[Problem]:
        """Yield a note on recipients of the default text; an error if no row has the column."""
        default, source = self._source.default, self._source
        if default is None or self._first_default is None:
            return
        if not self._has_column:
            message = sentence(
                "language names the column '{column}', which no recipient has", column=source.column
            )
            yield Problem(Severity.ERROR, "LANGUAGE", message, mailing.address, source.column_location)
            return
        message = sentence(
            "{count:recipient|recipients} with no text in their language {count:|gets|get} the {language} text, the "
            "default; the first is {place}",
            count=self._defaulted,
            language=default,
            place=Location(rows_file(mailing), self._first_default),
        )
        yield Problem(Severity.NOTE, "LANGUAGE", message, mailing.address, source.location)

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

    def _unknown(self, batch: Batch, mailing: Mailing) -> Iterator[Problem]:
        """Yield an error for each recipient of `batch`, or a single one if the column is missing."""
        source = self._source
        if batch.column(source.column) is None and len(batch.phones) > 1:
            if self._is_reported:
                return
            self._is_reported = True
            message = sentence(
                "language names the column '{column}', which recipients lack ({place})",
                column=source.column,
                place=Location(rows_file(mailing), batch.lines[0]),
            )
            yield Problem(Severity.ERROR, "LANGUAGE", message, mailing.address, source.column_location)
            return
        known = ", ".join(self._templates)
        message = sentence(
            "unknown language in the column '{column}': use one of {known}, or add `default` to the texts",
            column=source.column,
            known=known,
        )
        for line in batch.lines:
            yield Problem(
                Severity.ERROR, "LANGUAGE", message, mailing.address, Location(rows_file(mailing), line)
            )


class VariantTemplates(_SeveralTexts):
    """The texts of a mailing by variant; a control group has none."""

    def __init__(self, source: TextsByVariant, templates: Mapping[str, Template]) -> None:
        super().__init__(templates)
        self._source = source

    @property
    def languages(self) -> dict[str, int]:  # type: ignore[override]
        """The recipients by language, of all variants together."""
        found = Counter[str]()
        for one in self.by_name.values():
            found.update(one.languages)
        return found

    def pick(self, values: Mapping[str, str]) -> TextTemplate | None:
        """Return the text for a recipient with the variables `values`.

        None for a recipient in the control group, or if there is none in their language.
        """
        (name,) = assign_variants(self._source, [values.get("phone", "")])
        template = self.by_name.get(name)
        return None if template is None else template.pick(values)

    def render_batch(self, batch: Batch, mailing: Mailing) -> RenderedBatch:
        """Return the text of each recipient, without white space at its ends.

        The control group is in no batch.
        """
        variants = assign_variants(self._source, batch.phones)
        rendered: dict[str, Iterator[str]] = {}
        problems: list[Problem] = []
        for name, template in self.by_name.items():
            mask = bytearray(map(name.__eq__, variants))
            if 1 in mask:
                one = template.render_batch(batch.only(mask), mailing)
                rendered[name] = iter(one.texts)
                problems += one.problems
        return RenderedBatch([next(rendered[name]) for name in variants], problems)

    def find_problems(self, mailing: Mailing) -> Iterator[Problem]:
        return chain(*(one.find_problems(mailing) for one in self.by_name.values()))


def names_of_texts(
    texts: TextsByLanguage | TextsByVariant, variant: str = ""
) -> dict[TextKey, list[Sentence]]:
    """Return the names of each text, in the order of the template's texts."""
    if isinstance(texts, TextsByLanguage):
        return {(variant, name): [sentence("language {name}", name=name)] for name in texts.texts}
    found: dict[TextKey, list[Sentence]] = {}
    for name, _, text in texts.variants:
        own = sentence("variant {name}", name=name)
        if isinstance(text, TextSource):
            found[name, ""] = [own]
        elif text is not None:
            found |= {key: [own, *names] for key, names in names_of_texts(text, name).items()}
    return found


def keys_of_texts(texts: TextsByLanguage | TextsByVariant, batch: Batch) -> list[TextKey]:
    """Return the (variant, language) of each recipient's text, "" where `texts` has none."""
    if isinstance(texts, TextsByLanguage):
        return [("", language) for language in languages_of(texts, batch)]
    keys = [(name, "") for name in assign_variants(texts, batch.phones)]
    for name, _, text in texts.variants:
        if isinstance(text, TextsByLanguage):
            mask = bytearray(map((name, "").__eq__, keys))
            languages = languages_of(text, batch.only(mask))
            for position, language in zip(compress(range(len(keys)), mask), languages, strict=True):
                keys[position] = (name, language)
    return keys
