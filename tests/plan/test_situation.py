"""The facts about one mailing, from its files, its lock entry and the remote list."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, UploadRecord
from smsby_deploy.plan.gone import OwnContent
from smsby_deploy.plan.situation import is_past, is_recorded_singly
from tests.plan.situations import (
    MARKS,
    NOW,
    A,
    D,
    P,
    R,
    S,
    U,
    make_desired,
    make_entry,
    make_list,
    make_situation,
)


def test_situation_of_a_new_mailing() -> None:
    """If nothing is recorded, nothing is begun, changed or unknown."""
    here = make_situation()
    assert here.recorded == here.listed == ()
    assert not (
        here.is_begun or here.is_finished or here.has_unknown or here.has_draft or here.is_newly_found
    )
    assert not (here.has_new_content or here.has_new_audience or here.has_new_chunks)
    assert here.sent_earlier is None


_WITHDRAWN = Ending(EndingKind.WITHDRAWN, "2026-11-23T10:00:00+00:00", "anna", "typo")
_TEXT, _ELSE = {"text_digest": "t"}, {"text_digest": "u"}
_OTHER_SENDER = {"alphaname": "Kvetka"}
_OTHER_TIME = {"schedule_time": "2026-11-01T10:00:00+03:00"}


@pytest.mark.parametrize(
    ("recorded", "own", "expected"),
    [
        ({"own_digest": "own"}, {}, False),
        ({"own_digest": "other"}, {}, True),
        (_TEXT, {}, True),
        (_TEXT | _OTHER_SENDER, {}, False),
        (_TEXT | _OTHER_SENDER, {"has_sender": True}, True),
        (_TEXT | _OTHER_TIME, {}, False),
        (_TEXT | _OTHER_TIME, {"has_time": True}, True),
        (_ELSE, {}, True),
        (_ELSE, {"has_includes": True}, None),
        (_ELSE | _OTHER_SENDER, {"has_sender": True, "has_includes": True}, True),
        ({}, {}, True),
        ({}, {"has_includes": True}, None),
        (_OTHER_SENDER, {}, None),
        ({"content_digest": "content", "own_digest": "other"}, {}, False),
    ],
)
def test_what_is_new_is_its_own_or_shared(
    recorded: dict[str, str], own: dict[str, bool], expected: bool | None
) -> None:
    """A change is the mailing's own or shared by the recorded digest; an older lock may not say, which is None."""
    content = OwnContent("own", "0", **{"has_sender": False, "has_time": False, "has_includes": False, **own})
    desired = make_desired(own=content, text_digest="t")
    entry = make_entry(A, A, **{"content_digest": "old", **recorded})
    here = make_situation(entry, desired=desired)
    assert here.is_gone
    assert here.has_new_own_content is expected


@pytest.mark.parametrize(
    ("states", "is_begun", "is_finished", "has_unknown"),
    [
        ((P, R), False, False, False),
        ((P, ChunkState.DECLARED_UNSENT), False, False, False),
        ((A, P), True, False, False),
        ((U, P), True, False, True),
        ((A, S), True, True, False),
        ((D, D), True, False, False),
    ],
)
def test_situation_by_recorded_states(
    states: tuple[ChunkState, ...], is_begun: bool, is_finished: bool, has_unknown: bool
) -> None:
    """An unknown outcome begins a mailing, and one that was certainly not sent does not."""
    here = make_situation(make_entry(*states))
    assert (here.is_begun, here.is_finished, here.has_unknown) == (is_begun, is_finished, has_unknown)


def test_situation_of_another_revision_is_not_begun() -> None:
    """A sent revision does not begin the next, but an unknown one keeps it unknown."""
    raised = make_situation(make_entry(U, A), desired=make_desired(revision=2))
    assert raised.is_raised
    assert not (raised.is_begun or raised.is_lowered)
    assert raised.has_unknown
    assert make_situation(make_entry(A, A, revision=3)).is_lowered


def test_remote_list_completes_the_lock() -> None:
    """A lost answer whose chunk is listed was accepted; a chunk that is not listed stays unknown."""
    here = make_situation(make_entry(U, U), make_list(0))
    assert here.recorded == (A, U)
    assert here.is_newly_found
    assert not make_situation(make_entry(A, A), make_list(0)).is_newly_found


@pytest.mark.parametrize(
    ("entry", "changed"),
    [
        ({"content_digest": "other"}, "has_new_content"),
        ({"audience_digest": "other"}, "has_new_audience"),
        ({"transport": "single"}, "has_new_chunks"),
        ({"body": "form"}, "has_new_chunks"),
    ],
)
def test_situation_finds_what_changed(entry: dict[str, Any], changed: str) -> None:
    """Each change of the mailing changes exactly one fact."""
    here = make_situation(make_entry(A, A, **entry))
    facts = ("has_new_content", "has_new_audience", "has_new_chunks")
    assert [name for name in facts if getattr(here, name)] == [changed]


def test_unrecorded_body_is_no_change() -> None:
    """A body that locks of early versions do not record is no change."""
    assert not make_situation(make_entry(A, A, body=None), desired=make_desired(body="form")).has_new_chunks


def test_listed_gives_the_planned_chunks() -> None:
    """Without a record, a chunk that the list lacks may still have been sent."""
    assert make_situation(None, make_list(1)).listed == (U, A)
    assert make_situation(None, make_list(0, 1, status="DRAFT")).listed == (D, D)
    assert make_situation(None, make_list()).listed == ()


@pytest.mark.parametrize(("count", "state"), [(2, A), (1, U), (None, U)])
def test_listed_single_mailing_counts_its_phones(count: int | None, state: ChunkState) -> None:
    """A single mailing is listed before all of its phones were sent to."""
    assert make_situation(None, make_list(0, 1, count=count), make_desired(via="single")).listed == (
        state,
        state,
    )


def test_listed_is_empty_where_the_lock_knows_more() -> None:
    """A mailing that is begun, or recorded by phone, is judged by the lock, not by the list."""
    assert make_situation(make_entry(A, P), make_list(0)).listed == ()
    assert make_situation(make_entry(P, P, transport="single"), make_list(0, 1, count=2)).listed == ()
    assert is_recorded_singly(make_entry(P, P, transport="single"), 1, MARKS)
    assert not is_recorded_singly(make_entry(P, P, transport="single"), 2, MARKS)


def test_draft_is_outdated_if_other_contacts_would_be_uploaded() -> None:
    """A draft is outdated if its contacts would be others; one found at sms.by has no digest and is not judged."""
    entry = make_entry(D, D)

    def with_upload(digest: str) -> Entry:
        return entry.put_chunk(0, replace(entry.chunks[0], upload=UploadRecord(digest)))

    desired = make_desired(contacts="now")
    verdicts = [
        make_situation(with_upload(digest), desired=desired).has_outdated_draft
        for digest in ("now", "before", "")
    ]
    assert verdicts == [False, True, False]


def test_sent_earlier_counts_only_what_was_sent() -> None:
    """Only sent chunks count; a partly sent one counts with all recipients, since any of them may have got it."""
    second = make_desired(revision=2)
    entry = make_entry(A, P)
    assert make_situation(entry, desired=second).sent_earlier == (entry, 2)
    assert make_situation(entry).sent_earlier is None  # not a lower revision
    in_part = entry.put_chunk(
        1, ChunkRecord(MARKS[1], 2, "d", ChunkState.PARTIAL, phones=PhoneStates.parse("a:1 p:1"))
    )
    assert make_situation(in_part, desired=second).sent_earlier == (in_part, 4)
    unknown = make_entry(A, U)
    found = make_situation(unknown, make_list(1), second)
    assert found.sent_earlier == (unknown, 4)  # sms.by lists it


def test_sent_earlier_looks_behind_what_was_not_sent() -> None:
    """The last revision that reached recipients counts, not a rejected or withdrawn one after it."""
    first, taken_back = make_entry(A, A), make_entry(A, A, revision=2, ending=_WITHDRAWN)
    rejected = make_entry(R, R, revision=3, earlier=(taken_back, first))
    for revision in (3, 4):
        here = make_situation(rejected, desired=make_desired(revision=revision))
        assert here.sent_earlier == (first, 4)
    assert make_situation(make_entry(R, R)).sent_earlier is None


@pytest.mark.parametrize(("ahead", "past"), [(timedelta(seconds=1), False), (timedelta(0), True)])
def test_is_past_at_the_very_moment(ahead: timedelta, past: bool) -> None:
    """A time is past from its very moment, and a mailing without a time is never late."""
    assert is_past(NOW + ahead, NOW) is past
    assert not is_past(None, NOW)
