"""One mailing by its whole address, for the commands that concern exactly one."""

from __future__ import annotations

import difflib

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.problems import has_errors


def find_mailing(loaded: LoadedProject, address: str) -> Mailing:
    """The mailing `address` of the files.

    Raises:
        FilesInvalid: there is none, and files that could hold it are not valid.
        UsageError: there is none.
    """
    mailings = {mailing.address: mailing for mailing in loaded.project.mailings}
    if address in mailings:
        return mailings[address]
    if has_errors(loaded.problems):
        raise FilesInvalid(loaded.problems)
    near = difflib.get_close_matches(address, mailings, n=3)
    raise UsageError(
        f"the files have no mailing {address!r}",
        hint=f"did you mean {', '.join(near)}?" if near else "its address is campaign/mailing, no glob here",
    )
