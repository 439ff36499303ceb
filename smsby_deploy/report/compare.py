"""What a pull request changes: against the lock, a plan of the base branch, or a checkout of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from smsby_deploy.lock.model import Lock
from smsby_deploy.masking import mask_numbers
from smsby_deploy.plan.model import Action, Plan
from smsby_deploy.report.markdown import preformatted

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A mailing as it was. `text` is None if only its digest is known."""

    people: int | None
    parts: int | None
    cost: Decimal | None
    content_digest: str
    audience_digest: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """What is compared with: `label` says it in a heading (`the lock`, `main`)."""

    label: str
    mailings: Mapping[str, Baseline] = field(default_factory=dict)


def base_of_lock(lock: Lock) -> Base:
    """The mailings as they were applied."""
    return Base(
        "the lock",
        {
            address: Baseline(
                entry.recipients,
                entry.parts,
                None if entry.cost is None else Decimal(entry.cost),
                entry.content_digest,
                entry.audience_digest,
            )
            for address, entry in lock.mailings.items()
        },
    )


def base_of_plan(plan: Plan, label: str, texts: Mapping[str, str | None] | None = None) -> Base:
    """The mailings as `plan` has them; `texts` by address, where they are at hand."""
    return Base(
        label,
        {
            action.address: Baseline(
                action.recipients,
                action.parts,
                action.cost,
                action.content_digest,
                action.audience_digest,
                (texts or {}).get(action.address),
            )
            for action in plan.actions
        },
    )


def change_of(action: Action, base: Base) -> str:
    """`new`, `same`, or what is more, less and other: `+12 people, +14 parts, +0.364, text`."""
    before = base.mailings.get(action.address)
    if before is None:
        return "new"
    told = [
        f"{difference:+} {name}".rstrip()
        for name, now, then in (
            ("people", action.recipients, before.people),
            ("parts", action.parts, before.parts),
            ("", action.cost, before.cost),
        )
        if now is not None and then is not None and (difference := now - then)
    ]
    if action.content_digest != before.content_digest:
        told.append("content")
    if action.audience_digest != before.audience_digest and action.recipients == before.people:
        told.append("other people")
    return ", ".join(told) or "same"


def word_diff(before: str, after: str) -> str:
    """Both texts as one, HTML for <pre>: words that went in <del>, words that came in <ins>."""
    old, new = (_WORD.findall(mask_numbers(text)) for text in (before, after))
    out: list[str] = []
    for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = preformatted("".join(old[i1:i2])), preformatted("".join(new[j1:j2]))
        if kind == "equal":
            out.append(come)
        else:
            out += [f"<del>{gone}</del>" if gone else "", f"<ins>{come}</ins>" if come else ""]
    return "".join(out)
