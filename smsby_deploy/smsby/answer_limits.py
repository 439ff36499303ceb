"""The limits of an answer: how slowly it may arrive, and how much it may hold.

Without them a service, or anything between it and us, could block a run with an occasional byte, or fill its memory with
a small body that inflates.
"""

from __future__ import annotations

import io
import ssl
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPResponse
from typing import Any

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter

from smsby_deploy.clock import Clock

LARGEST_ANSWER = 64 << 20  # bytes, after decompression
LARGEST_LIST = 1 << 30  # of getSMSMessages, which has every mailing of the account and is read as a stream
_LARGEST_HEADERS = 1 << 20
_SLACK = 1 << 20  # for the sizes of chunks, in addition to their content
_PROGRESS = 64 << 10  # bytes that arrive within _PATIENCE timeouts
_PATIENCE = 2
_PIECE = 64 << 10
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class TooLarge(OSError):
    """An answer exceeds the `limit` in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class BadEncoding(OSError):
    """An answer is compressed in a way that was not asked for, or is damaged."""


class BoundedResponse(HTTPResponse):
    """An answer that must arrive at a minimum rate, headers included."""

    def __init__(self, sock: Any, *args: Any, clock: Clock, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._bytes = _BoundedBytes(self.fp.detach(), sock, clock)
        self.fp = io.BufferedReader(self._bytes)

    def begin(self) -> None:
        """Read the headers."""
        self._bytes.allow(_LARGEST_HEADERS)
        super().begin()
        self.limit(LARGEST_LIST)

    def limit(self, size: int) -> None:
        """Allow the rest of the answer `size` bytes, compressed or not."""
        self._bytes.allow(size, _SLACK)


class _BoundedBytes(io.RawIOBase):
    """The bytes of a socket."""

    def __init__(self, source: io.RawIOBase, sock: Any, clock: Clock) -> None:
        self.allow(_LARGEST_HEADERS)
        self._source = source
        self._sock = sock
        self._clock = clock
        self._timeout: float | None = sock.gettimeout()
        self._begin_interval()

    def allow(self, limit: int, slack: int = 0) -> None:
        """Allow the rest `limit` bytes, and `slack` more that are not content."""
        self._limit, self._left = limit, limit + slack

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._timeout is not None:
            remaining = self._since + self._timeout * _PATIENCE - self._clock.monotonic()
            if remaining <= 0:
                raise TimeoutError("timed out")
            if remaining < self._timeout:
                self._sock.settimeout(remaining)
        count: int | None = self._source.readinto(buffer)
        self._received += count or 0
        self._left -= count or 0
        if self._left < 0:
            raise TooLarge(self._limit)
        if self._received >= _PROGRESS:
            self._begin_interval()
        return count

    def _begin_interval(self) -> None:
        self._since = self._clock.monotonic()
        self._received = 0

    def close(self) -> None:
        self._source.close()
        super().close()


class BoundedAdapter(HTTPAdapter):
    """An adapter whose answers are bounded.

    If its connections use TLS, they use the SSL context that `context` returns. Up to `pool_maxsize` of them stay open.
    """

    def __init__(
        self, context: Callable[[], ssl.SSLContext], clock: Clock, pool_maxsize: int = DEFAULT_POOLSIZE
    ) -> None:
        self._context = context
        self._response = partial(BoundedResponse, clock=clock)
        self.opened: Any = None  # the connection to use next
        super().__init__(pool_maxsize=pool_maxsize)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = partial(self._connect, type(pool).ConnectionCls)
        return pool

    def _connect(self, kind: Callable[..., Any], **options: Any) -> Any:
        if self.opened is not None:
            connection, self.opened = self.opened, None
            return connection
        connection = kind(**options)
        connection.response_class = self._response
        return connection

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> tuple[Any, Any]:
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            tls = {"cert_reqs": "CERT_REQUIRED", "ssl_context": self._context()}
        return host, tls

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("https:"):
            options["proxy_ssl_context"] = self._context()
        return super().proxy_manager_for(proxy, **options)

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:
        """Require a certificate, but load no CA certificates: the context has them."""
        conn.cert_reqs = "CERT_REQUIRED"


def read_pieces(response: requests.Response, limit: int) -> Iterator[bytes]:
    """Yield the body piece by piece, decompressed.

    Raises:
        TooLarge: it holds more than `limit` bytes.
        BadEncoding: it cannot be decompressed.
    """
    original = getattr(response.raw, "_original_response", None)
    if isinstance(original, BoundedResponse):
        original.limit(limit)
    received = response.raw.stream(_PIECE, decode_content=False)
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):
        received = _decompressed(received)
    elif encoding not in ("", "identity"):
        raise BadEncoding
    size = 0
    for piece in received:
        size += len(piece)
        if size > limit:
            raise TooLarge(limit)
        yield piece


def _decompressed(received: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces of a limited length, however much the data inflate."""
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    for data in received:
        while data:
            if inflater.eof:  # another member of a gzip file
                inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
            try:
                yield inflater.decompress(data, _PIECE)
            except zlib.error:
                raise BadEncoding from None
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    while not inflater.eof:
        piece = inflater.decompress(inflater.unconsumed_tail, _PIECE)
        if not piece:
            raise BadEncoding
        yield piece
