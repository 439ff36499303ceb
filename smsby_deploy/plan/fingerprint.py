"""Digests, fingerprints and remote names: how a send is known again when the lock or its answer was lost.

A fingerprint depends on every byte that people are sent, and on nothing else: neither on the order of keys, nor on
the size of the request, nor on who opted out after the review.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from itertools import repeat
from json.encoder import encode_basestring
from operator import contains
from typing import Any, NamedTuple

FINGERPRINT_DIGITS = 10
NAME_LIMIT = 160
_PIECE = 1000  # recipients, as many as a usual chunk has

# As text: it is compiled, by `re`, for the first name that sms.by lists, and `validate` asks for none.
_NAME = (
    r"(?P<address>[a-z0-9-]{1,40}/[a-z0-9-]{1,40})(?: r(?P<revision>\d+))?(?: \[\d+/\d+\])?"
    r" (?P<project>[a-z0-9-]{1,40})#(?P<fingerprint>[0-9a-f]{10})"
)
_PLACE = re.compile(r" \[\d*(/\d*\]?)?")  # [1/3], perhaps cut off itself
_CUT_MARK = re.compile(f"[0-9a-f]{{0,{FINGERPRINT_DIGITS - 1}}}")
# Made once: a million recipients are as many documents.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_CONTROLS = tuple(bytes([code]) for code in range(32) if code != ord("\n"))  # JSON writes them otherwise


class RemoteName(NamedTuple):
    """What the name of a mailing at sms.by tells, if it is one of ours."""

    address: str
    revision: int
    project: str
    fingerprint: str


def content_digest(header: dict[str, Any]) -> str:
    """sha256 of what a mailing says and when: alphaname, time, kind, text; without its audience."""
    return hashlib.sha256(canonical_json(header)).hexdigest()


def row_line(phone: str, text: str | None) -> bytes:
    """One recipient as the bytes that are hashed: the JSON that is sent, and a newline."""
    row = phone if text is None else {"phone": phone, "text": text}
    return canonical_json(row) + b"\n"


def row_lines(phones: Sequence[str], texts: Sequence[str] | None) -> bytes:
    """`row_line` of each recipient, one after the other."""
    if not phones:
        return b""
    if texts is None:
        return ('"' + '"\n"'.join(phones) + '"\n').encode()
    joined = "".join(texts)
    if '"' not in joined and "\\" not in joined and "\n" not in joined:
        lines = _join_rows(phones, texts)
        if not any(map(contains, repeat(lines), _CONTROLS)):  # in bytes they are searched for in no time
            return lines
    return _join_rows(phones, [encode_basestring(text)[1:-1] for text in texts])


def _join_rows(phones: Sequence[str], texts: Sequence[str]) -> bytes:
    pieces = ['{"phone":"', "", '","text":"', "", '"}\n'] * len(phones)
    pieces[1::5], pieces[3::5] = phones, texts
    return "".join(pieces).encode()


def phones_of(rows: bytes) -> list[bytes]:
    """The phones of `row_lines`: what stands in each between the quotes behind `"` or `{"phone":"`."""
    before = 1 if rows.startswith(b'"') else 3
    return [line.split(b'"', before + 1)[before] for line in rows.removesuffix(b"\n").split(b"\n")]


def hash_rows(rows: bytes) -> bytes:
    """sha256 of some recipients as `row_lines`: hashed once, for their chunk and for the whole audience."""
    return hashlib.sha256(rows).digest()


def chunk_digest(content: str, rows: bytes) -> str:
    """sha256 of one chunk: the mailing's content and the `hash_rows` of the chunk's recipients, in order."""
    return hashlib.sha256(content.encode() + b"\n" + rows).hexdigest()


class AudienceDigest:
    """sha256 of an audience, in whatever chunks it comes: over the `hash_rows` of each thousand recipients."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._waiting = b""  # rows that are no thousand yet
        self._count = 0

    def add(self, rows: bytes, people: int, hashed: bytes) -> None:
        """Add `people` recipients; `hashed` is the hash_rows of `rows`."""
        if people == _PIECE and not self._count:
            self._digest.update(hashed)
            return
        self._waiting += rows
        self._count += people
        while self._count >= _PIECE:
            *lines, self._waiting = self._waiting.split(b"\n", _PIECE)
            self._digest.update(hash_rows(b"\n".join(lines) + b"\n"))
            self._count -= _PIECE

    def hexdigest(self) -> str:
        """The digest of all that was added."""
        digest = self._digest.copy()
        digest.update(hash_rows(self._waiting))
        return digest.hexdigest()


def fingerprint(project: str, address: str, revision: int, index: int, digest: str) -> str:
    """The 10 hex digits that name one chunk; `index` counts from 0."""
    parts = "\n".join((project, address, str(revision), str(index), digest))
    return hashlib.sha256(parts.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def remote_name(project: str, address: str, revision: int, index: int, count: int, mark: str) -> str:
    """The name a chunk bears at sms.by, at most 160 characters: `campaign/mailing r2 [1/3] project#fingerprint`."""
    shown_revision = f" r{revision}" if revision != 1 else ""
    place = f" [{index + 1}/{count}]" if count != 1 else ""
    return f"{address}{shown_revision}{place} {project}#{mark}"


def read_remote_name(name: str) -> RemoteName | None:
    """The parts of one of our names, or None: somebody else's, or cut short."""
    found = re.fullmatch(_NAME, name.strip())
    if found is None:
        return None
    return RemoteName(found["address"], int(found["revision"] or 1), found["project"], found["fingerprint"])


def may_be_truncated(listed: str, project: str, address: str, revision: int) -> bool:
    """Whether `listed` can be the beginning of a name of this mailing, whichever chunk and fingerprint it was cut from."""
    bare = _PLACE.sub("", listed, count=1).rstrip()
    whole = remote_name(project, address, revision, 0, 1, "")
    return whole.startswith(bare) or (
        bare.startswith(whole) and _CUT_MARK.fullmatch(bare, len(whole)) is not None
    )


def canonical_json(value: Any) -> bytes:
    return _CANONICAL.encode(value).encode()
