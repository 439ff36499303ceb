"""The codes of mobile operators are in one place, so that a new one is accepted, masked and counted."""

from __future__ import annotations

import pytest

from smsby_deploy.numbering_plan import OPERATORS
from smsby_deploy.privacy import mask_phones
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.phones import normalize_all, normalize_phone


@pytest.mark.parametrize("code", OPERATORS)
def test_operators_are_known_wherever_phones_are(code: str) -> None:
    """A number of each operator is normalized, stored in a set, and masked in a text."""
    phone = f"375{code}1234567"
    assert normalize_phone(f"8 0{code} 123-45-67") == phone
    assert normalize_all([f"+375 {code} 123-45-67", phone]) == ([phone, phone], {})
    phones = PhoneSet()
    phones.add_all(number_phones([phone]))
    assert phone in phones
    assert mask_phones(f"call {code} 123-45-67") == f"call {code} 123-**-67"


def test_operators_do_not_have_other_codes() -> None:
    """A landline of Minsk is not a mobile number."""
    phones, invalid = normalize_all(["375171234567"])
    assert phones == ["375171234567"]
    assert invalid == {0: "not a Belarusian mobile number (codes 25, 29, 33, 44)"}
