"""Every command of docs/runbook.md, recipes.md, tests.md and ru/start.md is run against a sandbox in another process.

Each `## ` section is one test, in its own sample project. A `yaml` block is saved under the name in its first
line; a `sh` block is run and must succeed, or end with the code that a comment `<!-- exit: N -->` before it names. What
a reader has but the page does not show, e.g. a mailing whose answer was lost, is arranged by a comment
`<!-- setup … -->`; `sandbox PATH JSON` in it posts to the sandbox's own switches, and a `message_id` that it sets is used
in place of the id that the page shows. The shown address of a sandbox is replaced by that of the test. A comment
`<!-- check … -->` states what must be true then; `received PHONE N` in it checks how many messages a phone got.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from smsby_deploy.cli.main import run
from tests.e2e.conftest import running_sandbox
from tests.e2e.forked import ForkedProgram

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_PAGES = ("runbook.md", "recipes.md", "tests.md", "ru/start.md")
_SHOWN_ID = "2604834"
_SHOWN_URL = "http://127.0.0.1:8025"
_STEP = re.compile(
    r"^ *<!-- (?P<hidden>setup|check)\n(?P<shell>.*?)^ *-->\n"
    r"|^(?: *<!-- exit: (?P<exit>\d+) -->\n)?^ *```(?P<kind>sh|yaml)\n(?P<text>.*?)^ *```\n",
    re.MULTILINE | re.DOTALL,
)
# In bash where possible, since an interpreter with an HTTP client starts more slowly than most commands run.
_PRELUDE = r"""
ask() { # method, path and body
  local place="${SMSBY_API_URL#http://}" status line LC_ALL=C
  exec 9<>"/dev/tcp/${place%:*}/${place#*:}"
  printf '%s /_sandbox/%s HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
    "$1" "$2" "${#3}" "$3" >&9
  read -r _ status _ <&9
  while read -r line && [ "$line" != $'\r' ]; do :; done <&9
  cat <&9
  exec 9>&-
  [ "$status" = 200 ]
}
sandbox() {
  ask POST "$1" "$2" >/dev/null
}
received() {
  ask GET inbox "" | python -IS -c 'import json, sys
inbox = json.load(sys.stdin)
assert len(inbox.get(sys.argv[1], [])) == int(sys.argv[2]), inbox' "$1" "$2"
}
"""


@dataclass(frozen=True)
class Section:
    """The steps of one section: shell text, and the exit code it must end with, or None if any is accepted."""

    page: str
    title: str
    steps: tuple[tuple[str, int | None], ...]


def _read_sections() -> Iterator[Section]:
    for page in _PAGES:
        head, *sections = re.split(r"^## ", (_DOCS / page).read_text("utf-8"), flags=re.MULTILINE)
        for section in (f"start\n{head}", *sections):
            if steps := tuple(_read_steps(section)):
                yield Section(page, section.partition("\n")[0], steps)


def _read_steps(section: str) -> Iterator[tuple[str, int | None]]:
    for step in _STEP.finditer(section):
        if step["hidden"] is not None:
            yield textwrap.dedent(step["shell"]), None if step["hidden"] == "setup" else 0
        elif step["kind"] == "yaml":
            text = textwrap.dedent(step["text"])
            name = text.splitlines()[0].removeprefix("# ")
            yield f"cat > {shlex.quote(name)} <<'END'\n{text}END\n", 0
        else:
            text = textwrap.dedent(step["text"]).replace(_SHOWN_ID, f"${{message_id:-{_SHOWN_ID}}}")
            yield text.replace(_SHOWN_URL, "$SMSBY_API_URL"), int(step["exit"] or 0)


SECTIONS = list(_read_sections())


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a sandbox in another process; messages are final at once."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as url:
        yield url


@pytest.fixture(scope="module")
def program_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the program, which the tests start a hundred times."""
    folder = tmp_path_factory.mktemp("bin")
    program = ForkedProgram(folder / "smsby-deploy")
    yield folder
    program.close()


@pytest.fixture
def shell_environment(sandbox_url: str, program_folder: Path) -> dict[str, str]:
    """The variables of a reader's shell: a sandbox with nothing sent, a token, and git's author."""
    environment = os.environ | {
        "SMSBY_API_URL": sandbox_url,
        "SMSBY_TOKEN": "anything",
        "PATH": f"{program_folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        **{f"GIT_{role}_{field}": "a@b" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")},
    }
    requests.post(f"{sandbox_url}/_sandbox/reset", timeout=30).raise_for_status()
    return environment


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.page}: {section.title}")
def test_docs_section_runs(section: Section, tmp_path: Path, shell_environment: dict[str, str]) -> None:
    """Each command of the section works as a reader would type it, and exits as the page says."""
    project = tmp_path / "project"
    assert run(["init", str(project)]) == 0
    lines = [_PRELUDE]
    for text, code in section.steps:
        lines.append(text if code is None else f'(set -ex\n{text})\n[ "$?" = {code} ] || exit 99\n')
    done = subprocess.run(
        ["bash", "-c", "".join(lines)],
        cwd=project,
        env=shell_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_docs_examples_are_found() -> None:
    """Each page has sections with commands, so a changed layout cannot make the tests above empty."""
    commands = [text for section in SECTIONS for text, code in section.steps if code is not None]
    assert {section.page for section in SECTIONS} == set(_PAGES)
    assert len(SECTIONS) > 20
    pages = "".join((_DOCS / page).read_text("utf-8") for page in _PAGES)
    shown = len(re.findall(r"^ *(?:```(?:sh|yaml)|<!-- check)$", pages, re.MULTILINE))
    assert len(commands) == shown
