"""The environment of texts: only what is allowed can be used."""

from __future__ import annotations

import pytest

from smsby_deploy.errors import FilesInvalid
from tests.texts.rendering import make_source, refusal, render_one


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}", "{{ [1, 2] | random }}", "{{ 1 / 0 }}", "{{ 9 ** 9 ** 9 }}", "{{ range(9) }}",
        "{{ lipsum() }}", "{{ (5).to_bytes(9, 'big') }}", "{{ 'a'.center(5) }}", "{{ '{}'.format(1) }}", "{{ now() }}",
        "{{ 'a' | safe }}", "{{ '' | xmlattr }}", "{% set x = cycler('a') %}x", "{{ 'a'.encode() }}",
    ],
)  # fmt: skip
def test_environment_refuses_anything_unsafe(text: str) -> None:
    """Nothing dangerous, random or time-dependent is available."""
    assert refusal(make_source(text)).code in ("TEMPLATE", "TEMPLATE_SYNTAX")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ name | batch(2) }}", "no filter named 'batch'"),
        ("{{ name.encode() }}", "the method encode is not available in texts: use a filter instead"),
        (
            "{{ name.format('x') }}",
            "only macros and text methods can be called: remove the () or use a filter",
        ),
        ("{{ 2 ** name }}", "the operator ** is not available in texts: multiply instead"),
        ("{{ name.upper()() }}", "only macros and text methods can be called: remove the () or use a filter"),
        ("{% for a in name recursive %}{% endfor %}", "recursive loops are not available in texts"),
    ],
)
def test_environment_explains_what_is_not_allowed(text: str, message: str) -> None:
    """The message names the filter, method or operator, and what to use instead."""
    try:
        problems = render_one(text, name="Anna")[1]
    except FilesInvalid as error:  # refused when it is compiled
        problems = list(error.problems)
    assert [message in problem.message for problem in problems] == [True]
