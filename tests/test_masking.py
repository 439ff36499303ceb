from __future__ import annotations

import pytest

from smsby_deploy.privacy import mask_phones, mask_values


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
def test_a_number_is_starred_out_however_it_is_written(text: str, masked: str) -> None:
    """Enough stays to know one's own row again, not to call anybody."""
    assert mask_phones(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01 10:00:42",
        "2027-03-01T10:00:00+03:00",
        "d_schedule: 1796108400 was meant",
        "max_cost: 1234.56, 12345678 people",
        "25 2026-12-01",
        "29.11.2026 10:00",
        "0.026",
    ],
)
def test_times_sums_and_counts_stay(text: str) -> None:
    """A report whose times are starred out helps nobody."""
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
def test_a_value_keeps_its_first_letter_and_its_length(text: str, values: list[str], masked: str) -> None:
    """Whole or by its words, in any case; parts are counted over the same length."""
    assert mask_values(text, values) == masked
