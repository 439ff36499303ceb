"""`apply` of a long list with its journal, against servers that answer immediately, after 20 ms, and over https."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi

from tests.bench.bench_plan import plan
from tests.bench.measure import (
    COMMAND,
    REPOSITORY,
    WORK,
    Cost,
    Figure,
    clean_environ,
    compare,
    make_project,
    run_process,
)

_IN_FLIGHT = 4
_ANSWER_SECONDS = 0.020
_BUNDLE = WORK / "bundle.pem"


@contextmanager
def server(milliseconds: float, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Run a server that answers after `milliseconds`, over https with a `certificate`; yields its URL."""
    with subprocess.Popen(
        (sys.executable, "-m", "tests.bench.server", str(milliseconds), *map(str, certificate or ())),
        cwd=REPOSITORY,
        env=clean_environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http{'s' if certificate else ''}://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def make_certificate() -> tuple[Path, Path]:
    """Create a certificate for 127.0.0.1 and its key, and a bundle of it and everything that certifi trusts."""
    certificate, key = WORK / "certificate.pem", WORK / "key.pem"
    if not _BUNDLE.is_file():
        command = (
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        )
        subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "3650")
        files = ("-keyout", str(key), "-out", str(certificate))
        subprocess.run((*command, *subject, *files), check=True, capture_output=True)
        _BUNDLE.write_bytes(Path(certifi.where()).read_bytes() + certificate.read_bytes())
    return certificate, key


def apply(folder: Path, url: str, lock: bytes = b"") -> Cost:
    """Run `apply` for the project in `folder` with this lock, by default without one."""
    put_lock(folder, lock)
    environ = {"SMSBY_TOKEN": "bench", "SMSBY_API_URL": url, "REQUESTS_CA_BUNDLE": str(_BUNDLE)}
    command = (*COMMAND, "-q", "-C", str(folder), "apply", "--auto-approve", "--format", "json")
    return run_process(command, environ=environ)


def put_lock(folder: Path, lock: bytes) -> None:
    """Replace the lock of the project in `folder`; an empty one removes it."""
    for path in folder.glob("smsby.lock.json*"):
        path.unlink()
    if lock:
        (folder / "smsby.lock.json").write_bytes(lock)


def measure(runs: int, rows: int) -> list[Figure]:
    """Compare the CPU time with that of plan, and the elapsed time with that of the server alone."""
    folder = make_project("list", rows)
    in_flight = make_project("list", rows, _IN_FLIGHT)
    with server(0) as url:
        immediate = compare(
            f"apply of {rows:,} rows, server answers immediately",
            lambda: apply(folder, url),
            lambda: plan(folder),
            floor_is="plan of the same rows",
            runs=runs,
            at_most=2.5,
            aim=1.9,
        )
    chunks = len(json.loads((folder / "smsby.lock.json").read_bytes())["mailings"]["sale/all"]["chunks"])
    ideal = Cost(0.0, chunks * _ANSWER_SECONDS / _IN_FLIGHT, 0.0)
    with server(_ANSWER_SECONDS * 1000) as url:
        slow = compare(
            f"apply of {rows:,} rows, server answers after 20 ms, {_IN_FLIGHT} in flight",
            lambda: apply(in_flight, url),
            lambda: ideal,
            floor_is=f"{chunks} chunks × 20 ms / {_IN_FLIGHT}",
            runs=min(runs, 3),
            at_most=1.5,
            aim=1.2,
            of=lambda cost: cost.wall,
            clock="wall",
        )
    return [immediate, slow, _over_https(folder, rows, chunks, runs)]


def _over_https(folder: Path, rows: int, chunks: int, runs: int) -> Figure:
    """Compare the CPU time with that of the same apply over http; `extra` is the added cost of each request."""
    with server(0) as plain, server(0, make_certificate()) as secure:
        figure = compare(
            f"apply of {rows:,} rows over https",
            lambda: apply(folder, secure),
            lambda: apply(folder, plain),
            floor_is="the same over http",
            runs=min(runs, 3),
            at_most=1.6,
            aim=1.3,
        )
    assert figure.floor is not None
    figure.extra["µs more a request"] = (figure.value - figure.floor) / chunks * 1e6
    return figure
