"""pins: digests are written into campaign files, and nothing else in them changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import UsageError
from smsby_deploy.recipients.pins import PinnedList, pin_lists

_CAMPAIGN = """\
version: 1
campaign: sale  # the sale
mailings:
  - name: flow
    recipients: {file: vip.csv, phone: phone}  # of the shop
    text: Hello
  - name: block
    recipients:
      file: "vip.csv"   # again
      phone: phone

    text: Hello
  - name: other
    recipients: {file: 'staff.csv'}
    text: Hello
"""


def _pin(folder: Path, path: str | None) -> list[PinnedList]:
    return pin_lists(load_project(folder, {"LISTS": str(folder / "elsewhere")}), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\nlists_dir_env: LISTS\n")
    (tmp_path / "sale.yaml").write_text(_CAMPAIGN)
    for name in ("vip.csv", "staff.csv"):
        (tmp_path / name).write_text(f"phone\n375291111111\n{name}\n")
    return tmp_path


def test_pin_keeps_comments_and_layout(folder: Path) -> None:
    """Comments and layout stay in flow and block style; a second run changes nothing, a changed list only its digest."""
    digest = hashlib.sha256((folder / "vip.csv").read_bytes()).hexdigest()
    assert [one.is_written for one in _pin(folder, "vip.csv")] == [True, True]
    expected = _CAMPAIGN.replace("{file: vip.csv,", f"{{file: vip.csv, sha256: {digest},")
    expected = expected.replace("# again\n", f"# again\n      sha256: {digest}\n")
    assert (folder / "sale.yaml").read_text() == expected
    assert _pin(folder, None) == []
    (folder / "vip.csv").write_text("phone\n375292222222\n")
    new = hashlib.sha256((folder / "vip.csv").read_bytes()).hexdigest()
    assert [one.before for one in _pin(folder, None)] == [digest, digest]
    assert (folder / "sale.yaml").read_text() == expected.replace(digest, new)


def test_pin_of_a_campaign_file(folder: Path) -> None:
    """Pinning a campaign file pins all its lists."""
    assert {one.name for one in _pin(folder, "sale.yaml")} == {"vip.csv", "staff.csv"}
    assert "{file: 'staff.csv', sha256: " in (folder / "sale.yaml").read_text()
    assert not load_project(folder).problems


def test_pin_of_a_list_elsewhere(folder: Path) -> None:
    """A list in another folder is pinned from there, not from an older copy; without the folder it is wrong usage."""
    _pin(folder, "staff.csv")
    before = hashlib.sha256((folder / "staff.csv").read_bytes()).hexdigest()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "staff.csv").rename(elsewhere / before)
    (elsewhere / "staff.csv").write_text("phone\n375293333333\n")
    assert [one.before for one in _pin(folder, "staff.csv")] == [before]
    with pytest.raises(UsageError) as caught:
        pin_lists(load_project(folder), "staff.csv")
    assert "LISTS is not set" in caught.value.message


def test_first_pin_of_a_list_elsewhere(folder: Path) -> None:
    """A list that exists only in the folder can be pinned; until then it is an error that says what to do."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "staff.csv").rename(elsewhere / "staff.csv")
    environ = {"LISTS": str(elsewhere)}
    (problem,) = load_project(folder, environ).problems
    assert (problem.code, "run `smsby-deploy pin staff.csv`" in problem.message) == ("FILE_MISSING", True)
    assert [one.is_written for one in _pin(folder, "staff.csv")] == [True]
    assert not load_project(folder, environ).problems


@pytest.mark.parametrize(
    ("path", "why"), [(None, "no list is pinned"), ("gone.csv", "no mailing uses the list")]
)
def test_pin_of_nothing(path: str | None, why: str, folder: Path) -> None:
    """If nothing matches, the error names the existing lists."""
    with pytest.raises(UsageError) as caught:
        _pin(folder, path)
    assert why in caught.value.message
    assert "vip.csv, staff.csv" in caught.value.hint


def test_pin_behind_an_alias_is_not_written(folder: Path) -> None:
    """A list behind an alias is not pinned, as the digest would apply to others, too; the error says where it belongs."""
    text = _CAMPAIGN.replace("{file: vip.csv,", "{file: &vip vip.csv,").replace('"vip.csv"', "*vip")
    (folder / "sale.yaml").write_text(text)
    assert sorted(one.is_written for one in _pin(folder, "vip.csv")) == [False, True]


def test_pin_of_a_mapping_behind_an_alias_is_written_once(folder: Path) -> None:
    """A mapping that two mailings share by an alias is pinned once for both."""
    shared = _CAMPAIGN.replace("{file: vip.csv, phone: phone}", "&vip {file: vip.csv}")
    i, j = shared.index("    recipients:\n"), shared.index("      phone: phone\n")
    shared = shared[:i] + "    recipients: *vip\n" + shared[j + len("      phone: phone\n") :]
    (folder / "sale.yaml").write_text(shared)
    assert [one.is_written for one in _pin(folder, "vip.csv")] == [True]
    audiences = [mailing.audience for mailing in load_project(folder).project.mailings]
    assert [getattr(audience, "pin", None) is not None for audience in audiences] == [True, True, False]
