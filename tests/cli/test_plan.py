"""`plan`: formats and exit codes, offline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smsby_deploy.cli.main import run


def _plan(shop: Path, *options: str) -> int:
    return run(["-C", str(shop), "plan", *options])


def test_plan_exits_2_only_if_asked_for(shop: Path) -> None:
    """Only --detailed-exitcode gives a plan with changes another exit code."""
    assert _plan(shop, "--offline") == 0
    assert _plan(shop, "--offline", "--detailed-exitcode") == 2


def test_plan_prints_invalid_and_blocked_plans(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A blocked plan exits with 4 and an invalid one with 3, and both are printed on stdout."""
    limit = "guardrails: {max_recipients: 1}\n"
    (shop / "smsby.yaml").write_text(f"version: 1\nproject: shop\n{limit}", "utf-8")
    campaign = shop / "sale.yaml"
    two = campaign.read_text("utf-8").replace("[{", '[{phone: "375291234568", name: Olga}, {')
    campaign.write_text(two, "utf-8")
    assert _plan(shop, "--offline") == 4
    assert "! blocked" in capsys.readouterr().out
    campaign.write_text(two.replace("{{ name }}", "{{ nmae }}"), "utf-8")
    assert _plan(shop, "--offline") == 3
    assert "not valid: " in capsys.readouterr().out


def test_plan_json_is_one_document(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout has the document and nothing else."""
    assert _plan(shop, "--offline", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["format"] == "smsby-plan"


def test_plan_out_says_what_the_file_is_good_for(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan made offline is described as one to view, not to apply."""
    assert _plan(shop, "--offline", "--out", str(shop / "plan.json")) == 0
    assert "saved for viewing only" in capsys.readouterr().err


def test_plan_markdown_replaces_an_outdated_comment(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If no plan can be made, the comment says so, and the reason is on stderr as well."""
    assert _plan(shop, "--format", "markdown") == 7
    captured = capsys.readouterr()
    assert "### ❌ No plan, nothing will be sent" in captured.out
    assert "SMSBY_TOKEN is not set" in captured.err


def test_plan_is_printed_if_smsby_yaml_is_flawed(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a flawed smsby.yaml the plan is printed with all problems, without asking sms.by."""
    (shop / "smsby.yaml").write_text("version: 1\nproject: shop\ncolour: red\n", "utf-8")
    campaign = shop / "sale.yaml"
    campaign.write_text(campaign.read_text("utf-8").replace("{{ name }}", "{{ nmae }}"), "utf-8")
    assert run(["-C", str(shop), "plan", "--format", "json"]) == 3
    plan = json.loads(capsys.readouterr().out)
    assert {problem["file"] for problem in plan["problems"]} == {"smsby.yaml", "sale.yaml"}
    assert ([action["address"] for action in plan["actions"]], plan["account"]) == (["sale/vip"], None)


def test_plan_is_printed_if_the_facts_are_flawed(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With flawed facts the plan is printed without asking sms.by, since they decide how to ask."""
    (shop / "smsby.facts.json").write_text("{", "utf-8")
    assert _plan(shop) == 3
    said = capsys.readouterr()
    assert "smsby.facts.json:1:1: error FACTS" in said.out
    assert ("+ create" in said.out, said.err) == (True, "")


def test_plan_of_a_flawed_smsby_yaml_beside_a_damaged_lock(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flawed smsby.yaml (3) takes precedence over a damaged lock (1), since it may name another lock than was meant."""
    (shop / "smsby.yaml").write_text("version: 1\nproject: shop\ncolour: red\n", "utf-8")
    (shop / "smsby.lock.json").write_text("{}", "utf-8")
    assert run(["-C", str(shop), "plan", "--format", "json"]) == 3
    out, err = capsys.readouterr()
    assert (out, "smsby.yaml:3:1" in err) == ("", True)
