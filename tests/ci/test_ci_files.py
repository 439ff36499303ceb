"""The files of the pipelines, judged by the schemas and linters of those who read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION = ROOT / ".github/actions/smsby-deploy"


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.github-workflows", "docs/ci/github.yml"),
        ("vendor.github-actions", ".github/actions/smsby-deploy/action.yml"),
        ("vendor.gitlab-ci", "docs/ci/gitlab.yml"),
    ],
)
def test_it_fits_the_schema_of_its_reader(schema: str, path: str) -> None:
    """GitHub's and GitLab's own schemas, as check-jsonschema ships them."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(ROOT / path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_shell_is_clean() -> None:
    """No finding of shellcheck, not even an info."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run(
        [str(shellcheck), str(ACTION / "run.sh")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not installed")
def test_actionlint() -> None:
    """The example workflow has no finding."""
    done = subprocess.run(
        ["actionlint", str(ROOT / "docs/ci/github.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_no_expression_is_part_of_a_script() -> None:
    """A branch name or a title in a script would be run: scripts get everything through their environment."""
    action = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert len(scripts) == 3
    assert not any("${{" in script for script in scripts)


def test_the_example_gives_the_action_inputs_that_it_has() -> None:
    """Every `with:` of the workflow is an input, every mode is known, and each asks for no right it does not need."""
    inputs = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))["inputs"]
    workflow = yaml.safe_load((ROOT / "docs/ci/github.yml").read_text("utf-8"))
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        (step,) = [step for step in job["steps"] if "smsby-deploy" in step["uses"]]
        assert set(step["with"]) <= set(inputs)
        assert step["with"]["mode"] == name
        assert ("write" in job["permissions"].values()) == (name in ("plan", "apply"))
    assert workflow["jobs"]["apply"]["concurrency"]["cancel-in-progress"] is False


def test_the_pre_commit_hook_validates() -> None:
    """It needs no token and takes no file names: a project is checked as a whole."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert (hook["entry"], hook["language"]) == ("smsby-deploy validate", "python")
    assert hook["pass_filenames"] is False
