"""Changes against a base in words, and what a comment folds away."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

import pytest

from smsby_deploy.output.plan_words import (
    change_text,
    changes_text,
    chunks_section,
    is_foreign,
    local_and_utc,
    word_diff,
)
from smsby_deploy.output.translation import ENGLISH, translator
from smsby_deploy.plan.base_changes import BaseChanges, SettingChange
from smsby_deploy.plan.base_comparison import Change
from smsby_deploy.plan.desired import ChunkPlan
from smsby_deploy.plan.model import ActionKind
from tests.output.examples import action


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(is_new=True), "new"),
        (Change(), "same"),
        (
            Change(recipients=-988, parts=-1000, cost=Decimal(-26)),
            "-988 recipients, -1,000 parts, -26.00 BYN",
        ),
        (Change(recipients=1, parts=1), "+1 recipient, +1 part"),
        (Change(has_other_recipients=True), "recipients or their texts"),
        (Change(has_other_recipients=True, has_new_text=True), "perhaps recipients, text"),
        (Change(has_other_recipients=True, has_new_content=True), "perhaps recipients, content"),
        (Change(has_other_rows=True), "order or texts of recipients"),
        (Change(has_other_rows=True, has_new_text=True), "text"),
        (Change(moved=(412, 38)), "+412 -38 recipients"),
        (Change(moved=(0, 1038)), "-1,038 recipients"),
        (Change(moved=(0, 1)), "-1 recipient"),
        (Change(has_new_sender=True, has_new_time=True, has_new_text=True), "sender, time, text"),
        (Change(has_new_sender=True, has_new_text=None), "sender, perhaps text"),
        (Change(has_new_content=True), "content"),
    ],
)
def test_change_text_names_each_difference(change: Change, text: str) -> None:
    """Numbers are signed and agree with their nouns, and a text that may have changed is mentioned."""
    assert change_text(change, "BYN") == text


def test_change_text_has_one_minus() -> None:
    """Counts have the minus sign of the language, like money."""
    change = Change(recipients=-100, parts=-100, cost=Decimal("-2.6"))
    said = change_text(change, "BYN", translator("ru"))
    assert said == "−100 получателей, −100 частей, −2,60 BYN"
    assert change_text(Change(moved=(1, 38)), "BYN", translator("ru")) == "+1 −38 получателей"


def test_word_diff_compares_words() -> None:
    """Common words appear once, HTML is escaped, and phone numbers are masked."""
    assert word_diff("Shop opens at <b>9</b>", "Shop opens at 10, call 375291234567") == (
        "Shop opens at <del>&lt;b&gt;9&lt;/b&gt;</del><ins>10, call 37529*****67</ins>"
    )


def test_word_diff_ignores_common_blanks() -> None:
    """A blank that both texts have does not hide a common word."""
    diff = word_diff("Your spring discount waits", "Your discount of May: waits")
    assert diff == "Your <del>spring </del>discount <ins>of May: </ins>waits"


def test_word_diff_of_a_long_text_is_quick() -> None:
    """Two texts of 100,000 characters are compared quickly, not each word with each other, which would take days."""
    before, after = (" ".join(words * 25_000) for words in ("ab", "ba"))
    assert word_diff(before, after) == f"<del>{before}</del>\n<ins>{after}</ins>"


def test_word_diff_masks_a_changed_number() -> None:
    """Numbers are masked before words are compared, so their differing digits are not shown."""
    diff = word_diff("call +375 29 123-45-67", "call +375 29 128-45-67")
    assert not {"123", "128"} & set(re.findall(r"\d+", diff))


@pytest.mark.parametrize(
    ("settings", "lock_changes", "gaps", "text"),
    [
        (0, 0, (), ""),
        (1, 0, (), "1 setting changed"),
        (2, 1, ("no file",), "2 settings and 1 lock entry changed"),
        (0, 2, (), "2 lock entries changed"),
        (0, 0, ("no file",), "not everything could be compared"),
    ],
)
def test_changes_text_counts_what_changed(
    settings: int, lock_changes: int, gaps: tuple[str, ...], text: str
) -> None:
    """The text of other changes is empty only if nothing besides the mailings needs a look."""
    change = SettingChange("lock", None, "other.json")
    assert changes_text(BaseChanges("main", (change,) * settings, lock_changes, gaps)) == text


def test_only_the_usual_service_is_not_named() -> None:
    """A service with another host, port or scheme than the usual one is named."""
    assert not is_foreign("https://app.sms.by")
    for service in ("https://app.startsend.ru", "http://app.sms.by", "https://app.sms.by:8443"):
        assert is_foreign(service)


def test_section_of_chunks_has_waves_and_variants() -> None:
    """The waves and variants of chunks have their own columns, if the mailing has any."""
    chunks = (ChunkPlan("aaaaaaaaaa", 2, "d", wave=1, variant="b"), ChunkPlan("bbbbbbbbbb", 10, "d", wave=2))
    shown = chunks_section(action("sale/vip", ActionKind.CREATE, chunks=chunks), ENGLISH)
    assert "| chunk | fingerprint | recipients | wave | variant |" in shown
    assert "| 1 | <code>aaaaaaaaaa</code> | 2 | 1 | b |" in shown
    plain = chunks_section(
        action("sale/vip", ActionKind.CREATE, chunks=(ChunkPlan("aaaaaaaaaa", 2, "d"),)), ENGLISH
    )
    assert "| chunk | fingerprint | recipients |\n|---:|---|---:|\n" in plain


def test_local_and_utc_name_the_day_if_it_differs() -> None:
    """A local time has the zone's name if known, else its offset; a UTC time on another day has its date."""
    assert local_and_utc(datetime.fromisoformat("2027-03-01T10:00:00+03:00"), "Europe/Minsk", ENGLISH) == (
        "Mon 1 Mar 2027 10:00 Europe/Minsk",
        "07:00 UTC",
    )
    assert local_and_utc(datetime.fromisoformat("2027-03-01T01:00:00+03:00"), None, ENGLISH) == (
        "Mon 1 Mar 2027 01:00 +03:00",
        "Sun 28 Feb 2027 22:00 UTC",
    )
