"""What each problem code means and what to do, from docs/problems.md and its translations."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from smsby_deploy.output.translation import Translator
from smsby_deploy.resources import problems_page

_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
_SEVERITY = re.compile(r"^(?:warning|note|предупреждение|замечание)(?:: |; )")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_CODE = re.compile(r"`([^`]+)`")


class ProblemHelp(NamedTuple):
    """Both in Markdown, without a period at the end; `meaning` begins a sentence."""

    meaning: str
    way_out: str


@cache
def problem_help(language: str) -> Mapping[str, ProblemHelp]:
    """Return the help on each problem code in `language`."""
    rows = _ROW.findall(problems_page(language).read_text(encoding="utf-8"))
    return {
        code: ProblemHelp(_capital(_SEVERITY.sub("", meaning)), way_out) for code, meaning, way_out in rows
    }


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def as_html(text: str) -> str:
    """Return a cell of the table as HTML, with links as their texts: the page is elsewhere."""
    return _CODE.sub(r"<code>\1</code>", html.escape(_LINK.sub(r"\1", text), quote=False))


def help_line(known: ProblemHelp, t: Translator) -> str:
    """Return a line below an item of a list in Markdown."""
    way_out = t.gettext("What to do: {way_out}", way_out=as_html(known.way_out))
    return f"  <br>**{as_html(known.meaning)}.** {way_out}.\n"
