"""Changes against a base in words: of a mailing, of its text, and of everything beside the mailings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from smsby_deploy.output.values import safe_line
from smsby_deploy.privacy import mask_phones
from smsby_deploy.texts.cost import signed
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.plan.comparison import Change
    from smsby_deploy.plan.model import BaseChanges

_WORD = r"\s+|\w+|[^\w\s]"
_USUAL_SERVICE = "https://app.sms.by"


def change_text(change: Change, currency: str | None = None) -> str:
    """`new`, `same`, or every difference.

    For example `+412 -38 recipients, +380 parts, +9.88 BYN, time, text`.
    """
    if change.is_new:
        return "new"
    parts = []
    # The audience digest covers personal texts, so another template alone changes it, too.
    is_explained = change.has_new_text is not False or change.has_new_content
    if change.moved is not None:
        joined, left = change.moved
        moved = [*([f"+{joined:,}"] if joined else []), *([f"-{left:,}"] if left else [])]
        parts.append(f"{' '.join(moved)} {'recipient' if joined + left == 1 else 'recipients'}")
    elif change.recipients:
        parts.append(_signed(change.recipients, "recipient"))
    elif change.has_other_recipients:
        parts.append("perhaps recipients" if is_explained else "recipients or their texts")
    elif change.has_other_rows and not is_explained:
        parts.append("order or texts of recipients")
    if change.parts:
        parts.append(_signed(change.parts, "part"))
    if change.cost:
        parts.append(f"{signed(change.cost)} {currency or ''}".rstrip())
    parts += ["sender"] * change.has_new_sender + ["list"] * change.has_new_list
    parts += ["time"] * change.has_new_time
    if change.has_new_text is None:
        parts.append("perhaps text")
    parts += ["text"] * bool(change.has_new_text) + ["content"] * change.has_new_content
    return ", ".join(parts) or "same"


def word_diff(before: str, after: str) -> str:
    """Both texts as one, as HTML for <pre>: removed words in <del>, added words in <ins>."""
    import difflib  # a plan on a terminal compares no texts, and loads neither of them

    from smsby_deploy.output.markdown import preformatted

    old, new = (re.findall(_WORD, mask_phones(text)) for text in (before, after))
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


def changes_text(changes: BaseChanges) -> str:
    """`2 settings and 1 lock entry changed`; empty if nothing beside the mailings needs a look."""
    counts = [counted(len(changes.settings), "setting")] * bool(changes.settings)
    if changes.lock_changes:
        counts.append(counted(changes.lock_changes, "lock entry", "lock entries"))
    if not counts:
        return "not everything could be compared" if changes.gaps else ""
    return f"{' and '.join(counts)} changed"


def settings_lines(changes: BaseChanges) -> Iterator[str]:
    """Each key of smsby.yaml that differs, for a terminal."""
    for key, before, after in changes.settings:
        old, new = ("not set" if value is None else safe_line(value) for value in (before, after))
        yield f"  {safe_line(key)}: {old} → {new}"


def is_foreign(service: str) -> bool:
    """Whether a plan names its service, because it is not the usual one."""
    return service != _USUAL_SERVICE
