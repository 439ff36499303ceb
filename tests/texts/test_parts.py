"""Parts: sms.by's own table to the byte, GSM 03.38 beside it, and where a part ends."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.sandbox.errors import Refusal
from smsby_deploy.sandbox.parts import count_parts
from smsby_deploy.texts.parts import (
    Encoding,
    TextSize,
    TextTooLong,
    measure_gsm,
    measure_text,
    split_parts,
)

_texts = st.text(st.sampled_from("aя[\n€—😀 é"), max_size=700)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1), ("a" * 161, 2), ("a" * 459, 3), ("a" * 460, 4), ("a" * 628, 4), ("a" * 629, 5),
        ("a" * 942, 6), ("a" * 943, 7), ("a" * 1530, 10), ("я" * 70, 1), ("я" * 71, 2), ("я" * 201, 3),
        ("я" * 252, 4), ("я" * 253, 5), ("я" * 378, 6), ("я" * 379, 7), ("я" * 670, 10), ("[" * 80, 1),
        ("[" * 81, 2), ("~" * 160, 1), ("[" * 1000, 10), ("\n" + "я" * 69, 2), ("я" * 69 + "\n", 1),
    ],
)  # fmt: skip
def test_parts_are_counted_by_the_providers_table(text: str, parts: int) -> None:
    """The test vectors of sms.by's own counter."""
    assert measure_text(text).parts == parts


@pytest.mark.parametrize(
    ("letter", "row"),
    [
        ("a", (160, 306, 459, 628, 785, 942, 1071, 1224, 1377, 1530)),
        ("я", (70, 134, 201, 252, 315, 378, 469, 536, 603, 670)),
    ],
)
def test_every_border_of_the_table(letter: str, row: tuple[int, ...]) -> None:
    """The last character of each part, and the one that opens the next; written here a second time, from the SDK."""
    for parts, most in enumerate(row, 1):
        assert measure_text(letter * most).parts == parts
        if parts < len(row):
            assert measure_text(letter * (most + 1)).parts == parts + 1


@pytest.mark.parametrize("text", ["a" * 1531, "я" * 671])
def test_more_than_ten_parts_is_an_error(text: str) -> None:
    """What sms.by does not take is refused."""
    with pytest.raises(TextTooLong):
        measure_text(text)


@given(_texts, st.text(max_size=3))
def test_a_longer_text_never_takes_fewer_parts(text: str, more: str) -> None:
    """Parts never fall when a text grows."""
    with contextlib.suppress(TextTooLong):
        assert measure_text(text).parts <= measure_text(text + more).parts


@pytest.mark.parametrize(
    ("text", "encoding"), [("Hello", Encoding.GSM7), ("Hello —", Encoding.UCS2), ("5 €", Encoding.UCS2)]
)
def test_one_character_beyond_ascii_makes_a_text_unicode(text: str, encoding: Encoding) -> None:
    """sms.by takes ASCII for Latin and nothing else, € neither."""
    assert measure_text(text).encoding is encoding


@pytest.mark.parametrize(
    ("text", "billed", "gsm"),
    [
        ("a" * 613, 4, 5), ("a" * 628, 4, 5), ("a" * 785, 5, 6), ("a" * 942, 6, 7), ("a" * 612, 4, 4),
        ("я" * 268, 5, 4), ("я" * 335, 6, 5), ("я" * 402, 7, 6), ("é" * 160, 3, 1), ("~" * 160, 1, 3),
        ("😀" * 36, 1, 2), ("\n" * 81, 2, 1), ("`" * 80, 1, 2),
    ],
)  # fmt: skip
def test_gsm_counts_otherwise_where_it_is_known_to(text: str, billed: int, gsm: int) -> None:
    """Four to six parts, accents, tilde, emoji, line breaks and the backtick."""
    assert (measure_text(text).parts, measure_gsm(text).parts) == (billed, gsm)


@given(_texts)
def test_the_pieces_are_the_text(text: str) -> None:
    """Joined they are the text, none but the last exceeds its share, and there are no more than parts."""
    try:
        size = measure_text(text)
    except TextTooLong:
        return
    pieces = split_parts(text, size)
    assert "".join(pieces) == text
    assert len(pieces) <= size.parts
    assert all(pieces) or not text


def test_a_doubled_character_is_not_cut() -> None:
    """153 units a part: the bracket that would begin at the 153rd goes to the next."""
    text = "a" * 152 + "[" + "b" * 20
    assert split_parts(text, measure_text(text)) == ["a" * 152, "[" + "b" * 20]


def test_what_fits_without_another_part() -> None:
    """A reviewer sees how near the border is."""
    assert measure_text("a" * 200) == TextSize(Encoding.GSM7, 200, 2)
    assert measure_text("a" * 200).capacity == 306


@given(_texts)
def test_the_sandbox_bills_what_is_counted_here(text: str) -> None:
    """Two counters, written apart, agree on every text."""
    try:
        billed = count_parts(text)
    except Refusal:
        with pytest.raises(TextTooLong):
            measure_text(text)
        return
    assert measure_text(text).parts == billed
