"""Characters that make a text more expensive than GSM-7, and what they add over all its recipients."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.sources import Rewrite
from smsby_deploy.texts.encoding_lint import (
    SMART,
    ExpensiveCharacters,
    Rewriter,
    describe_expense,
    smart_encode,
    transliterate,
)
from smsby_deploy.texts.parts import TextTooLong, measure_text
from tests.texts.rendering import render_one

_PRICE = Decimal("0.026")


def _describe(text: str, recipients: int = 10) -> list[str]:
    found = ExpensiveCharacters()
    found.count(text, measure_text(text), _PRICE * recipients, recipients=recipients, row=None)
    return [describe_expense(characters, expense, "BYN") for characters, expense in found.by_parts_added()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("— " + "x" * 155, "1 character (U+2014 —) adds 20 parts (0.52 BYN): write - instead, or set `smart_encoding: true`"),
        # The text alone takes two of the five parts; the character adds the other three.
        ("— " + "x" * 300, "1 character (U+2014 —) adds 30 parts (0.78 BYN): write - instead, or set `smart_encoding: true`"),
        ("5 € " + "x" * 153, "1 character (U+20AC €) adds 20 parts (0.52 BYN): write EUR instead"),
        ("Hell\u043e " + "x" * 150, "1 character (U+043E \u043e) adds 20 parts (0.52 BYN): write o instead"),
        # Texts that are UCS-2 in any case, 70 characters long without the invisible ones.
        *((f"{mark}{'я' * 70}", f"1 character ({code}) adds 10 parts (0.26 BYN): leave it out") for mark, code in (
            ("\u200b", "U+200B"), ("\u00ad", "U+00AD"), ("\u200e", "U+200E"), ("\ufeff", "U+FEFF"),
            ("\u2028", "U+2028"), ("\u2029", "U+2029"), ("\u180e", "U+180E"), ("\u034f", "U+034F"), ("\u2063", "U+2063"),
            ("\u3164", "U+3164"), ("\u2800", "U+2800"),
        )),
        ("❤\ufe0f" + "ж" * 69, "1 character (U+FE0F) adds 10 parts (0.26 BYN): leave it out"),
        ("Łódź\u200b" + "x" * 66, "1 character (U+200B) adds 10 parts (0.26 BYN): leave it out"),
    ],
)  # fmt: skip
def test_describe_expense_names_parts_cost_and_remedy(text: str, message: str) -> None:
    """A finding has the parts and the cost over all recipients, and what to write instead."""
    assert _describe(text) == [message]


@pytest.mark.parametrize("text", ["— short", "Привет", "ёж " + "x" * 150, "\u200bПривет", "я" * 71])
def test_expensive_characters_ignore_free_characters(text: str) -> None:
    """A text that stays within its part, or has non-Latin words, has no finding."""
    assert _describe(text) == []


def test_expensive_characters_group_equal_sets() -> None:
    """A set of characters is one finding for all its texts, and the most expensive set comes first."""
    found = ExpensiveCharacters()
    for row, text in enumerate(["— " + "x" * 155, "“" + "x" * 305, "— " + "y" * 155], 2):
        found.count(text, measure_text(text), _PRICE, recipients=1, row=row)
    assert [(sorted(kind), e.parts, e.recipients, e.row) for kind, e in found.by_parts_added()] == [
        (["—"], 4, 2, 2),
        (["“"], 3, 1, 3),
    ]


_cyrillic = st.text(
    st.sampled_from("АБВГҐДЕЁЖЗИІЙКЛМНОПРСТУЎФХЦЧШЩЪЫЬЭЮЯабвгґдеёжзиійклмнопрстуўфхцчшщъыьэюя .,-!5«»")
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Sale — 5%… “now”", 'Sale - 5%... "now"'),
        ("it’s\u00a0on", "it's on"),
        ("a\u200bb\u00adc", "abc"),
        ("Скидка — 5%", "Скидка — 5%"),
        ("Café — open", "Café — open"),
        ("plain", "plain"),
    ],
)
def test_smart_encode_applies_where_it_gives_gsm7(text: str, plain: str) -> None:
    """Letters are never changed, and a text that would stay UCS-2 is left alone."""
    assert smart_encode(text) == plain


@given(st.text(st.sampled_from("aZ5 é я" + "".join(SMART)), max_size=200))
def test_smart_encode_is_idempotent_and_never_costs(text: str) -> None:
    """Encoding twice equals encoding once, and no text takes more parts afterwards."""
    plain = smart_encode(text)
    assert smart_encode(plain) == plain
    letters = text.replace("ʼ", "")  # to Unicode, this apostrophe is a letter
    assert [c for c in plain if c.isalpha() and c != "ʼ"] == [c for c in letters if c.isalpha()]
    try:
        before = measure_text(text).parts
    except TextTooLong:
        return
    assert measure_text(plain).parts <= before or plain.count("...") > 0


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("Щука, ЩУКА и щи!", "Shchuka, SHCHUKA i shchi!"),
        ("Ёлка – съезд, объём", "Yolka – sezd, obyom"),
        ("Дзякуй, Уладзімір! Ў ГОРАДЗЕ", "Dzyakuy, Uladzimir! U GORADZE"),
        ("Я люблю ЖЖ", "Ya lyublyu ZHZH"),
        ("Ю. Щ", "Yu. Shch"),
        ("и\u0306од", "yod"),
        ("Sale 5% в Минске", "Sale 5% v Minske"),
    ],
)
def test_transliterate_spells_cyrillic_in_latin(text: str, latin: str) -> None:
    """Case, punctuation and Latin words stay the same."""
    assert transliterate(text) == latin


@given(_cyrillic)
def test_transliterate_keeps_other_characters(text: str) -> None:
    """No Cyrillic letter remains, and every other character stays in its order."""
    latin = transliterate(text)
    assert not any("\u0400" <= character <= "\u04ff" for character in latin)
    assert [c for c in latin if not c.isalpha()] == [c for c in text if not c.isalpha()]
    assert transliterate(latin) == latin
    assert text != text.lower() or latin == latin.lower()


def test_rewriter_transliterates_before_smart_encoding() -> None:
    """Quotes and dashes of a Russian text are replaced after its letters were made Latin."""
    rewriter = Rewriter(Rewrite(smart_encoding=True, transliterate=True))
    assert rewriter.apply("«Кветка» — ждём") == '"Kvetka" - zhdyom'
    assert rewriter.replaced == {"«", "»", "—"}


def test_rewriter_changes_nothing_by_default() -> None:
    """Without options every text stays the same."""
    assert Rewriter(Rewrite()).apply("«Кветка» — ждём") == "«Кветка» — ждём"


@pytest.mark.parametrize(
    "text", ["{{ name }}!", "{{ name | trim }}!", "и\u0306 {{ name }}!", "{% set y = 1 %}{{ name }}!"]
)
def test_texts_are_composed_whatever_they_come_from(text: str) -> None:
    """Decomposed letters are composed, in the template, the data or a recipient's text."""
    for name in ("и\u0306", "\u0306x", "Ё"):
        rendered, problems = render_one(text, name=name)
        assert problems == []
        assert rendered == unicodedata.normalize("NFC", rendered)
    assert render_one("и{{ name }}{{ name }}", name="\u0306")[0] == "й\u0306"
    assert render_one("x", own="и\u0306")[0] == "й"


def test_belarusian_apostrophes_are_rewritten() -> None:
    """U+02BC and U+2019 become ' in Latin letters, even without smart_encoding."""
    assert transliterate("сям\u02bcя, аб\u2019ём") == "syam'ya, ab'yom"
    assert smart_encode("O\u02bcNeil \u2019") == "O'Neil '"
