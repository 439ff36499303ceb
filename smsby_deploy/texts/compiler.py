"""Compiles the texts that a mailing declares into a template."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import MailingText, TextsByLanguage, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Problem
from smsby_deploy.texts.analysis import (
    LONGEST_SOURCE,
    RenderError,
    TextAnalysis,
    analyze_literal,
    has_markup,
    has_placeholder,
    locate_in_text,
    text_error,
)
from smsby_deploy.texts.template import NO_TEXT, OwnTexts, Template, TextTemplate
from smsby_deploy.wording import sentence

_Source = TypeVar("_Source")
_Compiled = TypeVar("_Compiled")

# Up to this length, no template that was vectorized is nested too deeply for Jinja2 to compile.
_SURELY_COMPILES = 500  # characters


def compile_mailing(mailing: Mailing) -> Template:
    """Compile the texts of a mailing; raises like `compile_texts`."""
    return OwnTexts(mailing.rewrite) if mailing.text is None else compile_texts(mailing.text)


def compile_texts(texts: MailingText) -> Template:
    """Compile the text of a mailing, or its texts.

    Raises:
        FilesInvalid: see `compile_text`; it has the problems of all texts.
    """
    if isinstance(texts, TextSource):
        return compile_text(texts)
    from smsby_deploy.texts.languages_and_variants import LanguageTemplates, VariantTemplates

    if isinstance(texts, TextsByLanguage):
        return LanguageTemplates(texts, _compile_all(texts.texts.items(), compile_text))
    parts = ((one.name, one.text) for one in texts.variants if one.text is not None)
    return VariantTemplates(texts, _compile_all(parts, compile_texts))


def _compile_all(
    sources: Iterable[tuple[str, _Source]], compile_one: Callable[[_Source], _Compiled]
) -> dict[str, _Compiled]:
    templates: dict[str, _Compiled] = {}
    problems: list[Problem] = []
    for name, source in sources:
        try:
            templates[name] = compile_one(source)
        except FilesInvalid as error:
            problems += error.problems
    if problems:
        raise FilesInvalid(problems)
    return templates


def compile_text(source: TextSource) -> TextTemplate:
    """Compile `source`.

    Raises:
        FilesInvalid: it has wrong syntax, a placeholder of another tool or an impossible include, is empty or too long, or
            has no variables and cannot be rendered.
    """
    if not source.text.strip():
        raise FilesInvalid([text_error(source, "TEXT", NO_TEXT)])
    if len(source.text) > LONGEST_SOURCE:
        message = sentence("the text exceeds {limit:,} characters: shorten it", limit=LONGEST_SOURCE)
        raise FilesInvalid([text_error(source, "TEXT", message)])
    analysis = _analyze(source)
    if analysis.faults:
        raise FilesInvalid(
            [
                text_error(source, code, message, locate_in_text(source, analysis.included, name, offset))
                for code, name, offset, message in analysis.faults
            ]
        )
    template = TextTemplate(source, analysis)
    if template.is_personal:
        if analysis.vectorized is None or len(source.text) > _SURELY_COMPILES:
            _ = template.renderer  # fail now if it cannot be compiled
    else:
        _check_shared_text(template)
    return template


def _analyze(source: TextSource) -> TextAnalysis:
    if not has_markup(source.text):
        return analyze_literal(source.text)
    from smsby_deploy.texts.engine import analyze

    return analyze(source)


def _check_shared_text(template: TextTemplate) -> None:
    """Render a text without variables, and raise FilesInvalid if it cannot be sent."""
    source = template.source
    try:
        text = template.render_once()
    except RenderError as error:
        raise FilesInvalid([text_error(source, error.code, error.message, error.location)]) from error
    if not text:
        raise FilesInvalid([text_error(source, "TEXT", NO_TEXT)])
    if has_placeholder(text):
        message = sentence(
            "the text contains a placeholder, which recipients would read: fill it in or remove it"
        )
        raise FilesInvalid([text_error(source, "PLACEHOLDER", message)])
