"""Texts as a few people would read them, for a reviewer: who is shown is chosen, what is personal is starred out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from smsby_deploy.audience.phone_set import PhoneSet
from smsby_deploy.audience.phones import mask_phone
from smsby_deploy.audience.source import AudienceReport, stream_audience
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.masking import mask_numbers, mask_values
from smsby_deploy.message.parts import Encoding, TextSize, TextTooLong, measure_text, split_parts
from smsby_deploy.message.rewrite import Rewriter
from smsby_deploy.message.template import Template, compile_text
from smsby_deploy.message.texts import is_personal, render_texts
from smsby_deploy.project.declarations import ContactList, Mailing

_DEFAULT = re.compile(r"\b(\w+)\s*\|\s*(?:default|d)\s*\(")


@dataclass(frozen=True, slots=True)
class Sample:
    """One text, masked, cut where its parts end. `why` it is shown; `place` is its file and line, `phone` masked."""

    why: str
    pieces: tuple[str, ...]
    encoding: Encoding
    phone: str | None
    place: str


@dataclass(frozen=True, slots=True)
class MailingDetails:
    """What a reviewer sees of a mailing beyond the plan. `split`: people whose text has 1, 2, and 3 or more parts."""

    zone: str
    text: str | None
    split: tuple[int, int, int] | None = None
    samples: tuple[Sample, ...] = ()


def detail_mailing(mailing: Mailing, suppressed: PhoneSet, *, with_samples: bool = True) -> MailingDetails:
    """The samples of a mailing: the first, the longest, the dearest, and one for each default that is applied.

    For them the audience is read once more, as a stream. What can't be rendered is left to the plan's problems.
    """
    text = mailing.text.text if mailing.text else None
    if not with_samples:
        return MailingDetails(mailing.timezone, text)
    try:
        template = compile_text(mailing.text) if mailing.text else None
    except FilesInvalid:
        return MailingDetails(mailing.timezone, text)
    if isinstance(mailing.audience, ContactList) or not is_personal(mailing, template):
        if template is None or template.is_personal:
            return MailingDetails(mailing.timezone, text)
        place = mailing.text.location if mailing.text else mailing.location
        sample = _sample("everyone", template.render_once(), (), None, f"{place.file}:{place.line}")
        return MailingDetails(mailing.timezone, text, None, (sample,) if sample else ())
    return _detail_personal(mailing, template, suppressed)


def _detail_personal(mailing: Mailing, template: Template | None, suppressed: PhoneSet) -> MailingDetails:
    assert not isinstance(mailing.audience, ContactList)
    source = mailing.text.text if mailing.text else None
    waiting = set(_DEFAULT.findall(source or ""))
    split = [0, 0, 0]
    chosen: dict[str, tuple[str, dict[str, str], str, str]] = {}
    longest, dearest = 0, 0
    rows_file = getattr(mailing.audience, "name", mailing.file)
    for batch in stream_audience(
        mailing.audience,
        address=mailing.address,
        campaign_file=mailing.file,
        has_text=mailing.text is not None,
        on_invalid=mailing.on_invalid,
        report=AudienceReport(),
        countries=mailing.countries,
    ):
        texts = render_texts(mailing, template, batch).texts
        for phone, values, text, line in zip(batch.phones, batch.variables, texts, batch.lines, strict=True):
            size = None if phone in suppressed else _measure(text)
            if size is None:
                continue
            split[min(size.parts, 3) - 1] += 1
            shown = (text, values, phone, f"{rows_file}:{line}")
            chosen.setdefault("first", shown)
            if size.units > longest:
                longest, chosen["longest"] = size.units, shown
            if size.parts > dearest:
                dearest, chosen["dearest"] = size.parts, shown
            for name in [name for name in waiting if not values.get(name, "").strip()]:
                waiting.discard(name)
                chosen[f"default of {name}"] = shown
    rewrite = Rewriter(mailing.rewrite).apply
    samples = [
        _sample(why, text, (*values.values(), *map(rewrite, values.values())), phone, place)
        for why, (text, values, phone, place) in _distinct(chosen).items()
    ]
    return MailingDetails(
        mailing.timezone, source, (split[0], split[1], split[2]), tuple(one for one in samples if one)
    )


def _distinct(
    chosen: Mapping[str, tuple[str, dict[str, str], str, str]],
) -> dict[str, tuple[str, dict[str, str], str, str]]:
    """One entry a recipient, shown for all its reasons."""
    reasons: dict[str, list[str]] = {}
    for why, shown in chosen.items():
        reasons.setdefault(shown[2], []).append(why)
    by_phone = {shown[2]: shown for shown in chosen.values()}
    return {", ".join(whys): by_phone[phone] for phone, whys in reasons.items()}


def _sample(why: str, text: str, values: Iterable[str], phone: str | None, place: str) -> Sample | None:
    size = _measure(text)
    if size is None:
        return None
    masked = mask_numbers(mask_values(text, values))
    # The parts are those of the real text: starring a name out may change its encoding, not its length.
    lengths = [len(piece) for piece in split_parts(text, size)]
    pieces, start = [], 0
    for length in lengths:
        pieces.append(masked[start : start + length])
        start += length
    return Sample(why, tuple(pieces), size.encoding, mask_phone(phone) if phone else None, place)


def _measure(text: str) -> TextSize | None:
    try:
        return measure_text(text) if text else None
    except TextTooLong:
        return None
