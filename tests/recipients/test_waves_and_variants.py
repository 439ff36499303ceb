"""Each recipient's variant and wave follow from key and phone alone, in the requested sizes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Wave, Waves
from smsby_deploy.config.sources import TextsByVariant, TextSource, Variant
from smsby_deploy.problems import Location
from smsby_deploy.recipients.waves_and_variants import Recipient, WaveSorter, assign_variants

_AT = Location("sale.yaml", 4, 5)
_PHONES = [f"37529{number:07}" for number in range(20_000)]
_SHARES = {"a": 45, "b": 45, "control": 10}
_KEY = bytes(range(32))


def _variants(key: bytes = b"key", text: str = "Hello") -> TextsByVariant:
    variants = [Variant(name, share, TextSource(text, _AT)) for name, share in _SHARES.items()]
    return TextsByVariant(tuple(variants), key, _AT)


def _chi_square(counts: Counter[str], shares: dict[str, int]) -> float:
    total = counts.total()
    return sum((counts[name] - (e := total * share / 100)) ** 2 / e for name, share in shares.items())


@pytest.mark.parametrize("key", [b"key", b"another key", b""])
def test_variants_have_their_shares(key: bytes) -> None:
    """Consecutive numbers are divided by the shares: chi-square with 2 degrees of freedom is below its 99.9 percentile."""
    assert _chi_square(Counter(assign_variants(_variants(key), _PHONES)), _SHARES) < 13.8


@pytest.mark.parametrize("digit", range(4))
def test_variants_do_not_follow_the_digits(digit: int) -> None:
    """Phones that share one of their last digits are divided like all others."""
    for value in "0123456789":
        some = [phone for phone in _PHONES if phone[-1 - digit] == value]
        assert _chi_square(Counter(assign_variants(_variants(), some)), _SHARES) < 20  # of 40 samples


def test_variants_are_stable() -> None:
    """Each recipient keeps the variant in any order, with more recipients, and whatever the texts are."""
    before = dict(zip(_PHONES, assign_variants(_variants(), _PHONES), strict=True))
    shuffled: Sequence[str] = random.Random(7).sample(_PHONES, len(_PHONES))
    more = [*shuffled[:100], "375331112233", *shuffled[100:]]
    after = dict(zip(more, assign_variants(_variants(text="Other"), more), strict=True))
    assert {phone: after[phone] for phone in _PHONES} == before


def test_another_key_divides_independently() -> None:
    """With another campaign's key, the recipients of one control group are divided like all others."""
    pairs = Counter(
        zip(assign_variants(_variants(), _PHONES), assign_variants(_variants(b"next"), _PHONES), strict=True)
    )
    both, expected = pairs["control", "control"], len(_PHONES) * 0.01
    assert abs(both - expected) < 4 * sqrt(expected)


def _wave(size: int | None = None, share: int | None = None) -> Wave:
    return Wave(size, share, timedelta(hours=1), timedelta(hours=2), 90)


def _sort(phones: list[str], *steps: Wave, key: bytes = _KEY) -> dict[int, list[str]]:
    sorter = WaveSorter(Waves((*steps, Wave()), key))
    recipients = (Recipient(phone, 1, None, None, None) for phone in phones)
    placed = [*filter(None, map(sorter.place, recipients)), *sorter.rest()]
    found: dict[int, list[str]] = {}
    for number, recipient in placed:
        found.setdefault(number, []).append(recipient.phone)
    return found


def _phones(count: int) -> list[str]:
    return [str(375290000000 + number) for number in range(count)]


_STEPS = st.lists(
    st.one_of(
        st.integers(1, 30).map(lambda size: _wave(size=size)),
        st.integers(1, 19).map(lambda share: _wave(share=share)),
    ),
    min_size=1,
    max_size=5,
)


@given(st.integers(0, 120), _STEPS, st.randoms(use_true_random=False))
def test_waves_do_not_depend_on_the_order(count: int, steps: list[Wave], chance: random.Random) -> None:
    """Every recipient is in exactly one wave, whatever the order of the rows."""
    phones = _phones(count)
    found = _sort(phones, *steps)
    assert sorted(phone for some in found.values() for phone in some) == phones
    chance.shuffle(phones)
    assert {number: sorted(some) for number, some in _sort(phones, *steps).items()} == {
        number: sorted(some) for number, some in found.items()
    }


@given(st.integers(1, 200), st.integers(1, 50), st.integers(1, 50))
def test_waves_of_a_size_are_exact(count: int, first: int, second: int) -> None:
    """A wave has exactly its size, as long as there are recipients."""
    found = _sort(_phones(count), _wave(size=first), _wave(size=second))
    assert len(found[1]) == min(first, count)
    assert len(found.get(2, ())) == max(0, min(second, count - first))


def test_first_wave_stays_with_new_rows() -> None:
    """A new recipient replaces at most one in the first wave."""
    before = set(_sort(_phones(500), _wave(size=50))[1])
    after = set(_sort([*_phones(500), "375447777777"], _wave(size=50))[1])
    assert len(before - after) <= 1


def test_shares_are_about_what_was_asked_for() -> None:
    """Of 20,000 recipients, shares are met within four standard deviations, not counting earlier waves."""
    found = _sort(_phones(20_000), _wave(size=100), _wave(share=20), _wave(share=30))
    assert len(found[1]) == 100
    for number, share in ((2, 0.2), (3, 0.3), (4, 0.5)):
        expected = share * 19_900
        assert abs(len(found[number]) - expected) < 4 * (expected * (1 - share)) ** 0.5


def test_first_wave_is_spread_over_the_file() -> None:
    """Of a first wave of 2,000 of 20,000 recipients, about a tenth comes from each tenth of the file."""
    phones = _phones(20_000)
    first = set(_sort(phones, _wave(size=2000))[1])
    tenths = [
        sum(phone in first for phone in phones[start : start + 2000]) for start in range(0, 20_000, 2000)
    ]
    assert all(abs(count - 200) < 4 * (200 * 0.9) ** 0.5 for count in tenths), tenths


def test_another_key_chooses_others() -> None:
    """Another key chooses other recipients, so that the repository alone does not show who is first."""
    phones = _phones(2000)
    assert set(_sort(phones, _wave(size=100))[1]) != set(_sort(phones, _wave(size=100), key=b"k" * 32)[1])
