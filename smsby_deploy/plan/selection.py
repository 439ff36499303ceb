"""Selection of mailings by address or glob, of the files and of the lock."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.lock.records import Lock
from smsby_deploy.problems import has_errors


def select_mailings(
    loaded: LoadedProject, lock: Lock, select: Sequence[str]
) -> tuple[list[Mailing], list[str]]:
    """Return the mailings and the orphans that match `select`; all if it is empty.

    Orphans are recorded, but no longer in the files.
    While a campaign file cannot be read there are no orphans: they may be in it.

    Raises:
        UsageError: a pattern matches nothing.
        FilesInvalid: it matches nothing, and files that could hold it are not valid.
    """
    mailings = {mailing.address: mailing for mailing in loaded.project.mailings}
    known = [*mailings, *(address for address in sorted(lock.mailings) if address not in mailings)]
    for pattern in select:
        if not any(fnmatchcase(address, pattern) for address in known):
            if not loaded.is_whole:
                raise FilesInvalid(loaded.problems)
            raise UsageError(
                f"no mailing matches {pattern!r}",
                hint=_similar(pattern, known) or "addresses are campaign/mailing; `*` matches anything",
            )
    chosen = [address for address in known if is_selected(address, select)]
    return (
        [mailings[address] for address in chosen if address in mailings],
        [address for address in chosen if address not in mailings and loaded.is_whole],
    )


def is_selected(address: str, select: Sequence[str]) -> bool:
    """Whether an address matches one of the patterns; an empty selection matches all."""
    return not select or any(fnmatchcase(address, pattern) for pattern in select)


def find_mailing(loaded: LoadedProject, address: str) -> Mailing:
    """Return the one mailing `address` of the files.

    Raises:
        FilesInvalid: there is none, and files that could hold it are not valid.
        UsageError: there is none.
    """
    mailings = {mailing.address: mailing for mailing in loaded.project.mailings}
    if address in mailings:
        return mailings[address]
    if has_errors(loaded.problems):
        raise FilesInvalid(loaded.problems)
    raise UsageError(
        f"the files have no mailing {address!r}",
        hint=_similar(address, mailings) or "an address is campaign/mailing; globs are not allowed here",
    )


def _similar(wanted: str, addresses: Iterable[str]) -> str:
    near = difflib.get_close_matches(wanted, list(addresses), n=3)
    return f"did you mean {', '.join(near)}?" if near else ""
