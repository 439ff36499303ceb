"""Messages as HTML and Markdown: only what the sentence itself quotes is code."""

from __future__ import annotations

import pytest

from smsby_deploy.output.messages import message_html, message_markdown
from smsby_deploy.output.translation import translator
from smsby_deploy.wording import join_sentences, sentence

_EVIL = "`x` <img src=x onerror=alert(1)> `y`"
_INERT = "`x` &lt;img src=x onerror=alert(1)&gt; `y`"


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
        (sentence("{unchanged} in what is its own", unchanged=_EVIL), f"{_INERT} in what is its own"),
        (join_sentences([sentence("`{name}`", name=_EVIL), _EVIL]), f"<code>{_INERT}</code>; {_INERT}"),
        (sentence("`{name}`", name="375291234567\n"), "<code>37529*****67 </code>"),
    ],
)
def test_only_our_own_backticks_make_code(message: str, html: str) -> None:
    """Everything is escaped and masked, and what a value contains is shown as it is."""
    assert message_html(message) == html


@pytest.mark.parametrize(
    ("message", "markdown"),
    [
        (sentence("`{name}`", name="a_b"), r"<code>a\_b</code>"),
        (
            sentence("{unchanged} in what is its own", unchanged="`x` <b>"),
            r"\`x\` &lt;b&gt; in what is its own",
        ),
        (sentence("`{name}`", name="`x` @me"), "<code>\\`x\\` @\u2060me</code>"),
        (f"{'x' * 598} `one two`", "x" * 598 + " …"),
    ],
)
def test_only_our_own_backticks_make_code_in_a_comment(message: str, markdown: str) -> None:
    """Inline HTML, in which everything is escaped as outside of it; what is cut off is no code."""
    assert message_markdown(message, is_clipped=True) == markdown


def test_code_is_kept_in_translations() -> None:
    """A nested sentence is translated, too."""
    stopped = sentence(
        "{names} (`{command}` lists them)", names=sentence("stopped after a wave"), command="a`b"
    )
    assert message_html(stopped, translator("ru")) == "остановлена после волны (все покажет <code>a`b</code>)"
