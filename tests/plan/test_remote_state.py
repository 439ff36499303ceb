"""The index of the remote list."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.remote_state import ListFilter, RemoteView, merge_entry, read_remote, view_remote
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.parsers import KeepMailing, MailingList, RemoteMailing
from tests.plan.situations import view_of


def _mailing(number: int, name: str, status: str = "SENT") -> RemoteMailing:
    return RemoteMailing(number, name, None, None, None, None, status, None, None)


def test_view_remote_indexes_own_mailings() -> None:
    """Mailings of other projects are found by id only, and names without a fingerprint by their first word."""
    view = view_of(
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
    """Of two mailings with one fingerprint the sent one counts, and both ids are known."""
    name = "sale/vip shop#aaaaaaaaaa"
    for order in ((1, 2), (2, 1)):
        view = view_of("shop", [_mailing(n, name, "DRAFT" if n == 1 else "SENT") for n in order])
        assert view.by_fingerprint["aaaaaaaaaa"].id == 2
        assert sorted(view.ids["aaaaaaaaaa"]) == [1, 2]


def test_other_fingerprints_of_an_address_and_revision() -> None:
    """Planned fingerprints and other revisions are no collision."""
    view = view_of(
        "shop",
        [
            _mailing(1, "sale/vip shop#aaaaaaaaaa"),
            _mailing(2, "sale/vip shop#bbbbbbbbbb"),
            _mailing(3, "sale/vip r2 shop#cccccccccc"),
        ],
    )
    assert view.other_fingerprints("sale/vip", 1, frozenset({"aaaaaaaaaa"})) == ["bbbbbbbbbb"]
    assert view.other_fingerprints("sale/staff", 1, frozenset()) == []


@pytest.mark.parametrize(
    ("name", "may_be_ours"),
    [
        ("spring-sale/vip sho", True),
        ("spring-sale/vip", True),
        ("spring-sale/v", True),
        ("spring-sale/", True),
        ("spring-sale", True),
        ("spring", True),
        ("s", True),
        ("", False),
        ("spring-sale/staff", False),
        ("spring-sale/vip other", False),
        ("spring-sale of vip", False),
    ],
)
def test_truncated_name_begins_like_ours(name: str, may_be_ours: bool) -> None:
    """A truncated name of 20 characters or more is taken for this mailing; a shorter one at most may be."""
    whole = "spring-sale/vip shop#"
    assert view_of("shop", [_mailing(1, whole)]).truncated_name("spring-sale/vip", 1) == whole
    view = view_of("shop", [_mailing(1, name)])
    assert view.truncated_name("spring-sale/vip", 1) is None
    assert view.short_name("spring-sale/vip", 1) == (name if may_be_ours else None)
    view = view_of("shop", [_mailing(1, OURS[:20]), _mailing(2, OURS[:19])])
    assert view.truncated_name(OURS, 1) == OURS[:20]


def test_name_cut_inside_a_campaign_is_as_long_as_any() -> None:
    """If the account lists longer names, a short name was not truncated and may be any mailing's."""
    for other, found in (("Newsle", "spring"), ("Newsletter", None)):
        wanted = ListFilter("shop", ["spring-sale/vip"], [])
        listed = [_mailing(1, "spring"), _mailing(2, other)]
        kept = MailingList(tuple(one for one in listed if wanted(one.id, one.name)), 2)
        assert view_remote("shop", kept, wanted).short_name("spring-sale/vip", 1) == found


OURS = "a-very-long-campaign-name/vip"


@pytest.mark.parametrize(
    ("name", "is_needed"),
    [
        ("sale/vip shop#aaaaaaaaaa", True),
        ("old/one r3 [1/2] shop#aaaaaaaaaa", True),  # of no known address, but of this project
        ("sale/staff other#aaaaaaaaaa", False),
        ("sale/staff other-shop#aaaaaaaaaa", False),
        (f"{OURS} [12/34] sh", True),
        (f"{OURS} other#12", True),  # a campaign of this name; the comparison decides
        (OURS[:20], True),
        (OURS[:19], True),
        (f"{OURS}x and more", False),
        ("sale/v", True),
        ("sale/vip s", True),
        ("sale/x", False),
        ("sale", True),
        ("sales", False),
        ("a-very-long-campaign-nail", False),
        ("Newsletter of December 2026", False),
        ("", False),
    ],
)
def test_list_filter_wants_names_like_ours(name: str, is_needed: bool) -> None:
    """The filter keeps full names of the project, and names that may be a truncated one of a known address."""
    wanted = ListFilter("shop", ["sale/vip", OURS, "z/z"], [])
    assert wanted(7, name) is is_needed


def test_list_filter_wants_ids() -> None:
    wanted = ListFilter("shop", [], [7])
    assert [wanted(number, "Newsletter") for number in (7, 8)] == [True, False]


NAMES = st.sampled_from(["sale/vip", "sale/vip-2", "a/b", OURS, f"{OURS}-2", "spring-sale-of-2026-for-all/x"])


@given(NAMES, st.integers(1, 3), st.integers(0, 60), st.sampled_from(["", " ", "x", " [1"]))
def test_list_filter_loses_no_name_that_a_view_finds(
    address: str, revision: int, end: int, more: str
) -> None:
    """The filter keeps every name that a view of the whole list would find."""
    name = remote_name("shop", address, revision, 0, 2, "0123456789")[:end] + more
    wanted = ListFilter("shop", [address, "b/b"], [])
    whole, kept = (
        view_remote("shop", MailingList((_mailing(1, name),) if is_kept else (), 1), wanted)
        for is_kept in (True, wanted(1, name))
    )
    assert kept.by_fingerprint == whole.by_fingerprint
    for asked in (1, revision):
        found = whole.truncated_name(address, asked)
        assert kept.truncated_name(address, asked) == found
        short = whole.short_name(address, asked)
        assert kept.short_name(address, asked) == short


def test_find_id_knows_only_what_was_asked_for() -> None:
    """Looking up an id that the filter was not asked to keep is an error, not "not listed"."""
    listed = MailingList((_mailing(1, "Newsletter"),), 1)
    view = view_remote("shop", listed, ListFilter("shop", [], [1, 2]))
    assert [one and one.id for one in (view.find_id(1), view.find_id(2))] == [1, None]
    with pytest.raises(LookupError):
        view.find_id(3)


class _Account(ReadClient):
    """An account that lists what it has."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def get_sms_messages(self, kind: object = None, *, keep: KeepMailing) -> MailingList:
        listed = [_mailing(number, name) for number, name in enumerate(self._names)]
        return MailingList(tuple(one for one in listed if keep(one.id, one.name)), len(listed))


def test_read_remote_keeps_what_lock_and_files_need() -> None:
    """Messages in the lock, even of earlier revisions or with truncated names, are kept from the list."""
    entry = _entry([ChunkState.ACCEPTED])
    chunks = [(replace(entry.chunks[0], message_id=number),) for number in (1, 2)]
    entry = replace(entry, chunks=chunks[0], earlier=(replace(entry, chunks=chunks[1]),))
    lock = Lock("shop", mailings={OURS: entry})
    client = _Account(
        "News", "One", "Two", "Three", OURS, "spring-sale-of-2026/vip", "x/y shop#0123456789", "Seven"
    )
    remote = read_remote(client, "shop", lock, ["spring-sale-of-2026/vip"], [3])
    assert list(remote.by_id) == [1, 2, 3, 4, 5, 6]
    assert remote.count == 8


A, D, N = ChunkState.ACCEPTED, ChunkState.DRAFT, ChunkState.DECLARED_UNSENT
P, R, S, U = ChunkState.PENDING, ChunkState.REJECTED, ChunkState.SUPPRESSED, ChunkState.UNKNOWN


def _entry(states: list[ChunkState], via: str = "bulk") -> Entry:
    chunks = tuple(ChunkRecord(f"{i:010}", 1, "d", state) for i, state in enumerate(states))
    applied = AppliedBy("t", "p", None, "x")
    return Entry(1, "c", "a", via, "0", 0, None, 2, 2, None, chunks, applied)


def _listed(*chunks: int, status: str = "SENT") -> RemoteView:
    mailings = [
        RemoteMailing(
            number, f"sale/vip shop#{number:010}", None, None, None, None, status, None, None
        )
        for number in chunks
    ]  # fmt: skip
    return view_of("shop", mailings)


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
    """A listed chunk was accepted; if the lock calls it unsent, the other chunks are unknown."""
    assert list(merge_entry(_entry(states), _listed(*listed))) == merged


def test_merge_entry_finds_drafts() -> None:
    """A listed draft was not sent."""
    assert merge_entry(_entry([U]), _listed(0, status="DRAFT")) == (D,)


@pytest.mark.parametrize(("state", "merged"), [(U, U), (P, U), (R, U), (D, D), (A, A)])
def test_merge_entry_guesses_nothing_of_a_list_mailing(state: ChunkState, merged: ChunkState) -> None:
    """A list mailing without a status may or may not have been confirmed."""
    assert merge_entry(_entry([state], "list"), _listed(0, status="")) == (merged,)
    assert merge_entry(_entry([state]), _listed(0, status="")) == (A,)


def test_merge_entry_keeps_single_sends() -> None:
    """A listed message proves nothing about a single phone."""
    assert merge_entry(_entry([U, P], "single"), _listed(0, 1)) == (U, P)


def test_merge_entry_offline_keeps_the_lock() -> None:
    """Without a remote list the entry of the lock is unchanged."""
    assert merge_entry(_entry([U, P]), None) == (U, P)
