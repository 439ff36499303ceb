"""The JSON documents of `--format json`."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from smsby_deploy.output.json_documents import (
    json_parts,
    json_text,
    status_document,
    validate_document,
)
from smsby_deploy.plan.plan_file import plan_document
from smsby_deploy.problems import Location, Problem, Severity, problem_document
from tests.output import examples
from tests.output.golden import check_golden

PROBLEM = Problem(Severity.ERROR, "PHONE", "bad\n100%", "c/x", Location("lists/a,b.csv", 3, 1))


def test_plan_document_matches_its_schema() -> None:
    """The plan document is valid by the shipped schema, according to an independent validator."""
    document = plan_document(examples.whole_plan())
    check_golden("plan.json", json_text(document))
    schema = json.loads((Path(__file__).parents[2] / "schema/plan.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(json.loads(json_text(document)))


def test_validate_document_has_a_summary() -> None:
    """Problems are counted by severity."""
    text = "".join(json_parts(validate_document(examples.problems())))
    check_golden("problems.json", text)
    assert json.loads(text)["summary"] == {"errors": 2, "warnings": 1, "notes": 1}


def test_validate_document_counts_absent_severities() -> None:
    """A severity without problems is 0."""
    assert validate_document([PROBLEM])["summary"] == {"errors": 1, "warnings": 0, "notes": 0}


def test_validate_document_is_written_by_the_block() -> None:
    """Ten thousand problems (2.7 MB as documents) are all written, with little memory."""
    tracemalloc.start()
    try:
        length = sum(map(len, json_parts(validate_document([PROBLEM] * 10_000))))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert length > 2**20
    whole = json.loads("".join(json_parts(validate_document([PROBLEM]))))
    assert whole["problems"] == [problem_document(PROBLEM)]


def test_status_document_is_the_contracts() -> None:
    """The status document has every state, an undocumented status word, and the sums, as the contract says."""
    check_golden("status.json", json_text(status_document(examples.status())))


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200])
def test_json_parts_are_the_whole_text(count: int) -> None:
    """Objects are converted in parts, each of which ends with a line, whatever it contains."""
    objects = [{"number": number, "text": "Скидка ##[error]\u202e", "none": []} for number in range(count)]
    parts = list(json_parts({"plan": "p", "mailings": iter(objects), "summary": {"a": 1}}))
    assert "".join(parts) == json_text({"plan": "p", "mailings": objects, "summary": {"a": 1}})
    assert "".join(json_parts({"mailings": iter(objects)})) == json_text({"mailings": objects})
    assert all(part.endswith("\n") for part in parts)
    assert max(map(len, parts)) < 60_000
