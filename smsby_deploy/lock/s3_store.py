"""A shared lock in S3: numbered objects, each created only if it is absent.

The object with the highest number is the current version: it names the holder and the objects with the content. Two runs that
know the same number cannot both create the next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple
from uuid import uuid4

from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import S3Store as Bucket

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock.lease import (
    Holder,
    Stored,
    StoreFailed,
    WrittenMeanwhile,
    holder_document,
    read_holder,
)

_DIGITS = 12
_KEPT = timedelta(hours=1)  # much longer than a lease: a run that writes that late knows it has lost it
_SCHEME = "s3://"
_TRIES = 5
_MOST_PIECES = 64  # of a journal: the next piece has all of it, so that reading needs few requests
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")  # as S3 names an error
_NO_ANSWER = "GenericError"  # the library has no more specific error
_NOT_FOUND = (FileNotFoundError, NotFoundError)  # depends on the version of the library
_PATIENCE = timedelta(seconds=15)


class _Version(NamedTuple):
    """The content of a numbered object; `lock`, `journal` and `archive` are names of objects."""

    number: int = 0
    holder: str = ""
    lock: str | None = None
    journal: tuple[str, ...] = ()
    archive: tuple[str, ...] = ()


class S3Store:
    """The lock `key` below `s3://bucket/prefix`.

    `endpoint` is the URL of a server other than Amazon's.
    """

    def __init__(self, url: str, endpoint: str | None, key: str) -> None:
        self.name = url
        self._bucket, _, prefix = url.removeprefix(_SCHEME).partition("/")
        self._prefix = f"{prefix}/{key}" if prefix else key
        self._endpoint = endpoint
        self._known = _Version()
        self._is_conditional = False  # the server has been seen to refuse to replace an object

    def read(self) -> Stored:
        """Return the lock as it is now; raises StoreFailed."""
        with _failures():
            version = self._find_version()
            while True:
                self._known = version
                try:
                    return self._read_content(version)
                except _NOT_FOUND:  # a newer version has replaced this one, and its objects are removed
                    version = self._find_version()
                    if version == self._known:
                        raise

    def _read_content(self, version: _Version) -> Stored:
        return Stored(
            str(version.number or ""),
            read_holder(version.holder),
            None if version.lock is None else self._get(version.lock),
            b"".join(map(self._get, version.journal)),
            b"".join(map(self._get, version.archive)),
        )

    def write(self, before: Stored, after: Stored) -> Stored:
        """Create the object with the next number; raises as `SharedStore.write`."""
        if str(self._known.number or "") != before.version:
            raise WrittenMeanwhile("another run has written to it")
        known = self._known
        with _failures():
            lock = known.lock if after.lock == before.lock else self._put("lock", after.lock)
            journal = self._extend(known.journal, before.journal, after.journal, "journal")
            archive = self._extend(known.archive, before.archive, after.archive, "archive")
            following = _Version(known.number + 1, holder_document(after.holder), lock, journal, archive)
            self._create(following)
            self._known = following
            self._prune(following)
        return after._replace(version=str(following.number))

    def is_over(self, holder: Holder) -> bool:
        """Return False, because S3 does not know which runs are alive."""
        return False

    @cached_property
    def _store(self) -> Bucket:
        """The bucket; keys and region come from the AWS variables."""
        retries: Any = {"max_retries": 3, "retry_timeout": _PATIENCE}  # much shorter than a lease
        if self._endpoint is None:
            return Bucket(self._bucket, client_options={"timeout": _PATIENCE}, retry_config=retries)
        return Bucket(
            self._bucket,
            endpoint=self._endpoint,
            client_options={"allow_http": self._endpoint.startswith("http://"), "timeout": _PATIENCE},
            retry_config=retries,
            virtual_hosted_style_request=False,
        )

    def _find_version(self) -> _Version:
        """Return the newest version; one that is removed meanwhile is not the newest.

        A server that answers any request the same way lists nothing, and would pass for an empty lock.
        """
        for _ in range(_TRIES):
            newest = max((number for number, _ in self._list()), default=0)
            content = self._find(self._name_of(newest or 1))
            if content is not None and newest:
                return _parse(newest, content)
            if content is None and not newest:
                return _Version()
        raise StoreFailed("it does not list its own objects")

    def _list(self, after: str | None = None) -> list[tuple[int, datetime]]:
        """Return the number and time of each version after an object, or of all versions."""
        found = self._store.list(f"{self._prefix}/versions", offset=after).collect()
        named = [(one["path"].rpartition("/")[2], one["last_modified"]) for one in found]
        other = next((name for name, _ in named if not name.isdecimal()), None)
        if other is not None:
            raise StoreFailed(f"it has an object in versions/ that is not a version of a lock ({other})")
        return [(int(name), time) for name, time in named]

    def _create(self, version: _Version) -> None:
        document = version._asdict()
        number = document.pop("number")
        content = json.dumps({**document, "id": uuid4().hex}).encode()
        name = self._name_of(number)
        try:
            self._store.put(name, content, mode="create")
        except AlreadyExistsError as error:
            # A try whose answer was lost may have created it; the id in every object shows that.
            if self._find(name) != content:
                raise WrittenMeanwhile("another run has written to it") from error
        if self._list(after=name):
            raise WrittenMeanwhile("another run has written to it")
        if not self._is_conditional:
            self._refuse_to_replace(name, content)

    def _refuse_to_replace(self, name: str, content: bytes) -> None:
        """Refuse a server that replaces an existing object instead of only creating one."""
        with suppress(AlreadyExistsError):
            self._store.put(name, content, mode="create")
            raise SmsbyDeployError(
                f"the server of {self.name} ignores `If-None-Match`, so two runs could hold the lock at once",
                hint="use a server that supports conditional writes, or another place for the lock (docs/locks.md)",
            )
        self._is_conditional = True

    def _extend(self, names: tuple[str, ...], before: bytes, after: bytes, kind: str) -> tuple[str, ...]:
        """Return the objects of `after`: those of `before`, and one with the new lines."""
        if not after or after == before:
            return names if after else ()
        if not after.startswith(before) or len(names) >= _MOST_PIECES:
            names, before = (), b""
        return (*names, str(self._put(kind, after[len(before) :])))

    def _put(self, kind: str, content: bytes | None) -> str | None:
        """Create an object with `content`, and return its name."""
        if content is None:
            return None
        name = f"{self._prefix}/{kind}/{uuid4().hex}"
        with suppress(AlreadyExistsError):  # by a try whose answer was lost
            self._store.put(name, content, mode="create")
        return name

    def _get(self, name: str) -> bytes:
        return bytes(self._store.get(name).bytes())

    def _find(self, name: str) -> bytes | None:
        """Return an object; None if there is none."""
        try:
            return self._get(name)
        except _NOT_FOUND:
            return None

    def _prune(self, after: _Version) -> None:
        """Remove versions that are too old to be read, with the content that `after` replaces."""
        if after.holder:
            return
        listed = self._list()
        newest = max(time for _, time in listed)
        old = [number for number, time in listed if newest - time > _KEPT and number < after.number]
        kept = {after.lock, *after.journal, *after.archive}
        for number in old:
            version = _parse(number, self._get(self._name_of(number)))
            names = {version.lock, *version.journal, *version.archive} - kept - {None}
            self._store.delete([*filter(None, names), self._name_of(number)])

    def _name_of(self, number: int) -> str:
        return f"{self._prefix}/versions/{number:0{_DIGITS}}"


@contextmanager
def _failures() -> Iterator[None]:
    """Turn errors of the library into StoreFailed, which reveals no key."""
    try:
        yield
    except StoreFailed:
        raise
    except (BaseError, OSError, ValueError, KeyError, TypeError) as error:
        raise StoreFailed(_why(error)) from error


def _why(error: BaseException) -> str:
    """Say why a library call failed, without the URL and the key that its text contains."""
    text, kind = str(error), type(error).__name__
    status = _STATUS.search(text)
    if status is None:
        return f"no connection ({kind})" if kind == _NO_ANSWER else kind
    code = _CODE.search(text)
    return f"HTTP {status[1]}{f' ({code[1]})' if code else ''}"


def _parse(number: int, content: bytes) -> _Version:
    try:
        document = json.loads(content)
        return _Version(
            number,
            document["holder"],
            document["lock"],
            tuple(document["journal"]),
            tuple(document["archive"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreFailed(f"its object versions/{number:0{_DIGITS}} is damaged") from error
