"""Databases for tests: a SQLite file, and a separate PostgreSQL server for each worker."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

PASSWORD = "pass-word-of-the-tests"
_NOTICE = "PostgreSQL is not installed: make postgres"


@dataclass(frozen=True)
class Database:
    """A writable database; `kind` is sqlite or postgresql."""

    kind: str
    url: str

    def run(self, *statements: str) -> None:
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        engine.dispose()

    def one(self, query: str) -> object:
        engine = create_engine(self.url)
        with engine.connect() as connection:
            value: object = connection.exec_driver_sql(query).scalar()
        engine.dispose()
        return value


def find_programs() -> Path | None:
    """Return the folder of initdb and postgres, which Debian does not put on PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders and (folders[-1] / "initdb").exists() else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server on loopback with its data in a temporary folder."""
    programs = find_programs()
    if programs is None:
        pytest.skip(_NOTICE)
    user = "postgres" if os.geteuid() == 0 else None  # it does not run as root
    folder = Path(tempfile.mkdtemp(prefix="smsby-postgres-"))
    if user:
        shutil.chown(folder, user)
    secret = folder / "password"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    initdb: list[str | Path] = [
        programs / "initdb", "-D", data, "-U", "shop", "--auth=scram-sha-256", f"--pwfile={secret}",
        "--no-sync", "--encoding=UTF8", "--locale=C",
    ]  # fmt: skip
    subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=folder)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control: list[str | Path] = [programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log"]
    subprocess.run([*control, "start"], check=True, capture_output=True, user=user, cwd=folder)
    try:
        yield f"postgresql+psycopg://shop:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        stop: list[str | Path] = [programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=True, capture_output=True, user=user, cwd=folder)
        shutil.rmtree(folder)


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[Database]:
    """An empty database on the server."""
    database = Database("postgresql", postgres_server)
    database.run("drop schema public cascade", "create schema public")
    yield database


@pytest.fixture
def pooled(postgres: Database, tmp_path: Path) -> Iterator[str]:
    """The URL of `postgres` behind PgBouncer.

    After each transaction a client may get the session of another one.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed: make postgres")
    server = make_url(postgres.url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="smsby-pgbouncer-"))
    folder.chmod(0o755)
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server.port} user={server.username} password={PASSWORD}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\nignore_startup_parameters = extra_float_digits\n",
        encoding="utf-8",
    )
    user = "postgres" if os.geteuid() == 0 else None  # it does not run as root
    command = [program, config]
    with subprocess.Popen(command, user=user, cwd=folder, text=True, stderr=subprocess.PIPE) as pooler:
        assert pooler.stderr is not None
        assert any("process up" in line for line in pooler.stderr), "PgBouncer has not started"
        yield server.set(port=port).render_as_string(hide_password=False)
        pooler.kill()
    shutil.rmtree(folder)


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    """An empty SQLite file."""
    path = tmp_path / "crm.db"
    path.touch()
    return Database("sqlite", f"sqlite:///{path}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database of each kind."""
    found: Database = request.getfixturevalue(request.param)
    return found
