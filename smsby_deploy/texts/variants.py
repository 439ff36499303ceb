"""Texts by variant: one mailing, of which each recipient gets the text of their variant.

A batch is split by variant and each part rendered as a batch, so nothing is slower than with one text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, compress

from smsby_deploy.config.sources import TextsByLanguage, TextsByVariant, TextSource
from smsby_deploy.problems import Problem
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.waves_and_variants import assign_variants
from smsby_deploy.texts.languages import languages_of
from smsby_deploy.texts.template import RenderedBatch, Template, TextTemplate
from smsby_deploy.wording import Sentence, sentence


class VariantTemplates(Template):
    """The texts of a mailing by variant; a control group has none."""

    def __init__(self, source: TextsByVariant, templates: Mapping[str, Template]) -> None:
        self.variables = frozenset().union(*(one.variables for one in templates.values()))
        self.inputs = {name: text for one in templates.values() for name, text in one.inputs.items()}
        self.by_name = templates
        self._source = source

    @property
    def languages(self) -> dict[str, int]:  # type: ignore[override]
        """The recipients by language, of all variants together."""
        found: dict[str, int] = {}
        for language, count in chain(*(one.languages.items() for one in self.by_name.values())):
            found[language] = found.get(language, 0) + count
        return found

    @property
    def is_personal(self) -> bool:
        """Always: recipients get different texts."""
        return True

    @property
    def texts(self) -> tuple[TextTemplate, ...]:
        """The texts in the order of the file."""
        return tuple(chain(*(one.texts for one in self.by_name.values())))

    def pick(self, values: Mapping[str, str]) -> TextTemplate | None:
        """Return the text for a recipient with the variables `values`.

        None for one in the control group, or if there is none in their language.
        """
        (name,) = assign_variants(self._source, [values.get("phone", "")])
        template = self.by_name.get(name)
        return None if template is None else template.pick(values)

    def render_batch(self, batch: Batch, *, rows_file: str, address: str) -> RenderedBatch:
        """Return the text of each recipient, without white space at its ends.

        The control group is in no batch.
        """
        variants = assign_variants(self._source, batch.phones)
        rendered: dict[str, Iterator[str]] = {}
        problems: list[Problem] = []
        for name, template in self.by_name.items():
            mask = bytearray(map(name.__eq__, variants))
            if 1 in mask:
                one = template.render_batch(batch.only(mask), rows_file=rows_file, address=address)
                rendered[name] = iter(one.texts)
                problems += one.problems
        return RenderedBatch([next(rendered[name]) for name in variants], problems, self.replaced)

    def find_problems(self, address: str, rows_file: str) -> Iterator[Problem]:
        """Yield what rendering the texts has shown."""
        return chain(*(one.find_problems(address, rows_file) for one in self.by_name.values()))


TextKey = tuple[str, str]  # variant and language of a text, "" where it has none


def names_of_texts(
    texts: TextsByLanguage | TextsByVariant, variant: str = ""
) -> dict[TextKey, list[Sentence]]:
    """Return what each text is called, in the order of the template's texts."""
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
    """Return which text each recipient gets."""
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
