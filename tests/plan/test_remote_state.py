"""The index of the remote list."""

from __future__ import annotations

from smsby_deploy.plan.remote_state import view_remote
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
