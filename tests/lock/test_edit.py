"""Manual changes of the lock: what is allowed, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.digest_key import NO_KEY, DigestKey
from smsby_deploy.errors import Refused, SmsbyDeployError, UsageError
from smsby_deploy.lock.archive import read_archive
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.counts import Billed, Deliveries, Reported, VariantCount
from smsby_deploy.lock.decisions import Ending, EndingKind, VerdictKind, WaveVerdict
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.journal import Journal
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import ELSEWHERE, ChunkState, Entry, EntryState, Lock
from smsby_deploy.lock.serialization import write_lock
from smsby_deploy.lock.store import LockStore
from tests.lock.examples import entry

UNKNOWN, ACCEPTED, REJECTED, DRAFT = (
    ChunkState.UNKNOWN,
    ChunkState.ACCEPTED,
    ChunkState.REJECTED,
    ChunkState.DRAFT,
)


_HERE = Binding("production", "https://app.sms.by", "0123456789ab")


def _no_space() -> None:
    raise OSError(28, "No space left on device")


class Desk:
    """A lock on disk, and manual changes to it."""

    def __init__(self, path: Path) -> None:
        self.store = LockStore(path, "shop")
        self.store.zone = ZoneInfo("Europe/Minsk")

    def record(self, **mailings: Entry) -> None:
        """Write a lock with a mailing a/NAME for each NAME."""
        entries = {f"a/{name}": recorded for name, recorded in mailings.items()}
        self.store.path.write_text(write_lock(Lock("shop", 1, "line", entries)))

    def edit(self, change: Callable[[LockEdit], Any]) -> Any:
        with self.store.held() as held:
            return change(LockEdit(held, by="anna", at="2026-11-24T07:00:00Z", reason="because"))

    def states(self, name: str) -> list[ChunkState]:
        return [chunk.state for chunk in self.store.read().mailings[f"a/{name}"].chunks]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "lock.json")


@pytest.mark.parametrize(
    ("step", "sent", "message_id", "state"),
    [
        (None, True, None, ACCEPTED),
        (None, False, None, ChunkState.DECLARED_UNSENT),
        ("draft", True, None, ACCEPTED),
        ("draft", True, 5, DRAFT),
        ("draft", False, None, ChunkState.DECLARED_UNSENT),
        ("confirm", True, None, ACCEPTED),
        ("confirm", False, None, DRAFT),
    ],
)
def test_resolve_settles_only_the_unknown_chunks(
    desk: Desk, step: str | None, sent: bool, message_id: int | None, state: ChunkState
) -> None:
    """Resolving settles only unknown chunks, by the request that was lost, and records the reason."""
    transport = "bulk" if step is None else "list"
    desk.record(b=replace(entry(ACCEPTED, UNKNOWN, REJECTED, step=step), transport=transport))
    assert desk.edit(lambda change: change.resolve("a/b", sent=sent, message_id=message_id)) == 1
    assert desk.states("b") == [ACCEPTED, state, REJECTED]
    assert desk.store.read().mailings["a/b"].chunks[1].message_id == message_id
    (resolution,) = desk.store.read().resolutions
    assert resolution.what == ("resolved as sent" if sent else "resolved as not sent")
    assert (resolution.address, resolution.by, resolution.at, resolution.reason) == (
        "a/b",
        "anna",
        "2026-11-24T07:00:00Z",
        "because",
    )


@pytest.mark.parametrize(
    ("step", "sent", "opted_out", "then"),
    [(None, True, "3", None), (ELSEWHERE, True, None, ELSEWHERE), (ELSEWHERE, False, "3", None)],
)
def test_resolve_knows_no_opt_outs_of_another_run(
    desk: Desk, step: str | None, sent: bool, opted_out: str | None, then: str | None
) -> None:
    """The opt-outs of a resolved request are known only if this lock's run sent it."""
    unknown = entry(UNKNOWN, step=step)
    desk.record(b=unknown.put_chunk(0, replace(unknown.chunks[0], opted_out="3")))
    desk.edit(lambda change: change.resolve("a/b", sent=sent))
    chunk = desk.store.read().mailings["a/b"].chunks[0]
    assert (chunk.opted_out, chunk.step) == (opted_out, then)


@pytest.mark.parametrize("change", ["resolve", "move", "remove"])
def test_edit_refuses_a_mailing_that_is_not_recorded(desk: Desk, change: str) -> None:
    """A mailing that is not recorded is an error that says how to list the recorded ones, and nothing is written."""
    desk.record(b=entry())
    before = desk.store.path.read_bytes()
    arguments: dict[str, Any] = {"resolve": {"sent": True}, "move": {"to": "a/d"}, "remove": {}}[change]
    with pytest.raises(UsageError, match="no mailing a/c"):
        desk.edit(lambda edit: getattr(edit, change)("a/c", **arguments))
    assert desk.store.path.read_bytes() == before


def test_resolve_refuses_a_mailing_without_unknown_chunks(desk: Desk) -> None:
    """A mailing without unknown chunks cannot be resolved."""
    desk.record(b=entry(REJECTED))
    with pytest.raises(UsageError, match="no unknown chunk"):
        desk.edit(lambda change: change.resolve("a/b", sent=True))


@pytest.mark.parametrize("transport", ["bulk", "single"])
def test_resolve_refuses_an_id_that_is_of_no_draft(desk: Desk, transport: str) -> None:
    """A message id is refused for a mailing without a draft, as it would be recorded for each unknown chunk."""
    desk.record(b=replace(entry(UNKNOWN, UNKNOWN), transport=transport))
    with pytest.raises(UsageError, match="a/b has no draft"):
        desk.edit(lambda change: change.resolve("a/b", sent=True, message_id=5))
    assert desk.states("b") == [UNKNOWN, UNKNOWN]


def test_move_keeps_the_record(desk: Desk) -> None:
    """A mailing can be moved only to a free address."""
    desk.record(b=entry(ACCEPTED), c=entry())
    with pytest.raises(UsageError, match="a/c is already recorded"):
        desk.edit(lambda change: change.move("a/b", "a/c"))
    with pytest.raises(UsageError, match="the new name is not an address"):
        desk.edit(lambda change: change.move("a/b", "d"))
    desk.edit(lambda change: change.move("a/b", "a/d"))
    assert set(desk.store.read().mailings) == {"a/c", "a/d"}
    assert desk.states("d") == [ACCEPTED]


def test_settled_chunk_is_declared_wherever_it_moves(desk: Desk) -> None:
    """A chunk settled by a user stays declared after a move, and a draft does not count as accepted."""
    desk.record(b=entry(UNKNOWN, ACCEPTED), c=replace(entry(UNKNOWN, step="draft"), transport="list"))
    desk.edit(lambda change: change.resolve("a/b", sent=True))
    desk.edit(lambda change: change.resolve("a/c", sent=True, message_id=5))
    desk.edit(lambda change: change.move("a/b", "a/d"))
    mailings = desk.store.read().mailings
    assert [chunk.declared for chunk in mailings["a/d"].chunks] == [True, False]
    assert not mailings["a/c"].chunks[0].declared


def test_remove_refuses_a_mailing_with_an_unknown_chunk(desk: Desk) -> None:
    """A mailing with an unknown chunk cannot be removed, since it could then be sent twice."""
    desk.record(b=entry(UNKNOWN), c=entry(ACCEPTED))
    with pytest.raises(UsageError, match="could be sent twice"):
        desk.edit(lambda change: change.remove("a/b"))
    desk.edit(lambda change: change.remove("a/c"))
    assert set(desk.store.read().mailings) == {"a/b"}


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        (entry(UNKNOWN), "it has an unknown chunk"),
        (entry(ACCEPTED), r"already recorded \(complete\)"),
        (entry(ACCEPTED, REJECTED), r"already recorded \(partial\)"),
        (entry(revision=3), "recorded with revision 3, but the file has 2"),
    ],
)
def test_adopt_refuses_what_was_sent_or_is_unknown(desk: Desk, recorded: Entry, message: str) -> None:
    """An import does not replace a mailing that was sent or is unknown."""
    desk.record(b=replace(recorded, revision=max(recorded.revision, 2)))
    with pytest.raises(Refused, match=message):
        desk.edit(lambda change: change.adopt("a/b", entry(ACCEPTED, revision=2), "message 5"))


def test_adopt_refuses_the_message_of_another_mailing(desk: Desk) -> None:
    """A message of another mailing, in any revision, is refused."""
    sent = entry(ACCEPTED)
    owner = replace(entry(revision=2), earlier=(sent.put_chunk(0, replace(sent.chunks[0], message_id=5)),))
    desk.record(b=owner)
    imported = sent.put_chunk(0, replace(sent.chunks[0], message_id=5))
    with pytest.raises(Refused, match="message 5 is already recorded for a/b"):
        desk.edit(lambda change: change.adopt("a/c", imported, "message 5"))


def test_adopt_keeps_earlier_revisions(desk: Desk) -> None:
    """An imported revision is added before earlier ones, and replaces an unsent record of the same revision."""
    desk.record(b=entry(ACCEPTED), c=entry(REJECTED, revision=2))
    for name, revision in (("b", 2), ("c", 2), ("b", 3)):
        imported = entry(ACCEPTED, revision=revision)
        desk.edit(lambda change, name=name, new=imported: change.adopt(f"a/{name}", new, "message 5"))
    mailings = desk.store.read().mailings
    assert [old.revision for old in mailings["a/b"].earlier] == [2, 1]
    assert all(old.earlier == () for old in mailings["a/b"].earlier)
    assert mailings["a/c"].earlier == ()
    assert {recorded.state for recorded in mailings.values()} == {EntryState.COMPLETE}
    assert [resolution.what for resolution in desk.store.read().resolutions] == ["imported: message 5"] * 3


def test_adopt_binds_and_seals(desk: Desk) -> None:
    """An import into an empty lock records the service and account, and the seal for a key rotation."""
    key = DigestKey("0123456789abcdef" * 2)
    digest = key.apply("ab" * 32)
    imported = replace(entry(ACCEPTED), audience_digest=digest)
    desk.edit(lambda change: change.adopt("a/b", imported, "message 5", _HERE, key))
    lock = desk.store.read()
    assert (lock.environment, lock.service, lock.account) == astuple(_HERE)
    assert (lock.digest_key, {*lock.sealed}) == (key.id, {digest})


def test_bind_is_recorded_as_a_change_of_the_user(desk: Desk) -> None:
    """`lock bind` is recorded as a user's change of the whole lock."""
    desk.record(b=entry(ACCEPTED))
    desk.edit(lambda change: change.bind(_HERE))
    lock = desk.store.read()
    assert (lock.environment, lock.service, lock.account) == astuple(_HERE)
    assert [(one.address, one.what) for one in lock.resolutions] == [("*", "bound to https://app.sms.by")]


def test_rekey_replaces_the_digests_in_lock_and_archive(desk: Desk) -> None:
    """A rekey replaces all digests, archived ones included, once; an empty lock needs no key."""
    key = DigestKey("0123456789abcdef" * 2)
    bare = "ab" * 32
    desk.record()
    assert not desk.edit(lambda change: change.rekey(NO_KEY, key))
    recorded = entry(ACCEPTED)
    recorded = replace(recorded, audience_digest=bare, chunks=(replace(recorded.chunks[0], digest=bare),))
    desk.record(b=recorded, c=recorded)
    desk.edit(lambda change: change.archive({"a/c": desk.store.read().mailings["a/c"]}))
    assert desk.edit(lambda change: change.rekey(NO_KEY, key))
    lock = desk.store.read()
    assert lock.mailings["a/b"].audience_digest == key.apply(bare)
    assert [line.entry().audience_digest for line in read_archive(lock)] == [key.apply(bare)]
    assert lock.resolutions[-1].what == f"keyed with {key.id}"
    assert not desk.edit(lambda change: change.rekey(NO_KEY, key))


def test_edit_that_is_not_journaled_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that the journal does not accept is not made; the error says what to do, and the journal is closed."""
    desk.record(b=entry(UNKNOWN))
    closed: list[Journal] = []
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "_write_line", lambda journal, line: _no_space())
        patched.setattr(Journal, "close", lambda journal: closed.append(journal))
        with pytest.raises(SmsbyDeployError, match="cannot write the journal") as caught:
            desk.edit(lambda change: change.resolve("a/b", sent=True))
    assert closed
    assert caught.value.hint == "free disk space or fix permissions, then run the command again"
    assert desk.states("b") == [UNKNOWN]


def _rescue_file(*results: tuple[int, str, dict[str, Any]], lineage: str = "line") -> dict[str, Any]:
    return {
        "project": "shop",
        "lineage": lineage,
        "results": [
            {"chunks": [["a/b", index, fingerprint]], "changes": {"state": "accepted", "uuid": "u"}, **more}
            for index, fingerprint, more in results
        ],
    }


def test_rescue_settles_only_unknown_chunks(desk: Desk) -> None:
    """A rescued result settles only what is unknown, and a second rescue changes nothing."""
    desk.record(b=entry(UNKNOWN, REJECTED))
    document = _rescue_file((0, "0000000000", {}), (1, "0000000001", {}))
    assert desk.edit(lambda change: change.rescue(document)) == 1
    assert desk.states("b") == [ACCEPTED, REJECTED]
    assert desk.edit(lambda change: change.rescue(document)) == 0


@pytest.mark.parametrize(("row", "settled"), [(0, 0), (1, 1), (7, 0)])
def test_rescue_settles_only_an_unknown_phone(desk: Desk, row: int, settled: int) -> None:
    """With `row` a result settles only that phone, which must exist and be unknown."""
    recorded = entry(UNKNOWN)
    chunk = recorded.chunks[0].with_phones(PhoneStates.parse("r:1 u:1"))
    desk.record(b=recorded.put_chunk(0, chunk))
    assert desk.edit(lambda change: change.rescue(_rescue_file((0, "0000000000", {"row": row})))) == settled
    phones = desk.store.read().mailings["a/b"].chunks[0].phones
    assert str(phones) == ("r:1 a:1" if settled else "r:1 u:1")


@pytest.mark.parametrize(
    "document",
    [
        _rescue_file((0, "0000000000", {}), lineage="other"),
        _rescue_file((0, "9999999999", {})),
        _rescue_file((1, "0000000001", {})),
        _rescue_file((4, "0000000004", {})),
    ],
)
def test_rescue_refuses_a_file_of_another_lock(desk: Desk, document: dict[str, Any]) -> None:
    """A rescue file of another lineage, or with other chunks, is wrong usage, and nothing is written."""
    desk.record(b=entry(UNKNOWN))
    with pytest.raises(UsageError):
        desk.edit(lambda change: change.rescue(document))
    assert desk.states("b") == [UNKNOWN]


def test_archive_moves_only_what_is_still_recorded_like_that(desk: Desk) -> None:
    """A mailing that another run changed between the query and the lock is not archived."""
    desk.record(b=entry(ACCEPTED), c=entry(ACCEPTED))
    seen = {**desk.store.read().mailings, "a/c": entry(UNKNOWN), "a/gone": entry(ACCEPTED)}
    assert desk.edit(lambda change: change.archive(seen)) == ["a/b"]
    lock = desk.store.read()
    assert (list(lock.mailings), lock.archived, lock.serial) == (["a/c"], 1, 2)
    assert [(one.address, one.what) for one in lock.resolutions] == [("archive", "archived 1 mailing")]
    assert desk.edit(lambda change: change.archive({})) == []
    assert desk.store.read().serial == 2


def test_archive_has_what_sms_by_reported(desk: Desk) -> None:
    """The archived record has what sms.by reported, and otherwise what was recorded; the lock's mailing is unchanged."""
    variants = {"a": VariantCount(2, 2, None), "b": VariantCount(2, 2, None)}
    desk.record(
        b=replace(entry(ACCEPTED), variants=variants), c=replace(entry(ACCEPTED), billed=Billed(2, "0.05"))
    )
    reported = {
        "a/b": Reported(Billed(1, "0.03"), Deliveries(2, 0), {"a": Deliveries(1, 0)}),
        "a/c": Reported(deliveries=Deliveries(1, 1)),
    }
    desk.edit(lambda change: change.archive(desk.store.read().mailings, reported))
    found = {line.address: line.entry() for line in read_archive(desk.store.read())}
    assert (found["a/b"].billed, found["a/b"].deliveries) == (Billed(1, "0.03"), Deliveries(2, 0))
    assert found["a/b"].variants == {
        "a": VariantCount(2, 2, None, deliveries=Deliveries(1, 0)),
        "b": VariantCount(2, 2, None),
    }
    assert (found["a/c"].billed, found["a/c"].deliveries) == (Billed(2, "0.05"), Deliveries(1, 1))


def test_archived_mailing_is_not_changed(desk: Desk) -> None:
    """An archived mailing is not changed, and no other mailing gets its address or message."""
    recorded = entry(ACCEPTED)
    desk.record(b=recorded.put_chunk(0, replace(recorded.chunks[0], message_id=7)), c=entry(ACCEPTED))
    desk.edit(lambda change: change.archive({"a/b": desk.store.read().mailings["a/b"]}))
    for change in (
        lambda edit: edit.remove("a/b"),
        lambda edit: edit.move("a/b", "a/d"),
        lambda edit: edit.resolve("a/b", sent=True),
    ):
        with pytest.raises(Refused, match="a/b is archived"):
            desk.edit(change)
    with pytest.raises(UsageError, match="a/b is already recorded"):
        desk.edit(lambda edit: edit.move("a/c", "a/b"))
    imported = recorded.put_chunk(0, replace(recorded.chunks[0], message_id=7))
    with pytest.raises(Refused, match="a/b is already recorded"):
        desk.edit(lambda edit: edit.check_adoptable("a/b", imported))
    with pytest.raises(Refused, match="message 7 is already recorded for a/b"):
        desk.edit(lambda edit: edit.check_adoptable("a/new", imported))


def _stopped(*states: ChunkState, kind: VerdictKind = VerdictKind.STOP) -> Entry:
    verdict = WaveVerdict(1, kind, "2026-11-24T06:00:00Z", 200, 150, 40)
    recorded = entry(*states)
    chunks = tuple(replace(chunk, wave=number) for number, chunk in enumerate(recorded.chunks, 1))
    return replace(recorded, chunks=chunks, verdicts=(verdict,))


def test_user_lets_the_next_wave_be_sent(desk: Desk) -> None:
    """`--go` keeps the figures, and records the decision with its author and reason."""
    desk.record(x=_stopped(ACCEPTED, ChunkState.PENDING))
    assert desk.edit(lambda change: change.go("a/x")) == 1
    stop, go = desk.store.read().mailings["a/x"].verdicts
    assert (stop.kind, go.kind) == (VerdictKind.STOP, VerdictKind.GO)
    assert (go.recipients, go.delivered, go.by, go.reason) == (200, 150, "anna", "because")
    assert go.at == "2026-11-24T07:00:00Z"
    (resolution,) = desk.store.read().resolutions
    assert (resolution.address, resolution.what) == ("a/x", "wave 1: go")
    with pytest.raises(UsageError, match="was not stopped after a wave"):
        desk.edit(lambda change: change.go("a/x"))


@pytest.mark.parametrize("case", ["no waves", "go already", "complete", "abandoned"])
def test_go_is_refused_unless_a_mailing_has_stopped(desk: Desk, case: str) -> None:
    """`--go` is refused unless a mailing has stopped and was not ended."""
    recorded = {
        "no waves": entry(ACCEPTED, ChunkState.PENDING),
        "go already": replace(
            one := _stopped(ACCEPTED, ChunkState.PENDING, kind=VerdictKind.GO),
            verdicts=(replace(one.verdicts[0], by="anna"),),
        ),
        "complete": _stopped(ACCEPTED, ACCEPTED),
        "abandoned": replace(
            _stopped(ACCEPTED, ChunkState.PENDING),
            ending=Ending(EndingKind.ABANDONED, "2026-11-24T06:00:00Z", "anna", ""),
        ),
    }[case]
    desk.record(x=recorded)
    why = r"already abandoned by anna on 2026-11-24 09:00 \+03" if case == "abandoned" else "was not stopped"
    with pytest.raises((UsageError, Refused), match=why):
        desk.edit(lambda change: change.go("a/x"))
