"""The groups of `report --by`, and what of a mailing belongs to each month and variant, even if partly sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.counts import Deliveries, PrefixCount, VariantCount
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.status.usage_groups import (
    GroupKind,
    Share,
    accepted_chunks,
    count_left_out,
    read_groupings,
    shares_of,
)


@pytest.mark.parametrize("by", ["", "week", "label:", "month,month", "label"])
def test_groupings_that_do_not_exist(by: str) -> None:
    """A grouping that does not exist is wrong usage, with the existing ones."""
    with pytest.raises(UsageError) as caught:
        read_groupings(by)
    assert ", environment, plan, signed_by, applied_by, state, label:KEY" in (caught.value.hint or "")


def test_prefix_and_variant_do_not_go_together() -> None:
    """Prefix and variant cannot be combined, since the lock has no prefixes of a variant."""
    with pytest.raises(UsageError, match="prefix and variant cannot be combined"):
        read_groupings("prefix,variant")


_VARIANTS = {
    "a": VariantCount(4, 4, "0.4"),
    "b": VariantCount(4, 8, "0.8"),
    "control": VariantCount(3, 0, None, is_sent=False),
}


def _chunk(variant: str, **changes: object) -> ChunkRecord:
    at = "2026-11-24T07:00:00+00:00"
    return replace(
        ChunkRecord("f", 2, "d", ChunkState.ACCEPTED, accepted_at=at, variant=variant),
        **changes,  # type: ignore[arg-type]
    )


def _entry(*chunks: ChunkRecord, variants: dict[str, VariantCount] | None = _VARIANTS) -> Entry:
    return Entry(
        1, "c", "a", "bulk", "Shop", 7, None, 8, 12, "1.2", chunks,
        AppliedBy("2026-11-24T07:00:00+00:00", "p", None, "x"), variants=variants,
    )  # fmt: skip


_WHOLE = (_chunk("a"), _chunk("b"), _chunk("a"), _chunk("b"))


def _shares(entry: Entry, *kinds: GroupKind, known: Sequence[ChunkRecord] = ()) -> list[Share]:
    def deliveries_of(chunk: ChunkRecord) -> Deliveries | None:
        return Deliveries(1, 1) if any(chunk is one for one in known) else None

    return [*shares_of(entry, accepted_chunks(entry, None), kinds, ZoneInfo("UTC"), deliveries_of)]


def _figures(share: Share) -> tuple[object, ...]:
    return share.variant, share.recipients, share.parts, share.planned, share.deliveries, share.not_sent


def test_each_variant_has_its_own_parts_and_cost() -> None:
    """Each variant has its own parts and cost, and the control group is a row of recipients that got nothing."""
    found = [_figures(one) for one in _shares(_entry(*_WHOLE), GroupKind.VARIANT)]
    assert found == [
        ("a", 4, 4, Decimal("0.4"), None, 0),
        ("b", 4, 8, Decimal("0.8"), None, 0),
        ("control", 0, 0, Decimal(0), Deliveries(0, 0), 3),
    ]


def test_variant_sent_in_part_counts_by_recipients() -> None:
    """A partly sent variant counts by its recipients, of what was planned for the variant."""
    part = _entry(_chunk("a"), _chunk("b"), _chunk("a"), _chunk("b", state=ChunkState.PENDING))
    a, b, _ = _shares(part, GroupKind.VARIANT)
    assert _figures(a) == ("a", 4, 4, Decimal("0.4"), None, 0)
    assert _figures(b) == ("b", 2, 4, Decimal("0.4"), None, 0)


def test_control_group_counts_once() -> None:
    """The control group counts once, even for a mailing sent in two months or without a grouping by variant."""
    late = _chunk("b", accepted_at="2026-12-01T07:00:00+00:00")
    two = _entry(_chunk("a"), _chunk("b"), _chunk("a"), late)
    for kinds in ((GroupKind.MONTH, GroupKind.VARIANT), (GroupKind.MONTH,), ()):
        shares = _shares(two, *kinds)
        assert sum(one.not_sent for one in shares) == 3, kinds
    november = [one for one in _shares(two, GroupKind.MONTH, GroupKind.VARIANT) if one.month == "2026-11"]
    assert [one.variant for one in november] == ["a", "b", "control"]
    assert [one.not_sent for one in _shares(_entry(*_WHOLE), GroupKind.PREFIX)] == [3]


def test_deliveries_are_known_of_all_or_none() -> None:
    """Deliveries are known only if all chunks are final, and those in the archive take precedence."""
    assert [one.deliveries for one in _shares(_entry(*_WHOLE), known=_WHOLE)] == [Deliveries(4, 4)]
    assert [one.deliveries for one in _shares(_entry(*_WHOLE), known=_WHOLE[:3])] == [None]
    a, b, _ = _shares(_entry(*_WHOLE), GroupKind.VARIANT, known=_WHOLE[:3])
    assert (a.deliveries, b.deliveries) == (Deliveries(2, 2), None)
    archived = {name: one._replace(deliveries=Deliveries(3, 0)) for name, one in _VARIANTS.items()}
    a, b, _ = _shares(_entry(*_WHOLE, variants=archived), GroupKind.VARIANT, known=_WHOLE)
    assert (a.deliveries, b.deliveries) == (Deliveries(3, 0), Deliveries(3, 0))
    whole = replace(_entry(*_WHOLE), deliveries=Deliveries(7, 1))
    assert [one.deliveries for one in _shares(whole)] == [Deliveries(7, 1)]


def test_variants_of_older_locks_lack_parts_and_cost() -> None:
    """Variants of older locks have no parts or cost, rather than a guessed share."""
    a, b = _shares(_entry(*_WHOLE, variants=None), GroupKind.VARIANT)
    assert [_figures(one) for one in (a, b)] == [("a", 4, None, None, None, 0), ("b", 4, None, None, None, 0)]


def test_what_was_accepted_before_is_left_out() -> None:
    entry = _entry(_chunk("a"), _chunk("b", accepted_at="2026-12-01T07:00:00+00:00"))
    assert [one.variant for one in accepted_chunks(entry, datetime(2026, 11, 30, tzinfo=UTC))] == ["b"]


def test_late_opt_outs_are_counted_by_prefix() -> None:
    """Late opt-outs are counted by prefix: planned, but not sent to."""
    entry = replace(_entry(*_WHOLE), prefixes={"37529": PrefixCount(9, 9, None)})
    (whole,) = _shares(entry)
    assert count_left_out(entry, whole) == 1
