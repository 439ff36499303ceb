"""The plan as a comment on a pull request."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from smsby_deploy.output.markdown import COMMENT_BYTES
from smsby_deploy.output.plan_markdown import marker, no_plan_markdown, plan_markdown
from smsby_deploy.output.translation import translator
from smsby_deploy.plan.base_changes import BaseChanges, SettingChange
from smsby_deploy.plan.guardrails import Breach
from smsby_deploy.plan.model import ActionKind, Plan
from smsby_deploy.plan.plan_result import PlanResult
from smsby_deploy.problems import Location, Problem, Severity
from tests.output import examples
from tests.output.golden import check_golden
from tests.output.readers import render_markdown

_DUE = examples.action("sale/due", ActionKind.DUE)
_WAITING = examples.action("sale/waiting", ActionKind.WAITING)
_OVERDUE = examples.action("sale/late", ActionKind.BLOCKED, is_overdue=True)
LETTER = examples.action("news/letter", ActionKind.CREATE, recipients=None, parts=None, cost=None)


def comment(plan: Plan, *, refusal: Breach | None = None, balance: str | None = None) -> str:
    amount = None if balance is None else Decimal(balance)
    return plan_markdown(PlanResult(plan, refusal, amount), examples.context())


def test_plan_markdown_shows_every_action_and_problem() -> None:
    """The comment shows every action and problem, as in the reviewed file."""
    check_golden("plan.md", comment(examples.whole_plan()))


def test_plan_markdown_is_in_russian_if_the_project_is() -> None:
    """In a Russian project only codes, commands and names stay English."""
    context = replace(examples.context(), language=translator("ru"))
    check_golden("plan.ru.md", plan_markdown(PlanResult(examples.whole_plan()), context))
    check_golden("plan-ready.ru.md", plan_markdown(PlanResult(examples.ready_plan()), context))


def test_plan_markdown_ends_with_the_apply_command() -> None:
    """The comment ends with the one command that applies exactly this plan."""
    text = comment(examples.ready_plan())
    check_golden("plan-ready.md", text)
    assert "<code>smsby-deploy apply plan.json</code>" in text


def test_plan_markdown_starts_with_its_marker() -> None:
    """The first line identifies the comment for a later run, whatever the plan contains."""
    texts = [
        comment(examples.whole_plan()),
        comment(examples.ready_plan()),
        no_plan_markdown("shop", "production", "down"),
    ]
    assert {text.split("\n")[0] for text in texts} == {marker("shop")}


@pytest.mark.parametrize(
    ("plan", "verdict"),
    [
        (examples.plan(examples.action("sale/vip", ActionKind.CREATE)), "✅ Ready: 1 mailing to send"),
        (
            examples.plan(examples.action("sale/vip", ActionKind.CREATE), found=examples.problems()),
            "❌ Not valid: 2 errors, nothing will be sent",
        ),
        (
            examples.plan(
                examples.action("sale/vip", ActionKind.CREATE), examples.action("sale/x", ActionKind.BLOCKED)
            ),
            "⛔ 1 blocked, 1 ready",
        ),
        (examples.plan(examples.action("sale/old", ActionKind.NOOP)), "✅ Nothing to send"),
        (
            examples.plan(_DUE, _WAITING),
            "✅ Nothing to send by `apply`; 1 mailing is due for `apply --due`",
        ),
        (examples.plan(_WAITING), "✅ Nothing to send by `apply`; 1 mailing waits for `apply --due`"),
        (
            examples.plan(examples.action("sale/vip", ActionKind.CREATE), _DUE),
            "✅ Ready: 1 mailing to send; 1 mailing is due for `apply --due`",
        ),
        (
            examples.plan(examples.action("sale/x", ActionKind.BLOCKED), _DUE),
            "⛔ 1 blocked; 1 mailing is due for `apply --due`",
        ),
        (
            examples.plan(examples.action("sale/vip", ActionKind.CREATE), _OVERDUE),
            "✅ Ready: 1 mailing to send, 1 expired",
        ),
        (examples.plan(_OVERDUE), "⛔ 1 blocked"),
    ],
)
def test_plan_markdown_has_the_verdict_first(plan: Plan, verdict: str) -> None:
    """One line at the top says whether the pull request can be merged; one empty line follows."""
    _, heading, empty, totals, *_ = comment(plan).split("\n")
    assert (heading, empty, bool(totals)) == (f"### {verdict} · shop", "", True)


def _changed(plan: Plan, changes: BaseChanges) -> str:
    """Return the verdict of a plan that was compared with a base."""
    return comment(replace(plan, changes=changes)).split("\n")[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (BaseChanges("main", (SettingChange("lock", None, "b.json"),)), "1 setting changed"),
        (BaseChanges("main", (), 2), "2 lock entries changed"),
        (BaseChanges("main", (), 0, ("the base has no smsby.yaml",)), "not everything could be compared"),
    ],
)
def test_plan_markdown_has_no_check_mark_beside_changes(changes: BaseChanges, words: str) -> None:
    """If anything besides the mailings changed, the first visible line says so, and warns, whatever the plan is."""
    create = examples.action("sale/vip", ActionKind.CREATE)
    blocked = replace(create, action=ActionKind.BLOCKED)
    nothing = replace(create, action=ActionKind.NOOP)
    assert _changed(examples.plan(create), BaseChanges("main")).startswith(
        "### ✅ Ready: 1 mailing to send · "
    )
    for plan, verdict in (
        (examples.plan(create), f"⚠️ Ready: 1 mailing to send, but {words}"),
        (examples.plan(nothing), f"⚠️ Nothing to send, but {words}"),
        (examples.plan(blocked), f"⛔ 1 blocked; {words}"),
        (
            examples.plan(create, found=examples.problems()),
            f"❌ Not valid: 2 errors, nothing will be sent; {words}",
        ),
    ):
        assert _changed(plan, changes) == f"### {verdict} · shop"


def test_plan_markdown_keeps_settings_when_it_is_full() -> None:
    """If the comment is full, everything except errors is left out before a changed setting."""
    warnings = [
        Problem(Severity.WARNING, "ROW", "x" * 500, None, Location(f"{n}.csv", 1)) for n in range(300)
    ]
    create = examples.action("sale/vip", ActionKind.CREATE)
    settings = tuple(SettingChange(f"guardrails.{n}", "y" * 200, None) for n in range(100))
    plan = replace(examples.plan(create, found=tuple(warnings)), changes=BaseChanges("main", settings, 0))
    text = comment(plan)
    assert len(text.encode()) <= COMMENT_BYTES
    assert "× warning" in text
    assert text.count("| **guardrails.") == 100


def test_plan_markdown_shows_a_refusal_as_the_verdict() -> None:
    """For a plan over max_cost the verdict is the refusal, since none of its mailings will be sent."""
    text = comment(examples.ready_plan(), refusal=Breach("max_cost", "max_cost: 9 > 5"))
    assert text.split("\n")[1].startswith("### ⛔ Refused as a whole")
    assert "max\\_cost: 9 &gt; 5" in text


def test_plan_markdown_shows_the_balance() -> None:
    """The balance is shown before and after, without the cost of lists; too low is a refusal."""
    assert "Balance 20.500 BYN, 19.460 afterwards\n" in comment(examples.ready_plan(), balance="20.5")
    held = examples.plan(examples.action("sale/vip", ActionKind.HOLD))
    later = "Balance 20.500 BYN, 19.980 after all approved mailings are handed over\n"
    assert later in comment(held, balance="20.5")
    lists = examples.plan(*examples.ready_plan().actions, LETTER)
    assert "afterwards, minus the cost of contact lists\n" in comment(lists, balance="20")
    short = comment(examples.ready_plan(), balance="1")
    assert "**The balance of 1.000 BYN is too low:** apply will refuse the whole plan" in short
    assert "### ⛔ Refused as a whole, nothing will be sent" in short


def test_plan_markdown_says_when_the_first_is_sent() -> None:
    """The first send is on apply if any mailing has no time, or one that has passed."""
    later = examples.action("sale/vip", ActionKind.CREATE)
    late = examples.action("sale/late", ActionKind.CREATE, schedule_time="2026-11-28T23:50:00+03:00")
    assert "· first send in 2 d 10 h\n" in comment(examples.plan(later))
    assert "· first send on apply\n" in comment(examples.plan(later, late))
    assert "· first send on apply\n" in comment(examples.ready_plan())


def test_plan_markdown_of_an_offline_plan_has_no_command() -> None:
    """A plan made offline has no command, since it cannot be applied."""
    text = comment(replace(examples.ready_plan(), account=None))
    assert "smsby-deploy apply" not in text
    assert "Made offline" in text


def test_plan_markdown_never_exceeds_the_limit() -> None:
    """Over the limit folds are left out first, chunks before samples, then quiet lines, errors last, and the footer never."""
    many = [examples.action(f"sale/m{i}", ActionKind.CREATE) for i in range(400)]
    found = [
        Problem(Severity.ERROR, "PHONE", "я" * 5000, f"sale/m{i}", Location("l.csv", i)) for i in range(30)
    ]
    reviews = {action.address: examples.review() for action in many}
    plan = PlanResult(examples.plan(*many, found=tuple(found)))
    text = plan_markdown(plan, examples.context(reviews=reviews))
    assert len(text.encode()) <= COMMENT_BYTES
    assert "Left out to fit into a comment: 400 × chunks, 400 × sample texts" in text
    assert text.count("<code>PHONE</code>") == 30
    assert text.rstrip().endswith("</sub>") or "Left out" in text.rstrip().split("\n")[-1]
    assert "plan <code>7f3c9a</code>" in text


def test_plan_markdown_folds_errors_that_are_alike() -> None:
    """A misspelled variable is an error of each row, and hides neither a mailing nor another error."""
    vip = examples.action("sale/vip", ActionKind.CREATE)
    many = [
        Problem(
            Severity.ERROR, "TEMPLATE", f"'nme' is undefined (l.csv:{i})", "sale/vip", Location("s.yaml", 6)
        )
        for i in range(2, 2002)
    ]
    other = Problem(Severity.ERROR, "PHONE", "too short", "sale/vip", Location("l.csv", 3))
    text = comment(examples.plan(vip, found=(*many, other)))
    assert "Left out to fit" not in text
    assert "**❌ Errors** (2,001)" in text
    assert text.count("'nme' is undefined") == 20
    assert (
        "<code>s.yaml</code> <code>TEMPLATE</code> sale/vip: 1,980 more like these; use --format json" in text
    )
    assert "<code>l.csv:3:1</code> <code>PHONE</code>" in text
    assert "| **sale/vip** |" in text


def test_plan_markdown_has_no_tags_but_ours() -> None:
    """Whatever a text contains, the comment has only our own tags, and no links."""
    html = render_markdown(comment(examples.whole_plan()))
    tags = set(re.findall(r"<(/?[a-zA-Z][a-zA-Z0-9]*)", html))
    ours = "details summary pre code table thead tbody tr th td br sub strong p ul li h3 ins del blockquote"
    assert {tag.strip("/") for tag in tags} <= set(ours.split())
    assert html.count("<pre>") == html.count("</pre>")
    assert html.count("<details>") == html.count("</details>")


def test_plan_markdown_leaves_out_zero_counts() -> None:
    """An audience from which nothing was subtracted shows only its rows and recipients."""
    plan = examples.ready_plan()
    clean = tuple(
        replace(action, audience=action.audience._replace(invalid=0, duplicate=0, suppressed=0))
        for action in plan.actions
    )
    text = comment(plan.with_actions(clean))
    assert "| rows read |" in text
    assert not [line for line in text.splitlines() if line.endswith("| 0 |")]
