"""One fixed plan and one fixed status with everything that could break a report."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial

from smsby_deploy.apply.apply_result import ApplyResult, MailingResult
from smsby_deploy.clock import Window
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import EntryState, NamedId
from smsby_deploy.output.plan_markdown import CommentContext
from smsby_deploy.plan.base_changes import BaseChanges, SettingChange
from smsby_deploy.plan.base_comparison import Base, BaseMailing
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan
from smsby_deploy.plan.drift import Difference, DriftField
from smsby_deploy.plan.model import (
    Action,
    ActionKind,
    LockStamp,
    Plan,
    ReasonCode,
    with_code,
)
from smsby_deploy.plan.waves import Gate, WaveProgress, why_due
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.status.mailing_details import Details, Missed, WaveStatus
from smsby_deploy.status.status_report import MailingStatus, State, StatusReport
from smsby_deploy.texts.parts import Encoding, TextSize
from smsby_deploy.texts.samples import MailingReview, Sample
from smsby_deploy.wording import sentence

NASTY = "a|b `c` <img src=x onerror=alert(1)> @team #12 [x](http://evil.example) </pre> ::error::"
_FORMULA = "=cmd|' /C calc'!A0"
PHONES = ("375291234567", "+375 (33) 765-43-21", "80291112233")


def action(address: str, kind: ActionKind, reason: str = "", **changes: object) -> Action:
    """Return an action with 12 recipients and 20 parts, except for `changes`."""
    fields: dict[str, object] = {
        "address": address,
        "action": kind,
        "reason": reason,
        "via": "bulk",
        "recipients": 12,
        "parts": 20,
        "cost": Decimal("0.520"),
        "gsm7": 4,
        "ucs2": 8,
        "alphaname": "MyShop",
        "alphaname_id": 1363,
        "schedule_time": "2026-12-01T10:00:00+03:00",
        "digest": "d" * 64,
        "content_digest": "c" * 64,
        "audience_digest": "a" * 64,
        "chunks": (ChunkPlan("0123456789", 10, "e" * 64), ChunkPlan("abcdef0123", 2, "f" * 64)),
        "audience": AudienceCounts(16, 1, 1, 2, 12),
    } | changes
    return Action(**fields)  # type: ignore[arg-type]


def problems() -> tuple[Problem, ...]:
    """Return one problem of each severity, notes first, and one without a place."""
    return (
        Problem(
            Severity.NOTE,
            "AUDIENCE_CHANGED",
            sentence("the audience changed after it was sent; nothing is sent to the new rows"),
            "sale/old",
            Location("sale.yaml", 30, 5),
        ),
        Problem(
            Severity.WARNING,
            "SUPPRESS_PHONE",
            f"no number: {PHONES[1]}",
            None,
            Location("lists/out,1.csv", 7),
        ),
        Problem(
            Severity.ERROR, "TEMPLATE", f"{NASTY}\nof {PHONES[0]}", "sale/vip", Location("sale.yaml", 12, 11)
        ),
        Problem(Severity.ERROR, "GUARDRAIL_PRICE", "max_cost without a price"),
    )


def plan(*actions: Action, found: tuple[Problem, ...] = (), account: str | None = "0" * 12) -> Plan:
    lock = LockStamp(3, "lineage", {})
    at = "2026-11-28T21:00:00+00:00"
    tool = "smsby-deploy 0.1.0"
    return Plan("7f3c9a", at, "shop", account, tool, (), {}, lock, (), found, "BYN").with_actions(actions)


def whole_plan() -> Plan:
    """Return a plan with every kind of action, a problem of each severity, another service, and changes of every kind."""
    settings = (
        SettingChange("guardrails.max_cost", "500.00", None),
        SettingChange("api.callback_url", "https://shop.example/cb", "https://evil.example/cb"),
        SettingChange("suppress", NASTY, None),
        SettingChange("suppress", None, _FORMULA),
    )
    return replace(
        _whole_plan(),
        service="https://app.startsend.ru",
        callback_url="https://evil.example/cb",
        changes=BaseChanges(
            "main", settings, 1, (sentence("the lock of the base was not compared: {why}", why=NASTY),)
        ),
    )


def _whole_plan() -> Plan:
    return plan(
        action("sale/vip", ActionKind.CREATE),
        action(
            "sale/rest",
            ActionKind.RESUME,
            sentence(
                "{done} of {total} chunks {done:|was|were} sent; the rest will be sent", done=1, total=2
            ),
        ),
        action(
            "news/letter",
            ActionKind.CONFIRM,
            sentence("its draft at sms.by is not confirmed yet"),
            via="list",
            recipients=None,
            parts=None,
            cost=None,
            schedule_time=None,
            audience=AudienceCounts(),
            contact_list=NamedId(f"Newsletter {NASTY}", 3434),
        ),
        action("sale/found", ActionKind.ADOPT, sentence("sms.by already has it; apply only records it")),
        action("sale/old", ActionKind.NOOP, "sent, unchanged"),
        action(
            "sale/stuck",
            ActionKind.BLOCKED,
            with_code(ReasonCode.CHANGED, f"{NASTY} {PHONES[2]}"),
            reason_code=ReasonCode.CHANGED,
        ),
        action(
            "gone/away",
            ActionKind.ORPHAN,
            sentence(
                "recorded ({state}), no longer in the files; apply leaves it as it is",
                state=EntryState.COMPLETE,
            ),
        ),
        found=problems(),
    )


def ready_plan() -> Plan:
    """Return a plan without problems."""
    return plan(
        action("sale/vip", ActionKind.CREATE), action("sale/now", ActionKind.CREATE, schedule_time=None)
    )


def apply_result(*mailings: MailingResult) -> ApplyResult:
    """Return the result of an apply that creates all of `mailings` at once.

    A contact list has neither recipients nor a cost.
    """
    create = partial(action, kind=ActionKind.CREATE, schedule_time=None)
    actions = tuple(
        create(mailing.address, recipients=None, cost=None)
        if mailing.recipients is None
        else create(mailing.address, recipients=mailing.recipients)
        for mailing in mailings
    )
    return ApplyResult(plan(*actions), mailings, (), ExitCode.DONE)


def sample(*pieces: str, why: tuple[str, ...] = ("first",)) -> Sample:
    """Return a masked text of as many parts as there are pieces."""
    size = TextSize(Encoding.UCS2, sum(map(len, pieces)), len(pieces))
    cost = Decimal("0.026") * len(pieces)
    return Sample(1, "l/v.csv", 2, "37529*****67", "".join(pieces), size, len(pieces), pieces, cost, why=why)


def review() -> MailingReview:
    """Return texts that try to end their block, mention a team and show a number."""
    text = f"Hello {NASTY} call {PHONES[0]}"
    why = (sentence("if {condition}", condition="name == '<b>'"), sentence("first"), sentence("longest"))
    shown = replace(sample("А*** <b>", f"`x` {PHONES[1]}", why=why), recipients=8)
    return MailingReview("Europe/Minsk", text, (6, 4, 2), (shown,), further=2)


def context(**changes: object) -> CommentContext:
    """Return a comparison with a base in which sale/vip had other recipients, parts, costs and another text."""
    before = BaseMailing(
        10, 18, Decimal("0.468"), "0" * 64, "0" * 64, "MyShop", text=f"Hello <i>you</i>, call {PHONES[0]} now"
    )
    same = BaseMailing(12, 20, Decimal("0.520"), "c" * 64, "a" * 64, "MyShop")
    fields: dict[str, object] = {
        "base": Base("main", {"sale/vip": before, "sale/old": same}),
        "reviews": {f"sale/{name}": review() for name in ("vip", "rest", "found", "old", "stuck", "now")},
        "out": "plan.json",
        "commit": "5133cd2aa0b1c2d3e4f5",
    } | changes
    return CommentContext(**fields)  # type: ignore[arg-type]


def mailing(
    address: str, state: State, counts: tuple[int, int, int, int], **changes: object
) -> MailingStatus:
    """Return a mailing with (delivered, undelivered, sent, pending)."""
    other: dict[str, int] = changes.pop("other", {})  # type: ignore[assignment]
    recipients = sum(counts) + sum(other.values())
    known = Details(
        planned=recipients,
        planned_parts=recipients,
        planned_cost=Decimal(recipients) * Decimal("0.026"),
        accepted=recipients,
        words={"DELIVERED": counts[0], "UNDELIVERED": counts[1]} | other,
        prefixes={"375 29": (counts[0], counts[1], recipients)},
        timeline={"2026-12-01 10:00": counts[0]} if counts[0] else {},
    )
    fields: dict[str, object] = {
        "schedule_time": "2026-12-01T10:00:00+03:00",
        "parts": recipients,
        "cost": Decimal(recipients) * Decimal("0.026"),
        "requests": ("cc9c8043-8caf-11ef-b035-9e8f47954dec",),
        "details": known,
    } | changes
    return MailingStatus(
        address=address,
        state=state,
        recipients=recipients,
        delivered=counts[0],
        undelivered=counts[1],
        sent=counts[2],
        pending=counts[3],
        other=other,
        **fields,  # type: ignore[arg-type]
    )


def in_waves() -> MailingStatus:
    """Return a mailing of 200 recipients, 20 of them in a first wave that is to be judged."""
    window = Window.parse("2026-12-01T11:00:00+03:00", "2026-12-01T16:00:00+03:00")
    details = Details(
        planned=200,
        planned_parts=200,
        planned_cost=Decimal("5.200"),
        accepted=20,
        words={"DELIVERED": 18, "UNDELIVERED": 1, "SENT": 1},
        timeline={"2026-12-01 10:00": 18},
        prefixes={"375 29": (18, 1, 20)},
        waits=why_due(WaveProgress(2, 2, Gate.JUDGE, 1, window)),
        waves=(WaveStatus(1, 20, 18, 1, was_sent=True), WaveStatus(2, 180, 0, 0, was_sent=False)),
        has_unsent=True,
    )
    return mailing(
        "sale/waves",
        State.WAITING,
        (18, 1, 1, 0),
        other={"in later waves": 180},
        schedule_time=None,
        parts=20,
        cost=Decimal("0.520"),
        details=details,
    )


def status() -> StatusReport:
    """Return a status with every state, a status word that is markup, differences, waves, and undelivered recipients."""
    vip = Details(
        planned=1200,
        planned_parts=1800,
        planned_cost=Decimal("46.800"),
        accepted=1195,
        words={"DELIVERED": 1100, "UNDELIVERED": 80, "<b>Odd|word</b>": 14, _FORMULA: 1},
        timeline={"2026-12-01 10:00": 600, "2026-12-01 10:01": 400, "2026-12-01 11:30": 100},
        prefixes={
            "375 25": (90, 9, 100),
            "375 29": (600, 36, 640),
            "375 33": (310, 32, 350),
            "375 44": (100, 3, 105),
        },
        differences=(
            Difference(DriftField.RECIPIENTS, "1200", "1195"),
            Difference(DriftField.SENDER, "MyShop", "<i>Evil</i>"),
        ),
        missed=(
            Missed(PHONES[0], "UNDELIVERED", "2026-12-01 10:02:11.5"),
            Missed("375337654321", _FORMULA, None),
        ),
    )
    return StatusReport(
        (
            mailing("news/letter", State.DRAFT, (0, 0, 0, 25), schedule_time=None, cost=None, parts=None),
            mailing("sale/half", State.PARTIAL, (5, 0, 0, 0), other={"rejected": 5}),
            mailing("sale/later", State.SCHEDULED, (0, 0, 0, 12)),
            mailing("sale/lost", State.UNKNOWN, (0, 0, 0, 0), other={"unknown": 7}),
            mailing("sale/refused", State.REJECTED, (0, 0, 0, 0), other={"rejected": 3}),
            mailing("sale/running", State.SENDING, (3, 1, 4, 2)),
            mailing(
                "sale/vip",
                State.FINAL,
                (1100, 80, 0, 0),
                other={"<b>Odd|word</b>": 14, _FORMULA: 1, "not taken": 5},
                parts=1793,
                cost=Decimal("46.618"),
                details=vip,
            ),
            in_waves(),
        ),
        "shop",
        "2026-12-01T09:00:00+00:00",
    )
