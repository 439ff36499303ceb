"""Texts on paper: whose, which parts, what they cost; nothing in a text can redraw a terminal."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.output.render_text import mask_preview, mask_texts, previews_document, write_previews
from smsby_deploy.texts.parts import measure_gsm, measure_text, split_parts
from smsby_deploy.texts.samples import Preview, Sample


def _preview(text: str, phone: str = "37529*****01") -> Preview:
    size = measure_text(text)
    sample = Sample(
        2, "lists/vip.csv", 3, phone, text, size, measure_gsm(text).parts,
        tuple(split_parts(text, size)), Decimal("0.026") * size.parts, False, ("first",),
    )  # fmt: skip
    return Preview("sale/vip", 7, "BYN", (sample,))


def _written(text: str) -> str:
    stream = StringIO()
    write_previews([_preview(text)], stream, color=False)
    return stream.getvalue()


def test_a_text_with_its_parts() -> None:
    """Whose it is, each part from its number on, and the size against what would still fit."""
    assert _written("я" * 80) == (
        "sale/vip: 7 recipients\n\n"
        "row 2 (lists/vip.csv:3), 37529*****01, first\n"
        f"   1| {'я' * 67}\n   2| {'я' * 13}\n"
        "      2 parts, unicode, 80 of 134, 0.052 BYN\n"
    )


def test_another_count_is_told() -> None:
    """Where GSM 03.38 counts otherwise than sms.by bills."""
    assert "4 parts, Latin, 620 of 628, 0.104 BYN; GSM 03.38 counts 5\n" in _written("a" * 620)


def test_line_breaks_show_and_control_characters_do_not() -> None:
    """A second line is indented under its part; an escape sequence stays harmless."""
    written = _written("one\ntwo\x1b[2J")
    assert "   1| one\n    | two [2J\n" in written


def test_json_holds_the_same() -> None:
    """Numbers as numbers, money as text."""
    text = previews_document([_preview("Hi")])["mailings"][0]["texts"][0]
    assert (text["parts"], text["cost"], text["pieces"], text["gsm_parts"]) == (1, "0.026", ["Hi"], 1)


@given(
    st.integers(0, 9_999_999).map(lambda n: f"37529{n:07d}"),
    st.sampled_from([" ", "-", " - ", "\u00a0"]),
)
def test_a_masked_text_never_holds_the_whole_number(phone: str, gap: str) -> None:
    """However a template writes it, and the parts' borders stay where they are."""
    written = gap.join([phone[:3], phone[3:5], phone[5:8], phone[8:10], phone[10:]])
    for text in (f"call {phone}", f"call +{written}!", f"call 80{phone[3:]}"):
        masked = mask_texts(text, phone)
        assert phone[-9:] not in "".join(character for character in masked if character.isdigit())
        assert len(masked) == len(text)


def test_masked_samples_hide_the_number_in_every_field() -> None:
    """Beside the text, in it, and in its pieces, though it stands across their border; other people's too."""
    preview = _preview("Hi " + "a" * 145 + " 375291111110 or +375 33 765-43-21", phone="375291111110")
    shown = mask_preview(preview)
    assert "375291111110" not in repr(shown)
    assert "765" not in repr(shown)
    assert "".join(shown.samples[0].pieces) == shown.samples[0].text
    assert len(shown.samples[0].pieces) == 2
