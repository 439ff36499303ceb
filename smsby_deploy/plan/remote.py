"""What getSMSMessages says about this project's mailings. Absence in it proves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from smsby_deploy.plan.fingerprint import RemoteName, read_remote_name
from smsby_deploy.smsby.answers import RemoteMailing

_SHORTEST_CUT = 20  # a listed name of this length that begins like ours may be ours, cut off by sms.by


@dataclass(frozen=True, slots=True)
class RemoteView:
    """The remote list, by fingerprint; names without one are kept for the check of cut-off names."""

    by_fingerprint: dict[str, RemoteMailing]
    ours: tuple[RemoteName, ...]
    unmarked: frozenset[str]

    def foreign(self, address: str, revision: int, known: frozenset[str]) -> list[str]:
        """Fingerprints of this address and revision that are not among `known`."""
        return [
            name.fingerprint
            for name in self.ours
            if name.address == address and name.revision == revision and name.fingerprint not in known
        ]

    def cut_off(self, names: Iterable[str]) -> str | None:
        """A listed name that is the beginning of one of `names` and bears no fingerprint."""
        for name in names:
            for length in range(_SHORTEST_CUT, len(name)):
                if name[:length] in self.unmarked:
                    return name[:length]
        return None


def view_remote(project: str, mailings: Iterable[RemoteMailing]) -> RemoteView:
    """The part of the remote list that concerns `project`."""
    by_fingerprint: dict[str, RemoteMailing] = {}
    ours: list[RemoteName] = []
    unmarked: set[str] = set()
    for mailing in mailings:
        name = read_remote_name(mailing.name)
        if name is None:
            unmarked.add(mailing.name.strip())
        elif name.project == project:
            # Of two with one fingerprint the one that is no draft counts: it may have reached people.
            known = by_fingerprint.get(name.fingerprint)
            if known is None or known.is_draft:
                by_fingerprint[name.fingerprint] = mailing
            ours.append(name)
    return RemoteView(by_fingerprint, tuple(ours), frozenset(unmarked))
