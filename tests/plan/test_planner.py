"""Plans of whole projects: what blocks a mailing, which files and chunks are read, what is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import FilesInvalid, Refused
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.serialization import write_lock
from smsby_deploy.plan.model import ActionKind, Plan, ReasonCode
from smsby_deploy.plan.plan_result import Verdict, review_plan
from smsby_deploy.plan.planner import make_plan, measure_files
from smsby_deploy.smsby.send_client import SendClient
from tests.apply.fake_smsby import EMPTY_LIST, FakeTransport, ok
from tests.plan.examples import CAMPAIGN, NOON, FixedClock, make_example_plan, plan_offline, recorded


@pytest.mark.parametrize(
    ("guardrails", "blocked"),
    [
        ("{max_recipients: 1}", {"sale/vip": "max_recipients: 2 recipients"}),
        ("{expect_recipients: {min: 2}}", {"sale/staff": "expect_recipients: 1 recipient,"}),
        ("{forbidden_words: [test]}", {"sale/vip": "forbidden_words: `test` occurs in 1 text"}),
        ("{required_words: ['[a-z]+ hello']}", {"sale/staff": "required_words: `[a-z]+ hello` is missing from 1 text"}),
        ("{allowed_alphanames: [0]}", {}),
        ("{budget: 3}", {}),
        ("{budget: 2.99}", {"sale/vip": "budget: 3.00 planned", "sale/staff": "budget: 3.00 planned"}),
        ("{blackout: ['2026-11-24']}", {"sale/vip": "blackout: it would", "sale/staff": "blackout: it would"}),
        ("{quiet_hours: {from: '12:00', to: '12:01'}}", {"sale/vip": "quiet_hours: ", "sale/staff": "quiet_hours: "}),
    ],
)  # fmt: skip
def test_planner_blocks_for_guardrails(guardrails: str, blocked: dict[str, str], tmp_path: Path) -> None:
    """A mailing that violates a guardrail is blocked and names it, and the others are sent."""
    plan = make_example_plan(tmp_path, guardrails)
    assert {action.address for action in plan.blocked} == set(blocked)
    for action in plan.blocked:
        assert action.reason_code is ReasonCode.GUARDRAIL
        assert action.reason.startswith(f"guardrail: {blocked[action.address]}")


@pytest.mark.parametrize(
    "sent_as", ["", "upload: true\n    ", "list: Newsletter\n    "], ids=["bulk", "upload", "list"]
)
def test_planner_checks_words_however_a_text_is_sent(sent_as: str, tmp_path: Path) -> None:
    """A forbidden word blocks a mailing whose recipients are uploaded as a list, like any other."""
    campaign = (
        "version: 1\ncampaign: sale\nmailings:\n"
        f"  - name: vip\n    {sent_as}{'' if 'list' in sent_as else 'recipients: [375291111111]'}\n    text: Lorem\n"
    )
    plan = make_example_plan(tmp_path, "{forbidden_words: [lorem]}", campaign)
    (action,) = plan.blocked
    assert action.reason == "guardrail: forbidden_words: `lorem` occurs in 1 text, the limit is 0"


def test_measured_files_are_hashed_once(tmp_path: Path) -> None:
    """Plans with and without sms.by have the inputs that were measured, even if one changes in between."""
    make_example_plan(tmp_path, "{}")
    files = measure_files(load_project(tmp_path), select=(), lock=Lock("shop"), now=NOON)
    first = files.plan(client=None, account=None, now=NOON, new_id="p")
    (tmp_path / "sale.yaml").write_text("changed", encoding="utf-8")
    assert files.plan(client=None, account=None, now=NOON, new_id="p").inputs == first.inputs
    assert set(first.inputs) == {"smsby.yaml", "sale.yaml"}


def test_planner_blocks_everything_when_frozen(tmp_path: Path) -> None:
    """A freeze takes precedence over guardrails, but not over an expired mailing."""
    timed = CAMPAIGN.replace("  - name: vip", "  - name: vip\n    schedule_time: 2026-11-24T11:45:00")
    plan = make_example_plan(tmp_path, "{max_recipients: 1}\nfreeze: wrong price", timed)
    codes = {action.address: action.reason_code for action in plan.blocked}
    assert codes == {"sale/vip": ReasonCode.EXPIRED, "sale/staff": ReasonCode.FROZEN}
    assert plan.blocked[1].reason == "frozen: wrong price (`freeze` in smsby.yaml)"


def test_planner_blocks_expired_unless_max_late(tmp_path: Path) -> None:
    """A mailing whose time has passed is blocked; within max_late it is sent, with a warning."""
    timed = CAMPAIGN.replace("campaign: sale", "campaign: sale\nschedule_time: 2026-11-24T11:45:00")
    assert [action.reason_code for action in make_example_plan(tmp_path, "{}", timed).blocked] == [
        "expired"
    ] * 2
    late = timed.replace("mailings:", "max_late: 20m\nmailings:")
    plan = make_example_plan(tmp_path, "{}", late)
    assert not plan.blocked
    late_ones = [p for p in plan.problems if p.code != "OVERLAP"]
    assert {(p.code, p.location.line) for p in late_ones} == {("LATE", 3)}
    assert "15 min ago" in late_ones[0].message
    assert len(make_example_plan(tmp_path, "{}", late, at=NOON + timedelta(minutes=5)).blocked) == 2


def test_overdue_mailing_fails_no_plan_of_others(tmp_path: Path) -> None:
    """An overdue mailing is blocked with a warning at its time, and fails only a plan without other mailings."""
    timed = CAMPAIGN.replace("  - name: staff\n", "  - name: staff\n    schedule_time: 2026-11-24T11:45:00\n")
    plan = make_example_plan(tmp_path, "{}", timed)
    assert [(action.address, action.reason_code) for action in plan.blocked] == [("sale/staff", "expired")]
    assert [(p.severity, p.code, p.location.line) for p in plan.problems if p.location] == [
        ("warning", "EXPIRED", 8)
    ]
    result = review_plan(plan, load_project(tmp_path).project)
    assert (result.exit_code(), result.verdict) == (ExitCode.DONE, Verdict.READY)
    assert not [p for p in result.find_problems(load_project(tmp_path).project) if p.code == "BLOCKED"]
    alone = replace(result, plan=plan.with_actions(plan.blocked))
    assert (alone.exit_code(), alone.verdict) == (ExitCode.REFUSED, Verdict.BLOCKED)


_SENT = (ChunkRecord("0123456789", 1, "d", ChunkState.ACCEPTED),)
ENTRY = Entry(
    1,
    "c",
    "a",
    "bulk",
    "0",
    0,
    None,
    1,
    1,
    None,
    _SENT,
    AppliedBy("2026-11-01T09:00:00+00:00", "p", None, "x"),
)


def _count_reads(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[None]:
    """Return a list that grows whenever the property `name` of `owner` is read."""
    reads: list[None] = []
    original = getattr(owner, name)

    def read(self: Any) -> Any:
        reads.append(None)
        return original.fget(self)

    monkeypatch.setattr(owner, name, property(read))
    return reads


def test_planner_work_grows_with_its_mailings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many new and recorded mailings take about ten times the work."""
    addresses = _count_reads(monkeypatch, Mailing, "address")
    entries = _count_reads(monkeypatch, Entry, "may_have_reached")
    counts = []
    for size in (10, 100):
        mailings = "".join(
            f'  - {{name: m{number}, recipients: ["37529{number:07d}"], text: hello}}\n'
            for number in range(size)
        )
        lock = Lock("shop", mailings={f"gone/m{number}": ENTRY for number in range(size)})
        folder = tmp_path / str(size)
        folder.mkdir()
        plan = make_example_plan(folder, "{}", f"version: 1\ncampaign: sale\nmailings:\n{mailings}", lock)
        assert sum(action.action is ActionKind.CREATE for action in plan.actions) == size
        counts.append((len(addresses), len(entries)))
        addresses.clear()
        entries.clear()
    (few_addresses, few_entries), (many_addresses, many_entries) = counts
    assert many_addresses <= 12 * few_addresses
    assert many_entries <= 12 * few_entries


# --- with sms.by -----------------------------------------------------------------------------------------------------

_VIP = "version: 1\ncampaign: sale\nmailings:\n  - {name: vip, recipients: ['375291234567'], text: hello}\n"
_INVALID = f"{_VIP}  - {{name: staff, recipients: ['12'], text: hi}}\n"
_HERE = Binding("production", "https://app.sms.by", "0123456789ab")


def _plan(
    folder: Path,
    *listed: str,
    project: str = "",
    campaign: str = _VIP,
    environment: str = "production",
    lock: Lock | None = None,
    here: Binding | None = None,
    senders: tuple[str, ...] = ("MyShop",),
) -> Plan:
    """Plan against an account that lists mailings with these names, and has these senders."""
    (folder / "smsby.yaml").write_text(f"version: 1\n{project or 'project: shop'}\n", encoding="utf-8")
    (folder / "sale.yaml").write_text(campaign, encoding="utf-8")
    sms_by = FakeTransport(FixedClock())
    rows = [{"id": number, "name": name, "status": "NEW"} for number, name in enumerate(listed, 1)]
    sms_by.script("getSMSMessages", ok(rows) if rows else EMPTY_LIST)
    sms_by.script("getAlphanames", ok({str(number): name for number, name in enumerate(senders, 7)}))
    return make_plan(
        load_project(folder, {}, environment),
        select=(),
        client=SendClient(sms_by),
        account="a",
        lock=lock or Lock("shop"),
        clock=FixedClock(),
        new_id="p",
        here=here,
    )


def _sent(
    folder: Path,
    name: str = "vip",
    state: ChunkState = ChunkState.ACCEPTED,
    campaign: str = _VIP,
    **changes: Any,
) -> Lock:
    """Return a lock with the only mailing under this name, accepted an hour ago."""
    (action,) = _plan(folder, campaign=campaign.replace("vip", name)).actions
    entry = recorded(action, state)
    (chunk,) = entry.chunks
    at = (NOON - timedelta(hours=1)).isoformat()
    entry = replace(entry, chunks=(replace(chunk, accepted_at=at),))
    return Lock("shop", 1, "line", {action.address: entry}, **changes)


def _decided(plan: Plan) -> list[tuple[str, str, str | None]]:
    return [(one.address, one.action.value, one.reason_code) for one in plan.actions]


def test_only_a_sandbox_starts_anew(tmp_path: Path) -> None:
    """If the list has no recorded mailing, a sandbox has forgotten them; elsewhere sends are blocked."""
    lock = _sent(tmp_path)
    both = f"{_VIP}  - {{name: staff, recipients: ['375297654321'], text: hi}}\n"
    anew = _plan(tmp_path, campaign=both, environment="sandbox", lock=replace(lock, environment="sandbox"))
    assert _decided(anew) == [("sale/vip", "create", None), ("sale/staff", "create", None)]
    other = replace(lock, environment="sandbox", service="http://localhost:8026")
    here = Binding("sandbox", "http://localhost:8025", None)
    assert _decided(_plan(tmp_path, environment="sandbox", lock=other, here=here)) == [
        ("sale/vip", "create", None)
    ]
    doubted = _plan(tmp_path, campaign=both, lock=lock)
    assert _decided(doubted) == [("sale/vip", "noop", None), ("sale/staff", "blocked", "unknown")]


def test_plan_belongs_to_the_place_of_the_lock(tmp_path: Path) -> None:
    """A plan refuses another service, or an account without the lock's mailings, but reports invalid files first."""
    lock = _sent(tmp_path, service=_HERE.service, account=_HERE.account)
    assert _plan(tmp_path, lock=lock, here=_HERE).binding is None
    assert _plan(tmp_path, here=_HERE).binding == _HERE
    for here, why in (
        (replace(_HERE, service="https://other.by"), "this run uses https://other.by"),
        (replace(_HERE, account="fedcba987654"), "whose list shows none of its mailings"),
    ):
        with pytest.raises(Refused, match=why):
            _plan(tmp_path, lock=lock, here=here)
        with pytest.raises(FilesInvalid):
            _plan(tmp_path, campaign=_INVALID, lock=lock, here=here)


def test_plan_needs_the_digest_key_of_the_lock(tmp_path: Path) -> None:
    """A plan refuses to run without the lock's digest key, but reports invalid files first."""
    lock = _sent(tmp_path, digest_key="12345678")
    with pytest.raises(Refused, match="need the digest key with the id 12345678"):
        _plan(tmp_path, lock=lock)
    with pytest.raises(FilesInvalid):
        _plan(tmp_path, campaign=_INVALID, lock=lock)


def test_plan_runs_the_tests_of_its_mailings(tmp_path: Path) -> None:
    """A failed test is an error in the files."""
    tested = _VIP.replace(
        "text: hello", "text: hello, tests: [{all: true, max_parts: 1}, {row: {}, text: bye}]"
    )
    plan = _plan(tmp_path, campaign=tested)
    assert [(one.code, one.severity) for one in plan.problems] == [("TEST", "error")]


@pytest.mark.parametrize(("project", "name"), [("shop", "sale/old"), ("kiosk", "sale/vip")])
def test_mailing_that_is_listed_elsewhere_is_not_sent(project: str, name: str, tmp_path: Path) -> None:
    """A mailing that is listed under another address or project name is not sent: it was renamed and the lock lost."""
    campaign = _VIP.replace("vip", name.partition("/")[2])
    (before,) = _plan(tmp_path, project=f"project: {project}", campaign=campaign).actions
    listed = f"{name} {project}#{before.chunks[0].fingerprint}"
    assert _decided(_plan(tmp_path, listed)) == [("sale/vip", "blocked", "collision")]
    assert _decided(_plan(tmp_path, listed[:-1] + "x")) == [("sale/vip", "create", None)]


def test_mailing_that_was_renamed_is_not_sent(tmp_path: Path) -> None:
    """A mailing recorded under an address that no file has is not sent under a new name, unless its text differs."""
    lock = _sent(tmp_path, "old")
    listed = f"sale/old shop#{lock.mailings['sale/old'].chunks[0].fingerprint}"
    assert _decided(_plan(tmp_path, listed, lock=lock))[0] == ("sale/vip", "blocked", "collision")
    other = _VIP.replace("hello", "bye")
    assert _decided(_plan(tmp_path, listed, lock=lock, campaign=other))[0] == ("sale/vip", "create", None)


def test_test_phones_get_no_whole_list(tmp_path: Path) -> None:
    """A list at sms.by cannot be limited to test phones, so it is not sent to in their environment."""
    project = "project: shop\ntest_phones: ['375291234567']\nenvironments: {staging: {only_to: test_phones, lock: s.json}}"
    listed = _VIP.replace("recipients: ['375291234567']", "list: Newsletter")
    for campaign, expected in ((listed, ("blocked", "guardrail")), (_VIP, ("create", None))):
        plan = _plan(
            tmp_path,
            project=project,
            campaign=campaign,
            environment="staging",
            lock=Lock("shop", environment="staging"),
        )
        assert _decided(plan) == [("sale/vip", *expected)]


@pytest.mark.parametrize(
    ("state", "decided"),
    [
        (ChunkState.PENDING, []),
        (ChunkState.ACCEPTED, [("sale/vip", "noop", None)]),
        (ChunkState.UNKNOWN, [("sale/vip", "blocked", "unknown")]),
    ],
)
def test_cancelled_mailing_is_planned_if_it_may_have_been_sent(
    state: ChunkState, decided: list[tuple[str, str, str | None]], tmp_path: Path
) -> None:
    """A cancelled mailing has an action only if it may have been sent, and otherwise only a note."""
    lock = _sent(tmp_path, state=state)
    for one, expected in ((lock, decided), (Lock("shop"), [])):
        plan = _plan(tmp_path, campaign=_VIP.replace("hello", "hello, cancelled: no stock"), lock=one)
        assert _decided(plan) == expected
        assert [problem.code for problem in plan.problems if problem.address] == ["CANCELLED"]


def test_sent_mailing_is_compared_while_it_can_be_read(tmp_path: Path) -> None:
    """A sent mailing is compared while its text can be read, even if its list is damaged."""
    lock = _sent(tmp_path)
    listed = f"sale/vip shop#{lock.mailings['sale/vip'].chunks[0].fingerprint}"
    same = _plan(tmp_path, listed, lock=lock)
    assert (same.actions[0].reason, same.problems) == ("sent, unchanged", ())
    changed = _plan(tmp_path, listed, lock=lock, campaign=_VIP.replace("hello", "bye"))
    assert _decided(changed) == [("sale/vip", "blocked", "changed")]
    for recipients in ("['12']", "{file: no.csv}"):
        damaged = _VIP.replace("['375291234567']", recipients)
        excused = _plan(tmp_path, listed, lock=lock, campaign=damaged)
        assert _decided(excused) == [("sale/vip", "noop", None)]
        assert [one.severity for one in excused.problems] == ["note"]
        assert _plan(tmp_path, lock=_sent(tmp_path, state=ChunkState.PENDING), campaign=damaged).has_errors


def test_sender_is_needed_until_a_mailing_is_sent(tmp_path: Path) -> None:
    """A sender that the account lost matters only to mailings that are not sent yet."""
    campaign = _VIP.replace("campaign: sale", "campaign: sale\nalphaname: MyShop")
    lock = _sent(tmp_path, campaign=campaign)
    listed = f"sale/vip shop#{lock.mailings['sale/vip'].chunks[0].fingerprint}"
    assert not _plan(tmp_path, listed, campaign=campaign, lock=lock, senders=("Kvetka",)).problems
    assert _plan(tmp_path, campaign=campaign, senders=("Kvetka",)).has_errors


def test_mailing_that_is_removed_and_still_scheduled_is_named(tmp_path: Path) -> None:
    """A removed mailing that sms.by has not sent yet is named."""
    timed = _VIP.replace("mailings:", "schedule_time: 2026-12-01T12:00:00\nmailings:")
    locks = [_sent(tmp_path, name, campaign=timed) for name in ("vip", "old")]
    mailings = {address: entry for lock in locks for address, entry in lock.mailings.items()}
    listed = [f"{address} shop#{entry.chunks[0].fingerprint}" for address, entry in mailings.items()]
    plan = _plan(tmp_path, *listed, campaign=timed, lock=replace(locks[0], mailings=mailings))
    assert [(one.code, one.address) for one in plan.problems] == [("REMOVED", "sale/old")]


def test_plan_without_an_account_is_of_no_place(tmp_path: Path) -> None:
    """A plan made without an account neither binds the lock nor decides that a sandbox has forgotten it."""
    lock = _sent(tmp_path)
    for environment in ("production", "sandbox"):
        loaded = load_project(tmp_path, {}, environment)
        mine = replace(lock, environment=environment)
        plan = plan_offline(loaded, mine, here=replace(_HERE, environment=environment))
        assert (_decided(plan), plan.binding) == ([("sale/vip", "noop", None)], None)


def test_plan_shows_the_callback_url(tmp_path: Path) -> None:
    """The plan shows the callback URL to reviewers."""
    url = "https://shop.by/sms"
    assert _plan(tmp_path).callback_url is None
    assert _plan(tmp_path, project=f"project: shop\napi: {{callback_url: {url}}}").callback_url == url


@pytest.mark.parametrize(
    ("text", "state", "is_rehearsed"),
    [
        ("hello", ChunkState.ACCEPTED, True),
        ("hello", ChunkState.SUPPRESSED, False),
        ("hello", ChunkState.PENDING, False),
        ("bye", ChunkState.ACCEPTED, False),
    ],
)
def test_mailing_must_have_been_rehearsed(
    text: str, state: ChunkState, is_rehearsed: bool, tmp_path: Path
) -> None:
    """All of a mailing must have been rehearsed with this content where `rehearsed_in` says, except for a rehearsal."""
    project = "project: shop\nrehearsed_in: sandbox"
    lock = _sent(tmp_path, state=state, environment="sandbox")
    (tmp_path / ".smsby").mkdir()
    (tmp_path / ".smsby/sandbox.lock.json").write_text(write_lock(lock), encoding="utf-8")
    campaign = _VIP.replace("hello", text)
    assert _decided(_plan(tmp_path, project=project, campaign=campaign)) == [
        ("sale/vip", "create", None) if is_rehearsed else ("sale/vip", "blocked", "approval")
    ]
    half = replace(lock.mailings["sale/vip"].chunks[0], fingerprint="f" * 10, state=ChunkState.PENDING)
    entry = replace(lock.mailings["sale/vip"], chunks=(*lock.mailings["sale/vip"].chunks, half))
    (tmp_path / ".smsby/sandbox.lock.json").write_text(
        write_lock(replace(lock, mailings={"sale/vip": entry}))
    )
    assert _plan(tmp_path, project=project, campaign=campaign).actions[0].reason_code == "approval"
    anew = _plan(tmp_path, project=project, environment="sandbox", lock=Lock("shop", environment="sandbox"))
    assert _decided(anew) == [("sale/vip", "create", None)]
