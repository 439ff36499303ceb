"""One mailing of the lock as JSON and back; test_serialization.py has the round trip of whole locks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsby_deploy.lock.decisions import Approval, Ending, EndingKind, VerdictKind, WaveVerdict
from smsby_deploy.lock.document_checks import check_mailings
from smsby_deploy.lock.entry_json import DECLARED_UNSENT_ERROR, entry_document, read_entry
from smsby_deploy.lock.records import ChunkState, Entry
from tests.lock.examples import entry

_AT = "2026-12-01T10:00:00+03:00"


def test_declared_unsent_is_stored_as_pending_with_an_error() -> None:
    """A chunk declared unsent is stored as pending with an error, as earlier versions store and read it."""
    one = entry()
    chunk = replace(one.chunks[0], state=ChunkState.DECLARED_UNSENT, error=DECLARED_UNSENT_ERROR)
    document = entry_document(one.put_chunk(0, chunk))
    stored = document["chunks"][0]
    assert (stored["state"], stored["error"]) == ("pending", "said not to be sent")
    assert read_entry(document).chunks[0].state is ChunkState.DECLARED_UNSENT


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (replace(entry(), approval=Approval(_AT, "p1", "ci", _AT, _AT)), "waiting"),
        (replace(entry(), ending=Ending(EndingKind.WITHDRAWN, _AT, "me", "typo")), "withdrawn"),
        (
            replace(entry(ChunkState.REJECTED), ending=Ending(EndingKind.ABANDONED, _AT, "me", "")),
            "abandoned",
        ),
    ],
)
def test_approval_and_ending_are_kept_and_valid(ended: Entry, state: str) -> None:
    """Approval and ending match the schema, and mailings without them do not have their keys."""
    document = entry_document(ended)
    check_mailings({"a/b": {**document, "content_digest": "c", "audience_digest": "a"}})
    assert document["state"] == state
    assert read_entry(document) == ended
    assert {"approval", "ending"}.isdisjoint(entry_document(entry()))


def test_waves_and_verdicts_are_kept_and_valid() -> None:
    """Waves and verdicts match the schema, and mailings without them do not have their keys."""
    verdicts = (
        WaveVerdict(1, VerdictKind.STOP, _AT, 200, 150, 40),
        WaveVerdict(1, VerdictKind.GO, _AT, 200, 150, 40, "anna", "an outage"),
    )
    one = entry(ChunkState.ACCEPTED, ChunkState.PENDING)
    chunks = tuple(replace(chunk, wave=number) for number, chunk in enumerate(one.chunks, 1))
    judged = replace(one, chunks=chunks, verdicts=verdicts)
    document = entry_document(judged)
    check_mailings({"a/b": {**document, "content_digest": "c", "audience_digest": "a"}})
    assert [one["kind"] for one in document["verdicts"]] == ["stop", "go"]
    assert read_entry(document) == judged
    plain = entry_document(one)
    assert "verdicts" not in plain
    assert all("wave" not in chunk for chunk in plain["chunks"])
