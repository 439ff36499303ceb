"""The files of a project: which are campaigns, and which paths are refused."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsby_deploy.config.project_files import campaign_files, expand, resolve_inside
from smsby_deploy.config.yaml_nodes import YamlList
from smsby_deploy.problems import Location, ProblemLog
from tests.permissions import ordinary_permissions

_MARK = (3, 5)
_AT = Location("smsby.yaml", *_MARK)


def _write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("campaign: x\nmailings: []\n", encoding="utf-8")


def _patterns(*patterns: str) -> YamlList:
    made = YamlList(_MARK)
    made.extend(patterns)
    made.items_at.extend([_MARK] * len(patterns))
    return made


def _found(root: Path, *patterns: str) -> tuple[list[str], list[str]]:
    """Return the project paths that `patterns`, or the default one, find, and the codes of the problems."""
    log = ProblemLog()
    found = campaign_files(root.resolve(), _patterns(*patterns) if patterns else None, log)
    names = [name for _, name in found]
    return names, [problem.code for problem in log.distinct()]


def test_campaign_files_is_sorted_and_recursive(tmp_path: Path) -> None:
    """Campaign files are found recursively, as sorted relative paths without the project file."""
    _write(tmp_path, "smsby.yaml", "b.yaml", "a/z.yaml", "a/c.yaml")
    assert _found(tmp_path) == (["a/c.yaml", "a/z.yaml", "b.yaml"], [])


def test_campaign_files_skips_hidden_and_nested_projects(tmp_path: Path) -> None:
    """Hidden folders and folders with their own project file are skipped."""
    _write(
        tmp_path,
        "a.yaml",
        ".git/b.yaml",
        ".hidden.yaml",
        "other/smsby.yaml",
        "other/c.yaml",
        "other/deep/d.yaml",
    )
    assert _found(tmp_path) == (["a.yaml"], [])


def test_campaign_files_finds_each_once(tmp_path: Path) -> None:
    """A file that several patterns match is found once."""
    _write(tmp_path, "a.yaml")
    assert _found(tmp_path, "*.yaml", "a.*") == (["a.yaml"], [])


@pytest.mark.posix
@pytest.mark.parametrize(
    ("pattern", "unread"),
    [
        ("**/*.yaml", ["deep/er"]),
        ("*/er/*.yaml", ["linked", "deep/er"]),
        ("deep/er/b.yaml", ["deep/er"]),
        ("linked/*.yaml", ["linked"]),
        ("*/*.yaml", ["linked"]),
        ("**/linked/b.yaml", ["linked", "deep/er"]),
        ("*.yaml", []),
        ("absent/*.yaml", []),
        ("a.yaml/*.yaml", []),
    ],
)
def test_campaign_files_reports_unreadable_folders(pattern: str, unread: list[str], tmp_path: Path) -> None:
    """An unreadable folder that a pattern reaches is reported, since its campaigns would seem removed from the files."""
    _write(tmp_path, "a.yaml", "deep/er/b.yaml", ".cache/c.yaml", "other/smsby.yaml", "other/deep/d.yaml")
    (tmp_path / "linked").symlink_to("nowhere")
    (tmp_path / ".#a.yaml").symlink_to("anna@desk.17")  # as Emacs marks a file that is being edited
    folders = [tmp_path / name for name in ("deep/er", ".cache", "other/deep")]
    log = ProblemLog()
    for folder in folders:
        folder.chmod(0)
    with ordinary_permissions():
        campaign_files(tmp_path.resolve(), _patterns(pattern), log)
    for folder in folders:
        folder.chmod(0o700)
    errors = [problem for problem in log.distinct() if problem.is_error]
    assert [problem.location for problem in errors] == [Location(name) for name in unread]
    assert {problem.code for problem in errors} <= {"FILE_MISSING"}


@pytest.mark.posix
def test_campaign_named_in_a_folder_that_only_lets_pass(tmp_path: Path) -> None:
    """A campaign that is named by its path is found in a folder that may not be listed."""
    _write(tmp_path, "deep/b.yaml")
    (tmp_path / "deep").chmod(0o100)
    with ordinary_permissions():
        assert _found(tmp_path, "deep/b.yaml") == (["deep/b.yaml"], [])
        assert _found(tmp_path, "deep/*.yaml") == ([], ["FILE_MISSING"])
    (tmp_path / "deep").chmod(0o700)


@pytest.mark.parametrize("link", ["linked.yaml", "linked"])
def test_campaign_files_refuses_links_outside(link: str, tmp_path: Path) -> None:
    """A link to a file or folder outside the project is an error, not a campaign."""
    root = tmp_path / "shop"
    _write(tmp_path, "outside/secret.yaml", "shop/a.yaml")
    (root / link).symlink_to(tmp_path / "outside" / ("secret.yaml" if link.endswith(".yaml") else ""))
    names, codes = _found(root, "*.yaml" if link.endswith(".yaml") else "linked/*.yaml")
    assert "PATH_OUTSIDE" in codes
    assert not any("linked" in name for name in names)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("../*.yaml", "PATH_OUTSIDE"),
        ("/etc/*.yaml", "PATH_OUTSIDE"),
        (".", "PATTERN"),
        ("a**/*.yaml", "PATTERN"),
    ],
)
def test_campaign_files_refuses_the_pattern(pattern: str, code: str, tmp_path: Path) -> None:
    """An error in a pattern is at the pattern's own place."""
    log = ProblemLog()
    assert campaign_files(tmp_path.resolve(), _patterns(pattern), log) == []
    (problem,) = log.distinct()
    assert (problem.code, problem.location) == (code, _AT)


def test_campaign_files_reports_only_unread_campaigns(tmp_path: Path) -> None:
    """A .yml file is reported only if it is a campaign."""
    _write(tmp_path, "sale.yml", ".github/workflows/ci.yml", "other/smsby.yaml", "other/x.yml")
    (tmp_path / "docker-compose.yml").write_text("services: {}\n", encoding="utf-8")
    (tmp_path / "report.yml").write_text("campaign: sale\ncount: 7\n", encoding="utf-8")
    log = ProblemLog()
    assert campaign_files(tmp_path, None, log) == []
    assert [(one.code, one.location.file) for one in log.distinct()] == [("NOT_READ", "sale.yml")]


@pytest.mark.posix
@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("../secret.csv", "PATH_OUTSIDE", "is outside the project folder"),
        ("lists", "FILE_MISSING", "is a directory"),
        ("lists/vlp.csv", "FILE_MISSING", "did you mean lists/vip.csv?"),
        ("lists/VIP.CSV", "FILE_MISSING", "did you mean lists/vip.csv?"),
        ("lists\\vip.csv", "FILE_MISSING", "write / between folders"),
        ("lists/circle.csv", "FILE_MISSING", "a link to a file that does not exist"),
        ("lists/pipe.csv", "FILE_MISSING", "a pipe or a device"),
    ],
)
def test_resolve_inside_refuses(name: str, code: str, message: str, tmp_path: Path) -> None:
    """A refused path is reported at the place where it is written."""
    _write(tmp_path, "shop/lists/vip.csv", "secret.csv")
    (tmp_path / "shop/lists/circle.csv").symlink_to("circle.csv")
    os.mkfifo(tmp_path / "shop/lists/pipe.csv")
    log = ProblemLog()
    assert resolve_inside((tmp_path / "shop").resolve(), name, _AT, log) is None
    (problem,) = log.distinct()
    assert (problem.code, problem.location) == (code, _AT)
    assert message in problem.message


def test_new_lock_has_no_path_of_windows(tmp_path: Path) -> None:
    """A lock that does not exist yet is refused under a path of Windows: elsewhere it would be another file."""
    log = ProblemLog()
    assert resolve_inside(tmp_path, "state\\a.json", _AT, log, must_exist=False, is_lock=True) is None
    assert resolve_inside(tmp_path, "state/a.json", _AT, log, must_exist=False, is_lock=True)
    (problem,) = log.distinct()
    assert "write / between folders" in problem.message


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4), min_size=1, max_size=6),
    st.lists(st.sampled_from(["**", "*", "a", "b", "?.yaml", "*.yaml"]), min_size=1, max_size=5),
)
@settings(max_examples=3 * settings().max_examples)
def test_expand_finds_what_pathlib_finds(files: list[list[str]], pattern: list[str]) -> None:
    """A pattern with any number of `**`, even consecutive ones, finds what pathlib finds."""
    with TemporaryDirectory() as name:
        root = Path(name)
        for *folders, leaf in files:
            path = root.joinpath(*folders, f"{leaf}.yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("", "utf-8")
        written = "/".join(pattern) + "/" * (
            pattern[-1] == "**"
        )  # since Python 3.13 it would match files, too
        expected = {path for path in root.glob(written) if path.is_file()}
        found = expand(root, written, lambda *failed: pytest.fail(str(failed)))
        assert {path for path in found if path.is_file()} == expected
