"""Who is in which wave: by a hash alone, in any order of the rows, and as many as asked for."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Wave, Waves
from smsby_deploy.recipients.wave_choice import Recipient, WaveSorter

_KEY = bytes(range(32))


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
    """Every recipient is in exactly one wave, the same in every order of the rows."""
    phones = _phones(count)
    found = _sort(phones, *steps)
    assert sorted(phone for some in found.values() for phone in some) == phones
    chance.shuffle(phones)
    assert {number: sorted(some) for number, some in _sort(phones, *steps).items()} == {
        number: sorted(some) for number, some in found.items()
    }


@given(st.integers(1, 200), st.integers(1, 50), st.integers(1, 50))
def test_waves_of_a_size_are_exact(count: int, first: int, second: int) -> None:
    """As long as there are recipients."""
    found = _sort(_phones(count), _wave(size=first), _wave(size=second))
    assert len(found[1]) == min(first, count)
    assert len(found.get(2, ())) == max(0, min(second, count - first))


def test_first_wave_stays_with_new_rows() -> None:
    """A new recipient takes the place of at most one."""
    before = set(_sort(_phones(500), _wave(size=50))[1])
    after = set(_sort([*_phones(500), "375447777777"], _wave(size=50))[1])
    assert len(before - after) <= 1


def test_shares_are_about_what_was_asked_for() -> None:
    """Of 20,000 recipients, within four standard deviations; recipients in an early wave are not counted."""
    found = _sort(_phones(20_000), _wave(size=100), _wave(share=20), _wave(share=30))
    assert len(found[1]) == 100
    for number, share in ((2, 0.2), (3, 0.3), (4, 0.5)):
        expected = share * 19_900
        assert abs(len(found[number]) - expected) < 4 * (expected * (1 - share)) ** 0.5


def test_first_wave_is_spread_over_the_file() -> None:
    """Of 2,000 first ones of 20,000, each tenth of the file has about a tenth."""
    phones = _phones(20_000)
    first = set(_sort(phones, _wave(size=2000))[1])
    tenths = [
        sum(phone in first for phone in phones[start : start + 2000]) for start in range(0, 20_000, 2000)
    ]
    assert all(abs(count - 200) < 4 * (200 * 0.9) ** 0.5 for count in tenths), tenths


def test_another_key_chooses_others() -> None:
    """Without the key, the repository does not say who is first."""
    phones = _phones(2000)
    assert set(_sort(phones, _wave(size=100))[1]) != set(_sort(phones, _wave(size=100), key=b"k" * 32)[1])
