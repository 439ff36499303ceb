"""SSH signatures, made and verified by ssh-keygen: keys in files, agents and hardware work as for git."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from smsby_deploy.errors import SmsbyDeployError

NAMESPACE = "smsby-deploy"  # so that a signature made for git or a file does not count for a mailing
_TIMEOUT = 60.0  # seconds, to verify; a user who signs may take longer
_PATTERN = frozenset("*?!")  # a name with one of these is a pattern


def sign(content: bytes, key: Path) -> str:
    """Return the armored signature of `content`.

    `key` is a private key, or a public one whose private key an agent holds. ssh-keygen asks for a passphrase itself.

    Raises:
        SmsbyDeployError: ssh-keygen is missing, or does not sign.
    """
    done = _run("-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key), content=content, timeout=None)
    if done.returncode != 0:
        raise SmsbyDeployError(
            f"ssh-keygen did not sign with {key.name}", hint="name a private key that you can use with --key"
        )
    return done.stdout.decode("ascii", "replace")


def find_signer(content: bytes, signature: str, signers: Path, now: datetime) -> tuple[str, ...]:
    """Return the names under which the file `signers` lists the key that signed `content`.

    () if it does not list the key, if the key is not valid at `now`, or if the signature is not over `content`. Patterns
    are not names.

    Raises:
        SmsbyDeployError: ssh-keygen is missing.
    """
    # Local time, because older versions of ssh-keygen accept no time zone.
    valid_at = f"-Overify-time={now.astimezone():%Y%m%d%H%M%S}"
    with _stored(signature) as file:
        found = _run("-Y", "find-principals", "-s", file, "-f", str(signers), valid_at)
        if found.returncode != 0:
            return ()
        names = tuple(
            name
            for name in found.stdout.decode("utf-8", "replace").splitlines()
            if name and not _PATTERN & set(name)
        )
        if not names:
            return ()
        verify = ("-Y", "verify", "-n", NAMESPACE, "-I", names[0], "-s", file, "-f", str(signers), valid_at)
        return names if _run(*verify, content=content).returncode == 0 else ()


@contextmanager
def _stored(signature: str) -> Iterator[str]:
    """Put the signature into a temporary file, because ssh-keygen reads it from one."""
    with TemporaryDirectory(prefix="smsby-deploy-") as folder:
        path = Path(folder) / "signature"
        path.write_text(signature, encoding="utf-8")
        yield str(path)


def _run(
    *arguments: str, content: bytes = b"", timeout: float | None = _TIMEOUT
) -> subprocess.CompletedProcess[bytes]:
    command: Sequence[str] = ("ssh-keygen", *arguments)
    try:
        return subprocess.run(  # noqa: S603  # fixed commands
            command,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise SmsbyDeployError(
            "ssh-keygen is missing, which makes and verifies signatures",
            hint="install OpenSSH (openssh-client)",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SmsbyDeployError("ssh-keygen did not end", hint="run the command again") from error
