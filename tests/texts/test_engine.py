"""The engine: where an error of a template is, and what Jinja2 says about its syntax, also in Russian."""

from __future__ import annotations

import pytest

from smsby_deploy.config.sources import TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.output.translation import translator
from smsby_deploy.problems import Location
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.engine import syntax_message
from tests.texts.rendering import MAILING, make_batch, make_source, refusal, render_one


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Hi {{ name }}, {{ nmae }}!", (1, 19)),
        ("Hi\n  {{ name }} {{ name | upper ~ nmae }}", (2, 32)),
        ("Hi {{ name }}\n\n{{ city }}", (3, 4)),
        ("Hi {% if nmae %}x{% endif %}", (1, 10)),
        ("{%- for c in name %}\n{{ c }}{{ c.nope }}{% endfor %}", (2, 13)),
        ("Hi {{- name }} {{ 'a'.join(1) }}", (1, 19)),
    ],
)
def test_renderer_locates_a_failed_text(text: str, place: tuple[int, int]) -> None:
    """An error is located at the undefined name, or else at the first word of its tag."""
    _, problems = render_one(text, name="Анна", city="")
    assert [(problem.location.line, problem.location.column) for problem in problems] == [place]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("one\n{% if %}\n", (2, 7)),
        ("Hi {{ name | nope }}", (1, 14)),
        ("a {{ b ? c }}", (1, 8)),
        ("ab {% x", (1, 7)),
    ],
)
def test_analyze_locates_a_syntax_error(text: str, place: tuple[int, int]) -> None:
    """A syntax error is located where parsing failed."""
    problem = refusal(make_source(text))
    assert (problem.code, problem.location.line, problem.location.column) == ("TEMPLATE_SYNTAX", *place)


_YAML = [
    ("    text: Hi {{ nmae }}\n", "Hi {{ nmae }}", (1, 17)),
    ('    text: "\\u0410 \\"x\\" {{ nmae }}"\n', 'А "x" {{ nmae }}', (1, 28)),
    ("    text: 'it''s {{ nmae }}'\n", "it's {{ nmae }}", (1, 21)),
    ("    text: |\n      one\n\n      two {{ nmae }}\n", "one\n\ntwo {{ nmae }}\n", (4, 14)),
    ("    text: |-\n      one\n        two {{ nmae }}\n", "one\n  two {{ nmae }}", (3, 16)),
    ("    text: >-\n      one\n      two {{ nmae }}\n", "one two {{ nmae }}", (3, 14)),
    ("    text: one\n      two {{ nmae }}\n", "one two {{ nmae }}", (2, 14)),
    ("    text: &hi Hi {{ nmae }}\n", "Hi {{ nmae }}", (1, 21)),
    ("    text: *hi\n", "Hi {{ nmae }}", (1, 11)),
    ("    text: >+2\n        one\n\n      two {{ nmae }}\n\n", "  one\n\ntwo {{ nmae }}\n\n", (4, 14)),
    ('    text: "one \\\n      two {{ nmae }}"\n', "one two {{ nmae }}", (2, 14)),
]


@pytest.mark.parametrize(("content", "text", "place"), _YAML)
def test_renderer_locates_errors_in_the_campaign(content: str, text: str, place: tuple[int, int]) -> None:
    """Errors are located in plain, quoted, literal and folded scalars, even after escapes and on later lines."""
    source = TextSource(text, Location("sale.yaml", 1, 11), content)
    batch = make_batch([{"name": "x"}])
    problem = compile_text(source).render_batch(batch, MAILING).problems[0]
    assert problem.location == ("sale.yaml", *place)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ name", "unexpected end of template, expected '}}'"),
        ("{{ name last }}", "expected token '}}', got 'last'"),
        ("{% if name", "unexpected end of template, expected '%}'"),
        ("{% loop %}", "encountered unknown tag 'loop'"),
        ("{% iff name %}", "encountered unknown tag 'iff'; did you mean if?"),
        ("{% endfor %}", "encountered unknown tag 'endfor'"),
        ("{{ name | uper }}", "no filter named 'uper'; did you mean upper?"),
        ("{{ name is definde }}", "no test named 'definde'; did you mean defined?"),
        ("{{{ name }}}", "a variable has two braces on each side: write {{ name }}"),
        (
            "{% if name %}",
            "unexpected end of template; expected one of the tags 'elif', 'else', 'endif'; "
            "the innermost block that needs to be closed is 'if'",
        ),
    ],
)
def test_syntax_error_names_what_the_author_writes(text: str, message: str) -> None:
    """A syntax error uses the author's brackets, not Jinja2's names for them, and has no period."""
    assert refusal(make_source(text)).message == message


@pytest.mark.parametrize(
    ("text", "english", "russian"),
    [
        ("{{ name", "unexpected end of template, expected '}}'", "текст кончился, а ожидалось «}}»"),
        (
            "{% if a }",
            "unexpected '}'; a variable ends with }}, a tag with %}",
            "лишняя «}»: переменная кончается на }}, тег — на %}",
        ),
        ("{{ a b }}", "expected token '}}', got 'b'", "ожидалось «}}», а здесь «b»"),
        ("{{ a is odt }}", "no test named 'odt'; did you mean odd?", "нет проверки «odt»; может быть, odd?"),
        ("{% endif %}", "encountered unknown tag 'endif'", "неизвестный тег «endif»"),
        (
            "{% if a %}x",
            "unexpected end of template; expected one of the tags 'elif', 'else', 'endif'; the innermost block that "
            "needs to be closed is 'if'",
            "текст кончился раньше времени; ожидался один из тегов: 'elif', 'else', 'endif'; не закрыт блок «if»",
        ),
        (
            "{% for a in b %}{% if a %}x{% endfor %}",
            "encountered unknown tag 'endfor'; you probably made a nesting mistake; expected one of the tags 'elif', "
            "'else', 'endif'; the innermost block that needs to be closed is 'if'",
            "неизвестный тег «endfor»; похоже, блоки вложены неправильно; ожидался один из тегов: 'elif', 'else', "
            "'endif'; не закрыт блок «if»",
        ),
        ("{{ }}", "expected an expression, got '}}'", "ожидалось выражение, а здесь «}}»"),
        ("{# note", "missing end of comment tag", "комментарий не закрыт: нет «#}»"),
    ],
)
def test_syntax_message_of_a_template(text: str, english: str, russian: str) -> None:
    """Each part of a syntax message is translated, with what it quotes."""
    with pytest.raises(FilesInvalid) as found:
        compile_text(TextSource(text, Location("sale.yaml", 1, 1)))
    (problem,) = found.value.problems
    assert problem.message == english
    assert translator("ru").sentence(problem.message) == russian


def test_three_braces_are_located() -> None:
    """Too many braces are reported where they are, and another error of the text is still reported as such."""
    for text, place in (("Hi {{{ name }}}", 4), ("{# {{{ a }}} #} {{ }}", 20), ("{{ {'a': 1} | uper }}", 15)):
        assert refusal(make_source(text)).location.column == place  # type: ignore[union-attr]


def test_syntax_message_of_an_unknown_form() -> None:
    """A message that a later Jinja2 may add is shown unchanged."""
    assert syntax_message("Something new. And more.") == "something new; and more"
