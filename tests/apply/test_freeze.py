"""FreezeWatch: a running apply notices a freeze, and a file that it cannot read any more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smsby_deploy.apply.freeze import FreezeWatch
from tests.apply.fake_dispatch import VirtualClock

HEAD = "version: 1\nproject: shop\n"


def _watch(folder: Path, clock: VirtualClock, environment: str = "production") -> FreezeWatch:
    (folder / "smsby.yaml").write_text(HEAD, "utf-8")
    return FreezeWatch(folder / "smsby.yaml", environment, clock)


def test_freeze_watch_notices_a_freeze(tmp_path: Path) -> None:
    """From the change on it says why, also after the freeze is lifted: the run is stopping."""
    watch = _watch(tmp_path, VirtualClock())
    assert watch.why() == ""
    (tmp_path / "smsby.yaml").write_text(HEAD + "freeze: wrong\n  price\n", "utf-8")
    assert watch.why() == "frozen: wrong price (`freeze` in smsby.yaml)"
    (tmp_path / "smsby.yaml").write_text(HEAD, "utf-8")
    assert watch.why() == "frozen: wrong price (`freeze` in smsby.yaml)"


def test_freeze_watch_obeys_its_environment(tmp_path: Path) -> None:
    """An environment inherits the freeze, unless it has a `freeze` of its own."""
    environments = "environments: {staging: {}, stage: {freeze: false}}\n"
    (tmp_path / "smsby.yaml").write_text(f"{HEAD}freeze: wrong price\n{environments}", "utf-8")
    reasons = [
        FreezeWatch(tmp_path / "smsby.yaml", name, VirtualClock()).why()
        for name in ("production", "staging", "stage")
    ]
    assert reasons == [*["frozen: wrong price (`freeze` in smsby.yaml)"] * 2, ""]


def test_freeze_watch_reads_the_file_only_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between requests a file that did not change is not read."""
    reads: list[Path] = []
    monkeypatch.setattr(
        "smsby_deploy.apply.freeze.read_freeze", lambda path, environment: reads.append(path) or ""
    )
    watch = _watch(tmp_path, VirtualClock())
    assert [watch.why() for _ in range(3)] == [""] * 3
    assert len(reads) == 1
    os.utime(tmp_path / "smsby.yaml", ns=(1, 1))
    watch.why()
    assert len(reads) == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("freeze: wrong: price\n", "smsby.yaml:3:14: a second `: ` on this line"),
        ("freze: wrong price\n", "smsby.yaml:3:1: unknown key freze; did you mean freeze?"),
        ("freeze:\n", "smsby.yaml:3:8: freeze: expected text or true or false, got nothing"),
        (None, "smsby.yaml:1:1: cannot read the file: No such file or directory"),
    ],
)
def test_freeze_watch_stops_at_a_broken_file(tmp_path: Path, content: str | None, why: str) -> None:
    """A freeze with a mistake in it stops the run as well, after a moment in which the file may be written."""
    clock = VirtualClock()
    watch = _watch(tmp_path, clock)
    assert watch.why() == ""
    if content is None:
        (tmp_path / "smsby.yaml").unlink()
    else:
        (tmp_path / "smsby.yaml").write_text(HEAD + content, "utf-8")
    assert watch.why().startswith(f"frozen: smsby.yaml changed meanwhile, and is not valid: {why}")
    assert clock.time == pytest.approx(2, abs=0.2)


def test_freeze_watch_waits_for_a_file_being_written(tmp_path: Path) -> None:
    """A checkout replaces the file: for a moment it is not there, and the run goes on."""
    clock = VirtualClock()
    watch = _watch(tmp_path, clock)
    assert watch.why() == ""
    (tmp_path / "smsby.yaml").unlink()
    clock.at(
        0.5, lambda: (tmp_path / "smsby.yaml").write_text(HEAD + "price: {currency: BYN, per_part: 1}\n")
    )
    assert watch.why() == ""
    assert clock.time < 1
