"""All problems are reported together, each with its location, whatever else is wrong."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import PROJECT, Shop

_HEAD = "version: 1\ncampaign: sale\nmailings:\n"


def _shown(shop: Shop) -> list[tuple[str, str, int, int]]:
    result = shop.run("validate", "--format", "json")
    assert result.code == 3
    return [(one["code"], one["file"], one["line"], one["column"]) for one in result.json["problems"]]


def test_one_problem_hides_no_other(shop: Shop) -> None:
    """Wrong keys in smsby.yaml and in a campaign, a wrong time zone and bad phones are all reported in one run."""
    shop.write("smsby.yaml", PROJECT + "bogus: 1\n")
    shop.write(
        "sale.yaml",
        _HEAD
        + '  - {name: one, recipients: ["12"], text: Hi, bogus: 1}\n'
        + '  - {name: two, recipients: ["13"], text: Hi, timezone: X/Y}\n'
        + "  - {name: three, revision: 0}\n"
        + '  - {name: four, recipients: ["375291234567"], text: "{{ missing }}"}\n',
    )
    expected = [
        ("UNKNOWN_KEY", "smsby.yaml", 5, 1),
        ("UNKNOWN_KEY", "sale.yaml", 4, 47),
        ("SCHEMA", "sale.yaml", 6, 5),
        ("SCHEMA", "sale.yaml", 6, 29),
        ("TIMEZONE", "sale.yaml", 5, 57),
        ("PHONE", "sale.yaml", 4, 30),
        ("PHONE", "sale.yaml", 5, 30),
        ("TEMPLATE", "sale.yaml", 7, 58),
    ]
    assert sorted(_shown(shop)) == sorted(expected)


def test_shared_wrong_time_zone_is_reported_once(shop: Shop) -> None:
    """A wrong time zone that several campaigns inherit is reported once, and the plan leaves those campaigns out."""
    shop.write("smsby.yaml", PROJECT + "defaults: {timezone: X/Y}\n")
    for name in ("a", "b"):
        text = f'version: 1\ncampaign: {name}\nmailings:\n  - {{name: m, recipients: ["37529123456{{n}}"], text: Hi}}\n'
        shop.write(f"{name}.yaml", text.replace("{n}", "7"))
    assert _shown(shop) == [("TIMEZONE", "smsby.yaml", 5, 22)]
    plan = shop.run("plan", "--format", "json")
    assert (plan.code, plan.json["actions"]) == (3, [])


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("/etc/*.yaml", "PATH_OUTSIDE"),
        ("../*/*.yaml", "PATH_OUTSIDE"),
        ("**x/*.yaml", "PATTERN"),
        (".", "PATTERN"),
    ],
)
def test_pattern_without_a_campaign_is_reported(shop: Shop, pattern: str, code: str) -> None:
    """A pattern that matches no campaign is reported at its location, not ignored."""
    shop.write("smsby.yaml", PROJECT + f"campaigns: ['{pattern}']\n")
    assert _shown(shop) == [(code, "smsby.yaml", 5, 13)]


def test_empty_campaigns_key_means_no_campaign(shop: Shop) -> None:
    """An empty `campaigns` key means no campaign; only a missing key means every YAML file."""
    shop.write("sale.yaml", _HEAD + '  - {name: one, recipients: ["375291234567"], text: Hi}\n')
    shop.write("smsby.yaml", PROJECT + "campaigns: []\n")
    assert shop.run("plan", "--format", "json").json["actions"] == []


def test_name_with_a_line_break_is_invalid(shop: Shop) -> None:
    """A name that ends with a line break is invalid."""
    shop.write("smsby.yaml", PROJECT.replace("project: shop", 'project: "shop\\n"'))
    assert _shown(shop) == [("SCHEMA", "smsby.yaml", 2, 10)]


def test_unreadable_campaign_makes_no_orphan(shop: Shop) -> None:
    """While a campaign cannot be read, its sent mailings are not orphans, and new mailings not duplicates of them."""
    mailing = '  - {name: one, recipients: ["375291234567"], text: Hi}\n'
    shop.write("sale.yaml", _HEAD + mailing)
    assert shop.run("apply", "--auto-approve").code == 0
    shop.write("sale.yaml", _HEAD + mailing + "bogus: 1\n")
    plan = shop.run("plan", "--format", "json")
    assert (plan.code, plan.json["actions"]) == (3, [])
    assert shop.run("plan", "sale/two").code == 3, "it may be in the invalid file"
