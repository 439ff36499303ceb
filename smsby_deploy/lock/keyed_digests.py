"""The digest key of a lock: which one it needs, what it keeps sealed, and its rotation.

A lock that needs another key than the given one is refused, because its mailings would look like different ones, and a
renamed one would be sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from smsby_deploy.digest_key import DIGEST_KEY, OLD_DIGEST_KEY, DigestKey
from smsby_deploy.errors import Refused
from smsby_deploy.lock.records import Entry, Lock


def check_digest_key(lock: Lock, key: DigestKey) -> None:
    """Check that the digests of `lock` can be compared with those made with `key`.

    A lock without mailings needs no key.

    Raises:
        Refused: they cannot.
    """
    needed = lock.digest_key
    if lock.is_empty or needed == key.id:
        return
    if needed is None:
        raise Refused(
            f"{DIGEST_KEY} is set (id {key.id}), but the digests in the lock have no key",
            hint="run `smsby-deploy lock rekey` and commit the lock; it needs no recipients and sends nothing",
        )
    if key.id is None:
        raise Refused(
            f"the digests in the lock need the digest key with the id {needed}, and {DIGEST_KEY} is not set",
            hint=f"set {DIGEST_KEY} to it; in a pipeline it is a secret, like the token",
        )
    raise Refused(
        f"the digests in the lock need the digest key with the id {needed}, but {DIGEST_KEY} has the id {key.id}",
        hint=f"set {DIGEST_KEY} to the right key; to replace it, set {OLD_DIGEST_KEY} to the old one and run "
        "`smsby-deploy lock rekey`",
    )


def digests_of(entry: Entry) -> Iterator[str]:
    """Yield the digests over recipients in `entry` and its earlier revisions."""
    for one in entry.revisions:
        yield one.audience_digest
        yield from filter(None, (one.text_digest, one.recipients_digest))
        for chunk in one.chunks:
            if chunk.digest != one.content_digest:  # else it is an imported message, in no chunk of the files
                yield chunk.digest
            if chunk.upload is not None and chunk.upload.digest:
                yield chunk.upload.digest


def replace_digests(entry: Entry, digests: Mapping[str, str]) -> Entry:
    """Return `entry` with its digests replaced as `digests` maps them; fingerprints stay."""

    def other(digest: str | None) -> str | None:
        return digests.get(digest, digest) if digest is not None else None

    chunks = tuple(
        replace(
            chunk,
            digest=digests.get(chunk.digest, chunk.digest),
            upload=chunk.upload
            and replace(chunk.upload, digest=digests.get(chunk.upload.digest, chunk.upload.digest)),
        )
        for chunk in entry.chunks
    )
    return replace(
        entry,
        audience_digest=digests.get(entry.audience_digest, entry.audience_digest),
        text_digest=other(entry.text_digest),
        recipients_digest=other(entry.recipients_digest),
        chunks=chunks,
        earlier=tuple(replace_digests(one, digests) for one in entry.earlier),
    )


def key_fields(lock: Lock, key: DigestKey, digests: Iterable[str]) -> dict[str, Any] | None:
    """Return the fields of a `key` event for new `digests`; None if it would change nothing."""
    new = {digest: key.seal(digest) for digest in digests if digest not in lock.sealed}
    sealed = {digest: seal for digest, seal in new.items() if seal is not None}
    if not sealed and lock.digest_key == key.id:
        return None
    return {"digest_key": key.id, "sealed": sealed}


def rekey_fields(lock: Lock, old: DigestKey, new: DigestKey) -> dict[str, Any]:
    """Return the fields of a `rekey` event: each digest of `lock` made with `new`.

    Raises:
        Refused: `old` is not the key of the lock, or a digest cannot be opened.
    """
    if lock.digest_key is not None and lock.digest_key != old.id:
        raise Refused(
            f"the digests in the lock need the digest key with the id {lock.digest_key} to be rekeyed",
            hint=f"set {OLD_DIGEST_KEY} to it",
        )
    changed = {}
    for address, entry in lock.mailings.items():
        for digest in digests_of(entry):
            try:
                bare = digest if lock.digest_key is None else old.open(digest, lock.sealed.get(digest))
            except ValueError as error:
                raise Refused(
                    f"cannot rekey the lock: a digest of {address} was not sealed with its key",
                    hint="restore the lock from git: something other than this program changed it",
                ) from error
            changed[digest] = new.apply(bare)
    sealed = {keyed: seal for keyed in changed.values() if (seal := new.seal(keyed)) is not None}
    return {"digest_key": new.id, "digests": changed, "sealed": sealed}
