"""Usage by month and owner, and by variant."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from smsby_deploy.status.usage_groups import read_groupings
from smsby_deploy.status.usage_report import Sum, UsageReport, UsageRow

EVIL = '=1+1"\\\n<b>'


def _row(*keys: str | None, planned: str | None, billed: str | None, missing: int = 0) -> UsageRow:
    sums = (
        Sum(None if value is None else Decimal(value), missing or int(value is None))
        for value in (planned, billed)
    )
    return UsageRow(keys, "BYN", 2, Sum(Decimal(1200)), Sum(Decimal(1300)), *sums)


USAGE = UsageReport(
    "shop",
    "2026-12-02T10:00:00+00:00",
    None,
    read_groupings("month,label:owner"),
    (
        _row("2026-11", "anna", planned="31.20", billed="31.25"),
        _row("2026-11", EVIL, planned="1.5", billed=None),
        _row("2026-12", None, planned="2.5", billed="2", missing=1),
    ),
    (_row(planned="35.20", billed="33.25", missing=1),),
    unknown=1,
)


def _variant_row(name: str, recipients: int, delivered: int | None, not_sent: int = 0) -> UsageRow:
    total = None if delivered is None else Decimal(delivered)
    sums = (Sum(Decimal(recipients)), Sum(Decimal(recipients)), Sum(Decimal(1)), Sum(None, 1))
    deliveries = (
        Sum(total, int(total is None)),
        Sum(None if total is None else Decimal(3), int(total is None)),
    )
    return UsageRow(("sale/vip", name), "BYN", 1, *sums, *deliveries, not_sent)


USAGE_BY_VARIANT = UsageReport(
    "shop",
    "2026-12-02T10:00:00+00:00",
    None,
    read_groupings("mailing,variant"),
    (_variant_row("a", 1000, 953), _variant_row("b", 1000, None), _variant_row("control", 0, 0, 120)),
    (replace(_variant_row("", 2000, None), keys=()),),
    with_variants=1,
)
