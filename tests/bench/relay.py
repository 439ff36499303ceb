"""A distance in one process: bytes to a local port and back arrive late.

python -m tests.bench.relay PORT MILLISECONDS prints its port and relays until its input ends. The milliseconds are those of
a round trip. A connection takes one round trip as well, before anything is relayed.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque


class _End(asyncio.Protocol):
    """One end of a connection; what it receives arrives at `other` half a round trip later."""

    def __init__(self, round_trip: float, opens_at: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay = round_trip / 2
        self._opens_at = opens_at
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None
        self._pending: deque[bytes] = deque()  # in order: timers of the same moment may run in any
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._late(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._late(b"")

    def _late(self, data: bytes) -> None:
        now = self._loop.time()
        self._pending.append(data)
        self._loop.call_at(max(now, self._opens_at) + self._delay, self._arrive)

    def _arrive(self) -> None:
        self._deliver(self._pending.popleft())

    def _deliver(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self._early.append(data)
        elif data:
            self.other.transport.write(data)
        else:
            self.other.transport.close()

    def join(self, other: _End) -> None:
        self.other = other
        for data in self._early:
            self._deliver(data)


class _Client(_End):
    """The end of the client that connects to the relay."""

    def __init__(self, round_trip: float, port: int) -> None:
        super().__init__(round_trip, asyncio.get_running_loop().time() + round_trip)
        self._round_trip = round_trip
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        server = _End(self._round_trip)
        server.other = self
        await self._loop.create_connection(lambda: server, "127.0.0.1", self._port)
        self.join(server)


async def relay(port: int, round_trip: float) -> None:
    """Relay connections to `port` with a round trip of that many seconds."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(round_trip, port), "127.0.0.1", 0, backlog=256)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), float(sys.argv[2]) / 1000))
