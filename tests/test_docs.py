"""The docs can't drift from the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_CODE = re.compile(
    r'(?:Problem\(\s*Severity\.\w+,|_problem\(|place_problem\(\w+(?:\.\w+)?,|complain\(|at\([^"]*,)\s*"([A-Z_]+)"'
)


def test_every_problem_code_is_documented() -> None:
    """Each code that the program can report has its row in docs/problems.md, and no row is left over."""
    used = {
        code
        for path in (ROOT / "smsby_deploy").rglob("*.py")
        for code in _CODE.findall(path.read_text("utf-8"))
    } | {"ROW", "PHONE"}
    rows = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs/problems.md").read_text("utf-8"), re.MULTILINE))
    assert used == rows


def test_nothing_refers_to_what_lies_outside_the_project() -> None:
    """A reader of the project has all of it."""
    for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md", *(ROOT / "smsby_deploy").rglob("*.py")]:
        assert "../shared" not in path.read_text("utf-8"), path
