"""The decision table: each situation leads to one action, and a blocked one has a reason code."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Wave
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind, VerdictKind, WaveVerdict
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, NamedId, UploadRecord
from smsby_deploy.plan.desired import ChunkPlan, Desired
from smsby_deploy.plan.diff import (
    RULES,
    Decision,
    diff_mailing,
)
from smsby_deploy.plan.gone import OwnContent
from smsby_deploy.plan.model import ActionKind, ReasonCode
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.situation import Situation
from smsby_deploy.smsby.parsers import RemoteMailing
from tests.plan.situations import MARKS, NOW, A, D, P, R, U, make_desired, make_entry, view_of


def _desired(**changes: Any) -> Desired:
    return make_desired(**{"address": "spring-sale/vip", **changes})


def _remote(*names: str, status: str = "NEW", when: datetime | None = None) -> RemoteView:
    mailings = [
        RemoteMailing(
            id=number,
            name=name,
            d_create=None,
            d_schedule=None if when is None else int(when.timestamp()),
            parts=None,
            count_phones=None,
            status=status,
            cost=None,
            alphaname=None,
        )
        for number, name in enumerate(names, 1)
    ]
    return view_of("shop", mailings)


_BOTH = tuple(f"spring-sale/vip [{i}/2] shop#{mark}" for i, mark in enumerate(MARKS, 1))
_OTHER = "spring-sale/vip shop#0123456789"  # another fingerprint
_LIST = NamedId("Newsletter", 34)  # the present meaning of the files


def _diff(desired: Desired, entry: Entry | None, remote: RemoteView | None) -> Decision:
    return diff_mailing(Situation("shop", desired, entry, remote, NOW, _LIST))


_ONE = (ChunkPlan(MARKS[0], 4, MARKS[0]),)


def _draft(upload: UploadRecord | None, state: ChunkState = ChunkState.DRAFT) -> Entry:
    entry = make_entry(A, A, transport="bulk")
    return replace(entry, chunks=(ChunkRecord(MARKS[0], 4, MARKS[0], state, upload=upload),))


def _uploading(contacts: str, uploaded: int) -> Entry:
    return _draft(UploadRecord(contacts, 7, uploaded), ChunkState.PENDING)


_LATER = NOW + timedelta(days=1)
_SCHEDULED = {"schedule_time": _LATER.isoformat()}
_WITHDRAWN = Ending(EndingKind.WITHDRAWN, "2026-11-23T10:00:00+00:00", "anna", "typo")
_ABANDONED = Ending(EndingKind.ABANDONED, "2026-11-23T10:00:00+00:00", "anna", "")
_OTHER_CHUNKS = (ChunkPlan(MARKS[0], 2, ""), ChunkPlan("cccccccccc", 2, ""))


class _Case(NamedTuple):
    """A situation, its action, and words of the reason."""

    action: str
    reason: str = ""
    files: Desired = _desired()
    lock: Entry | None = None
    remote: RemoteView | None = _remote()


_CASES = {
    "new": _Case("create", "new"),
    "all listed": _Case("adopt", remote=_remote(*_BOTH)),
    "a part listed": _Case("blocked", "unknown", remote=_remote(_BOTH[0])),
    "another fingerprint": _Case("blocked", "collision", remote=_remote(_OTHER)),
    "another project": _Case("create", remote=_remote("spring-sale/vip other#0123456789")),
    "another revision": _Case("create", files=_desired(revision=2), remote=_remote(_OTHER)),
    "a truncated name": _Case("blocked", "collision", remote=_remote(_BOTH[0][:24])),
    "a truncated name of another fingerprint": _Case(
        "blocked", "collision", remote=_remote("spring-sale/vip [1/2] shop#0123")
    ),
    "a truncated name of another size": _Case(
        "blocked", "collision", remote=_remote("spring-sale/vip [1/31] sh")
    ),
    "a name truncated in its chunk number": _Case(
        "blocked", "collision", remote=_remote("spring-sale/vip [1/31")
    ),
    "a truncated name of 19 characters": _Case("create", remote=_remote("spring-sale/vip [1/")),
    "a truncated name of another revision": _Case(
        "create", remote=_remote("spring-sale/vip r2 [1/2] shop#0")
    ),
    "a truncated name of another project": _Case("create", remote=_remote("spring-sale/vip shopping#0123")),
    "a truncated name of a longer address": _Case("create", remote=_remote("spring-sale/vip-customers shop")),
    "a short foreign name": _Case("create", remote=_remote("spring-sale/vip")),
    "sent": _Case("noop", lock=make_entry(A, A)),
    "sent, audience changed": _Case("noop", files=_desired(audience_digest="more"), lock=make_entry(A, A)),
    "sent, text composed since": _Case(
        "noop", files=_desired(content_digest="new", former_content="content"), lock=make_entry(A, A)
    ),
    "sent, text changed": _Case(
        "blocked", "changed", files=_desired(content_digest="new"), lock=make_entry(A, A)
    ),
    "withdrawn": _Case("blocked", "withdrawn", lock=make_entry(A, A, ending=_WITHDRAWN)),
    "withdrawn, still listed": _Case(
        "blocked",
        "withdrawn: by anna on 2026-11-23 10:00 UTC (typo); but sms.by still lists it and will send it at 2026-11-24 12:00 "
        "UTC: delete `spring-sale/vip [1/2] shop#aaaaaaaaaa` (id 1) and 1 more",
        lock=make_entry(A, A, ending=_WITHDRAWN, **_SCHEDULED),
        remote=_remote(*_BOTH),
    ),
    "withdrawn before it was sent": _Case("blocked", "withdrawn", lock=make_entry(P, P, ending=_WITHDRAWN)),
    "withdrawn, changed": _Case(
        "blocked",
        "withdrawn: by anna on 2026-11-23 10:00 UTC (typo); to send it after all, raise `revision` to 2",
        files=_desired(content_digest="new", audience_digest="more", chunks=_OTHER_CHUNKS),
        lock=make_entry(A, P, ending=_WITHDRAWN),
    ),
    "withdrawn while it was scheduled, changed": _Case(
        "blocked",
        "withdrawn",
        files=_desired(content_digest="new", schedule_time=_LATER),
        lock=make_entry(A, A, ending=_WITHDRAWN, **_SCHEDULED),
    ),
    "withdrawn, unknown": _Case("blocked", "unknown", lock=make_entry(A, U, ending=_WITHDRAWN)),
    "withdrawn, raised": _Case(
        "create", files=_desired(revision=2), lock=make_entry(A, A, ending=_WITHDRAWN, **_SCHEDULED)
    ),
    "abandoned": _Case(
        "noop", "abandoned by anna on 2026-11-23 10:00 UTC", lock=make_entry(A, P, ending=_ABANDONED)
    ),
    "abandoned before it was sent": _Case(
        "noop", "abandoned by anna", lock=make_entry(P, R, ending=_ABANDONED)
    ),
    "abandoned draft": _Case("noop", lock=make_entry(D, P, ending=_ABANDONED)),
    "abandoned, changed": _Case(
        "blocked", "changed", files=_desired(content_digest="new"), lock=make_entry(A, P, ending=_ABANDONED)
    ),
    "abandoned, other recipients": _Case(
        "noop",
        files=_desired(audience_digest="more", chunks=_OTHER_CHUNKS),
        lock=make_entry(A, P, ending=_ABANDONED),
    ),
    "abandoned, unknown": _Case("blocked", "unknown", lock=make_entry(A, U, ending=_ABANDONED)),
    "abandoned, raised": _Case(
        "create", "revision 2", files=_desired(revision=2), lock=make_entry(A, P, ending=_ABANDONED)
    ),
    "sent in part": _Case("resume", "1 of 2", lock=make_entry(A, P), remote=_remote(_BOTH[0])),
    "sent in part, rest rejected": _Case("resume", lock=make_entry(A, R)),
    "sent in part, changed": _Case(
        "blocked",
        "changed",
        files=_desired(chunks=_OTHER_CHUNKS),
        lock=make_entry(A, P),
    ),
    "sent in part, body changed": _Case(
        "blocked", "changed", files=_desired(body="form"), lock=make_entry(A, P, body="json")
    ),
    "sent in part, body not recorded": _Case("resume", files=_desired(body="form"), lock=make_entry(A, P)),
    "sent, body changed": _Case("noop", files=_desired(body="form"), lock=make_entry(A, A, body="json")),
    "all rejected": _Case(
        "create", files=_desired(content_digest="new", audience_digest="more"), lock=make_entry(R, R)
    ),
    "unknown": _Case("blocked", "unknown", lock=make_entry(A, U), remote=_remote(_BOTH[0])),
    "unknown, revision raised": _Case(
        "blocked", "unknown", files=_desired(revision=2), lock=make_entry(A, U)
    ),
    "unknown, revision lowered": _Case("blocked", "unknown", lock=make_entry(A, U, revision=2)),
    "unknown, found": _Case("adopt", lock=make_entry(A, U), remote=_remote(*_BOTH)),
    "resolved as not sent too early": _Case("adopt", lock=make_entry(P, P), remote=_remote(*_BOTH)),
    "revision raised": _Case(
        "create",
        "revision 2",
        files=_desired(revision=2),
        lock=make_entry(A, A),
        remote=_remote("spring-sale/vip shop#1111111111"),
    ),
    "gone, something shared changed": _Case(
        "noop",
        "sent, unchanged except for what it shares with other mailings",
        files=_desired(content_digest="new", own=OwnContent("own", "0", False, False, True)),
        lock=make_entry(A, A, own_digest="own"),
    ),
    "scheduled": _Case(
        "noop", "scheduled", files=_desired(schedule_time=_LATER), lock=make_entry(A, A, **_SCHEDULED)
    ),
    "scheduled, text changed": _Case(
        "blocked",
        "changed: its text, sender or time differs from what sms.by accepted and will send at ",
        files=_desired(content_digest="new", schedule_time=_LATER),
        lock=make_entry(A, A, **_SCHEDULED),
    ),
    "scheduled in part": _Case(
        "resume",
        files=_desired(schedule_time=_LATER),
        lock=make_entry(A, P, **_SCHEDULED),
        remote=_remote(_BOTH[0]),
    ),
    "unknown, found, the rest not sent": _Case(
        "resume", "1 of 2", lock=make_entry(U, P), remote=_remote(_BOTH[0])
    ),
    "sent in part, an earlier one that only sms.by has is scheduled": _Case(
        "resume",
        files=_desired(revision=2),
        lock=make_entry(A, P, revision=2),
        remote=_remote(_OTHER, when=_LATER),
    ),
    "scheduled in part, recipients changed": _Case(
        "blocked",
        "changed: sms.by accepted a part of it",
        files=_desired(chunks=_OTHER_CHUNKS, schedule_time=_LATER),
        lock=make_entry(A, P, **_SCHEDULED),
    ),
    "revision raised while the earlier one is scheduled": _Case(
        "blocked",
        "scheduled: revision 1 will be sent at 2026-11-24 12:00",
        files=_desired(revision=2),
        lock=make_entry(A, R, **_SCHEDULED),
    ),
    "revision raised while one before the last is scheduled": _Case(
        "blocked",
        "scheduled: revision 1",
        files=_desired(revision=3),
        lock=make_entry(R, R, revision=2, earlier=(make_entry(A, A, **_SCHEDULED),)),
    ),
    "revision raised, the lock lost, the earlier one listed": _Case(
        "blocked",
        "scheduled: sms.by lists `spring-sale/vip shop#0123456789` (id 1), which the lock does not have",
        files=_desired(revision=2, chunks=_OTHER_CHUNKS[1:]),
        remote=_remote(_OTHER, when=_LATER),
    ),
    "revision raised, the lock lost, the earlier one gone": _Case(
        "create",
        files=_desired(revision=2, chunks=_OTHER_CHUNKS[1:]),
        remote=_remote(_OTHER, when=NOW),
    ),
    "revision raised, the listed one withdrawn": _Case(
        "create",
        files=_desired(revision=2, chunks=_OTHER_CHUNKS[1:]),
        lock=make_entry(A, A, **_SCHEDULED, ending=Ending(EndingKind.WITHDRAWN, "t", "anna", "a mistake")),
        remote=_remote(*_BOTH, when=_LATER),
    ),
    "revision raised, nothing of the scheduled one accepted": _Case(
        "create", files=_desired(revision=2), lock=make_entry(P, R, **_SCHEDULED)
    ),
    "revision raised, the scheduled one gone": _Case(
        "create", files=_desired(revision=2), lock=make_entry(A, A, schedule_time=NOW.isoformat())
    ),
    "revision raised, the new one listed": _Case(
        "adopt",
        files=_desired(revision=2),
        lock=make_entry(A, A),
        remote=_remote(*(name.replace("vip", "vip r2") for name in _BOTH)),
    ),
    "revision lowered": _Case("blocked", "changed", lock=make_entry(A, A, revision=2)),
    "expired": _Case("blocked", "expired", files=_desired(schedule_time=NOW - timedelta(1))),
    "expired in part": _Case(
        "blocked", "expired", files=_desired(schedule_time=NOW - timedelta(1)), lock=make_entry(A, P)
    ),
    "sent, time passed": _Case(
        "noop", files=_desired(schedule_time=NOW - timedelta(1)), lock=make_entry(A, A)
    ),
    "new, offline": _Case("create", "new", remote=None),
    "new, uploaded": _Case("upload", "4 contacts will be uploaded to a list", files=_desired(contacts="who")),
    "upload begun": _Case(
        "upload", "3 of 4 contacts", files=_desired(contacts="who", chunks=_ONE), lock=_uploading("who", 3)
    ),
    "upload begun for others": _Case(
        "upload",
        "opt-outs changed: 4 contacts will be uploaded to a new list",
        files=_desired(contacts="who", chunks=_ONE),
        lock=_uploading("others", 3),
    ),
    "draft": _Case("confirm", "not confirmed", files=_desired(chunks=_ONE), lock=_draft(None)),
    "draft of the same contacts": _Case(
        "confirm", files=_desired(contacts="who", chunks=_ONE), lock=_draft(UploadRecord("who", 7, 4))
    ),
    "draft of other contacts": _Case(
        "blocked",
        "changed: opt-outs changed since its draft was made",
        files=_desired(contacts="who", chunks=_ONE),
        lock=_draft(UploadRecord("others", 7, 4)),
    ),
    "draft, expired": _Case(
        "blocked", "expired", files=_desired(chunks=_ONE, schedule_time=NOW), lock=_draft(None)
    ),
    "draft, another one listed": _Case(
        "blocked",
        "collision",
        files=_desired(chunks=_ONE),
        lock=_draft(None),
        remote=_remote(_OTHER),
    ),
    "draft for the same list": _Case(
        "confirm",
        files=_desired(chunks=_ONE),
        lock=replace(_draft(None), contact_list=NamedId("Letters", 34)),
    ),
    "draft for another list": _Case(
        "blocked",
        "changed: its draft at sms.by was made for the contact list Newsletter (id 33)",
        files=_desired(chunks=_ONE),
        lock=replace(_draft(None), contact_list=NamedId("Newsletter", 33)),
    ),
    "listed draft, expired": _Case(
        "blocked",
        "expired",
        files=_desired(chunks=_ONE, schedule_time=NOW),
        remote=_remote(f"spring-sale/vip shop#{MARKS[0]}", status="draft"),
    ),
    "singles, sent in part": _Case(
        "resume",
        "the rest will be sent",
        files=_desired(via="single"),
        lock=make_entry(ChunkState.PARTIAL, A, transport="single"),
        remote=_remote(*_BOTH),
    ),
    "singles, listed without all phones": _Case(
        "blocked", "unknown", files=_desired(via="single"), remote=_remote(*_BOTH)
    ),
}


_NOTES = {
    "noop": {"CHANGED_SHARED", "ABANDONED", "AUDIENCE_CHANGED"},
    "create": {"SENT_AGAIN"},
    "upload": {"SENT_AGAIN"},
}


@pytest.mark.parametrize("case", _CASES)
def test_diff_mailing(case: str) -> None:
    """Each situation leads to its action, and the reason of a blocked mailing starts with its code."""
    action, reason, desired, entry, remote = _CASES[case]
    decision = _diff(desired, entry, remote)
    assert decision.action == action
    assert reason in decision.reason
    if action == "blocked":
        assert decision.code is not None
        assert decision.reason.startswith(f"{decision.code}: ")
        assert reason.startswith(decision.code)
    else:
        assert decision.code is None
    assert {note.code for note in decision.notes} <= _NOTES.get(action, set())
    assert decision.is_overdue <= (decision.code is ReasonCode.EXPIRED)


_HOUR = timedelta(hours=1)
_OPEN, _EARLY, _OVER = (Window(NOW + n * _HOUR, NOW + (n + 2) * _HOUR) for n in (-1, 1, -2))


def _approved(window: Window, state: ChunkState = P, **changes: object) -> Entry:
    opens, closes = (time.isoformat() for time in window)
    approval = Approval("t", "p", "anna", opens, closes)
    return make_entry(state, state, **{"approval": approval, "contact_list": _LIST, **changes})


# Entry, window in the files, whether this is a hand-over, action and code.
_WAITING_CASES = {
    "not approved, early": (None, _EARLY, False, "hold", None),
    "not approved, open": (None, _OPEN, False, "create", None),
    "uploaded, early": (None, _EARLY, False, "hold", None),
    "uploaded, open": (None, _OPEN, False, "upload", None),
    "not approved, over": (None, _OVER, False, "blocked", "expired"),
    "approved, early": (_approved(_EARLY), _EARLY, False, "waiting", None),
    "approved, early, hand-over": (_approved(_EARLY), _EARLY, True, "waiting", None),
    "approved, open": (_approved(_OPEN), _OPEN, False, "due", None),
    "approved, open, hand-over": (_approved(_OPEN), _OPEN, True, "create", None),
    "approved, over": (_approved(_OVER), _OVER, False, "blocked", "expired"),
    "rejected, hand-over": (_approved(_OPEN, R), _OPEN, True, "create", None),
    "another window": (_approved(_OPEN), _EARLY, False, "hold", None),
    "another window, hand-over": (_approved(_OPEN), _EARLY, True, "create", None),
    "no window any more": (_approved(_EARLY), None, False, "create", None),
    "no window any more, hand-over": (_approved(_OPEN), None, True, "create", None),
    "changed": (_approved(_EARLY, content_digest="other"), _EARLY, False, "hold", None),
    "changed, hand-over": (_approved(_OPEN, content_digest="other"), _OPEN, True, "blocked", "changed"),
    "other list": (_approved(_OPEN, contact_list=NamedId("Newsletter", 35)), _OPEN, True, "blocked", "changed"),
    "other transport": (_approved(_OPEN, transport="single"), _OPEN, True, "blocked", "changed"),
    "never approved, hand-over": (make_entry(P, P), _OPEN, True, "blocked", "changed"),
    "handed over": (_approved(_OPEN, A), _OPEN, True, "noop", None),
    "unknown": (_approved(_OPEN, U), _OPEN, True, "blocked", "unknown"),
    "in part, open": (replace(_approved(_OPEN), chunks=make_entry(A, P).chunks), _OPEN, True, "resume", None),
    "in part, over": (replace(_approved(_OVER), chunks=make_entry(A, P).chunks), _OVER, True, "blocked", "expired"),
    "singles, open": (_approved(_OPEN, transport="single"), _OPEN, False, "due", None),
    "singles, open, listed": (_approved(_OPEN, transport="single"), _OPEN, False, "blocked", "unknown"),
    "singles, over, listed": (_approved(_OVER, transport="single"), _OVER, False, "blocked", "unknown"),
    "singles, listed, hand-over": (_approved(_OPEN, transport="single"), _OPEN, True, "create", None),
    "open, listed": (_approved(_OPEN), _OPEN, False, "adopt", None),
    "over, listed": (_approved(_OVER), _OVER, False, "adopt", None),
    "in part, over, new plan": (replace(_approved(_OVER), chunks=make_entry(A, P).chunks), _OVER, False, "resume", None),
}  # fmt: skip


def _waiting(case: str) -> Situation:
    entry, window, is_handing_over, *_ = _WAITING_CASES[case]
    changes = {"singles": {"via": "single"}, "uploaded": {"contacts": "who"}}.get(case.split(",")[0], {})
    desired = _desired(**changes)
    remote = _remote(*_BOTH) if "listed" in case else _remote()
    return Situation(
        "shop", desired, entry, remote, NOW, _LIST, window=window, is_handing_over=is_handing_over
    )


@pytest.mark.parametrize("case", _WAITING_CASES)
def test_diff_of_what_may_wait(case: str) -> None:
    """An approved mailing waits for its window, and is handed over only within it and unchanged."""
    decision = diff_mailing(_waiting(case))
    assert (decision.action, decision.code) == _WAITING_CASES[case][3:]
    has_window = decision.action in ("hold", "waiting", "due")
    assert (decision.window is not None) == has_window
    if decision.action == "resume":
        entry = _WAITING_CASES[case][0]
        assert entry is not None
        assert decision.approval == entry.approval  # the rest needs no plan


def _in_waves(
    *states: ChunkState, ago: timedelta, verdict: VerdictKind | None = None, **changes: object
) -> Entry:
    """Return a mailing of two waves with one chunk each, the first accepted that long ago."""
    at = (NOW - ago).isoformat()
    entry = make_entry(*states, **{"contact_list": _LIST, **changes})
    chunks = [replace(one, wave=number, accepted_at=at) for number, one in enumerate(entry.chunks, 1)]
    verdicts = () if verdict is None else (WaveVerdict(1, verdict, at, 2, 1, 1),)
    return replace(entry, chunks=tuple(chunks), verdicts=verdicts, applied=replace(entry.applied, at=at))


_MINUTE = timedelta(minutes=1)
_STEPS = (Wave(size=2, after=45 * _MINUTE, give_up=_HOUR, delivered=90), Wave())
_GO, _STOP = VerdictKind.GO, VerdictKind.STOP
_OTHER_LIST = NamedId("Newsletter", 35)
_SENT = {"ago": _HOUR, "verdict": _GO}
# Entry, whether this is a hand-over, action, code and the wave to send.
_WAVE_CASES = {
    "new": (None, False, "create", None, 1),
    "early": (_in_waves(A, P, ago=44 * _MINUTE), False, "waiting", None, None),
    "early, hand-over": (_in_waves(A, P, ago=44 * _MINUTE), True, "waiting", None, None),
    "to judge": (_in_waves(A, P, ago=45 * _MINUTE), False, "due", None, None),
    "to judge, late": (_in_waves(A, P, ago=3 * _HOUR), True, "due", None, None),
    "go": (_in_waves(A, P, ago=45 * _MINUTE, verdict=_GO), False, "due", None, None),
    "go, hand-over": (_in_waves(A, P, ago=45 * _MINUTE, verdict=_GO), True, "resume", None, 2),
    "go, hand-over, late": (_in_waves(A, P, ago=9 * _HOUR, verdict=_GO), True, "resume", None, 2),
    "stop": (_in_waves(A, P, ago=45 * _MINUTE, verdict=_STOP), True, "blocked", "wave", None),
    "first wave not sent": (_in_waves(R, P, ago=_HOUR), False, "create", None, 1),
    "first wave not sent, hand-over": (_in_waves(R, P, ago=_HOUR), True, "blocked", "changed", None),
    "unknown": (_in_waves(A, U, ago=_HOUR, verdict=_GO), True, "blocked", "unknown", None),
    "changed": (_in_waves(A, P, **_SENT, body="form"), True, "blocked", "changed", None),
    "other sender": (_in_waves(A, P, **_SENT, contact_list=_OTHER_LIST), True, "blocked", "changed", None),
    "listed, not recorded": (_in_waves(U, P, ago=_HOUR), False, "adopt", None, None),
    "complete": (_in_waves(A, A, ago=_HOUR, verdict=_GO), True, "noop", None, None),
}  # fmt: skip


def _wave_situation(case: str) -> Situation:
    entry, is_handing_over, *_ = _WAVE_CASES[case]
    desired = _desired()
    chunks = tuple(chunk._replace(wave=number) for number, chunk in enumerate(desired.chunks, 1))
    return Situation(
        "shop",
        desired._replace(chunks=chunks),
        entry,
        _remote(*_BOTH[:1]) if case.startswith("listed") else _remote(),
        NOW,
        _LIST,
        is_handing_over=is_handing_over,
        steps=_STEPS,
    )


@pytest.mark.parametrize("case", _WAVE_CASES)
def test_diff_of_a_mailing_with_waves(case: str) -> None:
    """A wave is sent after a verdict on the previous one, and only by a hand-over."""
    decision = diff_mailing(_wave_situation(case))
    assert (decision.action, decision.code, decision.wave) == _WAVE_CASES[case][2:]
    if decision.action == "resume":
        assert decision.unsent == (0, None)
    if decision.action in ("waiting", "due"):
        assert decision.window is not None


def test_every_rule_decides_some_case() -> None:
    """Each rule of the table is the first to apply in at least one case."""
    situations = [
        *(Situation("shop", one.files, one.lock, one.remote, NOW, _LIST) for one in _CASES.values()),
        *map(_waiting, _WAITING_CASES),
        *map(_wave_situation, _WAVE_CASES),
    ]
    deciding = {next(i for i, rule in enumerate(RULES) if rule.when(here)) for here in situations}
    assert deciding == set(range(len(RULES)))


def test_unknown_reason_names_what_to_look_for() -> None:
    """The reason of an unknown outcome has the name to look for at sms.by, the first of several, with the sent revision."""
    for states, named in (((A, U), f"`{_BOTH[1]}`, then"), ((U, U), f"`{_BOTH[0]}` and 1 more, then")):
        decision = _diff(_desired(revision=2), make_entry(*states), _remote())
        assert decision.code is ReasonCode.UNKNOWN
        assert f"look at sms.by for {named} run `smsby-deploy lock resolve spring-sale/vip" in decision.reason


@pytest.mark.parametrize(
    ("own_digest", "has_includes", "codes", "words"),
    [
        ("own", True, ["CHANGED_SHARED", "AUDIENCE_CHANGED"], "(an included"),
        (None, True, ["CHANGED_SHARED", "AUDIENCE_CHANGED"], "(perhaps an included"),
        ("else", True, [], "changed: its text"),
        (None, False, [], "changed: its text"),
    ],
    ids=["shared", "older-lock", "own", "own-in-older-lock"],
)
def test_gone_mailing_changes_only_by_its_own_content(
    own_digest: str | None, has_includes: bool, codes: list[str], words: str
) -> None:
    """A gone mailing is changed only by its own content; shared content is a note. A scheduled one is changed by both."""
    own = OwnContent("own", "0", False, False, has_includes)
    desired = _desired(content_digest="new", audience_digest="more", own=own)
    decision = _diff(desired, make_entry(A, A, own_digest=own_digest), _remote())
    assert [note.code for note in decision.notes] == codes
    assert words in (decision.notes[0].message if codes else decision.reason)
    scheduled = _diff(desired, make_entry(A, A, own_digest=own_digest, **_SCHEDULED), _remote())
    assert scheduled.code is ReasonCode.CHANGED


@pytest.mark.parametrize(
    "desired", [_desired(content_digest="new"), _desired(revision=2, chunks=_OTHER_CHUNKS[1:])]
)
@pytest.mark.parametrize(
    ("chunk", "names", "found"),
    [
        ({"message_id": 7}, (), f"delete `{_BOTH[0]}` (id 7) and 1 more in the account"),
        ({"uuid": "u-1"}, (), f"delete `{_BOTH[0]}` (uuid u-1) and 1 more"),
        ({"uuid": "u-1"}, ("x", _BOTH[0]), f"delete `{_BOTH[0]}` (id 2) in the account"),
        ({}, (), f"delete `{_BOTH[0]}` and 1 more"),
    ],
    ids=["recorded-id", "uuid", "listed", "neither"],
)
def test_scheduled_mailing_says_how_to_delete_it(
    desired: Desired, chunk: dict[str, Any], names: tuple[str, ...], found: str
) -> None:
    """A changed scheduled mailing has the name and id that sms.by lists, and the command to record its deletion."""
    entry = make_entry(A, A, **_SCHEDULED)
    entry = replace(entry, chunks=(replace(entry.chunks[0], **chunk), entry.chunks[1]))
    reason = _diff(desired, entry, _remote(*names)).reason
    assert found in reason
    assert " at 2026-11-24 12:00" in reason
    assert "run `smsby-deploy lock withdraw spring-sale/vip`" in reason
    assert ("revision" in reason) == (desired.revision == 2)


def test_withdrawn_revision_is_no_longer_scheduled() -> None:
    """A withdrawn revision does not hold up the next one."""
    ending = Ending(EndingKind.WITHDRAWN, "t", "anna", "a mistake")
    decision = _diff(_desired(revision=2), make_entry(A, A, **_SCHEDULED, ending=ending), _remote())
    assert decision.action is ActionKind.CREATE


def test_rehearsal_is_sent_beside_a_scheduled_revision() -> None:
    """In a sandbox, or with only_to, a rehearsal can be repeated beside a scheduled revision."""
    here = Situation(
        "shop", _desired(revision=2), make_entry(A, A, **_SCHEDULED), _remote(), NOW, is_rehearsal=True
    )
    assert diff_mailing(here).action is ActionKind.CREATE


@pytest.mark.parametrize(
    ("entry", "is_overdue"),
    [
        (None, True),
        (make_entry(P, P), False),
        (make_entry(A, P), False),
        (make_entry(A, A, revision=0), True),
    ],
    ids=["new", "not-sent", "sent-in-part", "revision-raised"],
)
def test_expired_mailing_is_overdue_before_its_approval(entry: Entry | None, is_overdue: bool) -> None:
    """A mailing that an apply began is overdue, not unapproved, when its time has passed."""
    decision = _diff(_desired(schedule_time=NOW), entry, _remote())
    assert decision.code is ReasonCode.EXPIRED
    assert decision.is_overdue == is_overdue


def test_listed_draft_is_confirmed_not_adopted() -> None:
    """A draft at sms.by is confirmed, not adopted, since it was not sent."""
    one = _desired(chunks=(ChunkPlan(MARKS[0], None, ""),), via="list")
    listed = _remote(f"spring-sale/vip shop#{MARKS[0]}", status="draft")
    assert _diff(one, None, listed).action is ActionKind.CONFIRM
    both = [
        RemoteMailing(number, f"spring-sale/vip shop#{mark}", None, None, None, None, status, None, None)
        for number, mark, status in ((1, MARKS[0], "DRAFT"), (2, "0123456789", "NEW"))
    ]
    beside = _diff(one, None, view_of("shop", both))  # another checkout sent it: never twice
    assert (beside.action, beside.code) == (ActionKind.BLOCKED, ReasonCode.COLLISION)


def test_list_mailing_listed_without_a_status_is_unknown() -> None:
    """That sms.by lists it does not say whether it was confirmed."""
    one = _desired(chunks=(ChunkPlan(MARKS[0], None, ""),), via="list")
    decision = _diff(one, None, _remote(f"spring-sale/vip shop#{MARKS[0]}", status=""))
    assert decision.code is ReasonCode.UNKNOWN
    assert decision.reason.startswith("unknown: sms.by lists it without a status, and the lock")


def test_changed_audience_of_a_finished_mailing_is_a_note() -> None:
    """Rows added to a finished mailing are a note, and nothing is sent to them."""
    decision = _diff(_desired(audience_digest="more"), make_entry(A, A), _remote())
    assert [note.code for note in decision.notes] == ["AUDIENCE_CHANGED"]


def test_abandoned_mailing_says_what_was_sent() -> None:
    """The reason of an abandoned mailing says what was sent, and no note mentions a changed audience."""
    decision = _diff(
        _desired(audience_digest="more", chunks=_OTHER_CHUNKS), make_entry(A, P, ending=_ABANDONED), _remote()
    )
    message = "abandoned by anna on 2026-11-23 10:00 UTC; sms.by accepted it for 2 of 4 recipients, and the rest gets nothing"
    assert [tuple(note) for note in decision.notes] == [("ABANDONED", message)]


@pytest.mark.parametrize(
    ("desired", "entry", "is_noted"),
    [
        (
            _desired(audience_digest="more", recipients_digest="p"),
            make_entry(A, A, recipients_digest="p"),
            False,
        ),
        (
            _desired(audience_digest="more", recipients_digest="q"),
            make_entry(A, A, recipients_digest="p"),
            True,
        ),
        (_desired(audience_digest="more", recipients_digest="p"), make_entry(A, A), True),
        (
            _desired(audience_digest="more", content_digest="new", former_content="content"),
            make_entry(A, A),
            False,
        ),
    ],
    ids=["reordered", "others", "older-lock", "composed-since"],
)
def test_reordered_audience_has_not_changed(desired: Desired, entry: Entry, is_noted: bool) -> None:
    """The same recipients in another order are no change; with an older lock that is not known."""
    assert bool(_diff(desired, entry, _remote()).notes) == is_noted


@pytest.mark.parametrize(
    ("states", "note"),
    [
        ((A, A), "up to 4 recipients who already got revision 1"),
        ((A, R), "up to 2 recipients who already got revision 1"),
        ((R, R), None),
    ],
)
def test_raised_revision_notes_who_gets_it_again(states: tuple[ChunkState, ...], note: str | None) -> None:
    """A raised revision notes how many recipients got the previous one, if any."""
    decision = _diff(_desired(revision=2), make_entry(*states), _remote())
    assert decision.action is ActionKind.CREATE
    assert [one.code for one in decision.notes] == (["SENT_AGAIN"] if note else [])
    assert all(note in one.message for one in decision.notes)


def test_unrecorded_revision_is_counted_by_the_list() -> None:
    """If the lock is lost, the note counts the last revision that is listed as sent, ignoring drafts and other mailings."""
    one = RemoteMailing(1, "", None, None, None, 3, "NEW", None, None)
    names = [
        "spring-sale/vip shop#00000000a1",
        "spring-sale/vip r2 [1/2] shop#00000000b1",
        "spring-sale/vip r2 [2/2] shop#00000000b2",
        "spring-sale/staff r3 shop#00000000c1",
    ]
    sent = [replace(one, id=number, name=name) for number, name in enumerate(names)]
    draft = replace(one, id=9, name="spring-sale/vip r3 shop#00000000d1", status="DRAFT")
    decision = _diff(_desired(revision=4), None, view_of("shop", [*sent, draft]))
    (note,) = decision.notes
    assert decision.action is ActionKind.CREATE
    assert tuple(note) == (
        "SENT_AGAIN",
        "revision 4 will be sent to up to 6 recipients who already got revision 2",
    )
    assert not _diff(_desired(), None, view_of("shop", sent)).notes
    assert not _diff(_desired(revision=4), None, None).notes
    remote = view_of("shop", [*sent, draft])
    rehearsal = Situation("shop", _desired(revision=4), None, remote, NOW, is_rehearsal=True)
    assert not diff_mailing(rehearsal).notes
    (first,) = _diff(_desired(revision=2, chunks=_OTHER_CHUNKS[1:]), None, view_of("shop", sent[:1])).notes
    assert first.message == "revision 2 will be sent to up to 3 recipients who already got revision 1"


def test_rejected_revision_notes_who_gets_it_again() -> None:
    """Every plan of a raised revision notes who got an earlier one, even after a rejection or an approval."""
    words = "to up to 4 recipients who already got revision 1"
    for changes in ({}, {"approval": _approved(_EARLY).approval}):
        entry = make_entry(R, R, revision=2, earlier=(make_entry(A, A),), **changes)
        for revision in (2, 3):
            tomorrow = _desired(revision=revision, schedule_time=_LATER, content_digest="new")
            here = Situation("shop", tomorrow, entry, _remote(), NOW, _LIST, window=_EARLY)
            (note,) = diff_mailing(here).notes
            assert note.message == f"revision {revision} will be sent {words}"
            assert not diff_mailing(
                replace(here, is_handing_over=True)
            ).notes  # it was approved with the note


def test_rehearsal_notes_whose_revision_is_scheduled() -> None:
    """While the earlier revision is only scheduled, a rehearsal does not say that its recipients already got it."""
    entry = make_entry(R, R, revision=2, earlier=(make_entry(A, A, **_SCHEDULED),))
    here = Situation("shop", _desired(revision=3), entry, _remote(), NOW, is_rehearsal=True)
    (note,) = diff_mailing(here).notes
    assert note.message == "revision 3 will be sent to up to 4 recipients for whom revision 1 is scheduled"


def test_resumed_mailing_knows_who_is_unsent() -> None:
    """The unsent recipients are none of an accepted chunk, all of a pending one, and the unsent phones of a single one."""
    assert _diff(_desired(), make_entry(A, P), _remote()).unsent == (0, None)
    single = make_entry(ChunkState.PARTIAL, A, transport="single")
    single = replace(
        single, chunks=(replace(single.chunks[0], phones=PhoneStates.parse("a:1 p:1 r:1")), single.chunks[1])
    )
    desired = _desired(via="single")
    assert _diff(desired, single, _remote()).unsent == (2, 0)
    first, second = desired.chunks
    left = desired._replace(chunks=(first._replace(opted_out="0 2"), second))
    assert _diff(left, single, _remote()).unsent == (1, 0)  # the first got it; the third opted out since then


def test_resumed_wave_leaves_the_others() -> None:
    """The rest of a resumed wave has no part of an earlier or later wave."""
    entry, desired = _in_waves(A, P, **_SENT), _desired()
    states, waves = (A, R, P, P), (1, 1, 1, 2)
    chunks = [
        replace(entry.chunks[0], fingerprint=str(place), wave=wave, state=state)
        for place, (state, wave) in enumerate(zip(states, waves, strict=True))
    ]
    planned = tuple(ChunkPlan(one.fingerprint, 2, one.digest, wave=one.wave) for one in chunks)
    here = Situation(
        "shop",
        desired._replace(chunks=planned),
        replace(entry, chunks=tuple(chunks)),
        _remote(),
        NOW,
        steps=_STEPS,
    )
    decision = diff_mailing(here)
    assert (decision.action, decision.wave, decision.unsent) == ("resume", 1, (0, None, None, 0))
    plain = replace(here, steps=())  # its files no longer have waves
    assert diff_mailing(plain).unsent in ((), (0, None, None, None))
