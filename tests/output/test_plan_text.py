"""The plan as terminal text."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest

from smsby_deploy.output.plan_markdown import plan_markdown
from smsby_deploy.output.plan_text import (
    audience_line,
    fold_plan,
    plan_totals_line,
    saved_plan_line,
    unscheduled_text,
    write_plan_text,
)
from smsby_deploy.plan.base_changes import BaseChanges, SettingChange
from smsby_deploy.plan.desired import AudienceCounts
from smsby_deploy.plan.guardrails import Breach
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.plan_result import PlanResult
from smsby_deploy.problems import Problem, Severity
from tests.output import examples
from tests.output.golden import check_golden

LETTER = examples.action("news/letter", ActionKind.CREATE, recipients=None, parts=None, cost=None)


def text_of(plan: Plan, balance: str | None = None) -> str:
    stream = io.StringIO()
    result = PlanResult(plan, balance=None if balance is None else Decimal(balance))
    write_plan_text(
        result,
        stream,
        color=False,
        next_commands=("smsby-deploy plan --out plan.json", "smsby-deploy apply plan.json"),
    )
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def test_write_plan_text_shows_everything() -> None:
    """The text shows every action with its reason, the problems, totals and next command, as in the reviewed file."""
    check_golden("plan.txt", text_of(examples.whole_plan()))


def test_write_plan_text_fits_80_columns() -> None:
    """The text fits into 80 columns, and large numbers stay in their columns."""
    plan = examples.plan(
        examples.action("spring-sale/vip", ActionKind.CREATE, recipients=1_000_000, parts=2_000_000),
        examples.action("spring-sale/cities", ActionKind.NOOP, "sent, unchanged"),
    )
    text = text_of(plan)
    check_golden("plan-ready.txt", text)
    assert max(map(len, text.splitlines())) <= 80
    rows = text.splitlines()[:3]
    assert rows[1].index("1,000,000") + len("1,000,000") == rows[0].index("recipients") + len("recipients")
    assert "\x1b" not in text


def test_plan_table_puts_a_long_address_on_its_own_line() -> None:
    """An address with forty letters on both sides is on its own line, never truncated, and the columns stay."""
    long = "a" * 40 + "/" + "b" * 40
    text = text_of(
        examples.plan(
            examples.action(long, ActionKind.CREATE), examples.action("sale/vip", ActionKind.CREATE)
        )
    )
    head, first, second, numbers, vip = text.splitlines()[:5]
    assert [first, second] == [f"+ create  {'a' * 40}/", f"          {'b' * 40}"]
    assert numbers.strip() == vip[vip.index("2026") :]
    assert len(numbers) == len(vip) == len(head) <= 80


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("width", "shows_wait"), [(100, True), (70, False)])
def test_plan_table_shows_the_wait_on_a_wide_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int, shows_wait: bool
) -> None:
    """A wide terminal shows the time until each mailing, and a narrow one only that until the first, below the table."""
    monkeypatch.setenv("COLUMNS", str(width))
    stream = _Tty()
    plan = examples.plan(examples.action("sale/vip", ActionKind.CREATE))
    write_plan_text(PlanResult(plan), stream, color=False)
    head, vip = stream.getvalue().splitlines()[:2]
    assert ("  in 2 d 10 h  " in vip) == shows_wait
    assert len(head) == len(vip)


def test_write_plan_text_names_the_first_scheduled_mailing() -> None:
    """The first scheduled mailing is one with a later time, since one whose time has passed is sent on apply."""
    late = examples.action("sale/late", ActionKind.CREATE, schedule_time="2026-11-28T23:50:00+03:00")
    vip = examples.action("sale/vip", ActionKind.CREATE)
    assert "\nfirst scheduled mailing: sale/vip, in 2 d 10 h\n" in text_of(examples.plan(late, vip))
    assert "first scheduled" not in text_of(examples.plan(late))


def test_totals_line_agrees_in_number() -> None:
    """A single recipient is "1 recipient"."""
    one = examples.action("sale/vip", ActionKind.CREATE, recipients=1, parts=1, cost=Decimal("0.026"))
    assert plan_totals_line(examples.plan(one)) == "1 create; to send: 1 recipient, 1 part, 0.026 BYN"


def test_totals_line_says_what_only_a_hand_over_sends() -> None:
    """The totals say what only a hand-over will send, since "nothing to send" alone would be wrong."""
    create, due, waiting = (
        examples.action(f"sale/{kind}", kind)
        for kind in (ActionKind.CREATE, ActionKind.DUE, ActionKind.WAITING)
    )
    assert plan_totals_line(examples.plan(waiting, due)) == (
        "1 waiting, 1 due; nothing to send by `apply`; 1 mailing is due for `apply --due`"
    )
    assert plan_totals_line(examples.plan(waiting)).endswith("; 1 mailing waits for `apply --due`")
    assert plan_totals_line(examples.plan(create, due, due)).endswith(
        "0.52 BYN; 2 mailings are due for `apply --due`"
    )


def test_totals_line_counts_lists_of_unknown_size() -> None:
    """A contact list, whose size only sms.by knows, is not counted as 0 recipients."""
    assert plan_totals_line(examples.plan(LETTER)).endswith(", and 1 contact list of unknown size")


def test_audience_line_leaves_out_steps_without_effect() -> None:
    """Steps that left out no recipient are not shown."""
    action = replace(
        examples.action("sale/vip", ActionKind.CREATE), audience=AudienceCounts(1420, 12, 0, 96, 1312)
    )
    assert audience_line(action) == "1,420 rows, 12 invalid, 96 suppressed → 1,312 recipients"
    action = replace(action, audience=AudienceCounts(2, 1, 0, 0, 1), languages={"ru": 1, "be": 0})
    assert audience_line(action) == "2 rows, 1 invalid → 1 recipient (ru 1, be 0)"


def test_write_plan_text_shows_the_balance() -> None:
    """The balance, or that it is too low, is shown only if something is sent and the files are valid."""

    def balance_lines(plan: Plan, balance: str) -> list[str]:
        return [line for line in text_of(plan, balance).splitlines() if line.startswith("balance")]

    too_low = "balance 1.00 BYN is too low: apply will refuse the whole plan"
    assert balance_lines(examples.ready_plan(), "20.5") == ["balance 20.50 BYN, 19.46 afterwards"]
    assert balance_lines(examples.ready_plan(), "1") == [too_low]
    held = examples.plan(examples.action("sale/vip", ActionKind.HOLD))
    assert balance_lines(held, "20.5") == [
        "balance 20.50 BYN, 19.98 after all approved mailings are handed over"
    ]
    assert balance_lines(examples.plan(examples.action("sale/old", ActionKind.NOOP)), "20.5") == []
    assert balance_lines(examples.whole_plan(), "20.5") == []
    assert balance_lines(examples.plan(LETTER), "20.5") == [
        "balance 20.50 BYN, 20.50 afterwards, minus the cost of contact lists"
    ]


def test_saved_plan_line_says_what_the_file_is_good_for() -> None:
    """An apply command is suggested only if apply would accept the plan."""
    ready, breach = PlanResult(examples.ready_plan()), Breach("max_cost", "max_cost: 9 > 5")
    assert saved_plan_line(ready, "apply it") == "saved: apply exactly this plan with `apply it`"
    idle = PlanResult(examples.plan(examples.action("sale/old", ActionKind.NOOP)))
    assert saved_plan_line(idle, "apply it") == "saved: it sends nothing"
    refused = PlanResult(examples.ready_plan(), breach)
    assert saved_plan_line(refused, "apply it").endswith("apply will refuse the whole plan")
    assert saved_plan_line(PlanResult(examples.whole_plan()), "apply it").startswith("saved for viewing only")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ActionKind.CREATE, "on apply"),
        (ActionKind.BLOCKED, "on apply"),
        (ActionKind.RESUME, "on apply"),
        (ActionKind.NOOP, "at once"),
        (ActionKind.ADOPT, "at once"),
        (ActionKind.ORPHAN, "at once"),
        (ActionKind.WAITING, "at once"),
        (ActionKind.DUE, "at once"),
    ],
)
def test_unscheduled_text_of_what_was_sent(kind: ActionKind, text: str) -> None:
    """A mailing that apply does not send never says "on apply", even if its next wave needs a verdict."""
    assert unscheduled_text(examples.action("sale/vip", kind, schedule_time=None)) == text


def _gone(count: int, kind: ActionKind, name: str) -> list[Action]:
    time = "2026-11-01T10:00:00+03:00"
    return [examples.action(f"{name}/m{n}", kind, is_finished=True, schedule_time=time) for n in range(count)]


def test_fold_plan_has_one_line_for_gone_mailings() -> None:
    """Forty finished mailings and their notes are one line, so that they do not hide the one that is sent."""
    new, ahead = (
        examples.action("new/a", ActionKind.CREATE),
        examples.action("old/m", ActionKind.NOOP, is_finished=True),
    )
    partial = examples.action("lost/m", ActionKind.ORPHAN)
    done, orphans = _gone(40, ActionKind.NOOP, "sale"), _gone(2, ActionKind.ORPHAN, "gone")
    notes = [Problem(Severity.NOTE, "CHANGED_SHARED", "changed", action.address) for action in (*done, ahead)]
    warning = Problem(Severity.WARNING, "REMOTE_DIFFERS", "differs", "sale/m1")
    plan = examples.plan(*done, new, ahead, *orphans, partial, found=(*notes, warning))
    folded, lines = fold_plan(plan)
    assert folded.actions == (new, ahead, partial)
    assert lines == [
        "sent, nothing to do: 40 mailings (sale/m0, sale/m1, sale/m2 and 37 more)",
        "no longer in the files: 2 mailings (gone/m0, gone/m1)",
    ]
    assert [(one.address, one.message) for one in folded.problems] == [
        ("sale/m0", "changed (and 39 more of these; `--format json` lists them)"),
        ("old/m", "changed"),
        ("sale/m1", "differs"),
    ]
    for text in (text_of(plan), plan_markdown(PlanResult(plan), examples.context())):
        assert all(line in text for line in lines)
        assert "sale/m3" not in text
        assert len(text.splitlines()) < 80


def test_fold_plan_shows_a_single_mailing_as_it_is() -> None:
    """A single finished mailing is shown with its own row."""
    plan = examples.plan(*_gone(1, ActionKind.NOOP, "sale"), *_gone(1, ActionKind.ORPHAN, "gone"))
    assert fold_plan(plan) == (plan, [])


def test_changed_settings_are_inert() -> None:
    """A changed setting has no effect on a terminal, and its phones are masked."""
    change = SettingChange("suppress", "a\x1b[2J.csv", "375291234567")
    changes = BaseChanges("main", (change, SettingChange("lock", None, "other.json")))
    lines = text_of(replace(examples.plan(), changes=changes)).splitlines()
    assert {"  suppress: a [2J.csv → 37529*****67", "  lock: not set → other.json"} <= set(lines)
