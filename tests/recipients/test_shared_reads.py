"""Files that several mailings share: when a file is read once, and when again."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.planner import measure_files
from smsby_deploy.recipients import shared_reads
from smsby_deploy.recipients.audience import AudienceReport, ReadBatches, read_audience
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.shared_reads import SharedReads
from smsby_deploy.recipients.suppression import load_suppression

_MAILING = "  - name: m{}\n    recipients: {{file: list.csv{}}}\n    text: '{}'\n    on_invalid: drop\n"
_PHONES = st.sampled_from(["375291111111", "80292222222", "+375 33 333-33-33", "none", ""])


def _make(folder: Path, rows: str, *options: str) -> tuple[Mailing, ...]:
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    (folder / "list.csv").write_text(f"phone,name\n{rows}", "utf-8")
    mailings = "".join(_MAILING.format(n, option, f"Hi {n}") for n, option in enumerate(options))
    (folder / "sale.yaml").write_text(f"version: 1\ncampaign: sale\nmailings:\n{mailings}")
    return load_project(folder).project.mailings


def _read(
    shared: SharedReads,
    mailing: Mailing,
    suppressed: PhoneSet | None = None,
    read: ReadBatches = read_audience,
) -> tuple[Any, ...]:
    """Return everything that a read yields and reports."""
    report = AudienceReport(needs_digest=True, keeps_phones=True)
    batches = list(shared.sharing(read)(mailing, suppressed, report))
    return [_content(batch) for batch in batches], _facts(report)


def _content(batch: Batch) -> tuple[Any, ...]:
    return (list(batch.phones), list(batch.lines), bytes(batch.not_suppressed), batch.variables)


def _facts(report: AudienceReport) -> dict[str, Any]:
    """Return all fields of a report, with the phones as a digest."""
    found = {one.name: getattr(report, one.name) for one in fields(report)}
    return found | {"phones": None if report.phones is None else report.phones.digest()}


@given(rows=st.lists(st.tuples(_PHONES, st.sampled_from(["Anna", "Йога", ""])), min_size=1, max_size=12))
def test_shared_read_finds_what_a_read_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    """Recipients, lines, values and counts are the same for every mailing, whichever reads first."""
    text = "".join(f"{phone},{name}\n" for phone, name in rows)
    mailings = _make(tmp_path_factory.mktemp("shop"), text, "", "", "")
    suppressed, _ = load_suppression([], ["375291111111"])
    alone = _read(SharedReads([]), mailings[0], suppressed)
    shared = SharedReads(mailings)
    if not alone[1]["problems"]:
        assert [_read(shared, mailing, suppressed) for mailing in mailings] == [alone] * 3


def test_plan_reads_a_shared_file_once(tmp_path: Path) -> None:
    """Of five mailings with one file the first reads it; with another phone column it is read again."""
    _make(tmp_path, "375291111111,375292222222\n80291111111,\n", *[""] * 5, ", phone: name")
    reads: list[str] = []

    def count(mailing: Mailing, *others: Any, **options: Any) -> Any:
        reads.append(mailing.address)
        return read_audience(mailing, *others, **options)

    with patch("smsby_deploy.plan.measure.read_audience", count):
        measured = measure_files(load_project(tmp_path), select=(), lock=Lock("shop")).measured
    assert reads == ["sale/m0", "sale/m5"]
    assert [one.desired.audience.final for one in measured if one.desired] == [1] * 6
    digests = {one.desired.recipients_digest for one in measured if one.desired}
    assert len(digests) == 2


@pytest.mark.parametrize(
    "change",
    [
        "other size",
        "other time",
        "during the read",
        "opt-outs",
        "full disk",
        "no temporary folder",
        "problem",
    ],
)
def test_shared_file_is_read_again(tmp_path: Path, change: str) -> None:
    """A file is read again if it or the opt-outs changed, space is short, or a problem names its mailing."""
    mailings, path = _make(tmp_path, "375291111111,Anna\n", "", "", ""), tmp_path / "list.csv"
    if change == "problem":
        mailings = tuple(one._replace(on_invalid="fail") for one in mailings)
        path.write_text("phone,name\nnone,Anna\n")
    before = path.stat()

    def rewrite() -> None:
        more = "" if change == "other time" else "375292222222,Nina\n"
        path.write_text(f"phone,name\n375293333333,Anna\n{more}")
        ahead = 1 if change == "other time" else 0
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + ahead))

    def read(*arguments: Any) -> Iterator[Batch]:
        for batch in read_audience(*arguments):
            if change == "during the read":
                rewrite()
            yield batch

    shared, suppressed = SharedReads(mailings), PhoneSet()
    failing = {
        "full disk": "smsby_deploy.files.UnnamedFile.append",
        "no temporary folder": "tempfile.TemporaryFile",
    }.get(change)
    with patch(failing, side_effect=OSError(errno.ENOSPC, "No space left")) if failing else nullcontext():
        first = _read(shared, mailings[0], suppressed, read)
    if change in ("other size", "other time"):
        rewrite()
    others = PhoneSet() if change == "opt-outs" else suppressed
    alone = _read(SharedReads([]), mailings[1], others)
    with patch.object(shared_reads, "unpack", side_effect=AssertionError):
        assert _read(shared, mailings[1], others) == alone
    assert (first == alone) is (change in ("opt-outs", "full disk", "no temporary folder"))
