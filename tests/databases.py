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
from sqlalchemy import create_engine

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
