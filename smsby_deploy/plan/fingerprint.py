"""Digests, fingerprints and remote names, by which a send is recognized.

They are needed when the lock or an answer was lost. A fingerprint depends on every byte sent to recipients and on nothing
else: not on the order of keys, the size of the request, or opt-outs after the review.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from itertools import repeat
from json.encoder import encode_basestring
from operator import contains
from typing import Any, NamedTuple

FINGERPRINT_DIGITS = 10
NAME_LIMIT = 160
_PIECE = 1000  # recipients, like a usual chunk

# Compiled on first use: `validate` reads no remote names.
_NAME = (
    r"(?P<address>[a-z0-9-]{1,40}/[a-z0-9-]{1,40})(?: r(?P<revision>\d+))?(?: \[\d+/\d+\])?"
    r" (?P<project>[a-z0-9-]{1,40}(?:~[a-z][a-z0-9-]{0,9})?)#(?P<fingerprint>[0-9a-f]{10})"
)
_CHUNK_NUMBER = re.compile(r" \[\d*(/\d*\]?)?")  # [1/3], possibly truncated
_TRUNCATED_MARK = re.compile(f"[0-9a-f]{{0,{FINGERPRINT_DIGITS - 1}}}")
# One encoder for all: a million recipients are a million documents.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_CONTROLS = tuple(bytes([code]) for code in range(32) if code != ord("\n"))  # JSON escapes them


class RemoteName(NamedTuple):
    """The parts of a mailing's name at sms.by, if this program made it.

    `project` is `my-shop`, or `my-shop~staging` in an environment other than production.
    """

    address: str
    revision: int
    project: str
    fingerprint: str


def hash_json(value: Any) -> str:
    """Return the sha256 of `value` as canonical JSON, in 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def row_lines(phones: Sequence[str], texts: Sequence[str] | None) -> bytes:
    """Return recipients as the lines of JSON that are sent; without `texts`, only the phones."""
    if not phones:
        return b""
    if texts is None:
        return ('"' + '"\n"'.join(phones) + '"\n').encode()
    joined = "".join(texts)
    if '"' not in joined and "\\" not in joined and "\n" not in joined:
        lines = _join_rows(phones, texts)
        if not any(map(contains, repeat(lines), _CONTROLS)):  # a fast search in bytes
            return lines
    return _join_rows(phones, [encode_basestring(text)[1:-1] for text in texts])


def _join_rows(phones: Sequence[str], texts: Sequence[str]) -> bytes:
    pieces = ['{"phone":"', "", '","text":"', "", '"}\n'] * len(phones)
    pieces[1::5], pieces[3::5] = phones, texts
    return "".join(pieces).encode()


def phones_of(rows: bytes) -> list[str]:
    """Return the phones of `row_lines`, which follow `"` or `{"phone":"` up to the next quote."""
    before = 1 if rows.startswith(b'"') else 3
    return [line.split('"', before + 1)[before] for line in rows.decode().removesuffix("\n").split("\n")]


def hash_rows(rows: bytes) -> bytes:
    """Return the sha256 of `row_lines`; it is used for the chunk and for the whole audience."""
    return hashlib.sha256(rows).digest()


def chunk_digest(content: str, rows: bytes) -> str:
    """Return the sha256 of a chunk.

    It covers the content of the mailing and the `hash_rows` of the chunk's recipients, in order.
    """
    return hashlib.sha256(content.encode() + b"\n" + rows).hexdigest()


class AudienceDigest:
    """The sha256 of an audience, independent of its chunks.

    It covers the `hash_rows` of each thousand recipients.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._waiting = b""  # rows of an incomplete thousand
        self._count = 0

    def add(self, rows: bytes, recipients: int, hashed: bytes) -> None:
        """Add the `rows` of some recipients and their number; `hashed` is their hash_rows."""
        if recipients == _PIECE and not self._count:
            self._digest.update(hashed)
            return
        self._waiting += rows
        self._count += recipients
        while self._count >= _PIECE:
            *lines, self._waiting = self._waiting.split(b"\n", _PIECE)
            self._digest.update(hash_rows(b"\n".join(lines) + b"\n"))
            self._count -= _PIECE

    def hexdigest(self) -> str:
        """Return the digest of everything added so far."""
        digest = self._digest.copy()
        digest.update(hash_rows(self._waiting))
        return digest.hexdigest()


class TextsDigest:
    """A digest of many texts, in any order: the sum of their hashes."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, texts: Iterable[str]) -> None:
        hashes = (hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts)
        self._sum += sum(int.from_bytes(one, "big") for one in hashes)

    def hexdigest(self) -> str | None:
        """Return the digest of everything added so far; None if that is nothing."""
        return f"{self._sum % 2**128:032x}" if self._sum else None


def fingerprint(scope: str, address: str, revision: int, index: int, digest: str) -> str:
    """Return the 10 hex digits that identify a chunk; `index` counts from 0."""
    parts = "\n".join((scope, address, str(revision), str(index), digest))
    return hashlib.sha256(parts.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def remote_name(scope: str, address: str, revision: int, index: int, count: int, mark: str) -> str:
    """Return the name of a chunk at sms.by, at most 160 characters.

    Its form is `campaign/mailing r2 [1/3] project#fingerprint`. If that is too long, the chunk's number is left out.
    """
    shown_revision = f" r{revision}" if revision != 1 else ""
    place = f" [{index + 1}/{count}]" if count != 1 else ""
    name = f"{address}{shown_revision}{place} {scope}#{mark}"
    return name if len(name) <= NAME_LIMIT else f"{address}{shown_revision} {scope}#{mark}"


def read_remote_name(name: str) -> RemoteName | None:
    """Return the parts of a name that this program made; None for others and truncated ones."""
    found = re.fullmatch(_NAME, name.strip())
    if found is None:
        return None
    return RemoteName(found["address"], int(found["revision"] or 1), found["project"], found["fingerprint"])


def may_be_truncated(listed: str, scope: str, address: str, revision: int) -> bool:
    """Whether `listed` may be this mailing's name, truncated, for any chunk and fingerprint."""
    bare = _CHUNK_NUMBER.sub("", listed, count=1).rstrip()
    whole = remote_name(scope, address, revision, 0, 1, "")
    return whole.startswith(bare) or (
        bare.startswith(whole) and _TRUNCATED_MARK.fullmatch(bare, len(whole)) is not None
    )


def canonical_json(value: Any) -> bytes:
    """Return `value` as JSON with sorted keys and without blanks."""
    return _CANONICAL.encode(value).encode()
