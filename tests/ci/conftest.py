"""A pipeline to run: a repository, a remote, the sandbox, and a `gh` that stores its input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.lock.store import LockStore
from tests.ci.github import fake_gh
from tests.e2e.campaigns import STAFF
from tests.e2e.conftest import Shop, shop  # noqa: F401  # the fixture
from tests.e2e.forked import ForkedProgram

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION = ROOT / ".github/actions/smsby-deploy"


@dataclass
class Pipeline:
    """A checkout of a project with a bare repository as its origin, and the environment of a runner."""

    shop: Shop
    bin: Path
    state: Path
    runner: Path
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

    def results(self) -> dict[int, str]:
        """Return the results of applies by pull request."""
        return {
            int(note["pull"]): note["body"]
            for note in self.comments()
            if note["body"].startswith("<!-- smsby-deploy:apply")
        }

    def summary(self) -> str:
        return (self.state / "summary.md").read_text("utf-8")

    def outputs(self) -> str:
        return (self.state / "output").read_text("utf-8")

    def pushed(self) -> list[str]:
        """Return the files on main of the remote."""
        self.git("fetch", "--quiet", "origin")
        return self.git("ls-tree", "-r", "--name-only", "origin/main").split()

    def working_file(self, name: str) -> Path:
        return self.runner / "smsby/root" / name

    def merge(self, number: int = 7, project: str = ".") -> str:
        """Store a merged pull request as GitHub does: the artifact with its plan, and its commit."""
        assert self.step("plan", PR_NUMBER=str(number), SMSBY_PROJECT=project).returncode == 0
        head = self.git("rev-parse", "HEAD")
        self.keep_plan(f"{number}-{head}", head)
        pull = {"number": number, "merged_at": f"2026-11-{number:02}", "head": {"sha": head}}
        self.edit("pulls.json", lambda pulls: pulls | {head: [pull | {"base": {"ref": "main"}}]})
        return head

    def keep_plan(self, name: str, head: str) -> None:
        """Upload the plans, as the action does after the `plan` step."""
        for path in self.runner.glob("smsby/*/smsby-plan.json"):
            count = len(json.loads((self.state / "artifacts.json").read_text("utf-8"))) + 1
            with zipfile.ZipFile(self.state / f"{count}.zip", "w") as archive:
                archive.write(path, "smsby-plan.json")
            run = {"head_sha": head, "head_repository_id": 1, "repository_id": 1}
            artifact = {"id": count, "name": f"smsby-plan-{path.parent.name}-{name}", "expired": False}
            self.edit("artifacts.json", lambda known, new=artifact | {"workflow_run": run}: [*known, new])
            path.unlink()

    def edit(self, name: str, change: Callable[[Any], Any]) -> None:
        path = self.state / name
        path.write_text(json.dumps(change(json.loads(path.read_text("utf-8")))), "utf-8")

    @contextmanager
    def obstacle(self, code: int) -> Iterator[None]:
        """While the block runs, make an apply end with 7 (sms.by asks to wait) or 8 (another run holds the lock)."""
        if code == 8:
            with LockStore(self.shop.root / "smsby.lock.json", "shop").held():
                yield
            return
        self.shop.fault(method="sendBulkSms", mode="429", retry_after="900")
        yield
        self.shop.clear_faults()

    def move_to_projects(self, *folders: str) -> tuple[str, ...]:
        """Replace the project by several in one repository, each with a campaign named after the end of its folder."""
        settings = (self.shop.root / "smsby.yaml").read_text("utf-8")
        for folder in folders:
            name = folder[-1]
            self.shop.write(
                f"{folder}/smsby.yaml", settings.replace("project: shop", f"project: shop-{name}")
            )
            self.shop.write(f"{folder}/{name}.yaml", STAFF.replace("campaign: sale", f"campaign: {name}"))
        self.git("rm", "--quiet", "sale.yaml", "smsby.yaml")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "Two projects")
        self.git("push", "--quiet", "origin", "HEAD:main")
        return folders

    def new_checkout(self) -> None:
        """Lose the runner and get a new one, without anything that was not pushed."""
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "--force", "--detach", "origin/main")
        self.git("clean", "--quiet", "-ffdx")

    @property
    def tool(self) -> Path:
        """A repository of the tool, as far as an installation needs it."""
        return self.state / "tool"

    def fake_installation(self) -> tuple[str, Callable[[], list[str]]]:
        """Return a commit of a repository of the tool, and a function that returns how pip was called."""
        for name in ("core", "sql", "s3"):
            path = self.tool / f".github/requirements/{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {name}\n")
        git = ["git", "-C", str(self.tool)]
        subprocess.run([*git[:1], "init", "--quiet", str(self.tool)], check=True)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", "A release"], check=True)
        head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        log = self.state / "pip.log"
        python = self.bin / "python3"
        python.write_text(
            f'#!/bin/bash\n[ "$1 $2 $3" = "-I -m venv" ] || exec {sys.executable} "$@"\n'
            f'mkdir -p "$4/bin"\nprintf \'#!/bin/bash\\necho "$@" >>{log}\\n\' >"$4/bin/python"\n'
            'chmod +x "$4/bin/python"\n'
        )
        python.chmod(0o755)
        return head.stdout.strip(), lambda: log.read_text("utf-8").splitlines()

    @staticmethod
    def check_installation(pips: list[str], *extras: str) -> None:
        """Check that pip installed only packages with hashes, and then the tool without others."""
        packages, tool = pips
        assert {"--require-hashes", "--only-binary", ":all:"} <= set(packages.split())
        files = re.findall(r"-r \S+/\.github/requirements/(\w+)\.txt", packages)
        assert files == ["core", *extras]
        assert {"--no-index", "--no-deps", "--no-build-isolation"} <= set(tool.split())

    def protect_main(self) -> None:
        """Make the remote refuse pushes to main, like a protected branch."""
        hook = self.shop.root.parent / "origin.git/hooks/pre-receive"
        hook.write_text(
            "#!/bin/sh\nwhile read -r old new ref; do [ $ref != refs/heads/main ] || exit 1; done\n"
        )
        hook.chmod(0o755)


@pytest.fixture
def pipeline(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:  # noqa: F811
    binaries, state, runner = (tmp_path / name for name in ("bin", "state", "runner"))
    for folder in (binaries, state, runner):
        folder.mkdir()
    program = ForkedProgram(binaries / "smsby-deploy")
    # A python3 on PATH may be a script of pyenv, which takes longer than what it starts.
    (binaries / "python3").write_text(f'#!/bin/sh\nexec {Path(sys.executable).resolve()} "$@"\n')
    (binaries / "sleep").write_text("#!/bin/sh\n")  # between two pushes
    for name in ("python3", "sleep"):
        (binaries / name).chmod(0o755)
    shop.write("sale.yaml", STAFF)
    made = Pipeline(shop, binaries, state, runner)
    made.env = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "SMSBY_DEPLOY": str(binaries / "smsby-deploy"),
        "SMSBY_API_URL": shop.url,
        "SMSBY_TOKEN": "secret-token",
        "SMSBY_PROJECT": ".",
        "RUNNER_TEMP": str(runner),
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
    with fake_gh(binaries / "gh", state):
        yield made
    program.close()
