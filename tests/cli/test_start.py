"""What a command loads before it does anything: most of its time, if it is a quick one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = {
    "flask", "jinja2", "jsonschema", "logging", "phonenumbers", "pickle", "pyarrow", "pygal", "requests", "rich",
    "sqlalchemy", "urllib3",
}  # fmt: skip
_JINJA = {"jinja2", "pickle"}  # Jinja2's bytecode cache imports pickle
_CODE = """
import sys
before = set(sys.modules)  # the guard of the tests loads some
from smsby_deploy.cli.main import run
code = run(sys.argv[1:])
sys.stderr.write(" ".join({name.partition(".")[0] for name in set(sys.modules) - before}))
sys.exit(code)
"""


def _loaded(*words: str) -> set[str]:
    """The packages that a command loads, among those that take long."""
    done = subprocess.run([sys.executable, "-c", _CODE, *words], capture_output=True, text=True, check=True)
    return _HEAVY & set(done.stderr.split())


def _project(folder: Path, text: str) -> str:
    (folder / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    (folder / "sale.yaml").write_text(
        "version: 1\ncampaign: sale\nmailings:\n"
        f'  - {{name: vip, recipients: [{{phone: "375291234567", name: Анна}}], text: "{text}"}}\n',
        "utf-8",
    )
    return str(folder)


def test_help_loads_nothing_heavy() -> None:
    """Nor does it define what the commands work with."""
    assert _loaded("--help") == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Магазин закрыт.", set()),
        ("{{ name }}, привет", _JINJA),
        ("Привет{% if name %}, {{ name }}{% endif %}!", _JINJA),
    ],
)
def test_validate_loads_only_what_the_project_needs(text: str, expected: set[str], tmp_path: Path) -> None:
    """For a valid project: Jinja2 only for texts with markup, no jsonschema, nothing for the network or a terminal."""
    assert _loaded("-q", "-C", _project(tmp_path, text), "validate") == expected


def test_an_offline_plan_loads_no_http(tmp_path: Path) -> None:
    """Nor Jinja2, to find that a text without markup includes nothing."""
    words = ("-q", "-C", _project(tmp_path, "Магазин закрыт."), "plan", "--offline", "--format", "json")
    assert _loaded(*words) & {"jinja2", "jsonschema", "requests", "urllib3"} == set()


def test_validate_loads_jinja_for_a_filter(tmp_path: Path) -> None:
    """Otherwise the tests above would prove nothing."""
    assert "jinja2" in _loaded("-C", _project(tmp_path, "{{ name | upper }}"), "validate")
