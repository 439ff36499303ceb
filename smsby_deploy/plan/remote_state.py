"""What getSMSMessages says about this project's mailings. Absence in it proves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from smsby_deploy.plan.fingerprint import RemoteName, may_be_cut_off, read_remote_name
from smsby_deploy.smsby.parsers import RemoteMailing

_SHORTEST_CUT = 20  # a listed name of this length that begins like ours may be ours, cut off by sms.by


@dataclass(frozen=True, slots=True)
class RemoteView:
    """The remote list, by fingerprint; names without one are kept, by their first word, for the check of cut-off names."""

    by_fingerprint: dict[str, RemoteMailing]
    ours: tuple[RemoteName, ...]
    unmarked: dict[str, list[str]]
    by_id: dict[int, RemoteMailing]  # everybody's
    ids: dict[str, list[int]]  # by fingerprint: a message that reached nobody may have been made twice

    def foreign(self, address: str, revision: int, known: frozenset[str]) -> list[str]:
        """Fingerprints of this address and revision that are not among `known`."""
        return [
            name.fingerprint
            for name in self.ours
            if name.address == address and name.revision == revision and name.fingerprint not in known
        ]

    def cut_off(self, project: str, address: str, revision: int) -> str | None:
        """A listed name that can be the cut-off beginning of one of this mailing's and bears no fingerprint."""
        firsts = (address, *(address[:length] for length in range(_SHORTEST_CUT, len(address))))
        for first in firsts:
            for listed in self.unmarked.get(first, ()):
                if len(listed) >= _SHORTEST_CUT and may_be_cut_off(listed, project, address, revision):
                    return listed
        return None


def view_remote(project: str, mailings: Iterable[RemoteMailing]) -> RemoteView:
    """The part of the remote list that concerns `project`."""
    by_fingerprint: dict[str, RemoteMailing] = {}
    ours: list[RemoteName] = []
    unmarked: dict[str, list[str]] = {}
    by_id: dict[int, RemoteMailing] = {}
    ids: dict[str, list[int]] = {}
    for mailing in mailings:
        by_id[mailing.id] = mailing
        name = read_remote_name(mailing.name)
        if name is None:
            unmarked.setdefault(mailing.name.partition(" ")[0], []).append(mailing.name)
        elif name.project == project:
            # Of two with one fingerprint the one that is no draft counts: it may have reached people.
            known = by_fingerprint.get(name.fingerprint)
            if known is None or known.is_draft:
                by_fingerprint[name.fingerprint] = mailing
            ours.append(name)
            ids.setdefault(name.fingerprint, []).append(mailing.id)
    return RemoteView(by_fingerprint, tuple(ours), unmarked, by_id, ids)
