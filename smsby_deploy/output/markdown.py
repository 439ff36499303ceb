"""Markdown that always fits into a comment, and HTML, with texts from files made inert."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smsby_deploy.output.terminal import break_commands, safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.wording import Sentence, shorten

if TYPE_CHECKING:
    from markupsafe import Markup

COMMENT_BYTES = 65_536  # GitHub's limit of a comment on a pull request
_NOTICE_BYTES = 1_000  # kept free for the line that says what was left out
_MAX_TEXT = 600  # characters of a reason or a message
# Characters with a meaning within a line; our texts never start one.
_SPECIAL = r"([\\`*_\[\]|~$])"  # a string, which `re` compiles at its first use: a plan on a terminal has no Markdown
_JOINER = "\u2060"  # invisible; it breaks up mentions, references, emoji names and URLs
# Where to insert it. In a URL it comes before the part by which GitHub recognizes a link: after that part, GitHub would take
# it for a part of the host's name, and browsers would ignore it. `!` and `&` start GitLab's references.
_ACTIVE = r"(?i:(?<=@)|(?<=#)|(?=://)|(?<=w)(?=ww\.)|(?<=mailto:)|(?<=GH-)|(?<=[!&])(?=\d)|(?<=:)(?=[a-z+-][\w+-]*:))"
# GitLab executes `/merge` at the start of a line, even in <pre> if a backtick before it and one within make it inline code.
_QUICK_ACTION = r"(?m:^(?=/))"

_CODE = r"`([^`]+)`"
_DATE = r"\b\d{4}-\d\d-\d\d\b"
_OPTION = r"--[a-z][a-z-]*"
_CODE_HTML = r"<code>[^<]*</code>"
_ESCAPED_CODE = r"\\`(.+?)\\`"
_BACKTICK = "\u02cb"  # in place of a backtick of a value; it looks the same


def escape(text: str) -> str:
    """`text` on one line, without any effect in Markdown, and with phones masked.

    It contains no Markdown, HTML, mention, reference or link.
    """
    inert = re.sub(_ACTIVE, _JOINER, safe_line(text))
    return _escape_html(re.sub(_SPECIAL, r"\\\1", inert))


def clip(text: str) -> str:
    """Return a reason or message as a safe line of at most 600 characters."""
    return shorten(safe_line(text), _MAX_TEXT)  # masked first: half a phone number could not be recognized


def preformatted(text: str) -> str:
    """`text` for use inside <pre>, where only HTML has an effect; lines and blanks are kept.

    Nothing is masked: a reviewed text may have its own phones, such as the shop's.
    """
    kept = re.sub(_QUICK_ACTION, _JOINER, re.sub(_ACTIVE, _JOINER, printable_lines(text)))
    inert = _escape_html(kept)
    return break_commands(inert, colon="&#58;", hash_sign="&#35;")  # as the comment is printed in a log


def printable_lines(text: str) -> str:
    """`text` without characters that could reorder it; its lines are kept."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def message_html(text: str, t: Translator = ENGLISH) -> Markup:
    """A message in the language of `t`, for a template, which does not escape it again.

    In a sentence, only our own backticks become code: a value that a pull request chooses cannot pass for a command. A
    message that is not a Sentence has lost its values, so anything between two backticks becomes code.
    """
    from markupsafe import Markup

    said = safe_line(t.sentence(_without_backticks(text)))
    return Markup(keep_whole(code_html(said)).replace(_BACKTICK, "`"))  # noqa: S704  # it is escaped


def message_markdown(text: str, t: Translator = ENGLISH, *, is_clipped: bool = False) -> str:
    """The same for a comment, on one line; `is_clipped` shortens it if it is very long."""
    said = t.sentence(_without_backticks(text))
    said = escape(clip(said) if is_clipped else said)
    return re.sub(_ESCAPED_CODE, r"<code>\1</code>", said).replace(_BACKTICK, "\\`")


def code_html(text: str) -> str:
    """One of our texts as HTML, with what it has in backticks as code."""
    return re.sub(_CODE, r"<code>\1</code>", _escape_html(text))


def keep_whole(html: str) -> str:
    """The result of `code_html`, with options and dates in their own elements.

    Browsers break lines after a hyphen; in these elements, the style of our pages forbids it.
    """
    dated = re.sub(_DATE, r"<time>\g<0></time>", html)
    return re.sub(_CODE_HTML, lambda code: re.sub(_OPTION, r"<span>\g<0></span>", code[0]), dated)


def _without_backticks(text: str) -> str:
    """The same sentence with _BACKTICK for the backticks of its values."""
    if not isinstance(text, Sentence):
        return text
    return text.map_values(lambda value: value.replace("`", _BACKTICK) if type(value) is str else value)


def _escape_html(text: str) -> str:
    import html  # its table of entities takes half a megabyte, and few runs write Markdown

    return html.escape(text, quote=False)


def code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def table_row(cells: Sequence[str]) -> str:
    """One line of a table; the cells must be escaped."""
    return "| " + " | ".join(cells) + " |\n"


def details_section(summary: str, body: str) -> str:
    """A section that opens with a click; both texts must be escaped."""
    return f"\n<details><summary>{summary}</summary>\n\n{body.rstrip()}\n\n</details>\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a comment.

    Rank 0 is never left out; of the others, the highest rank is left out first, and counted by `name`.
    """

    text: str
    rank: int = 0
    name: str = ""


def fit(pieces: Sequence[Piece], *, limit: int = COMMENT_BYTES, rest: str, t: Translator = ENGLISH) -> str:
    """Join the pieces to a text of at most `limit` bytes.

    Pieces that do not fit are left out one by one, of one rank the last first. A final line counts by name what is missing,
    followed by `rest` (escaped), which says where to find it.
    """
    sizes = [len(piece.text.encode()) for piece in pieces]
    total = sum(sizes)
    if total <= limit:
        return "".join(piece.text for piece in pieces)
    left_out: Counter[str] = Counter()
    dropped: set[int] = set()
    for index in sorted(range(len(pieces)), key=lambda index: (-pieces[index].rank, -index)):
        if total <= limit - _NOTICE_BYTES or pieces[index].rank == 0:
            break
        dropped.add(index)
        total -= sizes[index]
        left_out[pieces[index].name] += 1
    kept = "".join(piece.text for index, piece in enumerate(pieces) if index not in dropped)
    counts = ", ".join(f"{count} × {t.gettext(name)}" for name, count in left_out.items())
    notice = t.gettext("Left out to fit into a comment: {counts}. {rest}", counts=counts, rest=rest)
    return f"{kept}\n> {notice}\n"
