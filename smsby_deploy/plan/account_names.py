"""The account's alphanames and contact lists, and unknown or ambiguous references to them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import ContactList
from smsby_deploy.lock.records import NamedId
from smsby_deploy.privacy import mask_phones
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.wording import closest, sentence

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.parsers import AccountName

SYSTEM_NAME = 0  # the id of the sender that every account has
_MAX_DIGITS = 18  # of an id; more digits can only be a name


@dataclass(frozen=True, slots=True)
class Known:
    """The alphanames, or the contact lists, of an account: ids by name, names by id."""

    ids: Mapping[str, tuple[int, ...]]
    names: Mapping[int, str]

    @classmethod
    def of(cls, items: Iterable[AccountName]) -> Known:
        """Index `items`; names that a reader cannot distinguish are one name."""
        ids: dict[str, dict[int, None]] = {}
        names: dict[int, str] = {}
        for item in items:
            ids.setdefault(name_key(item.name), {})[item.id] = None
            names[item.id] = item.name.strip()
        return cls({name: tuple(found) for name, found in ids.items()}, names)

    def meant_by(self, ref: str) -> tuple[int, ...]:
        """Return every id that `ref` can mean: as an id, then as a name."""
        number = _as_id(ref)
        own = (number,) if number in self.names else ()
        return tuple(dict.fromkeys((*own, *self.ids.get(name_key(ref), ()))))


@dataclass(frozen=True, slots=True)
class AccountNames:
    """The account's alphanames and contact lists; None for what sms.by was not asked for."""

    alphanames: Known | None = None
    lists: Known | None = None

    def alphaname_id(self, ref: str) -> int | None:
        """Return the id of an alphaname given by name or id; None if unknown or ambiguous."""
        return SYSTEM_NAME if _as_id(ref) == SYSTEM_NAME else _only_id(ref, self.alphanames)

    def sender_name(self, ref: str) -> str:
        """Return the name at sms.by of an alphaname given by name or id; `ref` if unknown.

        The system name is always "0", because sms.by has several names for it.
        """
        number = self.alphaname_id(ref)
        if number == SYSTEM_NAME:
            return str(SYSTEM_NAME)
        known = None if self.alphanames is None or number is None else self.alphanames.names.get(number)
        return ref if known is None else known

    def contact_list(self, ref: str) -> NamedId:
        """Return the name and id of a list given by name or id.

        The name is `ref` if sms.by was not asked; the id is None if unknown or ambiguous. The name is masked, because it is
        saved in plans and locks.
        """
        number = _only_id(ref, self.lists)
        known = None if self.lists is None or number is None else self.lists.names.get(number)
        return NamedId(mask_phones(ref if known is None else known), number)


NOT_ASKED = AccountNames()


def read_names(client: ReadClient | None, mailings: Iterable[Mailing]) -> AccountNames:
    """Ask sms.by for the names and ids that `mailings` need, if any.

    An id is looked up as well, because it may be the name of another item. Offline, nothing is asked.
    """
    named = list(mailings)
    alphanames = lists = None
    if client is not None:
        if any(_as_id(mailing.alphaname) != SYSTEM_NAME for mailing in named):
            alphanames = Known.of(client.get_alphanames())
        if any(isinstance(mailing.audience, ContactList) for mailing in named):
            lists = Known.of(client.get_subscriber_lists())
    return AccountNames(alphanames, lists)


class _Use(NamedTuple):
    """A reference in the files to an alphaname or a contact list."""

    is_list: bool
    ref: str
    location: Location


def find_name_problems(mailings: Iterable[Mailing], names: AccountNames) -> Iterator[Problem]:
    """Yield an error for each sender or list that does not match exactly one of the account's.

    Each place in the files is reported once.
    """
    uses: dict[_Use, list[str]] = {}
    for mailing in mailings:
        if _as_id(mailing.alphaname) != SYSTEM_NAME:
            use = _Use(False, mailing.alphaname, mailing.alphaname_location)
            uses.setdefault(use, []).append(mailing.address)
        if isinstance(mailing.audience, ContactList):
            use = _Use(True, mailing.audience.ref, mailing.audience.location)
            uses.setdefault(use, []).append(mailing.address)
    for use, addresses in uses.items():
        known = names.lists if use.is_list else names.alphanames
        found = () if known is None else known.meant_by(use.ref)
        if known is None or len(found) == 1:
            continue
        code, message = _ambiguous(use, found, known) if found else _unknown(use, known)
        # A default shared by several mailings is one mistake, not one for each mailing.
        address = addresses[0] if len(addresses) == 1 else None
        yield Problem(Severity.ERROR, code, message, address, use.location)


def _unknown(use: _Use, known: Known) -> tuple[str, str]:
    near = closest(use.ref, tuple(known.names.values()))
    hint = sentence("did you mean {name}? ", name=near) if near else ""
    has = ", ".join(sorted(set(known.names.values()))) or sentence("none")
    code = "UNKNOWN_LIST" if use.is_list else "UNKNOWN_ALPHANAME"
    message = sentence(
        "sms.by has no {what} {ref}; {hint}it has: {has}",
        what=_noun(use),
        ref=repr(use.ref),
        hint=hint,
        has=has,
    )
    return code, message


def _ambiguous(use: _Use, found: tuple[int, ...], known: Known) -> tuple[str, str]:
    is_id_too = _as_id(use.ref) in found
    items = [f"{number} ({known.names[number]})" for number in found]
    message = sentence(
        "{ref} is the id of one {what} at sms.by and the name of another: {items}; write the name or id "
        "that only the intended one has, or rename one of them at sms.by"
        if is_id_too
        else "more than one {what} at sms.by is named {ref}: {items}; write the id of the intended one, or "
        "rename the others at sms.by",
        ref=repr(use.ref),
        what=_noun(use),
        items=", ".join(items),
    )
    return "AMBIGUOUS_LIST" if use.is_list else "AMBIGUOUS_ALPHANAME", message


def _noun(use: _Use) -> str:
    return sentence("contact list") if use.is_list else sentence("alphaname")


def _only_id(ref: str, known: Known | None) -> int | None:
    if known is None:
        return _as_id(ref)
    found = known.meant_by(ref)
    return found[0] if len(found) == 1 else None


def _as_id(ref: str) -> int | None:
    digits = ref.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS else None


def name_key(name: str) -> str:
    """Return a key that is equal for names that a reader cannot tell apart."""
    return unicodedata.normalize("NFC", name).strip()
