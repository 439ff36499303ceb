"""OptOutWatch: a running apply notices new opt-outs, and opt-outs that became unreadable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.config.project_loader import load_project
from tests.apply.fake_dispatch import VirtualClock
from tests.apply.fake_smsby import PHONES
from tests.databases import Database


def _watch(folder: Path, clock: VirtualClock, entry: str = "out.txt", url: str = "") -> OptOutWatch:
    (folder / "smsby.yaml").write_text(f"version: 1\nproject: shop\nsuppress: [{entry}]\n", "utf-8")
    _write(folder, PHONES[0])
    return OptOutWatch(load_project(folder, {"CRM_URL": url}).project, clock)


def _write(folder: Path, *phones: str) -> None:
    (folder / "out.txt").write_text("".join(f"{phone}\n" for phone in phones), "utf-8")


def _found(watch: OptOutWatch) -> list[str] | None:
    later = watch.later()
    return None if later is None else [phone for phone in PHONES if phone in later]


def test_opt_out_watch_reads_a_file_only_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that did not change is not read before each request."""
    watch = _watch(tmp_path, VirtualClock())
    assert watch.later() is None
    _write(tmp_path, *PHONES[:2])
    assert _found(watch) == PHONES[:2]
    monkeypatch.setattr("smsby_deploy.apply.opt_out_watch.load_suppression", None)
    assert _found(watch) == PHONES[:2]
    os.utime(tmp_path / "out.txt", ns=(1, 1))
    with pytest.raises(TypeError):
        watch.later()


def test_opt_out_watch_notices_a_restored_time(tmp_path: Path) -> None:
    """`cp -p` and rsync restore the time of a file, and phones have equally many digits."""
    watch = _watch(tmp_path, VirtualClock())
    file = tmp_path / "out.txt"
    then = file.stat()
    _write(tmp_path, PHONES[1])
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert _found(watch) == [PHONES[1]]


def test_opt_out_watch_forgets_no_opt_out(tmp_path: Path) -> None:
    """A file that is truncated, or being written, removes no opt-out of this run."""
    watch = _watch(tmp_path, VirtualClock())
    _write(tmp_path, *PHONES[:2])
    assert _found(watch) == PHONES[:2]
    _write(tmp_path, PHONES[2])
    assert _found(watch) == PHONES[:3]


def test_opt_out_watch_waits_for_a_file_being_written(tmp_path: Path) -> None:
    """An incomplete line is an error only if it stays incomplete; after that every look is an error at once."""
    clock = VirtualClock()
    watch = _watch(tmp_path, clock)
    _write(tmp_path, PHONES[0], PHONES[1][:5])
    clock.at(0.5, lambda: _write(tmp_path, *PHONES[:2]))
    assert _found(watch) == PHONES[:2]
    assert clock.time < 1
    _write(tmp_path, PHONES[0], PHONES[1][:5])
    for _ in range(2):
        with pytest.raises(FilesChanged, match=r"cannot read the opt-outs: out\.txt:2"):
            watch.later()
    assert clock.time == pytest.approx(3, abs=0.5)  # a run may have hundreds of mailings
    _write(tmp_path, *PHONES[:4])
    assert _found(watch) == PHONES[:4]


def test_opt_out_watch_asks_a_database_once_a_minute(tmp_path: Path) -> None:
    """A database is asked for opt-outs once a minute, not before each request."""
    database = Database("sqlite", f"sqlite:///{tmp_path / 'crm.db'}")
    database.run("create table gone (phone text)", "insert into gone values ('375290000002')")
    clock = VirtualClock()
    watch = _watch(tmp_path, clock, "out.txt, {sql: select phone from gone, url_env: CRM_URL}", database.url)
    clock.sleep(59)
    assert watch.later() is None
    clock.sleep(2)
    assert _found(watch) == PHONES[:2]
    database.run("insert into gone values ('375290000003')")
    clock.sleep(50)
    assert _found(watch) == PHONES[:2]
    clock.sleep(20)
    assert _found(watch) == PHONES[:3]
