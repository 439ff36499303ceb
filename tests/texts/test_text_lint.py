"""Warnings about templates and values that do not say what their author meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.sources import FalseText, InlineRecipients, RecipientsFile
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.compiler import compile_mailing, compile_text
from smsby_deploy.texts.text_lint import TextLint, find_oddities
from tests.recipients.mailings import AT, make_mailing
from tests.texts.rendering import make_source


def _lint(
    text: str | None, names: tuple[str, ...] = (), *columns: Sequence[str], typed: bool = False
) -> list[Problem]:
    """Return the problems of a template whose rows begin at line 2 of r.csv; without one, the column is the text."""
    count = len(columns[0]) if columns else 1
    own = list(columns[0]) if text is None else [None] * count
    batch = Batch(
        ["375291234567"] * count,
        names,
        columns,
        own,
        range(2, 2 + count),
        bytearray(b"\1" * count),
        None,
        typed,
    )
    source = None if text is None else make_source(text)
    mailing = make_mailing(RecipientsFile(AT.file, "r.csv", "phone", AT), text=source)  # type: ignore[arg-type]
    template = compile_mailing(mailing)
    lint = TextLint(mailing, template)
    lint.check(batch, template.render_batch(batch, mailing).texts)
    return list(lint.find_problems())


def _found(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    assert all(problem.severity is Severity.WARNING and problem.address == "a/b" for problem in problems)
    return [(problem.code, str(problem.location)) for problem in problems]


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        ("Скидк\u0430 и Скидкa!", "MIXED_ALPHABETS", "Скидкa"),
        ("код \u0410B-17", "MIXED_ALPHABETS", "\u0410B"),
        ("\u0043\u004bИДКА 20%", "MIXED_ALPHABETS", "\u0043\u004bИДКА"),
        ("https://kv\u0435tka.by/sale", "MIXED_ALPHABETS", "https://kv\u0435tka.by/sale"),
        ("см. https://kvetka.by/акция", "MIXED_ALPHABETS", "https://kvetka.by/акция"),
        ("см. \u0441.by/x", "MIXED_ALPHABETS", "\u0441.by/x"),
        ("цена&nbsp;5", "HTML_ENTITY", "&nbsp;"),
        ("A &amp; B", "HTML_ENTITY", "&amp;"),
        ("It&#39;s &#x27;", "HTML_ENTITY", "&#39;"),
        ("Привет, [имя]!", "PLACEHOLDER_LIKE", "[имя]"),
        ("Привет, <Имя клиента>!", "PLACEHOLDER_LIKE", "<Имя клиента>"),
        ("Привет, {имя клиента}!", "PLACEHOLDER_LIKE", "{имя клиента}"),
        ("Заказ %id%", "PLACEHOLDER_LIKE", "%id%"),
        ("<b>Скидка", "PLACEHOLDER_LIKE", "<b>"),
        ("https//kvetka.by/sale.", "LINK", "https//kvetka.by/sale"),
        ("https://kvetka", "LINK", "https://kvetka"),
        ("http:/kvetka.by", "LINK", "http:/kvetka.by"),
        ("https://kvetka..by", "LINK", "https://kvetka..by"),
        ("https://kvetka.by/%zz", "LINK", "https://kvetka.by/%zz"),
        ("https://kvetka.by:port/", "LINK", "https://kvetka.by:port/"),
        ("https://kvetka.by/#top?utm=1", "LINK", "https://kvetka.by/#top?utm=1"),
    ],
)
def test_find_oddities(text: str, code: str, found: str) -> None:
    """Entities, and words and URLs with letters of two alphabets, are found anywhere in the text."""
    oddity = next(find_oddities(text))
    assert (oddity.code, oddity.found) == (code, found)
    assert text[oddity.offset :].startswith(found)


@pytest.mark.parametrize(
    "text",
    [
        "VIP-зал, Wi-Fi, 5G и SMSка", "https://kvetka.by/sale, до 5 марта", "https://кветка.бел", "A&B; C & D;",
        "?a=1&copy=2", "«Samsung»—лучший", "Привет, world", "&nosuch;", "Сям’я Zoë",
    ],
)  # fmt: skip
def test_find_oddities_in_plain_texts(text: str) -> None:
    """Two alphabets next to each other, and ampersands, are usual and no warning."""
    assert not list(find_oddities(text))


@given(st.text(st.sampled_from("aBяЖё 1-«»—é😀&;"), max_size=12))
def test_find_oddities_finds_each_mixed_word(text: str) -> None:
    """The fast check before the exact one never hides a mixed word."""
    words = re.findall(r"[^\W_]+", text)
    mixed = [word for word in words if re.search("[aB][яЖё]|[яЖё][aB]", word)]
    found = [oddity.found for oddity in find_oddities(text) if oddity.code == "MIXED_ALPHABETS"]
    assert found == [word for word in mixed if not re.fullmatch("BB+[яё]+", word)]


def test_lint_places_oddities_of_the_template() -> None:
    """An oddity is located even in the quotes of a tag, but comments and names of variables are not checked."""
    text = "{# Aкция #}{{ имя_a | default('дрyг', true) }},\nСкидкa&nbsp;5"
    problems = _lint(text, ("имя_a",), ["Анна"])
    assert _found(problems) == [
        ("HTML_ENTITY", "text.j2:2:7"),
        ("MIXED_ALPHABETS", "text.j2:1:32"),
        ("MIXED_ALPHABETS", "text.j2:2:1"),
    ]
    assert "the word дрyг" in problems[1].message
    assert "Latin U+0079 y" in problems[1].message


def test_lint_places_oddities_of_values() -> None:
    """The first row of each kind is named, with the number of rows but not the value."""
    values = ["Анна", "Иванoва", "Петрoва", "A&amp;B"]
    problems = _lint("{{ name }}, {% if city %}привет{% endif %}", ("name", "city"), values, ["Mинск"] * 4)
    assert _found(problems) == [("MIXED_ALPHABETS", "r.csv:3:1"), ("HTML_ENTITY", "r.csv:5:1")]
    assert problems[0].message.endswith("(2 rows)")
    assert not any("Иван" in problem.message for problem in problems)


def test_lint_stops_searching_after_many_rows() -> None:
    """A column that is odd throughout is searched only in its first rows."""
    [problem] = _lint("{{ name }}", ("name",), ["Aнна"] * 300)
    assert "or more rows)" in problem.message


def test_lint_checks_own_texts() -> None:
    """A recipient's own text is checked as it is."""
    [problem] = _lint(None, ("text",), ["Скидка", "Скидкa"])
    assert (problem.code, str(problem.location)) == ("MIXED_ALPHABETS", "r.csv:3:1")
    assert "the recipient's text" in problem.message


@pytest.mark.parametrize(
    "value", ["0", " 0 ", "false", "FALSE", "no", "No", "нет", "Нет", "-", "0,00", "NULL", "#N/A"]
)
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a{% if x %}b{% endif %}", "text.j2:1:8"), ("a{{ 'b' if not x else 'c' }}", "text.j2:1:16"),
        ("a{% if y and x %}b{% endif %}", "text.j2:1:14"), ("a{% if y %}b{% elif x %}c{% endif %}", "text.j2:1:21"),
        ("a{% for i in [1] %}{% if x %}b{% endif %}{% endfor %}", "text.j2:1:26"),
    ],
)  # fmt: skip
def test_truth_warns_of_a_text_that_reads_like_no(value: str, text: str, place: str) -> None:
    """A bare test of a column with a text like "no" is a warning with its row and ways to state the intent."""
    problems = [one for one in _lint(text, ("x", "y"), ["да", value], ["да", "да"]) if "x" in one.message[:2]]
    assert _found(problems) == [("TRUTH", place)]
    assert "(r.csv:3)" in problems[0].message
    assert "{% if x | int > 0 %}" in problems[0].message
    assert "{% if x == 'yes' %}" in problems[0].message


@pytest.mark.parametrize(
    "text",
    [
        "a{% if x | int(0) > 0 %}b{% endif %}", "a{% if x == 'yes' %}b{% endif %}", "a{{ x }}",
        "a{{ x | default('b', true) }}", "a{% if y %}b{% endif %}", "a{% set x = 1 %}{% if x %}{{ y }}{% endif %}",
        "a{% if x and x != '0' %}b{% endif %}", "a{{ 'b' if x and y and x not in ('0', 'no') else 'c' }}",
    ],
)  # fmt: skip
def test_truth_accepts_a_stated_intent(text: str) -> None:
    """Comparisons, filters and printing state the intent, and an empty cell is always false."""
    assert not _lint(text, ("x", "y"), ["0", "5"], ["", "да"])


def test_truth_of_typed_values_needs_no_warning() -> None:
    """A false value of a typed source needs no warning, as its text is true there, too."""
    text = "a{% if x %}b{% endif %}"
    assert not _lint(text, ("x",), [FalseText("0"), FalseText("false"), "5"], typed=True)
    [problem] = _lint(text, ("x",), [FalseText("0"), "no"], typed=True)
    assert problem.code == "TRUTH"
    assert "(r.csv:3)" in problem.message


def test_lint_notices_invisible_characters() -> None:
    """An invisible character in the template or a value makes each text be measured separately."""
    mailing = make_mailing(InlineRecipients((), AT))
    assert TextLint(mailing, compile_text(make_source("Скид\u00adка"))).has_invisible
    lint = TextLint(mailing, compile_text(make_source("{{ name }}, «Скидка» — 5")))
    assert not lint.has_invisible
    for name, expected in (("Анна—Мария", False), ("Ан\u200bна", True), ("Ева", True)):
        batch = Batch(["375291234567"], ("name",), [[name]], [None], [2], bytearray(b"\1"))
        lint.check(batch, ["x"])
        assert lint.has_invisible is expected


@pytest.mark.parametrize(
    "text",
    [
        "https://kvetka.by/s?a=1&b=%D0%BA#top, https://127.0.0.1:8025/x",
        "https://цветы.бел/скидка",
        "скидка 10% или 20% (от 5 < 7 > 3), [[ ]] [1] <3 {} {1}",
        "http и https",
    ],
)
def test_usual_links_and_signs_are_not_odd(text: str) -> None:
    """Usual links and signs cause no warning."""
    assert [one.code for one in find_oddities(text) if one.code in ("LINK", "PLACEHOLDER_LIKE")] == []


def test_link_with_a_variable_is_read_as_whole() -> None:
    """Any part of a link may be a tag, and the rest is checked."""
    assert (
        _found(_lint("https://{{ host }}/{{ id }}?x={{ id }} {{ id }}", ("host", "id"), ["a"], ["b"])) == []
    )
    (found,) = _lint("Go to https://a.by/#{{ id }}?x=1", ("id",), ["b"])
    assert (found.code, found.message) == (
        "LINK",
        "the link https://a.by/#…?x=1 has # before ?, so the site gets no parameters; move ? and what follows it before #",
    )


def test_links_and_rests_in_values_are_not_shown() -> None:
    """For values only the column, the first row and the number are shown; a column of usual links is no warning."""
    good, bad = "https://a.by/x?y=1", "http//a.by/secret"
    problems = _lint("{{ link }} {{ name }}", ("link", "name"), [good, bad, bad], ["[имя]", "b", "c"])
    assert _found(problems) == [("LINK", "r.csv:3:1"), ("PLACEHOLDER_LIKE", "r.csv:2:1")]
    assert "secret" not in problems[0].message
    assert "имя" not in problems[1].message
    assert problems[0].message.endswith("(2 rows)")


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [("{{ name }}}", 11, "}"), ("{{ name }}}}", 11, "}}"), ("Hi, name }}", 10, "}}")],
)
def test_too_many_braces(text: str, column: int, found: str) -> None:
    """Braces that seem to belong to a variable, but would be sent, are a warning at their place."""
    (problem,) = _lint(text, ("name",), ["Анна"])
    assert (problem.code, problem.location) == ("PLACEHOLDER_LIKE", ("text.j2", 1, column))
    assert problem.message.startswith(f"{found} would be sent literally; a variable has two braces")


def test_placeholder_that_is_an_error_is_no_warning() -> None:
    """A placeholder that is an error is not reported as a warning as well."""
    errors = ("{name}", "{ имя }", "%NAME%", "[[name]]", "${name}", "*|FNAME|*", "{name }")
    assert [one.code for text in errors for one in find_oddities(f"Hi {text}")] == []
