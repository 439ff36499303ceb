"""Masking: no whole phone number and no personal value is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.privacy import mask_phone_in, mask_phones, mask_values


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call 375291234567 now", "call 37529*****67 now"),
        ("+375 (29) 123-45-67", "+375 (29) ***-**-67"),
        ("8 029 123 45 67", "8 029 1** ** 67"),
        ("80291234567", "80291****67"),
        ("29 123-45-67", "29 123-**-67"),
        ("79161234567", "79161****67"),
        ("a375291234567b", "a37529*****67b"),
    ],
)
def test_mask_phones_masks_every_spelling(text: str, masked: str) -> None:
    """Enough digits remain to recognize a row, too few to call the number."""
    assert mask_phones(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01 10:00:42",
        "2027-03-01T10:00:00+03:00",
        "d_schedule: intended 1796108400",
        "max_cost: 1234.56, 12345678 people",
        "25 2026-12-01",
        "29.11.2026 10:00",
        "0.026",
    ],
)
def test_mask_phones_keeps_times_sums_and_counts(text: str) -> None:
    """A report is useless if its times are masked."""
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
def test_mask_phone_in_hides_the_whole_number(phone: str, gap: str) -> None:
    """However a template groups the digits, they are masked and the length does not change."""
    written = gap.join([phone[:3], phone[3:5], phone[5:8], phone[8:10], phone[10:]])
    for text in (f"call {phone}", f"call +{written}!", f"call 80{phone[3:]}"):
        masked = mask_phone_in(text, phone)
        assert phone[-9:] not in "".join(character for character in masked if character.isdigit())
        assert len(masked) == len(text)
