"""Single SMS as terminal text: samples, a test message, and its receipt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.output.console import make_console
from smsby_deploy.output.terminal import clean
from smsby_deploy.privacy import mask_phone_in
from smsby_deploy.texts.parts import Encoding
from smsby_deploy.wording import Sentence, counted, money, sentence

if TYPE_CHECKING:
    from smsby_deploy.apply.one_off import OneOffMessage
    from smsby_deploy.smsby.parsers import SmsReceipt
    from smsby_deploy.texts.samples import MailingSamples, Sample

ENCODING_NAMES = {Encoding.GSM7: "GSM-7", Encoding.UCS2: "UCS-2"}


def write_samples(mailings: Iterable[MailingSamples], stream: TextIO, *, color: bool) -> None:
    """Write each sample under a line that names its recipient.

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
        if mailing.further:
            console.print()
            console.print(further_line(mailing.further), soft_wrap=True)


def _heading(mailing: MailingSamples) -> str:
    audience = "a contact list" if mailing.recipients is None else counted(mailing.recipients, "recipient")
    return f"{mailing.address}: {audience}"


def _title(sample: Sample) -> str:
    words = []
    if sample.row is not None:
        words = [f"row {sample.row} ({sample.file}:{sample.line})", sample.phone or ""]
    if sample.recipients is not None:
        words.append(f"for {counted(sample.recipients, 'recipient')}")
    words.extend(sample.why)
    if sample.is_suppressed:
        words.append("opted out: receives nothing")
    return clean(", ".join(words))


def further_line(further: int) -> Sentence:
    """How many combinations of conditions are not shown."""
    return sentence("and {further:further combination|further combinations} of conditions", further=further)


def _numbered_lines(sample: Sample) -> Iterator[str]:
    for number, piece in enumerate(sample.pieces, 1):
        for index, line in enumerate(piece.split("\n")):
            yield f"{'' if index else number:>4}| {clean(line)}"


def _size_line(sample: Sample, currency: str | None) -> str:
    size = sample.size
    encoding = ENCODING_NAMES[size.encoding]
    line = f"      {counted(size.parts, 'part')}, {encoding}, {size.units} of {size.capacity}"
    if sample.cost is not None:
        line += f", {money(sample.cost)} {currency}"
    if sample.gsm_parts != size.parts:
        line += f"; GSM 03.38 counts {sample.gsm_parts}"
    return line


def outgoing_lines(test: OneOffMessage, phone: str) -> Iterator[str]:
    """The message that `test-send` is about to send, and its cost.

    `phone` is its masked phone.
    """
    sample = test.sample
    source = "" if sample.row is None else f", the text of row {sample.row} ({sample.file}:{sample.line})"
    yield clean(f"{test.address}{source}, to {phone}, from {test.alphaname}:")
    for line in mask_phone_in(sample.text, sample.phone).split("\n"):
        yield f"  {clean(line)}"
    cost = "cost unknown: smsby.yaml has no price"
    if test.cost is not None:
        cost = f"{money(test.cost)} {test.currency}"
    yield f"{counted(sample.size.parts, 'part')}, {cost}"


def receipt_line(receipt: SmsReceipt, phone: str, *, currency: str | None = None) -> str:
    """`sent to PHONE: sms_id 7, 1 part, 0.026 BYN`, as far as sms.by reports it.

    `phone` is masked.
    """
    facts = [f"sms_id {receipt.sms_id}"]
    if receipt.parts is not None:
        facts.append(counted(receipt.parts, "part"))
    if receipt.cost is not None:
        facts.append(f"{money(receipt.cost)} {currency or ''}".strip())
    return f"sent to {phone}: {', '.join(facts)}"
