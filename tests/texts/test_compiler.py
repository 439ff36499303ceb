"""compiler: placeholders and mistakes in a text are refused at their places."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.errors import FilesInvalid
from smsby_deploy.texts.compiler import compile_text
from tests.texts.rendering import make_source, refusal, render_one


@pytest.mark.parametrize(
    "text",
    [
        "Hello *|FNAME|*", "Hello *|FNAME:friend|*", "Hello {name}", "Hello { name }", "Hello {user.name}", "Hello %NAME%",
        "Hello %Имя%", "Hello [[name]]", "Hello [[ user.name ]]", "Hello ${name}", "Hello ${ user.name }",
    ],
)  # fmt: skip
def test_template_refuses_placeholders_of_other_tools(text: str) -> None:
    """A merge tag of another tool is refused in the template, in a recipient's text and in a value."""
    assert refusal(make_source(text)).code == "PLACEHOLDER"
    for problems in (render_one("Hi {{ phone }}", own=text)[1], render_one("Hi {{ name }}", name=text)[1]):
        assert [(problem.code, problem.location.line) for problem in problems] == [("PLACEHOLDER", 3)]


def test_compile_text_locates_every_placeholder() -> None:
    """All placeholders are reported together, each once."""
    text = "Hi *|FNAME|*, ${name} of {city}\n{{ name }}: %NAME% *|A:{b}|*"
    with pytest.raises(FilesInvalid) as caught:
        compile_text(make_source(text))
    found = [(problem.location.line, problem.location.column) for problem in caught.value.problems]
    assert found == [(1, 4), (1, 15), (1, 26), (2, 13), (2, 20)]


@pytest.mark.parametrize("text", ["10% и 20% скидки", "10%или20%", "[ок]", "50%-я", "a {b c}", "x | y *|*"])
def test_template_allows_percent_signs_and_brackets(text: str) -> None:
    """Percent signs and brackets outside placeholders are accepted."""
    assert render_one(text) == (text, [])


_SCRAPS = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{#", "#}", "-", " ", "\n", "if", "for", "in", "end", "name", "'a'", "|", "~", "(", ")",
     "[", "]", "{", "}", ".", ",", "1", "**", "*", "upper", "set", "=", "macro", "endif", "endfor", "else", "include",
     "block", "extends", "raw", "endraw", "call", "filter", "with", "do", "é", "is", "not", "loop", "date", "money"]
)  # fmt: skip


@settings(max_examples=7 * settings().max_examples)
@given(st.lists(_SCRAPS, min_size=1, max_size=14))
def test_template_reports_every_fault_as_a_problem(scraps: list[str]) -> None:
    """Every mistake is a problem at a place in the text, and rendering twice gives the same text."""
    text = "{{ name }}" + " ".join(scraps)
    try:
        first, second = render_one(text, name="x"), render_one(text, name="x")
    except FilesInvalid as error:
        problems = list(error.problems)
    else:
        assert first == second
        problems = first[1]
    assert all(
        problem.location.line and problem.location.line <= text.count("\n") + 1
        for problem in problems
        if problem.location.file == "text.j2"
    )


def test_compile_text_refuses_an_empty_text() -> None:
    """A text that is written or rendered empty is refused."""
    assert refusal(make_source("  \n ")).code == "TEXT"
    assert refusal(make_source("{% if false %}x{% endif %}")).code == "TEXT"
