"""Who gets which variant: the shares hold, and nothing but key and phone decides."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from math import sqrt

import pytest

from smsby_deploy.config.sources import TextsByVariant, TextSource, Variant
from smsby_deploy.problems import Location
from smsby_deploy.recipients.variant_choice import assign_variants

_AT = Location("sale.yaml", 4, 5)
_PHONES = [f"37529{number:07}" for number in range(20_000)]
_SHARES = {"a": 45, "b": 45, "control": 10}


def _variants(key: bytes = b"key", text: str = "Hello") -> TextsByVariant:
    variants = [Variant(name, share, TextSource(text, _AT)) for name, share in _SHARES.items()]
    return TextsByVariant(tuple(variants), key, _AT)


def _chi_square(counts: Counter[str], shares: dict[str, int]) -> float:
    total = counts.total()
    return sum((counts[name] - (e := total * share / 100)) ** 2 / e for name, share in shares.items())


@pytest.mark.parametrize("key", [b"key", b"another key", b""])
def test_variants_have_their_shares(key: bytes) -> None:
    """Of consecutive numbers as well: chi-square with 2 degrees of freedom is below its 99.9 percentile."""
    assert _chi_square(Counter(assign_variants(_variants(key), _PHONES)), _SHARES) < 13.8


@pytest.mark.parametrize("digit", range(4))
def test_variants_do_not_follow_the_digits(digit: int) -> None:
    """Phones that share one of their last digits are divided like all others."""
    for value in "0123456789":
        some = [phone for phone in _PHONES if phone[-1 - digit] == value]
        assert _chi_square(Counter(assign_variants(_variants(), some)), _SHARES) < 20  # of 40 samples


def test_variants_are_stable() -> None:
    """In any order, with more recipients, and whatever the texts say, each recipient keeps the variant."""
    before = dict(zip(_PHONES, assign_variants(_variants(), _PHONES), strict=True))
    shuffled: Sequence[str] = random.Random(7).sample(_PHONES, len(_PHONES))
    more = [*shuffled[:100], "375331112233", *shuffled[100:]]
    after = dict(zip(more, assign_variants(_variants(text="Other"), more), strict=True))
    assert {phone: after[phone] for phone in _PHONES} == before


def test_another_key_divides_independently() -> None:
    """The control group of one campaign is no better or worse represented in the next one."""
    pairs = Counter(
        zip(assign_variants(_variants(), _PHONES), assign_variants(_variants(b"next"), _PHONES), strict=True)
    )
    both, expected = pairs["control", "control"], len(_PHONES) * 0.01
    assert abs(both - expected) < 4 * sqrt(expected)
