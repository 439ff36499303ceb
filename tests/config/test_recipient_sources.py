"""recipient_sources: inline rows as written, and where lists may be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smsby_deploy.config.recipient_sources import ListPlaces, read_inline_recipients, read_parquet_source
from smsby_deploy.config.sources import FalseText
from smsby_deploy.config.yaml_nodes import YamlMap, read_yaml
from smsby_deploy.problems import Location, ProblemLog
from tests.permissions import ordinary_permissions

_AT = Location("sale.yaml", 1, 1)
_DIGEST = hashlib.sha256(b"phone\n").hexdigest()


def _node(folder: Path, text: str) -> YamlMap:
    (folder / "sale.yaml").write_text(text, "utf-8")
    return read_yaml(folder / "sale.yaml", "sale.yaml")


def test_inline_rows_are_as_written_and_as_true(tmp_path: Path) -> None:
    """`no` and quoted values are text, `false` and 0 are false, null is empty, and a phone alone is a row."""
    node = _node(
        tmp_path,
        "rows:\n  - {phone: 0, a: false, b: 0.0, c: 'false', d: no, e: , f: 0x00, text: 0}\n  - '0291234567'\n",
    )
    recipients = read_inline_recipients(node["rows"], _AT)
    first, second = recipients.rows
    assert dict(first) == {
        "phone": "0", "a": "false", "b": "0.0", "c": "false", "d": "no", "e": "", "f": "0x00", "text": "0",
    }  # fmt: skip
    assert [name for name, value in first.items() if type(value) is FalseText] == ["a", "b", "f"]
    assert (second, recipients.marks[1]) == ({"phone": "0291234567"}, (3, 5))


@pytest.mark.parametrize(
    ("there", "environ", "place", "is_elsewhere", "codes"),
    [
        ("shop/vip.csv", {}, "shop/vip.csv", False, []),
        ("lists/vip.csv", {"LISTS": "lists"}, "lists/vip.csv", False, []),
        (f"lists/{_DIGEST}", {"LISTS": "lists"}, "lists/vip.csv", False, []),
        ("lists/other.csv", {"LISTS": "lists"}, "lists/vip.csv", False, ["FILE_MISSING"]),
        ("lists/vip.csv", {}, "shop/vip.csv", True, []),
    ],
    ids=["in the project", "in the folder", "by its digest", "nowhere", "not on this machine"],
)
def test_pinned_list_may_be_in_another_folder(
    there: str, environ: dict[str, str], place: str, is_elsewhere: bool, codes: list[str], tmp_path: Path
) -> None:
    """A pinned list may be in another folder, since its digest identifies the reviewed list."""
    for folder in ("shop", "lists"):
        (tmp_path / folder).mkdir()
    (tmp_path / there).write_text("phone\n", "utf-8")
    node = _node(tmp_path, f"file: vip.csv\nsha256: {_DIGEST}\n")
    environ = {name: str(tmp_path / folder) for name, folder in environ.items()}
    places = ListPlaces(tmp_path / "shop", "LISTS", environ, log := ProblemLog())
    source = places.read(node, "sale.yaml", _AT)
    assert (source.path, source.is_elsewhere) == (tmp_path / place, is_elsewhere)
    assert [one.code for one in log.distinct()] == codes
    assert source.pin is not None
    assert (source.pin.copy is None) == (place == "shop/vip.csv")


def test_list_without_a_pin_is_in_the_project_only(tmp_path: Path) -> None:
    """A list without a pin must be in the project, since a change in another folder would not be noticed."""
    (tmp_path / "vip.csv").write_text("phone\n", "utf-8")
    (tmp_path / "shop").mkdir()
    places = ListPlaces(tmp_path / "shop", "LISTS", {"LISTS": str(tmp_path)}, log := ProblemLog())
    places.read(_node(tmp_path, "file: vip.csv\n"), "sale.yaml", _AT)
    assert [(one.code, str(one.location)) for one in log.distinct()] == [("FILE_MISSING", "sale.yaml:1:7")]


@pytest.mark.parametrize(
    ("pattern", "names", "code"),
    [
        ("*.parquet", ["a.parquet", "b.parquet"], None),
        ("b.parquet", ["b.parquet"], None),
        ("c*.parquet", [], "FILE_MISSING"),
        ("../*.parquet", [], "PATH_OUTSIDE"),
        ("/data/*.parquet", [], "PATH_OUTSIDE"),
    ],
)
def test_parquet_files_are_sorted_and_inside(
    pattern: str, names: list[str], code: str | None, tmp_path: Path
) -> None:
    """Parquet files are sorted, so that the order of recipients does not depend on the disk."""
    for name in ("b.parquet", "a.parquet"):
        (tmp_path / name).write_bytes(b"")
    log = ProblemLog()
    source = read_parquet_source(tmp_path, _node(tmp_path, f"parquet: '{pattern}'\n"), "sale.yaml", log)
    assert [name for _, name in source.files] == names
    assert [one.code for one in log.distinct()] == ([] if code is None else [code])


@pytest.mark.posix
def test_parquet_files_of_an_unreadable_folder(tmp_path: Path) -> None:
    """An unreadable folder of Parquet files is an error, since recipients would be missing."""
    (tmp_path / "day").mkdir()
    for name in ("a.parquet", "day/b.parquet"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "day").chmod(0)
    log = ProblemLog()
    with ordinary_permissions():
        read_parquet_source(tmp_path, _node(tmp_path, "parquet: '**/*.parquet'\n"), "sale.yaml", log)
    (tmp_path / "day").chmod(0o700)
    (problem,) = log.distinct()
    assert problem.code == "FILE_MISSING"
    assert problem.message == "cannot read the folder day: Permission denied"
