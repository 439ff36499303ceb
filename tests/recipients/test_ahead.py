"""A list read ahead by another process: the same batches, the same report, and nothing left behind."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import RecipientsFile
from smsby_deploy.problems import Location
from smsby_deploy.recipients.audience import AudienceReport, Batch, stream_audience
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.prefetch import ReaderEnded, is_worth_it, read_ahead

_AT = Location("sale.yaml", 5, 17)


def _list(folder: Path, rows: int) -> RecipientsFile:
    path = folder / "list.csv"
    lines = [f"+375 29 {n % 9_000_000:07d},Анна {n},{n % 7}" for n in range(0, rows * 3, 3)]
    lines[1::50] = ["нет,Игорь,1"] * len(lines[1::50])
    lines[2::70] = [lines[0]] * len(lines[2::70])
    path.write_text("phone,name,code\n" + "\n".join(lines) + "\n")
    return RecipientsFile(path, path.name, "phone", _AT)


def _stream(source: RecipientsFile, report: AudienceReport, *, is_ahead: bool) -> Iterator[Batch]:
    out = PhoneSet()
    out.add_all(number_phones(f"37529{n:07d}" for n in range(0, 6000, 9)))

    def stream() -> Iterator[Batch]:
        return stream_audience(
            source,
            address="a/b",
            campaign_file="sale.yaml",
            has_text=True,
            on_invalid="fail",
            report=report,
            suppressed=out,
        )

    return read_ahead(stream, report) if is_ahead else stream()


def _children() -> list[str]:
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    return own.read_text().split()


def test_it_is_what_is_read_here(tmp_path: Path) -> None:
    """Recipients, variables, lines, opt-outs, problems, counts and repeats are the same."""
    source = _list(tmp_path, 5000)
    here, ahead = AudienceReport(), AudienceReport()
    rows = []
    for report in (here, ahead):
        batches = _stream(source, report, is_ahead=report is ahead)
        rows.append(
            [
                row
                for batch in batches
                for row in zip(batch.phones, batch.variables, batch.lines, batch.reached, strict=True)
            ]
        )
    assert rows[0] == rows[1]
    assert {reached for *_, reached in rows[0]} == {0, 1}
    assert here == ahead
    assert here.problems
    assert here.duplicate


def test_what_can_not_be_read_is_told(tmp_path: Path) -> None:
    """A problem of the file is one here, too."""
    source = _list(tmp_path, 10)
    source.path.write_text("phone,phone\n1,2\n")
    report = AudienceReport()
    assert list(_stream(source, report, is_ahead=True)) == []
    assert [problem.code for problem in report.problems] == ["RECIPIENTS"]


def test_who_wants_no_more_leaves_no_process(tmp_path: Path) -> None:
    """The reader is gone when its batches are wanted no longer."""
    before = _children()
    batches = _stream(_list(tmp_path, 50_000), AudienceReport(), is_ahead=True)
    next(batches)
    assert len(_children()) == len(before) + 1
    batches.close()  # type: ignore[attr-defined]
    assert _children() == before


@pytest.mark.parametrize("rows", [10, 50_000])
def test_a_reader_that_is_killed_is_told(tmp_path: Path, rows: int) -> None:
    """Half a list never passes for the whole, wherever it was cut, within a batch too."""

    def stream() -> Iterator[Batch]:
        yield from _stream(_list(tmp_path, rows), AudienceReport(), is_ahead=False)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ReaderEnded):
        list(read_ahead(stream, AudienceReport()))


def test_a_system_that_reaps_children_itself(tmp_path: Path) -> None:
    """Some launchers leave SIGCHLD ignored: then the reader is gone before anybody can wait for it."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        report = AudienceReport()
        source = _list(tmp_path, 3000)
        batches = list(read_ahead(lambda: _stream(source, report, is_ahead=False), report))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert report.rows == 3000
    assert sum(len(batch.phones) for batch in batches) == 3000 - report.invalid - report.duplicate


def test_without_another_process_it_is_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system allows none, the list is read all the same."""

    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    report = AudienceReport()
    source = _list(tmp_path, 3000)
    assert list(read_ahead(lambda: _stream(source, report, is_ahead=False), report))
    assert report.rows == 3000


def test_a_signal_is_its_parent_s(tmp_path: Path) -> None:
    """Ctrl-C reaches every process of a terminal: the reader goes on until its parent ends it, and never runs what its
    parent would do then. The parent hears signals as before."""

    def stream() -> Iterator[Batch]:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        yield from _stream(_list(tmp_path, 10), AudienceReport(), is_ahead=False)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    batches = read_ahead(stream, AudienceReport())
    assert next(batches).phones
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert list(batches) == []


def test_what_breaks_there_is_raised_here() -> None:
    """An error of the program is not lost with its process."""

    def stream() -> Iterator[Batch]:
        raise ZeroDivisionError("there")
        yield

    with pytest.raises(ZeroDivisionError, match="there"):
        list(read_ahead(stream, AudienceReport()))


def test_what_is_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long file, where there is a core for it: for a short one the process would take longer to make."""
    source = _list(tmp_path, 100)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    assert not is_worth_it(source)
    monkeypatch.setattr("smsby_deploy.recipients.prefetch._WORTH_IT", 1000)
    assert is_worth_it(source)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert not is_worth_it(source)
