"""Parts and outcomes of messages."""

from __future__ import annotations

import pytest

from smsby_deploy.sandbox.models import count_parts, default_outcome
from smsby_deploy.sandbox.protocol import Refusal
from tests.sandbox.conftest import Client


def test_default_outcome_is_repeatable(sms: Client) -> None:
    """Outcomes are the same in every run, about nine of ten delivered, and a phone can be given another."""
    fates = [default_outcome(f"37529{n:07}") for n in range(1000)]
    assert fates == [default_outcome(f"37529{n:07}") for n in range(1000)]
    assert 860 < fates.count("DELIVERED") < 940
    assert {"UNDELIVERED", "SENT"} < set(fates)
    sms.control("settings", {"fates": {"375291111111": "EXPIRED"}})
    sms.bulk("375291111111")
    sms.control("clock", {"advance": 10})
    assert sms.inbox()["375291111111"][0]["status"] == "EXPIRED"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 459, 3),
        ("a" * 460, 4),
        ("a" * 628, 4),
        ("a" * 629, 5),
        ("a" * 942, 6),
        ("a" * 943, 7),
        ("a" * 1530, 10),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 201, 3),
        ("я" * 252, 4),
        ("я" * 253, 5),
        ("я" * 378, 6),
        ("я" * 379, 7),
        ("я" * 670, 10),
        ("[" * 80, 1),
        ("[" * 81, 2),
        ("[" * 1000, 10),
        ("~" * 160, 1),
    ],
)
def test_count_parts_follows_the_table_of_the_provider(text: str, parts: int) -> None:
    """The test vectors of the provider's own counter are met."""
    assert count_parts(text) == parts


@pytest.mark.parametrize("text", ["a" * 1531, "я" * 671])
def test_count_parts_refuses_more_than_ten(text: str) -> None:
    """More than ten parts are an error in the words of the provider."""
    with pytest.raises(Refusal, match="Message is too long"):
        count_parts(text)
