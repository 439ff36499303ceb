"""Parts: sms.by's billing table, the count by GSM 03.38, and where a part ends."""

from __future__ import annotations

import contextlib
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.sandbox.models import count_parts
from smsby_deploy.sandbox.protocol import Refusal
from smsby_deploy.texts.cost import count_gsm_parts
from smsby_deploy.texts.encoding_lint import may_be_expensive
from smsby_deploy.texts.parts import (
    Encoding,
    TextSize,
    TextTooLong,
    measure_batch,
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
def test_measure_text_uses_the_billing_table(text: str, parts: int) -> None:
    """The test vectors of sms.by's own SDKs are met."""
    assert measure_text(text).parts == parts


@pytest.mark.parametrize(
    ("letter", "row"),
    [
        ("a", (160, 306, 459, 628, 785, 942, 1071, 1224, 1377, 1530)),
        ("я", (70, 134, 201, 252, 315, 378, 469, 536, 603, 670)),
    ],
)
def test_measure_text_at_every_border_of_the_table(letter: str, row: tuple[int, ...]) -> None:
    """The last unit of each row of the SDK's table, and the first of the next, are counted as there."""
    for parts, most in enumerate(row, 1):
        assert measure_text(letter * most).parts == parts
        if parts < len(row):
            assert measure_text(letter * (most + 1)).parts == parts + 1


@pytest.mark.parametrize("text", ["a" * 1531, "я" * 671])
def test_measure_text_refuses_over_ten_parts(text: str) -> None:
    """A text of over ten parts, which sms.by would reject, is an error."""
    with pytest.raises(TextTooLong):
        measure_text(text)


@given(_texts, st.text(max_size=3))
def test_measure_text_grows_with_the_text(text: str, more: str) -> None:
    """A longer text never takes fewer parts."""
    with contextlib.suppress(TextTooLong):
        assert measure_text(text).parts <= measure_text(text + more).parts


@pytest.mark.parametrize(
    ("text", "encoding"), [("Hello", Encoding.GSM7), ("Hello —", Encoding.UCS2), ("5 €", Encoding.UCS2)]
)
def test_measure_text_treats_non_ascii_as_ucs2(text: str, encoding: Encoding) -> None:
    """Only ASCII is billed as GSM-7, so € makes a text UCS-2."""
    assert measure_text(text).encoding is encoding


@pytest.mark.parametrize(
    ("text", "billed", "gsm"),
    [
        ("a" * 613, 4, 5), ("a" * 628, 4, 5), ("a" * 785, 5, 6), ("a" * 942, 6, 7), ("a" * 612, 4, 4),
        ("я" * 268, 5, 4), ("я" * 335, 6, 5), ("я" * 402, 7, 6), ("é" * 160, 3, 1), ("~" * 160, 1, 3),
        ("😀" * 36, 1, 2), ("\n" * 81, 2, 1), ("`" * 80, 1, 2),
    ],
)  # fmt: skip
def test_measure_gsm_differs_where_documented(text: str, billed: int, gsm: int) -> None:
    """The counts differ at four to six parts, and with accents, tilde, emoji, line breaks and the backtick."""
    assert (measure_text(text).parts, measure_gsm(text).parts) == (billed, gsm)


@given(_texts)
def test_split_parts_keeps_the_text(text: str) -> None:
    """The pieces join to the text, none is empty, and there are no more than parts."""
    try:
        size = measure_text(text)
    except TextTooLong:
        return
    pieces = split_parts(text, size)
    assert "".join(pieces) == text
    assert len(pieces) <= size.parts
    assert all(pieces) or not text


def test_split_parts_does_not_cut_a_doubled_character() -> None:
    """A bracket takes two of the 153 units, and moves to the next part rather than being split."""
    text = "a" * 152 + "[" + "b" * 20
    assert split_parts(text, measure_text(text)) == ["a" * 152, "[" + "b" * 20]


def test_text_size_knows_its_capacity() -> None:
    """The capacity shows a reviewer how many units still fit."""
    assert measure_text("a" * 200) == TextSize(Encoding.GSM7, 200, 2)
    assert measure_text("a" * 200).capacity == 306


@given(_texts)
def test_measure_text_equals_the_sandbox(text: str) -> None:
    """Two independent implementations agree on every text."""
    try:
        billed = count_parts(text)
    except Refusal:
        with pytest.raises(TextTooLong):
            measure_text(text)
        return
    assert measure_text(text).parts == billed


@given(
    st.lists(
        st.text(st.sampled_from("abАбéё€😀—\n[^~`\f "), max_size=300).map(lambda text: text * 2), max_size=6
    )
)
def test_measure_batch_is_the_sum_of_its_texts(texts: list[str]) -> None:
    """A batch is measured at once only if none of its texts is expensive or counted differently by GSM 03.38."""
    together = measure_batch(texts)
    if together is None:
        return
    assert all(texts)  # a text that failed has no parts
    sizes = [measure_text(text) for text in texts]
    assert together.parts == sum(size.parts for size in sizes)
    assert together.longest == max((size.parts for size in sizes), default=0)
    assert together.gsm7 == sum(size.encoding is Encoding.GSM7 for size in sizes)
    for text, size in zip(texts, sizes, strict=True):
        assert count_gsm_parts(text, size) == size.parts
        assert size.encoding is Encoding.GSM7 or not may_be_expensive(text)


@pytest.mark.parametrize(("letter", "others"), list(product("aЯ", [["Анна", "Ян Яя"], ["Anna"], []])))
def test_measure_batch_covers_every_length(letter: str, others: list[str]) -> None:
    """A batch agrees with single texts at every length up to three parts."""
    for length in range(2, 700):
        text = letter * length
        try:
            size = measure_text(text)
        except TextTooLong:
            size = None
        together = measure_batch([*others, text])
        if size is not None and size.parts <= 3:
            assert together is not None
            assert together.parts == size.parts + len(others)
        else:
            assert together is None
