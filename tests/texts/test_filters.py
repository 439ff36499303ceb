"""Filters: money, dates, plural forms, phones and numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.sources import TextSource
from smsby_deploy.problems import Location
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.filters import plural
from tests.texts.rendering import MAILING, make_batch


def _render(expression: str, value: str) -> tuple[str, str]:
    """Return the text, and the message if there is one."""
    template = compile_text(TextSource(f"{{{{ x | {expression} }}}}", Location("t.j2", 1, 1), file="t.j2"))
    batch = make_batch([{"x": value}])
    rendered = template.render_batch(batch, MAILING)
    return rendered.texts[0], "".join(problem.message for problem in rendered.problems)


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("int", "12,90", "12"), ("int", "1 234", "1234"), ("int(0)", "", "0"), ("int(0)", "many", "0"), ("int(7)", "3", "3"),
        ("float", "12,5", "12.5"), ("float(1)", "", "1"), ("length | int", "abc", "3"),
    ],
)  # fmt: skip
def test_int_and_float_read_numbers(expression: str, value: str, expected: str) -> None:
    """Numbers are read in their usual spellings, and a default applies only if it is given."""
    assert _render(expression, value) == (expected, "")


@pytest.mark.parametrize("expression", ["int", "float", "int > 5"])
@pytest.mark.parametrize("value", ["", "many", "9" * 9999])
def test_int_and_float_do_not_default_to_zero(expression: str, value: str) -> None:
    """A value that is no number is an error, not 0 as in Jinja2's own filters, which could be sent unnoticed."""
    text, message = _render(expression, value)
    assert text == ""
    assert message.startswith(expression.partition(" ")[0])


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("money", "1234.5", "1 234,50"), ("money('BYN')", "1234,555", "1 234,56 BYN"), ("money", "0", "0,00"),
        ("money('BYN', 'en')", "1234567.891", "1,234,567.89 BYN"), ("money('руб.')", "12 000", "12 000,00 руб."),
        ("date", "2026-12-01", "1 декабря 2026"), ("date('en')", "2026-12-01T10:30", "1 December 2026"),
        ("date('be')", "01.12.2026", "1 снежня 2026"), ("date('%d.%m.%y')", "2026-3-08".replace("-3-", "-03-"), "08.03.26"),
        ("date('%-d %B в %H:%M')", "01.03.2026 09:05", "1 марта в 09:05"), ("date('en', '%A')", "2026-12-01", "Tuesday"),
        ("phone", "375291234567", "+375 29 123-45-67"), ("phone('national')", "+375 (29) 1234567", "8 029 123-45-67"),
        ("phone", "80291234567", "+375 29 123-45-67"), ("phone", "79161234567", "+79161234567"),
    ],
)  # fmt: skip
def test_filters_format_values(expression: str, value: str, expected: str) -> None:
    """Values are formatted in Russian, unless another language is given."""
    assert _render(expression, value) == (expected, "")


@pytest.mark.parametrize(
    ("expression", "value", "message"),
    [
        ("money", "many", "money: the value is not a number"), ("money", "", "money: the value is empty"),
        ("money('BYN', 'xx')", "1", "unknown language 'xx'; use ru, be, en"), ("money", "1e99", "not a number"),
        ("date", "tomorrow", "date: the value is not a date"), ("date", "2026-02-30", "date: the value is not a date"),
        ("date", "31.02.2026", "not a date"), ("date('%Q')", "2026-12-01", "date: unknown code %Q; use %d %-d"),
        ("plural('a')", "1", "plural: expected two or three forms"),
        ("plural('a', 'b')", "x", "plural: the value is not a number"),
        ("phone", "12", "phone: the value is not a phone number; expected 7 to 15 digits"),
        ("phone('x')", "375291234567", "phone: unknown style; use"),
    ],
)  # fmt: skip
def test_filters_refuse_other_values_without_showing_them(expression: str, value: str, message: str) -> None:
    """Any other value is refused without guessing, and the message has none of the recipient's data."""
    text, shown = _render(expression, value)
    assert text == ""
    assert message in shown


@pytest.mark.parametrize("value", ["1,234", "-12,345", "123,456"])
@pytest.mark.parametrize("expression", ["money", "int(0)", "decimal", "float(1)", "plural('a', 'b')"])
def test_filters_do_not_guess_what_a_comma_separates(expression: str, value: str) -> None:
    """Three digits after a comma are refused even with a default: they can be thousands or decimals."""
    text, message = _render(expression, value)
    assert text == ""
    assert message.startswith(
        f"{expression.partition('(')[0]}: the comma may separate thousands or decimals; write 1234 or 1.234"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0,250", "0.250"),
        ("1234,567", "1234.567"),
        ("1 234,567", "1234.567"),
        ("1.234", "1.234"),
        ("1,2345", "1.2345"),
    ],
)
def test_decimal_reads_a_comma_that_has_one_meaning(value: str, expected: str) -> None:
    assert _render("decimal", value) == (expected, "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2026-12-01T07:00:00Z", "01.12 10:00"), ("2026-11-30T22:30:00+00:00", "01.12 01:30"),
     ("2026-12-01T07:00", "01.12 07:00"),
     ("2026-12-01T10:00:00+03:00", "01.12 10:00"), ("01.12.2026 07:00Z", "01.12 10:00")],
)  # fmt: skip
def test_date_converts_offsets_to_the_mailings_zone(value: str, expected: str) -> None:
    """A time without an offset is already in the mailing's zone, and another zone gives another text."""
    assert _render("date('%d.%m %H:%M')", value) == (expected, "")
    for source_text in ("{{ x | date('%H:%M') }}", "{{ x | date('%H:%M') }}{% set y = 1 %}"):
        source = TextSource(source_text, Location("t.j2", 1, 1), file="t.j2", timezone="Asia/Tokyo")
        batch = make_batch([{"x": "2026-12-01T07:00:00Z"}])
        assert compile_text(source).render_batch(batch, MAILING).texts == ["16:00"]


@pytest.mark.parametrize(
    ("value", "word"),
    [("1", "балл"), ("2", "балла"), ("5", "баллов"), ("0", "баллов"), ("11", "баллов"), ("12", "баллов"), ("21", "балл"),
     ("111", "баллов"), ("122", "балла"), ("1,5", "балла"), ("-1", "балл")],
)  # fmt: skip
def test_plural_agrees_with_the_number(value: str, word: str) -> None:
    """The form agrees with the number: 1 балл, 2 балла, 5 баллов."""
    assert _render("plural('балл', 'балла', 'баллов')", value) == (word, "")
    assert _render("plural('балл, балла, баллов')", value) == (word, "")


def test_plural_with_two_forms_is_english() -> None:
    """Two forms follow English rules: 1 point, 2 points."""
    assert [plural(n, "point", "points") for n in (1, 2, "1.5")] == ["point", "points", "points"]


@given(st.integers(0, 10**9))
def test_plural_depends_on_the_last_two_digits(number: int) -> None:
    """The plural form depends on the last two digits only."""
    forms = ("балл", "балла", "баллов")
    assert plural(number, *forms) == plural(number % 100 + 100, *forms)
