"""The plan as a comment: at a glance, inert, and never too long."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from smsby_deploy.output.markdown import COMMENT_BYTES, Piece, escape, fit, preformatted
from smsby_deploy.output.plan_markdown import marker, plan_markdown
from smsby_deploy.plan.model import ActionKind
from smsby_deploy.problems import Location, Problem, Severity
from tests.output import examples
from tests.output.golden import check_golden


def test_a_plan_with_everything_in_it() -> None:
    """What people see of every action and every kind of problem is what was looked at."""
    check_golden("plan.md", plan_markdown(examples.whole_plan(), examples.context()))


def test_a_plan_that_is_ready() -> None:
    """It ends with the one command that applies exactly it."""
    text = plan_markdown(examples.ready_plan(), examples.context())
    check_golden("plan-ready.md", text)
    assert "<code>smsby-deploy apply plan.json</code>" in text


def test_the_marker_is_the_first_line_and_stays() -> None:
    """A later run finds its comment by the first line, whatever the plan says."""
    texts = [
        plan_markdown(plan, examples.context()) for plan in (examples.whole_plan(), examples.ready_plan())
    ]
    assert {text.split("\n")[0] for text in texts} == {marker("shop")}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((), "✅ Ready: 1 mailing to send"),
        (examples.problems(), "❌ Not valid: 2 errors, nothing will be sent"),
    ],
)
def test_the_verdict_comes_first(found: tuple[Problem, ...], verdict: str) -> None:
    """Who reads one line knows whether it may be merged."""
    plan = examples.plan(examples.action("sale/vip", ActionKind.CREATE), found=found)
    assert plan_markdown(plan, examples.context()).split("\n")[1] == f"### {verdict} · shop"


def test_a_refusal_of_the_whole_apply_is_the_verdict() -> None:
    """A plan over max_cost has good mailings, and nothing of it will be sent."""
    text = plan_markdown(examples.ready_plan(), examples.context(refused="max_cost: 9 > 5"))
    assert text.split("\n")[1].startswith("### ⛔ Refused as a whole")
    assert "max\\_cost: 9 &gt; 5" in text


def test_the_balance_stands_before_and_after() -> None:
    """With what lists cost still open; too low, it says that apply will refuse."""
    enough = plan_markdown(examples.ready_plan(), examples.context(balance=Decimal("20.5")))
    assert "Balance 20.50 BYN, 19.46 after it\n" in enough
    lists = examples.plan(
        *examples.ready_plan().actions,
        examples.action("news/letter", ActionKind.CREATE, recipients=None, parts=None, cost=None),
    )
    assert "after it, less what the lists cost\n" in plan_markdown(
        lists, examples.context(balance=Decimal(20))
    )
    short = plan_markdown(examples.ready_plan(), examples.context(balance=Decimal(1)))
    assert "**The balance of 1.00 BYN is too low:** apply will refuse all of it" in short


def test_an_offline_plan_names_no_command_to_apply_it() -> None:
    """It can't be applied, so nobody is told to."""
    text = plan_markdown(replace(examples.ready_plan(), account=None), examples.context())
    assert "smsby-deploy apply" not in text
    assert "Made offline" in text


def test_a_comment_never_outgrows_its_limit_and_says_what_is_missing() -> None:
    """Folds go first, chunks before samples; then quiet lines; errors stay longest, and the footer always."""
    many = [examples.action(f"sale/m{i}", ActionKind.CREATE) for i in range(400)]
    found = [
        Problem(Severity.ERROR, "PHONE", "я" * 5000, f"sale/m{i}", Location("l.csv", i)) for i in range(30)
    ]
    text = plan_markdown(examples.plan(*many, found=tuple(found)), examples.context())
    assert len(text.encode()) <= COMMENT_BYTES
    assert "Left out to fit into a comment: 400 × chunks, 400 × sample texts" in text
    assert text.count("<code>PHONE</code>") == 30
    assert text.rstrip().endswith("</sub>") or "Left out" in text.rstrip().split("\n")[-1]
    assert "plan <code>7f3c9a</code>" in text


def test_nothing_is_left_out_of_a_comment_that_fits() -> None:
    """Exactly the limit fits."""
    pieces = [Piece("a" * 50), Piece("b" * 50, 5, "bees")]
    assert fit(pieces, limit=100, rest="") == "a" * 50 + "b" * 50
    assert "1 × bees" in fit(pieces, limit=99, rest="")


def _rendered(text: str) -> str:
    """As GitHub's own renderer makes it, before GitHub filters the result: that what is ours alone is left."""
    return cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)


@pytest.mark.parametrize(
    "name",
    [
        examples.NASTY,
        "https://evil.example/x",
        "HTTPS://EVIL.EXAMPLE",
        "ftp://evil.example",
        "www.evil.example",
        "WWW.evil.example",
        "me@evil.example",
        "mailto:me@evil.example",
        "xmpp:me@evil.example",
        "[x](/y)",
        "![x](/y)",
        "<https://evil.example>",
        "**a** __b__ ~~c~~ `d`",
        "a | b || c",
        "<!-- --> --> <b>",
        "&lt;b&gt; &#64;team",
        "line\n\n# two\n- three\n```",
        "back\\|slash",
        "\u202ereversed\u2066",
        "</details></pre></code></sub>",
    ],
)
def test_a_name_from_a_file_is_only_text(name: str) -> None:
    """Rendered by GitHub's own renderer, a hostile name is itself: no tag, no link, no table cell."""
    html = _rendered(f"| a | b |\n|---|---|\n| {escape(name)} | x |\n\n- {escape(name)}\n")
    ours = "table|thead|tbody|tr|th|td|ul|li"
    assert re.findall(rf"<(?!/?(?:{ours})\b)[^>]*>", html) == []
    assert html.count("<td>") == 2
    assert html.count("<li>") == 1


def test_a_mention_a_reference_and_an_emoji_are_none() -> None:
    """GitHub and GitLab look for them in what is rendered: an invisible character is in their way."""
    assert escape("@team #12 GH-12 !12 :smile: &1") == (
        "@\u2060team #\u206012 GH-\u206012 !\u206012 :\u2060smile: &amp;\u20601"
    )
    assert escape("a.yaml:12:3: at 10:00") == "a.yaml:12:3: at 10:00"  # what people copy stays as it is


def test_a_text_in_a_block_can_not_end_it() -> None:
    """The only tags of the whole comment are ours, whatever a text says, and none of them is a link."""
    html = _rendered(plan_markdown(examples.whole_plan(), examples.context()))
    tags = set(re.findall(r"<(/?[a-zA-Z][a-zA-Z0-9]*)", html))
    ours = "details summary pre code table thead tbody tr th td br sub strong p ul li h3 ins del blockquote"
    assert {tag.strip("/") for tag in tags} <= set(ours.split())
    assert html.count("<pre>") == html.count("</pre>")
    assert html.count("<details>") == html.count("</details>")
    assert preformatted("</pre>") == "&lt;/pre&gt;"
