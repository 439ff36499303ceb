"""Markdown that nothing from a user's file can break or abuse, and that never outgrows a comment."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from smsby_deploy.output.console import clean
from smsby_deploy.privacy import mask_phones

COMMENT_BYTES = 65_536  # what a comment on a pull request holds
_NOTICE_BYTES = 1_000  # kept free for the line that says what was left out
_SPECIAL = re.compile(
    r"([\\`*_\[\]|~$])"
)  # ours is never the start of a line, where more would mean something
_JOINER = "\u2060"  # invisible: it keeps a mention, a reference, an emoji's name or an address from being one
# In an address it stands before what makes it one: behind it GitHub takes it for a part of the host's name, and a browser
# for nothing. `!` and `&` lead GitLab's references.
_ACTIVE = re.compile(
    r"(?<=@)|(?<=#)|(?=://)|(?<=w)(?=ww\.)|(?<=mailto:)|(?<=GH-)|(?<=[!&])(?=\d)|(?<=:)(?=[a-z+-][\w+-]*:)",
    re.IGNORECASE,
)


def escape(text: str) -> str:
    """`text` on one line, meaning nothing: no Markdown, HTML, mention, reference or link, no whole phone number."""
    inert = _ACTIVE.sub(_JOINER, mask_phones(clean(text)))
    return html.escape(_SPECIAL.sub(r"\\\1", inert), quote=False)


def preformatted(text: str) -> str:
    """`text` inside <pre>: lines and blanks stay. HTML only, for nothing else means anything in there."""
    kept = "".join(char if char.isprintable() or char == "\n" else " " for char in mask_phones(text))
    return html.escape(_ACTIVE.sub(_JOINER, kept), quote=False)


def table_row(cells: Sequence[str]) -> str:
    """Cells that are escaped already, as a line of a table."""
    return "| " + " | ".join(cells) + " |\n"


def fold(summary: str, body: str) -> str:
    """A part that opens on a click; both texts are escaped already."""
    return f"\n<details><summary>{summary}</summary>\n\n{body.rstrip()}\n\n</details>\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of whole lines. `rank` 0 always stays; the others go by rank, the highest first. `name` says what it is."""

    text: str
    rank: int = 0
    name: str = ""


def fit(pieces: Sequence[Piece], *, limit: int = COMMENT_BYTES, rest: str) -> str:
    """The pieces as one text of at most `limit` bytes.

    What does not fit is left out piece by piece, the least important and last first; a line at the end counts by name
    what is missing, and `rest` (escaped) says where all of it is.
    """
    sizes = [len(piece.text.encode()) for piece in pieces]
    total = sum(sizes)
    if total <= limit:
        return "".join(piece.text for piece in pieces)
    left_out: Counter[str] = Counter()
    dropped: set[int] = set()
    order = sorted(range(len(pieces)), key=lambda index: (-pieces[index].rank, -index))
    for index in order:
        if total <= limit - _NOTICE_BYTES or pieces[index].rank == 0:
            break
        dropped.add(index)
        total -= sizes[index]
        left_out[pieces[index].name] += 1
    kept = "".join(piece.text for index, piece in enumerate(pieces) if index not in dropped)
    told = ", ".join(f"{count} × {name}" for name, count in left_out.items())
    return f"{kept}\n> Left out to fit into a comment: {told}. {rest}\n"
