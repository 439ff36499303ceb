"""What to say of a file that is not valid YAML: libyaml's messages name tokens, not what an author wrote."""

from __future__ import annotations

import re

import yaml

from smsby_deploy.wording import sentence

_TAB = sentence("this line is indented with a tab; use spaces")
_BACKSLASH = sentence("in double quotes, \\ begins an escape; use single quotes, and / in a path")
# libyaml's messages for the most common mistakes, and what to say instead.
_MESSAGES = {
    "mapping values are not allowed in this context": sentence(
        "a second `: ` on this line; put a text that contains `: ` in quotes"
    ),
    "did not find expected '-' indicator": sentence("the indentation does not match the list above"),
    "did not find expected key": sentence(
        "the indentation does not match the lines above, or quotes above are not closed"
    ),
    "did not find expected node content": sentence("missing value here, or a bracket above is not closed"),
    "did not find expected ',' or ']'": sentence("missing comma or closing ]"),
    "did not find expected ',' or '}'": sentence("missing comma or closing }}"),
    "found unexpected end of stream": sentence("the quotes opened here are not closed"),
    "found a tab character where an indentation space is expected": _TAB,
    "found a tab character that violates indentation": _TAB,
    "did not find expected hexdecimal number": _BACKSLASH,
    "found unknown escape character": _BACKSLASH,
    "found character that cannot start any token": sentence(
        "a text that begins with this character must be in quotes"
    ),
}
_CONFLICT = re.compile("^<{7} ", re.MULTILINE)


def explain_error(error: yaml.MarkedYAMLError, text: str) -> tuple[str, tuple[int, int]]:
    """Return what is wrong in `text`, and in which line and column."""
    if conflict := _CONFLICT.search(text):
        message = sentence("git conflict markers; resolve the conflict and delete them")
        return message, (text.count("\n", 0, conflict.start()) + 1, 1)
    mark, problem = error.problem_mark or error.context_mark, error.problem or sentence("not valid YAML")
    if "end of stream" in problem:  # noticed at the end; the mistake is where the quotes were opened
        mark = error.context_mark or mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if "cannot start any token" in problem and "\t" in text.split("\n")[place[0] - 1]:
        return _TAB, place
    return _MESSAGES.get(problem, problem), place
