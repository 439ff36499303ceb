"""Write .github/requirements/: every package that the pipelines install, with its version and hashes.

core.txt has what smsby-deploy itself needs, and its build backend; each other file what an extra adds. uv finds the
versions, for every platform. Run it before a release (`make requirements`), and look at the difference.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

_ROOT = Path(__file__).resolve().parent.parent
_FOLDER = _ROOT / ".github/requirements"
_HEAD = "# Written by script/lock_requirements.py; `pip install --require-hashes` takes nothing else.\n"
_NOT_IN_PIPELINES = frozenset({"dev", "docs", "sandbox"})


def main() -> None:
    """Write one file for the core, and one for each extra that a pipeline may install."""
    with (_ROOT / "pyproject.toml").open("rb") as file:
        document = tomllib.load(file)
    extras = sorted(document["project"]["optional-dependencies"].keys() - _NOT_IN_PIPELINES)
    backend = document["build-system"]["requires"]
    everything = _resolve(extras, backend)
    core = _resolve([], backend, everything)
    _FOLDER.mkdir(exist_ok=True)
    _write("core", core)
    for extra in extras:
        added = _resolve([extra], backend, everything)
        _write(extra, {name: lines for name, lines in added.items() if name not in core})


def _resolve(extras: list[str], backend: list[str], chosen: dict[str, str] | None = None) -> dict[str, str]:
    """Return the lines of each package by its name; `chosen` has the versions to take."""
    options = [word for extra in extras for word in ("--extra", extra)]
    with TemporaryDirectory() as folder:
        wanted, pinned = Path(folder, "backend.in"), Path(folder, "chosen.txt")
        wanted.write_text("\n".join(backend) + "\n", "utf-8")
        pins = (lines.partition(" ")[0] for lines in (chosen or {}).values())
        pinned.write_text("".join(f"{pin}\n" for pin in pins), "utf-8")
        command = [
            str(Path(sys.executable).with_name("uv")), "pip", "compile", "pyproject.toml", str(wanted),
            "--constraints", str(pinned), "--universal", "--python-version", "3.11", "--generate-hashes",
            "--no-annotate", "--no-header", "--quiet", *options,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    packages: dict[str, str] = {}
    for line in done.stdout.splitlines(keepends=True):
        if not line.startswith(" "):
            name = line.partition("==")[0]
            packages[name] = ""
        packages[name] += line
    return packages


def _write(name: str, packages: dict[str, str]) -> None:
    (_FOLDER / f"{name}.txt").write_text(_HEAD + "".join(packages.values()), "utf-8")


if __name__ == "__main__":
    main()
