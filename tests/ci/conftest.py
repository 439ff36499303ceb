"""A pipeline to run: a repository, a remote, the sandbox, and a `gh` that stores its input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.conftest import Shop, shop  # noqa: F401  # the fixture

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION = ROOT / ".github/actions/smsby-deploy"
CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: staff
    recipients: ["+375291234567", "+375297654321"]
    text: Shop is closed until noon
"""
# Answers the requests of run.sh to GitHub from files, and stores what it posts.
GH = """\
#!/bin/bash
echo "$*" >>"$GH_LOG"
case "$*" in
  *"/issues/7/comments"*POST*|*POST*"/issues/7/comments"*)
    jq '[{id: 41, user: {type: "Bot"}, body: .body}]' comment.json >"$GH_STATE/comments.json" ;;
  *PATCH*) jq '[{id: 41, user: {type: "Bot"}, body: .body}]' comment.json >"$GH_STATE/comments.json" ;;
  *"/issues/7/comments"*) cat "$GH_STATE/comments.json" ;;
  *"/pulls"*) cat "$GH_STATE/pulls.json" ;;
  *"/artifacts?name="*) cat "$GH_STATE/artifacts.json" ;;
  *"/zip"*) cat "$GH_STATE/plan.zip" ;;
  *) exit 1 ;;
esac
"""


@dataclass
class Pipeline:
    """A checkout of a project with a bare repository as its origin, and the environment of a runner."""

    shop: Shop
    bin: Path
    state: Path
    env: dict[str, str] = field(default_factory=dict)

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.shop.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def sh(self, script: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `script` in the checkout like the shell of a runner."""
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=self.shop.root,
            env={**os.environ, **self.env, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "secret-token" not in done.stdout + done.stderr
        return done

    def step(self, name: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run one step of the action."""
        return self.sh(f"bash {ACTION}/run.sh {name}", **env)

    def comments(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads((self.state / "comments.json").read_text("utf-8"))
        return found


@pytest.fixture
def pipeline(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:  # noqa: F811
    binaries, state = tmp_path / "bin", tmp_path / "state"
    binaries.mkdir()
    state.mkdir()
    for name, text in (
        ("smsby-deploy", f'#!/bin/bash\nexec {sys.executable} -m smsby_deploy "$@"\n'),
        ("gh", GH),
    ):
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    (state / "comments.json").write_text("[]")
    shop.write("sale.yaml", CAMPAIGN)
    made = Pipeline(shop, binaries, state)
    made.env = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "SMSBY_DEPLOY": str(binaries / "smsby-deploy"),
        "SMSBY_API_URL": shop.url,
        "SMSBY_TOKEN": "secret-token",
        "SMSBY_PROJECT": ".",
        "PLAN": "smsby-plan.json",
        "GH_LOG": str(state / "gh.log"),
        "GH_STATE": str(state),
        "GITHUB_REPOSITORY": "shop/sms",
        "GITHUB_REF_NAME": "main",
        "GITHUB_STEP_SUMMARY": str(state / "summary.md"),
        "GITHUB_OUTPUT": str(state / "output"),
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Test",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "test@localhost",
        "GIT_CONFIG_KEY_2": "init.defaultBranch",
        "GIT_CONFIG_VALUE_2": "main",
    }
    for name, value in made.env.items():
        if name.startswith("GIT_CONFIG"):
            monkeypatch.setenv(name, value)
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(origin)], check=True)
    made.git("init", "--quiet")
    made.git("add", ".")
    made.git("commit", "--quiet", "-m", "A campaign")
    made.git("remote", "add", "origin", str(origin))
    made.git("push", "--quiet", "origin", "HEAD:main")
    return made
