"""The key of digests over recipients.

A plain digest of a few recipients reveals them: a reader can try all numbers of a prefix. With a key, what leaves the
program is an HMAC of the digest, so guessing is impossible without the key, and nothing more is hashed per recipient.

Next to each digest, the lock keeps the plain one, sealed with the key, so that a rotation needs neither the files nor the
recipients of old mailings. Sealing is SIV: the HMAC is the nonce of the stream, and authenticates what was opened.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from smsby_deploy.errors import UsageError

DIGEST_KEY = "SMSBY_DIGEST_KEY"
OLD_DIGEST_KEY = "SMSBY_DIGEST_KEY_OLD"
MIN_LENGTH = 32  # characters
_ID_DIGITS = 8
NO_ROWS = hashlib.sha256(b"").hexdigest()  # the digest of no recipients, which hides nothing


def _derive(secret: str, purpose: str) -> bytes:
    return _hmac(secret.encode("utf-8", "surrogateescape"), f"smsby-deploy {purpose}")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


class DigestKey:
    """Turns plain digests into keyed ones; without a secret they stay unchanged.

    It remembers the digests that it made, so that recorded ones can be sealed. The secret is in no output.
    """

    def __init__(self, secret: str = "") -> None:
        self.id = _derive(secret, "id").hex()[:_ID_DIGITS] if secret else None
        self._mac, self._stream = _derive(secret, "digest"), _derive(secret, "seal")
        self._bare: dict[str, str] = {}

    def apply(self, digest: str) -> str:
        """Return `digest` in the form that may leave the program."""
        if self.id is None or digest == NO_ROWS:
            return digest
        keyed = _hmac(self._mac, digest).hex()
        self._bare[keyed] = digest
        return keyed

    def bare(self, digest: str) -> str:
        """Return the plain digest of a keyed one that this object made; any other one unchanged."""
        return self._bare.get(digest, digest)

    def salt(self, purpose: str) -> bytes:
        """Return 32 bytes for a keyed hash; without a secret they follow from `purpose` alone."""
        return hmac.digest(self._mac, purpose.encode(), "sha256")

    def seal(self, digest: str) -> str | None:
        """Return the unkeyed digest of `digest`, sealed; None if this object did not make it."""
        bare = self._bare.get(digest)
        return None if bare is None else self._xor(digest, bytes.fromhex(bare)).hex()

    def open(self, digest: str, sealed: str | None) -> str:
        """Return the unkeyed digest that was sealed together with `digest`.

        Raises:
            ValueError: it was not sealed, or not with this key.
        """
        if self.id is None or digest == NO_ROWS:
            return digest
        bare = self._xor(digest, bytes.fromhex(sealed or "")).hex()
        if not hmac.compare_digest(_hmac(self._mac, bare).hex(), digest):
            raise ValueError("it was not sealed with this key")
        return bare

    def _xor(self, digest: str, block: bytes) -> bytes:
        return bytes(one ^ other for one, other in zip(block, _hmac(self._stream, digest), strict=False))


NO_KEY = DigestKey()


def read_digest_key(environ: Mapping[str, str], variable: str = DIGEST_KEY) -> DigestKey:
    """Return the key in an environment variable, or no key if it is empty.

    Raises:
        UsageError: it is too short to be a secret.
    """
    secret = environ.get(variable, "").strip()
    if not secret:
        return NO_KEY
    if len(secret) < MIN_LENGTH:
        raise UsageError(
            f"{variable} is too short: a digest key has at least {MIN_LENGTH} characters",
            hint="make one with `openssl rand -hex 32`, and keep it with the other secrets of the pipeline",
        )
    return DigestKey(secret)
