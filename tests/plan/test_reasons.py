"""The sentences of a plan name the command that helps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smsby_deploy.lock.records import ChunkState
from smsby_deploy.plan.reasons import (
    audience_changed,
    expired_since,
    lowered_revision,
    opted_out_since_draft,
    orphaned,
    sent_again,
    unchanged,
)
from tests.plan.situations import NOW, A, P, R, U, make_desired, make_entry, make_situation


@pytest.mark.parametrize(("state", "words"), [(A, "2 was sent"), (R, "2 is recorded"), (U, "2 is recorded")])
def test_lowered_revision_says_what_is_certain(state: ChunkState, words: str) -> None:
    """A lowered revision is called sent only if that is certain: not if it was rejected or is unknown."""
    here = make_situation(make_entry(state, state, revision=2))
    assert lowered_revision(here).startswith(f"revision {words}, the file says 1;")


def test_reasons_say_what_to_do() -> None:
    """Each reason has the fact and a way out."""
    assert expired_since(datetime(2026, 3, 1, 10, tzinfo=UTC)).startswith(
        "its schedule_time 2026-03-01 10:00 UTC has passed"
    )
    assert "raise `revision` to 3" in opted_out_since_draft(2)
    assert "recorded (partial), no longer in the files" in orphaned("sale/vip", make_entry(A, P))


@pytest.mark.parametrize(
    ("ahead", "word"),
    [
        (None, "sent"),
        (timedelta(0), "sent"),
        (timedelta(hours=-1), "sent"),
        (timedelta(hours=1), "scheduled"),
    ],
)
def test_unchanged_is_not_called_sent_before_its_time(ahead: timedelta | None, word: str) -> None:
    """A scheduled mailing is called accepted, not sent, before its recorded time."""
    time = None if ahead is None else (NOW + ahead).isoformat()
    here = make_situation(make_entry(A, A, schedule_time=time))
    assert unchanged(here) == f"{word}, unchanged"
    assert audience_changed(here).startswith(f"the audience changed after it was {word}; ")


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        (None, "who already got revision 1"),
        ("2026-11-23T10:00:00+03:00", "who already got revision 1"),
        ("2026-11-24T10:00:00+03:00", "for whom revision 1 is scheduled"),
    ],
)
def test_sent_again_of_what_is_only_scheduled(recorded: str | None, words: str) -> None:
    """While the earlier revision is only scheduled, its recipients are not said to have got it."""
    desired = make_desired(revision=2, schedule_time=NOW + timedelta(days=2))
    here = make_situation(make_entry(A, A, schedule_time=recorded), desired=desired)
    assert words in sent_again(here)
