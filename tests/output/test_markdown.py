"""Markdown in which nothing from a user's file has an effect."""

from __future__ import annotations

import re

import pytest

from smsby_deploy.output.markdown import Piece, escape, fit, preformatted
from tests.output import examples
from tests.output.readers import render_markdown


def test_fit_leaves_out_nothing_that_fits() -> None:
    """Exactly the limit fits."""
    pieces = [Piece("a" * 50), Piece("b" * 50, 5, "bees")]
    assert fit(pieces, limit=100, rest="") == "a" * 50 + "b" * 50
    assert "1 × bees" in fit(pieces, limit=99, rest="")


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
def test_escape_makes_a_name_plain_text(name: str) -> None:
    """A hostile name renders as itself: no tag, no link, no table cell."""
    html = render_markdown(f"| a | b |\n|---|---|\n| {escape(name)} | x |\n\n- {escape(name)}\n")
    ours = "table|thead|tbody|tr|th|td|ul|li"
    assert re.findall(rf"<(?!/?(?:{ours})\b)[^>]*>", html) == []
    assert html.count("<td>") == 2
    assert html.count("<li>") == 1


def test_escape_breaks_mentions_and_references() -> None:
    """GitHub and GitLab look for them in the rendered text: an invisible character is in the way."""
    assert escape("@team #12 GH-12 !12 :smile: &1") == (
        "@\u2060team #\u206012 GH-\u206012 !\u206012 :\u2060smile: &amp;\u20601"
    )
    assert escape("a.yaml:12:3: at 10:00") == "a.yaml:12:3: at 10:00"  # what users copy is unchanged


def test_preformatted_has_no_quick_action() -> None:
    """GitLab executes `/approve` at the start of a line; a backtick in front of <pre> may have hidden the block from it."""
    assert preformatted("/a\n/approve\nand/or") == "\u2060/a\n\u2060/approve\nand/or"


def test_preformatted_cannot_end_its_block() -> None:
    """A text that contains the closing tag stays inside the block."""
    assert preformatted("</pre>") == "&lt;/pre&gt;"
