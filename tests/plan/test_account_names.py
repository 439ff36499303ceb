"""Sender names and lists of the account: which are asked for, resolved, and unknown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from smsby_deploy.config.declarations import ContactList, InlineRecipients, Mailing
from smsby_deploy.plan.account_names import AccountNames, find_unknown_names, read_names
from smsby_deploy.problems import Location

_PLACE = Location("sale.yaml", 4, 5)
_ACCOUNT_NAMES = AccountNames({"MyShop": 7}, {"Newsletter": 9})
_OFFLINE = AccountNames(None, None)


class _Client:
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_alphanames(self) -> list[SimpleNamespace]:
        self.asked.append("alphanames")
        return [SimpleNamespace(name="MyShop", id=7)]

    def get_subscriber_lists(self) -> list[SimpleNamespace]:
        self.asked.append("lists")
        return [SimpleNamespace(name="Newsletter", id=9)]


def _named_mailing(name: str = "vip", alphaname: str = "0", contact_list: str | None = None) -> Mailing:
    audience: Any = (
        InlineRecipients((), _PLACE) if contact_list is None else ContactList(contact_list, _PLACE)
    )
    return Mailing(
        "sale", name, "sale.yaml", _PLACE, "bulk", audience, None, alphaname, _PLACE, None, None, "Europe/Minsk", 1, "fail"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mailing", "asked"),
    [
        (_named_mailing(), []),
        (_named_mailing(alphaname="MyShop"), ["alphanames"]),
        (_named_mailing(contact_list="9"), ["lists"]),
        (_named_mailing(alphaname="MyShop", contact_list="Newsletter"), ["alphanames", "lists"]),
    ],
)
def test_read_names_asks_only_for_what_is_needed(mailing: Mailing, asked: list[str]) -> None:
    """A plan of mailings with ids asks for no names."""
    client: Any = _Client()
    read_names(client, [mailing])
    assert client.asked == asked
    assert read_names(None, [mailing]) == _OFFLINE


def test_account_names_resolve_names_and_ids() -> None:
    """Ids are taken as they are; offline nothing is known, and nothing is called unknown."""
    assert [_ACCOUNT_NAMES.alphaname_id(name) for name in ("MyShop", "0", "Other")] == [7, 0, None]
    assert [_ACCOUNT_NAMES.list_id(ref) for ref in ("Newsletter", "9", "Other")] == [9, 9, None]
    assert [_ACCOUNT_NAMES.has_list(ref) for ref in ("Newsletter", "9", "8", "Other")] == [
        True,
        True,
        False,
        False,
    ]
    assert (_OFFLINE.alphaname_id("MyShop"), _OFFLINE.has_list("Other")) == (None, True)


def test_find_unknown_names_reports_each_place_once() -> None:
    """A name shared by several mailings is one error without an address; a similar name is suggested."""
    mailings = [
        _named_mailing("a", "MyShap"),
        _named_mailing("b", "MyShap"),
        _named_mailing("c", contact_list="Letters"),
    ]
    alphaname, contact_list = find_unknown_names(mailings, _ACCOUNT_NAMES)
    assert (alphaname.code, alphaname.address, alphaname.location) == ("UNKNOWN_ALPHANAME", None, _PLACE)
    assert alphaname.message == "sms.by has no alphaname 'MyShap'; did you mean MyShop? it has: MyShop"
    assert (contact_list.code, contact_list.address) == ("UNKNOWN_LIST", "sale/c")
    assert list(find_unknown_names(mailings, _OFFLINE)) == []
