"""docs/sandbox.md agrees with the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from smsby_deploy.sandbox.faults import MODES, Fault
from smsby_deploy.sandbox.methods import METHODS
from smsby_deploy.sandbox.pytest_plugin import SandboxHandle
from smsby_deploy.sandbox.sandbox_settings import SandboxSettings

_DOC = (Path(__file__).resolve().parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")


def _first_cells(heading: str) -> set[str]:
    """Return the names in backticks in the first column of the tables under a heading."""
    section = _DOC.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ([^|]*`[^|]*) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_doc_lists_every_method() -> None:
    """The table has all methods and no others."""
    assert _first_cells("Calls") == set(METHODS)


def test_doc_lists_every_setting() -> None:
    """The table has all settings under their names."""
    assert _first_cells("Switches") == {field.name for field in fields(SandboxSettings)}


def test_doc_describes_every_fault_mode_and_field() -> None:
    """Fields of single modes are described with their modes."""
    names = {field.name for field in fields(Fault)}
    assert _first_cells("Faults") - names == set(MODES)
    faults = _DOC.split("\n## Faults\n")[1].split("\n## ")[0]
    assert {name for name in names if f"`{name}`" not in faults} == set()


def test_doc_lists_every_control_route() -> None:
    """The tables have all routes of /_sandbox except the files of the page."""
    from smsby_deploy.sandbox.server import shared_app

    routes = set()
    for rule in shared_app().url_map.iter_rules():
        if rule.rule.startswith("/_sandbox/") and "/page/" not in rule.rule:
            routes |= {(verb, rule.rule) for verb in (rule.methods or set()) & {"GET", "POST", "DELETE"}}
    described = set()
    for line in re.findall(r"^\| (.*?) \|", _DOC, re.MULTILINE):
        path = re.search(r"/_sandbox/\w+", line)
        if path:
            described |= {(verb, path[0]) for verb in re.findall(r"GET|POST|DELETE", line)}
    assert described == routes


def test_doc_lists_every_name_of_the_fixture() -> None:
    """The table has all public names of the handle."""
    names = {name for name in vars(SandboxHandle) if not name.startswith("_")} - {"service"}
    cells = _first_cells("In the tests of your own project")
    assert {re.sub(r"\(.*", "", cell) for cell in cells} == names
