"""What a pull request changes: against the lock, a plan of the base branch, or a checkout of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from smsby_deploy.lock.records import Lock
from smsby_deploy.output.markdown import preformatted
from smsby_deploy.plan.model import Action, Plan
from smsby_deploy.privacy import mask_phones
from smsby_deploy.texts.price import signed

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A mailing as it was. `text` is None if only its digest is known; `moved` are the people who came and who went
    since, None if only their number is known. Without `alphaname` nothing is known of sender and time."""

    people: int | None
    parts: int | None
    cost: Decimal | None
    content_digest: str
    audience_digest: str
    text: str | None = None
    moved: tuple[int, int] | None = None
    alphaname: str | None = None
    schedule_time: str | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """What is compared with: `label` says it in a heading (`the lock`, `the base`). `is_whole`: what it has and the plan
    has not is gone; the lock's own such mailings are in the plan as orphans."""

    label: str
    mailings: Mapping[str, Baseline] = field(default_factory=dict)
    is_whole: bool = True


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
                alphaname=entry.alphaname,
                schedule_time=entry.schedule_time,
            )
            for address, entry in lock.mailings.items()
        },
        is_whole=False,
    )


def base_of_plan(
    plan: Plan,
    label: str,
    texts: Mapping[str, str | None] | None = None,
    moved: Mapping[str, tuple[int, int]] | None = None,
) -> Base:
    """The mailings as `plan` has them; `texts` and `moved` by address, where they are at hand."""
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
                (moved or {}).get(action.address),
                action.alphaname,
                action.schedule_time,
            )
            for action in plan.actions
        },
    )


def change_of(action: Action, base: Base, currency: str | None = None, text: str | None = None) -> str:
    """`new`, `same`, or what is more, less and other: `+412 -38 people, +380 parts, +9.88 BYN, time, text`.

    `text` is the action's, where it is known. People who came and who went are told apart where the base knows them,
    else their sum.
    """
    before = base.mailings.get(action.address)
    if before is None:
        return "new"
    told = []
    if before.moved is not None:
        came, went = before.moved
        told += [" ".join([*([f"+{came:,}"] if came else []), *([f"-{went:,}"] if went else [])]) + " people"]
    elif None not in (action.recipients, before.people) and action.recipients != before.people:
        told.append(f"{(action.recipients or 0) - (before.people or 0):+,} people")
    elif action.audience_digest != before.audience_digest:
        told.append("other people")
    if action.parts is not None and before.parts is not None and action.parts != before.parts:
        told.append(f"{action.parts - before.parts:+,} parts")
    if action.cost is not None and before.cost is not None and action.cost != before.cost:
        told.append(f"{signed(action.cost - before.cost)} {currency or ''}".rstrip())
    told += _content(action, before, text)
    return ", ".join(told) or "same"


def _content(action: Action, before: Baseline, text: str | None) -> list[str]:
    if action.content_digest == before.content_digest:
        return []
    if before.alphaname is None:
        return ["content"]
    told = ["sender"] if action.alphaname != before.alphaname else []
    told += ["time"] if _instant(action.schedule_time) != _instant(before.schedule_time) else []
    if before.text is not None and text is not None:
        return [*told, "text"] if before.text != text else told or ["content"]
    # Where only the digest of a text is known, another sender or time may hide another text.
    return [*told, "perhaps text"] if told else ["text"]


def _instant(schedule_time: str | None) -> datetime | None:
    return None if schedule_time is None else datetime.fromisoformat(schedule_time)


def gone_since(plan: Plan, base: Base) -> list[str]:
    """The addresses that the base has and the plan has not."""
    there = {action.address for action in plan.actions}
    return [address for address in base.mailings if base.is_whole and address not in there]


def word_diff(before: str, after: str) -> str:
    """Both texts as one, HTML for <pre>: words that went in <del>, words that came in <ins>."""
    old, new = (_WORD.findall(mask_phones(text)) for text in (before, after))
    out: list[str] = []
    # A blank alone is no word that stayed.
    matcher = difflib.SequenceMatcher(str.isspace, old, new, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        gone, come = preformatted("".join(old[i1:i2])), preformatted("".join(new[j1:j2]))
        if kind == "equal":
            out.append(come)
        else:
            out += [f"<del>{gone}</del>" if gone else "", f"<ins>{come}</ins>" if come else ""]
    return "".join(out)
