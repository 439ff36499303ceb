"""Compiled templates, rendered for batches of recipients; `compiler` makes them.

A recipient's own text takes precedence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import AS_WRITTEN, ContactList, InlineRecipients, Rewrite, TextSource
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.analysis import (
    RenderError,
    TextAnalysis,
    has_markup,
    locate_in_text,
    rows_with_placeholders,
)
from smsby_deploy.texts.encoding_lint import Rewriter
from smsby_deploy.texts.not_a_value import EXPLANATION, is_not_a_value
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.texts.engine import Renderer
    from smsby_deploy.texts.jinja_environment import TextEnvironment

NO_TEXT: str = sentence("the text is empty")
_MOST_PROBLEMS = 1000  # kept per mailing
_MOST_SEARCHED = 10  # rows per batch and variable: rendering each of a million rows again takes minutes


class RenderedBatch(NamedTuple):
    """The text of each recipient ("" where it failed), and the problems."""

    texts: list[str]
    problems: Sequence[Problem] = ()


class Template(ABC):
    """The text of a mailing, or several of which each recipient gets one.

    `variables` are the columns that any of them needs, `inputs` maps the project paths of included templates to their texts.
    If there is a text per language, `languages` counts its recipients so far, without opt-outs.
    """

    variables: frozenset[str]
    inputs: Mapping[str, str]
    languages: Mapping[str, int] = MappingProxyType({})

    @property
    @abstractmethod
    def is_personal(self) -> bool:
        """Whether the text that a recipient gets depends on the recipient."""

    @property
    @abstractmethod
    def texts(self) -> tuple[TextTemplate, ...]:
        """All texts."""

    @abstractmethod
    def pick(self, values: Mapping[str, str]) -> TextTemplate | None:
        """Return the text for a recipient with the variables `values`; None if there is none."""

    def render_once(self) -> str:
        """Return the text that all recipients get, or the first of several."""
        return self.texts[0].render_once()

    @abstractmethod
    def render_batch(self, batch: Batch, mailing: Mailing) -> RenderedBatch:
        """Return the text of each recipient, without white space at its ends.

        A recipient's own text takes precedence and is used literally.
        """

    def find_problems(self, mailing: Mailing) -> Iterator[Problem]:
        """Yield the problems found while rendering the texts of the mailing."""
        return iter(())

    @property
    def replaced(self) -> Set[str]:
        """The characters that smart encoding replaced so far."""
        return frozenset().union(*(text.rewriter.replaced for text in self.texts))

    def find_literal(self, character: str) -> Location | None:
        """The first place of `character` in the texts; None if it comes from the data."""
        return next(filter(None, (text.find_literal(character) for text in self.texts)), None)


class TextTemplate(Template):
    """One text that can be rendered."""

    def __init__(self, source: TextSource, analysis: TextAnalysis) -> None:
        self.source = source
        self.variables = analysis.variables
        self.inputs = {one.file: one.text for one in analysis.included.values()}
        self.rewriter = Rewriter(source.rewrite)
        self.vectorized = analysis.vectorized
        self.tested = analysis.tested
        self._analysis = analysis
        self._shared_text: str | None = None
        self._has_given_up = False
        self._searched: Counter[str] = Counter()  # in this batch: rows searched for more, by missing variable

    @property
    def is_personal(self) -> bool:
        return bool(self.variables)

    @property
    def texts(self) -> tuple[TextTemplate, ...]:
        return (self,)

    def pick(self, values: Mapping[str, str]) -> TextTemplate:
        return self

    @cached_property
    def renderer(self) -> Renderer:
        """The compiled template; most texts are vectorized and never need it.

        Raises:
            FilesInvalid: it cannot be compiled.
        """
        return self.make_renderer()

    def make_renderer(self, environment: TextEnvironment | None = None) -> Renderer:
        """Compile the template, in `environment` if that is given.

        Raises:
            FilesInvalid: it cannot be compiled.
        """
        from smsby_deploy.texts.engine import Renderer

        return Renderer(self.source, self._analysis.included, environment)

    def render_once(self) -> str:
        """Return the text of a template without variables.

        Raises:
            RenderError: it cannot be rendered; `compile_text` has checked that it can.
        """
        if self._shared_text is None:
            is_literal = not has_markup(self.source.text)
            text = self.source.text.strip() if is_literal else self.renderer.render({})
            self._shared_text = self.rewriter.apply(text)
        return self._shared_text

    def render_batch(self, batch: Batch, mailing: Mailing) -> RenderedBatch:
        """Return the text of each recipient, without white space at its ends.

        A recipient's own text takes precedence and is used literally.
        """
        texts: list[str] = []
        problems: list[Problem] = []
        self._searched.clear()
        known, file = self._render_known(batch), rows_file(mailing)
        if known is None:
            rows = zip(batch.variables, batch.texts, batch.lines, strict=True)
            for variables, own_text, line in rows:
                recipient = Location(file, line)
                texts.append(self._render_row(variables, own_text, recipient, mailing.address, problems))
        elif None in known:
            for row, text in enumerate(known):
                if text is None:
                    recipient = Location(file, batch.lines[row])
                    variables = batch.variables_of(row)
                    text = self._render_row(variables, batch.texts[row], recipient, mailing.address, problems)
                texts.append(text)
        else:
            texts = cast("list[str]", known)
        problems.extend(placeholder_problems(texts, batch, mailing))
        return RenderedBatch(texts, problems)

    @cached_property
    def sources(self) -> dict[str | None, str]:
        """The text (None) and the templates it includes, as written, by name."""
        included = self._analysis.included
        return {None: self.source.text, **{name: one.text for name, one in included.items()}}

    def locate(self, name: str | None, offset: int) -> Location:
        return locate_in_text(self.source, self._analysis.included, name, offset)

    def find_literal(self, character: str) -> Location | None:
        """Return the first place of `character` in the template; None if it comes from the data."""
        for name, offset, literal in self._analysis.literals:
            if character in literal:
                return self.locate(name, offset + literal.index(character))
        return None

    def _render_known(self, batch: Batch) -> list[str | None] | None:
        """Return the texts that can be rendered together; None for each other text, or for all."""
        texts: list[str | None] | None
        if self._has_given_up:
            return None
        if not self.is_personal:
            texts = [self.render_once()] * len(batch.phones)
        else:
            texts = self.vectorized.render(batch) if self.vectorized is not None else None
            if texts is None:
                return None
            if self.source.rewrite != AS_WRITTEN:
                texts = [text if text is None else self.rewriter.apply(text) for text in texts]
        if batch.has_own_texts:
            return [text if own is None else None for text, own in zip(texts, batch.texts, strict=True)]
        return texts

    def _render_row(
        self,
        variables: Mapping[str, str],
        own_text: str | None,
        recipient: Location,
        address: str,
        problems: list[Problem],
    ) -> str:
        """Render one text; return "" and add to `problems` if that fails."""
        if self._has_given_up:  # reported once; trying every row would take hours
            return ""
        text, failures = "", list[RenderError]()
        try:
            text = own_text.strip() if own_text is not None else self.renderer.render(variables)
            text = self.rewriter.apply(text)
        except RenderError as error:
            self._has_given_up = error.is_final
            failures = [error]
            if error.missing and self._searched[error.missing] < _MOST_SEARCHED:
                others = list(self.renderer.find_missing(variables, error))
                failures.extend(other for other in others if other.missing)
                is_complete = len(failures) > len(others)  # no other error hides a variable
                self._searched[error.missing] += _MOST_SEARCHED if is_complete else 1
        if not text and not failures:
            location = None if own_text is None else recipient
            failures = [RenderError(NO_TEXT, location, is_final=False)]
        for failure in failures:
            where, message = failure.location or self.source.location, failure.message
            if where != recipient:
                message = sentence("{message} ({place})", message=message, place=recipient)
            problems.append(Problem(Severity.ERROR, failure.code, message, address, where))
        return text


class OwnTexts(Template):
    """The texts of a mailing without one: those of the recipients, used literally."""

    variables = frozenset[str]()
    inputs: Mapping[str, str] = MappingProxyType({})

    def __init__(self, rewrite: Rewrite) -> None:
        self._rewriter = Rewriter(rewrite)

    @property
    def is_personal(self) -> bool:
        return True

    @property
    def texts(self) -> tuple[TextTemplate, ...]:
        return ()

    @property
    def replaced(self) -> Set[str]:
        return self._rewriter.replaced

    def pick(self, values: Mapping[str, str]) -> None:
        return None

    def render_batch(self, batch: Batch, mailing: Mailing) -> RenderedBatch:
        file = rows_file(mailing)
        texts = [self._rewriter.apply("" if text is None else text.strip()) for text in batch.texts]
        message = sentence("this recipient has no text: add one, or set `text` in the mailing")
        problems = [
            Problem(
                Severity.ERROR,
                "NOT_A_VALUE" if text else "TEMPLATE",
                EXPLANATION if text else message,
                mailing.address,
                Location(file, line),
            )
            for text, line in zip(texts, batch.lines, strict=True)
            if not text or is_not_a_value(text)
        ]
        problems.extend(placeholder_problems(texts, batch, mailing))
        return RenderedBatch(texts, problems)


def placeholder_problems(texts: Sequence[str], batch: Batch, mailing: Mailing) -> Iterator[Problem]:
    """The rendered or literal texts that contain a placeholder."""
    for index in rows_with_placeholders(texts):
        recipient = Location(rows_file(mailing), batch.lines[index])
        message = sentence(
            "the text of this recipient contains a placeholder ({place}): fill it in or remove it",
            place=recipient,
        )
        yield Problem(Severity.ERROR, "PLACEHOLDER", message, mailing.address, recipient)


def is_personal(mailing: Mailing, template: Template) -> bool:
    """Whether recipients of `mailing` may get different texts."""
    if template.is_personal:
        return True
    return isinstance(mailing.audience, InlineRecipients) and any(
        "text" in row for row in mailing.audience.rows
    )


def rows_file(mailing: Mailing) -> str:
    """The name of the file with the mailing's recipients, as messages show it."""
    if isinstance(mailing.audience, InlineRecipients | ContactList):
        return mailing.file
    return mailing.audience.name


@dataclass(slots=True)
class KeptProblems:
    """The first thousand problems of texts, and the number of others, so memory stays flat."""

    kept: list[Problem] = field(default_factory=list)
    dropped: int = 0

    def keep(self, found: Sequence[Problem]) -> None:
        """Add problems; beyond the first thousand they are only counted."""
        room = max(0, _MOST_PROBLEMS - len(self.kept))
        self.kept.extend(found[:room])
        self.dropped += len(found[room:])

    def all_of(self, mailing: Mailing) -> list[Problem]:
        """Return the kept problems, preceded by the number of the others.

        Only the beginning of a long list is shown.
        """
        if not self.dropped:
            return self.kept
        message = sentence(
            "{count:more text|more texts} of this mailing cannot be sent; only the first are listed",
            count=self.dropped,
        )
        return [problem_at_text(mailing, "TEMPLATE", message), *self.kept]


def problem_at_text(mailing: Mailing, code: str, message: str) -> Problem:
    return Problem(Severity.ERROR, code, message, mailing.address, mailing.text_location)
