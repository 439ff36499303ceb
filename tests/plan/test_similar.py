"""similar: a renamed mailing is a collision and a copied one a warning, whatever the order of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.archive import append_archive
from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.entry_json import read_entry
from smsby_deploy.lock.records import AppliedBy, ChunkState, Entry, Lock, NamedId
from smsby_deploy.lock.serialization import read_lock, write_lock
from smsby_deploy.plan.desired import AudienceCounts, Desired
from smsby_deploy.plan.model import Action, ActionKind, Plan, ReasonCode
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.plan.similar import Other, Planned
from tests.plan.examples import FixedClock, plan_offline, recorded

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ROWS = ["375291234567,Anna,10", "375291234568,Boris,15", "375291234569,Vera,20"]
TEXT = "{{ name }}, {{ discount }}% off"
BULK = "Closed until noon"


def _plan(
    folder: Path,
    mailings: dict[str, tuple[Sequence[str], str]],
    lock: Lock | None = None,
    *,
    more: str = "",
    now: datetime = NOW,
    out: Sequence[str] = (),
) -> Plan:
    """Plan mailings of the campaign `sale`, each with its rows and its text."""
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [out.txt]\n", encoding="utf-8")
    (folder / "out.txt").write_text("\n".join(out or ["375447777777"]), encoding="utf-8")
    lines = ["version: 1", "campaign: sale", *more.splitlines(), "mailings:"]
    for name, (rows, text) in mailings.items():
        (folder / f"{name}.csv").write_text("\n".join(["phone,name,discount", *rows]), encoding="utf-8")
        lines.append(f"  - {{name: {name}, recipients: {{file: {name}.csv}}, text: '{text}'}}")
    (folder / "sale.yaml").write_text("\n".join(lines), encoding="utf-8")
    loaded = load_project(folder)
    assert not loaded.problems
    return plan_offline(loaded, lock, now)


def _action(plan: Plan, address: str) -> Action:
    (action,) = (one for one in plan.actions if one.address == address)
    return action


def _record(
    plan: Plan, state: ChunkState = ChunkState.ACCEPTED, *, is_old: bool = False, at: datetime = NOW
) -> Lock:
    """Return the lock after `plan` was applied; an old one has no digests of text and recipients."""
    entries = {
        action.address: replace(
            recorded(action, state),
            applied=AppliedBy(at.isoformat(), "p", None, "x"),
            text_digest=None if is_old else action.text_digest,
            recipients_digest=None if is_old else action.recipients_digest,
        )
        for action in plan.actions
    }
    return read_lock(write_lock(Lock("shop", mailings=entries)), "lock")


def _warnings(plan: Plan) -> list[tuple[str, str | None, str]]:
    codes = ("SAME_TEXT", "SAME_PEOPLE")
    return [(one.code, one.address, one.message) for one in plan.problems if one.code in codes]


@pytest.mark.parametrize("text", [TEXT, BULK], ids=["personal", "bulk"])
@pytest.mark.parametrize(
    ("rows", "more"),
    [
        (ROWS, ""),
        (ROWS[::-1], ""),
        ([row.replace("37529", "8 (029) ") for row in ROWS], ""),
        ([*ROWS, ROWS[0]], ""),
        ([f"{row}5" for row in ROWS], ""),
        (ROWS, "schedule_time: 2026-12-01T10:00:00"),
    ],
    ids=["same", "reordered", "respelled", "row-twice", "other-values", "other-time"],
)
def test_renamed_mailing_is_a_collision(text: str, rows: list[str], more: str, tmp_path: Path) -> None:
    """A mailing with the text, sender and recipients of a sent orphan is never created."""
    lock = _record(_plan(tmp_path, {"old": (ROWS, text)}))
    plan = _plan(tmp_path, {"new": (rows, text)}, lock, more=more)
    action = _action(plan, "sale/new")
    assert (action.action, action.reason_code) == (ActionKind.BLOCKED, ReasonCode.COLLISION)
    assert "`smsby-deploy lock move sale/old sale/new`" in action.reason
    assert "raise `revision` to 2" in action.reason
    assert not _warnings(plan)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (ChunkState.ACCEPTED, ActionKind.BLOCKED),
        (ChunkState.UNKNOWN, ActionKind.BLOCKED),
        (ChunkState.REJECTED, ActionKind.CREATE),
        (ChunkState.PENDING, ActionKind.CREATE),
        (ChunkState.SUPPRESSED, ActionKind.CREATE),
    ],
)
def test_renamed_mailing_that_was_not_sent(state: ChunkState, kind: ActionKind, tmp_path: Path) -> None:
    """An orphan is a collision only if it was sent or may have been."""
    lock = _record(_plan(tmp_path, {"old": (ROWS, BULK)}), state)
    plan = _plan(tmp_path, {"new": (ROWS[::-1], BULK)}, lock)
    assert _action(plan, "sale/new").action is kind
    assert not _warnings(plan)


def test_renamed_mailing_that_was_withdrawn(tmp_path: Path) -> None:
    """A withdrawn orphan reached no recipient, so its mailing may be sent under another name."""
    lock = _record(_plan(tmp_path, {"old": (ROWS, BULK)}))
    ending = Ending(EndingKind.WITHDRAWN, NOW.isoformat(), "anna", "")
    lock = lock.with_entry("sale/old", replace(lock.mailings["sale/old"], ending=ending))
    plan = _plan(tmp_path, {"new": (ROWS, BULK)}, lock)
    assert _action(plan, "sale/new").action is ActionKind.CREATE
    assert not _warnings(plan)


def test_renamed_mailing_with_an_unknown_outcome(tmp_path: Path) -> None:
    """While an orphan is unknown no revision is sent under a new name, and the reason does not call it sent."""
    lock = _record(_plan(tmp_path, {"old": (ROWS, BULK)}), ChunkState.UNKNOWN)
    action = _action(_plan(tmp_path, {"new": (ROWS, BULK)}, lock, more="revision: 2"), "sale/new")
    assert action.reason_code is ReasonCode.COLLISION
    assert "sale/old, with the same text and recipients, may have been sent;" in action.reason
    assert "`smsby-deploy lock resolve sale/old --sent` or `--not-sent`" in action.reason
    assert "raise" not in action.reason


@pytest.mark.parametrize(("now", "code"), [(NOW, "scheduled"), (NOW + timedelta(days=8), None)])
def test_renamed_mailing_that_is_scheduled(now: datetime, code: str | None, tmp_path: Path) -> None:
    """A renamed mailing is not sent beside its scheduled orphan; once that is gone, a raised revision is."""
    lock = _record(_plan(tmp_path, {"old": (ROWS, BULK)}, more="schedule_time: 2026-12-01T10:00:00"))
    action = _action(_plan(tmp_path, {"new": (ROWS, BULK)}, lock, more="revision: 2", now=now), "sale/new")
    assert action.reason_code == code
    again = _action(_plan(tmp_path, {"new": (ROWS, BULK)}, lock, now=now), "sale/new")
    assert again.reason_code is ReasonCode.COLLISION
    assert ("raise `revision` to 2" in again.reason) == (code is None)
    assert ("sale/old, with the same text and recipients, will be sent" in again.reason) == (code is not None)


def test_renamed_mailing_is_found_in_an_older_revision(tmp_path: Path) -> None:
    """An orphan's older revisions are compared, too; a higher revision is sent on purpose, with a warning."""
    old = _record(_plan(tmp_path, {"old": (ROWS, BULK)})).mailings["sale/old"]
    last = _record(_plan(tmp_path, {"old": (ROWS, TEXT)})).mailings["sale/old"]
    lock = Lock("shop", mailings={"sale/old": replace(last, revision=2, earlier=(old,))})
    assert _action(_plan(tmp_path, {"new": (ROWS, BULK)}, lock), "sale/new").action is ActionKind.BLOCKED
    again = _plan(tmp_path, {"new": (ROWS, BULK)}, lock, more="revision: 2")
    assert _action(again, "sale/new").action is ActionKind.CREATE
    assert [code for code, *_ in _warnings(again)] == ["SAME_TEXT"]


@pytest.mark.parametrize("is_moved", [False, True])
def test_older_lock_is_compared_by_what_it_has(is_moved: bool, tmp_path: Path) -> None:
    """With an older lock without digests, only the same rows are recognized, and nothing is guessed."""
    lock = _record(_plan(tmp_path, {"old": (ROWS, BULK)}), is_old=True)
    plan = _plan(tmp_path, {"new": (ROWS[::-1] if is_moved else ROWS, BULK)}, lock)
    if not is_moved:
        assert _action(plan, "sale/new").reason_code is ReasonCode.COLLISION
        return
    ((code, _, message),) = _warnings(plan)
    assert (code, _action(plan, "sale/new").action) == ("SAME_TEXT", ActionKind.CREATE)
    assert "it is unknown how many recipients are in both" in message


@pytest.mark.parametrize("is_old", [False, True])
def test_renamed_list_mailing_is_a_collision(is_old: bool, tmp_path: Path) -> None:
    """A list at sms.by with the same name has the same recipients."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", encoding="utf-8")

    def plan(name: str, ref: str, lock: Lock | None = None) -> Plan:
        text = f"version: 1\ncampaign: sale\nmailings:\n  - {{name: {name}, list: {ref}, text: News}}\n"
        (tmp_path / "sale.yaml").write_text(text, encoding="utf-8")
        loaded = load_project(tmp_path)
        known = lock or Lock("shop")
        clock = FixedClock(NOW)
        return make_plan(loaded, select=(), client=None, account=None, lock=known, clock=clock, new_id="p")

    lock = _record(plan("old", "All"), is_old=is_old)
    assert _action(plan("new", "All", lock), "sale/new").reason_code is ReasonCode.COLLISION
    other = plan("new", "Some", lock)
    assert _action(other, "sale/new").action is ActionKind.CREATE
    assert [code for code, *_ in _warnings(other)] == ([] if is_old else ["SAME_TEXT"])


def test_list_is_the_same_by_its_id() -> None:
    """Lists are compared by id if both are known, since names change."""
    desired = Desired("a/b", 1, "list", "c", "e", (), AudienceCounts(), None, 1, 0, 1, None)
    sender = NamedId("MyShop", 7)

    def is_same(then: NamedId, now: NamedId) -> bool:
        recipients = [f"list of {then.name}", f"list of {now.name}"]
        other = Other("a/c", 1, sender, then, "d", "e", "text", recipients[0], NOW, None)
        planned = Planned(desired._replace(text_digest="text", recipients_digest=recipients[1]), sender, now)
        return other.has_text_of(planned) and other.has_recipients_of(planned)

    assert is_same(NamedId("All", 77), NamedId("Everyone", 77))
    assert not is_same(NamedId("All", 77), NamedId("All", 78))
    assert is_same(NamedId("All", None), NamedId("All", 78))
    assert not is_same(NamedId("All", None), NamedId("Everyone", 78))


@pytest.mark.parametrize(
    ("rows", "text", "code", "common"),
    [
        (ROWS[::-1], TEXT, "SAME_TEXT", "3 recipients are in both"),
        (ROWS[:1], TEXT, "SAME_TEXT", "1 recipient is in both"),
        ([*ROWS[1:], "375291234570,Alla,1"], TEXT, "SAME_TEXT", "2 recipients are in both"),
        (["375291234570,Alla,1"], TEXT, "SAME_TEXT", "no recipient is in both"),
        (ROWS[::-1], TEXT + ".", "SAME_PEOPLE", "3 recipients are in both"),
        (ROWS[:1], TEXT + ".", None, ""),
    ],
)
def test_copied_mailing_is_a_warning(
    rows: list[str], text: str, code: str | None, common: str, tmp_path: Path
) -> None:
    """Each of two equal mailings in a plan has one warning, with the other's name and the number of shared recipients."""
    plan = _plan(tmp_path, {"one": (ROWS, TEXT), "two": (rows, text)})
    assert [action.action for action in plan.actions] == [ActionKind.CREATE] * 2
    found = _warnings(plan)
    assert [(one, address) for one, address, _ in found] == (
        [(code, "sale/one"), (code, "sale/two")] if code else []
    )
    for (_, _, message), other in zip(found, ("sale/two", "sale/one"), strict=False):
        assert f"as {other} (in this plan, sent on apply): {common};" in message


def test_copy_is_compared_with_what_is_sent(tmp_path: Path) -> None:
    """A copy's warning names a mailing that is sent, and a blocked one only if there is no other."""
    _plan(tmp_path, {"one": (ROWS, TEXT), "two": (ROWS, TEXT), "zwei": (ROWS, TEXT)})
    sale = tmp_path / "sale.yaml"
    sale.write_text(
        sale.read_text("utf-8").replace("name: one,", "name: one, schedule_time: 2026-01-01T10:00:00,")
    )
    plan = plan_offline(load_project(tmp_path), None, NOW)
    assert [action.action for action in plan.actions] == ["blocked", "create", "create"]
    others = [message.split()[6] for _, _, message in _warnings(plan)]
    assert others == ["sale/zwei", "sale/two"]


def test_copied_mailing_counts_without_opt_outs(tmp_path: Path) -> None:
    """Recipients who opted out are not counted as shared, since they get neither mailing."""
    mailings = {"one": (ROWS, TEXT), "two": (ROWS[:2], TEXT)}
    found = _warnings(_plan(tmp_path, mailings, out=["375291234567"]))
    assert all("1 recipient is in both" in message for _, _, message in found)


def test_other_sender_is_another_text(tmp_path: Path) -> None:
    """The same text from another sender counts only as a mailing to the same recipients."""
    lock = _record(_plan(tmp_path, {"old": (ROWS, TEXT)}))
    plan = _plan(tmp_path, {"new": (ROWS, TEXT)}, lock, more="alphaname: 7")
    assert [code for code, *_ in _warnings(plan)] == ["SAME_PEOPLE"]


@pytest.mark.parametrize(("days", "is_warned"), [(0, True), (89, True), (91, False)])
def test_recorded_mailing_is_compared_for_90_days(days: int, is_warned: bool, tmp_path: Path) -> None:
    """A recorded mailing that is still in the files is compared for 90 days, with its time and shared recipients."""
    mailings = {"old": (ROWS, TEXT)}
    lock = _record(_plan(tmp_path, mailings), at=NOW - timedelta(days=days))
    plan = _plan(tmp_path, {**mailings, "new": ([*ROWS[:2], "375291234570,Alla,1"], TEXT)}, lock)
    assert [action.action for action in plan.actions] == [ActionKind.NOOP, ActionKind.CREATE]
    found = _warnings(plan)
    assert len(found) == is_warned
    if is_warned:
        day = NOW - timedelta(days=days)
        text = f"same text and sender as sale/old (recorded on {day:%Y-%m-%d} 12:00 +03): 2 recipients are in both;"
        assert found[0][2].startswith(text)


def _archive(lock: Lock, folder: Path) -> Lock:
    """Return the lock after all its mailings were archived."""
    path = folder / "lock.archive.jsonl"
    return replace(
        lock, mailings={}, archive=path, archived=append_archive(lock, path, lock.mailings, NOW.isoformat())
    )


@pytest.mark.parametrize("days", [0, 400])
def test_renamed_archived_mailing_is_a_collision(days: int, tmp_path: Path) -> None:
    """An archived mailing under a new name is a collision for ever, and since it cannot be moved, has another way out."""
    lock = _archive(_record(_plan(tmp_path, {"old": (ROWS, TEXT)}), at=NOW - timedelta(days=days)), tmp_path)
    plan = _plan(tmp_path, {"new": (ROWS[::-1], TEXT)}, lock)
    (action,) = plan.actions
    assert (action.reason_code, plan.archived) == (ReasonCode.COLLISION, 1)
    assert action.reason == (
        "collision: sale/old, with the same text and recipients, was sent and is archived; remove it, or to send it again, "
        "raise `revision` to 2"
    )


@pytest.mark.parametrize(("days", "is_warned"), [(89, True), (91, False)])
def test_archived_mailing_is_compared_for_90_days(days: int, is_warned: bool, tmp_path: Path) -> None:
    """An archived mailing is compared for 90 days, as one in the lock is."""
    lock = _archive(_record(_plan(tmp_path, {"old": (ROWS, TEXT)}), at=NOW - timedelta(days=days)), tmp_path)
    plan = _plan(tmp_path, {"new": (ROWS, "Other")}, lock)
    assert [code for code, *_ in _warnings(plan)] == ["SAME_PEOPLE"] * is_warned


def test_archived_mailing_in_the_files_is_a_noop(tmp_path: Path) -> None:
    """An archived mailing in the files is a noop; a changed one is blocked, and a raised one is sent again with a note."""
    mailings = {"old": (ROWS, TEXT)}
    lock = _archive(_record(_plan(tmp_path, mailings)), tmp_path)
    plan = _plan(tmp_path, mailings, lock)
    assert [(one.action, one.reason) for one in plan.actions] == [
        (ActionKind.NOOP, "archived: sent, unchanged")
    ]
    assert plan.lock.entries.keys() == {"sale/old"}
    (changed,) = _plan(tmp_path, {"old": (ROWS, f"{TEXT}!")}, lock).actions
    assert changed.reason_code is ReasonCode.CHANGED
    raised = _plan(tmp_path, mailings, lock, more="revision: 2")
    assert raised.actions[0].action is ActionKind.CREATE
    assert "SENT_AGAIN" in {one.code for one in raised.problems}


@pytest.mark.parametrize("is_archived", [False, True])
def test_plan_reads_only_recorded_mailings_that_resemble_one(
    is_archived: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a thousand recorded or archived mailings, only those that resemble one in the files are decoded."""
    (like,) = _record(_plan(tmp_path, {"old": (ROWS, TEXT)})).mailings.values()
    names = ("content_digest", "audience_digest", "text_digest", "recipients_digest")
    others = {
        f"gone/m{number}": replace(
            like, **{name: sha256(f"{name}{number}".encode()).hexdigest() for name in names}
        )
        for number in range(999)
    }
    lock = read_lock(write_lock(Lock("shop", mailings={**others, "gone/same": like})), "lock")
    lock = _archive(lock, tmp_path) if is_archived else lock
    decoded: list[Entry] = []

    def count(document: dict[str, Any]) -> Entry:
        decoded.append(read_entry(document))
        return decoded[-1]

    monkeypatch.setattr("smsby_deploy.lock.stored_mailings.read_entry", count)
    monkeypatch.setattr("smsby_deploy.lock.archive.read_entry", count)
    plan = _plan(tmp_path, {"new": (ROWS, TEXT)}, lock)
    (action,) = plan.decided
    assert action.reason_code is ReasonCode.COLLISION
    assert (plan.counts[ActionKind.ORPHAN], plan.archived) == ((0, 1000) if is_archived else (1000, 0))
    assert decoded == [like]
    assert len(plan.actions) == len(list(plan.actions)) == (1 if is_archived else 1001)


def test_own_texts_are_compared_in_any_order(tmp_path: Path) -> None:
    """Without a template, the recipients' own texts are compared, in any order."""
    folder = tmp_path
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n", encoding="utf-8")

    def digests(*rows: str) -> tuple[str | None, str | None]:
        (folder / "list.csv").write_text("\n".join(["phone,text", *rows]), encoding="utf-8")
        (folder / "sale.yaml").write_text(
            "version: 1\ncampaign: sale\nmailings:\n  - {name: a, recipients: {file: list.csv}}\n"
        )
        loaded, clock = load_project(folder), FixedClock(NOW)
        plan = make_plan(
            loaded, select=(), client=None, account=None, lock=Lock("shop"), clock=clock, new_id="p"
        )
        (action,) = plan.actions
        return action.text_digest, action.recipients_digest

    one, two, other = "375291234567,Hi", "375291234568,Ho", "375291234568,Hm"
    assert digests(one, two) == digests(two, one)
    assert digests(one, two)[0] != digests(one, other)[0]
    assert digests(one, two)[1] == digests(one, other)[1]


def test_many_mailings_with_one_text_have_one_warning_each(tmp_path: Path) -> None:
    """However many mailings have the same text, each has one warning."""
    plan = _plan(tmp_path, {f"m{n}": (ROWS, TEXT) for n in range(120)})
    assert sorted(address or "" for _, address, _ in _warnings(plan)) == sorted(
        one.address for one in plan.actions
    )
