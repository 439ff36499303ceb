"""Sample texts as `render` prints them, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

from smsby_deploy.output.console import clean, make_console
from smsby_deploy.texts.parts import Encoding
from smsby_deploy.texts.price import money
from smsby_deploy.texts.samples import MailingSamples, Sample
from smsby_deploy.wording import counted

_ENCODINGS = {Encoding.GSM7: "GSM-7", Encoding.UCS2: "UCS-2"}


def write_samples(mailings: Iterable[MailingSamples], stream: TextIO, *, color: bool) -> None:
    """Print each sample under a line that names its recipient.

    Each part starts with its number, and no line is wrapped.
    """
    console = make_console(stream, color=color)
    for index, mailing in enumerate(mailings):
        if index:
            console.print()
        console.print(_heading(mailing), style="bold", soft_wrap=True)
        for sample in mailing.samples:
            console.print()
            console.print(_title(sample), style="cyan", soft_wrap=True)
            for line in _numbered_lines(sample):
                console.print(line, soft_wrap=True)
            console.print(_size_line(sample, mailing.currency), style="dim", soft_wrap=True)


def samples_document(mailings: Iterable[MailingSamples]) -> dict[str, Any]:
    """The JSON document of `render`.

    `{"mailings": [{"address", "recipients", "currency", "texts": [{"row", "file", "line", "phone", "text", "why",
    "encoding", "units", "parts", "pieces", "gsm_parts", "cost", "suppressed"}]}]}`; costs are strings with a decimal point.
    """
    return {
        "mailings": [
            {
                "address": mailing.address,
                "recipients": mailing.recipients,
                "currency": mailing.currency,
                "texts": [_document(sample) for sample in mailing.samples],
            }
            for mailing in mailings
        ]
    }


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


def _heading(mailing: MailingSamples) -> str:
    audience = "a contact list" if mailing.recipients is None else counted(mailing.recipients, "recipient")
    return f"{mailing.address}: {audience}"


def _title(sample: Sample) -> str:
    words = (
        [] if sample.row is None else [f"row {sample.row} ({sample.file}:{sample.line})", sample.phone or ""]
    )
    words.extend(sample.why)
    if sample.is_suppressed:
        words.append("opted out: receives nothing")
    return clean(", ".join(words))


def _numbered_lines(sample: Sample) -> Iterable[str]:
    for number, piece in enumerate(sample.pieces, 1):
        for index, line in enumerate(piece.split("\n")):
            yield f"{'' if index else number:>4}| {clean(line)}"


def _size_line(sample: Sample, currency: str | None) -> str:
    size = sample.size
    encoding = _ENCODINGS[size.encoding]
    line = f"      {counted(size.parts, 'part')}, {encoding}, {size.units} of {size.capacity}"
    if sample.cost is not None:
        line += f", {money(sample.cost)} {currency}"
    if sample.gsm_parts != size.parts:
        line += f"; GSM 03.38 counts {sample.gsm_parts}"
    return line
