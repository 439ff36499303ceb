"""A lock in S3: what is removed, and what is not shown. test_shared_stores.py has what all stores guarantee."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import obstore
import pytest
from obstore.store import S3Store as Bucket

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock import s3_store
from smsby_deploy.lock.lease import Holder, Stored, StoreFailed, WrittenMeanwhile
from smsby_deploy.lock.s3_store import S3Store
from tests.shared_stores import S3_KEYS, LimitedS3

_AT = "2026-11-02T09:00:00+00:00"
_HOLDER = Holder("a", "apply", 1, "ci", _AT, _AT)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in S3_KEYS.items():
        monkeypatch.setenv(name, value)


def test_s3_store_removes_what_is_old(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a run removes objects that no run can still be writing; the lock and its archive stay."""
    prefix = uuid4().hex
    store = S3Store(f"s3://locks/{prefix}", s3_server, "k")
    monkeypatch.setattr(s3_store, "_KEPT", timedelta(seconds=-1))
    stored = Stored()
    for number in range(4):
        journal = f"{number}\n".encode()
        stored = store.write(stored, stored._replace(holder=_HOLDER, journal=stored.journal + journal))
    stored = store.write(stored, Stored(stored.version, _HOLDER, b"lock", archive=b"old\n"))
    last = store.write(stored, stored._replace(holder=None))
    assert S3Store(f"s3://locks/{prefix}", s3_server, "k").read() == last
    bucket = Bucket("locks", endpoint=s3_server, client_options={"allow_http": True})
    left = [one["path"] for one in obstore.list(bucket, prefix).collect()]
    assert not [path for path in left if "/journal/" in path]
    assert len([path for path in left if "/versions/" in path]) <= 2


def test_s3_store_joins_the_pieces_of_a_long_journal(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pieces of a long journal, one per request, are joined, so that reading does not grow with them."""
    monkeypatch.setattr(s3_store, "_MOST_PIECES", 2)
    prefix = uuid4().hex
    store = S3Store(f"s3://locks/{prefix}", s3_server, "k")
    stored = Stored()
    for number in range(5):
        stored = store.write(stored, stored._replace(journal=stored.journal + b"%d" % number))
        assert len(store._known.journal) <= 2
    other = S3Store(f"s3://locks/{prefix}", s3_server, "k")
    assert other.read().journal == b"01234"


def test_s3_store_shows_no_key(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key id in the library's errors is not shown."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-GEHEIM")
    with pytest.raises(StoreFailed) as caught:
        S3Store("s3://no-such-bucket/x", s3_server, "k").write(Stored(), Stored(lock=b"{}"))
    assert str(caught.value) == "HTTP 403 (AccessDenied)"


def test_s3_store_says_that_nothing_answers() -> None:
    """A server that does not answer is reported without its URL."""
    with pytest.raises(StoreFailed, match=r"^no connection \(GenericError\)$"):
        S3Store("s3://locks/x", "http://127.0.0.1:1", "k").read()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("000000000002", b"{}", "its object versions/000000000002 is damaged"),
        ("000000000002", b"", "its object versions/000000000002 is damaged"),
        ("notes.txt", b"mine", r"an object in versions/ that is not a version of a lock \(notes.txt\)"),
    ],
)
def test_s3_store_names_the_object_that_is_not_its_own(
    s3_server: str, name: str, content: bytes, why: str
) -> None:
    """A foreign, empty or truncated object is named."""
    prefix = uuid4().hex
    store = S3Store(f"s3://locks/{prefix}", s3_server, "k")
    store.write(Stored(), Stored(lock=b"{}"))
    bucket = Bucket("locks", endpoint=s3_server, client_options={"allow_http": True})
    obstore.put(bucket, f"{prefix}/k/versions/{name}", content)
    with pytest.raises(StoreFailed, match=why):
        store.read()


_HTML = 200, b"<html>Welcome</html>"
_NO_KEY = 404, b"<Error><Code>NoSuchKey</Code></Error>"


@pytest.mark.parametrize("answers", [{"GET": _HTML, "LIST": _HTML}, {"LIST": _HTML}, {"GET": _NO_KEY}])
def test_s3_store_takes_no_answer_to_anything_for_an_empty_lock(
    s3_server: str, answers: dict[str, tuple[int, bytes]]
) -> None:
    """An empty lock is a list without an object: no other answer, and no list that differs from the objects."""
    server = LimitedS3(s3_server)
    with server.serving():
        store = S3Store(f"s3://locks/{uuid4().hex}", server.url, "k")
        store.write(Stored(), Stored(lock=b"{}"))
        server.answer_to = answers
        with pytest.raises(StoreFailed, match="does not list its own objects"):
            store.read()


def test_s3_store_reads_a_lock_that_is_replaced_meanwhile(
    s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a run removes an old lock while another one reads it, the new one is read; a lock that is missing is an error."""
    monkeypatch.setattr(s3_store, "_KEPT", timedelta(seconds=-1))
    server = LimitedS3(s3_server)
    prefix = f"s3://locks/{uuid4().hex}"
    run, reader = S3Store(prefix, s3_server, "k"), S3Store(prefix, server.url, "k")
    held = run.write(Stored(), Stored(lock=b"{}"))
    held = run.write(held, held._replace(holder=_HOLDER))
    ended: list[Stored] = []

    def end(method: str, path: str) -> None:
        if "/lock/" in path and not ended:
            ended.append(run.write(held, held._replace(lock=b"[]", holder=None)))

    server.before = end
    with server.serving():
        assert [reader.read()] == ended
        server.before = lambda method, path: None
        bucket = Bucket("locks", endpoint=s3_server, client_options={"allow_http": True})
        bucket.delete([one["path"] for one in bucket.list(prefix[11:]).collect() if "/lock/" in one["path"]])
        with pytest.raises(StoreFailed, match=r"HTTP 404 \(NoSuchKey\)"):
            reader.read()


def test_s3_store_sends_few_requests(s3_server: str) -> None:
    """A write sends what has changed, and looks for a newer version; only the end of a run looks for what to remove."""
    server = LimitedS3(s3_server)
    with server.serving():
        store = S3Store(f"s3://locks/{uuid4().hex}", server.url, "k")
        held = store.write(Stored(), Stored(holder=_HOLDER, lock=b"{}", archive=b"x\n"))
        for changes, asked in (
            ({}, ["PUT", "LIST"]),
            ({"journal": b"1\n"}, ["PUT", "PUT", "LIST"]),
            ({"lock": b"[]", "journal": b""}, ["PUT", "PUT", "LIST"]),
            ({"holder": None}, ["PUT", "LIST", "LIST"]),
        ):
            server.asked.clear()
            held = store.write(held, held._replace(**changes))
            assert server.asked == asked
        assert store.read() == held
        assert len(store._list()) == 5


def test_s3_store_never_goes_on_from_a_version_of_another_run(
    s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that lost the lock cannot write, even if it has read the newer version, or its next number was removed."""
    monkeypatch.setattr(s3_store, "_KEPT", timedelta(seconds=-1))
    prefix = f"s3://locks/{uuid4().hex}"
    lost, reading, other = (S3Store(prefix, s3_server, "k") for _ in range(3))
    mine = lost.write(Stored(), Stored(holder=_HOLDER))
    assert reading.read() == mine
    taken = other.read()
    for number in range(3):
        taken = other.write(taken, taken._replace(lock=b"%d" % number, holder=None))
    assert reading.read() == taken
    for store in (lost, reading):
        with pytest.raises(WrittenMeanwhile):
            store.write(mine, mine._replace(journal=b"1\n"))
    assert S3Store(prefix, s3_server, "k").read() == taken


def test_s3_store_leaves_the_lock_to_a_write_in_progress(s3_server: str) -> None:
    """During another write, when Amazon answers with a conflict and the object is missing, the lock is left to that write."""
    server = LimitedS3(s3_server)
    with server.serving():
        store = S3Store(f"s3://locks/{uuid4().hex}", server.url, "k")
        held = store.write(Stored(), Stored(holder=_HOLDER))
        server.answer_to["PUT"] = 409, b"<Error><Code>ConditionalRequestConflict</Code></Error>"
        with pytest.raises(WrittenMeanwhile):
            store.write(held, held)


def test_s3_store_survives_a_lost_answer(s3_server: str) -> None:
    """After a lost answer the library's second try finds the object that its first one created."""
    server = LimitedS3(s3_server)
    with server.serving():
        store = S3Store(f"s3://locks/{uuid4().hex}", server.url, "k")
        held = store.write(Stored(), Stored(holder=_HOLDER))
        for lines in (b"1\n", b"1\n2\n"):
            server.answers_to_lose = 1
            held = store.write(held, held._replace(journal=lines))
            assert store.read() == held


def test_s3_store_refuses_a_server_that_replaces_objects(s3_server: str) -> None:
    """A server that replaces existing objects is refused, since two runs could both take the lock."""
    careless = LimitedS3(s3_server, is_conditional=False)
    with careless.serving():
        store = S3Store(f"s3://locks/{uuid4().hex}", careless.url, "k")
        with pytest.raises(SmsbyDeployError, match="ignores `If-None-Match`"):
            store.write(Stored(), Stored(holder=_HOLDER))
