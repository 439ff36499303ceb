"""Generated locks, with everything that a lock can contain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from smsby_deploy.lock.decisions import Approval, Ending, EndingKind, Resolution
from smsby_deploy.lock.entry_json import DECLARED_UNSENT_ERROR
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import (
    AppliedBy,
    Apply,
    ChunkRecord,
    ChunkState,
    Entry,
    Lock,
    NamedId,
    chunk_state_of,
)

texts = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
_name = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True)
_address = st.builds("{}/{}".format, _name, _name)
_time = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2999, 1, 1), timezones=st.just(UTC)
).map(datetime.isoformat)
_maybe_number = st.none() | st.integers(0, 10**9)
_whole_states = st.sampled_from(sorted(set(ChunkState) - {ChunkState.PARTIAL, ChunkState.DECLARED_UNSENT}))
_whole_chunks = st.builds(
    ChunkRecord,
    fingerprint=st.text("0123456789abcdef", min_size=10, max_size=10),
    recipients=_maybe_number,
    digest=texts,
    state=_whole_states,
    uuid=st.none() | texts,
    message_id=_maybe_number,
    accepted_at=st.none() | _time,
    error=st.none() | texts,
    step=st.none() | st.sampled_from(["draft", "confirm"]),
    declared=st.booleans(),
    opted_out=st.none() | st.just("17 3"),
    left_out=st.none() | st.just("0 17 3"),
)
_declared_chunks = _whole_chunks.map(
    lambda chunk: replace(chunk, state=ChunkState.DECLARED_UNSENT, error=DECLARED_UNSENT_ERROR)
)
_chunks = (
    _whole_chunks
    | _declared_chunks
    | st.builds(
        lambda chunk, states, foreign, refused_id: replace(
            chunk,
            phones=PhoneStates(state for state, _ in states),
            baseline=tuple(count for _, count in states),
            state=chunk_state_of(PhoneStates(state for state, _ in states)),
            foreign=foreign,
            refused_id=refused_id,
        ),
        _whole_chunks,
        st.lists(
            st.tuples(st.sampled_from(PhoneState), st.sampled_from([0, 1, 2, 9])), min_size=1, max_size=9
        ),
        st.integers(0, 9),
        st.none() | st.integers(1, 9),
    )
)
_applied = st.builds(AppliedBy, at=_time, plan=texts, commit=st.none() | texts, tool=texts)


_approvals = st.builds(
    Approval,
    at=_time,
    plan=texts,
    by=st.none() | texts,
    opens=_time,
    closes=_time,
    fresh=st.booleans(),
    source=st.none() | st.just("0f" * 32),
    suppress=st.just(()) | st.just(("0f1e2d3c4b",)),
)
_endings = st.builds(Ending, kind=st.sampled_from(EndingKind), at=_time, by=texts, reason=texts)


def _entries(earlier: st.SearchStrategy[tuple[Entry, ...]]) -> st.SearchStrategy[Entry]:
    return st.builds(
        Entry,
        revision=st.integers(1, 9),
        content_digest=texts,
        audience_digest=texts,
        transport=st.sampled_from(["bulk", "list", "single"]),
        alphaname=texts,
        alphaname_id=_maybe_number,
        schedule_time=st.none() | _time,
        recipients=_maybe_number,
        parts=_maybe_number,
        cost=st.none() | st.sampled_from(["0", "0.026", "12345.5"]),
        chunks=st.lists(_chunks, min_size=1, max_size=3).map(tuple),
        applied=_applied,
        earlier=earlier,
        body=st.sampled_from([None, "json", "form"]),
        contact_list=st.none() | st.builds(NamedId, name=texts, id=_maybe_number),
        text_digest=st.none() | texts,
        recipients_digest=st.none() | texts,
        approval=st.none() | _approvals,
        ending=st.none() | _endings,
    )


entries = _entries(st.lists(_entries(st.just(())), max_size=1).map(tuple))
locks = st.builds(
    Lock,
    project=_name,
    serial=st.integers(0, 99),
    lineage=st.none() | texts,
    mailings=st.dictionaries(_address, entries, max_size=3),
    applies=st.lists(
        st.builds(Apply, plan=texts, at=_time, commit=st.none() | texts, tool=texts, by=st.none() | texts),
        max_size=2,
    ).map(tuple),
    resolutions=st.lists(
        st.builds(Resolution, address=_address | st.just("*"), what=texts, at=_time, by=texts, reason=texts),
        max_size=2,
    ).map(tuple),
    folded=st.none() | texts,
)


def long_lock(mailings: int) -> Lock:
    """Return a lock whose errors look like the beginning of the next mailing."""
    applied = AppliedBy("2026-12-01T07:00:00+00:00", "p", None, "0.1.0")
    recorded = {}
    for number in range(mailings):
        error = f'}},"sale/{number + 1:04}":{{"alphaname'
        chunk = ChunkRecord(f"{number:010}", 1, "d" * 64, ChunkState.REJECTED, error=error)
        recorded[f"sale/{number:04}"] = Entry(
            1, "c" * 64, "a" * 64, "bulk", "0", 0, None, 1, 1, None, (chunk,), applied
        )
    return Lock("shop", 1, "0" * 32, recorded)
