"""Sandboxes for tests, all in one other process: starting a process for each would take longer than most tests.

Each has its own account, port and threads. tests/docs run the `sandbox` command itself.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Client, Connection, Listener

from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
from smsby_deploy.sandbox.server import make_service, serving
from tests.e2e.forked import SERVER


@contextmanager
def new_sandbox() -> Iterator[str]:
    """Run an empty, strict sandbox with immediate delivery while the block runs; yields its URL."""
    with Client(_server_address()) as wire:
        yield str(wire.recv())


@cache
def _server_address() -> str:
    """Start the process, which lives as long as this one, and return its address."""
    here, there = SERVER.Pipe()
    SERVER.Process(target=_serve, args=(there,), daemon=True).start()
    there.close()
    with here:
        return str(here.recv())


def _serve(wire: Connection) -> None:
    with Listener(family="AF_UNIX", backlog=16) as listener:
        wire.send(listener.address)
        wire.close()
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()


def _accept(listener: Listener) -> None:
    while True:
        threading.Thread(target=_run_one, args=(listener.accept(),), daemon=True).start()


def _run_one(wire: Connection) -> None:
    with wire, serving(make_service(SandboxSettings(delay=0))) as url:
        wire.send(url)
        wire.poll(None)  # the test closes the other end when it has finished
