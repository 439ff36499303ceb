"""Facts of a mailing as text: its contact list, its times and spans, its waves and variants."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from smsby_deploy.output.terminal import safe_line
from smsby_deploy.output.translation import ENGLISH, Translator

if TYPE_CHECKING:
    from smsby_deploy.lock.records import NamedId
    from smsby_deploy.plan.desired import GroupTotals, SendTimes
    from smsby_deploy.plan.model import Action


def list_text(contact_list: NamedId, language: Translator = ENGLISH) -> str:
    """`contact list Newsletter (id 3434)`; the id may be unknown."""
    name = safe_line(contact_list.name)
    if contact_list.id is None:
        return language.gettext("contact list {name} (id unknown)", name=name)
    return language.gettext("contact list {name} (id {id})", name=name, id=contact_list.id)


def span_text(span: timedelta, language: Translator = ENGLISH) -> str:
    """A span from now, in its two largest units.

    For example `in 2 d 3 h`, `in 5 min`, `now`, `4 h 10 min ago`.
    """
    seconds = abs(int(span.total_seconds()))
    gettext = language.gettext
    units = [
        (days := seconds // 86400, gettext("{count} d", count=days)),
        (hours := seconds // 3600 % 24, gettext("{count} h", count=hours)),
        (minutes := seconds // 60 % 60, gettext("{count} min", count=minutes)),
    ]
    while units and not units[0][0]:
        units.pop(0)
    text = " ".join(unit for count, unit in units[:2] if count)
    if not text:
        return gettext("now")
    return gettext("in {span}", span=text) if span > timedelta(0) else gettext("{span} ago", span=text)


def local_and_utc(
    schedule_time: str, zone: str | None = None, language: Translator = ENGLISH
) -> tuple[str, str]:
    """An ISO time as `Mon 1 Mar 2027 10:00 Europe/Minsk` and `07:00 UTC`.

    The UTC time has a day if that differs.
    """
    local = datetime.fromisoformat(schedule_time)
    utc = local.astimezone(UTC)
    utc_text = language.day_and_time(utc) if utc.date() != local.date() else f"{utc:%H:%M}"
    return f"{language.day_and_time(local)} {zone or local.isoformat()[-6:]}", f"{utc_text} UTC"


def group_total_texts(
    groups: Sequence[GroupTotals[str] | GroupTotals[int]], language: Translator = ENGLISH
) -> list[str]:
    """`a: 1,080 recipients, 1,080 parts, 28.08` of each variant or wave."""
    said = []
    for one in groups:
        size = language.gettext(
            "{name}: {recipients:recipient|recipients}, {parts:part|parts}",
            name=one.key,
            recipients=one.recipients,
            parts=one.parts,
        )
        said.append(size if one.cost is None else f"{size}, {language.money(one.cost)}")
    return said


def group_totals(
    groups: Sequence[GroupTotals[str] | GroupTotals[int]], language: Translator = ENGLISH
) -> str:
    """`a: 1,080 recipients, 1,080 parts, 28.08; b: …`, in one line."""
    return "; ".join(group_total_texts(groups, language))


def spread_text(spread: SendTimes, language: Translator = ENGLISH) -> str:
    """`spread from 2026-12-01 10:00 +03 to 12:52: 24 chunks, one every 7 min 30 s, about …`."""
    return language.gettext("spread from {span}: {pace}", span=spread.span, pace=spread.pace)


def delivery_texts(action: Action, t: Translator = ENGLISH) -> list[str]:
    """The contact list that it is sent to, how it is spread, its waves and its variants."""
    facts = [] if action.contact_list is None else [list_text(action.contact_list, t)]
    if action.spread is not None:
        facts.append(spread_text(action.spread, t))
    if action.waves:
        facts.append(t.gettext("waves {waves}", waves=group_totals(action.waves, t)))
    if action.variants:
        facts.append(t.gettext("variants {variants}", variants=group_totals(action.variants, t)))
    return facts
