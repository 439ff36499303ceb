"""The table of actions: desired x lock x remote."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("smsby_deploy.smsby.parsers")

from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.desired_state import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.diff import diff_mailing
from smsby_deploy.plan.model import ActionKind
from smsby_deploy.plan.remote_state import RemoteView, view_remote
from smsby_deploy.smsby.parsers import RemoteMailing

_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_MARKS = ("aaaaaaaaaa", "bbbbbbbbbb")


def _desired(**changes: object) -> Desired:
    chunks = tuple(ChunkPlan(mark, 2, mark) for mark in _MARKS)
    base = Desired(
        "spring-sale/vip",
        1,
        "bulk",
        "content",
        "people",
        chunks,
        AudienceCounts(4, 0, 0, 0, 4),
        4,
        4,
        0,
        1,
        None,
    )
    return base._replace(**changes)  # type: ignore[arg-type]


def _entry(*states: ChunkState, **changes: object) -> Entry:
    chunks = tuple(ChunkRecord(mark, 2, mark, state) for mark, state in zip(_MARKS, states, strict=True))
    base = Entry(
        1, "content", "people", "bulk", "0", 0, None, 4, 4, None, chunks, AppliedBy("t", "p", None, "x")
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def _remote(*names: str, status: str = "NEW") -> RemoteView:
    mailings = [
        RemoteMailing(
            id=number,
            name=name,
            d_create=None,
            d_schedule=None,
            type="API",
            parts=None,
            count_phones=None,
            status=status,
            sms_delivered=None,
            cost=None,
            alphaname=None,
            raw={},
        )
        for number, name in enumerate(names, 1)
    ]
    return view_remote("shop", mailings)


_BOTH = tuple(f"spring-sale/vip [{i}/2] shop#{mark}" for i, mark in enumerate(_MARKS, 1))
A, P, R, U = ChunkState.ACCEPTED, ChunkState.PENDING, ChunkState.REJECTED, ChunkState.UNKNOWN

_CASES = {
    "new": (_desired(), None, _remote(), "create", "new"),
    "all listed": (_desired(), None, _remote(*_BOTH), "adopt", ""),
    "a part listed": (_desired(), None, _remote(_BOTH[0]), "blocked", "unknown"),
    "another fingerprint": (
        _desired(),
        None,
        _remote("spring-sale/vip shop#0123456789"),
        "blocked",
        "collision",
    ),
    "another project": (_desired(), None, _remote("spring-sale/vip other#0123456789"), "create", ""),
    "another revision": (
        _desired(revision=2),
        None,
        _remote("spring-sale/vip shop#0123456789"),
        "create",
        "",
    ),
    "a cut-off name": (_desired(), None, _remote(_BOTH[0][:24]), "blocked", "collision"),
    "a cut-off name of another fingerprint": (
        _desired(),
        None,
        _remote("spring-sale/vip [1/2] shop#0123"),
        "blocked",
        "collision",
    ),
    "a cut-off name of another size": (
        _desired(),
        None,
        _remote("spring-sale/vip [1/31] sh"),
        "blocked",
        "collision",
    ),
    "a name cut off in its place": (
        _desired(),
        None,
        _remote("spring-sale/vip [1/31"),
        "blocked",
        "collision",
    ),
    "a cut-off name of 19 characters": (_desired(), None, _remote("spring-sale/vip [1/"), "create", ""),
    "a cut-off name of another revision": (
        _desired(),
        None,
        _remote("spring-sale/vip r2 [1/2] shop#0"),
        "create",
        "",
    ),
    "a cut-off name of another project": (
        _desired(),
        None,
        _remote("spring-sale/vip shopping#0123"),
        "create",
        "",
    ),
    "a cut-off name of a longer address": (
        _desired(),
        None,
        _remote("spring-sale/vip-customers shop"),
        "create",
        "",
    ),
    "a short foreign name": (_desired(), None, _remote("spring-sale/vip"), "create", ""),
    "sent": (_desired(), _entry(A, A), _remote(), "noop", ""),
    "sent, audience changed": (_desired(audience_digest="more"), _entry(A, A), _remote(), "noop", ""),
    "sent, text changed": (_desired(content_digest="new"), _entry(A, A), _remote(), "blocked", "changed"),
    "sent in part": (_desired(), _entry(A, P), _remote(_BOTH[0]), "resume", "1 of 2"),
    "sent in part, rest rejected": (_desired(), _entry(A, R), _remote(), "resume", ""),
    "sent in part, changed": (
        _desired(chunks=(ChunkPlan(_MARKS[0], 2, ""), ChunkPlan("cccccccccc", 2, ""))),
        _entry(A, P),
        _remote(),
        "blocked",
        "changed",
    ),
    "sent in part, body changed": (
        _desired(body="form"),
        _entry(A, P, body="json"),
        _remote(),
        "blocked",
        "changed",
    ),
    "sent in part, body not recorded": (_desired(body="form"), _entry(A, P), _remote(), "resume", ""),
    "sent, body changed": (_desired(body="form"), _entry(A, A, body="json"), _remote(), "noop", ""),
    "all rejected": (_desired(content_digest="new"), _entry(R, R), _remote(), "create", ""),
    "unknown": (_desired(), _entry(A, U), _remote(_BOTH[0]), "blocked", "unknown"),
    "unknown, revision raised": (_desired(revision=2), _entry(A, U), _remote(), "blocked", "unknown"),
    "unknown, found": (_desired(), _entry(A, U), _remote(*_BOTH), "adopt", ""),
    "said not sent too early": (_desired(), _entry(P, P), _remote(*_BOTH), "adopt", ""),
    "revision raised": (
        _desired(revision=2),
        _entry(A, A),
        _remote("spring-sale/vip shop#1111111111"),
        "create",
        "revision 2",
    ),
    "revision lowered": (_desired(), _entry(A, A, revision=2), _remote(), "blocked", "changed"),
    "expired": (_desired(schedule_time=_NOW - timedelta(1)), None, _remote(), "blocked", "expired"),
    "expired in part": (
        _desired(schedule_time=_NOW - timedelta(1)),
        _entry(A, P),
        _remote(),
        "blocked",
        "expired",
    ),
    "sent, time passed": (_desired(schedule_time=_NOW - timedelta(1)), _entry(A, A), _remote(), "noop", ""),
}


@pytest.mark.parametrize("case", _CASES)
def test_each_state_has_one_action(case: str) -> None:
    """The action and the first word of its reason, for every row of the table."""
    desired, entry, remote, action, reason = _CASES[case]
    verdict = diff_mailing("shop", desired, entry, remote, _NOW)
    assert verdict.action == action
    assert reason in verdict.reason


def test_what_is_unknown_is_told_by_the_name_to_look_for() -> None:
    """As sms.by would list it, at the revision that was sent; of many the first."""
    for states, told in (((A, U), f"`{_BOTH[1]}`, then"), ((U, U), f"`{_BOTH[0]}` and 1 more, then")):
        verdict = diff_mailing("shop", _desired(revision=2), _entry(*states), _remote(), _NOW)
        assert f"look at sms.by for {told} `smsby-deploy lock resolve spring-sale/vip" in verdict.reason


def test_a_listed_draft_is_confirmed_not_adopted() -> None:
    """A draft at sms.by was not sent: it is to be confirmed."""
    one = _desired(chunks=(ChunkPlan(_MARKS[0], None, ""),), via="list")
    verdict = diff_mailing(
        "shop", one, None, _remote(f"spring-sale/vip shop#{_MARKS[0]}", status="draft"), _NOW
    )
    assert verdict.action is ActionKind.CONFIRM
