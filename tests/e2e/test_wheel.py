"""An installed wheel works in any folder: it contains the schemas, the sample project and the translations."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_wheel_contains_all_it_needs(tmp_path: Path) -> None:
    """Unpacked outside the repository, the wheel prints a schema and creates a project that validates."""
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    # The only network access: pip fetches the build backend.
    unguarded = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(build, env=unguarded, check=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    environ = {**os.environ, "PYTHONPATH": str(unpacked)}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "smsby_deploy", *arguments],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert '"title": "Campaign"' in run("schema", "campaign")
    run("init", "shop")
    run("-C", "shop", "validate")
    with (tmp_path / "shop/smsby.yaml").open("a", encoding="utf-8") as project:
        project.write("language: ru\n")
    page = run(
        "-C", "shop", "plan", "--offline", "--format", "html"
    )  # templates, catalogs and help on problems
    assert "Что делать: удалите их из списка в sms.by" in page
    code = "import smsby_deploy; print(smsby_deploy.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert str(unpacked) in where.stdout
