"""Rewriting: plain characters where that makes a text GSM-7, and Latin letters where requested."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Rewrite
from smsby_deploy.texts.parts import TextTooLong, measure_text
from smsby_deploy.texts.rewrite import SMART, Rewriter, smart_encode, transliterate

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
    """Letters are never changed; a text that would stay UCS-2 is left alone."""
    assert smart_encode(text) == plain


@given(st.text(st.sampled_from("aZ5 é я" + "".join(SMART)), max_size=200))
def test_smart_encode_is_idempotent_and_never_costs(text: str) -> None:
    """Encoding twice equals encoding once, and no text takes more parts afterwards."""
    plain = smart_encode(text)
    assert smart_encode(plain) == plain
    assert "".join(c for c in plain if c.isalpha()) == "".join(c for c in text if c.isalpha())
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
    """Quotes and dashes of a Russian text are replaced once its letters are Latin."""
    rewriter = Rewriter(Rewrite(smart_encoding=True, transliterate=True))
    assert rewriter.apply("«Кветка» — ждём") == '"Kvetka" - zhdyom'
    assert rewriter.replaced == {"«", "»", "—"}


def test_rewriter_changes_nothing_by_default() -> None:
    """Without options every text stays the same."""
    assert Rewriter(Rewrite()).apply("«Кветка» — ждём") == "«Кветка» — ждём"
