"""phone_set: the same answers as a set of strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.recipients.phone_set import PhoneSet, number_phones


def test_phone_set_add_nothing() -> None:
    """All phones of a block may be invalid, also in a large set."""
    ours, theirs = PhoneSet(), PhoneSet()
    numbers = number_phones(f"37529{n:07d}" for n in range(25_000))
    ours.add_all(numbers)
    theirs.add_all(numbers)
    assert ours.add_all([], theirs) == ([], [])
    assert len(ours) == 25_000


@given(
    st.lists(
        st.integers(0, 99).map(lambda n: f"3752900000{n:02d}")
        | st.from_regex(r"[1-9][0-9]{5,14}", fullmatch=True)
    ),
    st.sampled_from([0, 3, 4000]),
)
def test_phone_set_equals_a_set(phones: list[str], few: int) -> None:
    """One number at a time and all at once, in a small set and in a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smsby_deploy.recipients.phone_set._FEW", few)
        _compare_with_a_set(phones)


def _compare_with_a_set(phones: list[str]) -> None:
    ours, blocks, plain = PhoneSet(), PhoneSet(), set[str]()
    repeated = []
    numbers = number_phones(phones)
    for position, phone in enumerate(phones):
        assert (phone in ours) == (phone in plain)
        assert ours.add_all(numbers[position : position + 1])[0] == ([0] if phone in plain else [])
        if phone in plain:
            repeated.append(position)
        plain.add(phone)
    half = PhoneSet()
    half.add_all(numbers[::2])
    first_ones = [i for i, phone in enumerate(phones) if i not in repeated]
    assert blocks.add_all(numbers, half) == (repeated, [i for i in first_ones if phones[i] in phones[::2]])
    assert all(phone in blocks for phone in phones)
    assert [phone in half for phone in phones] == [phone in phones[::2] for phone in phones]
    assert half.mark_others(numbers) == bytearray(phone not in phones[::2] for phone in phones)
    assert len(ours) == len(blocks) == len(plain)
