"""The pipeline files pass the schemas and linters of the systems that read them."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION = ROOT / ".github/actions/smsby-deploy"


def _tool(name: str) -> str:
    """Return a program that `make setup` installed, whether .venv is active or not."""
    return str(Path(sys.executable).with_name(name))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.github-workflows", "docs/ci/github.yml"),
        ("vendor.github-actions", ".github/actions/smsby-deploy/action.yml"),
        ("vendor.gitlab-ci", "docs/ci/gitlab.yml"),
    ],
)
def test_ci_files_match_their_schemas(schema: str, path: str) -> None:
    """The schemas are those of GitHub and GitLab, as shipped with check-jsonschema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(ROOT / path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_ci_scripts_pass_shellcheck() -> None:
    """shellcheck finds nothing in the scripts of the action, GitLab and Jenkins."""
    jobs = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text("utf-8"))
    recipe = (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8")
    shared = jobs[".smsby"]["before_script"]
    scripts = ["\n".join([*shared, *job["script"]]) for job in jobs.values() if "script" in job]
    scripts += re.findall(r"sh '''(.*?)'''", recipe, re.DOTALL)
    assert len(scripts) == 5 + 12
    for shell, script in [
        ("bash", (ACTION / "run.sh").read_text("utf-8")),
        *(("sh", one) for one in scripts),
    ]:
        # SC2329: not every job uses every shared function
        command = [_tool("shellcheck"), f"--shell={shell}", "--exclude=SC2329", "-"]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, script + done.stdout


def _as_workflow(action: dict[str, Any]) -> dict[str, Any]:
    """Return the steps of a composite action as a workflow with the same inputs, because actionlint reads only those."""
    inputs = {
        name: {"type": "string", **{key: one[key] for key in ("description", "required") if key in one}}
        for name, one in action["inputs"].items()
    }
    job = {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]}
    return {
        "name": "steps",
        "on": {"workflow_call": {"inputs": inputs}},
        "permissions": {},
        "jobs": {"run": job},
    }


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="no actionlint wheel for this platform"
)
def test_ci_workflow_passes_actionlint(tmp_path: Path) -> None:
    """actionlint finds nothing in the example workflow, its inputs for the action, and the steps of the action.

    It reads the action from a copy next to the workflow, so that an unknown input is a finding.
    """
    flows = tmp_path / ".github/workflows"
    flows.mkdir(parents=True)
    shutil.copytree(ACTION, tmp_path / ".github/actions/smsby-deploy")
    example = (ROOT / "docs/ci/github.yml").read_text("utf-8")
    assert example.count("your-org/smsby-deploy/") == 5
    local = re.sub(r"your-org/smsby-deploy/(\S+)@\w+", r"./\1", example)
    (flows / "github.yml").write_text(local, "utf-8")
    action = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
    (flows / "steps.yml").write_text(yaml.safe_dump(_as_workflow(action), sort_keys=False), "utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)

    def lint() -> subprocess.CompletedProcess[str]:
        command = [_tool("actionlint"), "-no-color", "-shellcheck", _tool("shellcheck")]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr
    (flows / "github.yml").write_text(local.replace("fail-under:", "fail-undr:"), "utf-8")
    assert 'input "fail-undr" is not defined' in lint().stdout  # actionlint has read the action


def test_ci_action_scripts_contain_no_expressions() -> None:
    """Scripts get branch names and titles from the environment, since they would be executed inside a script."""
    action = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert len(scripts) == 6
    assert not any("${{" in script for script in scripts)


def test_ci_examples_are_pinned_and_limited() -> None:
    """Every action is named by its commit, every job has a time limit, and nothing is installed by its bare name."""
    jobs = yaml.safe_load((ROOT / "docs/ci/github.yml").read_text("utf-8"))["jobs"]
    action = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
    steps = [step for job in jobs.values() for step in job["steps"]] + action["runs"]["steps"]
    for step in steps:
        assert "uses" not in step or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step
    assert all(job["timeout-minutes"] <= 120 for job in jobs.values())


def test_ci_requirements_name_what_is_installed() -> None:
    """Each dependency and the build backend have one version with hashes, and each extra of a pipeline a file."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        document = tomllib.load(file)
    extras = document["project"]["optional-dependencies"]
    wanted = {"core": document["project"]["dependencies"] + document["build-system"]["requires"]}
    wanted |= {name: extras[name] for name in extras.keys() - {"dev", "docs", "sandbox"}}
    assert {path.stem for path in (ROOT / ".github/requirements").iterdir()} == set(wanted)
    for name, requirements in wanted.items():
        text = (ROOT / f".github/requirements/{name}.txt").read_text("utf-8")
        pinned = dict(re.findall(r"^([\w.-]+)==(\S+)(?: ; [^\n]*)? \\\n +--hash=sha256:", text, re.MULTILINE))
        assert len(pinned) == len(re.findall(r"^\w", text, re.MULTILINE))  # no others are named
        for one in map(Requirement, requirements):
            assert one.specifier.contains(pinned[canonicalize_name(one.name)]), f"make requirements: {one}"


def test_ci_example_uses_existing_inputs() -> None:
    """Every `with:` is an input, every mode exists, and no job has a permission that it does not need."""
    inputs = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))["inputs"]
    workflow = yaml.safe_load((ROOT / "docs/ci/github.yml").read_text("utf-8"))
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        (step,) = [step for step in job["steps"] if "smsby-deploy" in step["uses"]]
        assert set(step["with"]) <= set(inputs)
        assert name.startswith(step["with"]["mode"]) or name == "catch-up"
        assert ("write" in job["permissions"].values()) == (name in ("plan", "apply", "catch-up"))
        assert ("environment" in job) == (name != "plan")  # a branch cannot have the token of the others
    groups = [workflow["jobs"][name]["concurrency"] for name in ("apply", "catch-up")]
    assert groups == [{"group": "smsby-apply", "cancel-in-progress": False}] * 2


def test_ci_files_set_the_url_of_the_service() -> None:
    """No file of a pull request decides where the token is sent."""
    action = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
    jobs = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text("utf-8"))
    recipe = (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8")
    assert action["inputs"]["api-url"]["default"] == "https://app.sms.by"
    assert jobs["variables"]["SMSBY_API_URL"] == "https://app.sms.by"
    assert "    SMSBY_API_URL = 'https://app.sms.by'\n" in recipe.split("stages {")[0]


def test_ci_pre_commit_hook_validates() -> None:
    """The hook needs no token and gets no file names, because it validates a whole project."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert (hook["entry"], hook["language"]) == ("smsby-deploy validate", "python")
    assert hook["pass_filenames"] is False
