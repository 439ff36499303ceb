"""Which files are campaigns: those that the patterns of smsby.yaml name, inside of the project's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from smsby_deploy.config.limits import Complain
from smsby_deploy.problems import Location

PROJECT_FILE = "smsby.yaml"
EVERY_YAML = "**/*.yaml"


def find_campaign_files(
    root: Path, patterns: Sequence[tuple[str, Location]], complain: Complain
) -> list[tuple[Path, str]]:
    """The campaign files of the project in `root`, in order, each with its project path; each pattern comes with its
    place.

    Dot folders, and folders with a smsby.yaml of their own, hold none. Not even through a link does one lie outside.
    """
    paths = {
        path
        for pattern, place in patterns
        for path in _glob(root, pattern, place, complain)
        if path.is_file()
    }
    start = len(root.as_posix().rstrip("/")) + 1
    folders: dict[Path, _Folder] = {}  # asked once: there may be thousands of files in each
    found = []
    for path in sorted(paths, key=_parts):
        folder = folders.get(path.parent)
        if folder is None:
            folder = folders[path.parent] = _look_at(root, path.parent)
        if path.name == PROJECT_FILE or path.name.startswith(".") or not folder.has_campaigns:
            continue
        name = path.as_posix()[start:]
        if path.resolve().is_relative_to(root) if path.is_symlink() else folder.is_inside:
            found.append((path, name))
        else:
            complain("PATH_OUTSIDE", f"{name} leads out of the project's folder", Location(name, 1, 1))
    return found


class _Folder(NamedTuple):
    has_campaigns: bool
    is_inside: bool  # also once links are followed


def why_missing(path: Path, name: str) -> str:
    """Why there is no file at `path`, which the project calls `name`, and which one may have been meant."""
    if path.is_dir():
        return f"{name} is a folder, a file is wanted"
    from difflib import get_close_matches

    near = get_close_matches(path.name, [one.name for one in path.parent.glob("*")], n=1)
    hint = f"; did you mean {(Path(name).parent / near[0]).as_posix()}?" if near else ""
    return f"there is no file {name}{hint}"


def _look_at(root: Path, folder: Path) -> _Folder:
    parts = folder.relative_to(root).parts
    is_nested = any((root.joinpath(*parts[:i]) / PROJECT_FILE).is_file() for i in range(1, len(parts) + 1))
    is_hidden = any(part.startswith(".") for part in parts)
    return _Folder(not is_nested and not is_hidden, folder.resolve().is_relative_to(root))


def _parts(path: Path) -> tuple[str, ...]:
    return path.parts


def _glob(root: Path, pattern: str, place: Location, complain: Complain) -> Iterator[Path]:
    path = PurePath(pattern)
    if path.is_absolute() or ".." in path.parts:
        complain("PATH_OUTSIDE", f"{pattern} leads out of the project's folder", place)
        return
    if not path.parts:
        complain(
            "PATTERN", f"{pattern} is the folder itself, and no file: a pattern is like {EVERY_YAML}", place
        )
        return
    try:
        yield from root.glob(str(pattern))  # pathlib takes no str of YAML's own kind
    except ValueError:
        complain("PATTERN", f"{pattern}: ** stands alone between slashes, as in {EVERY_YAML}", place)
