"""Changes of a mailing against its base, in words, and of its text as HTML."""

from __future__ import annotations

import difflib
import re

from smsby_deploy.output.markdown import preformatted
from smsby_deploy.plan.comparison import Change
from smsby_deploy.privacy import mask_phones
from smsby_deploy.texts.cost import signed
from smsby_deploy.wording import counted

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def change_text(change: Change, currency: str | None = None) -> str:
    """`new`, `same`, or every difference: `+412 -38 recipients, +380 parts, +9.88 BYN, time, text`."""
    if change.is_new:
        return "new"
    parts = []
    if change.moved is not None:
        joined, left = change.moved
        moved = [*([f"+{joined:,}"] if joined else []), *([f"-{left:,}"] if left else [])]
        parts.append(f"{' '.join(moved)} {'recipient' if joined + left == 1 else 'recipients'}")
    elif change.recipients:
        parts.append(_signed(change.recipients, "recipient"))
    elif change.has_other_recipients:
        parts.append("other recipients")
    if change.parts:
        parts.append(_signed(change.parts, "part"))
    if change.cost:
        parts.append(f"{signed(change.cost)} {currency or ''}".rstrip())
    parts += ["sender"] * change.has_new_sender + ["time"] * change.has_new_time
    if change.has_new_text is None:
        parts.append("perhaps text")
    parts += ["text"] * bool(change.has_new_text) + ["content"] * change.has_new_content
    return ", ".join(parts) or "same"


def word_diff(before: str, after: str) -> str:
    """Both texts as one, as HTML for <pre>: removed words in <del>, added words in <ins>."""
    old, new = (_WORD.findall(mask_phones(text)) for text in (before, after))
    pieces: list[str] = []
    # Blanks are junk: a common blank alone does not connect two texts.
    matcher = difflib.SequenceMatcher(str.isspace, old, new, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        removed, added = preformatted("".join(old[i1:i2])), preformatted("".join(new[j1:j2]))
        if kind == "equal":
            pieces.append(added)
        else:
            pieces += [f"<del>{removed}</del>" if removed else "", f"<ins>{added}</ins>" if added else ""]
    return "".join(pieces)


def _signed(number: int, noun: str) -> str:
    return f"{'+' if number > 0 else '-'}{counted(abs(number), noun)}"
