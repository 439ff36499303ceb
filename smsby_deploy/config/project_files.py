"""The files of a project: campaign files, and paths inside the project folder."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from os.path import lexists, normpath
from pathlib import Path, PurePath

from smsby_deploy.config.yaml_nodes import YamlList
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.files import may_be_file, real_path
from smsby_deploy.problems import Location, ProblemLog
from smsby_deploy.wording import closest, escape_controls, sentence

PROJECT_FILE = "smsby.yaml"
OWN_FOLDER = ".smsby"
_EXAMPLE = "**/*.yaml"
_ANY_YAML = "**/*.y*ml"  # campaigns, and .yml files that look like campaigns
_SAMPLE = 65_536  # bytes
_ANY_FOLDERS = "**"
_SPECIAL = frozenset("*?[")
_LONGEST_NAME = 255  # bytes
_LONGEST_PATH = 1000  # characters, below the project folder
IMPOSSIBLE_PATH = sentence(
    "no file can have this path: a name exceeds {one} bytes, the path exceeds {all:,} characters, or it has a NUL; correct "
    "it",
    one=_LONGEST_NAME,
    all=_LONGEST_PATH,
)


_Unread = Callable[[Path, OSError], object]


def campaign_files(root: Path, patterns: YamlList | None, log: ProblemLog) -> list[tuple[Path, str]]:
    """Return the campaign files named by `campaigns`, else all; warn if there are none.

    `root` is resolved. The files are sorted, each with its path relative to `root`. Hidden folders, and folders with
    their own smsby.yaml, contain no campaigns of this project. A file outside `root`, even through a link, is an error,
    and so is a folder that cannot be read: its campaigns may have been sent.
    """
    if patterns is None:
        paths = set(_glob(root, _ANY_YAML, Location(PROJECT_FILE, 1), log))
        files = _campaigns_among(root, {path for path in paths if path.name.endswith(".yaml")}, log)
        others = sorted(path for path in paths if path.name.endswith(".yml"))
        for name in (one.relative_to(root).as_posix() for one in others if _looks_like_campaign(one)):
            message = sentence(
                "{name} is not read; rename it to .yaml, or add its pattern to `campaigns:` in smsby.yaml",
                name=name,
            )
            log.warning("NOT_READ", message, Location(name, 1))
        return files
    before = len(log)
    places = [Location(PROJECT_FILE, *mark) for mark in patterns.items_at]
    found = (_glob(root, *one, log) for one in zip(patterns, places, strict=True))
    files = _campaigns_among(root, set().union(*found), log)
    if patterns and not files and len(log) == before:
        message = sentence("no campaign file matches `campaigns`, so nothing is sent")
        log.warning("PATTERN", message, places[0])
    return files


def project_file(root: Path) -> Path:
    """Return the smsby.yaml of the project in `root`, which is resolved.

    Raises:
        FilesInvalid: there is none, or it is a link out of the project: messages would show the keys of that file.
    """
    path, log = root / PROJECT_FILE, ProblemLog()
    if not may_be_file(path):
        log.error("FILE_MISSING", why_missing(path, PROJECT_FILE), Location(PROJECT_FILE))
    elif not real_path(path).is_relative_to(root):
        log.error("PATH_OUTSIDE", outside(PROJECT_FILE), Location(PROJECT_FILE, 1, 1))
    else:
        return path
    raise FilesInvalid(log.distinct())


def _campaigns_among(root: Path, paths: Iterable[Path], log: ProblemLog) -> list[tuple[Path, str]]:
    start = len(root.as_posix().rstrip("/")) + 1
    inside: dict[Path, bool] = {}  # resolved once per folder: it may contain thousands of files
    found = []
    for path in sorted(paths, key=lambda path: path.parts):
        if path.name == PROJECT_FILE or path.name.startswith("."):
            continue
        if not (may_be_file(path) or _is_broken(path)):
            continue
        if path.parent not in inside:
            inside[path.parent] = real_path(path.parent).is_relative_to(root)
        name = path.as_posix()[start:]
        if not is_plain_name(name, log):
            continue
        is_link = path.is_symlink()
        if is_link and not path.exists():
            log.error("FILE_MISSING", why_missing(path, name), Location(name, 1, 1))
            continue
        if real_path(path).is_relative_to(root) if is_link else inside[path.parent]:
            found.append((path, name))
        else:
            log.error("PATH_OUTSIDE", outside(name), Location(name, 1, 1))
    return found


def expand(
    root: Path, pattern: str, unread: _Unread, skips: Callable[[Path], bool] = lambda _: False
) -> Iterator[Path]:
    """Yield the paths below `root` that a relative glob pattern matches, in any order.

    Each folder is listed once, however many `**` there are: pathlib lists it for each, and skips what it cannot
    list. A `**` follows no links to folders, and matches no files if it is last.

    Args:
        root: a folder.
        pattern: relative to it.
        unread: gets each folder, or link to nothing in place of one, that may have matching files but cannot be read.
        skips: whether nothing below a folder counts.

    Raises:
        ValueError: the pattern is absolute or empty, or `**` is only part of a path component.
    """
    parts: list[str] = []
    for part in PurePath(pattern).parts:
        if _ANY_FOLDERS in part and part != _ANY_FOLDERS:
            raise ValueError(pattern)  # as pathlib does before Python 3.13
        if part != _ANY_FOLDERS or parts[-1:] != [part]:
            parts.append(part)
    if not parts or PurePath(pattern).is_absolute():
        raise ValueError(pattern)
    folders = deque([(root, {0})])
    while folders:
        folder, reached = folders.popleft()
        reached |= {index + 1 for index in reached if parts[index] == _ANY_FOLDERS}
        kept = {index for index in reached if parts[index : index + 1] == [_ANY_FOLDERS]}
        wanted = {index: parts[index] for index in reached - kept if index < len(parts)}
        try:
            names = _list_folder(folder, None if kept else wanted.values())
        except OSError as error:
            unread(folder, error)
            continue
        for name, is_folder in names:
            after = {index + 1 for index, part in wanted.items() if fnmatch(name, part)}
            if is_folder:
                after |= kept
            if not after:
                continue
            path = folder / name
            if len(parts) in after:
                yield path
                after.remove(len(parts))
            if after and not skips(path) and (is_folder or _leads_to_folder(path, unread)):
                folders.append((path, after))


def _list_folder(folder: Path, wanted: Iterable[str] | None) -> list[tuple[str, bool]]:
    """Return the names in a folder, each with whether it is a folder, not a link to one.

    If all of `wanted` are names, not patterns, the folder need not be listable. One removed in the meantime is empty.

    Raises:
        OSError: it cannot be read.
    """
    try:
        if wanted is None or any(map(_SPECIAL.intersection, wanted)):
            with os.scandir(folder) as entries:
                return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        found = []
        for name in wanted:
            with suppress(FileNotFoundError):
                found.append((name, stat.S_ISDIR((folder / name).lstat().st_mode)))
        return found
    except (FileNotFoundError, NotADirectoryError):
        return []


def _leads_to_folder(path: Path, unread: _Unread) -> bool:
    """Whether `path` is a link to a folder; a broken link may have been one."""
    try:
        return path.is_symlink() and stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        unread(path, error)
        return False


def is_plain_name(name: str, log: ProblemLog, place: Location | None = None) -> bool:
    """Whether plans and reports can print a file name; if not, an error is logged.

    It must be UTF-8 without control characters and bidi marks. The error is at `place`, or at the file itself.
    """
    why = why_not_plain(name)
    if why is None:
        return True
    log.error("ENCODING", why, place or Location(name, 1, 1))
    return False


def why_not_plain(name: str) -> str | None:
    """Say what is wrong with the name of a file; None if it can be used."""
    shown = escape_controls(name)
    if shown == name:
        return None
    return sentence(
        "the name {name} has a control character, a bidi mark, or bytes that are not UTF-8; rename the file",
        name=shown,
    )


def _looks_like_campaign(path: Path) -> bool:
    keys = []
    if may_be_file(path) and not path.name.startswith("."):
        with suppress(OSError), path.open("rb") as file:
            keys = re.findall(rb"^(mailings|campaign)\s*:", file.read(_SAMPLE), re.MULTILINE)
    return len({*keys}) == 2  # as in every campaign; anything else may be in such a file


def resolve_inside(
    root: Path,
    name: str,
    location: Location,
    log: ProblemLog,
    *,
    must_exist: bool = True,
    is_lock: bool = False,
) -> Path | None:
    """Return the path `name`; None, and an error, if it is outside `root`, hidden or missing."""
    if is_impossible(name):
        log.error("FILE_MISSING", IMPOSSIBLE_PATH, location)
        return None
    if not is_plain_name(name, log, location):
        return None
    path = root / name
    if not real_path(path).is_relative_to(root):
        log.error("PATH_OUTSIDE", outside(name), location)
        return None
    found, written = real_path(path).relative_to(root), PurePath(normpath(name))
    if written.is_absolute() or ".." in written.parts:
        written = found  # the names above the project do not count
    if any(is_hidden(one.parts, is_lock=is_lock) for one in (found, written)):
        log.error("PATH_HIDDEN", hidden(name), location)
        return None
    if (must_exist or "\\" in name) and not may_be_file(path):
        log.error("FILE_MISSING", why_missing(path, name), location)
        return None
    return path


def is_impossible(path: str) -> bool:
    """Whether no file can have this path: a name has at most 255 bytes and no NUL."""
    names = PurePath(path).parts
    is_long = len(path) > _LONGEST_PATH or any(
        len(name.encode(errors="replace")) > _LONGEST_NAME for name in names
    )
    return is_long or "\0" in path


def is_hidden(parts: Sequence[str], *, is_lock: bool = False) -> bool:
    """Whether a path from the project folder has a name that begins with a dot, such as .git.

    Such files belong to other programs and may be secret, or are our own cache. Only a lock may be in .smsby/.
    """
    is_own = is_lock and parts[:1] == (OWN_FOLDER,)
    return not is_own and any(part.startswith(".") for part in parts)


def outside(name: str) -> str:
    """Return the message for a path that leaves the project folder."""
    return sentence("{name} is outside the project folder; put the file into it", name=name)


def hidden(name: str) -> str:
    """Return the message for a path through a name that begins with a dot."""
    return sentence("{name} is hidden: its path has a name that begins with a dot", name=name)


def why_missing(path: Path, name: str) -> str:
    """Say why there is no file at `path`, and which file may have been meant.

    `name` is its name in the project.
    """
    if path.is_dir():
        return sentence("{name} is a directory, expected a file", name=name)
    if _is_broken(path):
        return sentence("{name} is a link to a file that does not exist", name=name)
    if path.exists():
        return sentence("{name} is a pipe or a device, expected a file", name=name)
    beside: list[str] = []
    with suppress(OSError):
        beside = sorted(one.name for one in path.parent.iterdir())
    near = closest(path.name, tuple(beside))
    message = sentence("file {name} not found", name=name)
    if "\\" in name:
        return sentence("{message}; write / between folders", message=message)
    if near:
        likely = (Path(name).parent / near).as_posix()
        message = sentence("{message}; did you mean {near}?", message=message, near=likely)
    return message


def _is_broken(path: Path) -> bool:
    """Whether `path` is a link to nothing."""
    return path.is_symlink() and not path.exists()


def _has_no_campaigns(folder: Path) -> bool:
    """Whether the contents of a folder belong to other programs, or to another project."""
    return folder.name.startswith(".") or lexists(folder / PROJECT_FILE)


def _glob(root: Path, pattern: str, place: Location, log: ProblemLog) -> Iterator[Path]:
    path = PurePath(pattern)
    if path.is_absolute() or ".." in path.parts:
        log.error("PATH_OUTSIDE", outside(pattern), place)
        return
    if not path.parts:
        message = sentence(
            "{pattern} is the project folder itself; use a pattern such as {example}",
            pattern=pattern,
            example=_EXAMPLE,
        )
        log.error("PATTERN", message, place)
        return
    if is_impossible(pattern):
        log.error("PATTERN", IMPOSSIBLE_PATH, place)
        return
    if is_hidden(path.parts):
        log.error("PATH_HIDDEN", hidden(pattern), place)
        return

    def unread(folder: Path, error: OSError) -> None:
        message = sentence("cannot read the folder: {why}", why=error.strerror)
        log.error("FILE_MISSING", message, Location(folder.relative_to(root).as_posix()))

    try:
        yield from expand(root, pattern, unread, _has_no_campaigns)
    except ValueError:
        message = sentence(
            "{pattern}: ** must be a path component of its own, as in {example}",
            pattern=pattern,
            example=_EXAMPLE,
        )
        log.error("PATTERN", message, place)
