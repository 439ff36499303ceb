"""Plan files: what is written is read back, older plans are read, and a file that is no plan is explained."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from smsby_deploy.errors import PlanRefused
from smsby_deploy.plan.fingerprint import canonical_json
from smsby_deploy.plan.model import ActionKind, ReasonCode
from smsby_deploy.plan.plan_file import plan_document, read_plan, write_plan
from smsby_deploy.privacy import mask_phones
from smsby_deploy.resources import load_schema
from tests.output import examples


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"version: 1\n", "it is not JSON, or was truncated (line 1)"),
        (b'{"format": "smsby-plan",\n', "it is not JSON, or was truncated (line 2)"),
        (b"\xff\xfe\x00", "it is not a text file"),
        (b"{}", "'format' is missing"),
        (b"[]", ": not a plan"),
        (b"null", ": not a plan"),
        (b'"smsby-plan"', ": not a plan"),
        (b'{"format": "smsby-plan", "format": "smsby-plan"}', "duplicate key"),
    ],
)
def test_read_plan_explains_what_is_wrong(tmp_path: Path, content: bytes, why: str) -> None:
    """Any file given by mistake is explained: why it is not a plan, and how to make one."""
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(PlanRefused) as caught:
        read_plan(path)
    assert why in caught.value.message
    assert "make a new plan" in caught.value.hint


def test_read_plan_suggests_select_for_a_missing_file(tmp_path: Path) -> None:
    """If an address is given instead of a file name, the hint names the option that takes addresses."""
    with pytest.raises(PlanRefused, match="there is no plan file") as caught:
        read_plan(tmp_path / "staff" / "shifts")
    assert "--select" in caught.value.hint


def test_written_plan_is_read_back(tmp_path: Path) -> None:
    """Every field of a plan file is read back, and phone numbers in reasons are masked."""
    plan = replace(examples.whole_plan(), problems=())
    masked = tuple(replace(action, reason=mask_phones(action.reason)) for action in plan.actions)
    assert masked != plan.actions
    path = tmp_path / "plan.json"
    write_plan(plan, path)
    assert read_plan(path) == plan.with_actions(masked)
    assert {action.reason_code for action in read_plan(path).blocked} == {ReasonCode.CHANGED}


def test_schema_has_every_key_of_an_action() -> None:
    """The schema has every key of an action, so each value is checked before it is used."""
    known = load_schema("plan")["properties"]["actions"]["items"]["properties"]
    written = {key for action in plan_document(examples.whole_plan())["actions"] for key in action}
    assert written <= known.keys()


def test_plan_without_reason_codes_is_read(tmp_path: Path) -> None:
    """A plan from before `reason_code` is read, with null for every action."""
    document = plan_document(examples.whole_plan())
    del document["digest"]
    for action in document["actions"]:
        del action["reason_code"]
    document["digest"] = hashlib.sha256(canonical_json(document)).hexdigest()
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    plan = read_plan(path)
    assert {action.reason_code for action in plan.actions} == {None}
    assert [action.action for action in plan.blocked] == [ActionKind.BLOCKED]
