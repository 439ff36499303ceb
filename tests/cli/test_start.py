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
    "text", ["Магазин закрыт.", "{{ name }}, привет", "Привет{% if name %}, {{ name }}{% endif %}!"]
)
def test_validate_loads_what_the_project_wants(text: str, tmp_path: Path) -> None:
    """Of a valid project with usual texts: no Jinja2, no jsonschema, nothing for the network or a terminal."""
    assert _loaded("-q", "-C", _project(tmp_path, text), "validate") == set()


def test_an_offline_plan_loads_no_http(tmp_path: Path) -> None:
    """Nor Jinja2 to find that nothing is included."""
    words = ("-q", "-C", _project(tmp_path, "{{ name }}, привет"), "plan", "--offline", "--format", "json")
    assert _loaded(*words) & {"jinja2", "jsonschema", "requests", "urllib3"} == set()


def test_a_text_that_wants_jinja_gets_it(tmp_path: Path) -> None:
    """Or the tests above would prove nothing."""
    assert "jinja2" in _loaded("-C", _project(tmp_path, "{{ name | upper }}"), "validate")
