"""Scheduled mailings: who opted out since they were accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import UploadRecord
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan
from smsby_deploy.plan.remote_list_check import ListCheck, MissingMailing
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.scheduled import count_opted_in, find_late_opt_outs
from smsby_deploy.problems import Problem
from tests.config.one_campaign import load_one
from tests.plan.situations import MARKS, NOW, A, P, make_desired, make_entry, make_list, make_situation

_TIME = {"schedule_time": (NOW + timedelta(days=1)).isoformat()}
_OPTED_OUT = AudienceCounts(4, suppressed=3, final=1)


def _find(
    folder: Path,
    now: tuple[int, int],
    remote: RemoteView | None = None,
    digest: str = "",
    audience: AudienceCounts = _OPTED_OUT,
    **changes: Any,
) -> list[Problem]:
    """Return the warnings if both chunks went to 2 recipients, changed by `changes`, and `now` have not opted out."""
    entry = make_entry(A, A, **_TIME)
    first = replace(entry.chunks[0], **changes)
    entry = replace(entry, chunks=(first, entry.chunks[1]))
    chunks = tuple(ChunkPlan(mark, count, digest or mark) for mark, count in zip(MARKS, now, strict=True))
    here = make_situation(entry, remote, make_desired(chunks=chunks, audience=audience))
    return list(find_late_opt_outs(load_one(folder).project.mailings[0], here))


@pytest.mark.parametrize(
    ("now", "changes", "count"),
    [
        ((2, 2), {}, None),
        ((1, 2), {}, "1 recipient opted"),
        ((0, 1), {}, "3 recipients opted"),
        ((1, 3), {}, "1 recipient opted"),
        ((3, 1), {}, "1 recipient opted"),
        ((1, 2), {"recipients": None}, None),
        ((1, 2), {"state": P}, None),
        ((2, 2), {"upload": UploadRecord("d", 7, 3, invalid=1)}, "1 recipient opted"),
        ((1, 2), {"phones": PhoneStates.parse("a:1 s:1")}, None),
        ((1, 2), {"phones": PhoneStates.parse("a:2")}, "1 recipient opted"),
    ],
    ids=[
        "none", "one", "all", "one-withdrawn", "other-chunk", "unknown-number", "not-sent", "invalid-contacts",
        "phone-opted-out-before", "phone",
    ],
)  # fmt: skip
def test_late_opt_outs_are_counted_by_chunk(
    now: tuple[int, int], changes: dict[str, Any], count: str | None, tmp_path: Path
) -> None:
    """Late opt-outs are counted by chunk, as sent minus present recipients, and a chunk that grew does not offset others."""
    found = _find(tmp_path, now, **changes)
    assert [(problem.severity, problem.code) for problem in found] == [("warning", "OPTED_OUT_LATE")] * bool(
        count
    )
    if count:
        assert f"at least {count} out after sms.by accepted it" in found[0].message
        assert (
            "until 2026-11-24 12:00 UTC they can be removed manually, in the account, from `sale/vip ["
            in found[0].message
        )


def test_late_opt_outs_of_other_rows_are_not_counted(tmp_path: Path) -> None:
    """After a change of the list the numbers say nothing about opt-outs."""
    assert not _find(tmp_path, (1, 1), digest="other")


def test_late_opt_outs_of_an_adopted_chunk(tmp_path: Path) -> None:
    """An adopted chunk found at sms.by after an opt-out has the smaller number."""
    (found,) = _find(tmp_path, (1, 2), make_list(0, 1, count=2), recipients=1)
    assert "at least 1 recipient opted" in found.message
    assert "(id 1)" in found.message


def test_late_opt_outs_are_no_more_than_the_opt_outs(tmp_path: Path) -> None:
    """If sms.by reports more recipients than were sent to, the difference is not counted as opt-outs."""
    listed = make_list(0, 1, count=9)
    (found,) = _find(tmp_path, (1, 2), listed, audience=AudienceCounts(4, suppressed=1, final=3))
    assert "at least 1 recipient opted" in found.message
    assert not _find(tmp_path, (2, 2), listed, audience=AudienceCounts(4, final=4))


@pytest.mark.parametrize(("shown", "count"), [(1, 1), (0, 2)])
def test_deleted_messages_have_no_late_opt_outs(shown: int, count: int, tmp_path: Path) -> None:
    """Messages deleted in the account have no late opt-outs; a list that shows nothing proves no deletion."""
    here = make_situation(
        make_entry(A, A, **_TIME),
        None,
        make_desired(chunks=tuple(ChunkPlan(mark, 1, mark) for mark in MARKS), audience=_OPTED_OUT),
    )
    missing = MissingMailing(here.desired.address, frozenset(MARKS[:1]), 2, None, None)
    found = find_late_opt_outs(
        load_one(tmp_path).project.mailings[0], here, ListCheck(2, shown, shown, (missing,), 0)
    )
    assert [f"at least {count} recipient" in one.message for one in found] == [True]


def test_gone_mailing_has_no_late_opt_outs(tmp_path: Path) -> None:
    """A gone mailing has no warning, since nothing can be done any more."""
    mailing = load_one(tmp_path).project.mailings[0]
    desired = make_desired(chunks=tuple(ChunkPlan(mark, 1, mark) for mark in MARKS))
    for time in (None, NOW.isoformat()):
        here = make_situation(make_entry(A, A, schedule_time=time), None, desired)
        assert not list(find_late_opt_outs(mailing, here))


def test_numbers_count_in_requests_of_another_size() -> None:
    """If the request size changed, chunks are compared by numbers, as in a lock without positions."""
    entry = make_entry(P, P)
    entry = replace(entry, chunks=(replace(entry.chunks[0], recipients=1), entry.chunks[1]))
    here = make_situation(entry, None, make_desired(chunks=(ChunkPlan("cccccccccc", 4, "cccccccccc"),)))
    assert count_opted_in(here, may_be_capped=True) == 1
