"""What Jinja2 says about a wrong syntax can be said in Russian, too."""

from __future__ import annotations

import pytest

from smsby_deploy.config.sources import TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.output.translation import translator
from smsby_deploy.problems import Location
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.syntax_messages import syntax_message


@pytest.mark.parametrize(
    ("text", "english", "russian"),
    [
        ("{{ name", "unexpected end of template, expected '}}'", "текст кончился, а ожидалось «}}»"),
        ("{{ a b }}", "expected token '}}', got 'b'", "ожидалось «}}», а здесь «b»"),
        ("{{ a | upcase }}", "no filter named 'upcase'", "нет фильтра «upcase»"),
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
    """Each part of it, with what it quotes."""
    with pytest.raises(FilesInvalid) as found:
        compile_text(TextSource(text, Location("sale.yaml", 1, 1)))
    (problem,) = found.value.problems
    assert problem.message == english
    assert translator("ru").sentence(problem.message) == russian


def test_syntax_message_of_an_unknown_form() -> None:
    """A later Jinja2 may say something else: it is shown as it is."""
    assert syntax_message("Something new. And more.") == "something new; and more"
