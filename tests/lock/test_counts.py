"""Figures of variants in the lock are read back the same, and older locks have none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from smsby_deploy.lock.counts import (
    Deliveries,
    VariantCount,
    count_variants,
    read_variants,
    variants_document,
)
from smsby_deploy.lock.entry_json import entry_document, read_entry
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.lock.serialization import entry_digest
from tests.lock import examples


def test_variants_read_back_the_same() -> None:
    """Variants are read back the same with a control group, without a price, and with deliveries."""
    variants = {
        "a": VariantCount(450, 900, "23.40", deliveries=Deliveries(440, 5)),
        "b": VariantCount(450, 450, None),
        "control": VariantCount(100, 0, None, is_sent=False),
    }
    document = variants_document(variants)
    assert read_variants(document) == variants
    assert document["b"] == {"recipients": 450, "parts": 450, "cost": None}
    assert document["control"]["send"] is False
    assert read_variants(None) is None


def test_mailing_without_variants_records_none() -> None:
    """The record of a mailing without variants does not change."""
    assert count_variants((), "", 0) is None
    assert count_variants([("a", 2, 2, Decimal("0.052"))], "control", 1) == {
        "a": VariantCount(2, 2, "0.052"),
        "control": VariantCount(1, 0, None, is_sent=False),
    }


def test_deliveries_make_no_plan_stale() -> None:
    """Deliveries that the archive records make no plan stale, although a plan has digests of lock entries."""
    planned = {"a": VariantCount(2, 2, "0.052")}
    entry = replace(examples.entry(ChunkState.ACCEPTED), variants=planned)
    delivered = {"a": planned["a"]._replace(deliveries=Deliveries(2, 0))}
    archived = replace(entry, deliveries=Deliveries(2, 0), variants=delivered)
    assert entry_digest(archived) == entry_digest(entry)
    assert read_entry(entry_document(archived)) == archived
