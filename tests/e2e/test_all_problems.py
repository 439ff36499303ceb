"""All problems are told together, each at its place, whatever else is wrong."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import PROJECT, Shop

_HEAD = "version: 1\ncampaign: sale\nmailings:\n"


def _told(shop: Shop) -> list[tuple[str, str, int, int]]:
    result = shop.run("validate", "--format", "json")
    assert result.code == 3
    return [(one["code"], one["file"], one["line"], one["column"]) for one in result.json["problems"]]


def test_one_problem_hides_no_other(shop: Shop) -> None:
    """A wrong key in smsby.yaml, a wrong key and a wrong zone in a campaign, bad phones in the same mailings."""
    shop.write("smsby.yaml", PROJECT + "bogus: 1\n")
    shop.write(
        "sale.yaml",
        _HEAD
        + '  - {name: one, recipients: ["12"], text: Hi, bogus: 1}\n'
        + '  - {name: two, recipients: ["13"], text: Hi, timezone: X/Y}\n'
        + "  - {name: three, revision: 0}\n"
        + '  - {name: four, recipients: ["375291234567"], text: "{{ nobody }}"}\n',
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
    assert sorted(_told(shop)) == sorted(expected)


def test_a_zone_that_many_take_is_told_once(shop: Shop) -> None:
    """From one place: once, and every campaign that takes it is left out of the plan."""
    shop.write("smsby.yaml", PROJECT + "defaults: {timezone: X/Y}\n")
    for name in ("a", "b"):
        text = f'version: 1\ncampaign: {name}\nmailings:\n  - {{name: m, recipients: ["37529123456{{n}}"], text: Hi}}\n'
        shop.write(f"{name}.yaml", text.replace("{n}", "7"))
    assert _told(shop) == [("TIMEZONE", "smsby.yaml", 5, 22)]
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
def test_a_pattern_that_can_name_no_campaign(shop: Shop, pattern: str, code: str) -> None:
    """It is told at its place, never passed over."""
    shop.write("smsby.yaml", PROJECT + f"campaigns: ['{pattern}']\n")
    assert _told(shop) == [(code, "smsby.yaml", 5, 13)]


def test_no_pattern_means_no_campaign(shop: Shop) -> None:
    """Only a key that is left out stands for every YAML file."""
    shop.write("sale.yaml", _HEAD + '  - {name: one, recipients: ["375291234567"], text: Hi}\n')
    shop.write("smsby.yaml", PROJECT + "campaigns: []\n")
    assert shop.run("plan", "--format", "json").json["actions"] == []


def test_a_name_ends_where_its_letters_end(shop: Shop) -> None:
    """A line break at the end of a name is no part of the pattern."""
    shop.write("smsby.yaml", PROJECT.replace("project: shop", 'project: "shop\\n"'))
    assert _told(shop) == [("SCHEMA", "smsby.yaml", 2, 10)]


def test_what_cannot_be_read_is_no_orphan(shop: Shop) -> None:
    """While its campaign is broken, a mailing that was sent is not said to be gone, nor a new one to be its double."""
    mailing = '  - {name: one, recipients: ["375291234567"], text: Hi}\n'
    shop.write("sale.yaml", _HEAD + mailing)
    assert shop.run("apply", "--auto-approve").code == 0
    shop.write("sale.yaml", _HEAD + mailing + "bogus: 1\n")
    plan = shop.run("plan", "--format", "json")
    assert (plan.code, plan.json["actions"]) == (3, [])
    assert shop.run("plan", "sale/two").code == 3, "it may stand in the file that is not valid"
