"""prefetch: the same batches and report as a direct read, and no process is left behind."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import RecipientsFile
from smsby_deploy.recipients import prefetch
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.prefetch import ReaderEnded, is_worthwhile, prefetch_audience
from tests.recipients.mailings import AT, make_mailing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is prefetched")
_Reader = Callable[[Mailing, PhoneSet | None, AudienceReport], Iterator[Batch]]


def _make_list(folder: Path, rows: int) -> Mailing:
    path = folder / "list.csv"
    lines = [f"+375 29 {n % 9_000_000:07d},Анна {n},{n % 7}" for n in range(0, rows * 3, 3)]
    lines[1::50] = ["нет,Игорь,1"] * len(lines[1::50])
    lines[2::70] = [lines[0]] * len(lines[2::70])
    lines[3::90] = ['+375 33 1234567,"two\nlines",1'] * len(lines[3::90])
    path.write_text("phone,name,code\n" + "\n".join(lines) + "\n")
    return make_mailing(RecipientsFile(path, path.name, "phone", AT))


def _children() -> list[str]:
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    return own.read_text().split()


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the second process even for short lists."""
    monkeypatch.setattr(prefetch, "is_worthwhile", lambda audience: True)


@pytest.mark.parametrize("has_text", [True, False])
def test_prefetch_equals_direct_read(has_text: bool, tmp_path: Path) -> None:
    """A prefetch and a direct read give the same recipients, variables, texts, lines, opt-outs, problems and counts."""
    mailing = _make_list(tmp_path, 5000)
    if not has_text:
        path = tmp_path / "list.csv"
        path.write_text(path.read_text().replace("name", "text", 1))
        mailing = mailing._replace(text=None)
    opted_out = PhoneSet()
    opted_out.add_all(number_phones(f"37529{n:07d}" for n in range(0, 6000, 9)))

    def read(reader: _Reader) -> tuple[list[object], AudienceReport]:
        report = AudienceReport()
        rows: list[object] = []
        for batch in reader(mailing, opted_out, report):
            columns = batch.phones, batch.variables, batch.texts, batch.lines, batch.not_suppressed
            rows.extend(zip(*columns, strict=True))
        return rows, report

    rows, report = read(read_audience)
    assert read(prefetch_audience) == (rows, report)
    assert {row[4] for row in rows} == {0, 1}  # type: ignore[index]
    assert report.problems
    assert report.duplicate


def test_prefetch_reports_unreadable_files(tmp_path: Path) -> None:
    """A problem found by the second process is in the report of the first."""
    mailing = _make_list(tmp_path, 10)
    (tmp_path / "list.csv").write_text("phone,phone\n1,2\n")
    report = AudienceReport()
    assert list(prefetch_audience(mailing, None, report)) == []
    assert [problem.code for problem in report.problems] == ["RECIPIENTS"]


def test_abandoned_prefetch_leaves_no_process(tmp_path: Path) -> None:
    """The reader ends as soon as its batches are no longer needed."""
    before = _children()
    batches = prefetch_audience(_make_list(tmp_path, 50_000), None, AudienceReport())
    next(batches)
    assert len(_children()) == len(before) + 1
    batches.close()  # type: ignore[attr-defined]
    assert _children() == before


def test_prefetch_widens_its_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe is widened so that the reader need not wait for its parent after each batch."""
    import fcntl

    asked = []
    monkeypatch.setattr(fcntl, "fcntl", lambda pipe, what, value: asked.append((what, value)))
    assert list(prefetch_audience(_make_list(tmp_path, 100), None, AudienceReport()))
    assert asked == [(fcntl.F_SETPIPE_SZ, 1 << 20)]


@pytest.mark.parametrize("rows", [10, 50_000])
def test_killed_reader_is_an_error(rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the reader is killed it is an error, wherever it stopped: part of a list never passes for the whole."""

    def read(mailing: Mailing, suppressed: PhoneSet | None, report: AudienceReport) -> Iterator[Batch]:
        yield from read_audience(mailing, suppressed, report)
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(prefetch, "read_audience", read)
    with pytest.raises(ReaderEnded):
        list(prefetch_audience(_make_list(tmp_path, rows), None, AudienceReport()))


def test_reader_killed_within_a_message_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that arrived only in part is never used."""

    def send(*arguments: object) -> None:
        connection = arguments[-1]
        os.write(connection.fileno(), b"\0\0\1\0half")  # type: ignore[attr-defined]
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(prefetch, "_send_batches", send)
    with pytest.raises(ReaderEnded):
        list(prefetch_audience(_make_list(tmp_path, 10), None, AudienceReport()))


def test_prefetch_with_ignored_sigchld(tmp_path: Path) -> None:
    """A launcher that ignores SIGCHLD, so that the system reaps the reader first, does not break the read."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        report = AudienceReport()
        batches = list(prefetch_audience(_make_list(tmp_path, 3000), None, report))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert report.rows == 3000
    assert sum(len(batch.phones) for batch in batches) == 3000 - report.invalid - report.duplicate


def test_prefetch_without_a_second_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system allows no second process, the list is read directly."""

    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    report = AudienceReport()
    assert list(prefetch_audience(_make_list(tmp_path, 3000), None, report))
    assert report.rows == 3000


def test_reader_ignores_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, which reaches every process of a terminal, does not end the reader; its parent does.

    The parent's own signal mask is unchanged.
    """

    def read(mailing: Mailing, suppressed: PhoneSet | None, report: AudienceReport) -> Iterator[Batch]:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        return read_audience(mailing, suppressed, report)

    monkeypatch.setattr(prefetch, "read_audience", read)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    batches = prefetch_audience(_make_list(tmp_path, 10), None, AudienceReport())
    assert next(batches).phones
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert list(batches) == []


def test_reader_error_is_raised_in_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the reader is raised in its parent."""

    def read(mailing: Mailing, suppressed: PhoneSet | None, report: AudienceReport) -> Iterator[Batch]:
        raise ZeroDivisionError("there")
        yield

    monkeypatch.setattr(prefetch, "read_audience", read)
    with pytest.raises(ZeroDivisionError, match="there"):
        list(prefetch_audience(_make_list(tmp_path, 10), None, AudienceReport()))


def test_is_worthwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process is used only for a long file and with a second core, as starting it takes time."""
    audience = _make_list(tmp_path, 100).audience
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    assert not is_worthwhile(audience)
    monkeypatch.setattr(prefetch, "_WORTHWHILE_BYTES", 1000)
    assert is_worthwhile(audience)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert not is_worthwhile(audience)
