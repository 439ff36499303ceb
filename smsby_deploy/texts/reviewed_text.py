"""The text of a mailing as reviewers see it, with the templates that it includes."""

from __future__ import annotations

from collections.abc import Iterator

from smsby_deploy.config.sources import MailingText, TextsByLanguage, TextSource
from smsby_deploy.texts.analysis import has_markup, may_include


def included_texts(source: MailingText | None) -> dict[str, str]:
    """Return the templates that these texts include, by project path, if they can be read."""
    found: dict[str, str] = {}
    for text in source.sources if source is not None else ():
        if has_markup(text.text) and may_include(text.text):
            from smsby_deploy.texts.engine import find_included

            found |= find_included(text)
    return found


def reviewed_text(source: MailingText | None) -> str | None:
    """Return the text of a mailing followed by its includes, each under its name.

    If there are several texts, each is under its language. None without a text.
    """
    if source is None:
        return None
    included = (f"{file}:\n{text}" for file, text in included_texts(source).items())
    return "\n\n".join((*_reviewed_texts(source), *included))


def _reviewed_texts(source: MailingText) -> Iterator[str]:
    """Yield each text, under the names of its variant and its language if it has them."""
    if isinstance(source, TextSource):
        yield source.text
    elif isinstance(source, TextsByLanguage):
        yield from (f"{name}:\n{text.text}" for name, text in source.texts.items())
    else:
        for name, share, text in source.variants:
            heading = f"{name} ({share}%)"
            if text is None:
                yield f"{heading}: nothing is sent"
            elif isinstance(text, TextSource):
                yield f"{heading}:\n{text.text}"
            else:
                yield from (f"{heading}, {said}" for said in _reviewed_texts(text))
