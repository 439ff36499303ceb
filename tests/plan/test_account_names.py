"""Sender names and lists of the account: which are looked up, resolved, unknown or ambiguous."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import ContactList, InlineRecipients
from smsby_deploy.lock.records import NamedId
from smsby_deploy.plan.account_names import NOT_ASKED, AccountNames, Known, find_name_problems, read_names
from smsby_deploy.problems import Location
from smsby_deploy.smsby.parsers import AccountName

_PLACE = Location("sale.yaml", 4, 5)


def _account(
    lists: list[tuple[int, str]] | None = None, alphanames: list[tuple[int, str]] | None = None
) -> AccountNames:
    known_lists = [AccountName(*one) for one in lists or [(9, "Newsletter")]]
    return AccountNames(
        Known.of([AccountName(*one) for one in alphanames or [(7, "MyShop")]]), Known.of(known_lists)
    )


class _Client:
    """A client that counts its queries."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_alphanames(self) -> tuple[AccountName, ...]:
        self.asked.append("alphanames")
        return (AccountName(7, "MyShop"),)

    def get_subscriber_lists(self) -> tuple[AccountName, ...]:
        self.asked.append("lists")
        return (AccountName(9, "Newsletter"),)


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
        (_named_mailing(alphaname="7"), ["alphanames"]),
        (_named_mailing(contact_list="9"), ["lists"]),
        (_named_mailing(alphaname="MyShop", contact_list="Newsletter"), ["alphanames", "lists"]),
    ],
)
def test_read_names_asks_only_for_what_is_needed(mailing: Mailing, asked: list[str]) -> None:
    """An id is looked up like a name; only the system name needs no query."""
    client: Any = _Client()
    read_names(client, [mailing])
    assert client.asked == asked
    assert read_names(None, [mailing]) == NOT_ASKED


def test_account_names_resolve_names_and_ids() -> None:
    """A name and its id resolve to the same list or sender; offline, only what the files say is known."""
    account = _account()
    assert [account.alphaname_id(ref) for ref in ("MyShop", "7", "0", "8", "Other")] == [7, 7, 0, None, None]
    assert [account.sender_name(ref) for ref in ("MyShop", "7", "0", "Other")] == ["MyShop"] * 2 + [
        "0",
        "Other",
    ]
    system = _account(alphanames=[(0, "System name"), (7, "MyShop")])
    assert [system.sender_name(ref) for ref in ("0", "System name", "7")] == ["0", "0", "MyShop"]
    assert [account.contact_list(ref) for ref in ("Newsletter", "9")] == [NamedId("Newsletter", 9)] * 2
    assert [account.contact_list(ref).id for ref in ("8", "Other")] == [None, None]
    assert [NOT_ASKED.alphaname_id(ref) for ref in ("MyShop", "7")] == [None, 7]
    assert [NOT_ASKED.contact_list(ref) for ref in ("A", "9")] == [NamedId("A", None), NamedId("9", 9)]


def test_contact_list_name_is_masked() -> None:
    """The name of a contact list is masked, since plans and locks have no whole phone number."""
    assert "375291234567" not in _account([(9, "Anna 375291234567")]).contact_list("9").name


@pytest.mark.parametrize("name", ["77", " 77 ", "007"])
def test_digits_may_be_a_name(name: str) -> None:
    """A list whose name is a number is found by it if no list has that id."""
    assert _account([(80, name)]).contact_list(name.strip()).id == 80


@pytest.mark.parametrize("ref", ["²", "٧", "9" * 5000])
def test_odd_digits_are_no_id(ref: str) -> None:
    """Digits that int() refuses, or reads as others, are unknown names and cause no crash."""
    (problem,) = find_name_problems([_named_mailing(contact_list=ref)], _account([(7, "News")]))
    assert problem.code == "UNKNOWN_LIST"


_SAME_NAME = [(34, "Newsletter"), (77, "Newsletter")]


@pytest.mark.parametrize(
    ("lists", "ref", "way_out"),
    [
        (_SAME_NAME, "Newsletter", "write the id"),
        ([(34, "News"), (77, " News ")], "News", "write the id"),
        ([(34, "Й"), (77, "\u0418\u0306")], "Й", "write the id"),
        ([(34, "77"), (77, "Newsletter")], "77", "the name or id"),
    ],
    ids=["same name", "blanks", "decomposed", "name and id"],
)
def test_ambiguous_names_are_errors(lists: list[tuple[int, str]], ref: str, way_out: str) -> None:
    """Two lists or senders of one name, or a name that is another one's id, are an error with both ids."""
    account = _account(lists, lists)
    mailing = _named_mailing(alphaname=ref, contact_list=ref)
    alphaname, contact_list = find_name_problems([mailing], account)
    assert [alphaname.code, contact_list.code] == ["AMBIGUOUS_ALPHANAME", "AMBIGUOUS_LIST"]
    for problem in (alphaname, contact_list):
        assert all(text in problem.message for text in ("34 (", "77 (", way_out))
        assert problem.location == _PLACE
    assert (account.alphaname_id(ref), account.contact_list(ref)) == (None, NamedId(ref, None))


@pytest.mark.parametrize(
    ("lists", "ref"), [(_SAME_NAME, "77"), ([(77, "77")], "77"), (_SAME_NAME[1:] * 2, "77")]
)
def test_id_of_one_list_is_not_ambiguous(lists: list[tuple[int, str]], ref: str) -> None:
    """An id means one list, however many share its name, and even if the list is named like its own id."""
    account = _account(lists)
    assert account.contact_list(ref).id == 77
    assert not list(find_name_problems([_named_mailing(contact_list=ref)], account))


@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from("123456789ab")), max_size=6),
    st.sampled_from("123456789ab"),
)
def test_resolved_id_is_the_only_meaning(lists: list[tuple[int, str]], ref: str) -> None:
    """An id is resolved exactly if only one list has it as id or name; anything else is an error."""
    known = Known.of([AccountName(*one) for one in lists])
    account = AccountNames(None, known)
    meanings = {number for number, name in lists if name == ref or str(number) == ref}
    problems = [one.code for one in find_name_problems([_named_mailing(contact_list=ref)], account)]
    number = account.contact_list(ref).id
    if len(meanings) == 1:
        assert ({number}, problems) == (meanings, [])
    else:
        assert (number, problems) == (None, ["AMBIGUOUS_LIST" if meanings else "UNKNOWN_LIST"])


def test_find_name_problems_reports_each_place_once() -> None:
    """A wrong name that several mailings share is one error without an address, and a similar name is suggested."""
    mailings = [
        _named_mailing("a", "MyShap"),
        _named_mailing("b", "MyShap"),
        _named_mailing("c", contact_list="Letters"),
    ]
    alphaname, contact_list = find_name_problems(mailings, _account())
    assert (alphaname.code, alphaname.address, alphaname.location) == ("UNKNOWN_ALPHANAME", None, _PLACE)
    assert alphaname.message == "sms.by has no alphaname 'MyShap'; did you mean MyShop? it has: MyShop"
    assert (contact_list.code, contact_list.address) == ("UNKNOWN_LIST", "sale/c")
    assert list(find_name_problems(mailings, NOT_ASKED)) == []
