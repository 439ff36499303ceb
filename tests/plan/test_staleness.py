"""Staleness: whether a reviewed plan can still be applied, and what may change."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import PlanRefused
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind, Resolution
from smsby_deploy.lock.records import AppliedBy, Apply, ChunkState, Entry, Lock, NamedId
from smsby_deploy.lock.serialization import read_lock, write_lock
from smsby_deploy.plan import staleness
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.diff import make_orphans
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.plan.model import Action, ActionKind, LockStamp, Plan, ReasonCode
from smsby_deploy.plan.staleness import (
    PlanProgress,
    find_outdated,
    find_staleness,
    finished_queries,
    hash_inputs,
    read_progress,
    reviewed_addresses,
    stamp_entries,
)
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.phone_set import PhoneSet
from tests.lock.examples import entry as lock_entry
from tests.output import examples

_SEND = examples.action("sale/vip", ActionKind.CREATE)


def _plan(*actions: Action, **changes: Any) -> Plan:
    return replace(examples.plan(*actions), **changes)


def _now(code: ReasonCode | None, kind: ActionKind = ActionKind.BLOCKED, **changes: Any) -> Plan:
    return _plan(replace(_SEND, action=kind, reason_code=code, reason="why", **changes))


def test_unchanged_plan_is_not_stale() -> None:
    """A plan that would be made the same again is not stale."""
    assert find_staleness(_plan(_SEND), _plan(_SEND)) is None


@pytest.mark.parametrize(
    ("then", "now", "why"),
    [
        ({}, {"project": "other"}, "a plan of the project shop"),
        ({}, {"environment": "staging"}, "for the environment production, not for staging"),
        ({}, {"digest_key": "1" * 16}, "SMSBY_DIGEST_KEY"),
        ({"digest_key": "1" * 16}, {}, "SMSBY_DIGEST_KEY"),
        ({}, {"account": "1" * 12}, "SMSBY_TOKEN"),
        ({"lock": LockStamp(1, "a", {})}, {"lock": LockStamp(1, "b", {})}, "another lock"),
        ({"lock": LockStamp(1, "a", {"sale/vip": "1"})}, {"lock": LockStamp(2, "a", {"sale/vip": "2"})}, "newer state"),
        ({}, {"lock": LockStamp(3, "lineage", {"sale/vip": "2"})}, "newer state of sale/vip"),
        ({"inputs": {"a.csv": "1"}}, {"inputs": {"a.csv": "2"}}, "a.csv has changed"),
        ({"inputs": {"a.csv": "1"}}, {}, "a.csv has changed"),
    ],
)  # fmt: skip
def test_find_outdated_names_what_changed(then: dict[str, Any], now: dict[str, Any], why: str) -> None:
    """Project, account, lock and inputs are compared without asking sms.by."""
    assert why in (find_outdated(_plan(_SEND, **then), _plan(_SEND, **now)) or "")


def test_find_outdated_allows_what_may_change() -> None:
    """A new lock file, and inputs that the present plan exempts, do not make a plan stale."""
    reviewed = _plan(_SEND, lock=LockStamp(0, None, {}), inputs={"out.csv": "1"})
    now = _plan(_SEND, lock=LockStamp(4, "a", {}), inputs={"out.csv": "2"}, exempt=frozenset({"out.csv"}))
    assert find_outdated(reviewed, now) is None
    same = {"lock": LockStamp(1, "a", {"sale/vip": "1"}), "inputs": {"a.csv": "1"}}
    assert find_outdated(_plan(_SEND, **same), _plan(_SEND, **same)) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"digest": "e" * 64}, "content, recipients, sender or time"),
        ({"alphaname_id": 7}, "its sender was MyShop (id 1363), now it is MyShop (id 7)"),
        ({"alphaname_id": None}, "its sender was MyShop (id 1363), now it is MyShop (id unknown)"),
        ({"alphaname": "Kvetka", "alphaname_id": 7}, "content, recipients, sender or time"),
        ({"schedule_time": None}, "content, recipients, sender or time"),
        ({"chunks": ()}, "content, recipients, sender or time"),
        ({"recipients": 13}, "more recipients or cost more"),
        ({"cost": Decimal("0.521")}, "more recipients or cost more"),
        ({"action": ActionKind.NOOP}, "it was create, now it is noop"),
    ],
)
def test_changed_action_makes_a_plan_stale(change: dict[str, Any], why: str) -> None:
    """Every reviewed value is compared, and the reason names the mailing."""
    stale = find_staleness(_plan(_SEND), _plan(replace(_SEND, **change)))
    assert stale is not None
    assert stale.startswith("sale/vip: ")
    assert why in stale


@pytest.mark.parametrize(
    ("contact_list", "why"),
    [
        (NamedId("Newsletter", 77), "was Newsletter (id 34), now it is Newsletter (id 77)"),
        (NamedId("Newsletter", None), "now it is Newsletter (id unknown)"),
        (NamedId("Letters", 34), "now it is Letters (id 34)"),
        (None, "now it is none"),
    ],
)
def test_another_list_makes_a_plan_stale(contact_list: NamedId | None, why: str) -> None:
    """Another list, by name or id, makes a plan stale."""
    reviewed = replace(_SEND, contact_list=NamedId("Newsletter", 34))
    now = replace(_SEND, contact_list=contact_list)
    stale = find_staleness(_plan(reviewed), _plan(now))
    assert stale is not None and why in stale
    assert find_staleness(_plan(reviewed), _plan(reviewed)) is None
    assert find_staleness(_plan(_SEND), _plan(now)) is None  # it had none yet
    done = [replace(one, action=ActionKind.NOOP) for one in (reviewed, now)]
    assert find_staleness(_plan(done[0]), _plan(done[1])) is None


@pytest.mark.parametrize("first", ["query of a finished mailing", "settled", "orphan"])
def test_each_mailing_of_a_plan_is_compared(first: str) -> None:
    """Mailings after one that may differ are compared as well."""
    then, now = replace(_SEND, address="sale/zoo"), replace(_SEND, address="sale/zoo", digest="e" * 64)
    if first == "orphan":
        recorded = {"sale/old": lock_entry(ChunkState.ACCEPTED)}
        orphans = make_orphans(("sale/old",), recorded)
        reviewed, current = (_plan(one, orphans=orphans) for one in (then, now))
        reviewed = reviewed.with_actions([*orphans.actions, then])
    else:
        kind = ActionKind.CREATE if first == "settled" else ActionKind.NOOP
        reviewed = _plan(replace(_SEND, action=kind), then)
        current = _plan(replace(_SEND, action=kind, digest="e" * 64), now, exempt=frozenset({"sql:sale/vip"}))
    progress = PlanProgress(settled=frozenset({"sale/vip"} if first == "settled" else ()))
    assert (find_staleness(reviewed, current, progress) or "").startswith("sale/zoo: its content")


def test_query_of_an_unfinished_mailing_may_not_change() -> None:
    """A changed query result makes the plan stale while its mailing is unfinished, even if it is exempt now."""
    current = _plan(replace(_SEND, digest="e" * 64), exempt=frozenset({"sql:sale/vip"}))
    assert find_staleness(_plan(_SEND), current) is not None
    actions = [_SEND, replace(_SEND, address="sale/done", action=ActionKind.NOOP)]
    assert finished_queries(actions, ["sql:sale/vip", "sql:sale/done"]) == {"sql:sale/done"}
    assert not finished_queries(actions, ["sql:sale/vip"])


@pytest.mark.parametrize("what", ["opted_out", "left_out"])
def test_opt_out_taken_back_after_the_review(what: str) -> None:
    """A withdrawn opt-out makes a plan stale even if another recipient opted out, unless its mailing is finished."""
    first, rest = _SEND.chunks
    then, now = (replace(_SEND, chunks=(first._replace(**{what: place}), rest)) for place in ("3", "4"))
    assert "1 of its recipients had opted out" in (find_staleness(_plan(then), _plan(now)) or "")
    assert find_staleness(_plan(_SEND), _plan(now)) is None
    done = PlanProgress(changed=frozenset({"sale/vip"}))
    assert find_staleness(_plan(then), _plan(replace(now, action=ActionKind.NOOP)), done) is None


@pytest.mark.parametrize(
    ("then", "now", "is_stale"),
    [
        (ActionKind.HOLD, ActionKind.CREATE, False),
        (ActionKind.HOLD, ActionKind.UPLOAD, False),
        (ActionKind.WAITING, ActionKind.DUE, False),
        (ActionKind.CREATE, ActionKind.HOLD, True),
        (ActionKind.DUE, ActionKind.CREATE, True),
    ],
)
def test_window_that_opens_makes_no_plan_stale(then: ActionKind, now: ActionKind, is_stale: bool) -> None:
    """A mailing that was to wait is sent at once if its window has opened since the review."""
    stale = find_staleness(_plan(replace(_SEND, action=then)), _plan(replace(_SEND, action=now)))
    assert (stale is not None) is is_stale


def test_missing_mailing_makes_a_plan_stale() -> None:
    """A reviewed mailing that no longer exists makes the plan stale."""
    assert find_staleness(_plan(_SEND), _plan()) == "sale/vip: it is no longer in the files"


def test_fewer_recipients_do_not_make_a_plan_stale() -> None:
    """Late opt-outs, which only lower recipients and cost, do not make a plan stale."""
    assert find_staleness(_plan(_SEND), _plan(replace(_SEND, recipients=11, cost=Decimal("0.5")))) is None


@pytest.mark.parametrize(
    ("then", "code", "is_stale"),
    [
        (ActionKind.CREATE, ReasonCode.EXPIRED, False),
        (ActionKind.CREATE, ReasonCode.GUARDRAIL, False),
        (ActionKind.CREATE, ReasonCode.CHANGED, True),
        (ActionKind.CREATE, ReasonCode.COLLISION, True),
        (ActionKind.CREATE, ReasonCode.UNKNOWN, True),
        (ActionKind.CONFIRM, ReasonCode.CHANGED, False),  # recipients opted out after its draft was made
        (ActionKind.NOOP, ReasonCode.EXPIRED, True),
        (ActionKind.BLOCKED, ReasonCode.COLLISION, False),
    ],
)
def test_blocked_mailing_is_judged_by_its_code(then: ActionKind, code: ReasonCode, is_stale: bool) -> None:
    """A mailing blocked for the hour of the day does not make the plan stale."""
    reviewed = _plan(replace(_SEND, action=then))
    assert (find_staleness(reviewed, _now(code)) is not None) == is_stale


def test_what_was_blocked_is_judged_now() -> None:
    """A mailing that is no longer blocked does not make a plan stale, but another content does."""
    blocked = replace(_SEND, action=ActionKind.BLOCKED, reason_code=ReasonCode.GUARDRAIL)
    assert find_staleness(_plan(blocked), _plan(_SEND)) is None
    assert find_staleness(_plan(blocked), _plan(replace(_SEND, digest="e" * 64))) is not None


def test_outdated_draft_is_stale_once_its_content_changed() -> None:
    """An outdated draft does not excuse a changed content digest: the plan is stale."""
    reviewed = _plan(replace(_SEND, action=ActionKind.CONFIRM))
    assert find_staleness(reviewed, _now(ReasonCode.CHANGED, digest="e" * 64)) is not None


def test_reason_code_is_not_compared() -> None:
    """A plan without reason codes is not stale because of that."""
    blocked = replace(_SEND, action=ActionKind.BLOCKED)
    now = _plan(replace(blocked, reason_code=ReasonCode.COLLISION))
    assert find_staleness(_plan(blocked), now) is None


def test_query_of_a_finished_mailing_may_change() -> None:
    """A changed query result of a finished mailing does not make the plan stale."""
    done = replace(_SEND, action=ActionKind.NOOP)
    now = _plan(replace(done, digest="e" * 64), exempt=frozenset({"sql:sale/vip"}))
    assert find_staleness(_plan(done), now) is None


@pytest.mark.parametrize(
    ("plan", "addresses", "why"),
    [
        (_plan(_SEND, problems=(Problem(Severity.ERROR, "PHONE", "bad"),)), ["sale/vip"], "has errors"),
        (_plan(_SEND), [], "sale/vip is neither in the files nor in the lock"),
    ],
)
def test_reviewed_addresses_refuses(plan: Plan, addresses: list[str], why: str) -> None:
    """A plan with errors, or of a mailing that no longer exists, is refused."""
    with pytest.raises(PlanRefused, match=why):
        reviewed_addresses(plan, _loaded(addresses), Lock("shop"))


_RUN = Apply("7f3c9a", "2026-11-24T07:00:00+00:00", None, "x")
_MINE = AppliedBy("2026-11-24T07:00:00+00:00", "7f3c9a", None, "x")
_APPROVAL = Approval(
    "2026-11-24T07:00:00+00:00", "7f3c9a", None, "2026-11-25T07:00:00Z", "2026-11-25T08:00:00Z"
)
_ENDING = Ending(EndingKind.WITHDRAWN, "2026-11-24T07:00:00+00:00", "anna", "")
_DONE = replace(lock_entry(ChunkState.ACCEPTED), applied=_MINE)
_PART = replace(lock_entry(ChunkState.ACCEPTED, ChunkState.PENDING), applied=_MINE)


def _progress(*entries: Entry | None, action: Action = _SEND, **changes: Any) -> PlanProgress:
    """Return the progress of a plan of sale/0, sale/1, … with a lock that has these entries."""
    addresses = [f"sale/{number}" for number in range(len(entries))]
    mailings = {a: entry for a, entry in zip(addresses, entries, strict=True) if entry is not None}
    lock = Lock("shop", mailings=mailings, **{"applies": (_RUN,), **changes})
    return read_progress(_plan(*(replace(action, address=address) for address in addresses)), lock)


@pytest.mark.parametrize(
    ("entry", "is_settled"),
    [
        (_DONE, True),
        (_PART, False),
        (replace(_PART, ending=_ENDING), True),
        (replace(lock_entry(), applied=_MINE, approval=_APPROVAL), True),
        (replace(_PART, applied=replace(_MINE, plan="due"), approval=_APPROVAL), True),
        (replace(_PART, approval=replace(_APPROVAL, plan="other")), False),
        (replace(lock_entry(ChunkState.REJECTED), applied=_MINE), False),
        (replace(lock_entry(ChunkState.UNKNOWN), applied=_MINE), False),
        (None, False),
        (lock_entry(ChunkState.ACCEPTED), False),  # by another plan
    ],
)
def test_plan_is_used_once_all_of_it_is_settled(entry: Entry | None, is_settled: bool) -> None:
    """A plan is used up when it has sent, approved for later or ended all of its mailings, and no other plan did."""
    assert _progress(entry, _DONE).is_used == is_settled
    assert not _progress(entry, _DONE, applies=()).is_used
    assert ("sale/0" in _progress(entry, _DONE).settled) == is_settled


def test_plan_without_anything_to_apply_is_never_used() -> None:
    """Blocked mailings are not applied, unless they only lack a signature, so such a plan is never used up."""
    assert not _progress(_DONE, action=replace(_SEND, action=ActionKind.NOOP)).is_used
    blocked = replace(_SEND, action=ActionKind.BLOCKED, reason_code=ReasonCode.GUARDRAIL)
    assert not _progress(_DONE, action=blocked).is_used
    assert not _progress(None, action=replace(blocked, reason_code=ReasonCode.APPROVAL)).is_used
    assert _progress(_DONE, action=replace(blocked, reason_code=ReasonCode.APPROVAL)).is_used
    assert _progress(_DONE, action=replace(_SEND, action=ActionKind.ADOPT)).is_used


@pytest.mark.parametrize(
    ("at", "is_removed"), [("2026-11-24T11:00:00+03:00", True), ("2026-11-24T06:00:00Z", False)]
)
def test_mailing_removed_after_the_plan_was_applied(at: str, is_removed: bool) -> None:
    """A removed mailing that the plan may have sent is not sent again."""
    removal = Resolution("sale/0", "removed", at, "anna", "")
    progress = _progress(None, _DONE, resolutions=(removal,))
    assert progress.removed == ({"sale/0"} if is_removed else set())
    assert not _progress(_DONE, resolutions=(removal,)).removed


@pytest.mark.parametrize(
    ("kind", "is_stale"),
    [
        (ActionKind.RESUME, False),
        (ActionKind.CONFIRM, False),
        (ActionKind.NOOP, False),
        (ActionKind.BLOCKED, False),
        (ActionKind.ORPHAN, True),
    ],
)
def test_rest_of_a_plan_is_judged_now(kind: ActionKind, is_stale: bool) -> None:
    """Of a mailing that the plan began only the reviewed content is compared, and of a settled one nothing."""
    progress = PlanProgress(changed=frozenset({"sale/vip"}))
    lock = LockStamp(2, "lineage", {"sale/vip": "2"})
    now = _plan(replace(_SEND, action=kind), lock=lock)
    assert (find_staleness(_plan(_SEND), now, progress) is not None) == is_stale
    other = _plan(replace(_SEND, action=kind, digest="e" * 64), lock=lock)
    assert find_staleness(_plan(_SEND), other, progress) is not None
    more = _plan(replace(_SEND, action=kind, recipients=13), lock=lock)
    assert find_staleness(_plan(_SEND), more, progress) is not None
    assert find_staleness(_plan(_SEND), other, replace(progress, settled=progress.changed)) is None
    assert "newer state" in (find_staleness(_plan(_SEND), now) or "")


def test_reviewed_addresses_of_a_used_plan() -> None:
    """A plan that is used up has no addresses to apply."""
    lock = Lock("shop", mailings={"sale/vip": _DONE}, applies=(_RUN,))
    with pytest.raises(PlanRefused, match="already applied: everything in it is settled"):
        reviewed_addresses(_plan(_SEND), _loaded(["sale/vip"]), lock)


def test_stamp_entries_ignores_that_an_approval_has_lapsed() -> None:
    """`apply --due` may record that between a merge and its apply; any other ending is a newer state."""

    def stamp(entry: Entry) -> str:
        lock = Lock("shop", 1, "line", {"sale/0": entry})
        read = read_lock(write_lock(lock), "lock")
        (stamped,), again = (stamp_entries(one, {"sale/0", "sale/1"}).items() for one in (lock, read))
        assert (stamped[0], again) == ("sale/0", {stamped})
        return stamped[1]

    waiting = replace(lock_entry(), approval=_APPROVAL)
    assert stamp(replace(waiting, ending=replace(_ENDING, kind=EndingKind.LAPSED))) == stamp(waiting) != ""
    assert stamp(replace(waiting, ending=_ENDING)) != stamp(waiting)


def test_reviewed_addresses_of_a_removed_mailing() -> None:
    """A plan of a removed mailing is refused, with its address."""
    removal = Resolution("sale/vip", "removed", "2026-11-24T08:00:00Z", "anna", "")
    lock = Lock("shop", applies=(_RUN,), resolutions=(removal,))
    with pytest.raises(PlanRefused, match="sale/vip was removed from the lock after this plan was applied"):
        reviewed_addresses(_plan(_SEND), _loaded(["sale/vip"]), lock)


def test_reviewed_addresses_are_those_of_the_plan() -> None:
    """Mailings outside the plan are not applied by it."""
    assert reviewed_addresses(_plan(_SEND), _loaded(["sale/vip", "sale/more"]), Lock("shop")) == ("sale/vip",)


def _loaded(addresses: list[str]) -> Any:
    mailings = [SimpleNamespace(address=address) for address in addresses]
    return SimpleNamespace(project=SimpleNamespace(mailings=mailings))


_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: [{phone: "375291234567", n: Анна}]
    text: "TEXT{% include 'footer.j2' %}"
"""


def _desired(folder: Path, text: str, footer: str) -> tuple[Desired, dict[str, str]]:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (folder / "sale.yaml").write_text(_CAMPAIGN.replace("TEXT", text), "utf-8")
    (folder / "templates/footer.j2").write_text(footer, "utf-8")
    loaded = load_project(folder)
    assert not loaded.problems
    mailing = loaded.project.mailings[0]
    measured = measure_mailing(loaded.project, mailing, PhoneSet())
    assert not measured.problems
    return measured.desired, hash_inputs(loaded.project, [mailing])


@pytest.mark.parametrize("text", ["Hi", "Hi {{ n }}"])
def test_included_file_changes_content_and_inputs(tmp_path: Path, text: str) -> None:
    """A changed include changes digest, fingerprint and inputs, for bulk and personal texts."""
    before, inputs = _desired(tmp_path, text, " Stop: 1")
    after, inputs_after = _desired(tmp_path, text, " Stop: 2")
    assert before.content_digest != after.content_digest
    assert before.chunks[0].fingerprint != after.chunks[0].fingerprint
    changed = {name for name in inputs if inputs[name] != inputs_after[name]}
    assert changed == {"templates/footer.j2"}


@pytest.mark.parametrize("rows", [1, 100_000])
def test_hash_inputs_with_crlf(rows: int, tmp_path: Path) -> None:
    """A checkout with CRLF has the hashes of one with LF, and any other change has not."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    loaded = load_project(tmp_path)
    content = b"version: 1\nproject: shop\n" + b"# a comment of no use\n" * rows
    found = []
    for written in (
        content,
        content.replace(b"\n", b"\r\n"),
        content.replace(b"\n", b"\n\n"),
        content + b"\0",
    ):
        (tmp_path / "smsby.yaml").write_bytes(written)
        found.append(hash_inputs(loaded.project, [])["smsby.yaml"])
    assert found[0] == found[1]
    assert len({*found}) == 3


@pytest.mark.parametrize("size", [*range(1, 8), 1 << 20])
def test_hash_inputs_block_by_block(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line endings between two blocks are found, a lone CR is none, and a binary file is hashed unchanged."""
    monkeypatch.setattr(staleness, "_BLOCK", size)
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    loaded = load_project(tmp_path)

    def hash_of(content: bytes) -> str:
        (tmp_path / "smsby.yaml").write_bytes(content)
        return hash_inputs(loaded.project, [])["smsby.yaml"]

    text = b"\r\n\r\n\rab\rc\r\nd\r\n"
    if size > 1:  # the first block decides what the file is
        assert hash_of(text) == hash_of(text.replace(b"\r\n", b"\n")) != hash_of(text.replace(b"\r", b""))
        assert hash_of(text + b"\r") != hash_of(text)
    binary = b"\0" + text
    assert hash_of(binary) != hash_of(binary.replace(b"\r\n", b"\n"))


def test_hash_inputs_leaves_out_a_file_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may not be read has no hash, and is a problem in the plan."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n")
    loaded = load_project(tmp_path)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert hash_inputs(loaded.project, []) == {}
