"""An apply sends the chunks that it cached from its plan, whatever happens to the files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.apply.bulk_sender import PlannedMessages
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.clock import SystemClock
from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.chunk_cache import ChunkCache
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.planner import measure_files
from tests.apply.fake_dispatch import VirtualClock

_NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def _cached_project(folder: Path, text: str, rows: Sequence[str], out: Sequence[str] = ()) -> LoadedProject:
    (folder / "smsby.yaml").write_text(
        "version: 1\nproject: shop\nsuppress: [out.txt]\napi: {recipients_per_request: 3}\n"
    )
    (folder / "sale.yaml").write_text(
        f"version: 1\ncampaign: sale\nmailings:\n  - {{name: all, recipients: {{file: list.csv}}, text: '{text}'}}\n"
    )
    (folder / "list.csv").write_text("phone,name\n" + "".join(f"{row}\n" for row in rows))
    (folder / "out.txt").write_text("\n".join(out))
    return load_project(folder, {})


def _keeping(loaded: LoadedProject) -> ChunkCache:
    return ChunkCache(loaded.project.root)


def _watch(loaded: LoadedProject) -> OptOutWatch:
    return OptOutWatch(loaded.project, VirtualClock())


def _plan(loaded: LoadedProject, kept: ChunkCache, lock: Lock | None = None) -> Plan:
    files = measure_files(loaded, select=(), lock=lock or Lock("shop"), keep=kept.keep)
    return files.plan(client=None, account=None, now=SystemClock().now(), new_id="p")


def _sent(loaded: LoadedProject, plan: Plan, watch: OptOutWatch, kept: ChunkCache | None) -> list[bytes]:
    (mailing,) = loaded.project.mailings
    messages = PlannedMessages(loaded.project, mailing, plan.actions[0], _NOW, watch).stream(kept)
    return [message.body for message in messages]


@given(
    st.lists(st.integers(0, 30).map(lambda n: f"3752900000{n:02d},Анна {n}"), min_size=1, max_size=12),
    st.sets(st.integers(0, 30).map(lambda n: f"3752900000{n:02d}")),
    st.sampled_from(["Hi", "{{ name }}!", '{{ name }} "{{ phone }}"']),
)
def test_chunk_cache_returns_what_the_files_give(rows: list[str], out: set[str], text: str) -> None:
    """Cached chunks give the same bytes as the files without opt-outs, for bulk and personal texts."""
    with TemporaryDirectory() as name:
        loaded = _cached_project(Path(name), text, rows, sorted(out))
        with closing(_keeping(loaded)) as kept:
            watch = _watch(loaded)
            plan = _plan(loaded, kept)
            assert kept.holds("sale/all")
            as_planned, anew = _sent(loaded, plan, watch, kept), _sent(loaded, plan, watch, None)
            assert as_planned == anew
            (Path(name) / "out.txt").write_text(
                "\n".join(sorted(out)) + "\n\n"
            )  # other bytes, the same recipients
            assert _sent(loaded, plan, watch, kept) == anew


def test_chunk_cache_honors_late_opt_outs(tmp_path: Path) -> None:
    """A late opt-out is subtracted from cached chunks; the others get what was planned, even if the file changed."""
    loaded = _cached_project(tmp_path, "{{ name }}!", [f"37529000000{n},Анна" for n in range(5)])
    with closing(_keeping(loaded)) as kept:
        watch = _watch(loaded)
        plan = _plan(loaded, kept)
        before = b"".join(_sent(loaded, plan, watch, kept))
        _cached_project(tmp_path, "{{ name }}!", ["375291111111,Ольга"], ["+375 29 000-00-03"])
        after = b"".join(_sent(loaded, plan, watch, kept))
    assert before.count(b"375290000003") == 1
    assert after == before.replace('{"phone":"375290000003","text":"Анна!"},'.encode(), b"")


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b"PK\3\4")], ids=["gone", "a workbook"]
)
@pytest.mark.parametrize("is_kept", [True, False])
def test_unreadable_opt_outs_stop_cached_chunks(
    tmp_path: Path, spoil: Callable[[Path], object], is_kept: bool
) -> None:
    """If the opt-outs can no longer be read nothing is sent, cached or not."""
    loaded = _cached_project(tmp_path, "Hi", ["375290000001,Анна", "375290000002,Ольга"], ["375290000001"])
    with closing(_keeping(loaded)) as kept:
        watch = _watch(loaded)
        plan = _plan(loaded, kept)
        assert b"375290000001" not in b"".join(_sent(loaded, plan, watch, kept if is_kept else None))
        spoil(tmp_path / "out.txt")
        with pytest.raises(FilesChanged, match=r"cannot read the opt-outs: .*out\.txt"):
            _sent(loaded, plan, watch, kept if is_kept else None)


def test_chunk_cache_keeps_withdrawn_opt_outs(tmp_path: Path) -> None:
    """A recipient who was left out of the plan as an opt-out does not get it, even if the opt-out is withdrawn."""
    lines = [f"37529000000{n},Анна" for n in range(5)]
    loaded = _cached_project(tmp_path, "{{ name }}!", lines, ["375290000003"])
    with closing(_keeping(loaded)) as kept:
        watch = _watch(loaded)
        plan = _plan(loaded, kept)
        _cached_project(tmp_path, "{{ name }}!", lines, ["375290000001"])
        sent = b"".join(_sent(loaded, plan, watch, kept))
    assert [sent.count(f"37529000000{n}".encode()) for n in range(5)] == [1, 0, 1, 0, 1]


def test_chunk_cache_file_has_no_name(tmp_path: Path) -> None:
    """The cache has no visible file, and its content is gone once it is closed."""
    loaded = _cached_project(tmp_path, "Hi", ["375290000001,Анна"])
    names = sorted(tmp_path.iterdir())
    kept = _keeping(loaded)
    _plan(loaded, kept)
    assert kept.holds("sale/all")
    assert sorted(tmp_path.iterdir()) == names
    kept.close()
    assert not kept.holds("sale/all")


@pytest.mark.parametrize("text", ["{{ name }}!", "Hi"])
def test_damaged_chunk_cache_is_not_sent(tmp_path: Path, text: str) -> None:
    """A cached chunk with any changed byte is not sent: a changed phone could hide an opt-out."""
    loaded = _cached_project(tmp_path, text, ["375290000001,Анна"], out=["375291111111"])
    with closing(_keeping(loaded)) as kept:
        watch = _watch(loaded)
        plan = _plan(loaded, kept)
        assert kept._file is not None
        disk = kept._file._file
        for place in range(disk.seek(0, os.SEEK_END)):
            disk.seek(place)
            good = disk.read(1)
            for bad in (b"?", b'"', b"\n"):
                disk.seek(place)
                disk.write(bad)
                if bad != good:
                    with pytest.raises(FilesChanged, match="the planned chunk 1 was damaged on disk"):
                        _sent(loaded, plan, watch, kept)
            disk.seek(place)
            disk.write(good)
        assert len(_sent(loaded, plan, watch, kept)) == 1


@pytest.mark.posix
def test_full_disk_disables_the_chunk_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cache would use space reserved for the journal, it is disabled, and the files are read again."""
    loaded = _cached_project(tmp_path, "{{ name }}!", [f"37529000000{n},Анна" for n in range(5)])
    rooms = iter([10**9, 10])
    monkeypatch.setattr(os, "fstatvfs", lambda handle: SimpleNamespace(f_bavail=next(rooms), f_frsize=1))
    with closing(_keeping(loaded)) as kept:
        watch = _watch(loaded)
        plan = _plan(loaded, kept)
        assert not kept.holds("sale/all")
        assert len(_sent(loaded, plan, watch, kept)) == 2


def test_chunk_cache_skips_finished_mailings(tmp_path: Path) -> None:
    """Finished mailings are not cached, since none of them is sent."""
    loaded = _cached_project(tmp_path, "Hi", ["375290000001,Анна"])
    (mailing,) = loaded.project.mailings
    with closing(_keeping(loaded)) as kept:
        plan = _plan(loaded, kept)
        action = plan.actions[0]
    entry = Entry(
        revision=1,
        content_digest=action.content_digest,
        audience_digest=action.audience_digest,
        transport="bulk",
        body="json",
        alphaname="0",
        alphaname_id=0,
        schedule_time=None,
        recipients=1,
        parts=1,
        cost=None,
        currency=None,
        chunks=(
            ChunkRecord(
                action.chunks[0].fingerprint, 1, action.chunks[0].digest, ChunkState.ACCEPTED, uuid="u"
            ),
        ),
        applied=AppliedBy("2026-11-25T12:00:00+00:00", "p", None, "t"),
    )
    with closing(_keeping(loaded)) as kept:
        plan = _plan(loaded, kept, Lock("shop", mailings={mailing.address: entry}))
        assert [action.action for action in plan.actions] == ["noop"]
        assert not kept.holds("sale/all")
