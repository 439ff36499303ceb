"""phones: accepted spellings, reasons for rejection, and no reason that shows a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.recipients.phones import BadPhone, normalize_all, normalize_opt_out, normalize_phone

ABROAD = ("BY", "RU", "PL", "FO")
# Phones in common spellings: digits, national and international prefixes, punctuation.
_written = st.text("0123456789+-() .\u00a0\u200b'=\"eE", max_size=24) | st.from_regex(
    r"(\+|00|8 ?0|0)?(375|7|48)? ?\(?(29|25|33|44|916|601)?\)?[ -]?[0-9]{2,7}[ -]?[0-9]{0,4}", fullmatch=True
)


@pytest.mark.parametrize(
    "written",
    [
        "375291234567", "+375291234567", "+375 (29) 123-45-67", "8 029 123-45-67", "80291234567", "291234567",
        " 375 29 123 45 67 ", "029 123 45 67", "00375291234567", "+375\u00a029\u2011123\u201345\u201467",
        "\u202a+375291234567\u202c", "375.29.123.45.67", "375291234567.0", "'375291234567", '="375291234567"',
    ],
)  # fmt: skip
def test_normalize_phone_spellings(written: str) -> None:
    """Every common spelling gives 375XXXXXXXXX."""
    assert normalize_phone(written) == "375291234567"


@pytest.mark.parametrize("code", ["25", "29", "33", "44"])
def test_normalize_phone_mobile_codes(code: str) -> None:
    """All four mobile codes are accepted in national and international spelling."""
    assert normalize_phone(f"8 0{code} 1234567") == f"375{code}1234567"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "empty"),
        (" - ", "empty"),
        ("abc", "only digits"),
        ("375", "only 3 digits"),
        ("375171234567", "mobile"),
        ("79061234567", "Belarusian"),
        ("3752912345678", "12 digits"),
        ("375٢٩1234567", "only digits"),
        ("3.75291E+11", "spreadsheet"),
        ("3,75291234567E+11", "spreadsheet"),
        ("+291234567", "Belarusian"),
        ("29+1234567", "only digits"),
        ("375291234567375291234567", "24 digits"),
        ("1" * 5000, "too long"),
        ("37529123456.0", "got 11"),  # with its 0 it would be another subscriber
        ("37529123456.5", "fraction"),
        ("+37529123456,75", "fraction"),
    ],
)
def test_normalize_phone_rejects_other_numbers(written: str, why: str) -> None:
    """Landlines, foreign numbers and words are rejected with a reason that never contains the number."""
    with pytest.raises(BadPhone, match=why) as caught:
        normalize_phone(written)
    assert len(written) < 4 or written not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+7 916 123-45-67", "79161234567"),
        ("48601234567", "48601234567"),
        ("80291234567", "375291234567"),
        ("+370 612 34567", "37061234567"),
        ("0049 1512 3456789", "4915123456789"),
        ("+44 7400 123456", "447400123456"),
        ("+380 (50) 123-45-67", "380501234567"),
        ("+995 555 12 34 56", "995555123456"),
        ("7 701 123 4567", "77011234567"),
    ],
)
def test_normalize_phone_allowed_countries(written: str, number: str) -> None:
    """A foreign number needs its country code, and a Belarusian spelling stays Belarusian."""
    assert normalize_phone(written, (*ABROAD, "LT", "DE", "GB", "UA", "GE", "KZ")) == number


@pytest.mark.parametrize(
    ("written", "countries", "why"),
    [
        ("+44 7400 123456", ABROAD, "GB are not allowed"),
        ("+7 495 123-45-67", ABROAD, "not a mobile"),
        ("+7 916", ABROAD, "only 4 digits"),
        ("+7 016 123 45 67", ABROAD, "valid"),
        ("+298 212345", ABROAD, "ambiguous"),
        ("375291234567", ("RU",), "Belarusian numbers are not allowed"),
        ("512345678", ("PL",), "no country code"),
        ("8 916 123 45 67", ABROAD, "need a country code"),
    ],
)
def test_normalize_phone_rejects_countries(written: str, countries: tuple[str, ...], why: str) -> None:
    """A number is rejected if its country is not allowed, or it is not mobile, not valid, or Belarusian without its +."""
    with pytest.raises(BadPhone, match=why):
        normalize_phone(written, countries)


@given(_written | st.text(max_size=20), st.sampled_from([("BY",), ABROAD, ("RU",)]))
def test_normalize_phone_is_idempotent(text: str, countries: tuple[str, ...]) -> None:
    """A result normalizes to itself, and BadPhone is the only exception."""
    try:
        phone = normalize_phone(text, countries)
    except BadPhone:
        return
    assert phone.isascii()
    assert phone.isdecimal()
    assert normalize_phone(phone, countries) == phone


@given(_written, st.sampled_from([("BY",), ABROAD]))
def test_normalize_opt_out_equals_normalize_phone(text: str, countries: tuple[str, ...]) -> None:
    """A number that an audience accepts is the same number in a suppression file."""
    try:
        phone = normalize_phone(text, countries)
    except BadPhone:
        return
    assert normalize_opt_out(text) == phone


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("8 (916) 123-45-67", "79161234567"),
        ("8 701 123 45 67", "77011234567"),
        ("+7 916 123 45 67", "79161234567"),
        ("375291234567.0", "375291234567"),
    ],
)
def test_normalize_opt_out_national_spellings(written: str, number: str) -> None:
    """Russian and Kazakh national spellings are recognized, as they would suppress no recipient as written."""
    assert normalize_opt_out(written) == number


@pytest.mark.parametrize(
    "written", ["9161234567", "512345678", "01234567", "7 916 123 45", "+8 916 123 45 67"]
)
def test_normalize_opt_out_rejects_non_numbers(written: str) -> None:
    """An opt-out that is not a number of any country is reported, since it would suppress no recipient."""
    with pytest.raises(BadPhone):
        normalize_opt_out(written)


@given(st.lists(_written, max_size=8))
def test_normalize_all_equals_one_by_one(written: list[str]) -> None:
    """A block gives the same as each of its phones alone."""
    phones, bad = normalize_all(written)
    for position, raw in enumerate(written):
        try:
            assert normalize_phone(raw) == phones[position]
            assert position not in bad
        except BadPhone as error:
            assert bad[position] == str(error)
