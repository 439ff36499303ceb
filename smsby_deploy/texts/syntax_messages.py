"""What Jinja2 says about a wrong syntax, in sentences that can be translated."""

from __future__ import annotations

import re
from collections.abc import Callable

from smsby_deploy.wording import join_sentences, sentence

# Each part of a message, with what it quotes. A message of another form stays as it is.
_PARTS: tuple[tuple[str, Callable[..., str]], ...] = (
    (
        r"expected token '(.+)', got '(.+)'",
        lambda wanted, found: sentence(
            "expected token '{wanted}', got '{found}'", wanted=wanted, found=found
        ),
    ),
    (
        r"unexpected end of template, expected '(.+)'",
        lambda wanted: sentence("unexpected end of template, expected '{wanted}'", wanted=wanted),
    ),
    (
        r"expected an expression, got '(.+)'",
        lambda found: sentence("expected an expression, got '{found}'", found=found),
    ),
    (r"unexpected end of template", lambda: sentence("unexpected end of template")),
    (r"unexpected 'end of template'", lambda: sentence("unexpected 'end of template'")),
    (r"unexpected char '(.+)'", lambda found: sentence("unexpected char '{found}'", found=found)),
    (r"unexpected '(.+)'", lambda found: sentence("unexpected '{found}'", found=found)),
    (r"encountered unknown tag '(.+)'", lambda name: sentence("encountered unknown tag '{name}'", name=name)),
    (
        r"you probably made a nesting mistake",
        lambda: sentence("you probably made a nesting mistake"),
    ),
    (
        r"jinja is expecting this tag, but currently looking for (.+)",
        lambda tags: sentence("expected one of the tags {tags}", tags=tags.replace(" or ", ", ")),
    ),
    (
        r"expected one of the tags (.+)",
        lambda tags: sentence("expected one of the tags {tags}", tags=tags.replace(" or ", ", ")),
    ),
    (
        r"the innermost block that needs to be closed is '(.+)'",
        lambda name: sentence("the innermost block that needs to be closed is '{name}'", name=name),
    ),
    (r"no filter named '(.+?)'(?: found)?", lambda name: sentence("no filter named '{name}'", name=name)),
    (r"no test named '(.+?)'(?: found)?", lambda name: sentence("no test named '{name}'", name=name)),
    (r"missing end of comment tag", lambda: sentence("missing end of comment tag")),
    (r"tag name expected", lambda: sentence("tag name expected")),
)


def syntax_message(message: str) -> str:
    """A message of Jinja2 with the characters that an author writes, and no period."""
    for name, written in (("end of print statement", "}}"), ("end of statement block", "%}")):
        message = message.replace(name, written)
    message = message.replace("Jinja was looking for the following tags:", "expected one of the tags")
    return join_sentences([_say(part[:1].lower() + part[1:]) for part in message.rstrip(".").split(". ")])


def _say(part: str) -> str:
    for pattern, say in _PARTS:
        if found := re.fullmatch(pattern, part, re.DOTALL):
            return say(*found.groups())
    return part
