"""Selection of mailings of the files and the lock, by address or glob."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from fnmatch import fnmatchcase

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import ANY_ADDRESS, LoadedProject
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.lock.records import Lock
from smsby_deploy.problems import Problem, has_errors
from smsby_deploy.wording import did_you_mean

_GLOB = re.compile(r"[*?\[]")


def campaign_of(address: str) -> str:
    """Return the campaign of a mailing at `address`, which is `campaign/mailing`."""
    return address.partition("/")[0]


def select_mailings(
    loaded: LoadedProject, lock: Lock, select: Sequence[str], archived: Iterable[str] = ()
) -> tuple[list[Mailing], list[str]]:
    """Return the mailings and the orphans that match `select`; all if it is empty.

    Orphans are recorded, but no longer in the files. A pattern may match nothing but `archived` addresses. While a campaign
    file cannot be read, there are no orphans, because they may be in it. Invalid mailings are neither mailings nor orphans.

    Raises:
        UsageError: a pattern matches nothing, or `select` is a single string.
        FilesInvalid: it matches nothing, and files that could contain it are not valid.
    """
    if isinstance(select, str):  # from Python: its letters would be patterns, and "" all mailings
        raise UsageError("select: expected patterns, got a string", hint=f"write select=({select!r},)")
    mailings = loaded.project.by_address
    flawed = {mailing.address for mailing in loaded.flawed} - mailings.keys()
    in_files = flawed | mailings.keys()
    known = [*mailings, *(address for address in sorted(lock.mailings) if address not in in_files)]
    if (pattern := find_unmatched(select, (*known, *flawed, *archived))) is not None:
        if not loaded.is_whole:
            raise FilesInvalid(loaded.problems)
        form = "addresses are campaign/mailing; `*` matches anything"
        none = "there are no mailings; `campaigns` in smsby.yaml says which files are read, by default all that end in .yaml"
        raise UsageError(
            f"no mailing matches {pattern!r}",
            hint=similar_pattern(pattern, known) or (form if known else none),
        )
    chosen = list(filter(selector(select), known))
    return (
        [mailings[address] for address in chosen if address in mailings],
        [address for address in chosen if address not in mailings and loaded.is_whole],
    )


def removed_from(loaded: LoadedProject) -> Callable[[str], bool]:
    """Return a test for addresses that no file has; always False while a file is unreadable."""
    in_files = {mailing.address for mailing in loaded.all_mailings}
    return lambda address: loaded.is_whole and address not in in_files


def selector(select: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that says whether an address matches one of the patterns in `select`.

    An empty selection matches all. A plan file selects each mailing by its address, so these are looked up in a set.
    """
    addresses, globs = frozenset(select), [pattern for pattern in select if _GLOB.search(pattern)]
    return lambda address: (
        not select or address in addresses or any(fnmatchcase(address, pattern) for pattern in globs)
    )


def find_unmatched(select: Sequence[str], addresses: Collection[str]) -> str | None:
    """Return the first pattern that matches none of the `addresses`, or None."""
    known = frozenset(addresses) if select else frozenset()
    for pattern in select:
        if pattern in known:
            continue
        if not _GLOB.search(pattern) or not any(fnmatchcase(address, pattern) for address in addresses):
            return pattern
    return None


def problems_in(loaded: LoadedProject, select: Sequence[str]) -> tuple[Problem, ...]:
    """Return the problems that concern the whole project or may concern a mailing in `select`."""
    if not select:
        return loaded.problems
    campaigns = {campaign.name for campaign in loaded.project.campaigns}
    return tuple(
        problem
        for problem in loaded.problems
        if (scopes := loaded.concerns.get(problem)) is None
        or any(_may_concern(scope, pattern, campaigns) for scope in scopes for pattern in select)
    )


def _may_concern(scope: str, pattern: str, campaigns: Set[str]) -> bool:
    """Whether `pattern` may match an address in `scope`.

    `campaigns` are those that were read: a file whose campaign cannot be read has none of them.
    """
    if not scope.endswith("*"):
        return fnmatchcase(scope, pattern)
    literal = _GLOB.split(pattern, maxsplit=1)[0]
    if scope == ANY_ADDRESS:
        return "/" not in literal or campaign_of(literal) not in campaigns
    prefix = scope.removesuffix("*")
    return literal.startswith(prefix) or prefix.startswith(literal)


def find_mailing(loaded: LoadedProject, address: str) -> Mailing:
    """Return the mailing `address` of the files.

    Raises:
        FilesInvalid: there is none, and files that could contain it are not valid.
        UsageError: there is none.
    """
    mailings = loaded.project.by_address
    if address in mailings:
        return mailings[address]
    if has_errors(loaded.problems):
        raise FilesInvalid(loaded.problems)
    raise UsageError(
        f"the files have no mailing {address!r}",
        hint=did_you_mean(address, mailings) or "an address is campaign/mailing; globs are not allowed here",
    )


def similar_pattern(pattern: str, addresses: Collection[str]) -> str:
    """Return a hint with the address or campaign closest to `pattern`, or ""."""
    campaigns = {f"{campaign_of(address)}/*": None for address in addresses}
    return did_you_mean(pattern, (*campaigns, *addresses))
