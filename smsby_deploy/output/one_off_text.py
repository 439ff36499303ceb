"""One SMS outside of every mailing: what is about to go out, and what sms.by took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from smsby_deploy.output.console import clean
from smsby_deploy.privacy import mask_phone, mask_phone_in
from smsby_deploy.texts.price import money

if TYPE_CHECKING:
    from smsby_deploy.apply.one_off import OneOffMessage
    from smsby_deploy.smsby.parsers import SmsReceipt


def trial_lines(test: OneOffMessage) -> Iterator[str]:
    """Whose text, to whom, from whom; the text, its parts and what it costs. Phones are masked."""
    sample = test.sample
    whose = "" if sample.row is None else f", as row {sample.row} would read it ({sample.file}:{sample.line})"
    yield clean(f"{test.address}{whose}, to {mask_phone(test.phone)}, from {test.alphaname}:")
    for line in mask_phone_in(sample.text, sample.phone).split("\n"):
        yield f"  {clean(line)}"
    cost = (
        "cost unknown: no price in smsby.yaml" if test.cost is None else f"{money(test.cost)} {test.currency}"
    )
    yield f"{_parts(sample.size.parts)}, {cost}"


def receipt_line(receipt: SmsReceipt, to: str, *, currency: str | None = None) -> str:
    """sms.by's id, and what it says of parts and cost; `to` is fit to be shown."""
    told = [f"sms_id {receipt.sms_id}"]
    if receipt.parts is not None:
        told.append(_parts(receipt.parts))
    if receipt.cost is not None:
        told.append(f"{money(receipt.cost)} {currency or ''}".strip())
    return f"sent to {to}: {', '.join(told)}"


def _parts(count: int) -> str:
    return f"{count} part{'' if count == 1 else 's'}"
