"""phone_set: every operation equals that of a plain set, with and without a map."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.config.sources import InlineRecipients
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones, numbers_in_two
from tests.recipients.mailings import AT, make_mailing

# Near the ends of the map, of its mobile ranges and pages, and abroad.
_numbers = (
    st.sampled_from(
        [-1, 0, 7, 250_000_000, 299_999_999, 330_032_767, 330_032_768, 999_999_999, 10**9, 10**14]
    )
    | st.integers(250_000_000, 250_000_099)
    | st.integers(-(10**9), 10**12)
)


def _set_of(numbers: list[int], block: int = 1000) -> PhoneSet:
    found = PhoneSet()
    for start in range(0, len(numbers), block):
        found.add_all(numbers[start : start + block])
    return found


def test_union_holds_out_whom_the_other_holds_out() -> None:
    """A union with opt-outs leaves out the numbers of both sets, and still all that are not test phones."""
    left_out, opted_out = _set_of([1]), _set_of([2])
    opted_out.only = _set_of([1, 2, 3])
    assert [left_out.union(opted_out).has_number(number) for number in range(1, 5)] == [
        True,
        True,
        False,
        True,
    ]
    opted_out.only = None
    assert [left_out.union(opted_out).has_number(number) for number in range(1, 5)] == [
        True,
        True,
        False,
        False,
    ]


def test_phone_set_add_nothing() -> None:
    """Adding no phones, as from a block of invalid ones, changes nothing, even in a large set."""
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
    """Adding numbers one by one or all at once equals a plain set, small or large."""
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


@settings(max_examples=12)
@given(st.lists(_numbers), st.lists(_numbers), st.sampled_from([0, 3, 4000]), st.sampled_from([0, 5, 20_000]))
def test_phone_set_digest_depends_on_its_numbers_only(
    some: list[int], others: list[int], few: int, listed: int
) -> None:
    """The digest depends on every number, and not on order, repeats, blocks or a map."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smsby_deploy.recipients.phone_set._LISTED", max(few, listed))
        plain = _set_of(some)
        patch.setattr("smsby_deploy.recipients.phone_set._FEW", few)
        assert _set_of([*some[::-1], *some], 2).digest() == _set_of(some).digest()
        assert (_set_of(some).digest() == _set_of(others).digest()) == (set(some) == set(others))
        if listed == 20_000:
            assert plain.digest() == _set_of(some).digest()


_spellings = st.sampled_from(["375{}", "+375 {}", "80{}", "8 (0{})", "{}", "00375-{}"])


@given(st.lists(st.tuples(st.integers(291234560, 291234569), _spellings), min_size=1), st.randoms())
def test_recipients_digest_ignores_order_and_spelling(rows: list[tuple[int, str]], random: object) -> None:
    """The digest of an audience is the same in another order and in other spellings."""
    shuffled = [*rows]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    respelled = [(number, "375{}") for number, _ in shuffled]
    digests = [_digest([written.format(number) for number, written in some]) for some in (rows, respelled)]
    assert digests[0] == digests[1] == _set_of([number for number, _ in rows]).digest()
    assert digests[0] != _digest([written.format(number) for number, written in rows] + ["375441234567"])


def _digest(phones: list[str]) -> str | None:
    recipients = InlineRecipients([{"phone": phone} for phone in phones], AT, [(5, 17)] * len(phones))
    report = AudienceReport(needs_digest=True)
    list(read_audience(make_mailing(recipients), None, report))
    return report.recipients_digest


@given(
    st.lists(_numbers),
    st.lists(_numbers),
    st.lists(_numbers),
    st.lists(st.sampled_from([0, 4000]), min_size=3),
)
def test_phone_set_count_common_equals_a_set(
    ours: list[int], theirs: list[int], without: list[int], few: list[int]
) -> None:
    """The count of numbers in both sets and not in the third is right whichever of them have a map."""
    with pytest.MonkeyPatch.context() as patch:
        sets = []
        for numbers, most in zip((ours, theirs, without), few, strict=False):
            patch.setattr("smsby_deploy.recipients.phone_set._FEW", most)
            sets.append(_set_of(numbers))
    assert sets[0].count_common(sets[1], sets[2]) == len(set(ours) & set(theirs) - set(without))


def test_phone_set_digest_of_many_numbers() -> None:
    """A map of over 20,000 numbers is hashed as a map, and one number more makes another digest."""
    numbers = list(range(290_000_000, 290_090_000, 3))
    assert _set_of(numbers).digest() == _set_of(numbers[::-1], 777).digest()
    assert len({_set_of([*numbers, more]).digest() for more in (290_000_001, 170_000_000, 10**9)}) == 3


@given(st.lists(st.lists(_numbers, max_size=12), max_size=5), st.sampled_from([0, 4, 4000]))
def test_numbers_in_two_equals_plain_sets(sets: list[list[int]], few: int) -> None:
    """Numbers in two of several sets or maps equal plain sets, and can be counted in each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smsby_deploy.recipients.phone_set._FEW", few)
        ours, empty = list(map(_set_of, sets)), PhoneSet()
        common = numbers_in_two(ours)
        times = Counter(number for one in sets for number in set(one))
        again = {number for number, count in times.items() if count > 1}
        assert set(common.numbers()) == again
        assert len(common) == len(again)
        assert [one.count_common(common, empty) for one in ours] == [len(again & set(one)) for one in sets]
