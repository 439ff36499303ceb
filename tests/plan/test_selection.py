"""Selection of mailings by address and glob."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.lock.records import AppliedBy, Entry, Lock
from smsby_deploy.plan.selection import find_mailing, is_selected, select_mailings
from tests.plan.examples import CAMPAIGN

_ENTRY = Entry(1, "c", "a", "bulk", "0", 0, None, 1, 1, None, (), AppliedBy("t", "p", None, "x"))
_LOCK = Lock("shop", mailings={"sale/vip": _ENTRY, "old/gone": _ENTRY})


def _load(folder: Path, *, broken: bool = False) -> LoadedProject:
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (folder / "sale.yaml").write_text(CAMPAIGN, "utf-8")
    if broken:
        (folder / "news.yaml").write_text("version: 1\ncampaign: news\nmailings: [", "utf-8")
    return load_project(folder, {})


@pytest.mark.parametrize(
    ("select", "mailings", "orphans"),
    [
        ((), ["sale/vip", "sale/staff"], ["old/gone"]),
        (("sale/*",), ["sale/vip", "sale/staff"], []),
        (("*/staff", "old/*"), ["sale/staff"], ["old/gone"]),
        (("sale/staff", "sale/vip"), ["sale/vip", "sale/staff"], []),
    ],
)
def test_select_mailings_by_glob(
    select: tuple[str, ...], mailings: list[str], orphans: list[str], tmp_path: Path
) -> None:
    """Mailings come in the order of the files, whatever the order of the patterns; recorded ones are orphans."""
    found, gone = select_mailings(_load(tmp_path), _LOCK, select)
    assert ([mailing.address for mailing in found], gone) == (mailings, orphans)


def test_select_mailings_refuses_a_useless_pattern(tmp_path: Path) -> None:
    """A pattern that matches nothing is an error that suggests similar addresses."""
    with pytest.raises(UsageError, match="no mailing matches 'sale/vop'") as caught:
        select_mailings(_load(tmp_path), _LOCK, ("sale/*", "sale/vop"))
    assert "sale/vip" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        select_mailings(_load(tmp_path), _LOCK, ("xyz",))
    assert "campaign/mailing" in caught.value.hint


def test_select_mailings_of_an_incomplete_project(tmp_path: Path) -> None:
    """While a campaign cannot be read, nothing is an orphan, and a missing mailing may be in it."""
    loaded = _load(tmp_path, broken=True)
    assert select_mailings(loaded, _LOCK, ())[1] == []
    with pytest.raises(FilesInvalid):
        select_mailings(loaded, _LOCK, ("news/letter",))
    with pytest.raises(FilesInvalid):
        find_mailing(loaded, "news/letter")


def test_find_mailing_takes_whole_addresses(tmp_path: Path) -> None:
    """A glob names no single mailing."""
    loaded = _load(tmp_path)
    assert find_mailing(loaded, "sale/vip").address == "sale/vip"
    with pytest.raises(UsageError, match="the files have no mailing 'sale/\\*'"):
        find_mailing(loaded, "sale/*")


def test_is_selected_by_any_pattern() -> None:
    """An empty selection selects everything."""
    assert is_selected("sale/vip", ())
    assert is_selected("sale/vip", ("news/*", "sale/*"))
    assert not is_selected("sale/vip", ("news/*",))
