"""Which approved mailings need something now, and when the next one will."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smsby_deploy.apply.context import ApplyRequest
from smsby_deploy.apply.due_mailings import approved_mailings, next_opening, sort_mailings
from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind, VerdictKind, WaveVerdict
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.store import LockStore
from smsby_deploy.plan.chunks import hash_content
from smsby_deploy.texts.compiler import compile_mailing
from tests.apply.fake_dispatch import VirtualClock

_NOW = datetime(2026, 12, 1, 7, tzinfo=UTC)
_HOUR = timedelta(hours=1)
A, P, U = ChunkState.ACCEPTED, ChunkState.PENDING, ChunkState.UNKNOWN
_GO, _STOP = VerdictKind.GO, VerdictKind.STOP
_ABANDONED = Ending(EndingKind.ABANDONED, "2026-12-01T05:00:00+00:00", "anna", "")


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedProject:
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    (tmp_path / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n"
        "  - name: vip\n    recipients: ['375291234567']\n    text: Hello\n"
        "    waves: [{people: 1, after: 1h, give_up: 3h, delivered: 90}, rest]\n"
    )
    return load_project(tmp_path)


def _request(loaded: LoadedProject, tmp_path: Path, *select: str) -> ApplyRequest:
    def connect() -> None:
        raise AssertionError("nothing here asks sms.by")

    store = LockStore(tmp_path / "smsby.lock.json", "shop")
    return ApplyRequest(
        lambda: loaded,
        store,
        connect,
        None,
        VirtualClock(),
        select=select,  # type: ignore[arg-type]
    )


def _sent(*states: ChunkState, ago: timedelta, **changes: object) -> Entry:
    at = (_NOW - ago).isoformat()
    chunks = tuple(
        ChunkRecord(f"{number:010x}", 1, "d", state, wave=number, accepted_at=at)
        for number, state in enumerate(states, 1)
    )
    entry = Entry(1, "c", "a", "bulk", "0", 0, None, 2, 2, None, chunks, AppliedBy(at, "plan1", None, "x"))
    return replace(entry, **changes)  # type: ignore[arg-type]


def _with_verdict(kind: VerdictKind) -> Entry:
    return _sent(A, P, ago=2 * _HOUR, verdicts=(WaveVerdict(1, kind, _NOW.isoformat(), 1, 0, 1),))


_APPROVAL = Approval("t", "plan0", None, (_NOW - _HOUR).isoformat(), (_NOW + _HOUR).isoformat())
# Entry, the name of its group, and when the next one opens, in hours from now.
_CASES = {
    "too early": (_sent(A, P, ago=_HOUR / 2), None, 0.5),
    "to judge": (_sent(A, P, ago=2 * _HOUR), "to_judge", -1),
    "go": (_with_verdict(_GO), "due", -1),
    "stop": (_with_verdict(_STOP), "stopped", None),
    "unknown": (_sent(A, U, ago=2 * _HOUR), "due", None),
    "complete": (_sent(A, A, ago=2 * _HOUR), None, None),
    "first wave in part": (_sent(P, P, ago=2 * _HOUR), None, None),
    "abandoned": (replace(_with_verdict(_GO), ending=_ABANDONED), None, None),
    "approved": (_sent(P, P, ago=2 * _HOUR, approval=_APPROVAL), "due", -1),
    "approved, first wave sent": (_sent(A, P, ago=2 * _HOUR, approval=_APPROVAL), "to_judge", -1),
}


@pytest.mark.parametrize("case", _CASES)
def test_mailings_are_sorted(case: str, loaded: LoadedProject, tmp_path: Path) -> None:
    """Mailings are grouped by what they need now; one that needs a user is not waited for."""
    entry, group, hours = _CASES[case]
    (mailing,) = loaded.project.mailings
    entry = replace(entry, content_digest=hash_content(mailing, compile_mailing(mailing)))
    lock, request = Lock("shop", mailings={"sale/vip": entry}), _request(loaded, tmp_path)
    found = sort_mailings(request, loaded, lock, _NOW)
    named = {name for name in found.__dataclass_fields__ if getattr(found, name)}
    assert named == ({group} if group else set())
    assert found.is_empty == (group is None)
    opening = next_opening(request, lock, _NOW, loaded.project.by_address)
    assert opening == (None if hours is None else _NOW + hours * _HOUR)


def test_due_mailings_belong_to_their_plan(loaded: LoadedProject, tmp_path: Path) -> None:
    """A due mailing belongs to the plan that approved it or, without an approval, that sent its first wave."""
    lock = Lock("shop", mailings={"sale/vip": _with_verdict(_GO)})
    assert sort_mailings(_request(loaded, tmp_path), loaded, lock, _NOW).due == {"plan1": ["sale/vip"]}
    approved = replace(_with_verdict(_GO), approval=_APPROVAL)
    lock = Lock("shop", mailings={"sale/vip": approved})
    assert sort_mailings(_request(loaded, tmp_path), loaded, lock, _NOW).due == {"plan0": ["sale/vip"]}


def test_mailing_out_of_the_files_is_not_continued(loaded: LoadedProject, tmp_path: Path) -> None:
    """A mailing missing from the files is reported, but not if it is cancelled there or outside the selection."""
    lock = Lock("shop", mailings={"sale/gone": _with_verdict(_GO)})
    found = sort_mailings(_request(loaded, tmp_path), loaded, lock, _NOW)
    assert (found.cut_off, found.due, found.to_judge) == (["sale/gone"], {}, [])
    unread = loaded._replace(is_whole=False)
    found = sort_mailings(_request(unread, tmp_path), unread, lock, _NOW)
    assert (found.cut_off, found.unreadable) == ([], ["sale/gone"])
    assert next_opening(_request(loaded, tmp_path), lock, _NOW, loaded.project.by_address) is None
    (campaign,) = loaded.project.campaigns
    (mailing,) = campaign.mailings
    cancelled = campaign._replace(mailings=(mailing._replace(cancelled="wrong price"),))
    other = loaded._replace(project=loaded.project._replace(campaigns=(cancelled,)))
    lock = Lock("shop", mailings={"sale/vip": _with_verdict(_GO)})
    assert sort_mailings(_request(other, tmp_path), other, lock, _NOW).is_empty
    assert approved_mailings(_request(loaded, tmp_path, "other/*"), lock) == {}


@pytest.mark.parametrize(("states", "group"), [((P, U), "cut_off"), ((P, A), None), ((P, P), "removed")])
def test_approved_mailing_out_of_the_files(
    states: tuple[ChunkState, ...], group: str | None, loaded: LoadedProject, tmp_path: Path
) -> None:
    """An approved mailing missing from the files is withdrawn if it is unsent, and looked for if that is not known."""
    entry = _sent(*states, ago=_HOUR, approval=_APPROVAL)
    lock = Lock("shop", mailings={"sale/gone": entry})
    found = sort_mailings(_request(loaded, tmp_path), loaded, lock, _NOW)
    named = {name for name in found.__dataclass_fields__ if getattr(found, name)}
    assert named == ({group} if group else set())


def test_mailing_of_another_revision_is_not_judged(loaded: LoadedProject, tmp_path: Path) -> None:
    """Waves are not judged if the files have another revision, whose percentages were not approved for this one."""
    (mailing,) = loaded.project.mailings
    digest = hash_content(mailing, compile_mailing(mailing))
    lock = Lock("shop", mailings={"sale/vip": _sent(A, P, ago=2 * _HOUR, content_digest=digest, revision=2)})
    found = sort_mailings(_request(loaded, tmp_path), loaded, lock, _NOW)
    assert (found.to_judge, found.due) == ([], {"plan1": ["sale/vip"]})


def test_changed_mailing_is_not_judged(loaded: LoadedProject, tmp_path: Path) -> None:
    """Waves of a changed mailing are not judged: a verdict stays, so it must follow from the approved percentages."""
    lock = Lock("shop", mailings={"sale/vip": _sent(A, P, ago=2 * _HOUR)})
    found = sort_mailings(_request(loaded, tmp_path), loaded, lock, _NOW)
    assert (found.to_judge, found.due) == ([], {"plan1": ["sale/vip"]})
