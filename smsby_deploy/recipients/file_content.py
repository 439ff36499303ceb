"""The content of a list: checked against its pin, and decrypted if it is encrypted.

Lists encrypted with age are decrypted in memory only.
"""

from __future__ import annotations

import hashlib
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

from smsby_deploy.config.project_files import why_missing
from smsby_deploy.config.sources import AGE_IDENTITY, HiddenText, RecipientsFile
from smsby_deploy.recipients.rows import RecipientsError
from smsby_deploy.wording import sentence

_LARGEST = 1 << 30  # bytes of an encrypted list: it is held in memory


class DecryptedFile:
    """A decrypted list, held only in memory; it opens like a Path."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open(self, mode: str = "r", **options: Any) -> Any:
        """Open it for reading, as bytes or as text."""
        binary = BytesIO(self._content)
        return binary if "b" in mode else TextIOWrapper(binary, **options)


def find_content(source: RecipientsFile) -> Path | DecryptedFile:
    """Return where to read the content of `source`.

    Raises:
        RecipientsError: it does not match its pin, is missing, or cannot be decrypted.
        OSError: it cannot be read.
    """
    if source.is_elsewhere:
        message = sentence(
            "file {name} is not in the project, and {variable} is not set",
            name=source.name,
            variable=source.folder_env,
        )
        raise RecipientsError(message, code="FILE_MISSING", location=source.location)
    path = source.path if source.pin is None else _find_pinned(source)
    if not path.is_file():  # a pipe may never end
        raise RecipientsError(why_missing(path, source.name), code="FILE_MISSING", location=source.location)
    return _decrypt(path, source) if source.is_encrypted else path


def hash_list(path: Path) -> str:
    """Return the digest by which a list is pinned; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_pinned(source: RecipientsFile) -> Path:
    """Return the file with the pinned digest: the list, or a copy named after its digest."""
    pin = source.pin
    assert pin is not None
    if source.path.is_file() and hash_list(source.path) == pin.sha256:
        return source.path
    if pin.copy is not None and pin.copy.is_file() and hash_list(pin.copy) == pin.sha256:
        return pin.copy
    # Never show the actual digest: the author of a pin could use it to probe files on this machine.
    message = sentence(
        "{name} is not the pinned list: restore it, or, if the change is intended, run `smsby-deploy pin {name}` "
        "and have the change reviewed",
        name=source.name,
    )
    raise RecipientsError(message, code="PIN", location=pin.location)


def _decrypt(path: Path, source: RecipientsFile) -> DecryptedFile:
    try:
        import pyrage
    except ImportError:
        message = sentence("lists encrypted with age require pip install 'smsby-deploy[age]'")
        raise RecipientsError(message, code="EXTRA", location=source.location) from None
    if source.identity is None:
        message = sentence(
            "{name} is encrypted: set {variable} to the age identity that decrypts it",
            name=source.name,
            variable=AGE_IDENTITY,
        )
        raise RecipientsError(message, code="AGE", location=source.location)
    if path.stat().st_size > _LARGEST:
        message = sentence("{name} is larger than 1 GiB; split it", name=source.name)
        raise RecipientsError(message, code="AGE", location=source.location)
    try:
        return DecryptedFile(pyrage.decrypt(path.read_bytes(), _identities(source.identity)))
    except pyrage.IdentityError:
        message = sentence(
            "{variable} has no age identity: expected a line that begins with AGE-SECRET-KEY-1",
            variable=AGE_IDENTITY,
        )
    except pyrage.DecryptError:
        message = sentence(
            "{name} cannot be decrypted: it is damaged, or was not encrypted for the identity in {variable}",
            name=source.name,
            variable=AGE_IDENTITY,
        )
    raise RecipientsError(message, code="AGE", location=source.location)


def _identities(text: HiddenText) -> list[Any]:
    """Parse the identities in `text`: one per line, with comments, as age-keygen writes them."""
    import pyrage

    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    return [pyrage.x25519.Identity.from_str(key) for key in keys]
