"""Messages as HTML or Markdown: escaped and masked, with what they quote in backticks as code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from smsby_deploy.output.markdown import clip, escape
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.wording import Sentence

if TYPE_CHECKING:
    from markupsafe import Markup

_CODE = r"`([^`]+)`"  # a string, which `re` compiles at its first use
_ESCAPED_CODE = r"\\`(.+?)\\`"
_BACKTICK = "\u02cb"  # in place of a backtick of a value; it looks the same


def message_html(text: str, language: Translator = ENGLISH) -> Markup:
    """A message in `language`, for a template, which does not escape it once more.

    Of a sentence only our own backticks make code: a value that a pull request chooses cannot pass for a command. A message
    that is no Sentence has lost its values, so whatever is between two backticks is code.
    """
    from markupsafe import Markup

    said = safe_line(language.sentence(_without_backticks(text)))
    return Markup(escape_html(said).replace(_BACKTICK, "`"))  # noqa: S704  # it is escaped


def message_markdown(text: str, language: Translator = ENGLISH, *, is_clipped: bool = False) -> str:
    """The same for a comment, on one line; `is_clipped` shortens it if it is very long."""
    said = language.sentence(_without_backticks(text))
    said = escape(clip(said) if is_clipped else said)
    return re.sub(_ESCAPED_CODE, r"<code>\1</code>", said).replace(_BACKTICK, "\\`")


def escape_html(text: str) -> str:
    """A text of ours as HTML, with what it quotes in backticks as code."""
    import html  # not needed on a terminal

    return re.sub(_CODE, r"<code>\1</code>", html.escape(text, quote=False))


def _without_backticks(text: str) -> str:
    """The same sentence with _BACKTICK for the backticks of its values."""
    if not isinstance(text, Sentence) or not text.template:
        return text
    return text.with_values({name: _as_value(value) for name, value in text.values.items()})


def _as_value(value: object) -> object:
    if isinstance(value, Sentence):
        return _without_backticks(value)
    return value.replace("`", _BACKTICK) if type(value) is str else value
