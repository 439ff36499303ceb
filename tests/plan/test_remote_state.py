"""The index of the remote list."""

from __future__ import annotations

import pytest

from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.remote_state import RemoteView, merge_entry, view_remote
from smsby_deploy.smsby.parsers import RemoteMailing


def _mailing(number: int, name: str, status: str = "SENT") -> RemoteMailing:
    return RemoteMailing(number, name, None, None, None, None, None, status, None, None, None, None)


def test_view_remote_indexes_own_mailings() -> None:
    """Mailings of other projects are found by id only; names without a fingerprint by their first word."""
    view = view_remote(
        "shop",
        [
            _mailing(1, "sale/vip shop#aaaaaaaaaa"),
            _mailing(2, "sale/vip other#bbbbbbbbbb"),
            _mailing(3, "sale/vip [1/2] shop#a"),
        ],
    )
    assert list(view.by_fingerprint) == ["aaaaaaaaaa"]
    assert sorted(view.by_id) == [1, 2, 3]
    assert view.unmarked == {"sale/vip": ["sale/vip [1/2] shop#a"]}


def test_view_remote_prefers_sent_mailings_to_drafts() -> None:
    """Of two mailings with one fingerprint the sent one counts; both ids are known."""
    name = "sale/vip shop#aaaaaaaaaa"
    for order in ((1, 2), (2, 1)):
        view = view_remote("shop", [_mailing(n, name, "DRAFT" if n == 1 else "SENT") for n in order])
        assert view.by_fingerprint["aaaaaaaaaa"].id == 2
        assert sorted(view.ids["aaaaaaaaaa"]) == [1, 2]


def test_other_fingerprints_of_an_address_and_revision() -> None:
    """Planned fingerprints and other revisions are no collision."""
    view = view_remote(
        "shop",
        [
            _mailing(1, "sale/vip shop#aaaaaaaaaa"),
            _mailing(2, "sale/vip shop#bbbbbbbbbb"),
            _mailing(3, "sale/vip r2 shop#cccccccccc"),
        ],
    )
    assert view.other_fingerprints("sale/vip", 1, frozenset({"aaaaaaaaaa"})) == ["bbbbbbbbbb"]
    assert view.other_fingerprints("sale/staff", 1, frozenset()) == []


def test_truncated_name_of_20_characters_or_more() -> None:
    """A shorter name proves nothing, a longer one may be this mailing."""
    name = "spring-sale/vip shop#"
    assert view_remote("shop", [_mailing(1, name)]).truncated_name("shop", "spring-sale/vip", 1) == name
    assert view_remote("shop", [_mailing(1, name[:19])]).truncated_name("shop", "spring-sale/vip", 1) is None


A, D, N = ChunkState.ACCEPTED, ChunkState.DRAFT, ChunkState.DECLARED_UNSENT
P, R, S, U = ChunkState.PENDING, ChunkState.REJECTED, ChunkState.SUPPRESSED, ChunkState.UNKNOWN


def _entry(states: list[ChunkState], via: str = "bulk") -> Entry:
    chunks = tuple(ChunkRecord(f"{i:010}", 1, "d", state) for i, state in enumerate(states))
    applied = AppliedBy("t", "p", None, "x")
    return Entry(1, "c", "a", via, "0", 0, None, 2, 2, None, chunks, applied)


def _listed(*chunks: int, status: str = "SENT") -> RemoteView:
    mailings = [
        RemoteMailing(
            number, f"sale/vip shop#{number:010}", None, None, None, None, None, status, None, None, None, None
        )
        for number in chunks
    ]  # fmt: skip
    return view_remote("shop", mailings)


@pytest.mark.parametrize(
    ("states", "listed", "merged"),
    [
        ([A, P], (), [A, P]),  # absence proves nothing
        ([A, P], (0,), [A, P]),
        ([U, U], (0,), [A, U]),
        ([A, P], (1,), [A, A]),
        ([P, P], (0,), [A, U]),  # the lock is outdated, so nothing that it calls unsent is certain
        ([R, P, A], (0,), [A, U, A]),
        ([N, P], (0,), [A, P]),  # a manual resolution casts no doubt on other chunks
        ([P, N], (0,), [A, N]),
        ([S, A], (0, 1), [S, A]),
    ],
)
def test_merge_entry(states: list[ChunkState], listed: tuple[int, ...], merged: list[ChunkState]) -> None:
    """A listed chunk was accepted, and a listed chunk that the lock calls unsent makes the others unknown."""
    assert list(merge_entry(_entry(states), _listed(*listed))) == merged


def test_merge_entry_finds_drafts() -> None:
    """A listed draft was not sent."""
    assert merge_entry(_entry([U]), _listed(0, status="DRAFT")) == (D,)


def test_merge_entry_keeps_single_sends() -> None:
    """A listed message proves nothing about a single phone."""
    assert merge_entry(_entry([U, P], "single"), _listed(0, 1)) == (U, P)


def test_merge_entry_offline_keeps_the_lock() -> None:
    """Without a remote list the lock is all that is known."""
    assert merge_entry(_entry([U, P]), None) == (U, P)
