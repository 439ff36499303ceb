"""Architecture rules that import-linter cannot express: sending names, sizes, names and docstrings."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

_TESTS = Path(__file__).resolve().parent
_PACKAGE = _TESTS.parent / "smsby_deploy"
_SENDING = {"SendClient", "SendTransport", "call_raw"}
# The client itself, apply, and the one place that opens a client for apply and the commands `api`, `test-send` and `otp`.
_MAY_SEND = ("smsby/", "apply/", "cli/clients.py", "cli/api.py")
_MAX_FILE, _MAX_FUNCTION = 400, 60  # lines
_MAX_SUMMARY, _MAX_TEST_NAME = 89, 59  # characters
_TEST_NAME = re.compile(r"^ *def (test_\w+)", re.MULTILINE)  # parsing all tests takes a second


class _Definition(NamedTuple):
    """A class or a function."""

    name: str
    is_class: bool
    is_inner: bool
    lines: int
    summary: str


class _Source(NamedTuple):
    """What the rules need to know about a file, which is parsed once, as that takes most of the time."""

    used: frozenset[str]  # names that are imported, or looked up in an object
    imported: frozenset[str]  # modules, or names in them
    definitions: tuple[_Definition, ...]


@cache
def _source(path: Path) -> _Source:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names}
    modules = {node.module or "" for node in imports}
    return _Source(
        frozenset(names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}),
        frozenset(modules | {f"{node.module}.{alias.name}" for node in imports for alias in node.names}),
        tuple(
            _Definition(
                node.name,
                isinstance(node, ast.ClassDef),
                node.col_offset > 0,
                (node.end_lineno or 0) - node.lineno + 1,
                (ast.get_docstring(node) or "").partition("\n")[0],
            )
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ),
    )


def _definitions(folder: Path) -> Iterator[tuple[str, _Definition]]:
    for path in sorted(folder.rglob("*.py")):
        for one in _source(path).definitions:
            yield path.relative_to(folder).as_posix(), one


def test_architecture_only_apply_reaches_a_sending_client() -> None:
    """Only apply, and the place that opens a client for it, use a name of a client that can send."""
    users = {
        path.relative_to(_PACKAGE).as_posix()
        for path in _PACKAGE.rglob("*.py")
        if _SENDING & _source(path).used
    }
    assert {name for name in users if not name.startswith(_MAY_SEND)} == set()
    assert {"apply/context.py", "cli/clients.py", "cli/api.py"} <= users


def _find_cycles(folder: Path) -> list[str]:
    """Return the files of a folder that import each other, also in a function or for types only."""
    package = ".".join(folder.relative_to(_PACKAGE.parent).parts)
    files = {path.stem: _source(path).imported for path in folder.glob("*.py")}
    uses = {
        name: {one for one in files if f"{package}.{one}" in imported} for name, imported in files.items()
    }
    while True:
        wider = {name: found.union(*(uses[one] for one in found)) for name, found in uses.items()}
        if wider == uses:
            return sorted(name for name, found in uses.items() if name in found)
        uses = wider


def test_architecture_has_no_cycle_in_a_folder() -> None:
    """No files of a folder import each other, so each can be read after those that it imports."""
    folders = [path for path in _PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert {folder.name: found for folder in folders if (found := _find_cycles(folder))} == {}


def test_architecture_keeps_files_and_functions_short() -> None:
    """No file has over 400 lines, no function over 60."""
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in _PACKAGE.rglob("*.py")}
    assert [str(path) for path, count in lines.items() if count > _MAX_FILE] == []
    found = _definitions(_PACKAGE)
    too_long = [(file, one.name) for file, one in found if not one.is_class and one.lines > _MAX_FUNCTION]
    assert too_long == []


def test_architecture_has_one_meaning_for_a_name() -> None:
    """No two classes, and no two public functions except the commands, have the same name."""
    sandbox = "sandbox/"  # it shares no code with its client
    names = Counter(
        one.name
        for file, one in _definitions(_PACKAGE)
        if one.is_class or not (one.is_inner or one.name.startswith("_") or file.startswith(sandbox))
    )
    assert [name for name, count in names.items() if count > 1] == ["command"]


def test_architecture_docstrings_begin_with_a_short_line() -> None:
    """A summary has at most 89 characters."""
    found = _definitions(_PACKAGE)
    assert [(file, one.summary) for file, one in found if len(one.summary) > _MAX_SUMMARY] == []


def test_architecture_test_names_are_short() -> None:
    """A test's name has fewer than 60 characters."""
    names = [name for path in _TESTS.rglob("*.py") for name in _TEST_NAME.findall(path.read_text("utf-8"))]
    assert len(names) > 1000
    assert [name for name in names if len(name) > _MAX_TEST_NAME] == []


def test_architecture_has_tests_of_each_file() -> None:
    """Each file has tests of the same name in the same folder, except `__main__`, which other processes test."""
    files = [path.relative_to(_PACKAGE) for path in _PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    lacking = [
        file.as_posix() for file in files if not (_TESTS / file.parent / f"test_{file.name}").is_file()
    ]
    assert lacking == ["__main__.py"]
