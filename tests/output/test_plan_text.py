"""The plan at a terminal."""

from __future__ import annotations

import io
from decimal import Decimal

from smsby_deploy.output.plan_table import plan_table
from smsby_deploy.output.plan_text import totals_line, waterfall, write_plan_text
from smsby_deploy.plan.desired_state import AudienceCounts
from smsby_deploy.plan.model import ActionKind, Plan
from tests.output import examples
from tests.output.golden import check_golden


def text_of(plan: Plan, *, color: bool = False) -> str:
    stream = io.StringIO()
    write_plan_text(plan, stream, color=color, next_command="smsby-deploy apply plan.json")
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def test_a_plan_with_everything_in_it() -> None:
    """Every action, its reason, the problems, the totals and the next command, as they were looked at."""
    check_golden("plan.txt", text_of(examples.whole_plan()))


def test_a_plan_that_is_ready_fits_80_columns() -> None:
    """A table that wraps can't be read at a glance; big numbers stay in their columns."""
    plan = examples.plan(
        examples.action("spring-sale/vip", ActionKind.CREATE, recipients=1_000_000, parts=2_000_000),
        examples.action("spring-sale/cities", ActionKind.NOOP, "sent, unchanged"),
    )
    text = text_of(plan)
    check_golden("plan-ready.txt", text)
    assert max(map(len, text.splitlines())) <= 80
    rows = text.splitlines()[:3]
    assert rows[1].index("1,000,000") + len("1,000,000") == rows[0].index("people") + len("people")
    assert "\x1b" not in text


def test_a_long_address_stands_alone_and_moves_no_number() -> None:
    """Forty letters on both sides of the slash: never cut, and the columns stay those of the other mailings."""
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


def test_a_wide_terminal_shows_how_far_away_each_time_is() -> None:
    """Where there is room; where there is none the line below the table tells it of the first."""
    plan = examples.plan(examples.action("sale/vip", ActionKind.CREATE))
    assert "  in 2 d 10 h  " in "".join(line.plain for line in plan_table(plan, 100))
    narrow = list(plan_table(plan, 70))
    assert "in 2 d" not in "".join(line.plain for line in narrow)
    assert {len(line.plain) for line in narrow} == {len(narrow[0].plain)}


def test_steps_that_take_nobody_are_not_told() -> None:
    """What is zero is no news."""
    assert (
        waterfall(AudienceCounts(1420, 12, 0, 96, 1312))
        == "1,420 rows → 12 invalid → 96 suppressed → 1,312 people"
    )


def test_lists_are_told_apart() -> None:
    """Nobody but sms.by can count a contact list: its people are not silently nobody."""
    plan = examples.plan(
        examples.action("news/letter", ActionKind.CREATE, recipients=None, parts=None, cost=None)
    )
    assert totals_line(plan).endswith("and 1 contact list that only sms.by can count")


def test_the_balance_stands_below_what_it_pays_for() -> None:
    """Or is too low, which apply would refuse; nothing is said of it where nothing is sent or the files are not valid."""

    def told(plan: Plan, balance: str) -> list[str]:
        stream = io.StringIO()
        write_plan_text(plan, stream, color=False, balance=Decimal(balance))
        return [line for line in stream.getvalue().splitlines() if line.startswith("balance")]

    assert told(examples.ready_plan(), "20.5") == ["balance 20.50 BYN, 19.46 after it"]
    assert told(examples.ready_plan(), "1") == ["balance 1.00 BYN is too low: apply will refuse all of it"]
    assert told(examples.plan(examples.action("sale/old", ActionKind.NOOP)), "20.5") == []
    assert told(examples.whole_plan(), "20.5") == []
    letter = examples.action("news/letter", ActionKind.CREATE, recipients=None, parts=None, cost=None)
    assert told(examples.plan(letter), "20.5") == [
        "balance 20.50 BYN, 20.50 after it, less what the lists cost"
    ]
