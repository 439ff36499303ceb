"""Phone states: the sequence, its stored form, and what it means for the chunk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.lock.phone_states import UNSENT, PhoneState, PhoneStates, format_runs, parse_runs
from smsby_deploy.lock.records import ChunkRecord, ChunkState, chunk_state_of

_states = st.lists(st.sampled_from(PhoneState), min_size=1, max_size=30).map(PhoneStates)


def _phones(letters: str) -> PhoneStates:
    return PhoneStates(map(PhoneState, letters))


def _chunk(phones: PhoneStates) -> ChunkRecord:
    return ChunkRecord("0" * 10, len(phones), "d", chunk_state_of(phones), phones=phones)


def test_phone_state_letters_never_change() -> None:
    """The letters, which are part of the lock's format, do not change."""
    letters = {state.name: state.value for state in PhoneState}
    assert letters == {
        "PENDING": "p",
        "DECLARED_UNSENT": "n",
        "REJECTED": "r",
        "ACCEPTED": "a",
        "UNKNOWN": "u",
        "SUPPRESSED": "s",
    }


@given(_states)
def test_phone_states_survive_being_stored(phones: PhoneStates) -> None:
    """States are stored as run lengths and read back the same."""
    assert PhoneStates.parse(str(phones)) == phones
    assert str(_phones("aaap")) == "a:3 p:1"
    assert PhoneStates.parse("") == PhoneStates()
    assert PhoneStates.parse("a:1 p:1") != PhoneStates.parse("p:1 a:1")


@given(st.text("0129", max_size=20))
def test_format_runs_and_parse_runs_are_inverse(symbols: str) -> None:
    """Runs of any symbols, as the digits of a baseline, are read back as formatted."""
    assert parse_runs(format_runs(symbols)) == symbols


@pytest.mark.parametrize(
    "text", ["a", "a:0", "a:1  p:1", "a:-1", "aa:1", "a:1 ", "a:999999999999", "А:1", "x:1"]
)
def test_phone_states_parse_refuses_other_text(text: str) -> None:
    """Text that is not counted states is refused, as is a count that would fill the memory."""
    with pytest.raises(ValueError, match=r"phone|PhoneState"):
        PhoneStates.parse(text)


@given(_states, st.data())
def test_phone_states_act_as_a_sequence(phones: PhoneStates, data: st.DataObject) -> None:
    """Length, iteration, indexing, membership and counts agree with the list of states."""
    plain = list(phones)
    position = data.draw(st.integers(0, len(plain) - 1))
    assert len(phones) == len(plain)
    assert phones[position] is plain[position]
    assert all((state in phones) == (state in plain) for state in PhoneState)
    assert phones.count(*UNSENT) == sum(state in UNSENT for state in plain)
    assert phones.has_any(UNSENT) == any(state in UNSENT for state in plain)
    assert hash(PhoneStates(plain)) == hash(phones)


@pytest.mark.parametrize(
    ("letters", "state"),
    [
        ("ppn", ChunkState.PENDING),
        ("nns", ChunkState.DECLARED_UNSENT),
        ("pr", ChunkState.REJECTED),
        ("as", ChunkState.ACCEPTED),
        ("ss", ChunkState.SUPPRESSED),
        ("ap", ChunkState.PARTIAL),
        ("ar", ChunkState.PARTIAL),
        ("apru", ChunkState.UNKNOWN),
        ("us", ChunkState.UNKNOWN),
    ],
)
def test_chunk_state_of_phone_states(letters: str, state: ChunkState) -> None:
    """One unknown phone makes the chunk unknown, and it is unsent only if it certainly reached no recipient."""
    assert chunk_state_of(_phones(letters)) is state


@given(_states, st.data())
def test_with_phone_state_changes_only_that_phone(phones: PhoneStates, data: st.DataObject) -> None:
    """The other phones of the chunk keep their states."""
    position = data.draw(st.integers(0, len(phones) - 1))
    after = list(_chunk(phones).with_phone_state(position, ChunkState.ACCEPTED).phones or ())
    assert after[position] is PhoneState.ACCEPTED
    assert after[:position] + after[position + 1 :] == [*phones][:position] + [*phones][position + 1 :]


@pytest.mark.parametrize("position", [-1, 2])
def test_with_phone_state_refuses_an_unknown_position(position: int) -> None:
    """A position outside the chunk is an error, since the journal does not match the lock."""
    with pytest.raises(IndexError):
        _chunk(_phones("pp")).with_phone_state(position, ChunkState.ACCEPTED)


def test_with_state_settles_only_the_unknown_phones() -> None:
    """Settling unknown phones as unsent keeps them distinct from those never tried."""
    unknown = _chunk(_phones("aupr"))
    assert unknown.with_state(ChunkState.ACCEPTED).phones == _phones("aapr")
    assert unknown.with_state(ChunkState.DECLARED_UNSENT).phones == _phones("anpr")


@given(_states)
def test_with_state_unknown_trusts_only_completed_phones(phones: PhoneStates) -> None:
    """After damage only accepted and suppressed phones keep their states."""
    after = list(_chunk(phones).with_state(ChunkState.UNKNOWN).phones or ())
    done = {PhoneState.ACCEPTED, PhoneState.SUPPRESSED}
    assert set(after) <= done | {PhoneState.UNKNOWN}
    assert [state for state in phones if state in done] == [state for state in after if state in done]


def test_with_phones_keeps_an_error_until_all_are_done() -> None:
    """An error of one phone stays until all phones are done."""
    chunk = _chunk(_phones("pp")).with_phone_state(0, ChunkState.REJECTED, error="incorrect phone number")
    chunk = chunk.with_phone_state(1, ChunkState.ACCEPTED, error=None)
    assert chunk.error == "incorrect phone number"
    assert chunk.with_phones(_phones("sa"), error=None).error is None
