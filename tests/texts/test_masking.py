"""Masking by origin: what comes from a row is masked, what the author wrote is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.sources import FalseText, Rewrite, TextSource
from smsby_deploy.problems import Location
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.masking import mask_data
from smsby_deploy.texts.template import Template

_AT = Location("sale.yaml", 5, 11)


def _template(text: str, root: Path | None = None, **rewrite: bool) -> Template:
    return compile_text(TextSource(text, _AT, root=root, rewrite=Rewrite(**rewrite)))


def _masked(text: str, values: Mapping[str, str], **rewrite: bool) -> str:
    template = _template(text, **rewrite)
    return mask_data(template, values, template.rewriter.apply(template.renderer.render(values)))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Dear {{ name }}, call +375 29 123-45-67", "Dear ****, call +375 29 123-45-67"),
        ("{{ name | upper }}!", "****!"),
        ("{{ name[:2] }}!", "**!"),
        ("{{ name.replace('n', 'm') }}!", "****!"),
        ("{{ debt | money }} BYN", "********* BYN"),
        ("{{ born | date('%d.%m') }}!", "*****!"),
        ("x{{ phone[5:] }}", "x*******"),
        ("{{ 'Hi ' ~ name }}!", "Hi ****!"),
        ("{{ name ~ '!' }}", "****!"),
        ("{{ name | length }} letters", "* letters"),
        ("{{ points | plural('point', 'points') }}", "points"),
        ("{{ nick | default('friend') }}", "friend"),
        ("{{ nick | default(name) }}", "****"),
        ("{{ empty or 'friend' }}", "friend"),
        ("{{ name or 'friend' }}", "****"),
        ("{{ 'Ms' if sex == 'f' else 'Mr' }} {{ name }}", "Ms ****"),
        ("{% if sex == 'f' %}Ms{% else %}Mr{% endif %} {{ name }}", "Ms ****"),
        ("{% set shop = 'Kvetka' %}{{ shop }}: {{ name }}", "Kvetka: ****"),
        ("{% set who = name %}Dear {{ who }}", "Dear ****"),
        ("{% set who %}Dear {{ name }}{% endset %}{{ who }}", "Dear ****"),
        ("{% for word in name.split('nn') %}-{{ word }}{% endfor %}", "-*-*"),
        ("{% for day in ['Mon', 'Tue'] %}{{ day }} {% endfor %}{{ name }}", "Mon Tue ****"),
        ("{% macro hi(who) %}Hello {{ who }}{% endmacro %}{{ hi(name) }}", "Hello ****"),
        ("{% filter upper %}dear {{ name }}{% endfilter %}", "DEAR ****"),
        ("{% with x = name %}{{ x }}{% endwith %}!", "****!"),
    ],
)  # fmt: skip
def test_mask_data_masks_by_origin(text: str, masked: str) -> None:
    """A value of a row is masked whatever filter, slice, method, loop or macro it passes through."""
    values = {
        "name": "Anna", "debt": "-1234.50", "born": "1984-02-29", "phone": "375291234567", "points": "5", "sex": "f",
        "empty": "",
    }  # fmt: skip
    assert _masked(text, values) == masked


def test_mask_data_keeps_a_false_value_false() -> None:
    """A masked false value takes the same branch as in the real text."""
    assert _masked("{{ paid or 'no' }}!", {"paid": FalseText("0")}) == "no!"


def test_mask_data_of_a_cut_block_shows_nothing() -> None:
    """If a block is truncated, none of it is shown, since the marks change where it is cut."""
    text = "{% set who %}Dear {{ name }}{% endset %}{{ who | truncate(8, true, '', 0) }}"
    assert _masked(text, {"name": "Anna"}) == "*" * len("Dear Ann")


def test_mask_data_of_a_compared_block_shows_nothing() -> None:
    """If a block is compared, none of it is shown, since the marks may change the branch."""
    text = (
        "{% set x %}{{ name }}{% endset %}{% if x == 'Anna' %}Hello you{% else %}Hello {{ nick }}{% endif %}"
    )
    assert _masked(text, {"name": "Anna", "nick": "Bob"}) == "*" * len("Hello you")


def test_mask_data_of_a_column_named_like_a_variable(tmp_path: Path) -> None:
    """If an assignment is not executed, the name has the column's value, which is masked."""
    text = "{% if vip %}{% set name = 'friend' %}{% endif %}{{ name }}!"
    assert _masked(text, {"name": "Anna", "vip": ""}) == "****!"


def test_mask_data_in_included_templates(tmp_path: Path) -> None:
    """A row's value in an included template is masked, too."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/hi.txt").write_text("Hello {{ name }}, ", "utf-8")
    template = _template("{% include 'hi.txt' %}bye {{ name }}", root=tmp_path)
    assert mask_data(template, {"name": "Anna"}, "Hello Anna, bye Anna") == "Hello ****, bye ****"


@pytest.mark.parametrize(
    ("rewrite", "masked"),
    [
        ({"transliterate": True}, "Privet, ******"),
        ({"smart_encoding": True}, "Привет, *****"),
        ({}, "Привет, *****"),
    ],
)
def test_mask_data_has_the_length_of_the_rewritten_text(rewrite: dict[str, bool], masked: str) -> None:
    """A masked sample is cut into parts where the real text is."""
    assert _masked("Привет, {{ name }}", {"name": "Жанна"}, **rewrite) == masked


def test_mask_data_of_a_value_with_marks_shows_nothing() -> None:
    """A recipient's value cannot end its own mask."""
    assert set(_masked("Dear {{ name }}", {"name": "An\x03na"})) == {"*"}


_TEMPLATES = (
    "{{ a }}, {{ b | upper }} and {{ a[:2] }}{{ b[-1:] }}",
    "{% if a == b %}same{% else %}{{ a | title }}-{{ b.replace('x', 'y') }}{% endif %}",
    "{{ a | default('nothing') }} {{ (a ~ b) | length }} {{ b or a }}",
    "{% for part in [a, b] %}({{ part }}){% endfor %}",
)
_word = st.text(st.characters(min_codepoint=97, max_codepoint=109), min_size=3, max_size=6)


@given(st.sampled_from(_TEMPLATES), st.data())
def test_mask_data_depends_only_on_length_and_branch(text: str, data: st.DataObject) -> None:
    """Recipients whose values differ only in content, not in length, have the same masked text."""
    first = {name: data.draw(_word, name) for name in ("a", "b")}
    second = {name: data.draw(_word.filter(lambda word: len(word) >= 3), name) for name in ("a", "b")}
    second = {name: (word * 6)[: len(first[name])] for name, word in second.items()}
    if (first["a"] == first["b"]) == (second["a"] == second["b"]):
        assert _masked(text, first) == _masked(text, second)
