"""Selection of mailings by address and glob."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import LoadedProject, load_project
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.lock.records import AppliedBy, Entry, Lock
from smsby_deploy.plan import selection
from smsby_deploy.plan.selection import find_mailing, problems_in, select_mailings, selector
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
    """A pattern that matches nothing is an error that suggests the closest address, or the glob for a campaign."""
    with pytest.raises(UsageError, match="no mailing matches 'sale/vop'") as caught:
        select_mailings(_load(tmp_path), _LOCK, ("sale/*", "sale/vop"))
    assert caught.value.hint == "did you mean sale/vip?"
    with pytest.raises(UsageError) as caught:
        select_mailings(_load(tmp_path), _LOCK, ("sale",))
    assert caught.value.hint == "did you mean 'sale/*'?"
    with pytest.raises(UsageError) as caught:
        select_mailings(_load(tmp_path), _LOCK, ("xyz",))
    assert "campaign/mailing" in caught.value.hint
    (tmp_path / "sale.yaml").unlink()
    with pytest.raises(UsageError) as caught:
        select_mailings(load_project(tmp_path, {}), Lock("shop"), ("*",))
    assert caught.value.hint.startswith("there are no mailings")


@pytest.mark.parametrize("text", ["", "*", "sale/vip"])
def test_select_mailings_takes_no_text(text: str, tmp_path: Path) -> None:
    """In the Python API a plain string is refused, since an empty one would select all mailings."""
    with pytest.raises(UsageError, match="expected patterns, got a string"):
        select_mailings(_load(tmp_path), _LOCK, text)


def test_select_mailings_of_an_incomplete_project(tmp_path: Path) -> None:
    """While a campaign cannot be read, nothing is an orphan, and a missing mailing may be in it."""
    loaded = _load(tmp_path, broken=True)
    assert select_mailings(loaded, _LOCK, ())[1] == []
    with pytest.raises(FilesInvalid):
        select_mailings(loaded, _LOCK, ("news/letter",))
    with pytest.raises(FilesInvalid):
        find_mailing(loaded, "news/letter")


@pytest.mark.parametrize(
    ("select", "files"),
    [
        ((), {"news.yaml", "flawed.yaml", "smsby.yaml"}),
        (("sale/*",), {"smsby.yaml"}),
        (("sale/vip", "sale/staff"), {"smsby.yaml"}),
        (("flawed/one",), {"smsby.yaml"}),
        (("flawed/t*",), {"smsby.yaml", "flawed.yaml"}),
        (("*/one",), {"smsby.yaml", "news.yaml"}),
        (("sal*",), {"smsby.yaml", "news.yaml"}),
        (("unread/x",), {"smsby.yaml", "news.yaml"}),
    ],
)
def test_problems_in_a_selection(select: tuple[str, ...], files: set[str], tmp_path: Path) -> None:
    """A selection has the problems of smsby.yaml, its mailings, and files that could contain one of them."""
    _load(tmp_path, broken=True)
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\nsuppress: [gone.csv]\n", "utf-8")
    (tmp_path / "flawed.yaml").write_text(
        CAMPAIGN.replace("sale", "flawed").replace("vip", "one").replace("staff", "two\n    timezone: X/Y"),
        "utf-8",
    )
    loaded = load_project(tmp_path)
    assert [mailing.address for mailing in loaded.flawed] == ["flawed/two"]
    assert {one.location.file for one in problems_in(loaded, select) if one.location} == files


def test_problem_of_a_whole_campaign_concerns_all_of_it(tmp_path: Path) -> None:
    """A problem of a whole file belongs to its campaign, whatever else is wrong with it."""
    _load(tmp_path)
    (tmp_path / "news.yaml").write_text("version: 1\ncampaign: news\nbogus: 1\nmailings: []\n", "utf-8")
    loaded = load_project(tmp_path)
    assert not problems_in(loaded, ("sale/vip", "newsletter/x"))
    assert problems_in(loaded, ("news/letter",)) == problems_in(loaded, ("n*",)) == loaded.problems


def test_flawed_mailing_is_no_orphan(tmp_path: Path) -> None:
    """A mailing that cannot be planned is still in the files: it is no orphan, and can be selected."""
    _load(tmp_path)
    (tmp_path / "sale.yaml").write_text(
        CAMPAIGN.replace("name: vip", "name: vip\n    timezone: X/Y"), "utf-8"
    )
    mailings, orphans = select_mailings(load_project(tmp_path), _LOCK, ("sale/*", "sale/vip", "old/*"))
    assert ([mailing.address for mailing in mailings], orphans) == (["sale/staff"], ["old/gone"])


def test_find_mailing_takes_whole_addresses(tmp_path: Path) -> None:
    """A glob does not name a single mailing."""
    loaded = _load(tmp_path)
    assert find_mailing(loaded, "sale/vip").address == "sale/vip"
    with pytest.raises(UsageError, match="the files have no mailing 'sale/\\*'"):
        find_mailing(loaded, "sale/*")


def test_is_selected_by_any_pattern() -> None:
    """An empty selection selects everything."""
    assert selector(())("sale/vip")
    assert selector(("news/*", "sale/*"))("sale/vip")
    assert not selector(("news/*",))("sale/vip")


def test_many_addresses_are_not_compared_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of addresses are looked up directly, and only globs are compared with each mailing."""
    compared = []

    def compare(address: str, pattern: str) -> bool:
        compared.append((address, pattern))
        return pattern == "*/staff" and address.endswith("/staff")

    monkeypatch.setattr(selection, "fnmatchcase", compare)
    recorded = {f"old/{number}": _ENTRY for number in range(100)}
    found, orphans = select_mailings(_load(tmp_path), Lock("shop", mailings=recorded), (*recorded, "*/staff"))
    assert ([mailing.address for mailing in found], sorted(orphans)) == (["sale/staff"], sorted(recorded))
    assert {pattern for _, pattern in compared} == {"*/staff"}
