"""Personal texts: strict templates, each text the same twice, every error at its place.

An undefined variable, and an empty value that would be printed, is an error; testing one is free. Nothing random or
time-dependent can be reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from smsby_deploy.config.declarations import Rewrite, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.audience import Batch
from smsby_deploy.texts.parsed import LONGEST_SOURCE, OTHERS, Parsed, RenderFailed, locate, place_problem
from smsby_deploy.texts.placeholders import find_placeholder, rows_with_placeholders
from smsby_deploy.texts.plain import parse_plain
from smsby_deploy.texts.rewrite import Rewriter

if TYPE_CHECKING:
    from smsby_deploy.texts.engine import Engine

# Up to here nothing is nested so deep that Jinja2 refuses to compile what its parser took and fast.py compiled.
_SURELY_COMPILES = 500  # characters


class RenderedBatch(NamedTuple):
    """A text for each recipient ("" where it failed), what failed, and what smart encoding replaced."""

    texts: list[str]
    problems: Sequence[Problem] = ()
    replaced: Set[str] = frozenset()


class Template:
    """A text that can be rendered. `inputs` are the project paths of the templates that it includes, with their texts."""

    def __init__(self, source: TextSource, parsed: Parsed) -> None:
        self.source = source
        self.variables = parsed.variables
        self.inputs = {one.file: one.text for one in parsed.included.values()}
        self.rewriter = Rewriter(source.rewrite)
        self.fast = parsed.fast
        self._parsed = parsed
        self._is_runaway = False

    @property
    def is_personal(self) -> bool:
        """Whether the text differs from recipient to recipient."""
        return bool(self.variables)

    @cached_property
    def engine(self) -> Engine:
        """The text as Jinja2 renders it, compiled when it is asked for: most texts never ask.

        Raises:
            FilesInvalid: it can't be compiled.
        """
        from smsby_deploy.texts.engine import Engine

        return Engine(self.source, self._parsed)

    def render_once(self) -> str:
        """The one text of a bulk mailing."""
        if self._parsed.constant is not None:
            return self.rewriter.apply(self._parsed.constant.strip())
        return self._render({})

    def render_batch(self, batch: Batch, *, rows_file: str, address: str) -> RenderedBatch:
        """The text of each recipient, blank ends cut off; a recipient's own text wins, literally."""
        texts: list[str] = []
        problems: list[Problem] = []
        known = self._render_fast(batch)
        if known is None:
            rows = zip(batch.variables, batch.texts, batch.lines, strict=True)
            for variables, own, line in rows:
                texts.append(self._render_row(variables, own, f"{rows_file}:{line}", address, problems))
        elif None in known:
            for row, text in enumerate(known):
                if text is None:
                    place = f"{rows_file}:{batch.lines[row]}"
                    text = self._render_row(
                        batch.variables_of(row), batch.texts[row], place, address, problems
                    )
                texts.append(text)
        else:
            texts = cast("list[str]", known)
        problems.extend(placeholder_problems(texts, batch, rows_file=rows_file, address=address))
        return RenderedBatch(texts, problems, self.rewriter.replaced)

    def _render_fast(self, batch: Batch) -> list[str | None] | None:
        """The texts, as far as the fast path knows them; None if it knows none."""
        if self.fast is None or self._is_runaway:
            return None
        texts = self.fast.render(batch)
        if texts is None:
            return None
        if self.source.rewrite != Rewrite():
            texts = [text if text is None else self.rewriter.apply(text) for text in texts]
        if batch.has_own_texts:
            return [text if own is None else None for text, own in zip(texts, batch.texts, strict=True)]
        return texts

    def _render_row(
        self, variables: Mapping[str, str], own: str | None, at: str, address: str, problems: list[Problem]
    ) -> str:
        """One text, "" where it failed; `at` is the recipient's place."""
        if self._is_runaway:  # told once: to try it for every row would take hours
            return ""
        text, failed = "", "the text is empty"
        place: Location | None = None
        try:
            text = self.rewriter.apply(own.strip()) if own is not None else self._render(variables)
        except RenderFailed as error:
            failed, place, self._is_runaway = error.message, error.place, error.is_final
        if not text:
            where = place or self.source.location
            problems.append(
                Problem(
                    Severity.ERROR,
                    "TEMPLATE",
                    f"{failed} ({at})",
                    address,
                    where,
                )
            )
        return text

    def find_literal(self, character: str) -> Location | None:
        """Where `character` stands first in the template or in what it includes; None if it comes from the data."""
        for unit, offset, literal in self._parsed.literals:
            if character in literal:
                return locate(self.source, self._parsed.included, unit, offset + literal.index(character))
        return None

    def _render(self, variables: Mapping[str, str]) -> str:
        return self.rewriter.apply(self.engine.render(variables))


def placeholder_problems(
    texts: list[str], batch: Batch, *, rows_file: str, address: str
) -> Iterator[Problem]:
    """The rendered texts, or texts taken literally, in which people would read a placeholder."""
    for index in rows_with_placeholders(texts):
        line = batch.lines[index]
        message = f"the text of this recipient holds a placeholder ({rows_file}:{line})"
        yield Problem(Severity.ERROR, "PLACEHOLDER", message, address, Location(rows_file, line))


def compile_text(source: TextSource) -> Template:
    """The template of `source`.

    Raises:
        FilesInvalid: its syntax is wrong, it holds a placeholder of another tool, or nothing at all; it includes what
            can't be included; it is a text without variables that can't be rendered.
    """
    if not source.text.strip():
        raise FilesInvalid([place_problem(source, "TEXT", "the text is empty", source.location)])
    if len(source.text) > LONGEST_SOURCE:
        message = f"the text has over {LONGEST_SOURCE} characters: no text needs that"
        raise FilesInvalid([place_problem(source, "TEXT", message, source.location)])
    parsed = parse_plain(source.text)
    is_plain = parsed is not None
    if parsed is None:
        from smsby_deploy.texts.engine import parse

        parsed = parse(source)
    if parsed.complaints:
        raise FilesInvalid(
            [
                place_problem(
                    source,
                    found.code,
                    found.message,
                    locate(source, parsed.included, found.unit, found.offset),
                )
                for found in parsed.complaints
            ]
        )
    template = Template(source, parsed)
    if not is_plain and (parsed.fast is None or len(source.text) > _SURELY_COMPILES):
        _ = template.engine  # that it can be compiled is told now
    if not template.is_personal:
        _check_once(template)
    return template


def included_files(source: TextSource | None) -> tuple[str, ...]:
    """The project paths of the templates that a text includes, as far as they can be read."""
    if source is None or OTHERS.search(source.text) is None:
        return ()
    from smsby_deploy.texts.engine import included_files as find_included

    return find_included(source)


def _check_once(template: Template) -> None:
    source = template.source
    try:
        text = template.render_once()
    except RenderFailed as error:
        raise FilesInvalid([place_problem(source, "TEMPLATE", error.message, error.place)]) from error
    if not text:
        raise FilesInvalid([place_problem(source, "TEXT", "the text is empty", None)])
    if find_placeholder(text, rendered=True):
        message = "the text holds a placeholder that people would read"
        raise FilesInvalid([place_problem(source, "PLACEHOLDER", message, None)])
