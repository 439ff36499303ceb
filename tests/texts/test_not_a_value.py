"""Values that mean "no value": spreadsheet errors, missing values of programs, shortened numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.texts.not_a_value import EXPONENT, NOT_VALUE_MARKS, NOT_VALUES
from tests.texts.rendering import render_one


@pytest.mark.parametrize(
    "value",
    [
        "#N/A",
        "#REF!",
        "NaN",
        "nan",
        "None",
        "NULL",
        "null",
        "undefined",
        "inf",
        "-inf",
        "[object Object]",
        "1.2E+11",
        "1,23457E+11",
        "1.2345678E7",
        "-1.0E-5",
        "#Н/Д",
    ],
)
@pytest.mark.parametrize(
    "text", ["a {{ x }} b", "{{ x | upper }}", "{{ x ~ '!' }}", "{{ [x] | join }}", "{{ x.strip() }}"]
)
def test_not_a_value_is_never_printed(text: str, value: str) -> None:
    """Such a value is never printed: the problem has its own code and does not show the value."""
    rendered, [problem] = render_one(text, x=value)
    assert (rendered, problem.code) == ("", "NOT_A_VALUE")


@pytest.mark.parametrize("value", ["Nancy", "nullable", "#1", "1E5", "12.5E7", "A1E+11", "Nonet", "1.2"])
def test_not_a_value_leaves_other_values(value: str) -> None:
    """Only a whole value counts, and a value that is only tested may be anything."""
    assert render_one("a {{ x }} b", x=value) == (f"a {value} b", [])
    assert render_one("{% if x %}y{% endif %}", x="NULL") == ("y", [])


@given(st.sampled_from(sorted(NOT_VALUES)) | st.from_regex(EXPONENT, fullmatch=True))
def test_not_a_value_has_a_mark(value: str) -> None:
    """Each such value has one of the marks by which vectorized rendering selects batches to check."""
    assert any(mark in value for mark in NOT_VALUE_MARKS)
