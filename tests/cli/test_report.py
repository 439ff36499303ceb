"""`report`: what it reads, what it refuses, and that it needs no token."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--by", "week"), "cannot add up by 'week'"),
        (("--by", "month,month"), "names a group twice"),
        (("--by", "prefix,variant"), "prefix and variant cannot be combined"),
        (("--since", "yesterday"), "--since"),
        (("--out", "/missing/report.html"), "cannot write the report: /missing is not a directory"),
    ],
)
def test_report_refuses_wrong_options(
    options: tuple[str, ...], message: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", str(shop), "report", *options]) == 64
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_report_of_a_new_project_needs_no_token(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a new project every format says that nothing was sent, without a token; --out writes it to a file."""
    assert run(["-C", str(shop), "report", "--since", "2026-01-01"]) == 0
    assert capsys.readouterr().out == "nothing was sent since 2026-01-01 00:00 +03\n"
    for form, shown in (
        ("markdown", "nothing was sent"),
        ("json", '"rows": []'),
        ("csv", "month,currency,mailings"),
        ("html", "<h1>"),
        ("openmetrics", "# EOF"),
    ):
        file = shop / "out"
        assert run(["-C", str(shop), "report", "--format", form, "--out", str(file)]) == 0
        assert shown in file.read_text("utf-8"), form
        assert capsys.readouterr() == ("", f"written to {file}\n")


def _lock(shop: Path, name: str, address: str, environment: str = "production") -> None:
    """Return a lock that records one mailing of two recipients."""
    digest = "0" * 64
    chunk = {
        "fingerprint": "0123456789",
        "recipients": 2,
        "digest": digest,
        "state": "accepted",
        "uuid": "u1",
    }
    chunk |= {"message_id": None, "accepted_at": "2026-11-24T07:00:00+00:00", "error": None, "step": None}
    entry = {
        "revision": 1, "state": "complete", "transport": "bulk", "body": "json",
        "alphaname": {"name": "0", "id": 0}, "schedule_time": None, "recipients": 2, "parts": 2, "cost": None,
        "content_digest": digest, "audience_digest": digest, "chunks": [chunk],
        "applied": {"at": "2026-11-24T07:00:00+00:00", "plan": "p1", "commit": None, "tool": "x"}, "earlier": [],
    }  # fmt: skip
    from smsby_deploy.lock.entry_json import read_entry
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.lock.serialization import write_lock

    lock = Lock("shop", serial=1, lineage="l", environment=environment, mailings={address: read_entry(entry)})
    (shop / name).write_text(write_lock(lock), "utf-8")


def test_report_reads_other_locks_only_by_environment(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report` reads the locks of other environments only with `--by environment`."""
    (shop / "smsby.yaml").write_text(
        "version: 1\nproject: shop\nenvironments: {staging: {lock: staging.lock.json}}\n", "utf-8"
    )
    _lock(shop, "smsby.lock.json", "sale/vip")
    _lock(shop, "staging.lock.json", "sale/test", "staging")
    for options, found in (
        (("--by", "mailing"), ["sale/vip"]),
        (("-e", "staging", "--by", "mailing"), ["sale/test"]),
        (("--by", "environment,mailing"), ["sale/vip", "sale/test"]),
    ):
        assert run(["-C", str(shop), "report", *options, "--format", "csv"]) == 0
        rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
        assert [row["mailing"] for row in rows] == found


def test_report_believes_no_deliveries_without_the_token(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the token, deliveries remembered by `status` are not trusted: a pull request could contain them."""
    from smsby_deploy.lock.records import ChunkState
    from smsby_deploy.lock.store import LockStore
    from smsby_deploy.smsby.deliveries import Delivery
    from smsby_deploy.status.final_chunks import read_final
    from tests.status.examples import count_deliveries

    _lock(shop, "smsby.lock.json", "sale/vip")
    (chunk,) = LockStore(shop / "smsby.lock.json", "shop").read().mailings["sale/vip"].chunks
    assert chunk.state is ChunkState.ACCEPTED
    final = read_final(shop / "smsby.lock.json", "https://app.sms.by mine")
    rows = [Delivery(phone, "DELIVERED", None) for phone in ("375291234567", "375291234568")]
    final.add(chunk, count_deliveries(rows, list_missed=False), is_overdue=False)
    final.save()

    def delivered() -> int | None:
        assert run(["-C", str(shop), "report", "--by", "mailing", "--format", "json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["rows"]
        return row["delivered"]  # type: ignore[no-any-return]

    assert delivered() is None
    monkeypatch.setenv("SMSBY_TOKEN", "theirs")
    assert delivered() is None
    monkeypatch.setenv("SMSBY_TOKEN", "mine")
    assert delivered() == 2
