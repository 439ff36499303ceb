"""A plan in words, the same in every format: its verdict, its cost, and what changed.

For one mailing: the cells of its row, and what a comment folds away, namely its audience, the changed text, sample texts
and chunks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from smsby_deploy.output.markdown import code, details_section, escape, preformatted, table_row
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.plan.base_changes import BaseChanges
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.plan_result import PlanResult, Verdict
from smsby_deploy.privacy import mask_phones
from smsby_deploy.wording import Sentence, sentence

if TYPE_CHECKING:  # a plan on a terminal is often compared with nothing, and shows no samples
    from smsby_deploy.lock.records import NamedId
    from smsby_deploy.plan.base_comparison import Base, Change
    from smsby_deploy.plan.desired import GroupTotals
    from smsby_deploy.texts.samples import MailingReview, Sample

QUIET = frozenset({ActionKind.NOOP, ActionKind.ORPHAN})  # nothing happens to them
WITHOUT_REASON = frozenset({ActionKind.CREATE, ActionKind.NOOP})  # their names say enough
_MOST_WORDS = 1000  # and blanks, of a text that is compared word by word
_WORD = r"\s+|\w+|[^\w\s]"
_USUAL_SERVICE = "https://app.sms.by"


def change_text(change: Change, currency: str | None, t: Translator = ENGLISH) -> str:
    """`new`, `same`, or every difference.

    For example `+412 -38 recipients, +380 parts, +9.88 BYN, time, text`.
    """
    if change.is_new:
        return t.gettext("new")
    parts = []
    # The audience digest covers personal texts, so a change of the template alone changes it as well.
    is_explained = change.has_new_text is not False or change.has_new_content
    if change.moved is not None:
        parts.append(_moved_text(*change.moved, t))
    elif change.recipients:
        count = abs(change.recipients)
        parts.append(_sign(change.recipients, t) + t.gettext("{count:recipient|recipients}", count=count))
    elif change.has_other_recipients:
        parts.append(
            t.gettext("perhaps recipients") if is_explained else t.gettext("recipients or their texts")
        )
    elif change.has_other_rows and not is_explained:
        parts.append(t.gettext("order or texts of recipients"))
    if change.parts:
        parts.append(_sign(change.parts, t) + t.gettext("{count:part|parts}", count=abs(change.parts)))
    if change.cost:
        parts.append(f"{t.signed(change.cost)} {currency or ''}".rstrip())
    others = (
        (change.has_new_sender, t.gettext("sender")),
        (change.has_new_list, t.gettext("list")),
        (change.has_new_time, t.gettext("time")),
        (change.has_new_text is None, t.gettext("perhaps text")),
        (bool(change.has_new_text), t.gettext("text")),
        (change.has_new_content, t.gettext("content")),
    )
    parts += [name for is_changed, name in others if is_changed]
    return ", ".join(parts) or t.gettext("same")


def _moved_text(joined: int, left: int, t: Translator) -> str:
    """`+412 -38 recipients`."""
    signed = ((joined, "+"), (left, t.minus))
    counts = " ".join(f"{sign}{t.count(count)}" for count, sign in signed if count)
    return t.gettext("{counts} {total:|recipient|recipients}", counts=counts, total=joined + left)


def _sign(number: int, t: Translator) -> str:
    return "+" if number > 0 else t.minus


def word_diff(before: str, after: str) -> str:
    """Both texts as one, as HTML for <pre>: removed words in <del>, added words in <ins>.

    A long text is replaced as a whole: comparing words takes time that grows with the cube of their number.
    """
    import difflib  # a plan on a terminal compares no texts

    old, new = (re.findall(_WORD, mask_phones(text)) for text in (before, after))
    if max(len(old), len(new)) > _MOST_WORDS:
        return f"<del>{preformatted(''.join(old))}</del>\n<ins>{preformatted(''.join(new))}</ins>"
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


def text_diff(action: Action, base: Base, review: MailingReview | None) -> str:
    """The template with what was removed and added; empty if it did not change or is unknown."""
    before, text = base.mailings.get(action.address), review.text if review else None
    if before is None or before.text is None or text is None or before.text == text:
        return ""
    return word_diff(before.text, text)


def changes_text(changes: BaseChanges | None) -> Sentence | str:
    """`2 settings and 1 lock entry changed`; empty if only the mailings need a look."""
    if changes is None:
        return ""
    settings, entries = len(changes.settings), changes.lock_changes
    if settings and entries:
        return sentence(
            "{settings:setting|settings} and {entries:lock entry|lock entries} changed",
            settings=settings,
            entries=entries,
        )
    if settings:
        return sentence("{settings:setting|settings} changed", settings=settings)
    if entries:
        return sentence("{entries:lock entry|lock entries} changed", entries=entries)
    return sentence("not everything could be compared") if changes.gaps else ""


def is_foreign(service: str) -> bool:
    """Whether a plan names its service, because it is not the usual one."""
    return service != _USUAL_SERVICE


def verdict_text(result: PlanResult, t: Translator) -> str:
    """`Ready: 2 mailings to send, 1 expired`, without other changes."""
    plan, ready, due = result.plan, result.plan.committed.mailings, due_text(result.plan, t)
    overdue = t.gettext(", {count:,} expired", count=len(plan.overdue)) if plan.overdue else ""
    match result.verdict:
        case Verdict.INVALID:
            errors = sum(problem.is_error for problem in plan.problems)
            return t.gettext("Not valid: {errors:error|errors}, nothing will be sent", errors=errors)
        case Verdict.REFUSED:
            return t.gettext("Refused as a whole, nothing will be sent")
        case Verdict.BLOCKED:
            others = t.gettext(", {count:,} ready", count=ready) if ready else ""
            return t.gettext("{count:,} blocked", count=len(plan.obstacles)) + others + overdue + due
        case Verdict.READY:
            sending, held = plan.totals.mailings, plan.held.mailings
            parts = [t.gettext("{count:mailing|mailings} to send", count=sending)] if sending else []
            parts += [t.gettext("{count:mailing|mailings} to approve for later", count=held)] if held else []
            return t.gettext("Ready: {what}", what=", ".join(parts)) + overdue + due
        case Verdict.NOTHING_TO_SEND:
            rest = due or waiting_text(plan, t)
            return t.gettext("Nothing to send by `apply`" if rest else "Nothing to send") + overdue + rest


def due_text(plan: Plan, t: Translator) -> str:
    """`; 1 mailing is due for `apply --due``, if one is: no plan sends it."""
    count = plan.counts[ActionKind.DUE]
    return t.gettext("; {count:mailing is|mailings are} due for `apply --due`", count=count) if count else ""


def waiting_text(plan: Plan, t: Translator) -> str:
    """`; 1 mailing waits for `apply --due``, if one does."""
    count = plan.counts[ActionKind.WAITING]
    return t.gettext("; {count:mailing waits|mailings wait} for `apply --due`", count=count) if count else ""


def first_send_text(result: PlanResult, t: Translator) -> str:
    """When the first mailing is sent: `in 2 d 10 h`, or `on apply`."""
    are_all_scheduled = len(result.scheduled) == result.plan.committed.mailings
    return t.span(result.scheduled[0].wait) if are_all_scheduled else t.gettext("on apply")


def cost_text(plan: Plan, base: Base, t: Translator) -> str:
    """`Cost 1.040 BYN (+0.572 compared with main)`."""
    if plan.currency is None:
        return t.gettext("Cost not known: the project has no price")
    cost = t.gettext("Cost {cost}", cost=f"{t.money(plan.committed.cost)} {plan.currency}")
    change = change_of_cost_text(plan, base, t)
    return f"{cost} ({change})" if change else cost


def with_money_of(result: PlanResult, t: Translator, base: Base | None = None) -> Translator:
    """Return `t` with which all amounts of a plan and its changes have equally many decimals."""
    actions = result.plan.actions
    before = base.mailings if base else {}
    earlier = (before[action.address].cost for action in actions if action.address in before)
    waves = (wave.cost for action in actions for wave in action.waves)
    variants = (variant.cost for action in actions for variant in action.variants)
    return t.aligning([*(action.cost for action in actions), *waves, *variants, *earlier, result.balance])


def local_and_utc(local: datetime, zone: str | None, t: Translator) -> tuple[str, str]:
    """A time as `Mon 1 Mar 2027 10:00 Europe/Minsk` and `07:00 UTC`.

    The UTC time has a day if that differs.
    """
    utc = local.astimezone(UTC)
    utc_text = t.day_and_time(utc) if utc.date() != local.date() else f"{utc:%H:%M}"
    return f"{t.day_and_time(local)} {zone or local.isoformat()[-6:]}", f"{utc_text} UTC"


def list_text(contact_list: NamedId, t: Translator) -> str:
    """`contact list Newsletter (id 3434)`; the id may be unknown."""
    name = safe_line(contact_list.name)
    if contact_list.id is None:
        return t.gettext("contact list {name} (id unknown)", name=name)
    return t.gettext("contact list {name} (id {id})", name=name, id=contact_list.id)


def group_totals(groups: Sequence[GroupTotals[str] | GroupTotals[int]], t: Translator) -> list[str]:
    """`a: 1,080 recipients, 1,080 parts, 28.08` of each variant or wave."""
    said = []
    for one in groups:
        size = t.gettext(
            "{name}: {recipients:recipient|recipients}, {parts:part|parts}",
            name=one.key,
            recipients=one.recipients,
            parts=one.parts,
        )
        said.append(size if one.cost is None else f"{size}, {t.money(one.cost)}")
    return said


def delivery_texts(action: Action, t: Translator) -> list[str]:
    """The contact list that it is sent to, how it is spread, its waves and its variants."""
    facts = [] if action.contact_list is None else [list_text(action.contact_list, t)]
    if (spread := action.spread) is not None:
        facts.append(t.gettext("spread from {span}: {pace}", span=spread.span, pace=spread.pace))
    if action.waves:
        facts.append(t.gettext("waves {waves}", waves="; ".join(group_totals(action.waves, t))))
    if action.variants:
        facts.append(t.gettext("variants {variants}", variants="; ".join(group_totals(action.variants, t))))
    return facts


def counts_text(plan: Plan, t: Translator) -> str:
    """`3 create, 1 hold`."""
    counts = [t.count_of(count, kind) for kind, count in plan.counts.items() if count]
    return ", ".join(counts) or t.gettext("no mailings")


def change_of_cost_text(plan: Plan, base: Base, t: Translator) -> str:
    """`+0.572 compared with main`; empty if the base has no costs."""
    from smsby_deploy.plan.base_comparison import cost_change

    change = cost_change(plan, base)
    if change is None:
        return ""
    return t.gettext("{change} compared with {base}", change=t.signed(change), base=t.sentence(base.label))


def parts_text(action: Action, review: MailingReview | None, t: Translator) -> str:
    """The parts, and how many recipients have a text of 1, 2, and 3 or more."""
    by_parts: Sequence[int] | None = review.by_parts if review else None
    if by_parts is not None and sum(by_parts) != action.recipients:
        by_parts = None  # it counts the whole audience, not all of which is sent to, as under `pressure`
    if by_parts is None and action.recipients and action.parts is not None:
        each, rest = divmod(action.parts, action.recipients)
        if not rest:  # one text for all
            by_parts = [action.recipients if min(each, 3) == size else 0 for size in (1, 2, 3)]
    split = f" ({'/'.join(map(t.count, by_parts))})" if by_parts else ""
    return t.count(action.parts) + split


def encoding_text(action: Action, t: Translator) -> str:
    """How many texts have each encoding."""
    counts = (("GSM-7", action.gsm7), ("UCS-2", action.ucs2))
    is_known = action.recipients is not None
    used = [f"{name} {t.count(count)}" if is_known else name for name, count in counts if count]
    return ", ".join(used) or "-"


def audience_section(action: Action, t: Translator) -> str:
    """How the rows of the list become recipients, as a table; empty if no list was read."""
    audience = action.audience
    if not audience.rows:
        return ""
    *steps, (name, count) = audience_rows(action, t)
    rows = (*steps, (f"**{name}**", count), *language_rows(action, t, code))
    table = f"| | {t.gettext('count')} |\n|---|---:|\n" + "".join(map(table_row, rows))
    summary = t.gettext(
        "Audience of {name}: {rows:row|rows} → {recipients:recipient|recipients}",
        name=escape(action.address),
        rows=audience.rows,
        recipients=audience.final,
    )
    return details_section(summary, table)


def audience_rows(action: Action, t: Translator) -> list[tuple[str, str]]:
    """The names and counts of the steps from rows to recipients; empty if no list was read."""
    audience = action.audience
    if not audience.rows:
        return []
    subtracted = {
        t.gettext("invalid phone number"): audience.invalid,
        t.gettext("duplicate phone number"): audience.duplicate,
        t.gettext("opted out"): audience.suppressed,
        t.gettext("not a test phone, held out"): audience.held_out,
        t.gettext("too many messages, left out"): audience.capped,
        t.gettext("control group, not sent to"): audience.control,
    }
    steps = [(name, f"{t.minus}{t.count(count)}") for name, count in subtracted.items() if count]
    first = (t.gettext("rows read"), t.count(audience.rows))
    return [first, *steps, (t.gettext("recipients"), t.count(audience.final))]


def language_rows(
    action: Action, t: Translator, show: Callable[[str], str] = safe_line
) -> list[tuple[str, str]]:
    """The recipients of each language of a mailing; `show` formats the language's name."""
    return [
        (t.gettext("language {name}", name=show(one)), t.count(recipients))
        for one, recipients in action.languages.items()
    ]


def balance_after_text(plan: Plan, after: Decimal, t: Translator) -> str:
    """What remains of the balance, and when: held mailings are paid for at their hand-over."""
    if plan.held.mailings:
        return t.gettext("{after} after all approved mailings are handed over", after=t.money(after))
    return t.gettext("{after} afterwards", after=t.money(after))


def text_change_section(action: Action, base: Base, review: MailingReview | None, t: Translator) -> str:
    """What `text_diff` finds, folded."""
    if not (diff := text_diff(action, base, review)):
        return ""
    label = escape(t.sentence(base.label))
    summary = t.gettext("Text of {name} compared with {base}", name=escape(action.address), base=label)
    return details_section(summary, f"<pre>\n{diff}</pre>")


def samples_section(action: Action, review: MailingReview | None, t: Translator) -> str:
    """Texts as recipients read them, masked; empty if there are none."""
    if review is None or not review.samples:
        return ""
    from smsby_deploy.output.sms_text import further_line  # a plan on a terminal has no samples

    count = len(review.samples)
    summary = t.gettext("Sample texts of {name} ({count})", name=escape(action.address), count=count)
    body = "\n".join(_sample(sample, t) for sample in review.samples)
    more = f"\n{t.sentence(further_line(review.further))}\n" if review.further else ""
    return details_section(summary, body + more)


def _sample(sample: Sample, t: Translator) -> str:
    from smsby_deploy.output.sms_text import ENCODING_NAMES

    phone = f", {escape(sample.phone)}" if sample.phone else ""
    size = t.gettext("{count:part|parts}", count=sample.size.parts)
    place = escape(f"{sample.file}:{sample.line}")
    text = "⟩⟨".join(preformatted(piece) for piece in sample.pieces)
    why = escape(", ".join(map(t.sentence, sample.why)))
    if sample.recipients is not None:
        why = f"{t.gettext('for {count:recipient|recipients}', count=sample.recipients)}: {why}"
    return f"{why}{phone} ({place}): {size}, {ENCODING_NAMES[sample.size.encoding]}\n<pre>\n{text}</pre>\n"


def chunks_section(action: Action, t: Translator) -> str:
    """The chunks with their fingerprints, and their waves and variants; empty if it has none."""
    columns: dict[str, list[str]] = {
        t.gettext("chunk"): [str(number) for number, _ in enumerate(action.chunks, 1)],
        t.gettext("fingerprint"): [f"<code>{chunk.fingerprint}</code>" for chunk in action.chunks],
        t.gettext("recipients"): [t.count(chunk.recipients) for chunk in action.chunks],
    }
    if not action.chunks:
        return ""
    if action.waves:
        columns[t.gettext("wave")] = [str(chunk.wave) for chunk in action.chunks]
    if action.variants:
        columns[t.gettext("variant")] = [chunk.variant or "" for chunk in action.chunks]
    rulers = "|---:|---|---:|" + "---|" * (len(columns) - 3)
    rows = "".join(map(table_row, zip(*columns.values(), strict=True)))
    count = len(action.chunks)
    summary = t.gettext("Chunks of {name} ({count})", name=escape(action.address), count=count)
    return details_section(summary, f"{table_row(list(columns))}{rulers}\n{rows}")
