"""Texts: strict templates."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsby_deploy.audience.source import Batch
from smsby_deploy.errors import FilesInvalid, Location
from smsby_deploy.message.price import money
from smsby_deploy.message.template import compile_text
from smsby_deploy.project.declarations import TextSource

_AT = Location("sale.yaml", 6, 11)


def _source(text: str) -> TextSource:
    return TextSource(text, _AT, ((6, 11), (7, 5), (8, 5)))


def _render(text: str, **variables: str) -> tuple[str, list[str]]:
    batch = Batch(["375291234567"], [variables | {"phone": "375291234567"}], [None], [3])
    rendered = compile_text(_source(text)).render_batch(batch, rows_file="list.csv", address="a/b")
    return rendered.texts[0], [problem.message for problem in rendered.problems]


@pytest.mark.parametrize(
    ("text", "variables", "wanted"),
    [
        (" {{ name }}, скидка {{ n }}% ", {"name": "Анна", "n": "10"}, "Анна, скидка 10%"),
        ("{% if city %}{{ city }}{% else %}нет{% endif %}", {"city": ""}, "нет"),
        ("{{ city | default('x', true) }}", {"city": ""}, "x"),
        ("{{ phone }}", {}, "375291234567"),
    ],
)
def test_texts_are_rendered(text: str, variables: dict[str, str], wanted: str) -> None:
    """Variables, tests and defaults; blank ends are not sent."""
    assert _render(text, **variables) == (wanted, [])


@pytest.mark.parametrize("text", ["{{ nmae }}", "{{ city }}", "{% if name %}{% endif %}"])
def test_what_would_print_nothing_is_an_error(text: str) -> None:
    """An undefined variable, an empty value and an empty text name the row."""
    rendered, problems = _render(text, name="Анна", city="")
    assert rendered == ""
    assert len(problems) == 1
    assert "list.csv:3" in problems[0]


@pytest.mark.parametrize(
    "text", ["Hello *|FNAME|*", "Hello {name}", "Hello %NAME%", "Hello [[name]]", "Hello ${name}"]
)
def test_placeholders_of_other_tools_are_refused(text: str) -> None:
    """Nobody reads another tool's merge tag."""
    with pytest.raises(FilesInvalid) as caught:
        compile_text(_source(text))
    assert caught.value.problems[0].code == "PLACEHOLDER"


def test_a_syntax_error_stands_at_its_line() -> None:
    """The template's second line is the file's seventh."""
    with pytest.raises(FilesInvalid) as caught:
        compile_text(_source("one\n{% if %}\n"))
    problem = caught.value.problems[0]
    assert (problem.code, problem.line, problem.column) == ("TEMPLATE_SYNTAX", 7, 5)


@pytest.mark.parametrize(
    "text", ["{{ ''.__class__ }}", "{{ [1, 2] | random }}", "{{ 1 / 0 }}", "{{ 9 ** 9 ** 9 }}"]
)
def test_nothing_dangerous_or_random_can_be_reached(text: str) -> None:
    """The sandbox holds, and a text comes out the same twice."""
    with pytest.raises(FilesInvalid):
        compile_text(_source(text))


@pytest.mark.parametrize(
    ("amount", "text"), [("0.26", "0.26"), ("718.40600", "718.406"), ("5", "5.00"), ("1E+2", "100.00")]
)
def test_money_is_plain(amount: str, text: str) -> None:
    """A point, no exponent, at least two digits after it."""
    assert money(Decimal(amount)) == text


@pytest.mark.parametrize("text", ["{{ range(9) }}", "{{ lipsum() }}"])
def test_no_global_can_be_reached(text: str) -> None:
    """Only the row's columns are variables; anything else is undefined."""
    rendered, problems = _render(text)
    assert rendered == ""
    assert problems
