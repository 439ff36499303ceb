"""Templates: strict and deterministic, with every error at its place and with its row."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import (
    ContactList,
    InlineRecipients,
    Rewrite,
    TextSource,
)
from smsby_deploy.problems import Location
from smsby_deploy.texts.analysis import find_placeholders
from smsby_deploy.texts.compiler import compile_mailing, compile_text
from smsby_deploy.texts.template import OwnTexts, is_personal, rows_file
from tests.texts.rendering import MAILING, make_batch, make_source, render_one


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        (" {{ name }}, скидка {{ n }}% ", {"name": "Анна", "n": "10"}, "Анна, скидка 10%"),
        ("{% if city %}{{ city }}{% else %}нет{% endif %}", {"city": ""}, "нет"),
        ("{{ city | default('x', true) }}", {"city": ""}, "x"),
        ("{{ phone }}", {}, "375291234567"),
        ("{% for c in name %}{{ c }}-{% endfor %}", {"name": "ab"}, "a-b-"),
        ("{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{{ name }}{% endfor %}", {"name": "x"}, "12x34x"),
        ("{% macro hi(who) %}Hi {{ who }}{% endmacro %}{{ hi(name) }}", {"name": "ab"}, "Hi ab"),
        ("{{ name ~ ' ' ~ 5 }} {{ 'x' * 3 }} {{ '%05.1f' % 2 }}", {"name": "ab"}, "ab 5 xxx 002.0"),
        ("{{ name.upper() }} {{ name | replace('a', 'o') | title }}", {"name": "ab"}, "AB Ob"),
        ("{{ {'f': 'Dear'}.get(sex, 'Hi') }} {{ name }}", {"name": "ab", "sex": "m"}, "Hi ab"),
        ("{# {name} #}{%if name%}a{%endif%}", {"name": "x"}, "a"),
        ("{% set n = name | length %}{{ n + 1 }}", {"name": "abc"}, "4"),
        ("{{ name.split('-') | join('+') }} {{ name.split('-')[1].upper() }}", {"name": "a-b"}, "a+b B"),
        ("{{ '%s: %d' % (name, 5) }} {{ name | list | unique | join }}", {"name": "abab"}, "abab: 5 ab"),
        ("{% for a in name %}{{ loop.cycle('x', 'y') }}{{ loop.index }}{% endfor %}", {"name": "ab"}, "x1y2"),
    ],
)
def test_template_renders_texts(text: str, variables: dict[str, str], expected: str) -> None:
    """Variables, tests, defaults, loops and macros work, and outer white space is not sent."""
    assert render_one(text, **variables) == (expected, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ nmae }}", "'nmae' is undefined; did you mean name?"),
        ("{% if name is definde %}x{% endif %}", "no test named 'definde'; did you mean defined?"),
        ("{{ city }}", "an empty value would be printed"),
        ("{{ name ~ city }}", "an empty value would be printed"),
        ("{% if name %}{% endif %}", "the text is empty"),
        ("{{ '%s, hi' % city }}", "an empty value would be printed"),
        ("{{ '%s, hi' | format(city) }}", "an empty value would be printed"),
        ("{{ [name, city] | join(', ') }}", "an empty value would be printed"),
        ("{{ [name] }}", "only text and numbers can be printed"),
        ("{{ [name] | upper }}", "only text and numbers can be printed"),
        ("{{ name | unique }}", "only text and numbers can be printed"),
        ("{{ '%s' % [name] }}", "only text and numbers can be printed"),
        ("{{ {'a': name}.items() | join }}", "only text and numbers can be printed"),
        ("{{ self }}{{ name }}", "only text and numbers can be printed"),
        ("{% macro hi() %}x{% endmacro %}{{ hi }}{{ name }}", "only text and numbers can be printed"),
        ("{% for a in name %}{{ loop }}{% endfor %}", "only text and numbers can be printed"),
        ("{{ name.upper }}", "write () after its name"),
        ("{{ name['upper'] | string }}", "write () after its name"),
        ("{{ name.nope }}", "has no attribute 'nope'"),
        ("{{ 1 / (name | length - 4) }}", "a division by zero"),
    ],
)
def test_template_reports_a_failed_text_with_its_row(text: str, message: str) -> None:
    """A failed text is not rendered, and its problem has the place in the template and the recipient's line."""
    rendered, problems = render_one(text, name="Анна", city="")
    assert rendered == ""
    assert [(problem.code, problem.location.file, problem.location.line) for problem in problems] == [
        ("TEMPLATE", "text.j2", 1)
    ]
    assert message in problems[0].message
    assert problems[0].message.endswith("(list.csv:3)")


def test_every_undefined_variable_of_a_text_is_reported() -> None:
    """Each undefined variable is reported once for a list, by the first row in which nothing else fails."""
    text = "{{ a }}\n{{ city }}\n{{ b }} {{ name }}\n{% if c %}{{ d }}{% endif %}{{ a }}"
    rows = [{"name": "x", "city": city} for city in ("", "y", "z")]
    template = compile_text(make_source(text))
    rendered = template.render_batch(make_batch(rows), MAILING)
    found = [(one.message, one.location and one.location.line) for one in rendered.problems]
    assert found == [
        ("'a' is undefined (list.csv:3)", 1),
        ("'a' is undefined (list.csv:4)", 1),
        ("'b' is undefined (list.csv:4)", 3),
        ("'c' is undefined (list.csv:4)", 4),
        ("'d' is undefined (list.csv:4)", 4),
        ("'a' is undefined (list.csv:5)", 1),
    ]


def test_few_rows_are_searched_for_more_undefined_variables() -> None:
    """If each row has another error as well, only the first ten of a batch are rendered again."""
    template = compile_text(make_source("{{ a }} {{ b }} {{ city }}"))
    batch = make_batch([{"name": "x", "city": ""}] * 30)
    rendered = template.render_batch(batch, MAILING)
    names = Counter(one.message.split("'")[1] for one in rendered.problems)
    assert (names["a"], names["b"]) == (30, 10)


def test_value_given_to_an_undefined_variable_is_no_problem() -> None:
    """A value derived from an undefined variable is not reported as an invalid date."""
    (problem,) = render_one("{{ day | date }} {{ name }}", name="x")[1]
    assert problem.message == "'day' is undefined (list.csv:3)"


def test_undefined_variables_are_never_suggested_for_each_other() -> None:
    """Only a column is suggested for an undefined variable, and the parts of a column with a hyphen are not variables."""
    problems = render_one("{{ nmae }} {{ nmea }}", name="x")[1]
    assert [problem.message for problem in problems] == [
        "'nmae' is undefined; did you mean name? (list.csv:3)",
        "'nmea' is undefined; did you mean name? (list.csv:3)",
    ]
    (problem,) = render_one("{{ first-name }}", **{"first-name": "x"})[1]
    assert "undefined" not in problem.message
    assert len(render_one("".join(f"{{{{ x{n} }}}}" for n in range(50)))[1]) == 21


def test_empty_own_text_is_reported_at_its_recipient() -> None:
    """An empty text of a recipient is reported at that recipient, not at the mailing's text."""
    (problem,) = render_one("Hi", own=" ")[1]
    assert (problem.message, problem.location) == ("the text is empty", Location("list.csv", 3, 1))


def test_template_refuses_tags_in_an_own_text() -> None:
    """Tags in a recipient's text are refused, since the text is literal and its braces would be sent."""
    assert [problem.code for problem in render_one("Hi", own="Hi {{ name }}")[1]] == ["PLACEHOLDER"]


@given(
    st.lists(st.sampled_from(["{{ name }}", "{{city}}", " ", "100%", "%s", "\n", "я"]), min_size=1).map(
        "".join
    ),
    st.fixed_dictionaries({"name": st.text(max_size=5), "city": st.text(max_size=5)}),
)
def test_template_is_the_same_with_another_node(text: str, row: dict[str, str]) -> None:
    """An empty condition in front of a text changes neither texts nor messages."""
    assume(text.strip() and not [*find_placeholders(text)])
    by_template = "{% if true %}{% endif %}" + text
    plain, full = render_one(text, **row), render_one(by_template, **row)
    assert plain[0] == full[0]
    assert [problem.message for problem in plain[1]] == [problem.message for problem in full[1]]


_AT = Location("sale.yaml", 6, 11)


def _mailing(text: str | None, own_text: str | None = None) -> Mailing:
    own = {} if own_text is None else {"text": own_text}
    recipients = InlineRecipients([{"phone": "375291234567", **own}], _AT, [(1, 1)])
    source = TextSource(text, _AT) if text is not None else None
    return Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", recipients, source, "0", _AT,
        None, None, "Europe/Minsk", 1, "fail",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "own_text", "expected"),
    [("Hi", None, False), ("Hi {{ phone }}", None, True), ("Hi", "own", True), (None, None, True)],
)
def test_is_personal_if_texts_may_differ(text: str | None, own_text: str | None, expected: bool) -> None:
    """Variables, recipients' texts and a column of texts make a mailing personal."""
    mailing = _mailing(text, own_text)
    assert is_personal(mailing, compile_mailing(mailing)) is expected


def test_rows_file_of_recipients_in_a_campaign() -> None:
    """Inline recipients and contact lists are in the campaign file."""
    mailing = _mailing("Hi")
    assert rows_file(mailing) == "sale.yaml"
    assert rows_file(mailing._replace(audience=ContactList("News", _AT))) == "sale.yaml"


def test_own_texts_of_a_mailing_without_one() -> None:
    """Recipients' texts are literal, trimmed and rewritten, and a missing one is a problem at its line."""
    template = OwnTexts(Rewrite(smart_encoding=True))
    batch = make_batch([{"name": "a"}, {"name": "b"}])._replace(texts=[" Hi — Anna ", None])
    rendered = template.render_batch(batch, _mailing(None))
    assert rendered.texts == ["Hi - Anna", ""]
    assert template.replaced == {"—"}
    assert [(one.code, one.location) for one in rendered.problems] == [("TEMPLATE", ("sale.yaml", 4, 1))]


@pytest.mark.parametrize("text", ["nan", " None ", "#N/A", "NULL", "inf", "1.2E+11"])
def test_own_text_that_means_no_text_is_refused(text: str) -> None:
    """A word that means "no text", as a data frame writes it, is refused, as it would be the whole message."""
    batch = make_batch([{"name": "a"}, {"name": "b"}])._replace(texts=["Hi", text])
    rendered = OwnTexts(Rewrite()).render_batch(batch, _mailing(None))
    assert [(one.code, one.location) for one in rendered.problems] == [("NOT_A_VALUE", ("sale.yaml", 4, 1))]
