"""Declarations: prices, times and the files with phones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import ApiSettings, Mailing, Price
from smsby_deploy.config.sources import FalseText, RecipientsQuery, TextSource
from smsby_deploy.problems import Location
from tests.config.one_campaign import CAMPAIGN, load_one

_NOON = datetime(2026, 11, 24, 9, tzinfo=UTC)


def _mailing(folder: Path) -> Mailing:
    return load_one(folder).project.mailings[0]


def test_price_for_phone_takes_the_longest_prefix() -> None:
    """The longest prefix that matches decides the price, since the loader sorts prefixes by length."""
    price = Price("BYN", Decimal(1), (("37529", Decimal(3)), ("375", Decimal(2))))
    assert [price.for_phone(phone) for phone in ("375291234567", "375331234567", "79161234567")] == [3, 2, 1]


@pytest.mark.parametrize(
    ("late", "max_late", "is_sent_at_once"),
    [
        (timedelta(minutes=-1), None, False),
        (timedelta(minutes=1), None, False),
        (timedelta(minutes=-1), timedelta(hours=1), False),
        (timedelta(0), timedelta(hours=1), True),
        (timedelta(minutes=1), timedelta(hours=1), True),
    ],
)
def test_time_on_wire_of_a_late_mailing(
    late: timedelta, max_late: timedelta | None, is_sent_at_once: bool, tmp_path: Path
) -> None:
    """A passed time is sent to sms.by as it is, unless the mailing has `max_late` and is sent at once."""
    when = _NOON - late
    mailing = _mailing(tmp_path)._replace(schedule_time=when, max_late=max_late)
    assert mailing.time_on_wire(_NOON) == (None if is_sent_at_once else when)


def test_pinned_limits_a_query_to_its_result(tmp_path: Path) -> None:
    """Only recipients of a query are pinned to its result."""
    mailing, place = _mailing(tmp_path), Location("sale.yaml", 5, 5)
    query = RecipientsQuery(
        TextSource("select 1", place), "sql:sale/vip", "DB_URL", None, None, "phone", place
    )
    pinned = mailing._replace(audience=query).pinned({"sql:sale/vip": "abc"}).audience
    assert isinstance(pinned, RecipientsQuery)
    assert pinned.snapshot == "abc"
    assert mailing.pinned({"sql:sale/vip": "abc"}) == mailing


def test_phone_files_names_each_file_once(tmp_path: Path) -> None:
    """Each file with phones, of recipients or opt-outs, is named once."""
    (tmp_path / "buyers.csv").write_text("phone\n375291234567\n", encoding="utf-8")
    (tmp_path / "stop.txt").write_text("375297654321\n", encoding="utf-8")
    campaign = CAMPAIGN.replace('["375291234567"]', "{file: buyers.csv}")
    again = "\n".join(campaign.splitlines()[3:]).replace("vip", "gold")
    project = load_one(tmp_path, "suppress: [stop.txt]\n", f"{campaign}{again}\n").project
    assert [source.name for source in project.phone_files] == ["buyers.csv", "stop.txt"]


@pytest.mark.parametrize(
    ("url", "path", "expected"),
    [
        ("", "abc", ""),
        ("https://example.by/cb", "", "https://example.by/cb"),
        ("https://example.by", "abc", "https://example.by/abc"),
        ("https://example.by/cb/", "abc", "https://example.by/cb/abc"),
        ("https://example.by/cb?k=a/b?c", "abc", "https://example.by/cb/abc?k=a/b?c"),
        ("https://example.by?k=1", "abc", "https://example.by/abc?k=1"),
    ],
)
def test_api_settings_append_the_secret_path(url: str, path: str, expected: str) -> None:
    """The secret path is appended before the query of the callback URL, if there are both a secret and a URL."""
    assert ApiSettings(callback_url=url, callback_path=path).reports_to == expected


def test_false_text_prints_as_written() -> None:
    """A false text is false in a condition, and text everywhere else."""
    assert not FalseText("0.00")
    assert f"{FalseText('0.00')}" == "0.00"
