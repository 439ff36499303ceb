"""Who runs a command, for the lock's record."""

from __future__ import annotations

from collections.abc import Mapping

_LONGEST = 80
# Whoever started the pipeline: GitHub, GitLab, and Jenkins with the build user vars plugin.
_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID")


def who(environ: Mapping[str, str]) -> str:
    """The pipeline's actor, else the user of this machine, on one line; `unknown` where neither has a name."""
    import getpass

    from smsby_deploy.output.console import clean
    from smsby_deploy.privacy import mask_phones

    actor = next((environ[name] for name in _ACTORS if environ.get(name)), "")
    if not actor:
        try:
            actor = getpass.getuser()
        except (OSError, KeyError):  # a container whose user has no name
            actor = "unknown"
    return mask_phones(clean(actor))[:_LONGEST]
