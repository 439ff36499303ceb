"""One mailing of a plan for reviewers: cells of its row, and what a comment folds away.

The latter are its audience, changed text, sample texts and chunks, and the tests of all mailings.
"""

from __future__ import annotations

from collections.abc import Sequence

from smsby_deploy.output.markdown import code, details_section, escape, preformatted, table_row
from smsby_deploy.output.plan_words import word_diff
from smsby_deploy.output.sms_text import ENCODING_NAMES, further_line
from smsby_deploy.output.translation import Translator
from smsby_deploy.plan.base_comparison import Base
from smsby_deploy.plan.model import Action
from smsby_deploy.texts.samples import MailingReview, Sample


def parts_text(action: Action, review: MailingReview | None, t: Translator) -> str:
    """The parts, and how many recipients have a text of 1, 2, and 3 or more."""
    by_parts: Sequence[int] | None = review.by_parts if review else None
    if by_parts is not None and sum(by_parts) != action.recipients:
        by_parts = None  # of the whole audience, and not all of it is sent to, as under `pressure`
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
    """From the rows of the list to the recipients; empty if no list was read."""
    audience = action.audience
    if not audience.rows:
        return ""
    *steps, (name, count) = audience_rows(action, t)
    languages = [
        (t.gettext("language {name}", name=code(one)), t.count(recipients))
        for one, recipients in action.languages.items()
    ]
    rows = (*steps, (f"**{name}**", count), *languages)
    table = f"| | {t.gettext('count')} |\n|---|---:|\n" + "".join(map(table_row, rows))
    summary = t.gettext(
        "Audience of {name}: {rows:row|rows} → {recipients:recipient|recipients}",
        name=escape(action.address),
        rows=audience.rows,
        recipients=audience.final,
    )
    return details_section(summary, table)


def audience_rows(action: Action, t: Translator) -> list[tuple[str, str]]:
    """From the rows of the list to the recipients: names and counts; empty if no list was read."""
    audience = action.audience
    if not audience.rows:
        return []
    subtracted = {
        t.gettext("invalid phone number, dropped"): audience.invalid,
        t.gettext("duplicate phone number"): audience.duplicate,
        t.gettext("opted out"): audience.suppressed,
        t.gettext("not a test phone, held out"): audience.held_out,
        t.gettext("too many messages, left out"): audience.capped,
        t.gettext("control group, not sent to"): audience.control,
    }
    steps = [(name, f"-{t.count(count)}") for name, count in subtracted.items() if count]
    first = (t.gettext("rows read"), t.count(audience.rows))
    return [first, *steps, (t.gettext("recipients"), t.count(audience.final))]


def text_change_section(action: Action, base: Base, review: MailingReview | None, t: Translator) -> str:
    """The text with what was removed and added; empty if it did not change or is not known."""
    before, text = base.mailings.get(action.address), review.text if review else None
    if before is None or before.text is None or text is None or before.text == text:
        return ""
    label = escape(t.sentence(base.label))
    summary = t.gettext("Text of {name} compared with {base}", name=escape(action.address), base=label)
    return details_section(summary, f"<pre>\n{word_diff(before.text, text)}</pre>")


def samples_section(action: Action, review: MailingReview | None, t: Translator) -> str:
    """Texts as recipients read them, masked; empty if there are none."""
    if review is None or not review.samples:
        return ""
    count = len(review.samples)
    summary = t.gettext("Sample texts of {name} ({count})", name=escape(action.address), count=count)
    body = "\n".join(_sample(sample, t) for sample in review.samples)
    more = f"\n{t.sentence(further_line(review.further))}\n" if review.further else ""
    return details_section(summary, body + more)


def _sample(sample: Sample, t: Translator) -> str:
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
