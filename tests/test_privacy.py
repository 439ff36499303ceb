"""Privacy: no complete phone number, no personal value and no token is shown."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.privacy import (
    HIDDEN,
    filter_log_record,
    hide_echo,
    hide_echoes,
    hide_quotes,
    hide_secrets,
    hide_token,
    hide_token_parameters,
    mask_phone,
    mask_phone_in,
    mask_phones,
    mask_values,
    shown_url,
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call 375291234567 now", "call 37529*****67 now"),
        ("+375 (29) 123-45-67", "+375 (29) ***-**-67"),
        ("8 029 123 45 67", "8 029 1** ** 67"),
        ("80291234567", "80291****67"),
        ("29 123-45-67", "29 123-**-67"),
        ("(029) 123-45-67", "(029) 12*-**-67"),
        ("79161234567", "79161****67"),
        ("+7 916 123-45-67", "+7 916 1**-**-67"),
        ("+48.601.234.567", "+48.601.***.*67"),
        ("a375291234567b", "a37529*****67b"),
    ],
)
def test_mask_phones_masks_every_spelling(text: str, masked: str) -> None:
    """A masked phone, in any spelling, keeps enough digits to recognize a row and too few to call it."""
    assert mask_phones(text) == masked


_SPELLINGS = ("375291234567", "+375447654321", "+375 29 123-45-67", "8 (044) 765 43 21", "29 123-45-67")


@given(st.lists(st.sampled_from((*_SPELLINGS, " ", ",", "x", "-", "1")), max_size=6))
def test_mask_phones_masks_numbers_without_a_gap(pieces: list[str]) -> None:
    """Adjacent numbers without a gap are all masked."""
    masked = mask_phones("".join(pieces))
    assert not [spelling for spelling in _SPELLINGS[:4] if spelling in masked]


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01 10:00:42",
        "2027-03-01T10:00:00+03:00",
        "d_schedule: intended 1796108400",
        "max_cost: 1234.56, 12345678 recipients",
        "25 2026-12-01",
        "29.11.2026 10:00",
        "+03:00 2026-12-01 10:00:42",
        "0.026",
    ],
)
def test_mask_phones_keeps_times_sums_and_counts(text: str) -> None:
    """Times, sums and counts, without which a report is useless, are not masked."""
    assert mask_phones(text) == text


@pytest.mark.parametrize(
    ("text", "values", "masked"),
    [
        ("Анна, скидка 15%", ["Анна", "15"], "А***, скидка 15%"),
        ("АННА, ждём", ["Анна Петрова"], "А***, ждём"),
        ("Ann, see the announcement", ["Ann"], "A**, see the announcement"),
        ("Order A-10234 is ready", ["A-10234"], "Order A****** is ready"),
        ("(x) a+b", ["(x)", "a+b"], "(** a**"),
        ("nothing", ["", " ", "1"], "nothing"),
    ],
)
def test_mask_values_keeps_first_letter_and_length(text: str, values: list[str], masked: str) -> None:
    """A value is masked as a whole and word by word, in any case, at the same length."""
    assert mask_values(text, values) == masked


@given(
    st.integers(0, 9_999_999).map(lambda n: f"37529{n:07d}"),
    st.sampled_from([" ", "-", " - ", "\u00a0"]),
)
def test_mask_phone_in_hides_the_complete_number(phone: str, gap: str) -> None:
    """However a template groups the digits, they are masked at the same length."""
    written = gap.join([phone[:3], phone[3:5], phone[5:8], phone[8:10], phone[10:]])
    for text in (f"call {phone}", f"call +{written}!", f"call 80{phone[3:]}"):
        masked = mask_phone_in(text, phone)
        assert phone[-9:] not in "".join(character for character in masked if character.isdigit())
        assert len(masked) == len(text)


@given(st.from_regex(r"[0-9]{1,15}", fullmatch=True))
def test_mask_phone_never_shows_a_complete_number(phone: str) -> None:
    """At most the prefix and the last two digits stay readable, at the same length."""
    masked = mask_phone(phone)
    assert phone not in masked
    assert len(masked) == len(phone)
    assert sum(character.isdigit() for character in masked) <= 7


@given(st.text(max_size=20), st.from_regex(r"375(25|29|33|44)[0-9]{7}", fullmatch=True), st.text(max_size=20))
def test_mask_phones_hides_a_number_in_any_text(before: str, phone: str, after: str) -> None:
    """A number is masked in any text, and masking the result again changes nothing."""
    masked = mask_phones(before + phone + after)
    assert phone not in masked
    assert mask_phones(masked) == masked


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("", "the same message exists, x"),
        ("x", "the same message exists, <hidden>"),  # a sandbox accepts any token
        ("exists, x", "the same message <hidden>"),
        ("an-eight-digit-one", "the same message exists, x"),
        ("essage exi", "the same m<hidden>sts, x"),
    ],
)
def test_hide_token_keeps_words_that_contain_a_short_one(token: str, shown: str) -> None:
    """A short token is hidden only as a whole word, so that the text of a known error stays recognizable."""
    assert hide_token("the same message exists, x", token) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /api/v1/getBalance?token=abc&x=1", "GET /api/v1/getBalance?token=<hidden>&x=1"),
        ("x=1&Token=abc", "x=1&Token=<hidden>"),
        ('{"token": "abc", "x": 1}', '{"token": "<hidden>", "x": 1}'),
        ("a token is missing", "a token is missing"),
    ],
)
def test_hide_token_parameters_hides_any_token(text: str, shown: str) -> None:
    """The value of a token parameter is hidden in a URL, a form or JSON, even if it is unknown."""
    assert hide_token_parameters(text) == shown


def test_filter_log_record_hides_the_query_of_a_url(caplog: pytest.LogCaptureFixture) -> None:
    """The query of a URL, with token, phone and text, is hidden in a log record and its arguments, and no other record."""
    logger = logging.getLogger("test.privacy")
    logger.addFilter(filter_log_record)
    with caplog.at_level(logging.DEBUG, "test.privacy"):
        logger.debug("GET %s", "/getBalance?phone=375291234567&token=secret")
        logger.debug("GET %s", "/getBalance")
    assert [record.getMessage() for record in caplog.records] == [
        f"GET /getBalance?{HIDDEN}",
        "GET /getBalance",
    ]
    assert caplog.records[1].args == ("/getBalance",)


def test_hide_secrets_hides_passwords_and_long_numbers() -> None:
    """A driver's message shows neither given secrets nor a number that could be a phone; short numbers stay."""
    text = hide_secrets("value 375 29 123-45-67 of user shop:pass-word at port 5432", ["pass-word", None, ""])
    assert text == "value <hidden> of user shop:<hidden> at port 5432"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("no url", "no url"),
        ("https://example.by/smsby-callback", "https://example.by/smsby-callback"),
        ("https://example.by:8443", "https://example.by:8443"),
        ("https://app.sms.by@evil.example/x", f"https://{HIDDEN}@evil.example/x"),
        ("https://a@b@evil.example", f"https://{HIDDEN}@evil.example"),
        ("https://evil.example?app.sms.by/", f"https://evil.example?{HIDDEN}"),
        ("https://evil.example#@app.sms.by/", f"https://evil.example?{HIDDEN}"),
        ("https://evil.example\\@app.sms.by/", "https://evil.example\\@app.sms.by/"),
        ("https://x.by/cb/0123456789abcdef0123/y?k=1", f"https://x.by/cb/{HIDDEN}/y?{HIDDEN}"),
    ],
)
def test_shown_url_keeps_the_host(url: str, shown: str) -> None:
    """A shown URL has its host, but no user, password, query or long segment."""
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("4c6f766520697320", b'{"status": "xx<hidden><hidden>yy"}'),
        ("sandbox", b'{"status": "xxsandboxsandboxyy"}'),
        ("12345678", b'{"status": "xx1234567812345678yy"}'),
    ],
)
def test_hide_echo_hides_a_token_in_any_value(token: str, shown: bytes) -> None:
    """A token is hidden even within a word, unless it is short or has only digits, and may occur by chance."""
    assert hide_echo(f'{{"status": "xx{token}{token}yy"}}'.encode(), token) == shown


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Anna, your order is ready", HIDDEN),
        ("bad: Anna, your order is ready!", f"bad: {HIDDEN}!"),
        ("bad: Anna, your or and order is ready", f"bad: {HIDDEN} and{HIDDEN}"),
        ("bad: your order", "bad: your order"),  # perhaps by chance
        ("limit exceeded", "limit exceeded"),
        ("", ""),
    ],
)
def test_hide_quotes_hides_what_is_quoted(message: str, shown: str) -> None:
    """A quoted value, even a part of a text with other white space, is hidden in a message."""
    assert hide_quotes(message, ["x", "Anna,  your\norder is ready"]) == shown
    assert hide_quotes(message, []) == message


@pytest.mark.parametrize("token", ["eyJpdiI6/a+b==", "тайный ключ", "0123456789abcdef"])
@pytest.mark.parametrize(
    "spell",
    [
        str, quote, quote_plus, lambda token: quote(token, safe=""),
        lambda token: re.sub("%..", lambda code: code[0].lower(), quote_plus(token)), json.dumps,
        lambda token: json.dumps(token).replace("/", "\\/"),
    ],
    ids=["plain", "path", "form", "all", "lower", "json", "php"],
)  # fmt: skip
def test_token_is_hidden_in_every_spelling(token: str, spell: Callable[[str], str]) -> None:
    """The token is hidden even as encoded in a URL or in JSON, as sms.by may quote a request's address."""
    written = spell(token).strip('"')
    text = f"GET /getBalance?token={written}&x=1"
    shown = f"GET /getBalance?token={HIDDEN}&x=1"
    assert hide_token(text, token) == shown
    content = text.encode()
    assert hide_echo(content, token).decode() == shown
    pieces = (content[place : place + 5] for place in range(0, len(content), 5))
    assert b"".join(hide_echoes(pieces, token)) == hide_echo(content, token)


@pytest.mark.parametrize("mark", ["1234567890", "a123456789", "123456789f", "0291234567"])
def test_mask_phones_leaves_fingerprints(mark: str) -> None:
    """Fingerprints, needed to find a mailing at sms.by, are kept, and numbers of another length are masked."""
    text = f"sale/vip shop~staging#{mark} [1/2]"
    assert mask_phones(text) == text
    assert mask_phones(f"shop#{mark}75") != f"shop#{mark}75"
    assert mask_phones("account 375291234567, id 375291234567") == "account 37529*****67, id 37529*****67"
    assert mask_phones("#375291234567 and #+375291234567") == "#37529*****67 and #+37529*****67"


@pytest.mark.parametrize(
    "text",
    [
        "what account a1234567890b of https://app.sms.by accepted, but account 12345678901f",
        "signed: 2 of plan 1234567890ab",
        "facts.1234567890ab.currency: BYN",
        "план 1234567890ab, commit 12345678901e",
        "файл блокировки ведёт аккаунт a1234567890b",
        "`sale/vip shop#1234567890` (uuid cc9c8043-8caf-11ef-b035-123456789012)",
    ],
)
def test_mask_phones_leaves_ids(text: str) -> None:
    """Ids, one in thirty of which has nine digits in a row, are kept in every language, so that users can compare them."""
    assert mask_phones(text) == text


@pytest.mark.parametrize("word", ["a80291234567", "ab291234567c", "id ab291234567c", "план 80291234567f"])
def test_mask_phones_takes_no_number_for_an_id(word: str) -> None:
    assert "291234567" not in mask_phones(word)
