"""What people will read, as text and as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any, TextIO

from smsby_deploy.output.console import clean, make_console
from smsby_deploy.privacy import mask_phones
from smsby_deploy.recipients.phones import mask_phone
from smsby_deploy.texts.parts import Encoding
from smsby_deploy.texts.price import money
from smsby_deploy.texts.samples import Preview, Sample
from smsby_deploy.wording import counted

_GAP = r"[\s()+.\-\u2010-\u2015\u00a0]*"  # between the digits of a number
_ENCODINGS = {Encoding.GSM7: "Latin", Encoding.UCS2: "unicode"}


def write_previews(previews: Iterable[Preview], stream: TextIO, *, color: bool) -> None:
    """Each text under a line that tells whose it is; a new part begins with its number, nothing is wrapped."""
    console = make_console(stream, color=color)
    for index, preview in enumerate(previews):
        if index:
            console.print()
        console.print(_heading(preview), style="bold", soft_wrap=True)
        for sample in preview.samples:
            console.print()
            console.print(_whose(sample), style="cyan", soft_wrap=True)
            for line in _numbered(sample):
                console.print(line, soft_wrap=True)
            console.print(_size(sample, preview.currency), style="dim", soft_wrap=True)


def previews_document(previews: Iterable[Preview]) -> dict[str, Any]:
    """`{"mailings": [{"address", "recipients", "texts": [{"row", "file", "line", "phone", "text", "why", "encoding",
    "units", "parts", "pieces", "gsm_parts", "cost", "suppressed"}]}]}`; money is a string with a point."""
    return {
        "mailings": [
            {
                "address": preview.address,
                "recipients": preview.recipients,
                "currency": preview.currency,
                "texts": [_document(sample) for sample in preview.samples],
            }
            for preview in previews
        ]
    }


def mask_preview(preview: Preview) -> Preview:
    """The same without a whole phone number, neither beside the texts nor in them."""
    return replace(preview, samples=tuple(mask_sample(sample) for sample in preview.samples))


def mask_sample(sample: Sample) -> Sample:
    """The same without a whole phone number."""
    text = mask_texts(sample.text, sample.phone)
    cuts = [0, *accumulate(len(piece) for piece in sample.pieces)]
    pieces = tuple(text[start:end] for start, end in pairwise(cuts))
    phone = sample.phone and mask_phone(sample.phone)
    return replace(sample, phone=phone, text=text, pieces=pieces, values={})


def mask_texts(text: str, phone: str | None) -> str:
    """`text` with the numbers in it starred out, that of its reader however it is written; its length stays."""
    if phone is not None:
        digits = [rf"({digit})" for digit in phone[-9:]]
        text = re.sub(_GAP.join(digits), _star, text)
    return mask_phones(text)


def _star(found: re.Match[str]) -> str:
    starred = list(found.group())
    for group in range(3, len(found.groups()) - 1):
        starred[found.start(group) - found.start()] = "*"
    return "".join(starred)


def _document(sample: Sample) -> dict[str, Any]:
    return {
        "row": sample.row,
        "file": sample.file,
        "line": sample.line,
        "phone": sample.phone,
        "text": sample.text,
        "why": list(sample.why),
        "encoding": sample.size.encoding.value,
        "units": sample.size.units,
        "parts": sample.size.parts,
        "pieces": list(sample.pieces),
        "gsm_parts": sample.gsm_parts,
        "cost": None if sample.cost is None else money(sample.cost),
        "suppressed": sample.is_suppressed,
    }


def _heading(preview: Preview) -> str:
    people = "a contact list" if preview.recipients is None else counted(preview.recipients, "recipient")
    return f"{preview.address}: {people}"


def _whose(sample: Sample) -> str:
    told = (
        [] if sample.row is None else [f"row {sample.row} ({sample.file}:{sample.line})", sample.phone or ""]
    )
    told.extend(sample.why)
    if sample.is_suppressed:
        told.append("opted out: gets nothing")
    return clean(", ".join(told))


def _numbered(sample: Sample) -> Iterable[str]:
    for number, piece in enumerate(sample.pieces, 1):
        for index, line in enumerate(piece.split("\n")):
            yield f"{'' if index else number:>4}| {clean(line)}"


def _size(sample: Sample, currency: str | None) -> str:
    size = sample.size
    told = f"      {counted(size.parts, 'part')}, {_ENCODINGS[size.encoding]}, "
    told += f"{size.units} of {size.capacity}"
    if sample.cost is not None:
        told += f", {money(sample.cost)} {currency}"
    if sample.gsm_parts != size.parts:
        told += f"; GSM 03.38 counts {sample.gsm_parts}"
    return told
