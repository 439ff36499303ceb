"""Rules of the architecture that import-linter cannot express: sending names, sizes, names and docstrings."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_TESTS = Path(__file__).resolve().parent
_PACKAGE = _TESTS.parent / "smsby_deploy"
_SENDING = {"SendClient", "SendTransport", "call_raw"}
# The client itself, apply, and the one place that opens a client for apply and the commands `api`, `test-send` and `otp`.
_MAY_SEND = ("smsby/", "apply/", "cli/account.py", "cli/api.py")
_MAX_FILE, _MAX_FUNCTION = 400, 60  # lines
_MAX_SUMMARY, _MAX_TEST_NAME = 89, 59  # characters


def _used_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_architecture_only_apply_reaches_a_sending_client() -> None:
    """No other room can send by mistake, because it has no name for a client that sends."""
    users = {
        path.relative_to(_PACKAGE).as_posix()
        for path in _PACKAGE.rglob("*.py")
        if _SENDING & set(_used_names(path))
    }
    assert {name for name in users if not name.startswith(_MAY_SEND)} == set()
    assert {"apply/context.py", "cli/account.py", "cli/api.py"} <= users


def _imports_in_folder(path: Path) -> set[str]:
    """The files of its folder that a file imports, also in a function or for types only."""
    folder = ".".join(path.relative_to(_PACKAGE.parent).parent.parts)
    nodes = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    ]
    named = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    named |= {node.module or "" for node in nodes}
    return {other.stem for other in path.parent.glob("*.py") if f"{folder}.{other.stem}" in named}


def _circles(folder: Path) -> list[str]:
    """The files of a folder that import each other, one way or another."""
    uses = {path.stem: _imports_in_folder(path) for path in folder.glob("*.py")}
    while True:
        wider = {name: found.union(*(uses[one] for one in found)) for name, found in uses.items()}
        if wider == uses:
            return sorted(name for name, found in uses.items() if name in found)
        uses = wider


def test_architecture_has_no_circles_in_a_folder() -> None:
    """A file can be read after those that it imports; only the types of a lock and of its mailings need each other."""
    folders = [path for path in _PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    circles = {folder.name: found for folder in folders if (found := _circles(folder))}
    assert circles == {"lock": ["entry_json", "records", "stored_mailings"]}


def _definitions(folder: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield path.relative_to(folder).as_posix(), node


def test_architecture_keeps_files_and_functions_short() -> None:
    """No file has over 400 lines, no function over 60."""
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in _PACKAGE.rglob("*.py")}
    assert [str(path) for path, count in lines.items() if count > _MAX_FILE] == []
    functions = (node for _, node in _definitions(_PACKAGE) if isinstance(node, ast.FunctionDef))
    too_long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= _MAX_FUNCTION]
    assert too_long == []


def test_architecture_has_one_meaning_for_a_name() -> None:
    """No class has the name of another, and no public function that of another, except the commands."""
    sandbox = "sandbox/"  # it shares no code with its client
    names = Counter(
        node.name
        for file, node in _definitions(_PACKAGE)
        if isinstance(node, ast.ClassDef)
        or (node.col_offset == 0 and not node.name.startswith("_") and not file.startswith(sandbox))
    )
    assert [name for name, count in names.items() if count > 1] == ["command"]


def test_architecture_docstrings_begin_with_a_short_line() -> None:
    """A summary has at most 89 characters."""
    summaries = (
        (file, (ast.get_docstring(node) or "").partition("\n")[0]) for file, node in _definitions(_PACKAGE)
    )
    assert [(file, line) for file, line in summaries if len(line) > _MAX_SUMMARY] == []


def test_architecture_test_names_are_short() -> None:
    """The name of a test has under 60 characters."""
    names = [node.name for _, node in _definitions(_TESTS) if node.name.startswith("test_")]
    assert [name for name in names if len(name) > _MAX_TEST_NAME] == []
