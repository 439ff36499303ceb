"""Which files are campaigns: those that the patterns of smsby.yaml name, inside of the project's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from smsby_deploy.errors import Location
from smsby_deploy.project.limits import Complain

PROJECT_FILE = "smsby.yaml"
EVERY_YAML = "**/*.yaml"


def find_campaign_files(
    root: Path, patterns: Sequence[tuple[str, Location]], complain: Complain
) -> list[Path]:
    """The campaign files of the project in `root`, in order; each pattern comes with its place.

    Dot folders, and folders with a smsby.yaml of their own, hold none. Not even through a link does one lie outside.
    """
    paths = {
        path
        for pattern, place in patterns
        for path in _glob(root, pattern, place, complain)
        if path.is_file()
    }
    found = []
    for path in sorted(paths):
        parts = path.relative_to(root).parts
        is_nested = any((root.joinpath(*parts[:i]) / PROJECT_FILE).is_file() for i in range(1, len(parts)))
        if path.name == PROJECT_FILE or is_nested or any(part.startswith(".") for part in parts):
            continue
        if path.resolve().is_relative_to(root):
            found.append(path)
        else:
            name = path.relative_to(root).as_posix()
            complain("PATH_OUTSIDE", f"{name} leads out of the project's folder", Location(name, 1, 1))
    return found


def _glob(root: Path, pattern: str, place: Location, complain: Complain) -> Iterator[Path]:
    path = PurePath(pattern)
    if path.is_absolute() or ".." in path.parts:
        complain("PATH_OUTSIDE", f"{pattern} leads out of the project's folder", place)
        return
    try:
        yield from root.glob(pattern)
    except ValueError:
        complain("PATTERN", f"{pattern}: ** stands alone between slashes, as in {EVERY_YAML}", place)
