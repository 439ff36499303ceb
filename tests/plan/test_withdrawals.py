"""Withdrawing and abandoning: what each allows, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.errors import Refused, UsageError
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.records import ChunkState, Entry, EntryState, Lock
from smsby_deploy.lock.serialization import write_lock
from smsby_deploy.lock.store import LockStore
from smsby_deploy.plan.withdrawals import AccountList, abandon_mailing, drafts_of, withdraw_mailing
from smsby_deploy.smsby.parsers import KeepMailing, MailingList, RemoteMailing, read_mailings
from tests.lock.examples import entry
from tests.smsby.conftest import keep_all

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
LATER = "2026-12-02T10:00:00+03:00"
HERE = Binding("production", "https://app.sms.by", "0123456789ab")
P, U, A, R, D, S = (
    ChunkState.PENDING,
    ChunkState.UNKNOWN,
    ChunkState.ACCEPTED,
    ChunkState.REJECTED,
    ChunkState.DRAFT,
    ChunkState.SUPPRESSED,
)
APPROVAL = Approval("2026-11-30T10:00:00Z", "p", "anna", "2026-12-01T10:00:00Z", "2026-12-02T06:40:00Z")


def _entry(*states: ChunkState, ago: int = 3600, **changes: Any) -> Entry:
    """Return a mailing whose accepted chunks were accepted `ago` seconds ago."""
    made = entry(*states)
    at = (NOW - timedelta(seconds=ago)).isoformat()
    chunks = tuple(replace(one, accepted_at=at) if one.state is A else one for one in made.chunks)
    return replace(made, chunks=chunks, **changes)


def _ended(kind: EndingKind) -> Ending:
    return Ending(kind, "2026-11-30T10:00:00Z", "boris", "")


class _List:
    """A client whose list shows mailings with these names; `kept` are those that were needed."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.reads = 0
        self.kept: tuple[RemoteMailing, ...] = ()

    def get_sms_messages(self, *, keep: KeepMailing) -> MailingList:
        self.reads += 1
        rows = [{"id": number, "name": name, "status": "NEW"} for number, name in enumerate(self.names, 1)]
        self.kept = tuple(one for one in read_mailings({"data": rows}, keep_all) if keep(one.id, one.name))
        return MailingList(self.kept, len(rows))

    def account(self, here: Binding = HERE) -> AccountList:
        client: Any = self
        return AccountList(lambda: here, lambda: client, reconcile_seconds=30)


@pytest.fixture
def change(tmp_path: Path) -> Callable[..., Entry]:
    """A function that records mailings, makes a change, and returns the record of a/b afterwards."""

    def make(do: Callable[[LockEdit], Any], **mailings: Entry) -> Entry:
        store = LockStore(tmp_path / "lock.json", "shop")
        entries = {f"a/{name}": recorded for name, recorded in mailings.items()}
        store.path.write_text(
            write_lock(Lock("shop", 1, "line", entries, service=HERE.service, account=HERE.account))
        )
        with store.held() as held:
            do(LockEdit(held, by="anna", at="2026-12-01T09:00:00Z", reason="typo"))
        (resolution,) = store.read().resolutions
        assert (resolution.address, resolution.by, resolution.reason) == ("a/b", "anna", "typo")
        return store.read().mailings["a/b"]

    return make


@pytest.mark.parametrize("ending", [None, _ended(EndingKind.LAPSED)])
def test_withdraw_revokes_an_approval(ending: Ending | None, change: Callable[..., Entry]) -> None:
    """An approval can be withdrawn without asking sms.by, even if it has lapsed, since it could be renewed."""
    remote = _List()
    waiting = _entry(P, approval=APPROVAL, schedule_time=LATER, ending=ending)
    after = change(lambda edit: withdraw_mailing(edit, "a/b", NOW, remote.account()), b=waiting)
    assert after == replace(
        waiting, ending=Ending(EndingKind.WITHDRAWN, "2026-12-01T09:00:00Z", "anna", "typo")
    )
    assert after.state is EntryState.WITHDRAWN
    assert remote.reads == 0


@pytest.mark.parametrize("states", [(A,), (A, P), (A, R)])
def test_withdraw_believes_that_a_scheduled_mailing_was_deleted(
    states: tuple[ChunkState, ...], change: Callable[..., Entry]
) -> None:
    """A scheduled mailing counts as deleted if the list lacks it and shows another mailing of the lock."""
    other = _entry(A)
    remote = _List(f"a/c shop#{other.chunks[0].fingerprint}", *(f"of another project {n}" for n in range(3)))
    scheduled = _entry(*states, schedule_time=LATER)
    moved = replace(
        scheduled, chunks=tuple(replace(c, fingerprint=f"f{c.fingerprint[1:]}") for c in scheduled.chunks)
    )
    after = change(lambda edit: withdraw_mailing(edit, "a/b", NOW, remote.account()), b=moved, c=other)
    assert after.is_withdrawn
    assert after.chunks == moved.chunks
    assert [one.id for one in remote.kept] == [1]  # a list of any length is read in little memory


@pytest.mark.parametrize(
    ("shown", "ago", "why"),
    [
        (("a/b shop#0000000000",), 3600, "sms.by still lists a/b"),
        ((), 29, "moments ago"),
        (("foreign",), 3600, "does not prove"),
    ],
)
def test_withdraw_refuses_what_may_still_go_out(
    shown: tuple[str, ...], ago: int, why: str, change: Callable[..., Entry]
) -> None:
    """A mailing that is listed, may be listed late, or whose list shows nothing we sent, cannot be withdrawn."""
    scheduled, others = _entry(A, ago=ago, schedule_time=LATER), {}
    if shown == ("foreign",):
        other = _entry(A)
        others = {"c": replace(other, chunks=(replace(other.chunks[0], fingerprint="1" * 10),))}
    with pytest.raises(Refused, match=why):
        change(
            lambda edit: withdraw_mailing(edit, "a/b", NOW, _List(*shown).account()), b=scheduled, **others
        )
    assert change(lambda edit: withdraw_mailing(edit, "a/b", NOW, None), b=scheduled).is_withdrawn


@pytest.mark.parametrize(
    ("here", "why", "reads"),
    [
        (replace(HERE, service="https://other.by"), "records what https://app.sms.by accepted", 0),
        (
            replace(HERE, account="fedcba987654"),
            "what account 0123456789ab of https://app.sms.by accepted",
            1,
        ),
    ],
)
def test_withdraw_believes_only_the_account_of_the_lock(
    here: Binding, why: str, reads: int, change: Callable[..., Entry]
) -> None:
    """Only the lock's account proves a deletion, and another service is not asked."""
    remote, scheduled = _List(), _entry(A, schedule_time=LATER)
    with pytest.raises(Refused, match=why):
        change(lambda edit: withdraw_mailing(edit, "a/b", NOW, remote.account(here)), b=scheduled)
    assert remote.reads == reads


@pytest.mark.parametrize(("states", "is_begun"), [((A, A), True), ((R, A), False)])
def test_withdraw_refuses_a_spread_mailing_that_has_begun(
    states: tuple[ChunkState, ...], is_begun: bool, change: Callable[..., Entry]
) -> None:
    """A spread mailing cannot be withdrawn once a chunk is gone, as withdrawn means that no recipient got it."""
    made = _entry(*states, schedule_time="2026-12-01T08:00:00+00:00")
    times = zip(made.chunks, (made.schedule_time, "2026-12-01T10:00:00+00:00"), strict=True)
    spread = replace(made, chunks=tuple(replace(chunk, schedule_time=time) for chunk, time in times))
    if not is_begun:
        assert change(lambda edit: withdraw_mailing(edit, "a/b", NOW, None), b=spread).is_withdrawn
        return
    with pytest.raises(Refused, match="1 of the 2 chunks of a/b can no longer be withdrawn"):
        change(lambda edit: withdraw_mailing(edit, "a/b", NOW, None), b=spread)


@pytest.mark.parametrize(
    ("recorded", "why"),
    [
        (_entry(A, U, schedule_time=LATER), "may have been sent: it has an unknown chunk"),
        (_entry(P, U, approval=APPROVAL), "may have been sent: it has an unknown chunk"),
        (_entry(A), "is gone: it was sent and"),
        (
            _entry(A, schedule_time="2026-12-01T11:59:00+03:00"),
            r"is gone: it was sent at 2026-12-01 11:59 \+03 and",
        ),
        (_entry(A, P), "is gone"),
        (_entry(P, R), "needs no withdrawal: none of it was approved"),
        (_entry(D), "needs no withdrawal: it is an unconfirmed draft"),
        (_entry(S), "needs no withdrawal"),
        (
            _entry(A, schedule_time=LATER, ending=_ended(EndingKind.WITHDRAWN)),
            "already withdrawn by boris on 2026-11-30",
        ),
    ],
)
def test_withdraw_refuses_what_is_not_ahead(recorded: Entry, why: str, change: Callable[..., Entry]) -> None:
    """A mailing that is not scheduled cannot be withdrawn, whatever the user knows, and the reason is given."""
    with pytest.raises(Refused, match=why):
        change(lambda edit: withdraw_mailing(edit, "a/b", NOW, None), b=recorded)


def test_withdraw_takes_an_earlier_revision_that_is_scheduled(change: Callable[..., Entry]) -> None:
    """An earlier revision that is still scheduled can be withdrawn if the present one was not sent."""
    earlier = _entry(A, schedule_time=LATER)
    after = change(
        lambda edit: withdraw_mailing(edit, "a/b", NOW, _List().account()),
        b=replace(_entry(P), revision=2, earlier=(earlier,)),
    )
    assert after.ending is None
    assert after.earlier[0].is_withdrawn


@pytest.mark.parametrize("states", [(A, P), (A, R), (P, R), (D,), (P,), (S, P)])
def test_abandon_ends_what_was_certainly_not_sent(
    states: tuple[ChunkState, ...], change: Callable[..., Entry]
) -> None:
    """Abandoning keeps the record of what was sent, with the user who decided."""
    before = _entry(*states)
    after = change(lambda edit: abandon_mailing(edit, "a/b", NOW), b=before)
    assert after == replace(
        before, ending=Ending(EndingKind.ABANDONED, "2026-12-01T09:00:00Z", "anna", "typo")
    )
    assert after.state is EntryState.ABANDONED


def test_abandon_ends_what_waits(change: Callable[..., Entry]) -> None:
    """An approved mailing that is abandoned is never handed over."""
    after = change(
        lambda edit: abandon_mailing(edit, "a/b", NOW), b=_entry(P, approval=APPROVAL, schedule_time=LATER)
    )
    assert after.state is EntryState.ABANDONED


@pytest.mark.parametrize(
    ("recorded", "why"),
    [
        (_entry(A, U, P), "may have been sent: it has an unknown chunk"),
        (_entry(A, S), "nothing of a/b remains"),
        (_entry(A, P, ending=_ended(EndingKind.ABANDONED)), "is already abandoned by boris"),
        (_entry(A, P, ending=_ended(EndingKind.WITHDRAWN)), "is already withdrawn by boris"),
    ],
)
def test_abandon_refuses_what_has_no_rest(recorded: Entry, why: str, change: Callable[..., Entry]) -> None:
    """A mailing with an unknown chunk cannot be abandoned until it is resolved."""
    with pytest.raises(Refused, match=why):
        change(lambda edit: abandon_mailing(edit, "a/b", NOW), b=recorded)


@pytest.mark.parametrize(
    ("recorded", "hint"),
    [
        (_entry(A), "send a correction as another mailing"),
        (_entry(A, P), "unsent, use `smsby-deploy lock abandon a/b`"),
    ],
)
def test_withdraw_names_abandon_only_for_a_rest(
    recorded: Entry, hint: str, change: Callable[..., Entry]
) -> None:
    """`lock withdraw` suggests `lock abandon` only if there is an unsent rest, so they do not refer to each other."""
    with pytest.raises(Refused) as refusal:
        change(lambda edit: withdraw_mailing(edit, "a/b", NOW, None), b=recorded)
    assert str(refusal.value.hint).endswith(hint)


@pytest.mark.parametrize(
    ("time", "is_named"), [(LATER, True), ("2026-12-01T11:59:00+03:00", False), (None, False)]
)
def test_abandon_names_withdraw_only_before_the_time(
    time: str | None, is_named: bool, change: Callable[..., Entry]
) -> None:
    """`lock abandon` suggests `lock withdraw` only before the scheduled time."""
    with pytest.raises(Refused) as refusal:
        change(lambda edit: abandon_mailing(edit, "a/b", NOW), b=_entry(A, schedule_time=time))
    assert ("lock withdraw a/b" in str(refusal.value.hint)) is is_named


def test_withdraw_names_only_what_is_still_listed(change: Callable[..., Entry]) -> None:
    """Of two requests, one already deleted, `lock withdraw` names only the listed one."""
    scheduled = _entry(A, A, schedule_time=LATER)
    kept = scheduled.chunks[1].fingerprint
    with pytest.raises(Refused) as refusal:
        change(
            lambda edit: withdraw_mailing(edit, "a/b", NOW, _List(f"a/b [2/2] shop#{kept}").account()),
            b=scheduled,
        )
    assert str(refusal.value.hint).startswith(f"delete `a/b [2/2] shop#{kept}` (id 1) in the account")


def test_take_back_needs_a_record(change: Callable[..., Entry]) -> None:
    """A mailing without a record is wrong usage."""
    for act in (
        lambda edit: abandon_mailing(edit, "a/x", NOW),
        lambda edit: withdraw_mailing(edit, "a/x", NOW, None),
    ):
        with pytest.raises(UsageError, match="no mailing a/x"):
            change(act, b=_entry(P))


def test_drafts_of_names_the_drafts_that_exist() -> None:
    """Existing drafts are named, since they can still be confirmed in the account."""
    made = _entry(D, A, D)
    chunks = (replace(made.chunks[0], message_id=7), *made.chunks[1:])
    assert drafts_of(replace(made, chunks=chunks)) == ["7", "?"]
