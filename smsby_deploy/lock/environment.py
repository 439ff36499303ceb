"""How an environment enters locks, fingerprints and remote names; needed long before any record."""

from __future__ import annotations

PRIVATE_FOLDER = ".smsby"  # of a lock that is not committed
PRODUCTION = "production"
SANDBOX = "sandbox"  # the environment that is built in


def scope_of(project: str, environment: str | None) -> str:
    """Return the project as fingerprints and remote names have it.

    Environments may share an account, so that of every other than production is part of it.
    """
    return project if environment in (None, PRODUCTION) else f"{project}~{environment}"
