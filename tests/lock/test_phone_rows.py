"""Chunks that are sent phone by phone: what is known of each phone, and of the chunk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.lock.phone_states import count_runs, read_runs, state_of, with_row, with_rows, with_state
from smsby_deploy.lock.records import SAID_NOT_SENT, ChunkRecord, ChunkState

_rows = st.text("pnraus", min_size=1, max_size=30)


def _chunk(rows: str) -> ChunkRecord:
    return ChunkRecord("0" * 10, len(rows), "d", state_of(rows), rows=rows)


@given(_rows)
def test_counted_and_read_is_the_same(rows: str) -> None:
    """What stands in the lock is as short as its runs, and reads back."""
    assert read_runs(count_runs(rows)) == rows
    assert read_runs("") == ""


@pytest.mark.parametrize("text", ["a", "a:0", "a:1  p:1", "a:-1", "aa:1", "a:1 ", "a:999999999999", "А:1"])
def test_what_is_no_count_is_refused(text: str) -> None:
    """Also one that would fill the memory."""
    with pytest.raises(ValueError, match="phones"):
        read_runs(text)


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ("ppn", "pending"),
        ("pr", "rejected"),
        ("as", "accepted"),
        ("ss", "suppressed"),
        ("ap", "partial"),
        ("ar", "partial"),
        ("apru", "unknown"),
        ("us", "unknown"),
    ],
)
def test_the_chunk_is_what_its_phones_are(rows: str, state: str) -> None:
    """One unknown phone makes it unknown; it is pending or rejected only if it surely reached nobody."""
    assert state_of(rows) == ChunkState(state)


@given(_rows, st.data())
def test_one_phone_changes_nothing_of_the_others(rows: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    after = with_row(_chunk(rows), place, ChunkState.ACCEPTED).rows or ""
    assert after[place] == "a"
    assert after[:place] + after[place + 1 :] == rows[:place] + rows[place + 1 :]


def test_a_place_beyond_the_chunk_is_refused() -> None:
    """A journal that does not fit its lock."""
    with pytest.raises(IndexError):
        with_row(_chunk("pp"), 2, ChunkState.ACCEPTED)


def test_a_person_s_word_concerns_the_unknown_phones_only() -> None:
    """Said not to be sent: they wait, and are told from those that were never tried."""
    unknown = _chunk("aupr")
    assert with_state(unknown, ChunkState.ACCEPTED).rows == "aapr"
    assert with_state(unknown, ChunkState.PENDING, error=SAID_NOT_SENT).rows == "anpr"


@given(_rows)
def test_in_doubt_nothing_that_was_not_sent_stays_so(rows: str) -> None:
    """After damage only what surely was done is believed."""
    after = with_state(_chunk(rows), ChunkState.UNKNOWN).rows or ""
    assert set(after) <= set("aus")
    assert [letter for letter in rows if letter in "as"] == [letter for letter in after if letter in "as"]


def test_what_was_said_of_a_phone_stays_till_all_are_done() -> None:
    """The next phone's success does not hide that one was refused."""
    chunk = with_row(_chunk("pp"), 0, ChunkState.REJECTED, error="incorrect phone number")
    chunk = with_row(chunk, 1, ChunkState.ACCEPTED, error=None)
    assert chunk.error == "incorrect phone number"
    assert with_rows(chunk, "sa", error=None).error is None
