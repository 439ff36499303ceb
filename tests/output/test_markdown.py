"""Markdown in which nothing from a user's file has an effect."""

from __future__ import annotations

import re

import pytest

from smsby_deploy.output.markdown import Piece, escape, fit, message_html, message_markdown, preformatted
from smsby_deploy.output.translation import translator
from smsby_deploy.wording import join_sentences, sentence
from tests.output import examples
from tests.output.readers import render_markdown

_EVIL = "`x` <img src=x onerror=alert(1)> `y`"
_INERT = "`x` &lt;img src=x onerror=alert(1)&gt; `y`"


def test_fit_leaves_out_nothing_that_fits() -> None:
    """A text of exactly the limit fits."""
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
    """A hostile name renders as itself, without a tag, link or table cell."""
    html = render_markdown(f"| a | b |\n|---|---|\n| {escape(name)} | x |\n\n- {escape(name)}\n")
    ours = "table|thead|tbody|tr|th|td|ul|li"
    assert re.findall(rf"<(?!/?(?:{ours})\b)[^>]*>", html) == []
    assert html.count("<td>") == 2
    assert html.count("<li>") == 1


def test_escape_breaks_mentions_and_references() -> None:
    """An invisible character keeps GitHub and GitLab from finding mentions and references in the rendered text."""
    assert escape("@team #12 GH-12 !12 :smile: &1") == (
        "@\u2060team #\u206012 GH-\u206012 !\u206012 :\u2060smile: &amp;\u20601"
    )
    assert escape("a.yaml:12:3: at 10:00") == "a.yaml:12:3: at 10:00"  # what users copy is unchanged


def test_preformatted_has_no_quick_action() -> None:
    """No line starts with `/approve`, which GitLab executes, even if a backtick before <pre> hid the block from it."""
    assert preformatted("/a\n/approve\nand/or") == "\u2060/a\n\u2060/approve\nand/or"


def test_preformatted_cannot_end_its_block() -> None:
    """A text that contains the closing tag stays inside the block."""
    assert preformatted("</pre>") == "&lt;/pre&gt;"


@pytest.mark.parametrize(
    ("message", "html"),
    [
        (sentence("`{name}`", name="a & b"), "<code>a &amp; b</code>"),
        (sentence("stopped after a wave"), "stopped after a wave"),
        (
            "plain, with `one`, `two` and a lone `",
            "plain, with <code>one</code>, <code>two</code> and a lone `",
        ),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        (
            sentence("{unchanged} except for what it shares with other mailings", unchanged=_EVIL),
            f"{_INERT} except for what it shares with other mailings",
        ),
        (join_sentences([sentence("`{name}`", name=_EVIL), _EVIL]), f"<code>{_INERT}</code>; {_INERT}"),
        (sentence("`{name}`", name="375291234567\n"), "<code>37529*****67 </code>"),
    ],
)
def test_only_our_own_backticks_make_code(message: str, html: str) -> None:
    """Only our backticks make code, and a value is escaped, masked and shown as it is."""
    assert message_html(message) == html


@pytest.mark.parametrize(
    ("message", "markdown"),
    [
        (sentence("`{name}`", name="a_b"), r"<code>a\_b</code>"),
        (
            sentence("{unchanged} except for what it shares with other mailings", unchanged="`x` <b>"),
            r"\`x\` &lt;b&gt; except for what it shares with other mailings",
        ),
        (sentence("`{name}`", name="`x` @me"), "<code>\\`x\\` @\u2060me</code>"),
        (f"{'x' * 598} `one two`", "x" * 598 + " …"),
    ],
)
def test_only_our_own_backticks_make_code_in_a_comment(message: str, markdown: str) -> None:
    """In inline HTML only our backticks make code, everything else is escaped, and a cut-off one is no code."""
    assert message_markdown(message, is_clipped=True) == markdown


def test_code_is_kept_in_translations() -> None:
    """Code stays code in a translation, even in a nested sentence."""
    message = sentence(
        "{key}: `{pattern}` is missing from {count:text|texts}, the limit is 0",
        key=sentence("stopped after a wave"),
        pattern="a`b",
        count=1,
    )
    said = "остановлена после волны: <code>a`b</code> нет в 1 тексте, а должно быть в каждом"
    assert message_html(message, translator("ru")) == said
