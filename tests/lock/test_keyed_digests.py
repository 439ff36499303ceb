"""The digest key of a lock: another key is refused, and a rotation loses nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsby_deploy.digest_key import NO_KEY, DigestKey
from smsby_deploy.errors import Refused
from smsby_deploy.lock.events import fold
from smsby_deploy.lock.keyed_digests import check_digest_key, digests_of, key_fields, rekey_fields
from smsby_deploy.lock.records import ChunkState, Entry, Lock, UploadRecord
from smsby_deploy.lock.serialization import read_lock, write_lock
from tests.lock.examples import entry

_OLD, _NEW = "old-key-" * 4, "new-key-" * 4
_BARE = {
    name: f"{number:064x}" for number, name in enumerate(("audience", "text", "people", "chunk", "upload"), 1)
}


def _entry(key: DigestKey, revision: int = 1) -> Entry:
    """Return a mailing whose digests were made with `key`."""
    one = entry(ChunkState.ACCEPTED, revision=revision)
    chunk = replace(
        one.chunks[0], digest=key.apply(_BARE["chunk"]), upload=UploadRecord(key.apply(_BARE["upload"]))
    )
    return replace(
        one,
        audience_digest=key.apply(_BARE["audience"]),
        text_digest=key.apply(_BARE["text"]),
        recipients_digest=key.apply(_BARE["people"]),
        chunks=(chunk,),
    )


def _lock(key: DigestKey) -> Lock:
    recorded = replace(_entry(key, revision=2), earlier=(_entry(key),))
    fields = key_fields(Lock("shop"), key, digests_of(recorded)) or {"digest_key": None, "sealed": {}}
    return Lock("shop", lineage="line", mailings={"a/b": recorded}, **fields)


def _rekeyed(lock: Lock, old: DigestKey, new: DigestKey) -> Lock:
    event = {"event": "rekey", **rekey_fields(lock, old, new)}
    return fold(lock, [{"event": "begin", "id": "j", "lineage": "line", "plan": None}, event])


@pytest.mark.parametrize("old", ["", _OLD], ids=["no-key", "old-key"])
@pytest.mark.parametrize("new", ["", _NEW])
def test_rekey_gives_the_digests_of_the_new_key(old: str, new: str) -> None:
    """A rekey gives the new key's digests, of earlier revisions and uploads too, from the lock alone; fingerprints stay."""
    lock = _lock(DigestKey(old))
    rekeyed = _rekeyed(lock, DigestKey(old), DigestKey(new))
    assert rekeyed.mailings == _lock(DigestKey(new)).mailings
    assert rekeyed.digest_key == DigestKey(new).id
    assert rekeyed.sealed == _lock(DigestKey(new)).sealed
    assert read_lock(write_lock(rekeyed), "lock") == rekeyed
    if new != old:
        assert not set(digests_of(lock.mailings["a/b"])) & set(digests_of(rekeyed.mailings["a/b"]))


def test_rekey_needs_the_old_key() -> None:
    """Without the old key a rekey is refused, and names the id of the key."""
    with pytest.raises(Refused, match=str(DigestKey(_OLD).id)):
        rekey_fields(_lock(DigestKey(_OLD)), NO_KEY, DigestKey(_NEW))


def test_rekey_leaves_no_digest_behind() -> None:
    """If any digest cannot be opened, the rekey is refused: half a rotation would hide a sent mailing."""
    lock = _lock(DigestKey(_OLD))
    with pytest.raises(Refused, match="a/b"):
        rekey_fields(replace(lock, sealed={}), DigestKey(_OLD), DigestKey(_NEW))


@pytest.mark.parametrize(("locked", "here"), [("", _NEW), (_OLD, ""), (_OLD, _NEW)])
def test_lock_of_another_key_is_refused(locked: str, here: str) -> None:
    """A lock of another key is refused with its id, and an empty lock needs no key."""
    lock = _lock(DigestKey(locked))
    with pytest.raises(Refused) as refused:
        check_digest_key(lock, DigestKey(here))
    assert (lock.digest_key or "lock rekey") in refused.value.message + refused.value.hint
    check_digest_key(replace(lock, mailings={}), DigestKey(here))
    check_digest_key(lock, DigestKey(locked))


def test_seals_go_with_their_mailing() -> None:
    """The seal of a mailing leaves the lock with it."""
    lock = _lock(DigestKey(_OLD))
    begin = {"event": "begin", "id": "j", "lineage": "line", "plan": None}
    assert fold(lock, [begin]).sealed == lock.sealed != {}
    assert fold(lock, [begin, {"event": "remove", "address": "a/b"}]).sealed == {}


def test_lock_without_a_key_is_written_as_before() -> None:
    """A lock without a key is written as before there were keys."""
    text = write_lock(_lock(NO_KEY))
    assert not any(word in text for word in ("digest_key", "sealed"))
    assert key_fields(_lock(NO_KEY), NO_KEY, ["ab" * 32]) is None
