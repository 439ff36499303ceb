"""Every example in the README runs, and prints what the README shows.

The `sh` blocks run in order in one shell, in a folder that replaces the checkout, against a sandbox in another
process. A `text` block is the output (stdout and stderr) of the `sh` block before it. A `yaml` block is saved under
the name in its first line. `make` only checks that the target exists: `make test` runs this very test.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from smsby_deploy.cli.main import run
from smsby_deploy.config.project_loader import load_project
from tests.e2e.conftest import running_sandbox
from tests.e2e.forked import ForkedProgram

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUSSIAN = (ROOT / "README.ru.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ADDRESS = "http://127.0.0.1:8025"
_SERVER = "smsby-deploy sandbox\n"


@dataclass(frozen=True)
class Block:
    kind: str
    text: str


BLOCKS = [Block(kind, text) for kind, text in _BLOCK.findall(README)]
_IDENTITY = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
_PRELUDE = 'set -euo pipefail\nmake() { command make --dry-run "$@" >/dev/null; }\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A folder with what the examples need from a checkout: the Makefile and the venv of this test."""
    folder = tmp_path / "checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        (folder / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    program = ForkedProgram(folder / ".venv" / "bin" / "smsby-deploy")
    path = f"{folder}/.venv/bin:{Path(sys.executable).parent}"
    (folder / ".venv" / "bin" / "activate").write_text(f'export PATH={shlex.quote(path)}:"$PATH"\n')
    yield folder
    program.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[str]:
    """The URL of a sandbox in another process."""
    with running_sandbox(tmp_path) as url:
        yield url


def test_readme_examples_run_and_print_what_is_shown(checkout: Path, sandbox: str) -> None:
    """All commands run in order, as a new user would type them, with the exit codes shown."""
    account = {"SMSBY_API_URL": sandbox, "SMSBY_TOKEN": "anything"}  # the sandbox serves as production, too
    environ = os.environ | account | _IDENTITY
    script = _PRELUDE + "".join(
        f"{{\n{step}}} > {checkout.parent}/out.{number} 2>&1\n" for number, step in _steps(checkout.parent)
    )
    done = subprocess.run(
        ["bash", "-c", script.replace(_ADDRESS, sandbox)], cwd=checkout, env=environ, timeout=120, check=False
    )
    outputs = {number: checkout.parent / f"out.{number}" for number, _ in _steps(checkout.parent)}
    printed = {
        number: path.read_text(encoding="utf-8").replace(sandbox, _ADDRESS)
        for number, path in outputs.items()
        if path.exists()
    }
    assert done.returncode == 0, printed
    if os.environ.get("UPDATE_DOCS"):
        _update(printed)
        return
    for number, block in enumerate(BLOCKS):
        if block.kind == "text":
            assert _same_year(printed[number - 1]) == _same_year(block.text), "run `make docs-reference`"
    again = f". ../.venv/bin/activate\n{BLOCKS[-1].text}"
    merged_twice = subprocess.run(
        ["bash", "-euc", again], cwd=checkout / "my-shop", env=environ, timeout=60, check=False
    )
    assert merged_twice.returncode == 5
    assert "Record the apply" in subprocess.check_output(
        ["git", "-C", checkout.parent / "remote.git", "log", "--all", "--format=%s"], text=True
    )


def _steps(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield the steps, including those that the README describes only in words: saving a file, a git checkout."""
    for number, block in enumerate(BLOCKS):
        if block.kind == "yaml":
            name = block.text.splitlines()[0].removeprefix("# ")
            yield number, f"cat > {shlex.quote(name)} <<'END'\n{block.text}END\n"
        elif block.kind == "sh":
            step = block.text.replace(_SERVER, "")
            if "--format github" in step:
                step = (
                    "sed -i 's/15%/10%/' welcome.yaml\n"
                    "git init -q -b main . && git add . && git commit -q -m 'A shop'\n"
                    f"git init -q --bare {folder}/remote.git && git remote add origin {folder}/remote.git\n"
                    f"git push -q -u origin main\n{step}"
                )
            yield number, step


def _update(printed: dict[int, str]) -> None:
    """Write the printed output into both READMEs (`make docs-reference`)."""
    numbers = iter(range(len(BLOCKS)))

    def fill(found: re.Match[str]) -> str:
        number = next(numbers)
        return f"```text\n{printed[number - 1]}```" if found[1] == "text" else found[0]

    written = _BLOCK.sub(fill, README)
    (ROOT / "README.md").write_text(written, encoding="utf-8")
    blocks = (found[0] for found in _BLOCK.finditer(written))
    (ROOT / "README.ru.md").write_text(_BLOCK.sub(lambda found: next(blocks), RUSSIAN), encoding="utf-8")


def _same_year(text: str) -> str:
    return re.sub(r"\b20\d\d-", "YEAR-", text)


def test_readme_examples_cover_the_main_commands() -> None:
    """There are shell, campaign and output blocks, and no block of another kind that the test would skip."""
    assert {block.kind for block in BLOCKS} == {"sh", "yaml", "text"}
    assert _SERVER in "".join(block.text for block in BLOCKS)
    commands = set(re.findall(r"^smsby-deploy (\w+)", "".join(b.text for b in BLOCKS), re.MULTILINE))
    assert commands >= {"init", "validate", "plan", "apply", "status", "sandbox"}


def test_readme_pipeline_has_at_most_ten_lines() -> None:
    """The pipeline is short enough to read before copying it."""
    recipe = README.split("## In a pipeline")[1].split("\n## ")[0]
    assert sum(len(text.splitlines()) for _, text in _BLOCK.findall(recipe)) <= 10


@pytest.mark.parametrize(("applied", "code"), [(0, 1), (6, 6)])
def test_readme_pipeline_fails_if_it_cannot_push_the_lock(tmp_path: Path, applied: int, code: int) -> None:
    """A lock that was not pushed is no success, even without `set -e`, and hides no exit code."""
    (recipe,) = (block.text for block in BLOCKS if "--report result.json" in block.text)
    program = tmp_path / "smsby-deploy"
    program.write_text(f"#!/bin/sh\necho sent > smsby.lock.json\nexit {applied}\n", encoding="utf-8")
    program.chmod(0o755)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    environ = os.environ | _IDENTITY | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", recipe], cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, "No configured push destination" in done.stderr) == (code, True)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "yaml"], ids=lambda b: b.text[:20])
def test_readme_yaml_is_a_valid_campaign(block: Block, tmp_path: Path) -> None:
    """Each YAML block passes validation."""
    assert run(["init", str(tmp_path)]) == 0
    name = block.text.splitlines()[0].removeprefix("# ")
    (tmp_path / name).write_text(block.text, encoding="utf-8")
    assert load_project(tmp_path).problems == ()
    assert yaml.safe_load(block.text)["campaign"] in {
        c.name for c in load_project(tmp_path).project.campaigns
    }


def test_russian_readme_has_the_same_examples() -> None:
    """The Russian README has the examples, sections and links of the English one, in order."""
    assert _BLOCK.findall(RUSSIAN) == _BLOCK.findall(README), "run `make docs-reference`"
    assert RUSSIAN.count("\n## ") == README.count("\n## ")
    links, ours = (re.findall(r"\]\(([^)]+)\)", text) for text in (README, RUSSIAN))
    assert [link for link in ours if "README" not in link] == [link for link in links if "README" not in link]


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))), ids=lambda link: link
)
def test_readme_links_lead_to_files(link: str) -> None:
    """Every relative link names a file of the project."""
    assert (ROOT / link).is_file()


def test_readme_links_every_page_of_the_docs() -> None:
    """The README links every page of the docs."""
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages <= set(re.findall(r"\]\(([^)#]+)\)", README))
