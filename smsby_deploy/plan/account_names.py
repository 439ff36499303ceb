"""The alphanames and contact lists of the account, and names it does not have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import ContactList, Mailing
from smsby_deploy.problems import Location, Problem, Severity

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient


@dataclass(frozen=True, slots=True)
class AccountNames:
    """Name → id of the account's alphanames and contact lists; None where sms.by was not asked."""

    alphanames: dict[str, int] | None
    lists: dict[str, int] | None

    def alphaname_id(self, name: str) -> int | None:
        """The id of an alphaname given by name or id, None if it is not known."""
        if name.isdigit():
            return int(name)
        return None if self.alphanames is None else self.alphanames.get(name)

    def has_list(self, ref: str) -> bool:
        """Whether the account has the list, given by name or id; True where sms.by was not asked."""
        if self.lists is None:
            return True
        return ref in self.lists or (ref.isdigit() and int(ref) in self.lists.values())

    def list_id(self, ref: str) -> int | None:
        """The id of a list given by name or id, None if it is not known."""
        if self.lists is not None and ref in self.lists:
            return self.lists[ref]
        return int(ref) if ref.isdigit() else None


def read_names(client: ReadClient | None, mailings: Iterable[Mailing]) -> AccountNames:
    """Ask sms.by for the names that `mailings` need, if any.

    Offline nothing is asked.
    """
    named = list(mailings)
    alphanames = lists = None
    if client is not None:
        if any(not mailing.alphaname.isdigit() for mailing in named):
            alphanames = {item.name: item.id for item in client.get_alphanames()}
        if any(isinstance(mailing.audience, ContactList) for mailing in named):
            lists = {item.name: item.id for item in client.get_subscriber_lists()}
    return AccountNames(alphanames, lists)


def find_unknown_names(mailings: Iterable[Mailing], names: AccountNames) -> Iterator[Problem]:
    """Yield an error for each sender or list that the account does not have.

    Each place in the files is reported once.
    """
    missing: dict[tuple[str, str, Location], list[str]] = {}
    for mailing in mailings:
        if names.alphanames is not None and names.alphaname_id(mailing.alphaname) is None:
            key = ("UNKNOWN_ALPHANAME", mailing.alphaname, mailing.alphaname_location)
            missing.setdefault(key, []).append(mailing.address)
        if isinstance(mailing.audience, ContactList) and not names.has_list(mailing.audience.ref):
            key = ("UNKNOWN_LIST", mailing.audience.ref, mailing.audience.location)
            missing.setdefault(key, []).append(mailing.address)
    for (code, name, location), addresses in missing.items():
        is_list = code == "UNKNOWN_LIST"
        known = (names.lists if is_list else names.alphanames) or {}
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        message = (
            f"sms.by has no {'contact list' if is_list else 'alphaname'} {name!r}; "
            f"{hint}it has: {', '.join(sorted(known)) or 'none'}"
        )
        # A default shared by several mailings is one mistake, not one for each mailing.
        yield Problem(Severity.ERROR, code, message, addresses[0] if len(addresses) == 1 else None, location)
