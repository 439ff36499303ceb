"""The ledger of contacts: hashes of phones."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.plan.contact_ledger import PhoneHasher, count_messages

_SECRET = b"s" * 32


def test_phone_hasher_depends_on_the_token() -> None:
    phone = "375291234567"
    assert PhoneHasher(_SECRET)(phone) == PhoneHasher(_SECRET)(phone)
    assert PhoneHasher(_SECRET)(phone) != PhoneHasher(b"t" * 32)(phone)


@given(st.lists(st.sets(st.integers(0, 20))), st.integers(0, 20))
def test_count_messages_counts_each_mailing_once(mailings: list[set[int]], phone: int) -> None:
    hashes = [array("Q", sorted(one)) for one in mailings]
    assert count_messages(hashes, phone) == sum(phone in one for one in mailings)
