"""Digests with a key: what leaves the program reveals nothing without it."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.digest_key import NO_KEY, DigestKey, read_digest_key
from smsby_deploy.errors import UsageError

_SECRET = "0123456789abcdef" * 4
_DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
_SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=32, max_size=80)


@given(_DIGESTS, _SECRETS, _SECRETS)
def test_digest_key_seals_what_only_it_opens(digest: str, secret: str, other: str) -> None:
    """A later process opens a seal with the same key; another key is an error, and the bare digest is never shown."""
    key = DigestKey(secret)
    keyed = key.apply(digest)
    sealed = key.seal(keyed)
    assert sealed is not None
    assert len({digest, keyed, sealed}) == 3
    assert DigestKey(secret).apply(digest) == keyed
    assert DigestKey(secret).open(keyed, sealed) == digest == key.bare(keyed)
    if other != secret:
        assert DigestKey(other).apply(digest) != keyed
        with pytest.raises(ValueError, match="not sealed with this key"):
            DigestKey(other).open(keyed, sealed)


@pytest.mark.parametrize("sealed", [None, "", "00" * 32, "zz"])
def test_digest_key_opens_no_other_seal(sealed: str | None) -> None:
    """A missing or changed seal is an error, never another digest."""
    key = DigestKey(_SECRET)
    keyed = key.apply("ab" * 32)
    with pytest.raises(ValueError, match=r"not sealed|hexadecimal"):
        key.open(keyed, sealed)


def test_no_key_changes_nothing() -> None:
    """Without a key every digest is what it was before there were keys."""
    assert NO_KEY.id is None
    assert NO_KEY.apply("ab" * 32) == NO_KEY.bare("ab" * 32) == NO_KEY.open("ab" * 32, None) == "ab" * 32
    assert NO_KEY.seal("ab" * 32) is None


def test_digest_of_nothing_needs_no_key() -> None:
    """The digest of no recipients needs no key, as it hides nothing and identifies a list kept at sms.by."""
    nothing = hashlib.sha256(b"").hexdigest()
    assert DigestKey(_SECRET).apply(nothing) == DigestKey(_SECRET).open(nothing, None) == nothing


@pytest.mark.parametrize("value", [{}, {"SMSBY_DIGEST_KEY": ""}, {"SMSBY_DIGEST_KEY": " \n"}])
def test_read_digest_key_takes_an_empty_variable_for_none(value: dict[str, str]) -> None:
    """An empty variable, as of a pipeline without the secret, means no key."""
    assert read_digest_key(value) is NO_KEY


def test_read_digest_key_ignores_the_line_break_of_a_file() -> None:
    """A key is the same with a final line break, from `$(cat file)` or a pasted secret."""
    assert read_digest_key({"SMSBY_DIGEST_KEY": f"{_SECRET}\n"}).id == DigestKey(_SECRET).id


def test_read_digest_key_refuses_a_short_one() -> None:
    """A key that is short enough to guess is refused, and the message does not show it."""
    with pytest.raises(UsageError) as refused:
        read_digest_key({"SMSBY_DIGEST_KEY": "short-and-secret"})
    assert "at least 32 characters" in refused.value.message
    assert "short-and-secret" not in refused.value.message + refused.value.hint
