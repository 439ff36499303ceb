"""Every example of the README is run, and does what the README shows.

The `sh` blocks run in their order in one shell, in a folder that stands for the checkout, against a sandbox in
another process. A `text` block is the output (stdout and stderr) of the `sh` block before it. A `yaml` block is a
file; its first line names it. `make` is only asked whether it knows the chore: `make test` runs this very test.
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
_PRELUDE = 'set -euo pipefail\nmake() { command make --dry-run "$@" >/dev/null; }\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what the examples use of a checkout: the chores and the venv that runs this test."""
    folder = tmp_path / "checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        (folder / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    path = shlex.quote(str(Path(sys.executable).parent))
    (folder / ".venv" / "bin" / "activate").write_text(f'export PATH={path}:"$PATH"\n')
    return folder


@pytest.fixture
def sandbox() -> Iterator[str]:
    """A sandbox in another process; gives its URL."""
    command = [sys.executable, "-m", "smsby_deploy", "sandbox", "--port", "0", "--delay", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def test_every_example_of_the_readme_runs_and_prints_what_it_shows(checkout: Path, sandbox: str) -> None:
    """From the first command to the last, as a newcomer would type them; the exit codes too."""
    environ = os.environ | {
        f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    script = _PRELUDE + "".join(
        f"{{\n{step}}} > {checkout.parent}/out.{number} 2>&1\n" for number, step in _steps(checkout.parent)
    )
    done = subprocess.run(
        ["bash", "-c", script.replace(_ADDRESS, sandbox)], cwd=checkout, env=environ, timeout=120, check=False
    )
    outputs = {number: checkout.parent / f"out.{number}" for number, _ in _steps(checkout.parent)}
    printed = {n: path.read_text(encoding="utf-8") for n, path in outputs.items() if path.exists()}
    assert done.returncode == 0, printed
    if os.environ.get("UPDATE_DOCS"):
        _update(printed)
        return
    for number, block in enumerate(BLOCKS):
        if block.kind == "text":
            assert _same_year(printed[number - 1]) == _same_year(block.text), "make docs-reference mends it"
    again = f". ../.venv/bin/activate\nexport SMSBY_API_URL={sandbox} SMSBY_TOKEN=anything\n{BLOCKS[-1].text}"
    merged_twice = subprocess.run(
        ["bash", "-euc", again], cwd=checkout / "my-shop", env=environ, timeout=60, check=False
    )
    assert merged_twice.returncode == 5
    assert "Record what was sent" in subprocess.check_output(
        ["git", "-C", checkout.parent / "remote.git", "log", "--all", "--format=%s"], text=True
    )


def _steps(folder: Path) -> Iterator[tuple[int, str]]:
    """What stands between the blocks in words only is done here: a file is saved, a pipeline has a checkout."""
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
    """Write what was printed into the README: `make docs-reference`."""
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


def test_the_examples_cover_what_a_newcomer_needs() -> None:
    """Shell, a campaign and shown output are all there, and no example of another kind escapes the test."""
    assert {block.kind for block in BLOCKS} == {"sh", "yaml", "text"}
    assert _SERVER in "".join(block.text for block in BLOCKS)
    commands = set(re.findall(r"^smsby-deploy (\w+)", "".join(b.text for b in BLOCKS), re.MULTILINE))
    assert commands >= {"init", "validate", "plan", "apply", "status", "sandbox"}


def test_the_pipeline_has_at_most_ten_lines() -> None:
    """A recipe that nobody reads is not copied."""
    recipe = README.split("## In a pipeline")[1].split("\n## ")[0]
    assert sum(len(text.splitlines()) for _, text in _BLOCK.findall(recipe)) <= 10


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "yaml"], ids=lambda b: b.text[:20])
def test_a_yaml_example_is_a_valid_campaign(block: Block, tmp_path: Path) -> None:
    """It passes our own validation."""
    assert run(["init", str(tmp_path)]) == 0
    name = block.text.splitlines()[0].removeprefix("# ")
    (tmp_path / name).write_text(block.text, encoding="utf-8")
    assert load_project(tmp_path).problems == ()
    assert yaml.safe_load(block.text)["campaign"] in {
        c.name for c in load_project(tmp_path).project.campaigns
    }


def test_the_russian_readme_says_the_same() -> None:
    """Every example and every link of the English one, in its order: what runs there runs here."""
    assert _BLOCK.findall(RUSSIAN) == _BLOCK.findall(README), "make docs-reference mends it"
    assert RUSSIAN.count("\n## ") == README.count("\n## ")
    links, ours = (re.findall(r"\]\(([^)]+)\)", text) for text in (README, RUSSIAN))
    assert [link for link in ours if "README" not in link] == [link for link in links if "README" not in link]


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))), ids=lambda link: link
)
def test_a_link_of_the_readme_leads_somewhere(link: str) -> None:
    """Every relative link names a file of the project."""
    assert (ROOT / link).is_file()


def test_every_page_of_the_docs_is_linked() -> None:
    """Nobody has to guess that a page exists."""
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages <= set(re.findall(r"\]\(([^)#]+)\)", README))
