"""What the lock counts besides totals: by prefix, by variant, and as reported by sms.by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from smsby_deploy.wording import money_or_none


class PrefixCount(NamedTuple):
    """What was planned for phones with the same prefix; `cost` is None without a price."""

    recipients: int
    parts: int
    cost: str | None


class Billed(NamedTuple):
    """What sms.by billed for a mailing, as far as it reports that."""

    parts: int | None
    cost: str


class Deliveries(NamedTuple):
    """How many recipients got a mailing and how many did not, once all statuses are final."""

    delivered: int
    undelivered: int

    def __add__(self, other: Deliveries) -> Deliveries:  # type: ignore[override]
        return Deliveries(self.delivered + other.delivered, self.undelivered + other.undelivered)


class VariantCount(NamedTuple):
    """What was planned for one variant, or for a control group, which gets nothing.

    `cost` is None without a price, `deliveries` until they are recorded.
    """

    recipients: int
    parts: int
    cost: str | None
    is_sent: bool = True
    deliveries: Deliveries | None = None


class Reported(NamedTuple):
    """What sms.by has reported about a final mailing; None where it has not.

    `by_variant` are the deliveries of each variant.
    """

    billed: Billed | None = None
    deliveries: Deliveries | None = None
    by_variant: Mapping[str, Deliveries] = {}


def count_variants(
    variants: Iterable[tuple[str, int, int, Decimal | None]], control: str, in_control: int
) -> dict[str, VariantCount] | None:
    """Return the planned figures of each variant; None for a mailing without variants.

    `variants` are (name, recipients, parts, cost). `control` is the name of the control group, empty if there is none.
    """
    counts = {
        name: VariantCount(recipients, parts, money_or_none(cost))
        for name, recipients, parts, cost in variants
    }
    if control:
        counts[control] = VariantCount(in_control, 0, None, is_sent=False)
    return counts or None


def variants_document(variants: Mapping[str, VariantCount]) -> dict[str, Any]:
    """Return the figures by variant as the lock stores them."""
    return {
        name: {
            "recipients": one.recipients,
            "parts": one.parts,
            "cost": one.cost,
            **({} if one.is_sent else {"send": False}),
            **({"deliveries": one.deliveries._asdict()} if one.deliveries is not None else {}),
        }
        for name, one in variants.items()
    }


def read_variants(document: dict[str, Any] | None) -> dict[str, VariantCount] | None:
    """Return what `variants_document` wrote; None if it is absent."""
    if document is None:
        return None
    return {
        name: VariantCount(
            one["recipients"],
            one["parts"],
            one["cost"],
            one.get("send", True),
            Deliveries(**one["deliveries"]) if "deliveries" in one else None,
        )
        for name, one in document.items()
    }
