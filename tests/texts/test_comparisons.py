"""Arithmetic and comparison with values of columns, which are text."""

from __future__ import annotations

import pytest

from smsby_deploy.config.sources import FalseText
from tests.texts.rendering import render_one


@pytest.mark.parametrize(
    "expression",
    ["a + b", "a - b", "a * 2", "2 * a", "a / 2", "a // 2", "a < b", "a > 5", "5 <= a", "a >= b", "a == 9", "9 != a",
     "1 < 2 < a", "a in [9, 10]", "9 in [a]", "a + '!'", "(a | upper) * 2", "-a", "a is eq 9", "a is equalto 9",
     "a is ne 9", "a is lt 10", "a is in [9]", "a is odd", "a % 2", "[a, 1] | sum", "[a, 5] | max", "a | round", "a | abs",
     "[a, b] | max", "[a, b] | min", "a | max", "a is number", "a is integer", "a is float"],
)  # fmt: skip
def test_arithmetic_on_text_is_an_error(expression: str) -> None:
    """Arithmetic on texts is an error, so 9 and 10 never become 910; the message names the filters that make a number."""
    for text in (f"{{{{ {expression} }}}}", f"{{% if {expression} %}}x{{% else %}}y{{% endif %}}"):
        rendered, [problem] = render_one(text, a="9", b="10")
        assert rendered == ""
        assert "`| int` or `| decimal`" in problem.message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(a | int) + (b | int)", "19"), ("(p | decimal) * 2", "19.80"), ("(p | decimal) * 1.5", "14.850"),
        ("1.5 * (p | decimal)", "14.850"), ("a | int < b | int", "True"), ("p | decimal > 9", "True"), ("a == '9'", "True"),
        ("a | int == 9", "True"), ("'-' * 3", "---"), ("a ~ b", "910"), ("a in ['9', '10']", "True"),
        ("(p | decimal / 3) | money", "3,30"), ("'1e3' | decimal(7)", "7"), ("1 < a | int < 10", "True"),
        ("a is eq '9'", "True"), ("a | int is lt 10", "True"), ("a is in ['9']", "True"), ("-(a | int)", "-9"), ("-2", "-2"),
    ],
)  # fmt: skip
def test_arithmetic_on_numbers_is_exact(expression: str, expected: str) -> None:
    """`decimal` keeps the digits as written, and texts can be compared, joined with ~ and repeated."""
    assert render_one(f"{{{{ {expression} }}}}", a="9", b="10", p="9.90") == (expected, [])


@pytest.mark.parametrize(
    "expression",
    ["x is true", "x is false", "x is boolean", "x == true", "false == x", "x != true", "empty is none", "empty == none",
     "none != empty"],
)  # fmt: skip
def test_question_that_no_text_answers_is_an_error(expression: str) -> None:
    """`vip is true`, which no text would satisfy, is an error, since all recipients would get the wrong branch."""
    for value in ("true", FalseText("false")):
        text, [problem] = render_one(f"{{% if {expression} %}}a{{% else %}}b{{% endif %}}", x=value, empty="")
        assert text == ""
        assert "{% if x %}" in problem.message


def test_identity_of_values_cannot_be_asked() -> None:
    """A comparison by identity, such as with `true`, is an error, since no value of a row would match."""
    text, [problem] = render_one("{% if x is sameas true %}a{% endif %}b", x="true")
    assert (text, problem.code) == ("", "TEMPLATE")
    assert problem.message.startswith("no test named 'sameas' (")


@pytest.mark.parametrize("expression", ["title is none", "title == none", "n is not number", "n is none"])
def test_question_about_what_a_template_sets_has_its_answer(expression: str) -> None:
    """A macro may ask whether an argument is given."""
    text = (
        f"{{% macro m(title=none, n=5) %}}{{{{ {expression} }}}}{{% endmacro %}}{{{{ m() }}}} {{{{ m(a) }}}}"
    )
    expected = "True False" if "title" in expression else "False False"
    assert render_one(text, a="Анна") == (expected, [])


@pytest.mark.parametrize("columns", [{"first-name": "A"}, {"first-name": "A", "first": "B"}])
def test_dash_in_a_name_is_read_as_subtraction(columns: dict[str, str]) -> None:
    """A name with a dash is an error that names the variable that works, even if a part of it is a column."""
    text, [problem] = render_one("hi {{ first-name }}", **columns)
    assert text == ""
    assert problem.message.startswith("first-name is read as a subtraction; write {{ first_name }}")
    assert render_one("hi {{ first_name }}", **columns) == ("hi A", [])
